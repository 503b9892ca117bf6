#!/bin/sh
# tidy_one.sh GENERATED FILE: analyses FILE, and prints "<exit code> FILE"; findings go to standard error.
findings=$(clang-tidy --quiet "$2" -- -std=c17 -D_GNU_SOURCE -I. -isystem "$1" 2>&1)
outcome=$?
[ "$outcome" -eq 0 ] || printf '%s\n' "$findings" >&2
echo "$outcome $2"
