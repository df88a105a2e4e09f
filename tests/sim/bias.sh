#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# bias.sh - the model of the biased gate holds; without its barrier, or without waiting, it breaks
. "$top_srcdir/tests/sim/model.sh"
holds bias.pml
breaks bias.pml -DNO_BARRIER
breaks bias.pml -DNO_CHANGING
