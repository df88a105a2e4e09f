#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# upgrade.sh - a running server gets another marshal module, refuses every bad one with its reason, rolls back, and serves on
. "$top_srcdir/tests/e2e/common.sh"

socket=$work/control
build_module "$work/one.so" one
build_module "$work/two.so" two
MRPC_CONTROL=$socket
export MRPC_CONTROL
start server "$top_builddir/examples/kv_server" tcp://127.0.0.1:0
server=$process
client() {
    MRPC_CONTROL='' "$top_builddir/examples/kv_client" "$address" "$@"
}
serves() {
    client put key "$1" >/dev/null && expect "value after $1" "$1" "$(client get key)"
}
current() {
    "$mrpcctl" modules | awk '$5 == "current" { print $4 }'
}
# is_refused WORDS FILE - and nothing has changed
is_refused() {
    answer=$("$mrpcctl" upgrade "$2" 2>&1)
    expect "status of refusing $2" 1 $?
    expect_words "refusal of $2" "$1" "$answer"
    expect_words "refusal of $2" "$(basename "$2")" "$answer"
    expect "module after refusing $2" "$3" "$(current)"
}

serves linked
expect "linked-in module" - "$(current)"
answer=$("$mrpcctl" rollback kv.proto 2>&1)
expect "status of a rollback before any upgrade" 1 $?
expect_words "rollback before any upgrade" "no upgrade that could be undone" "$answer"

expect "upgraded to" one "$("$mrpcctl" upgrade "$work/one.so" | column stamp 1)"
serves one
expect "version" 2 "$("$mrpcctl" modules | column version 1)"
(cd "$work" && expect "relative path" two "$("$mrpcctl" upgrade two.so | column stamp 1)")
serves two
expect "rolled back to" one "$("$mrpcctl" rollback kv.proto | column stamp 1)"
serves rollback
expect "module now" one "$(current)"
expect "rolled back once more, to" two "$("$mrpcctl" rollback kv.proto | column stamp 1)"
expect "module after two rollbacks" two "$(current)"
expect "and again, to" one "$("$mrpcctl" rollback kv.proto | column stamp 1)"
[ "$("$mrpcctl" modules | column pause_ns 1)" -gt 0 ] || fail "the pause of the last swap is not shown"
[ "$("$mrpcctl" rollback kv.proto | column pause_ns 1)" -gt 0 ] || fail "the pause of a rollback is not told"
"$mrpcctl" rollback kv.proto >/dev/null || fail "a fourth rollback is refused"
serves "rollbacks"
handled=$("$mrpcctl" modules | awk '$5 == "current" { print $6 }')
[ "$handled" -gt 0 ] || fail "the loaded module has handled no message"

# bad modules; what each is like is shown in detail by tests/unit/upgrade/test_candidate.c
hand_made() {
    out=$1
    shift
    $CC -shared -fPIC -fvisibility=hidden -I"$top_srcdir/include" -o "$out" "$top_srcdir/tests/unit/upgrade/module.c" "$@" || exit 99
}
hand_made "$work/abi.so" -DMODULE_ABI=9
is_refused "made for ABI 9" "$work/abi.so" one
hand_made "$work/symbol.so" -DWITHOUT_SYMBOL
is_refused "does not export" "$work/symbol.so" one
hand_made "$work/exit.so" '-DCONSTRUCTOR=exit(0)'
is_refused "exit(0)" "$work/exit.so" one
hand_made "$work/abort.so" '-DCODEC=abort()'
is_refused "SIGABRT" "$work/abort.so" one
hand_made "$work/failing.so" '-DCODEC=return -1'
is_refused "self-test failed" "$work/failing.so" one
sed 's/bytes value = 2;/string value = 2;/' "$top_srcdir/examples/protos/kv.proto" >"$work/kv.proto"
"$top_builddir/tools/mrpc-module" build -o "$work/schema.so" --cflags "-O0 -I$top_srcdir/include" "$work/kv.proto" || exit 99
is_refused "schema fingerprint of kv.proto" "$work/schema.so" one
head -c 3000 "$work/two.so" >"$work/cut.so"
is_refused "cut off" "$work/cut.so" one
cp "$work/two.so" "$work/mode.so"
chmod 666 "$work/mode.so"
is_refused "chmod go-w" "$work/mode.so" one
ln -s two.so "$work/link.so"
is_refused "symbolic link" "$work/link.so" one
echo text >"$work/text.so"
is_refused "not a shared object" "$work/text.so" one
is_refused "no file" "$work/none.so" one
mkdir "$work/folder.so"
is_refused "not a regular file" "$work/folder.so" one
is_refused "is a program" /bin/true one
if [ "$(id -u)" = 0 ]; then
    cp "$work/two.so" "$work/foreign.so"
    chown 65534 "$work/foreign.so"
    is_refused "belongs to user 65534" "$work/foreign.so" one
