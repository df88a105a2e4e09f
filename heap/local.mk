# SPDX-License-Identifier: BSD-2-Clause
# heap/ - what it adds to the build; Makefile.am says how.
