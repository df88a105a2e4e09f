#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# upgrade.sh - the quickstart's run over rdma://: both sides get one module after the other under load, and no call fails
umask 022
exec "$top_srcdir/examples/quickstart.sh" "${RDMA_LOAD_SECONDS:-24}" rdma://10.99.0.1:0 "$top_srcdir/transports"
