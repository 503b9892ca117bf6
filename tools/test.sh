#!/bin/bash
# test.sh [BAZEL OPTION]...: runs every test; the last line is "N passed, N failed, N skipped".
#
# A cmocka program counts once for each of its cases, any other test (a corpus that is replayed)
# once.  A program that fails without naming a case (a crash, a time-out, an error of the build)
# counts as one failure; what is skipped is named.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
export WEFT_TEST_DATA=${WEFT_TEST_DATA:-$(realpath -m ../shared/data)} # libs/testing/test_data.h

output=$(mktemp)
trap 'rm -f "$output"' EXIT

# Standard error has the progress, and from some versions of Bazel's sandbox much else.
bazel test --keep_going --test_summary=short "$@" //... 2>&1 | grep -v --line-buffered '/tools/linux-sandbox' | tee "$output"
outcome=${PIPESTATUS[0]}

# "//libs/base:arena_test    (cached) PASSED in 0.1s" becomes "PASSED <the log's path> <the target>".
results() {
    sed -nE 's|^(//[^ ]+) +(\(cached\) )?([A-Z]+).*|\3 \1|p' "$output" | while read -r result target; do
        path=${target#//}
        echo "$result bazel-testlogs/${path/:/\/}/test.log $target"
    done
}

results | awk -v outcome="$outcome" '
    function count_cases(log_file,    line, parts, seen, n_named) {
        n_named = 0
        while ((getline line < log_file) > 0) {
            if (line ~ /^\[ +OK +\] /) {
                passed++
                n_named++
            } else if (match(line, /^\[ +(FAILED|SKIPPED) +\] /) && line !~ /\] [0-9]+ test\(s\)/) {
                # A case is named when it ends and once more in the summary.
                if (seen[line]++) {
                    continue
                }
                n_named++
                if (line ~ /FAILED/) {
                    failed++
                    failed_here++
                } else {
                    skipped++
                    print "skipped: " $3 " " substr(line, RLENGTH + 1)
                }
            }
        }
        close(log_file)
        return n_named
    }
    {
        failed_here = 0
        named = count_cases($2)
        if ($1 == "PASSED" || $1 == "FLAKY") {
            passed += named == 0
        } else if (failed_here == 0) {
            print "failed: " $3 " (" $1 ")"
            failed++
        }
    }
    END {
        if (outcome != 0 && failed == 0) {
            print "failed: bazel test (exit code " outcome ")"
            failed++
        }
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed != 0
    }'
