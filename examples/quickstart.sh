#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# quickstart.sh - a key-value server and its clients, with their marshal modules replaced again and again while calls flow
#
# For each transport: a server process and a client process with several threads, connections and an open Watch stream; real
# data (the files below /usr/include, or those of this source tree), of which every answer is compared byte by byte; and meanwhile
# mrpcctl puts different builds of the marshal module into both processes. Prints one entry for each transport and exits with 0 only
# if no call failed, no answer was wrong, and every build has really done its part; how fast it was decides nothing.
#
# usage: examples/quickstart.sh [SECONDS-PER-TRANSPORT ["TRANSPORT..." [FOLDER]]], of io_uring, epoll (both tcp), shm, and
# rdma://HOST:PORT; the data are the files below FOLDER
set -u
top_srcdir=$(cd "${top_srcdir:-$(dirname "$0")/..}" && pwd)
top_builddir=$(cd "${top_builddir:-$top_srcdir/build}" && pwd)
seconds=${1:-12}
transports=${2:-io_uring epoll shm}
swaps_wanted=24
builds='gcc-O1 small-O2 large-O3'

MRPC_SELFTEST=${MRPC_SELFTEST:-$top_builddir/upgrade/mrpc-selftest}
export MRPC_SELFTEST
mrpcctl=$top_builddir/tools/mrpcctl
failures=0
server=
client=

fail() {
    echo "quickstart: $*" >&2
    failures=$((failures + 1))
}

