# SPDX-License-Identifier: BSD-2-Clause
# tools/ - what it adds to the build; Makefile.am says how.
bin_PROGRAMS += tools/mrpcctl
tools_mrpcctl_SOURCES = tools/mrpcctl.c
MAN_PAGES += docs/man/mrpcctl.1
