#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# serve_load.sh - a service module is replaced and rolled back under load: calls of all kinds fail at no swap, and the load's
# Watch, a stream, stays in the build that it began with until its end
. "$top_srcdir/tests/e2e/common.sh"

build_module "$work/kv.marshal.so" found
build_service "$work/first.so" first
build_service "$work/second.so" second
MRPC_CONTROL=$work/control
export MRPC_CONTROL
start server "$top_builddir/tools/mrpc-serve" --listen tcp://127.0.0.1:0 --module-path "$work" "$work/first.so"
server=$process

accepted() {
    "$mrpcctl" counters | awk '$1 == "calls_accepted" { print $2 }'
}
has_accepted() {
    [ "$(accepted)" -ge "$1" ]
}
# state_of_version NUMBER
state_of_version() {
    "$mrpcctl" modules | awk -v version="$1" '$2 == "service" && $3 == version { print $5 }'
}
is_version_state() {
    [ "$(state_of_version "$1")" = "$2" ]
}
MRPC_CONTROL='' "$top_builddir/examples/kv_client" "$address" load --seconds 600 --workers 2 --folder "$top_srcdir" >"$work/load.log" 2>&1 &
load=$!
servers="$servers $load"
until_true has_accepted $(($(accepted) + 500)) || fail "the load does not begin: $(cat "$work/load.log")"
for build in second first second; do
    answer=$("$mrpcctl" upgrade "$work/$build.so" 2>&1) || fail "upgrade under load: $answer"
    expect "replaced under load by" "$build" "$(echo "$answer" | column stamp 1)"
    [ "$(echo "$answer" | column pause_ns 1)" -gt 0 ] || fail "the pause is not told"
    until_true has_accepted $(($(accepted) + 200)) || fail "no calls after the swap to $build"
done
for _ in 1 2; do
    "$mrpcctl" rollback kv >/dev/null || fail "a rollback under load is refused"
    until_true has_accepted $(($(accepted) + 200)) || fail "no calls after the rollback"
done
expect "build after two rollbacks" second "$("$mrpcctl" modules | awk '$2 == "service" && $5 == "current" { print $4 }')"
expect "state of the build that the load's Watch is in" draining "$(state_of_version 1)"
until_true is_version_state 2 unloaded || fail "a build that no call is in is not unloaded"
kill -TERM "$load"
wait "$load" || fail "the load: $(cat "$work/load.log")"
servers=" $server"
expect_words "load" " 0 failed, 0 wrong" "$(cat "$work/load.log")"
until_true is_version_state 1 unloaded || fail "the build of the Watch is not unloaded after its end"
stop "$server"
[ "$failures" = 0 ]
