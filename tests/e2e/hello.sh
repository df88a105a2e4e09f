#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# hello.sh - the smallest server and client, as processes, and what they say when something is wrong
. "$top_srcdir/tests/e2e/common.sh"

hello_client=$top_builddir/examples/hello_client
start server "$top_builddir/examples/hello_server" tcp://127.0.0.1:0
expect "greeting" "Hello, world" "$("$hello_client" "$address")"
expect "chat" "Hello, a/Hello, b/Hello, c" "$("$hello_client" "$address" a b c | paste -sd/)"
expect "greeting" "Hello, Zoë" "$("$hello_client" "$address" Zoë)"

answer=$("$top_builddir/examples/hello_server" "$address" 2>&1)
expect "status for a port in use" 1 $?
expect_words "port in use" "${address##*:}" "$answer"
answer=$("$hello_client" nowhere 2>&1)
expect "status for a wrong address" 1 $?
expect_words "wrong address" "tcp://" "$answer"
answer=$("$hello_client" smoke://signal 2>&1)
expect_words "unknown transport" "smoke" "$answer"
# an idle server, stopped by a signal
kill "$process"
wait "$process" 2>/dev/null
servers=
answer=$("$hello_client" "$address" 2>&1)
expect "status without a server" 1 $?
expect_words "no server" UNAVAILABLE "$answer"
[ "$failures" = 0 ]
