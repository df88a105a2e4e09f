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

check_PROGRAMS += tests/unit/transport_conformance
tests_unit_transport_conformance_SOURCES = tests/unit/transport_conformance.c
tests_unit_transport_conformance_LDADD = $(TEST_LDADD)
if HAVE_RDMA
tests_unit_transport_conformance_SOURCES += tests/unit/rdma_raw.c tests/unit/rdma_raw.h
tests_unit_transport_conformance_LDADD += $(RDMA_LIBS)
endif
TESTS += tests/unit/conformance-tcp-epoll.sh
dist_check_SCRIPTS += tests/unit/conformance-tcp-epoll.sh tests/unit/conformance-tcp-io_uring.sh
if HAVE_LIBURING
TESTS += tests/unit/conformance-tcp-io_uring.sh
endif

check_PROGRAMS += tests/unit/test_tcp
TESTS += tests/unit/test_tcp
tests_unit_test_tcp_SOURCES = tests/unit/test_tcp.c
tests_unit_test_tcp_LDADD = $(TEST_LDADD)

check_PROGRAMS += tests/unit/test_tcp_failures
TESTS += tests/unit/test_tcp_failures
tests_unit_test_tcp_failures_SOURCES = tests/unit/test_tcp_failures.c $(FAILING_ALLOC_FILES)
tests_unit_test_tcp_failures_LDADD = $(TEST_LDADD)
tests_unit_test_tcp_failures_LDFLAGS = $(WRAP_ALLOCATIONS)
