#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# verbs.sh - each verb that the RDMA transport calls, and whose failure it can notice, can be made to fail in tests
#
# What the sources in transports/rdma/ call is compared with what tests/unit/failing_verbs.c replaces; a verb that returns nothing
# that could fail (by <infiniband/verbs.h> and <rdma/rdma_cma.h>), or whose result is cast to void, is left out.
set -u
: "${top_srcdir:?}"
export LC_ALL=C
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$top_srcdir" || exit 99

printf '#include <infiniband/verbs.h>\n#include <rdma/rdma_cma.h>\n' | ${CC:-cc} -E -P - 2>/dev/null | tr '\n' ' ' >"$work/headers" ||
    { echo "SKIP: no headers of rdma-core"; exit 77; }
[ -s "$work/headers" ] || { echo "SKIP: no headers of rdma-core"; exit 77; }

# declared NAME - what a verb returns; nothing: it is none
declared() {
    grep -oE "([a-z0-9_]+ ){1,3}[*]*(__)?$1\(" "$work/headers" | head -n 1 | sed -E "s/(__)?$1\(//"
}

# Comments and strings name verbs as well.
cat transports/rdma/*.c | sed -E 's/"([^"\\]|\\.)*"//g; s/\(void\)!?(ibv|rdma)_[a-z_]+\(//g' | sed '/^ *\*/d; /^\/\*/d' |
    grep -oE '\b(ibv|rdma)_[a-z_]+\(' | tr -d '(' | sort | uniq -c |
    while read -r count name; do
        case $(declared "$name") in
        '' | *void\ | *uint32_t\ | *'const char *' | *sockaddr\ \*) ;;
        *) echo "$name $count" ;;
        esac
    done >"$work/called"
[ "$(wc -l <"$work/called")" -ge 20 ] || { echo "FAIL: next to no verbs were found:"; cat "$work/called"; exit 1; }

failures=0
while read -r name count; do
    grep -qE "^VERB\(.*\b_?$name,|IS_DUE\(\"$name\"" tests/unit/failing_verbs.c || {
        echo "FAIL: $name, which transports/rdma/ calls, cannot be made to fail: add it to tests/unit/failing_verbs.c"
        failures=$((failures + 1))
    }
done <"$work/called"
[ "$failures" = 0 ] && echo "$(wc -l <"$work/called") verbs, called at $(awk '{ sum += $2 } END { print sum }' "$work/called") places"
