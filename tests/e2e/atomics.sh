#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# atomics.sh - how many atomic instructions a small call takes in steady state, counted from outside
#
# Each side of 64-byte calls is single-stepped in turn: at most one locked instruction a call, and over shm one fence
# for what is published.
#   --profile  prints instead, for shm and polling, the instructions of a call by function
set -u
build=${top_builddir:-.}
work=$(mktemp -d) || exit 99
server=
finish() { [ -z "$server" ] || kill -9 "$server" 2>/dev/null; rm -rf "$work"; }
trap finish EXIT
failed=0
calls=20
number=$$

expect() { # TEXT VALUE BOUND (of the whole run)
    if (($2 <= $3)); then echo "ok: $1"; else echo "FAILED: $1   [$2, at most $3]"; failed=1; fi
}

# run SIDE ADDRESS: leaves the places of SIDE in $work/places
run() {
    local server_wrapper= client_wrapper= status=1
    case $1 in
    server) server_wrapper="$build/tests/e2e/count_atomics $work/places" ;;
    client) client_wrapper="$build/tests/e2e/count_atomics $work/places" ;;
    esac
    rm -f "$work/places"
    $server_wrapper "$build/tests/e2e/call_costs" server "$2" >"$work/server" 2>&1 &
    server=$!
    for _ in $(seq 50); do
        sleep 0.1
        $client_wrapper "$build/tests/e2e/call_costs" client "$2" 64 $calls >"$work/client" 2>&1
        status=$?
        [ $status = 77 ] && { cat "$work/client"; exit 77; }
        [ $status = 0 ] && break
        kill -0 "$server" 2>/dev/null || break
    done
    if [ $status = 0 ]; then wait "$server" || status=$?; else kill "$server" 2>/dev/null; wait "$server"; fi
    server=
    [ $status = 77 ] && { cat "$work/server"; exit 77; }
    [ $status = 0 ] && [ -s "$work/places" ] ||
        { echo "FAILED: $2, $1 counted: $(cat "$work/client" "$work/server")"; exit 1; }
}

# times KIND... - how often instructions of these kinds ran
times() { awk -v kinds=" $* " 'index(kinds, " " $1 " ") {sum += $2} END {print sum + 0}' "$work/places"; }

# functions KIND...: times a call, object and function, the most frequent first
functions() {
    local object
    awk -v kinds=" $* " 'index(kinds, " " $1 " ") {print $3}' "$work/places" | sort -u | while read -r object; do
        awk -v kinds=" $* " -v object="$object" 'index(kinds, " " $1 " ") && $3 == object {print $2, $4}' \
            "$work/places" >"$work/offsets"
        cut -d' ' -f2 "$work/offsets" | if [ -f "$object" ] && command -v addr2line >/dev/null; then
            xargs addr2line -f -e "$object" | sed -n 'p;n'
        else
            sed 's/.*/?/'
        fi | paste -d' ' "$work/offsets" - | sed "s|^\([0-9]*\) [^ ]*|\1 ${object##*/}|"
    done | awk -v n=$calls '
        {sum[$2 " " $3] += $1}
        END {for (name in sum) printf "    %8.2f %s\n", sum[name] / n, name}' | sort -rn
}

address() {
    number=$((number + 1))
    case $1 in
    tcp) echo "tcp://127.0.0.1:$((20000 + number % 10000))" ;;
    shm) echo "shm://atomics-$number" ;;
    esac
}

if [ "${1:-}" = --profile ]; then
    export CALL_COSTS_SPIN=1
    for side in client server; do
        run $side "$(address shm)"
        echo "shm $side, polling: $(($(times plain rmw fence) / calls)) instructions a call"
        functions plain rmw fence
    done
    exit 0
fi

# within FENCES - whether the places are within the bounds of a run
within() { (($(times rmw) <= calls + 2 && $(times fence) <= $1 * (calls + 2))); }

# A side that does not get the processor when it should goes to sleep, and that only adds to the counts: of some runs
# the first one within the bounds counts.
run_quietly() { # SIDE TRANSPORT FENCES
    for _ in 1 2 3 4 5; do
        run "$1" "$(address "$2")"
        within "$3" && return
    done
}

# How many fences a call: over shm one for what is published and, when it sleeps, one for that. A side that is counted
# is a thousand times slower than the other, and may wait more than once for an answer.
for case in "tcp sleeping 0" "shm polling 1" "shm sleeping 3"; do
    read -r transport how fences <<<"$case"
    [ $how = polling ] && export CALL_COSTS_SPIN=1 || export CALL_COSTS_SPIN=0
    for side in client server; do
        run_quietly $side $transport "$fences"
        what="$transport $side, $how"
        echo "$what: $(times rmw) atomic instructions and $(times fence) fences in $calls calls"
        functions rmw fence
        expect "$what: at most one atomic instruction a call" "$(times rmw)" $((calls + 2))
        expect "$what: at most $fences fences a call" "$(times fence)" $((fences * (calls + 2)))
    done
done
exit $failed
