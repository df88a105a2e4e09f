#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# compare.sh - one call at a time and 128 in flight: mrpc, gRPC C++, and plain loops, interleaved, as ratios
#
#   compare.sh [--rounds N] [--seconds S] [--out FILE]
#
# Every round runs each system once for each case, so that the machine's moods hit all alike; the table shows medians over the
# rounds. Run as root it works in a network namespace of its own whose congestion control is reno, since a pacing one (bbr) spoils
# loopback figures. Must be run in the build folder, or with BUILD set to it. FILE gets one line for each case and system, for plot.sh.
set -u

rounds=5 seconds=1 out=
while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    *) sed -n 4,10p "$0"; exit 2 ;;
    esac
done
build=${BUILD:-.}
[ -x "$build/bench/raw_tcp" ] || { echo "compare.sh: no $build/bench/raw_tcp: run 'make bench' first, or set BUILD" >&2; exit 2; }

if [ "$(id -u)" = 0 ] && [ -z "${MRPC_BENCH_NAMESPACE:-}" ] && unshare -n true 2>/dev/null && command -v ip >/dev/null; then
    export MRPC_BENCH_NAMESPACE=1
    exec unshare -n -- "$0" --rounds "$rounds" --seconds "$seconds" ${out:+--out "$out"}
fi
if [ -n "${MRPC_BENCH_NAMESPACE:-}" ]; then
    ip link set lo up
    echo reno >/proc/sys/net/ipv4/tcp_congestion_control
fi

work=$(mktemp -d) || exit 1
server=
finish() { [ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work" /dev/shm/mrpc-bench-$$-*; }
trap finish EXIT

# address SYSTEM: of the current port, which is another one for each run
port=21000
address() {
    case $1 in
    raw_tcp) echo $port ;;
    raw_shm) echo /mrpc-bench-$$-$port ;;
    mrpc_shm) echo shm://bench-$$-$port ;;
    mrpc_*) echo tcp://127.0.0.1:$port ;;
    grpc) echo 127.0.0.1:$port ;;
    esac
}

program() {
    case $1 in
    mrpc_epoll) echo "env MRPC_POLLER=epoll $build/bench/mrpc_peer" ;;
    mrpc_*) echo "$build/bench/mrpc_peer" ;;
    grpc) echo "$build/bench/grpc_peer" ;;
    *) echo "$build/bench/$1" ;;
    esac
}

# run SYSTEM PLACEMENT INFLIGHT: appends the client's line to the case's file
run() {
    local at server_flags= client_flags=
    port=$((port + 1))
    at=$(address "$1")
    case $2 in
    spinning) server_flags="--spin --cpu 1" client_flags="--spin --cpu 0" ;;
    one-core) server_flags="--cpu 0" client_flags="--cpu 0" ;;
    esac
    $(program "$1") server "$at" $server_flags >/dev/null 2>"$work/server" &
    server=$!
    sleep 0.3
    timeout -k 1 $((${seconds%.*} + 20)) $(program "$1") client "$at" $client_flags --inflight "$3" --seconds "$seconds" \
        >"$work/line" 2>"$work/error" && grep -q '^rate=' "$work/line" && cat "$work/line" >>"$work/$2.$3.$1" ||
        { echo "compare.sh: $1 $2 $3 failed: $(head -c 300 "$work/error" "$work/server")" >&2; }
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    server=
}

# median FILE KEY
median() {
    [ -s "$1" ] || { echo -; return; }
    sed "s/.*$2=\([0-9.]*\).*/\1/" "$1" | sort -g | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

# speed FILE RAW INFLIGHT - as a part of the plain loop's: by the median latency of one call at a time (a stray pause of the machine
# spoils the rate of such a run, not its median), by the rate of many
speed() {
    if [ "$3" = 1 ]; then
        awk -v a="$(median "$2" p50_us)" -v b="$(median "$1" p50_us)" 'BEGIN {if (a == "-" || b + 0 == 0) print "-"; else printf "%.3f", a / b}'
    else
        awk -v a="$(median "$1" rate)" -v b="$(median "$2" rate)" 'BEGIN {if (a == "-" || b + 0 == 0) print "-"; else printf "%.3f", a / b}'
    fi
}

systems="${SYSTEMS:-raw_tcp mrpc_tcp mrpc_epoll raw_shm mrpc_shm}"
[ -x "$build/bench/grpc_peer" ] && systems="$systems grpc" || echo "(no gRPC C++ here: its rows are missing)"
placements="spinning one-core free"
[ "$(nproc)" -ge 2 ] || placements="one-core free"

for ((round = 1; round <= rounds; round++)); do
    for placement in $placements; do
        for inflight in 1 128; do
            for system in $systems; do
                # Two spinning sides on one core, or a spinning reference where the others sleep, would say nothing.
                run "$system" "$placement" "$inflight"
            done
        done
    done
done

echo "speed, x raw: of the plain loop over the same medium; by median latency for one call at a time, by rate for 128."
echo "64-byte message each way, separate processes, medians of $rounds rounds of $seconds s; congestion control $(cat /proc/sys/net/ipv4/tcp_congestion_control); $(uname -sr), $(nproc) cores"
[ -z "$out" ] || : >"$out"
for placement in $placements; do
    for inflight in 1 128; do
        printf '\n%-10s %3d in flight %12s %9s %9s %10s %12s\n' "$placement" "$inflight" "calls/s" "p50 µs" "p99 µs" "client CPU" "speed, x raw"
        for system in $systems; do
            file=$work/$placement.$inflight.$system
            raw=$work/$placement.$inflight.raw_tcp
            case $system in *shm) raw=$work/$placement.$inflight.raw_shm ;; esac
            rate=$(median "$file" rate)
            ratio=$(speed "$file" "$raw" "$inflight")
            printf '  %-22s %12s %9s %9s %10s %12s\n' "$system" "$rate" "$(median "$file" p50_us)" "$(median "$file" p99_us)" "$(median "$file" cpu_us)" "$ratio"
            [ -z "$out" ] || echo "$placement $inflight $system $rate $(median "$file" p50_us) $(median "$file" p99_us) $ratio" >>"$out"
        done
    done
done
