#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# large.sh - what is generated grows with the schema, not with how its messages refer to each other, and has a bound
. "$top_srcdir/tests/golden/generate.sh"
mkdir "$work/protos" || exit 99

# write NAME AWK - a schema that an awk program prints
write() {
    { echo 'syntax = "proto3"; package p;' && awk "BEGIN { $2 }"; } >"$work/protos/$1.proto"
}

# bytes_of NAME - of the marshal module of a schema
bytes_of() {
    run_protoc "$work/protos" "$work/out" "$1.proto" && wc -c <"$work/out/$1.marshal.c"
}

# at_most WHAT LIMIT BYTES
at_most() {
    if [ "${3:-0}" -gt 0 ] && [ "$3" -le "$2" ]; then
        pass "$1: $3 bytes"
    else
        fail "$1: $3 bytes, more than $2"
    fi
}

fields='string a = 1; repeated int32 b = 2; map<string, double> c = 3; optional int64 d = 4; bytes e = 5;'
write apart "for (i = 0; i < 400; i++) print \"message M\" i \" { $fields }\""
write cycles "for (i = 0; i < 400; i++) print \"message M\" i \" { $fields M\" (i + 1) % 400 \" f = 6; repeated M\" (i * 7) % 400 \" g = 7; }\""
apart=$(bytes_of apart)
at_most 'messages that reach each other' $((2 * apart)) "$(bytes_of cycles)"

write wide 'print "message W {"; for (i = 1; i <= 1000; i++) print "string f" i " = " i ";"; print "}"'
write parents 'print "message W {"; for (i = 1; i <= 1000; i++) print "string f" i " = " i ";"; print "}"
    for (i = 0; i < 300; i++) print "message P" i " { W a = 1; repeated W b = 2; }"'
wide=$(bytes_of wide)
at_most 'a large message in many others' $((wide + 300 * 25000)) "$(bytes_of parents)"

write many 'for (i = 0; i <= 65536; i++) print "message M" i " {}"'
if run_protoc "$work/protos" "$work/out" many.proto >"$work/said" 2>&1; then
    fail 'more messages than a module can have were accepted'
elif grep -q '^many.proto:1:1: error: its messages, .* are 65537; a module can have 65536' "$work/said"; then
    pass 'more messages than a module can have are refused'
else
    cat "$work/said"
    fail 'the error of too many messages is another one'
fi
finish
