#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run-test.sh - the runner of the tests times out, kills what is left behind, and passes statuses on
set -u
run=$top_builddir/tests/run-test
failures=0

# expect WHAT STATUS TEXT COMMAND... - the runner's status, and a text that it must print ("" for silence)
expect() {
    what=$1 wanted=$2 text=$3
    shift 3
    output=$(TEST_GRACE=1 TEST_TIMEOUT="${limit:-60}" "$run" "$@" 2>&1 >/dev/null)
    status=$?
    if [ "$status" != "$wanted" ] || ! echo "$output" | grep -q -- "${text:-^\$}"; then
        echo "FAIL: $what: status $status (wanted $wanted), output: $output"
        failures=$((failures + 1))
    fi
}

expect 'a success is a success' 0 '' true
expect 'a failure is a failure' 3 '' sh -c 'exit 3'
expect 'a skip is a skip' 77 '' sh -c 'exit 77'
expect 'a missing test is a hard error' 99 'cannot run /no/such/test' /no/such/test
expect 'a crash is named' 1 'died of signal 11' sh -c 'kill -SEGV $$'
limit=1
expect 'an endless test is named' 1 'sleep timed out after 1 s' sleep 1001
expect 'an endless child is killed as well' 1 'timed out' sh -c 'sleep 1002 & sleep 1002'
limit=60
expect 'a daemon that stays is a failure' 1 'left behind: process .* sleep' sh -c 'setsid sleep 1003 >/dev/null 2>&1 &'
expect 'what ends by itself soon is none' 0 '' sh -c 'sleep 0.3 &'
expect 'a failure stays one when something stays' 4 'left processes behind' \
    sh -c 'setsid sleep 1004 >/dev/null 2>&1 & exit 4'

for seconds in 1001 1002 1003 1004; do
    if grep -lsz "^$seconds\$" /proc/[0-9]*/cmdline >/dev/null; then
        echo "FAIL: sleep $seconds is still running"
        failures=$((failures + 1))
    fi
done
[ "$failures" = 0 ]
