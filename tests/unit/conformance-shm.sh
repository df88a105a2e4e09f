#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# conformance-shm.sh - the transport suite on one transport
exec "$top_builddir/tests/unit/transport_conformance" shm
