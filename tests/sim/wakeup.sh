#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# wakeup.sh - the model of sleeping and waking has no state in which both sides sleep; without its fences it has one
. "$top_srcdir/tests/sim/model.sh"
holds wakeup.pml
breaks wakeup.pml -DNO_FENCE
