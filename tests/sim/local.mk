# SPDX-License-Identifier: BSD-2-Clause
# tests/sim/ - what it adds to the build; Makefile.am says how.
TESTS += tests/sim/wakeup.sh
dist_check_SCRIPTS += tests/sim/wakeup.sh
EXTRA_DIST += tests/sim/wakeup.pml
