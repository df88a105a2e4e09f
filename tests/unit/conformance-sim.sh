#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# conformance-sim.sh - the transport suite on one transport
exec "$top_builddir/tests/unit/transport_conformance" sim
