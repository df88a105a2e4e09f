#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# names.sh - whether the tests that ran over RDMA are those that run over tcp
#
#     names.sh OVER-RDMA.log COMMAND [ARGUMENT...]
#
# COMMAND runs the same tests over tcp, here and now; both outputs are TAP, from which the names are taken. "NAME [SETUP]"
# is a test of a program that runs all its tests in each of several setups: each one over RDMA has to have all names that
# there are over tcp, and no others. A test that was skipped has not run. Prints how many there are, or the difference.
set -u
log=$1
shift
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

# executed - NAME or NAME [SETUP] of each test in the TAP on stdin
executed() {
    sed -nE 's/^(not )?ok [0-9]+ - (.*)$/\2/p' | grep -v '# SKIP'
}
plain() {
    sed 's/ \[[^]]*\]$//'
}

CMOCKA_MESSAGE_OUTPUT=TAP "$@" >"$work/tcp.log" 2>&1 || {
    echo "names.sh: status $? of $*"
    tail -n 20 "$work/tcp.log"
    exit 1
}
executed <"$work/tcp.log" | plain | sort -u >"$work/tcp"
executed <"$log" >"$work/rdma.all"
[ -s "$work/tcp" ] && [ -s "$work/rdma.all" ] || {
    echo "names.sh: no test has run: $(wc -l <"$work/tcp") over tcp, $(wc -l <"$work/rdma.all") over rdma"
    exit 1
}

sed -nE 's/^.* \[([^]]*)\]$/\1/p' "$work/rdma.all" | sort -u >"$work/setups"
[ -s "$work/setups" ] || echo >"$work/setups"
count=0
while read -r setup; do
    if [ -n "$setup" ]; then
        grep -F " [$setup]" "$work/rdma.all" | plain | sort -u >"$work/rdma"
    else
        sort -u "$work/rdma.all" >"$work/rdma"
    fi
    cmp -s "$work/tcp" "$work/rdma" || {
        echo "names.sh: not the same tests ran over tcp (<) and over rdma (>)${setup:+, setup $setup}:"
        diff "$work/tcp" "$work/rdma"
        exit 1
    }
    count=$((count + 1))
done <"$work/setups"
echo "$(wc -l <"$work/tcp") tests over tcp and over rdma, by name, in $count setups there"
