# SPDX-License-Identifier: BSD-2-Clause
# tests/e2e/ - what it adds to the build; Makefile.am says how.
