# SPDX-License-Identifier: BSD-2-Clause
# tests/e2e/ - what it adds to the build; Makefile.am says how.

# What a call costs, counted by the library and by a preloaded library. Sanitizers bring an allocator of their own.
if HAVE_PROTOC
if !SANITIZERS
check_LTLIBRARIES += tests/e2e/interpose.la
tests_e2e_interpose_la_SOURCES = tests/e2e/interpose.c tests/e2e/interpose.h
tests_e2e_interpose_la_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_e2e_interpose_la_LDFLAGS = -module -avoid-version -rpath /nowhere
check_PROGRAMS += tests/e2e/call_costs
tests_e2e_call_costs_SOURCES = tests/e2e/call_costs.c
nodist_tests_e2e_call_costs_SOURCES = gen/bench.mrpc.c gen/bench.marshal.c
tests_e2e_call_costs_LDADD = libmrpc.la
TESTS += tests/e2e/call_costs.sh
check_PROGRAMS += tests/e2e/count_atomics
tests_e2e_count_atomics_SOURCES = tests/e2e/count_atomics.c
TESTS += tests/e2e/atomics.sh
check_PROGRAMS += tests/e2e/idle
tests_e2e_idle_SOURCES = tests/e2e/idle.c
nodist_tests_e2e_idle_SOURCES = gen/bench.mrpc.c gen/bench.marshal.c
tests_e2e_idle_LDADD = libmrpc.la
TESTS += tests/e2e/idle.sh
endif
endif
dist_check_SCRIPTS += tests/e2e/call_costs.sh tests/e2e/atomics.sh tests/e2e/idle.sh
include $(srcdir)/tests/e2e/upgrade.mk
include $(srcdir)/tests/e2e/module.mk
