/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * failing_alloc.h - makes each allocation, or each system call of a kind, fail in turn
 *
 * A test that links tests/unit/failing_alloc.c with $(WRAP_ALLOCATIONS) (tests/unit/local.mk) has these functions
 * wrapped by the linker, in its own objects and in libmrpc-internal.la, but not in shared libraries such as libc
 * itself:
 *
 *     malloc calloc realloc aligned_alloc strdup
 *     mmap memfd_create ftruncate fcntl(F_ADD_SEALS) madvise(MADV_POPULATE_WRITE) fallocate
 *
 * and those that are listed below for the other kinds. It then runs what it tests once with the first of these calls
 * failing, once with the second, and so on, until a run makes fewer calls than that:
 *
 *     struct failing_alloc fail;
 *     failing_alloc_begin(&fail);
 *     while (failing_alloc_next(&fail)) {
 *         ...                                 // preparations: nothing fails yet
 *         failing_alloc_start(&fail);
 *         int result = thing_new(&thing);     // one of its allocations fails
 *         failing_alloc_stop(&fail);          // from here on all succeed again
 *         if (fail.hit)
 *             assert_int_equal(result, MRPC_ENOMEM);
 *         ...                                 // works on, nothing has leaked
 *     }
 *
 * Only the thread that called failing_alloc_start(), or that was named to failing_alloc_start_in(), is affected. The
 * test asserts at the end that fail.runs is greater than 1, that is, that something failed at all.
 */
#ifndef MRPC_FAILING_ALLOC_H
#define MRPC_FAILING_ALLOC_H

#include <pthread.h>
#include <stdbool.h>

/* What fails. */
enum failing_calls {
    FAILING_ALLOCATIONS, /* the above */
    FAILING_DESCRIPTORS, /* what makes a descriptor: socket accept4 eventfd epoll_create1 timerfd_create
                            memfd_create io_uring_queue_init_params */
    FAILING_SETTINGS,    /* what prepares one: bind listen setsockopt getsockname epoll_ctl, but for removing */
    FAILING_TRANSFERS,   /* send sendmsg recv recvmsg readv */
    FAILING_VERBS,       /* of RDMA and its connection manager, but for ibv_poll_cq: failing_verbs.c */
    FAILING_POLLS        /* ibv_poll_cq */
};

struct failing_alloc {
    unsigned runs; /* how often failing_alloc_next() returned true */
    bool hit;      /* a call was made to fail in the run that was stopped last */
};

void failing_alloc_begin(struct failing_alloc *fail);

/* Goes on to the next run; false: the last one went through without a failure, so that all calls have failed once. */
bool failing_alloc_next(struct failing_alloc *fail);

/* From here on calls are counted, and the one whose turn it is fails. */
void failing_alloc_start(const struct failing_alloc *fail);

/* The same in another thread. */
void failing_alloc_start_in(const struct failing_alloc *fail, pthread_t affected);

/* Up to here. Sets fail->hit. */
void failing_alloc_stop(struct failing_alloc *fail);

/* The errno that system calls fail with from now on; ENOMEM at first, and again after failing_alloc_begin(). */
void failing_alloc_set_errno(int reason);

/* What fails from now on, instead of allocations, and with which errno; until the next failing_alloc_begin(). */
void failing_alloc_set_calls(enum failing_calls which, int reason);

/* For functions that are replaced elsewhere: whether this call is the one that fails, with errno set; and whether that
 * kind of calls, by this thread, is waited for at all. */
bool failing_alloc_due(enum failing_calls what);
bool failing_alloc_armed(enum failing_calls what);

/* How many descriptors the process has open, and how many of its mappings have `name` in /proc/self/maps. */
unsigned count_descriptors(void);
unsigned count_mappings(const char *name);

#endif /* MRPC_FAILING_ALLOC_H */
