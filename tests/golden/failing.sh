#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# failing.sh - each allocation of the plugin fails in turn: protoc is told, and no half a file is left
. "$top_srcdir/tests/golden/generate.sh"
plugin=$top_builddir/tests/golden/failing_plugin
schemas='services.proto dep/public.proto dep/options.proto'
MRPC_FAIL_LOG=$work/log
export MRPC_FAIL_LOG

number=0
while [ $number -lt 2000 ]; do
    number=$((number + 1))
    rm -rf "$work/log" "$work/out"
    MRPC_FAIL_AT=$number run_protoc "$golden/protos" "$work/out" --mrpc_opt=prefix=a.b:c $schemas >"$work/said" 2>&1
    status=$?
    [ -f "$work/log" ] || break
    if [ $status = 0 ] || [ "$(cat "$work/said")" != '--mrpc_out: out of memory' ] || [ -n "$(find "$work/out" -type f)" ]; then
        cat "$work/said"
        fail "allocation $number: status $status"
    fi
done
if [ $status = 0 ] && [ $number -gt 20 ] && [ -f "$work/out/services.mrpc.h" ]; then
    pass "all $((number - 1)) allocations failed in turn, and without a failure it works"
else
    fail "ended at allocation $number with status $status"
fi

# A bad schema is still an error, whatever else goes wrong.
for number in 1 2 3 4 5 6 7 8 9 10; do
    MRPC_FAIL_AT=$number run_protoc "$golden/bad" "$work/out" collide_nested.proto >/dev/null 2>&1 &&
        fail "a bad schema was accepted when allocation $number failed"
done
finish
