# SPDX-License-Identifier: BSD-2-Clause
# tests/golden/ - what it adds to the build; Makefile.am says how.
