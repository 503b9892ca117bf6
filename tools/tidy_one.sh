#!/bin/bash
# tidy_one.sh GENERATED FOLDER FILE: analyses FILE, puts what there is to say into a file of FOLDER, and
# prints "<exit code> FILE".
clang-tidy --quiet "$3" -- -std=c17 -D_GNU_SOURCE -I. -isystem "$1" >"$2/${3//\//:}" 2>&1
echo "$? $3"
