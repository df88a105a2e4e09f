#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# bad.sh - each schema in tests/golden/bad is refused at the exact place, and nothing is written
#
# NAME.expected has the lines that protoc prints. One that ends in a colon stands for any that begins so: the text behind
# it is protoc's own. What libprotobuf only warns of is not compared.
. "$top_srcdir/tests/golden/generate.sh"

# same_lines EXPECTED ACTUAL
same_lines() {
    awk -v actual="$2" '
        { if ((getline line < actual) <= 0) { print "missing: " $0; bad = 1; next } }
        line == $0 || (/:$/ && index(line, $0) == 1) { next }
        { print "expected: " $0; print "got:      " line; bad = 1 }
        END { while ((getline line < actual) > 0) { print "more:     " line; bad = 1 }; exit bad }' "$1"
}

for schema in "$golden"/bad/*.proto; do
    name=$(basename "$schema" .proto)
    if run_protoc "$golden/bad" "$work/out" "$name.proto" >"$work/all" 2>&1; then
        fail "$name: was accepted"
        continue
    fi
    grep -v -e '^\[libprotobuf WARNING' -e ': warning: ' "$work/all" >"$work/said"
    if [ -n "$(find "$work/out" -type f)" ]; then
        fail "$name: files were written"
        rm -rf "$work/out"
    elif same_lines "$golden/bad/$name.expected" "$work/said"; then
        pass "$name"
    else
        fail "$name"
    fi
done

# A name that would end a comment or an #include too early.
mkdir -p "$work/odd/a*" && printf 'syntax = "proto3";\nmessage M {}\n' >"$work/odd/a*/b.proto" &&
    printf 'syntax = "proto3";\n\n  import "a*/b.proto";\nmessage N {\n  M m = 1;\n}\n' >"$work/odd/c.proto"
if run_protoc "$work/odd" "$work/out" 'a*/b.proto' c.proto >"$work/said" 2>&1; then
    fail 'odd names of files were accepted'
elif grep -q '^a\*/b.proto:1:1: error: the file.s name has' "$work/said" &&
    grep -q '^c.proto:3:3: error: the name of this import has' "$work/said"; then
    pass 'odd names of files'
else
    cat "$work/said"
    fail 'odd names of files'
fi
finish
