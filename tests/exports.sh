#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# exports.sh - libmrpc.so exports what the public headers declare and no more, and links with little
set -u
library=$top_builddir/.libs/libmrpc.so
[ -e "$library" ] || { echo "SKIP: configured with --disable-shared"; exit 77; }
failures=0
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# The tables of the well-known types are for generated code.
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    grep -v -e '^google_protobuf_[A-Za-z0-9_]*_\(type\|enum\)$' -e '^mrpc_\(file\|module\)_google_2fprotobuf_2f' | sort)
[ -n "$exported" ] || fail "nothing is exported"
# What the headers declare: each declaration on a line of its own, and of those that are for export the function's name
known=$([ -d "$top_builddir/gen/google" ] || echo 'descriptor.h|well_known.h') # without protoc they are not there
declared=$(cd "$top_srcdir/include" && find mrpc -name '*.h' | grep -v -E "/(${known:-none})\$" | sed 's/.*/#include <&>/' |
    $CC -E -P -I. -I"$top_builddir/gen" -x c - |
    tr '\n' ' ' | tr ';{}' '\n\n\n' |
    awk '/visibility\("default"\)/ && match($0, /mrpc_[a-z0-9_]* *\(/) { print substr($0, RSTART, RLENGTH - 1) }' | sort -u)
[ -n "$declared" ] || fail "nothing is declared"
[ -d "$top_builddir/gen/google" ] || declared=$(echo "$declared" | grep -v '^mrpc_schema_') # see reflect.h

only_in() {
    echo "$1" >"$work/these" && echo "$2" >"$work/those" && comm -23 "$work/these" "$work/those"
}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
for symbol in $(only_in "$exported" "$declared"); do
    fail "$symbol is exported, and no public header declares it"
done
for symbol in $(only_in "$declared" "$exported"); do
    fail "$symbol is declared in a public header and not exported"
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
