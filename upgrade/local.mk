# SPDX-License-Identifier: BSD-2-Clause
# upgrade/ - what it adds to the build; Makefile.am says how.
libmrpc_la_SOURCES += \
	upgrade/candidate.c upgrade/candidate.h \
	upgrade/copy.c upgrade/copy.h \
	upgrade/elf.c upgrade/elf.h \
	upgrade/finder.c upgrade/finder.h \
	upgrade/folders.c upgrade/folders.h \
	upgrade/library.c upgrade/library.h \
	upgrade/loaded.c upgrade/loaded.h \
	upgrade/table.c upgrade/table.h \
	upgrade/transports.c upgrade/transports.h \
	upgrade/trial.c upgrade/trial.h \
	upgrade/trust.c upgrade/trust.h

# The self-test helper has all that it needs within itself, so that it runs in the build tree as it is.
pkglibexec_PROGRAMS += upgrade/mrpc-selftest
upgrade_mrpc_selftest_SOURCES = upgrade/trial-main.c upgrade/sandbox.c upgrade/sandbox.h
upgrade_mrpc_selftest_LDADD = libmrpc-internal.la
