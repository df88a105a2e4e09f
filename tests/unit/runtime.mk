# SPDX-License-Identifier: BSD-2-Clause
# runtime.mk - tests of runtime/
EXTRA_DIST += tests/unit/runtime.mk tests/protos/echo.proto
check_PROGRAMS += tests/unit/test_engine
TESTS += tests/unit/test_engine
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c
tests_unit_test_engine_LDADD = $(TEST_LDADD)
if HAVE_PROTOC
PROTOS += echo
RUNTIME_FIXTURE = tests/unit/runtime_fixture.c tests/unit/runtime_fixture.h tests/unit/runtime_flow.c tests/unit/runtime_flow.h \
	tests/unit/runtime_process.c tests/unit/runtime_process.h
ECHO_FILES = gen/echo.mrpc.c gen/echo.marshal.c
RUNTIME_TESTS = \
	tests/unit/test_runtime_unary \
	tests/unit/test_runtime_streams \
	tests/unit/test_runtime_death \
	tests/unit/test_runtime_failures \
	tests/unit/test_runtime_connections \
	tests/unit/test_runtime_hostile \
	tests/unit/test_runtime_threads \
	tests/unit/test_runtime_misc
check_PROGRAMS += $(RUNTIME_TESTS)
TESTS += $(RUNTIME_TESTS)

tests_unit_test_runtime_unary_SOURCES = tests/unit/test_runtime_unary.c $(RUNTIME_FIXTURE)
nodist_tests_unit_test_runtime_unary_SOURCES = $(ECHO_FILES)
tests_unit_test_runtime_unary_LDADD = $(TEST_LDADD)

tests_unit_test_runtime_streams_SOURCES = tests/unit/test_runtime_streams.c $(RUNTIME_FIXTURE)
nodist_tests_unit_test_runtime_streams_SOURCES = $(ECHO_FILES)
tests_unit_test_runtime_streams_LDADD = $(TEST_LDADD)

tests_unit_test_runtime_death_SOURCES = tests/unit/test_runtime_death.c $(RUNTIME_FIXTURE)
nodist_tests_unit_test_runtime_death_SOURCES = $(ECHO_FILES)
tests_unit_test_runtime_death_LDADD = $(TEST_LDADD)

tests_unit_test_runtime_failures_SOURCES = tests/unit/test_runtime_failures.c tests/unit/failing_verbs.h $(RUNTIME_FIXTURE) $(FAILING_ALLOC_FILES)
nodist_tests_unit_test_runtime_failures_SOURCES = $(ECHO_FILES)
tests_unit_test_runtime_failures_LDADD = $(TEST_LDADD)
tests_unit_test_runtime_failures_LDFLAGS = $(WRAP_ALLOCATIONS)

tests_unit_test_runtime_connections_SOURCES = tests/unit/test_runtime_connections.c $(RUNTIME_FIXTURE)
nodist_tests_unit_test_runtime_connections_SOURCES = $(ECHO_FILES)
tests_unit_test_runtime_connections_LDADD = $(TEST_LDADD)

tests_unit_test_runtime_hostile_SOURCES = tests/unit/test_runtime_hostile.c $(RUNTIME_FIXTURE) $(SHM_FORGED)
nodist_tests_unit_test_runtime_hostile_SOURCES = $(ECHO_FILES)
tests_unit_test_runtime_hostile_LDADD = $(TEST_LDADD)

tests_unit_test_runtime_threads_SOURCES = tests/unit/test_runtime_threads.c $(RUNTIME_FIXTURE)
nodist_tests_unit_test_runtime_threads_SOURCES = $(ECHO_FILES)
tests_unit_test_runtime_threads_LDADD = $(TEST_LDADD)

tests_unit_test_runtime_misc_SOURCES = tests/unit/test_runtime_misc.c $(RUNTIME_FIXTURE)
nodist_tests_unit_test_runtime_misc_SOURCES = $(ECHO_FILES)
tests_unit_test_runtime_misc_LDADD = $(TEST_LDADD)
endif
