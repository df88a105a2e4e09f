# SPDX-License-Identifier: BSD-2-Clause
# heap.mk - tests of heap/
HEAP_TESTS = tests/unit/test_heap
check_PROGRAMS += $(HEAP_TESTS)
TESTS += $(HEAP_TESTS)
EXTRA_DIST += tests/unit/heap.mk

tests_unit_test_heap_SOURCES = tests/unit/test_heap.c
tests_unit_test_heap_LDADD = $(TEST_LDADD)
