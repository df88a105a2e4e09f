#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# serve.sh - mrpc-serve hosts a service module and replaces it: a stream that is open keeps the old build until it ends, the
# state is handed over, and the old build is unloaded then
. "$top_srcdir/tests/e2e/common.sh"

mkdir "$work/modules"
build_module "$work/modules/kv.marshal.so" found
build_module "$work/other.so" other
build_service "$work/first.so" first
build_service "$work/second.so" second

MRPC_CONTROL=$work/control
export MRPC_CONTROL
serve=$top_builddir/tools/mrpc-serve
answer=$("$serve" --listen tcp://127.0.0.1:0 "$work/first.so" 2>&1)
expect "status without a marshal module" 1 $?
expect_words "missing marshal module" "kv.marshal.so" "$answer"
answer=$("$serve" --listen tcp://127.0.0.1:0 "$work/other.so" 2>&1)
expect_words "marshal module in place of a service module" "not a service module" "$answer"
answer=$("$serve" --listen tcp://127.0.0.1:0 --control "$work/none/control" "$work/first.so" 2>&1)
expect "status with a control socket that cannot be made" 1 $?
expect_words "control socket that cannot be made" "$work/none/control" "$answer"
answer=$("$serve" --listen tcp://127.0.0.1:0 --drain soon "$work/first.so" 2>&1)
expect "status with a wrong --drain" 2 $?
expect_words "wrong --drain" "--drain soon" "$answer"

start server "$serve" --listen tcp://127.0.0.1:0 --module-path "$work/modules" "$work/first.so"
server=$process
client() {
    MRPC_CONTROL='' "$top_builddir/examples/kv_client" "$address" "$@"
}
state_of() {
    "$mrpcctl" modules | awk -v stamp="$1" '$4 == stamp { print $5; exit }'
}
is_state() {
    [ "$(state_of "$1")" = "$2" ]
}
is_mapped() {
    grep -q "memfd:mrpc:$1" "/proc/$server/maps"
}

client put a 1 >/dev/null
MRPC_CONTROL='' "$top_builddir/examples/kv_client" "$address" watch >"$work/watch.log" 2>&1 &
watcher=$!
servers="$servers $watcher"
until_true grep -q '^current' "$work/watch.log" || fail "the watch does not begin"

expect "replaced by" second "$("$mrpcctl" upgrade "$work/second.so" | column stamp 1)"
expect "value after the swap" 1 "$(client get a)"
client put b 2 >/dev/null
until_true grep -q '^put.b' "$work/watch.log" || fail "the watch that the first build began does not go on"
expect "state of the first build" draining "$(state_of first)"
is_mapped first.so || fail "the first build is not mapped though a call is in it"

kill "$watcher"
wait "$watcher"
servers=" $server"
until_true is_state first unloaded || fail "the first build is $(state_of first) after its last call"
! is_mapped first.so || fail "the first build is still mapped"

expect "rolled back to" first "$("$mrpcctl" rollback kv | column stamp 1)"
expect "value after the rollback" 2 "$(client get b)"
expect "marshal module" other "$("$mrpcctl" upgrade "$work/other.so" | column stamp 1)"
expect "value through the other marshal module" 2 "$(client get b)"
answer=$("$mrpcctl" upgrade "$top_builddir/gen/kv.mrpc.c" 2>&1)
expect "status of a refusal" 1 $?
expect "keys at the end" "a b" "$(client range | cut -f 1 | tr '\n' ' ' | sed 's/ $//')"
stop "$server"
[ "$failures" = 0 ]
