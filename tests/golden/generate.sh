# SPDX-License-Identifier: BSD-2-Clause
# generate.sh - sourced by the tests here: how the golden schemas are compiled
#
# Needs top_srcdir, top_builddir and PROTOC in the environment.
set -u
golden=$top_srcdir/tests/golden
plugin=$top_builddir/protoc-gen-mrpc/protoc-gen-mrpc
work=$(mktemp -d "${TMPDIR:-/tmp}/mrpc-golden.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0

pass() {
    echo "PASS: $*"
    passed=$((passed + 1))
}
fail() {
    echo "FAIL: $*"
    failed=$((failed + 1))
}
finish() {
    echo "# PASS: $passed"
    echo "# FAIL: $failed"
    [ "$failed" = 0 ] && [ "$passed" != 0 ]
    exit
}

# run_protoc FOLDER OUT ARGUMENT... - protoc with the plugin on schemas of FOLDER
run_protoc() {
    folder=$1 out=$2
    shift 2
    mkdir -p "$out" && (cd "$folder" && "$PROTOC" --plugin=protoc-gen-mrpc="$plugin" -I. --mrpc_out="$out" "$@")
}

golden_schemas() {
    (cd "$golden/protos" && find . -name '*.proto' | sed 's|^\./||' | LC_ALL=C sort)
}

# generate_golden OUT - all golden schemas in one run
generate_golden() {
    run_protoc "$golden/protos" "$1" --mrpc_opt=prefix=golden.a.rather.long_package.v1:gs $(golden_schemas)
}

# outputs_in FOLDER [PATTERN] - the generated files, or those of a kind
outputs_in() {
    (cd "$1" && find . -name "${2:-*.[ch]}" | sed 's|^\./||' | LC_ALL=C sort)
}

# round_trip FOLDER - all generated code in the folder, messages of each type in both encodings
round_trip() {
    {
        sed -n 's/^const mrpc_file \(mrpc_file_[A-Za-z0-9_]*\) = {$/extern const struct mrpc_file \1;/p' $(list_sources "$1")
        echo 'extern const struct mrpc_file *const all_files[];'
        echo 'const struct mrpc_file *const all_files[] = {'
        sed -n 's/^const mrpc_file \(mrpc_file_[A-Za-z0-9_]*\) = {$/&\1,/p' $(list_sources "$1") | sed 's/.*{/\&/'
        echo '0};'
    } >"$work/all_files.c"
    if $CC -std=c11 -O0 -fPIC -shared -I"$top_srcdir/include" -I"$1" -o "$work/all.so" "$work/all_files.c" \
        $(list_sources "$1") >"$work/log" 2>&1 && "$top_builddir/tests/golden/round_trip" "$work/all.so" >>"$work/log" 2>&1; then
        pass "random messages of$(sed -n 's/^\([0-9]* types\)$/ \1/p' "$work/log")"
    else
        tail -n 30 "$work/log"
        fail 'random messages'
    fi
}

# list_sources FOLDER - the paths of all generated C files; no name has a blank
list_sources() {
    find "$1" -name '*.c'
}
