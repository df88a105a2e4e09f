#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# call_costs.sh - what a call costs in steady state, counted by the library and from outside
#
# 64-byte calls over tcp and shm: no allocation, no pthread lock, at most one copy of the message on each side, and as many system
# calls as the library says (counted by strace). 1 MiB over tcp: no copy in user space on the sending side. Runs in the build folder.
set -u
build=${top_builddir:-.}
work=$(mktemp -d) || exit 99
server=
finish() { [ -z "$server" ] || kill -9 "$server" 2>/dev/null; rm -rf "$work"; }
trap finish EXIT
failed=0

expect() { # TEXT CONDITION (an arithmetic one)
    if (($2)); then echo "ok: $1"; else echo "FAILED: $1   [$2]"; failed=1; fi
}

# value SIDE NAME
value() { sed -n "s/^$1 \(.* \)*$2=\([0-9]*\).*/\2/p" "$work/client" "$work/server" | head -n 1; }

# run ADDRESS SIZE CALLS [WRAPPER…]: leaves the lines of both sides in $work
run() {
    local address=$1 size=$2 calls=$3
    shift 3
    LD_PRELOAD=$preload "$build/tests/e2e/call_costs" server "$address" >"$work/server" 2>"$work/server.err" &
    server=$!
    for _ in $(seq 50); do
        sleep 0.1
        "$@" env LD_PRELOAD="$preload" "$build/tests/e2e/call_costs" client "$address" "$size" "$calls" \
            >"$work/client" 2>"$work/client.err" && break
        kill -0 "$server" 2>/dev/null || break
    done
    wait "$server"
    server=
    grep -q '^client ' "$work/client" && grep -q '^server ' "$work/server" ||
        { echo "FAILED: $address: $(cat "$work/client.err" "$work/server.err")"; exit 1; }
}

preload=$(realpath "$build/tests/e2e/.libs/interpose.so") || exit 99
calls=10000
number=$$
for transport in tcp shm; do
    number=$((number + 1))
    case $transport in
    tcp) address=tcp://127.0.0.1:$((20000 + number % 10000)) ;;
    shm) address=shm://call-costs-$number ;;
    esac
    run "$address" 64 $calls
    for side in client server; do
        echo "$transport $side, per call: $(awk -v n=$calls -v side=$side '$1 == side {for (i = 2; i <= NF; i++) {split($i, p, "="); if (p[2] > 0) printf "%s %.3f  ", p[1], p[2] / n}}' "$work/client" "$work/server")"
        expect "$transport $side: interposed" "$(value $side interposed) == 1"
        expect "$transport $side: the counting from outside works" "$(value $side outside_allocations_ever) > 0"
        expect "$transport $side: no allocation" "$(value $side outside_allocations) == 0"
        expect "$transport $side: the library's own counter agrees" "$(value $side allocations) == 0"
        expect "$transport $side: no pthread lock" "$(value $side outside_locks) == 0"
        # A message of 64 bytes is a block of 96: the struct of 32 and the bytes.
        expect "$transport $side: at most one copy on the way out" "$(value $side bytes_copied_out) <= 96 * ($calls + 2)"
        expect "$transport $side: at most one copy on the way in" "$(value $side bytes_copied_in) <= 96 * ($calls + 2)"
        expect "$transport $side: messages were counted" "$(value $side messages_sent) >= $calls"
    done
done

if command -v strace >/dev/null; then
    number=$((number + 1))
    run "tcp://127.0.0.1:$((20000 + number % 10000))" 64 $calls strace -f -qq -o "$work/trace" -e trace=sendto,sendmsg,recvfrom,recvmsg,io_uring_enter,epoll_wait,epoll_pwait,epoll_pwait2
    traced=$(grep -c '(' "$work/trace")
    own=$(($(value client system_calls_send) + $(value client system_calls_receive) + $(value client system_calls_wait)))
    echo "tcp client under strace: $(awk -v n=$calls -v t="$traced" -v o=$own 'BEGIN {printf "%.3f system calls per call from outside, with those of the warm-up; %.3f by the library", t / n, o / n}')"
    # The trace has the 2,000 calls of the warm-up and the connection too.
    expect "the library's counts agree with strace" "$traced >= $own && $traced * $calls <= $own * ($calls + 2000) * 105 / 100 + 200 * $calls"
else
    echo "skipped: no strace here to count system calls with"
fi

number=$((number + 1))
run "tcp://127.0.0.1:$((20000 + number % 10000))" 1048576 100
expect "1 MiB over tcp: no large copy on the sending side" "$(value client outside_large_copies) == 0"
expect "1 MiB over tcp: the library's own counter agrees" "$(value client bytes_copied_out) < 100 * 4096"
expect "1 MiB over tcp: sent from where it lies" "$(value client bytes_referenced) >= 100 * 1048576"
exit $failed
