#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# testee.sh - the testee for protobuf's conformance runner is built, and answers as the runner wants it; skipped without
# the runner's schemas ($CONFORMANCE_PROTOS, or ../shared/protos/conformance beside the source tree)
#
# With the runner itself at hand, `make check-conformance CONFORMANCE_RUNNER=PROGRAM` asks all of its questions.
set -u
protos=${CONFORMANCE_PROTOS:-$top_srcdir/../shared/protos/conformance}
if [ ! -f "$protos/conformance.proto" ]; then
    echo "SKIP: no conformance.proto in $protos"
    exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/mrpc-conformance.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
failed=0

${MAKE:-make} -s -C "$top_builddir" conformance-testee CONFORMANCE_PROTOS="$protos" >"$work/log" 2>&1 || {
    cat "$work/log"
    exit 1
}

# ask TEXT - the answer to a ConformanceRequest, both in text format
ask() {
    printf '%s' "$1" | "$PROTOC" -I"$protos" --encode=conformance.ConformanceRequest conformance.proto >"$work/request" || exit 99
    size=$(wc -c <"$work/request")
    printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $((size & 255)) $((size >> 8 & 255)) $((size >> 16 & 255)) 0)" >"$work/in"
    cat "$work/request" >>"$work/in"
    "$top_builddir/tests/conformance/testee" <"$work/in" >"$work/out" || echo "status $?"
    tail -c +5 "$work/out" | "$PROTOC" -I"$protos" --decode=conformance.ConformanceResponse conformance.proto
}

# expect WHAT WORDS ANSWER
expect() {
    case $3 in
    *"$2"*) echo "PASS: $1" ;;
    *)
        echo "FAIL: $1: \"$2\" is not in \"$3\""
        failed=$((failed + 1))
        ;;
    esac
}

proto3='message_type: "protobuf_test_messages.proto3.TestAllTypesProto3"'
proto2='message_type: "protobuf_test_messages.proto2.TestAllTypesProto2"'
expect "a message of proto3 comes back" 'protobuf_payload: "\010\005"' \
    "$(ask "$proto3 protobuf_payload: \"\\010\\005\" requested_output_format: PROTOBUF")"
expect "a message of proto2 comes back" 'protobuf_payload: "\010\005"' \
    "$(ask "$proto2 protobuf_payload: \"\\010\\005\" requested_output_format: PROTOBUF")"
expect "fields are put in order" 'protobuf_payload: "\010\005r\001a"' \
    "$(ask "$proto3 protobuf_payload: \"r\\001a\\010\\005\" requested_output_format: PROTOBUF")"
expect "a malformed message is refused" 'parse_error: "' \
    "$(ask "$proto3 protobuf_payload: \"\\010\" requested_output_format: PROTOBUF")"
expect "text is written" 'text_payload: "optional_int32: 5\n"' \
    "$(ask "$proto3 protobuf_payload: \"\\010\\005\" requested_output_format: TEXT_FORMAT")"
expect "JSON is written" 'json_payload: "{\"optionalInt32\":5}"' \
    "$(ask "$proto3 protobuf_payload: \"\\010\\005\" requested_output_format: JSON")"
expect "JSON is read" 'protobuf_payload: "\010\005"' \
    "$(ask "$proto3 json_payload: '{\"optionalInt32\":\"5\"}' requested_output_format: PROTOBUF")"
expect "JSON that is none is refused" 'parse_error: "' \
    "$(ask "$proto3 json_payload: '{\"optionalInt32\":5.5}' requested_output_format: PROTOBUF")"
expect "the internal format is passed over" 'skipped: "' \
    "$(ask "$proto3 jspb_payload: \"[]\" requested_output_format: JSPB")"
expect "there are no known failures" 'protobuf_payload: ""' "$(ask 'message_type: "conformance.FailureSet"')"

[ "$failed" = 0 ]
