#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# kv.sh - the key-value example under load over rdma://: values of all sizes, streams, several connections and threads; the
# client checks every answer
. "$top_srcdir/tests/e2e/common.sh"

start server "$top_builddir/examples/kv_server" rdma://10.99.0.1:0
"$top_builddir/examples/kv_client" "$address" load --seconds "${RDMA_LOAD_SECONDS:-10}" --workers 2 --connections 2 \
    --folder "$top_srcdir/transports" >"$work/load.log" 2>&1
expect "status of the load" 0 $?
cat "$work/load.log"
stop "$process"
[ "$failures" = 0 ]
