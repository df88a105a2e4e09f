#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# inside.sh - what runs in the virtual machine of make check-rdma: the suites, and what the devices counted meanwhile
#
#     inside.sh [SUITE...]        (all of them without an argument)
#
# Writes $results/summary: tests, passed, failed, sent_pkts, receiver_not_ready; for each suite its output; and in
# $results/compared the suites that run over tcp as well, with the command that does so (names.sh compares).
set -u
: "${top_srcdir:?}" "${top_builddir:?}" "${results:?}" "${RDMA_SUITES:?}"
export MRPC_MODULE_PATH=$top_builddir/.libs LD_LIBRARY_PATH=$top_builddir/.libs
export TEST_PATIENCE=300 # an emulated processor of a busy machine
cd "$top_builddir" || exit 99
passed=0 failed=0
chosen=" $* "

# counter NAME - summed up over the devices
counter() {
    cat /sys/class/infiniband/*/ports/*/hw_counters/"$1" | awk '{ sum += $1 } END { print sum + 0 }'
}

wanted() {
    [ "$chosen" = "  " ] || [[ $chosen == *" $1 "* ]]
}

# budget SUITE - seconds that it may take on two emulated processors that have nothing else to do; ten times as many end it
budget() {
    case $1 in
    failures) echo 600 ;;
    devices) echo 400 ;;
    death) echo 300 ;;
    running | connections) echo 180 ;;
    *) echo 120 ;;
    esac
}

# unit NAME PROGRAM ARGUMENT... - a cmocka program, whose tests are counted one by one
unit() {
    name=$1
    shift
    wanted "$name" || return 0
    began=$SECONDS
    TEST_TIMEOUT=$((10 * $(budget "$name"))) CMOCKA_MESSAGE_OUTPUT=TAP tests/run-test "$@" >"$results/$name.log" 2>&1
    status=$?
    good=$(grep -c '^ok [0-9]* - ' "$results/$name.log")
    bad=$(grep -c '^not ok' "$results/$name.log")
    [ $status = 0 ] || [ "$bad" -gt 0 ] || bad=1
    report "$name" "$good" "$bad"
}

# same NAME PROGRAM - a unit of the runtime, that runs over tcp, too
same() {
    wanted "$1" || return 0
    echo "$1 env TEST_TRANSPORT=tcp $2" >>"$results/compared"
    unit "$1" env TEST_TRANSPORT=rdma "$2"
}

# conformance NAME VARIANT [VARIABLE=VALUE...] - the transport's suite
conformance() {
    wanted "$1" || return 0
    echo "$1 tests/unit/transport_conformance tcp-epoll" >>"$results/compared"
    variant=$2 name=$1
    shift 2
    unit "$name" env "$@" tests/unit/transport_conformance "$variant"
}

# poor NAME - the suite of that name ran on devices that can do next to nothing
poor() {
    wanted "$1" || return 0
    grep -q '^# the poorest device' "$results/$1.log" || report "$1, the device" 0 1
}

# script NAME FILE - counts as one test
script() {
    wanted "$1" || return 0
    began=$SECONDS
    TEST_TIMEOUT=$((10 * $(budget "$1"))) tests/run-test "$2" >"$results/$1.log" 2>&1 && report "$1" 1 0 || report "$1" 0 1
}

report() {
    passed=$((passed + $2)) failed=$((failed + $3))
    echo "$1: $2 passed, $3 failed, $((SECONDS - began)) s of $(budget "$1")"
    [ "$3" = 0 ] || tail -n 60 "$results/$1.log"
}

packets=$(counter sent_pkts)
not_ready=$(($(counter send_rnr_err) + $(counter rcvd_rnr_err)))

conformance conformance rdma
conformance conformance-least rdma-least
for suite in $RDMA_SUITES; do
    same "$suite" "tests/unit/test_runtime_$suite"
done
same running tests/unit/upgrade/test_running
poorest=LD_PRELOAD=$top_builddir/tests/rdma/.libs/poorest.so
conformance conformance-poorest rdma "$poorest"
poor conformance-poorest
for suite in unary streams death; do
    wanted "$suite-poorest" && echo "$suite-poorest env TEST_TRANSPORT=tcp tests/unit/test_runtime_$suite" >>"$results/compared"
    unit "$suite-poorest" env TEST_TRANSPORT=rdma "$poorest" "tests/unit/test_runtime_$suite" '[rdma]'
    poor "$suite-poorest"
done
unit failures env TEST_TRANSPORT=rdma tests/unit/test_rdma_failures
script hello "$top_srcdir/tests/rdma/hello.sh"
script kv "$top_srcdir/tests/rdma/kv.sh"
script upgrade "$top_srcdir/tests/rdma/upgrade.sh"
unit devices tests/unit/test_rdma

{
    echo "tests $((passed + failed))"
    echo "passed $passed"
    echo "failed $failed"
    echo "sent_pkts $(($(counter sent_pkts) - packets))"
    echo "receiver_not_ready $(($(counter send_rnr_err) + $(counter rcvd_rnr_err) - not_ready))"
} >"$results/summary"
cat "$results/summary"
