#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# fingerprint.sh - fingerprints change with what matters to a peer, for all that reaches it, and with nothing else
. "$top_srcdir/tests/golden/generate.sh"

mkdir -p "$work/protos"
cat >"$work/protos/base.proto" <<'PROTO'
syntax = "proto3";
package p;
import "leaf.proto";
message Root {
  int32 a = 1;
  bool b = 2;
  Middle middle = 3;
}
message Middle {
  repeated Leaf leaves = 1;
}
message Apart {
  string text = 1;
}
PROTO
cat >"$work/protos/leaf.proto" <<'PROTO'
syntax = "proto3";
package p;
message Leaf {
  Kind kind = 1;
  repeated int32 numbers = 2;
  oneof choice {
    int32 one = 3;
    int32 two = 4;
  }
  optional int32 maybe = 5;
}
enum Kind {
  NONE = 0;
  SOME = 1;
}
PROTO

# fingerprints OF FOLDER - "schema layout" of message OF
fingerprints() {
    sed -n "/^const mrpc_type p_$1_type/,/^};/s/.*C(\(0x[0-9a-f]*\)), MRPC_LAYOUT(\(0x[0-9a-f]*\)).*/\1 \2/p" \
        "$2"/base.mrpc.c "$2"/leaf.mrpc.c
}

# changes WHAT FILE SED EXPECTED - EXPECTED is, for Root and Apart each, which of "schema layout" becomes another, or "same"
changes() {
    rm -rf "$work/changed"
    cp -r "$work/protos" "$work/changed"
    sed "$3" "$work/protos/$2" >"$work/changed/$2"
    if cmp -s "$work/protos/$2" "$work/changed/$2"; then
        fail "$1: nothing was changed"
        return
    fi
    run_protoc "$work/changed" "$work/after" base.proto leaf.proto || exit 1
    got=
    for type in Root Apart; do
        set -- "$1" "$2" "$3" "$4" $(fingerprints $type "$work/before") $(fingerprints $type "$work/after")
        [ $# = 8 ] || { fail "$1: no fingerprints of $type"; return; }
        [ "$5" = "$7" ] && schema= || schema=schema
        [ "$6" = "$8" ] && layout= || layout=layout
        difference=$schema${layout:+${schema:+-}$layout}
        got="$got ${difference:-same}"
        set -- "$1" "$2" "$3" "$4"
    done
    if [ "$got" = " $4" ]; then
        pass "$1: $4"
    else
        fail "$1:$got, not $4"
    fi
}

run_protoc "$work/protos" "$work/before" base.proto leaf.proto || exit 1
changes 'a comment' base.proto '1i // Something.' 'same same'
changes 'other order of the messages' base.proto '/^message Apart/,$d; 3a message Apart { string text = 1; }' 'same same'
changes 'another message beside it' base.proto '$a message New {}' 'same same'
changes 'a field is added' base.proto 's/bool b = 2;/& bool c = 4;/' 'schema-layout same'
changes 'a field gets another number' base.proto 's/a = 1/a = 7/' 'schema-layout same'
changes 'a field gets another name' base.proto 's/int32 a/int32 z/' 'schema same'
changes 'a field gets another type' base.proto 's/int32 a/sint32 a/' 'schema same'
changes 'fields change places' base.proto 's/int32 a = 1;/int32 x = 8; &/' 'schema-layout same'
changes 'a number becomes wider' base.proto 's/int32 a/int64 a/' 'schema-layout same'
changes 'in an import: a field is added' leaf.proto 's/Kind kind = 1;/& int32 more = 9;/' 'schema-layout same'
changes 'in an import: a value is added' leaf.proto 's/SOME = 1;/& MORE = 2;/' 'schema same'
changes 'in an import: a value gets another number' leaf.proto 's/SOME = 1/SOME = 2/' 'schema same'
changes 'in an import: a list is not packed' leaf.proto 's/numbers = 2/& [packed = false]/' 'schema same'
changes 'in an import: no presence' leaf.proto 's/optional int32 maybe/int32 maybe/' 'schema-layout same'
changes 'in an import: a oneof gets another name' leaf.proto 's/oneof choice/oneof selection/' 'schema same'
changes 'in an import: a field leaves a oneof' leaf.proto 's/int32 two = 4;//; s/^enum/message Unused { int32 two = 4; } &/' 'schema-layout same'

# follows_the_protocol WHAT POSITION - the text on stdin, written by hand from docs/PROTOCOL.md (7), has the hash that the
# table of Middle has at the position
follows_the_protocol() {
    set -- "$1" "$2" "$("$top_builddir/tests/golden/xxh3")" $(fingerprints Middle "$work/before")
    eval "stands=\$$(($2 + 3))"
    if [ "$3" = "$stands" ]; then pass "$1 is as the protocol says"; else fail "$1: $stands, not $3"; fi
}

follows_the_protocol 'the fingerprint of a schema' 1 <<'TEXT'
mrpc-schema 1 p.Middle
message p.Leaf
field 1 kind 14 0
enum p.Kind open
value 0 NONE
value 1 SOME
field 2 numbers 5 3 packed
field 3 one 5 2 choice
field 4 two 5 2 choice
field 5 maybe 5 1
message p.Middle
field 1 leaves 11 3 p.Leaf
TEXT
follows_the_protocol 'the fingerprint of a layout' 2 <<'TEXT'
mrpc-layout 1 little-endian lp64 p.Middle
message p.Leaf 64
field 1 40 0
field 2 16 0
field 3 44 48
field 4 44 48
field 5 52 56
message p.Middle 40
field 1 16 0
TEXT

# The same for proto2, whose rules on what a message may be are part of the schema; defaults are never sent.
cat >"$work/protos/leaf.proto" <<'PROTO'
syntax = "proto2";
package p;
message Leaf {
  optional Kind kind = 1 [default = NONE];
  optional string text = 2;
  optional group Inner = 3 {
    optional int32 number = 1;
  }
}
enum Kind {
  NONE = 0;
  SOME = 1;
}
PROTO
run_protoc "$work/protos" "$work/before" base.proto leaf.proto || exit 1
changes 'a field is required' leaf.proto 's/optional string/required string/' 'schema same'
changes 'a default' leaf.proto 's/default = NONE/default = SOME/' 'same same'
changes 'a group becomes a message' leaf.proto 's/optional group Inner = 3/optional Inner inner = 3; message Inner/' 'schema same'
changes 'proto3 instead, with presence' leaf.proto '1s/2/3/; s/ \[default = NONE\]//; /group/,/}/d' 'schema-layout same'

# Messages that reach the same set of messages are still different types.
[ "$(fingerprints Root "$work/before")" != "$(fingerprints Middle "$work/before")" ] && pass 'types differ' || fail 'types do not differ'
finish
