# SPDX-License-Identifier: BSD-2-Clause
# runtime.mk - tests of runtime/
EXTRA_DIST += tests/unit/runtime.mk tests/protos/echo.proto
if HAVE_PROTOC
PROTOS += echo
ECHO_FILES = gen/echo.mrpc.c gen/echo.marshal.c
RUNTIME_FIXTURE = tests/unit/runtime_fixture.c tests/unit/runtime_fixture.h

check_PROGRAMS += tests/unit/test_runtime_unary
TESTS += tests/unit/test_runtime_unary
tests_unit_test_runtime_unary_SOURCES = tests/unit/test_runtime_unary.c $(RUNTIME_FIXTURE)
nodist_tests_unit_test_runtime_unary_SOURCES = $(ECHO_FILES)
tests_unit_test_runtime_unary_LDADD = $(TEST_LDADD)
endif
