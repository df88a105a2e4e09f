# SPDX-License-Identifier: BSD-2-Clause
# tests/unit/transports.mk - loops and transports
check_PROGRAMS += tests/unit/test_loop tests/unit/test_loop_timers
TESTS += tests/unit/test_loop tests/unit/test_loop_timers
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c
tests_unit_test_loop_LDADD = $(TEST_LDADD)
tests_unit_test_loop_timers_SOURCES = tests/unit/test_loop_timers.c
tests_unit_test_loop_timers_LDADD = $(TEST_LDADD)

check_PROGRAMS += tests/unit/test_stream
TESTS += tests/unit/test_stream
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c
tests_unit_test_stream_LDADD = $(TEST_LDADD)
