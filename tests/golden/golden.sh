#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# golden.sh - generated code is what tests/golden/expected says, to the byte; `make golden-update` writes it anew
#
# With --update the files are replaced instead of compared.
. "$top_srcdir/tests/golden/generate.sh"
expected=$golden/expected

# frozen_in FOLDER - what is frozen: headers and tables, and a few marshal modules, which are long
frozen_in() {
    outputs_in "$1" | grep -E '\.mrpc\.[ch]$|^(empty|extensions|imports|oneofs|short)\.marshal\.c$'
}

generate_golden "$work/out" || exit 1
if [ "${1:-}" = --update ]; then
    rm -rf "$expected" && mkdir "$expected" || exit 1
    for file in $(frozen_in "$work/out"); do
        mkdir -p "$(dirname "$expected/$file")" && cp "$work/out/$file" "$expected/$file" || exit 1
    done
    (cd "$top_srcdir" && git status --short tests/golden/expected 2>/dev/null)
    exit 0
fi

frozen_in "$work/out" >"$work/made"
frozen_in "$expected" >"$work/wanted"
if diff -u "$work/wanted" "$work/made"; then
    pass "the same files"
else
    fail "the files differ"
fi
for file in $(cat "$work/wanted"); do
    if [ -f "$work/out/$file" ] && diff -u "$expected/$file" "$work/out/$file" >"$work/diff"; then
        pass "$file"
    else
        head -n 40 "$work/diff"
        fail "$file (when the change is wanted: make golden-update)"
    fi
done

# The same again from another working folder, in another order and in several runs.
if (mkdir "$work/again" && cd "$work" &&
    "$PROTOC" --plugin=protoc-gen-mrpc="$plugin" -I"$golden/protos" --mrpc_out=again \
        --mrpc_opt=prefix=golden.a.rather.long_package.v1:gs $(golden_schemas | LC_ALL=C sort -r)) &&
    diff -r "$work/out" "$work/again"; then
    pass "folder and order do not matter"
else
    fail "folder or order matter"
fi
for file in $(golden_schemas); do
    run_protoc "$golden/protos" "$work/single" --mrpc_opt=prefix=golden.a.rather.long_package.v1:gs "$file" || fail "$file alone"
done
if diff -r "$work/out" "$work/single"; then
    pass "each file is the same in a run of its own"
else
    fail "a run of several files makes other code"
fi
finish