fi
serves "after refusals"

# what else mrpcctl says
"$mrpcctl" --json modules | grep -q '"stamp": "one"' || fail "--json does not show the module"
expect_words counters calls_accepted "$("$mrpcctl" counters)"
[ "$("$mrpcctl" counters | awk '$1 == "module_swaps" { print $2 }')" = 7 ] || fail "the seven swaps were not counted"
answer=$("$mrpcctl" rollback none.proto 2>&1)
expect "status of a rollback of nothing" 1 $?
expect_words "rollback of nothing" none.proto "$answer"
answer=$("$mrpcctl" -s "$work/nowhere" modules 2>&1)
expect "status without a socket" 3 $?
expect_words "missing socket" "$work/nowhere" "$answer"
answer=$("$mrpcctl" -s "$work/two.so" modules 2>&1)
expect "status with a file in place of a socket" 3 $?
expect_words "file in place of a socket" "not a socket" "$answer"
for words in "" "upgrade" "rollback" "modules more" "nonsense" "--nonsense" "-s"; do
    "$mrpcctl" $words >/dev/null 2>&1
    expect "status of mrpcctl $words" 2 $?
done
(unset MRPC_CONTROL && "$mrpcctl" modules >/dev/null 2>&1)
expect "status without MRPC_CONTROL and -s" 2 $?

# others that are started where MRPC_CONTROL is set go on without a socket, which stays the first one's
served=$address
start other "$top_builddir/examples/kv_server" tcp://127.0.0.1:0
stop "$process"
"$top_builddir/tools/mrpc-serve" -c "$socket" -l tcp://127.0.0.1:0 "$work/none.so" >"$work/serve.log" 2>&1
expect_words "option with a path in use" "belongs to a process that runs" "$(cat "$work/serve.log")"
expect "module after others were started" one "$(current)"

# a folder has a socket for each runtime
mkdir "$work/sockets"
answer=$("$mrpcctl" -s "$work/sockets" modules 2>&1)
expect "status with an empty folder" 3 $?
expect_words "empty folder" "no program that runs" "$answer"
MRPC_CONTROL=$work/sockets
start other "$top_builddir/examples/kv_server" tcp://127.0.0.1:0
first=$process
[ -S "$work/sockets/$first-1.sock" ] || fail "no socket in the folder"
expect "module by a folder" - "$("$mrpcctl" modules | awk '$5 == "current" { print $4 }')"
start other "$top_builddir/examples/kv_server" tcp://127.0.0.1:0
answer=$("$mrpcctl" modules 2>&1)
expect "status with several sockets" 3 $?
expect_words "several sockets" "$first-1.sock" "$answer"
expect_words "several sockets" "$process-1.sock" "$answer"
expect_words "the chosen one" kv.proto "$("$mrpcctl" -s "$work/sockets/$first-1.sock" modules)"
stop "$process"
stop "$first"
MRPC_CONTROL=$socket
address=$served

# only the current module and the one for rollback are mapped
for stamp in 1 2 3 4; do
    "$mrpcctl" upgrade "$work/one.so" >/dev/null && "$mrpcctl" upgrade "$work/two.so" >/dev/null || fail "upgrade $stamp"
done
mapped=$(grep -o 'memfd:mrpc:[a-z]*.so' "/proc/$server/maps" | sort -u | wc -l)
[ "$mapped" -le 2 ] || fail "$mapped modules are mapped"
serves end
stop "$server"
[ ! -e "$socket" ] || fail "the control socket was left behind"

# a program that was killed leaves its socket, and the next one takes its place
start server "$top_builddir/examples/kv_server" tcp://127.0.0.1:0
kill -9 "$process"
wait "$process" 2>/dev/null
servers=
answer=$("$mrpcctl" modules 2>&1)
expect "status with a dead program" 3 $?
expect_words "dead program" "has ended" "$answer"
start server "$top_builddir/examples/kv_server" tcp://127.0.0.1:0
"$mrpcctl" modules >/dev/null || fail "the control socket of a program that was killed is in the way"
stop "$process"
[ "$failures" = 0 ]
