#!/bin/bash
# test.sh [BAZEL OPTION]...: runs every test; the last line is "N passed, N failed, N skipped", and
# right before it stands what failed, each with the end of what it said:
#
#     failed: //libs/base:arena_test, an_arena_grows
#         [  ERROR   ] --- 0x1 != 0x2
#
# A cmocka program counts once for each of its cases, any other test (a corpus that is replayed)
# once.  A program that fails without naming a case (a crash, a time-out, an error of the build)
# counts as one failure, with the case it was in; what is skipped is named.
set -u -o pipefail
root=$(realpath "$(dirname "$0")/..")
cd "$root" || exit 1
. tools/environment.sh
export WEFT_TEST_DATA=${WEFT_TEST_DATA:-$(realpath -m ../shared/data)} # libs/testing/test_data.h

output=$(mktemp)
trap 'rm -f "$output"' EXIT

# Standard error has the progress, and from some versions of Bazel's sandbox much else.
bazel test --keep_going --test_summary=short "$@" //... 2>&1 </dev/null |
    grep -v --line-buffered '/tools/linux-sandbox' | tee "$output"
outcome=${PIPESTATUS[0]}

# "//libs/base:arena_test    (cached) PASSED in 0.1s" becomes "<the target> <its log's path> PASSED".
results() {
    sed -nE 's|^(//[^ ]+) +(\(cached\) )?([A-Z]+( [A-Z]+)*).*|\1 \3|p' "$output" |
        while read -r target result; do
            path=${target#//}
            echo "$target bazel-testlogs/${path/:/\/}/test.log $result"
        done
}

results | awk -v outcome="$outcome" -v output="$output" '
    # Keeps the last lines of what may have to be shown, and of each as much as can be read.
    function keep(line) {
        kept[n_kept++ % max_kept] = substr(line, 1, 300)
    }
    function fail(what,    i) {
        failed++
        failures = failures "failed: " what "\n"
        for (i = n_kept > max_kept ? n_kept - max_kept : 0; i < n_kept; i++) {
            failures = failures "    " kept[i % max_kept] "\n"
        }
        n_kept = 0
    }
    # Counts the cases that a log names as passed and skipped; a failed one ends what it said.
    function read_log(target, log_file,    line, name, seen) {
        n_named = n_failed = n_kept = 0
        running = ""
        while ((getline line < log_file) > 0) {
            name = line
            sub(/^\[[^]]*\] /, "", name)
            if (line ~ /^\[ +RUN +\] /) {
                running = name
                n_kept = 0
            } else if (line ~ /^\[ +OK +\] /) {
                running = ""
                passed++
                n_named++
            } else if (line ~ /^\[ +(FAILED|SKIPPED) +\] / && line !~ /\] [0-9]+ test\(s\)/) {
                # A case is named when it ends and once more in the summary.
                if (seen[line]++) {
                    continue
                }
                running = ""
                n_named++
                if (line ~ /FAILED/) {
                    n_failed++
                    fail(target ", " name)
                } else {
                    skipped++
                    print "skipped: " target " " name
                }
            } else {
                keep(line)
            }
        }
        close(log_file)
    }
    # What Bazel, the compiler and the linker had to say.
    function keep_errors(    line) {
        while ((getline line < output) > 0) {
            if (line ~ /^(ERROR|FATAL): |^[^ ]+: ((fatal )?error|undefined reference)/) {
                keep(line)
            }
        }
        close(output)
    }
    BEGIN {
        max_kept = 20
    }
    {
        target = $1
        log_file = $2
        result = $3 ($4 == "" ? "" : " ") $4 ($5 == "" ? "" : " ") $5
        if (result == "FAILED TO BUILD" || result == "NO STATUS") {
            n_kept = 0
            if (!unbuilt++) {
                keep_errors()
            }
            fail(target " (" result ")")
            next # its log is of an earlier run
        }
        read_log(target, log_file)
        if (result == "PASSED" || result == "FLAKY") {
            passed += n_named == 0
        } else if (n_failed == 0) {
            fail(target (running == "" ? "" : ", " running) " (" result ")")
        }
    }
    END {
        if (outcome != 0 && failed == 0) {
            n_kept = 0
            keep_errors()
            fail("bazel test (exit code " outcome ")")
        }
        printf "%s", failures
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed != 0
    }'
