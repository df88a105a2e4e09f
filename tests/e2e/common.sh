# SPDX-License-Identifier: BSD-2-Clause
# common.sh - what the end-to-end tests share; sourced. Sets $work, a folder that goes with the test, and stops all servers.
set -u
umask 022
MRPC_SELFTEST=$top_builddir/upgrade/mrpc-selftest
export MRPC_SELFTEST
mrpcctl=$top_builddir/tools/mrpcctl
failures=0
servers=
work=$(mktemp -d "${TMPDIR:-/tmp}/mrpc-e2e-XXXXXX") || exit 99

clean_up() {
    for process in $servers; do
        kill "$process" 2>/dev/null && wait "$process"
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# expect WHAT WANTED GOT
expect() {
    [ "$2" = "$3" ] || fail "$1: \"$3\" instead of \"$2\""
}

# expect_words WHAT WORDS TEXT
expect_words() {
    case $3 in
    *"$2"*) ;;
    *) fail "$1: \"$3\" does not say \"$2\"" ;;
    esac
}

# until_true COMMAND... - tries for 20 s
until_true() {
    for _ in $(seq 200); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

# start NAME PROGRAM ARGUMENT... - in the background; sets $process and $address when it has said where it listens
start() {
    log=$work/$1.log
    shift
    rm -f "$log" # of one that was started before under that name
    "$@" >"$log" 2>&1 &
    process=$!
    servers="$servers $process"
    if ! until_true grep -q '^listening at' "$log"; then
        echo "FAIL: $* does not start:"
        cat "$log"
        exit 1
    fi
    address=$(sed -n 's/^listening at //p' "$log" | head -n 1)
}

# stop PROCESS - which must end well
stop() {
    kill "$1"
    wait "$1" || fail "process $1 ended with status $?"
    servers=$(echo " $servers " | sed "s/ $1 / /")
}

# column NAME ROW - of a table on standard input; ROW counts from 1
column() {
    awk -v name="$1" -v row="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i } NR == row + 1 { print $at }'
}

# build_module OUT STAMP FLAG... - the marshal module of kv.proto
build_module() {
    out=$1 stamp=$2
    shift 2
    "$top_builddir/tools/mrpc-module" build -o "$out" --stamp "$stamp" --cflags "-O1 -I$top_srcdir/include $*" \
        "$top_srcdir/examples/protos/kv.proto" || exit 99
}

# build_service OUT STAMP - the service module of the key-value server
build_service() {
    $CC -shared -fPIC -fvisibility=hidden -O1 -DMRPC_MODULE_AT_RUN_TIME -DSTAMP="\"$2\"" -I"$top_srcdir/include" -I"$top_srcdir/examples" -I"$top_builddir/gen" -o "$1" \
        "$top_srcdir/examples/kv_module.c" "$top_srcdir/examples/kv_service.c" "$top_srcdir/examples/kv_streams.c" \
        "$top_srcdir/examples/kv_watch.c" "$top_srcdir/examples/kv_store.c" "$top_builddir/gen/kv.mrpc.c" || exit 99
}