work=$(mktemp -d "${TMPDIR:-/tmp}/mrpc-quickstart-XXXXXX") || exit 1
clean_up() {
    for process in $server $client; do
        kill "$process" 2>/dev/null && wait "$process" 2>/dev/null
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

# Three builds of different code: other optimisation, and another size from which fields are sent from where they lie.
build_modules() {
    "$top_builddir/tools/mrpc-module" build -o "$work/gcc-O1.so" --stamp gcc-O1 --cflags "-O1 -I$top_srcdir/include" "$proto" &&
        "$top_builddir/tools/mrpc-module" build -o "$work/small-O2.so" --stamp small-O2 --cflags "-O2 -I$top_srcdir/include" \
            --mrpc_opt threshold=512 "$proto" &&
        "$top_builddir/tools/mrpc-module" build -o "$work/large-O3.so" --stamp large-O3 --cflags "-O3 -I$top_srcdir/include" \
            --mrpc_opt threshold=65536 "$proto" &&
        head -c 3000 "$work/gcc-O1.so" >"$work/cut-off.so"
}
proto=$top_srcdir/examples/protos/kv.proto

data=${3:-/usr/include}
[ -d "$data" ] && [ -n "$(find "$data" -type f | head -n 100 | tail -n 1)" ] || data=$top_srcdir

# wait_for FILE TEXT PROCESS - until a line of FILE begins with TEXT; fails when the process ends before, or after 60 s
wait_for() {
    for _ in $(seq 600); do
        grep -q "^$2" "$1" 2>/dev/null && return
        kill -0 "$3" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# wait_for_socket PATH PROCESS - as wait_for
wait_for_socket() {
    for _ in $(seq 600); do
        [ -S "$1" ] && return
        kill -0 "$2" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# swap SIDE COMMAND ARGUMENT - the answer is only kept: whatever else runs here takes processor time from the calls around it
swap() {
    "$mrpcctl" -s "$work/$1.sock" "$2" "$3" >>"$work/answers" 2>"$work/swap.err" ||
        fail "$name: mrpcctl $2 $3 on the $1: $(cat "$work/swap.err")"
}

# Both sides get all builds in turn, two of them by rollback, and in between a file that must be refused.
swap_modules() {
    pause=$(awk -v s="$seconds" -v n="$swaps_wanted" 'BEGIN { printf "%.3f", s / n }')
    side=server
    for count in $(seq "$swaps_wanted"); do
        kill -0 "$client" 2>/dev/null || return
        set -- $builds
        shift $(((count - 1) / 2 % 3))
        case $count in
        11 | 12) swap $side rollback kv.proto ;;
        *) swap $side upgrade "$work/$1.so" ;;
        esac
        [ "$count" != 7 ] || ! "$mrpcctl" -s "$work/$side.sock" upgrade "$work/cut-off.so" 2>/dev/null ||
            fail "$name: a module that is cut off was accepted"
        [ $side = server ] && side=client || side=server
        sleep "$pause"
    done
}

# answers COLUMN... - those columns of all answers that mrpcctl gave
answers() {
    awk -v names="$*" '
        BEGIN { count = split(names, name, " ") }
        $1 == "name" { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { for (i = 1; i <= count; i++) printf "%s%s", $at[name[i]], i < count ? " " : "\n" }' "$work/answers"
}

# value NAME - from the client's report
value() {
    sed -n "s/^$1 //p" "$work/report"
}

# How many messages each build has handled, as the other side has counted: the client counts those of the server's builds.
count_messages() {
    { sed -n 's/^stamp //p' "$work/report"; "$mrpcctl" -s "$work/server.sock" stamps | sed 1d; } |
        awk '{ count[$1] += $2 } END { for (stamp in count) print (stamp == "-" ? "(linked)" : stamp), count[stamp] }' | sort >"$work/builds"
    for side in client server; do
        for build in $builds; do
            if [ $side = client ]; then
                sed -n "s/^stamp $build //p" "$work/report"
            else
                "$mrpcctl" -s "$work/server.sock" stamps | awk -v build="$build" '$1 == build { print $2 }'
            fi | grep -q '[1-9]' || fail "$name: the $side has received no message of the build $build"
        done
    done
}

check_run() {
    [ "$(value failed)" = 0 ] || fail "$name: $(value failed) calls failed"
    [ "$(value wrong)" = 0 ] || fail "$name: $(value wrong) answers were wrong"
    [ "$(value swaps)" -ge 20 ] || fail "$name: only $(value swaps) swaps were made"
    [ "$(value watched)" -gt 0 ] || fail "$name: the watcher has seen nothing"
}

print_head() {
    printf '%-14s %9s %6s %5s %8s %8s %8s %8s %5s\n' transport calls failed wrong calls/s 'p50 us' 'p99 us' 'p99.9 us' swaps
}

# median_and_longest - of numbers on standard input, as "MEDIAN LONGEST", in thousands
median_and_longest() {
    sort -n | awk '{ value[NR] = $1 } END { printf "%.1f %.1f", value[int((NR + 1) / 2)] / 1000, value[NR] / 1000 }'
}

# print_times WHAT UNIT MEDIAN LONGEST
print_times() {
    printf '    %-66s %6s %s  %8s %s\n' "$1" "$3" "$2" "$4" "$2"
}

print_row() {
    printf '%-14s %9s %6s %5s %8s %8s %8s %8s %5s\n' "$name" "$(value calls)" "$(value failed)" "$(value wrong)" "$(value rate)" \
        "$(value p50_us)" "$(value p99_us)" "$(value p999_us)" "$(value swaps)"
    windows=$(value gap_windows)
    printf '    %-66s %9s  %11s\n' '' median longest
    print_times 'the engine paused for a swap' us $(answers pause_ns | median_and_longest)
    print_times "no call completed, in $windows windows of $(value gap_window_ms) ms around a swap" ms \
        $(value gap_us | cut -d ' ' -f 1 | median_and_longest)
    print_times "no call completed, in $windows windows of the same lengths without one" ms \
        $(value gap_us | cut -d ' ' -f 2 | median_and_longest)
    echo "    messages of each build:" "$(awk '{ printf "%s%s %s", gap, $1, $2; gap = ", " }' "$work/builds")"
}

# run_transport NAME POLLER ADDRESS
run_transport() {
    name=$1
    MRPC_POLLER=$2 # empty: the library's own choice
    export MRPC_POLLER
    rm -f "$work"/*.log "$work"/*.sock "$work/report" "$work/swaps"
    : >"$work/answers"
    MRPC_CONTROL=$work/server.sock MRPC_STAMPS=1 "$top_builddir/examples/kv_server" "$3" >"$work/server.log" 2>&1 &
    server=$!
    if ! wait_for "$work/server.log" 'listening at' "$server"; then
        if [ "$2" = io_uring ] && grep -q 'io_uring: ' "$work/server.log"; then # containers often forbid it
            printf '%-14s cannot be had on this machine: %s\n' "$name" "$(cat "$work/server.log")"
            return
        fi
        fail "$name: the server does not start: $(cat "$work/server.log")"
        return
    fi
    address=$(sed -n 's/^listening at //p' "$work/server.log")
    MRPC_CONTROL=$work/client.sock MRPC_STAMPS=1 "$top_builddir/examples/kv_client" "$address" load --seconds 600 --folder "$data" \
        --swaps "$work/swaps" --report "$work/report" >"$work/client.log" 2>&1 &
    client=$!
    wait_for_socket "$work/client.sock" "$client" || fail "$name: the client has no control socket"
    swap_modules
    answers began_ns installed_ns >"$work/swaps" # the client reads it at its end
    kill "$client" 2>/dev/null
    wait "$client" || fail "$name: $(cat "$work/client.log")"
    client=
    if [ -s "$work/report" ]; then
        count_messages
        check_run
        print_row
    fi
    kill "$server"
    wait "$server" || fail "$name: the server ended with status $?: $(cat "$work/server.log")"
    server=
}

for program in examples/kv_server examples/kv_client tools/mrpcctl tools/mrpc-module upgrade/mrpc-selftest; do
    [ -x "$top_builddir/$program" ] || { fail "$top_builddir/$program is missing: run make first"; exit 1; }
done
build_modules || { fail "the marshal modules could not be built"; exit 1; }
cat <<END
For each transport, $seconds s of load on a key-value server with the files below $data:
every answer is compared, a Watch stream is open throughout, and mrpcctl replaces the marshal modules
of both processes. A window begins with a swap and ends 20 ms behind it; it is compared with one of the
same length half-way to the next swap. Messages are those that the other side received, by the build
that wrote them.

END
print_head
for transport in $transports; do
    case $transport in
    io_uring | epoll) run_transport "tcp ($transport)" "$transport" tcp://127.0.0.1:0 ;;
    shm) run_transport shm '' "shm://mrpc-quickstart-$$" ;;
    rdma://*) run_transport rdma '' "$transport" ;;
    *) fail "there is no transport $transport here" ;;
    esac
done
echo
if [ "$failures" != 0 ]; then
    echo "quickstart: $failures things went wrong" >&2
    exit 1
fi
cat <<END
quickstart: all is well

What next? The smallest service is examples/hello_server.c with examples/hello_client.c; README.md says how
one of your own is made from a .proto. To run it:

    $top_builddir/examples/hello_server tcp://127.0.0.1:5000 &
    $top_builddir/examples/hello_client tcp://127.0.0.1:5000 world

To build your own programs: sudo make -C $top_builddir install && sudo ldconfig
END
