# SPDX-License-Identifier: BSD-2-Clause
# tests/unit/ - one cmocka program for each source file under test
check_PROGRAMS += tests/unit/test_error
TESTS += tests/unit/test_error
tests_unit_test_error_SOURCES = tests/unit/test_error.c
tests_unit_test_error_LDADD = $(TEST_LDADD)
include $(srcdir)/tests/unit/heap.mk
include $(srcdir)/tests/unit/transports.mk
include $(srcdir)/tests/unit/shm.mk
include $(srcdir)/tests/unit/sim.mk
include $(srcdir)/tests/unit/upgrade.mk
include $(srcdir)/tests/unit/marshal.mk
include $(srcdir)/tests/unit/message.mk
include $(srcdir)/tests/unit/generated.mk
include $(srcdir)/tests/unit/runtime.mk
