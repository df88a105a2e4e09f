#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check.sh - make check-rdma: runs inside.sh in the virtual machine, and believes only the result that it wrote
#
# Time: see docs/RDMA.md, "Testing"; RDMA_LIMIT (seconds, default 3600) ends it. The result is a file that is removed before: NAME NUMBER
# lines. RDMA_ONLY='NAME...' runs those suites and no others.
#
# Where this machine cannot run it: SKIP with the reason, and status 77; with RDMA_VM_REQUIRED=1 that is an error.
set -u
: "${top_srcdir:?}" "${top_builddir:?}"
results=$top_builddir/rdma/results
export top_srcdir top_builddir results

rm -rf "$results"
mkdir -p "$results" || exit 99
: >"$results/compared"
RDMA_VM_KERNEL=${RDMA_VM_KERNEL:-$top_builddir/rdma/kernel}
[ -d "$RDMA_VM_KERNEL/boot" ] || unset RDMA_VM_KERNEL
[ -z "${RDMA_VM_KERNEL:-}" ] || export RDMA_VM_KERNEL
"$top_srcdir/tests/rdma/vm.sh" -v -t "${RDMA_LIMIT:-3600}" -d "$top_builddir" -- "$top_srcdir/tests/rdma/inside.sh" \
    ${RDMA_ONLY:-} 2>"$results/vm.log"
status=$?
if [ $status = 77 ]; then
    echo "SKIP: check-rdma: $(head -n 1 "$results/vm.log")"
    echo "# SKIP: 1"
    [ "${RDMA_VM_REQUIRED:-0}" != 1 ] || { echo "ERROR: it is required here (RDMA_VM_REQUIRED)"; exit 1; }
    exit 77
fi
cat "$results/vm.log" >&2

# value NAME - of the result; nothing when it is not there
value() {
    sed -n "s/^$1 \([0-9][0-9]*\)$/\1/p" "$results/summary" 2>/dev/null
}
failed=$(value failed)
echo "# PASS: $(value passed)"
echo "# FAIL: ${failed:-1}"
wrong() {
    echo "ERROR: check-rdma: $*"
    exit 1
}
[ $status = 0 ] || wrong "status $status"
[ -n "$failed" ] || wrong "no result was written"
[ "$failed" = 0 ] || wrong "$failed tests failed"
[ "$(value passed)" -gt 0 ] && [ "$(value tests)" = "$(value passed)" ] || wrong "not all of the $(value tests) tests passed"
[ "$(value sent_pkts)" -gt "$(value passed)" ] || wrong "the devices have sent next to nothing: $(value sent_pkts) packets"
[ "$(value receiver_not_ready)" = 0 ] || wrong "$(value receiver_not_ready) messages found no receive buffer"

# The same tests have to run over tcp, which is done here: it takes seconds.
while read -r suite command; do
    echo "$suite: $(cd "$top_builddir" && "$top_srcdir/tests/rdma/names.sh" "$results/$suite.log" tests/run-test $command \
        </dev/null 2>&1 || echo DIFFERENT)"
done <"$results/compared" >"$results/names"
cat "$results/names"
! grep -q DIFFERENT "$results/names" || wrong "not the same tests run over rdma as over tcp"
