# SPDX-License-Identifier: BSD-2-Clause
# bench/ - what it adds to the build; Makefile.am says how.
