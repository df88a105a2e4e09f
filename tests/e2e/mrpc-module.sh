#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# mrpc-module.sh - a module made by mrpc-module exports one symbol and needs only the C library's string functions; inspect says what
# it is; and whatever goes wrong, the reason is printed and an older output stays
set -u
work=$(mktemp -d "${TMPDIR:-/tmp}/mrpc-module-test.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
module=$top_builddir/tools/mrpc-module
protos=$top_srcdir/tests/protos
failures=0
export PROTOC CC

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# build ARGUMENT... - with the headers of this tree; the output stays in $work/said
build() {
    (cd "$work" && TMPDIR=$work "$module" build --cflags "-O1 -Wall -Wextra -Werror -I$top_srcdir/include" "$@") >"$work/said" 2>&1
}

# says TEXT - whether the last build printed it
says() {
    grep -q -- "$1" "$work/said" || { fail "no '$1' in:"; cat "$work/said"; }
}

build --stamp build-7 "$protos/everything.proto" || { cat "$work/said"; fail "build"; }
[ -f "$work/everything.marshal.so" ] || fail "no everything.marshal.so"
[ -z "$(find "$work" -name 'mrpc-module.*')" ] || fail "the temporary folder is still there"

# What the module exports and needs, but for what the linker adds to every shared object (weak, and __cxa_finalize).
defined=$(nm -D --defined-only "$work/everything.marshal.so" | awk '{ print $3 }')
[ "$defined" = mrpc_module_export ] || fail "exported: $defined"
needed=$(nm -D --undefined-only "$work/everything.marshal.so" | awk '$1 == "U" { sub(/@.*/, "", $2); print $2 }')
for symbol in $needed; do
    case $symbol in
    memcpy | memmove | memset | memcmp | __stack_chk_fail) ;;
    *) fail "needs $symbol" ;;
    esac
done
[ -n "$needed" ] || fail "nm says nothing"
writable=$(nm "$work/everything.marshal.so" | awk '$2 ~ /^[bBdDcC]$/ && $3 !~ /^(__|_DYNAMIC|_GLOBAL_|completed|module_|mrpc_module_export|frame_dummy)/ { print $3 }')
[ -z "$writable" ] || fail "it has data: $writable"

"$module" inspect "$work/everything.marshal.so" >"$work/said" 2>&1 || fail "inspect"
says '^kind *marshal$'
says '^file *everything.proto$'
says '^stamp *build-7$'
says '^abi *2$'
says '^schema *[0-9a-f]\{16\}$'
says '^layout *[0-9a-f]\{16\}$'
readelf -n "$work/everything.marshal.so" 2>&1 | grep -q -i 'corrupt' && fail "readelf does not like the note"

# Another build has the same fingerprints and another stamp.
grep '^[sl][ca]' "$work/said" >"$work/first"
build -o other.so --mrpc_opt threshold=64 -I "$protos" "$protos/everything.proto" || fail "build with options"
"$module" inspect "$work/other.so" >"$work/said"
says '^stamp *-$'
grep '^[sl][ca]' "$work/said" | cmp -s - "$work/first" || fail "the fingerprints differ"

# What goes wrong.
cp "$work/other.so" "$work/before.so"
echo 'syntax = "proto3"; message M { int32 x = 0; }' >"$work/bad.proto"
build -o other.so "$work/bad.proto" && fail "a bad schema is built"
says 'bad.proto:1:'
echo 'syntax = "proto3"; message M { int32 x = 1; }' >"$work/good.proto"
build -o other.so --cflags "-fno-such-flag" "$work/good.proto" && fail "a compiler that fails is not noticed"
says 'failed'
build -o no/such/folder.so "$work/good.proto" && fail "a folder that is missing"
(CC=no-such-compiler && export CC && build -o other.so "$work/good.proto") && fail "a compiler that is missing"
says 'CC'
(PROTOC=no-such-protoc && export PROTOC && build -o other.so "$work/good.proto") && fail "a protoc that is missing"
says 'PROTOC'
cmp -s "$work/other.so" "$work/before.so" || fail "the older output has changed"
[ -z "$(find "$work" -name '*.part' -o -name 'mrpc-module.*')" ] || fail "something is left over"
build --stamp 'more than fifteen' "$work/good.proto" && fail "a stamp that is too long"
says 'stamp'
part=$(printf '%0100d' 0)
mkdir -p "$work/$part/$part" && cp "$work/good.proto" "$work/$part/$part/$part.proto" || exit 99
build -I "$work" "$work/$part/$part/$part.proto" && fail "a name that is too long for the note"
says 'characters'
"$module" inspect "$work/good.proto" >"$work/said" 2>&1 && fail "inspect takes a text"
says 'not a module'
"$module" inspect /bin/sh >"$work/said" 2>&1 && fail "inspect takes any program"
"$module" inspect "$work/none.so" >"$work/said" 2>&1 && fail "inspect takes a missing file"
says 'No such file'
[ "$failures" = 0 ]
