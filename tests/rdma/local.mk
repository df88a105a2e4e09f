# SPDX-License-Identifier: BSD-2-Clause
# tests/rdma/ - make check-rdma: what runs over Soft-RoCE in a virtual machine; packaging/rdma.sh installs what that needs
RDMA_FILES = tests/rdma/check.sh tests/rdma/hello.sh tests/rdma/inside.sh tests/rdma/kv.sh tests/rdma/names.sh tests/rdma/upgrade.sh \
	tests/rdma/vm.sh
dist_check_SCRIPTS += tests/rdma/verbs.sh
TESTS += tests/rdma/verbs.sh
EXTRA_DIST += $(RDMA_FILES)

.PHONY: check-rdma
if HAVE_RDMA
RDMA_SUITES = unary streams death connections threads misc
EXTRA_PROGRAMS += tests/unit/test_rdma tests/unit/test_rdma_failures
rdma_programs = tests/run-test$(EXEEXT) tests/unit/transport_conformance$(EXEEXT) $(RDMA_SUITES:%=tests/unit/test_runtime_%$(EXEEXT)) \
	tests/unit/test_rdma$(EXEEXT) tests/unit/test_rdma_failures$(EXEEXT) tests/unit/upgrade/test_running$(EXEEXT) \
	tests/rdma/poorest.la

EXTRA_LTLIBRARIES = tests/rdma/poorest.la
CLEANFILES += tests/rdma/poorest.la
tests_rdma_poorest_la_SOURCES = tests/rdma/poorest.c
tests_rdma_poorest_la_CFLAGS = $(AM_CFLAGS) $(RDMA_CFLAGS)
tests_rdma_poorest_la_LDFLAGS = -module -avoid-version -rpath /nowhere
tests_rdma_poorest_la_LIBADD = -ldl

tests_unit_test_rdma_SOURCES = tests/unit/test_rdma.c $(RUNTIME_FIXTURE)
nodist_tests_unit_test_rdma_SOURCES = $(ECHO_FILES)
tests_unit_test_rdma_LDADD = $(TEST_LDADD)

# The tests of test_runtime_failures.c, and verbs that fail: the program exports what mrpc-rdma.so calls.
tests_unit_test_rdma_failures_SOURCES = tests/unit/test_runtime_failures.c tests/unit/failing_verbs.c tests/unit/failing_verbs.h $(RUNTIME_FIXTURE) $(FAILING_ALLOC_FILES)
nodist_tests_unit_test_rdma_failures_SOURCES = $(ECHO_FILES)
tests_unit_test_rdma_failures_CPPFLAGS = $(AM_CPPFLAGS) -DFAILING_VERBS_TOO
tests_unit_test_rdma_failures_CFLAGS = $(AM_CFLAGS) $(RDMA_CFLAGS)
tests_unit_test_rdma_failures_LDADD = $(TEST_LDADD) -ldl
tests_unit_test_rdma_failures_LDFLAGS = $(WRAP_ALLOCATIONS) -rdynamic

check-rdma: all $(rdma_programs)
	+$(AM_TESTS_ENVIRONMENT) RDMA_SUITES='$(RDMA_SUITES)' $(srcdir)/tests/rdma/check.sh
else
check-rdma:
	@echo "SKIP: check-rdma: configured without rdma (libibverbs and librdmacm)"; echo "# SKIP: 1"; \
	test "$${RDMA_VM_REQUIRED:-0}" = 1 && exit 1; exit 77
endif
