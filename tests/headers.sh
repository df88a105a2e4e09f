#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# headers.sh - every public header compiles alone, as C11 and as C++17, without a warning; and all are installed
set -u
failures=0
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}
flags='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only'

headers=$(cd "$top_srcdir/include" && find mrpc -name '*.h' | sort)
[ -n "$headers" ] || fail "no headers in $top_srcdir/include"
[ -d "$top_builddir/gen/google" ] || headers=$(echo "$headers" | grep -v -e '^mrpc/descriptor\.h$' -e '^mrpc/well_known\.h$') # without protoc
include="-I$top_srcdir/include -I$top_builddir/gen"
for header in $headers; do
    { echo "#include <$header>"; echo 'typedef int not_empty;'; } | $CC -std=c11 $flags $include -x c - || fail "$header as C11"
    echo "#include <$header>" | $CXX -std=c++17 $flags $include -x c++ - || fail "$header as C++17"
    grep -q "include/$header\\( \\|\$\\)" "$top_srcdir/include/local.mk" || fail "$header is not in include/local.mk"
    grep -q 'SPDX-License-Identifier: BSD-2-Clause' "$top_srcdir/include/$header" || fail "$header has no SPDX line"
done

# A program in C++, which gets no warning from what the header's macro becomes in its own code.
$CXX -std=c++17 $flags -I"$top_srcdir/include" -x c++ - <<'EOF' || fail "MRPC_CALL_OPTIONS as C++17"
#include <mrpc/call.h>
mrpc_status use(mrpc_channel *channel, const mrpc_method *method, const void *request);
mrpc_status use(mrpc_channel *channel, const mrpc_method *method, const void *request)
{
    mrpc_status status = mrpc_call_unary(channel, method, request, nullptr, MRPC_CALL_OPTIONS(.timeout_ms = 500));
    if (status.code != MRPC_OK)
        status = mrpc_call_unary(channel, method, request, nullptr,
                                 MRPC_CALL_OPTIONS(.timeout_ms = 500, .wait_for_ready = true));
    return status;
}
EOF
[ "$failures" = 0 ]
