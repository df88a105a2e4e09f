# SPDX-License-Identifier: BSD-2-Clause
# tests/sim/ - what it adds to the build; Makefile.am says how.
