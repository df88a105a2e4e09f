# SPDX-License-Identifier: BSD-2-Clause
# upgrade/ - what it adds to the build; Makefile.am says how.
