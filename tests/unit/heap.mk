# SPDX-License-Identifier: BSD-2-Clause
# heap.mk - tests of heap/, and what makes allocations fail in any test (failing_alloc.h says how)
EXTRA_DIST += tests/unit/heap.mk
WRAP_ALLOCATIONS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=mmap,--wrap=memfd_create \
	-Wl,--wrap=aligned_alloc,--wrap=strdup,--wrap=ftruncate,--wrap=fallocate,--wrap=madvise,--wrap=fcntl \
	-Wl,--wrap=socket,--wrap=accept4,--wrap=eventfd,--wrap=epoll_create1,--wrap=timerfd_create \
	-Wl,--wrap=bind,--wrap=listen,--wrap=setsockopt,--wrap=getsockname,--wrap=epoll_ctl \
	-Wl,--wrap=send,--wrap=sendmsg,--wrap=recv,--wrap=recvmsg,--wrap=readv
if HAVE_LIBURING
WRAP_ALLOCATIONS += -Wl,--wrap=io_uring_queue_init_params
endif
FAILING_ALLOC_FILES = tests/unit/failing_alloc.c tests/unit/failing_alloc.h

HEAP_TESTS = tests/unit/test_heap tests/unit/test_heap_failures tests/unit/test_heap_holds tests/unit/test_heap_pages \
	tests/unit/test_heap_segments tests/unit/test_heap_threads tests/unit/test_arena
check_PROGRAMS += $(HEAP_TESTS)
TESTS += $(HEAP_TESTS)

tests_unit_test_heap_SOURCES = tests/unit/test_heap.c
tests_unit_test_heap_LDADD = $(TEST_LDADD)
tests_unit_test_heap_failures_SOURCES = tests/unit/test_heap_failures.c $(FAILING_ALLOC_FILES)
tests_unit_test_heap_failures_LDADD = $(TEST_LDADD)
tests_unit_test_heap_failures_LDFLAGS = $(WRAP_ALLOCATIONS) -Wl,--wrap=mrpc_memory_available
tests_unit_test_heap_holds_SOURCES = tests/unit/test_heap_holds.c
tests_unit_test_heap_holds_LDADD = $(TEST_LDADD)
tests_unit_test_heap_pages_SOURCES = tests/unit/test_heap_pages.c
tests_unit_test_heap_pages_LDADD = $(TEST_LDADD)
tests_unit_test_heap_segments_SOURCES = tests/unit/test_heap_segments.c
tests_unit_test_heap_segments_LDADD = $(TEST_LDADD)
tests_unit_test_heap_threads_SOURCES = tests/unit/test_heap_threads.c
tests_unit_test_heap_threads_LDADD = $(TEST_LDADD)
tests_unit_test_arena_SOURCES = tests/unit/test_arena.c $(FAILING_ALLOC_FILES)
tests_unit_test_arena_LDADD = $(TEST_LDADD)
tests_unit_test_arena_LDFLAGS = $(WRAP_ALLOCATIONS)
