#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# hello.sh - the examples' calls and streams over rdma://, as processes that load the transport by themselves
. "$top_srcdir/tests/e2e/common.sh"

hello_client=$top_builddir/examples/hello_client
start server "$top_builddir/examples/hello_server" rdma://10.99.0.1:0
expect "greeting" "Hello, world" "$("$hello_client" "$address")"
expect "chat" "Hello, a/Hello, b/Hello, c" "$("$hello_client" "$address" a b c | paste -sd/)"
answer=$("$top_builddir/examples/hello_server" "$address" 2>&1)
expect "status for a port in use" 1 $?
expect_words "port in use" "${address##*:}" "$answer"
kill "$process"
wait "$process" 2>/dev/null
servers=
answer=$("$hello_client" "$address" 2>&1)
expect "status without a server" 1 $?
expect_words "no server" UNAVAILABLE "$answer"
[ "$failures" = 0 ]
