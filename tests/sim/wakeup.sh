#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# wakeup.sh - the model of sleeping and waking has no state in which both sides sleep; without its fences it has one
set -eu
command -v spin >/dev/null || { echo "spin is missing; on Debian: apt-get install spin"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# search OPTION... - prints the number of errors
search() {
    spin "$@" -a "$top_srcdir/tests/sim/wakeup.pml" >spin.log
    ${CC:-cc} -O1 -w -DSAFETY -o pan pan.c
    ./pan -m100000 >pan.log
    sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log
}

errors=$(search)
if [ "$errors" != 0 ] || grep -q 'not completed' pan.log; then
    cat pan.log
    exit 1
fi
[ "$(search -DNO_FENCE)" -gt 0 ] || { echo "without fences nothing was found: the model proves nothing"; exit 1; }
