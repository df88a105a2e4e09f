#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# rdma.sh - make bench-rdma: calls over rdma:// beside perftest's loops, as ratios, in the virtual machine of make check-rdma
#
# A call of 64 bytes is compared with twice what ib_send_lat takes one way, and the goodput of 1 MiB requests with that of
# ib_send_bw; both sides of all of them poll. Programs take turns in each of ROUNDS (default 5) rounds; what counts is the
# median of the rounds' ratios, since the emulated processor's times mean nothing by themselves.
set -u
rounds=${ROUNDS:-5}
cd "${top_builddir:?}" || exit 1
for tool in ib_send_lat ib_send_bw; do
    command -v $tool >/dev/null || { echo "bench-rdma: no $tool (package perftest)" >&2; exit 1; }
done
work=$(mktemp -d) || exit 1
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

# perftest COLUMN PROGRAM ARGUMENT... - between both devices; GID 1 is the IPv4 address
perftest() {
    column=$1
    shift
    "$@" -d rxe0 -x 1 >"$work/server" 2>&1 &
    server=$!
    for _ in {1..50}; do
        ss -ltn | grep -q :18515 && break
        sleep 0.1
    done
    "$@" -d rxe1 -x 1 10.99.0.1 2>&1 | awk -v column="$column" '$1 ~ /^[0-9]+$/ && NF >= column { print $column }' | tail -n 1
    wait "$server"
    server=
}

# calls FIELD ARGUMENT... - a figure of bench/mrpc_peer
port=7000
calls() {
    field=$1
    port=$((port + 1))
    shift
    bench/mrpc_peer server rdma://10.99.0.1:$port --spin "$@" >"$work/server" 2>&1 &
    server=$!
    sleep 1
    bench/mrpc_peer client rdma://10.99.0.1:$port --spin --seconds 4 "$@" | sed "s/.*$field=\([0-9.]*\).*/\1/"
    kill "$server"
    wait "$server" 2>/dev/null
    server=
}

median() {
    sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}

echo "round  ib_send_lat x 2, us  call of 64 B, us  ratio   ib_send_bw, MiB/s  1 MiB requests, MiB/s  ratio"
for round in $(seq "$rounds"); do
    raw=$(perftest 5 ib_send_lat -s 64 -n 2000)
    call=$(calls p50_us --size 62)
    stream=$(perftest 4 ib_send_bw -s 1048576 -n 100)
    rate=$(calls rate --size 1048576 --inflight 4 --sink)
    awk -v round="$round" -v raw="$raw" -v call="$call" -v stream="$stream" -v rate="$rate" -v work="$work" 'BEGIN {
        printf "%5d  %19.1f  %16.1f  %5.2f  %18.1f  %21.1f  %5.2f\n", round, 2 * raw, call, call / (2 * raw), stream, rate, rate / stream
        print call / (2 * raw) >work "/latency"; print rate / stream >work "/goodput" }'
    cat "$work/latency" >>"$work/latencies"
    cat "$work/goodput" >>"$work/goodputs"
done
echo "medians: latency $(median <"$work/latencies") of twice ib_send_lat (aim: under 1.5), goodput $(median <"$work/goodputs") of ib_send_bw (aim: 0.9)"
