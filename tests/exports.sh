#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# exports.sh - libmrpc.so exports functions of the public headers only, and links with little
set -u
library=$top_builddir/.libs/libmrpc.so
[ -e "$library" ] || { echo "SKIP: configured with --disable-shared"; exit 77; }
failures=0
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)
[ -n "$exported" ] || fail "nothing is exported"
for symbol in $exported; do
    case $symbol in
    mrpc_*) ;;
    *) fail "$symbol is exported and has not the prefix mrpc_" ;;
    esac
    grep -rqw "$symbol" "$top_srcdir/include/mrpc" || fail "$symbol is exported but in no public header"
done

needed=$(objdump -p "$library" | awk '$1 == "NEEDED" { print $2 }')
for name in $needed; do
    case $name in
    libc.so.* | ld-linux*.so.* | libdl.so.* | libm.so.* | libpthread.so.* | librt.so.* | liburing.so.*) ;;
    libasan.so.* | libubsan.so.* | libtsan.so.*) ;; # in a sanitizer build only
    *) fail "libmrpc.so links with $name" ;;
    esac
done
[ "$failures" = 0 ]
