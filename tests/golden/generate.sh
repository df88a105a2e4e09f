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
