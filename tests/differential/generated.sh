#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# generated.sh - what protoc-gen-mrpc generates for random schemas does what libprotobuf's and protobuf-c's code does
#
# Code for all of them is generated, compiled into one object, and given to test_generated. protobuf-c takes part where the
# seed is odd, since it cannot have every schema, and in a fixed one. TEST_SEED repeats a run; TEST_SCHEMAS says how many
# random schemas it has, 0 for as many as there is time for.
. "$top_srcdir/tests/golden/generate.sh"
programs_folder=$top_builddir/tests/differential
seed=${TEST_SEED:-$(date +%s)}
schemas=${TEST_SCHEMAS:-3}
warnings='-Wall -Wextra -Wshadow -Wconversion -Wpedantic -Werror'
echo "# seed $seed (again: TEST_SEED=$seed)"

# list_table NAME TYPE EXPRESSION FILE... - an array of the addresses that the expression of sed names, and NULL
list_table() {
    name=$1 type=$2 expression=$3
    shift 3
    sed -n "s/$expression/extern const struct $type \\1;/p" "$@"
    echo "extern const struct $type *const $name[];"
    echo "const struct $type *const $name[] = {"
    sed -n "s/$expression/\\&\\1,/p" "$@"
    echo '0};'
}

# generate - code of mrpc's plugin and protoc's own, and the list of mrpc's files
generate() {
    "$PROTOC" --plugin=protoc-gen-mrpc="$plugin" --mrpc_out=. --cpp_out=. *.proto &&
        list_table all_files mrpc_file '^const mrpc_file \(mrpc_file_[A-Za-z0-9_]*\) = {$' *.mrpc.c >lists.c
}

generate_protobuf_c() {
    "$PROTOC" --c_out=. *.proto &&
        list_table all_protobuf_c ProtobufCMessageDescriptor \
            '^extern const ProtobufCMessageDescriptor \(.*__descriptor\);$' *.pb-c.h >>lists.c
}

# compile - into generated.so; not optimised, since it is compiled for longer than it runs
compile() {
    $CXX -std=c++17 -O0 -fPIC $PROTOBUF_CFLAGS -c *.pb.cc &
    in_cxx=$!
    $CC -std=c11 -O0 -fPIC $warnings -I"$top_srcdir/include" -c *.mrpc.c *.marshal.c &&
        compile_protobuf_c && wait "$in_cxx" && $CXX -shared -o generated.so *.o $PROTOBUF_LIBS $PROTOBUF_C_LIBS
}

# Without trigraphs, which protobuf-c does not avoid.
compile_protobuf_c() {
    for file in lists.c $(outputs_in . '*.pb-c.c'); do
        $CC -std=gnu11 -O0 -fPIC $PROTOBUF_C_CFLAGS -c "$file" || return
    done
}

# compare SEED [protobuf-c] - what is made of the schemas in this folder
compare() {
    generate && { [ $# = 1 ] || generate_protobuf_c; } && compile &&
        "$programs_folder/test_generated" ./generated.so "$@"
}

# in_folder COMMAND... - in an empty folder, and its output into a log
in_folder() {
    rm -rf "$work/schema"
    mkdir "$work/schema" && (cd "$work/schema" && "$@") >"$work/log" 2>&1
}

# judge WHAT COMMAND... - the test of a schema
judge() {
    what=$1
    shift
    if in_folder "$@"; then
        pass "$what:" $(sed -n 's/^# //p' "$work/log")
    else
        cat "$work/log"
        fail "$what"
    fi
}

compare_fixed() {
    cp "$top_srcdir/bench/protos/shop.proto" . && compare "$seed" protobuf-c
}

# compare_random SEED [protobuf-c]
compare_random() {
    "$programs_folder/write_schema" "$1" ${2:+"--for-$2"} && compare "$@"
}

if [ -n "$PROTOBUF_C_LIBS" ] && command -v protoc-gen-c >/dev/null; then
    protobuf_c=protobuf-c
    judge shop.proto compare_fixed
else
    protobuf_c=
    echo '# SKIP: protobuf-c takes no part, since configure did not find it, or there is no protoc-gen-c'
fi
last=$((seed + schemas))
while [ "$failed" = 0 ] && { [ "$schemas" = 0 ] || [ "$seed" -lt "$last" ]; }; do
    with=
    [ $((seed % 2)) = 0 ] || with=$protobuf_c
    judge "schema $seed (again: TEST_SEED=$seed TEST_SCHEMAS=1)" compare_random "$seed" $with
    seed=$((seed + 1))
done
finish
