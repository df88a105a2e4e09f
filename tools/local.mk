# SPDX-License-Identifier: BSD-2-Clause
# tools/ - what it adds to the build; Makefile.am says how.
