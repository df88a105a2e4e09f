# SPDX-License-Identifier: BSD-2-Clause
# generated.mk - tests of the functions in generated headers
EXTRA_DIST += tests/unit/generated.mk
if HAVE_PROTOC
check_PROGRAMS += tests/unit/test_generated
TESTS += tests/unit/test_generated
tests_unit_test_generated_SOURCES = tests/unit/test_generated.c
nodist_tests_unit_test_generated_SOURCES = $(EVERYTHING_FILES)
tests_unit_test_generated_LDADD = $(TEST_LDADD)
endif
