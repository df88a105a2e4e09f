#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# real.sh - public schemas of other projects generate code that compiles; skipped where they are not there
#
# They are looked for in $MRPC_REAL_PROTOS or ../shared/protos beside the source tree. The well-known types come from
# protoc's own folder. Options that need schemas which are not there are taken out of a copy, and the one type that is not
# there gets a stand-in; a file that needs others is named and passed over.
. "$top_srcdir/tests/golden/generate.sh"
real=${MRPC_REAL_PROTOS:-$top_srcdir/../shared/protos}
if [ ! -d "$real" ]; then
    echo "SKIP: no schemas in $real"
    exit 77
fi
warnings='-Wall -Wextra -Wshadow -Wconversion -Wpedantic -Werror'

# Each folder with what its imports are relative to.
roots='conformance deathstarbench . opentelemetry'
skipped=0

# prepared FILE - the file without options of google.api and of the OpenAPI generator, and with one name for each import
prepared() {
    awk '/^import "rpc.proto"/ { sub("rpc.proto", "etcd/api/etcdserverpb/rpc.proto") }
         /^import "google\/api\/annotations.proto"|^import "protoc-gen-openapiv2\// { next }
         /^ *option \((google\.api|grpc\.gateway)\./ { inside = 1 }
         !inside { print }
         inside && /};? *$/ && /^ *};/ { inside = 0 }
         inside && /^ *option .*;$/ { inside = 0 }' "$1"
}

copy_schemas() {
    (cd "$real" && find . -name '*.proto') | while read -r file; do
        mkdir -p "$work/protos/$(dirname "$file")"
        prepared "$real/$file" >"$work/protos/$file"
    done
}

# generate ROOT FILE
generate() {
    if run_protoc "$work/protos/$1" "$work/out" -I"$work/protos" "$2" >"$work/said" 2>&1; then
        pass "$2 is generated"
        return
    fi
    missing=$(sed -n 's/^\(.*\): File not found\.$/\1/p' "$work/said")
    if [ -n "$missing" ]; then
        echo "SKIP: $2 imports $missing, which is not there"
        skipped=$((skipped + 1))
    else
        cat "$work/said"
        fail "$2 is refused"
    fi
}

copy_schemas
mkdir -p "$work/protos/grpc/core" && cat >"$work/protos/grpc/core/stats.proto" <<'PROTO'
syntax = "proto3";
package grpc.core;
message Stats {
  repeated double values = 1;
}
PROTO
for root in $roots; do
    for file in $(cd "$work/protos/$root" && find . -name '*.proto' | sed 's|^\./||' | LC_ALL=C sort); do
        case $root/$file in
        ./etcd/* | ./grpc/* | [!.]*) ;;
        *) continue ;;
        esac
        generate "$root" "$file"
    done
done
for type in any api descriptor duration empty field_mask source_context struct timestamp type wrappers compiler/plugin; do
    generate . "google/protobuf/$type.proto"
done

for file in $(outputs_in "$work/out"); do
    case $file in
    *.c)
        if $CC -std=c11 $warnings -I"$top_srcdir/include" -I"$work/out" -fsyntax-only "$work/out/$file" >"$work/log" 2>&1; then
            pass "$file"
        else
            head -n 20 "$work/log"
            fail "$file"
        fi
        ;;
    *.h) echo "#include \"$file\"" >>"$work/all.cc" ;;
    esac
done
if $CXX -std=c++17 $warnings -I"$top_srcdir/include" -I"$work/out" -fsyntax-only "$work/all.cc" >"$work/log" 2>&1; then
    pass 'all headers in one C++ file'
else
    head -n 20 "$work/log"
    fail 'all headers in one C++ file'
fi
round_trip "$work/out"
echo "# SKIP: $skipped"
finish
