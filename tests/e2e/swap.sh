#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# swap.sh - the quickstart's run in short: both sides get one module after the other under load, and no call fails
umask 022
exec "$top_srcdir/examples/quickstart.sh" 4 epoll
