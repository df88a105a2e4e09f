# SPDX-License-Identifier: BSD-2-Clause
# tests/ - how tests are run; what they are stands in the fragment of each kind
#
# Every test runs under tests/run-test: in a process group of its own, with a time limit (TEST_TIMEOUT seconds), and
# it fails when it leaves a process behind. It finds the trees in $top_srcdir and $top_builddir.
TEST_TIMEOUT = 300
TEST_EXTENSIONS = .sh
LOG_COMPILER = tests/run-test$(EXEEXT)
SH_LOG_COMPILER = tests/run-test$(EXEEXT)
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	TEST_TIMEOUT="$${TEST_TIMEOUT:-$(TEST_TIMEOUT)}"; export TEST_TIMEOUT; \
	version='$(PACKAGE_VERSION)'; export version; \
	programs='$(bin_PROGRAMS) $(sbin_PROGRAMS) $(dist_bin_SCRIPTS)'; export programs; \
	man_pages='$(MAN_PAGES)'; export man_pages; SCDOC='$(SCDOC)'; export SCDOC; \
	CC='$(CC)'; export CC; CXX='$(CXX)'; export CXX; PROTOC='$(PROTOC)'; export PROTOC; \
	PROTOBUF_CFLAGS='$(PROTOBUF_CFLAGS)'; export PROTOBUF_CFLAGS; PROTOBUF_LIBS='$(PROTOBUF_LIBS)'; export PROTOBUF_LIBS; \
	PROTOBUF_C_CFLAGS='$(PROTOBUF_C_CFLAGS)'; export PROTOBUF_C_CFLAGS; \
	PROTOBUF_C_LIBS='$(PROTOBUF_C_LIBS)'; export PROTOBUF_C_LIBS; \
	ASAN_OPTIONS="$${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1}"; export ASAN_OPTIONS; \
	UBSAN_OPTIONS="$${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}"; export UBSAN_OPTIONS; \
	TSAN_OPTIONS="$${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1:die_after_fork=0}"; export TSAN_OPTIONS;

check_PROGRAMS += tests/run-test
tests_run_test_SOURCES = tests/run-test.c

TESTS += tests/run-test.sh tests/headers.sh tests/exports.sh tests/sources.sh tests/programs.sh tests/manual.sh
dist_check_SCRIPTS += tests/run-test.sh tests/headers.sh tests/exports.sh tests/sources.sh tests/programs.sh tests/manual.sh

# The tests that look at functions and data from within, which is where a sanitizer sees most.
.PHONY: check-inside
check-inside:
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(filter tests/unit/% tests/differential/% tests/sim/% tests/fuzz/%,$(filter-out %.sh,$(TESTS)))'

# Without cmocka most tests could not even be compiled: say so at once instead of testing less.
if !HAVE_CMOCKA
cmocka_is_there := $(if $(filter check check-% distcheck,$(MAKECMDGOALS)),$(error make check needs cmocka: \
	install it (on Debian: apt-get install libcmocka-dev) and run configure again))
endif

include $(srcdir)/tests/unit/local.mk
include $(srcdir)/tests/golden/local.mk
include $(srcdir)/tests/conformance/local.mk
include $(srcdir)/tests/differential/local.mk
include $(srcdir)/tests/e2e/local.mk
include $(srcdir)/tests/sim/local.mk
include $(srcdir)/tests/fuzz/local.mk
include $(srcdir)/tests/install/local.mk
include $(srcdir)/tests/analysis.mk
include $(srcdir)/tests/rdma/local.mk
