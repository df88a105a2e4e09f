/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uring.c - the loop over io_uring: one multishot poll for each descriptor, edge-triggered
 *
 * The ring is for sleeping; the transports send and receive directly, which measurements favoured (a direct recv in a
 * spin costs the least, and so does a direct recv after a poll's wake-up). One thread owns the ring (SINGLE_ISSUER), so
 * that the kernel leaves the work of completions to the moment when that thread enters (DEFER_TASKRUN) instead of
 * interrupting it; a flag in shared memory tells that there is some, so that peeking needs no system call.
 */
#include "config.h"

#include "transports/loop/backend.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#if defined __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

enum { SUBMISSIONS = 64, COMPLETIONS = 1024, BATCH = 256 };

/*
 * ThreadSanitizer forgets what was accessed in memory that libc's munmap() and mmap() give back and take; liburing
 * enters the kernel by itself, unseen. When one thread's ring is unmapped and another thread's comes to lie at the same
 * address, the first access to the new one would seem to race with the last one to the old one. What orders the two
 * is the kernel's lock of the address space, which both take; `address_space` stands for it.
 */
#if defined __SANITIZE_THREAD__
static char address_space;
#define BEFORE_UNMAPPING() __tsan_release(&address_space)
#define AFTER_MAPPING() __tsan_acquire(&address_space)
#else
#define BEFORE_UNMAPPING() ((void)0)
#define AFTER_MAPPING() ((void)0)
#endif

static const char *advice(int reason)
{
    switch (reason) {
    case ENOSYS:
        return "the kernel has no io_uring; use the poller epoll";
    case EPERM:
    case EACCES:
        return "it is forbidden here (sysctl kernel.io_uring_disabled, or a container's seccomp filter); use the "
               "poller epoll";
    case EINVAL:
        return "the kernel is older than 6.1; use the poller epoll";
    default:
        return "use the poller epoll";
    }
}

static int uring_open(mrpc_loop *loop, uint64_t seed, mrpc_error *error)
{
    (void)seed;
    struct io_uring *ring = calloc(1, sizeof *ring);
    if (ring == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "event loop: no memory");
    struct io_uring_params parameters = {
        /* Disabled, so that the thread that enables it becomes the owner. */
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                 IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    int failure = io_uring_queue_init_params(SUBMISSIONS, ring, &parameters);
    if (failure != 0) {
        free(ring);
        mrpc_error_system(error, -failure, "io_uring: %s", advice(-failure));
        if (error != NULL && failure != -ENOMEM && failure != -EMFILE && failure != -ENFILE)
            error->code = MRPC_ENOTSUP;
        return error != NULL ? error->code : MRPC_ESYS;
    }
    AFTER_MAPPING();
    loop->state = ring;
    return 0;
}

static void uring_close(mrpc_loop *loop)
{
    BEFORE_UNMAPPING();
    io_uring_queue_exit(loop->state);
    free(loop->state);
}

/* io_uring_enable_rings() by hand: liburing 2.3 declares it and does not export it. */
static int uring_start(mrpc_loop *loop)
{
    struct io_uring *ring = loop->state;
    if (io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
        return MRPC_ESYS;
    ring->flags &= ~IORING_SETUP_R_DISABLED;
    return 0;
}

/* Room for one more request; makes some by submitting. */
static struct io_uring_sqe *request(mrpc_loop *loop)
{
    struct io_uring *ring = loop->state;
    struct io_uring_sqe *entry = io_uring_get_sqe(ring);
    if (entry != NULL)
        return entry;
    loop->counters.waits++;
    if (io_uring_submit(ring) < 0)
        return NULL;
    return io_uring_get_sqe(ring);
}

static int uring_arm(mrpc_loop *loop, mrpc_watch *watch)
{
    struct io_uring_sqe *entry = request(loop);
    if (entry == NULL)
        return MRPC_ENOMEM;
    io_uring_prep_poll_multishot(entry, watch->fd, POLLIN | POLLOUT | (unsigned)EPOLLRDHUP | (unsigned)EPOLLET);
    entry->user_data = watch->id;
    return 0;
}

/* An armed poll keeps the file open, so the cancellation goes to the kernel at once: a socket that is closed after it
 * sends its FIN even if nobody drives the loop any more. */
static void uring_disarm(mrpc_loop *loop, mrpc_watch *watch)
{
    struct io_uring_sqe *entry = request(loop);
    if (entry == NULL)
        return;                                  /* then the poll ends with the ring */
    io_uring_prep_cancel64(entry, watch->id, 0); /* a poll's removal fails while an event of it is being handled */
    entry->user_data = 0;
    loop->counters.waits++;
    io_uring_submit_and_get_events(loop->state);
}

/* True when the kernel has completions that it puts in the queue when it is entered. */
static bool has_work(const struct io_uring *ring)
{
    unsigned flags = __atomic_load_n(ring->sq.kflags, __ATOMIC_RELAXED);
    return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0 || io_uring_sq_ready(ring) > 0;
}

static int peek(mrpc_loop *loop)
{
    if (!has_work(loop->state))
        return 0;
    loop->counters.waits++;
    return io_uring_submit_and_get_events(loop->state);
}

static int sleep_until(mrpc_loop *loop, uint64_t deadline)
{
    struct io_uring_cqe *entry;
    struct __kernel_timespec timeout, *limit = NULL;
    if (deadline != UINT64_MAX) {
        uint64_t now = mrpc_loop_now(loop);
        uint64_t ns = deadline > now ? deadline - now : 0;
        timeout = (struct __kernel_timespec){(int64_t)(ns / 1000000000u), (long long)(ns % 1000000000u)};
        limit = &timeout;
    }
    loop->counters.waits++;
    return io_uring_submit_and_wait_timeout(loop->state, &entry, 1, limit, NULL);
}

static uint32_t events_of(int result)
{
    if (result < 0)
        return LOOP_IN | LOOP_OUT | LOOP_HANGUP | LOOP_ERROR;
    unsigned events = (unsigned)result;
    return (events & (POLLIN | EPOLLRDHUP | POLLHUP | POLLERR) ? LOOP_IN : 0) | (events & POLLOUT ? LOOP_OUT : 0) |
           (events & (EPOLLRDHUP | POLLHUP) ? LOOP_HANGUP : 0) | (events & POLLERR ? LOOP_ERROR : 0);
}

/* Takes one completion out before its callback runs, which may itself submit, and so overflow a queue that is not
 * emptied. */
static int dispatch_one(mrpc_loop *loop)
{
    struct io_uring *ring = loop->state;
    unsigned head = *ring->cq.khead;
    struct io_uring_cqe entry = ring->cq.cqes[head & ring->cq.ring_mask];
    io_uring_cq_advance(ring, 1);
    if (entry.user_data == 0)
        return 0;
    int ran = mrpc_loop_dispatch(loop, entry.user_data, events_of(entry.res));
    /* The kernel ends a multishot when there was no room for a completion. A failed one would fail again. */
    if (!(entry.flags & IORING_CQE_F_MORE) && entry.res >= 0)
        mrpc_loop_rearm(loop, entry.user_data);
    return ran;
}

static int uring_wait(mrpc_loop *loop, uint64_t deadline)
{
    struct io_uring *ring = loop->state;
    unsigned ready = io_uring_cq_ready(ring);
    if (ready == 0) {
        int result = deadline == 0 ? peek(loop) : sleep_until(loop, deadline);
        if (result == -EEXIST)
            return MRPC_EAGAIN;
        if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN && result != -EBUSY)
            return MRPC_ESYS;
        ready = io_uring_cq_ready(ring);
    }
    int ran = 0;
    for (unsigned left = ready < BATCH ? ready : BATCH; left > 0; left--)
        ran += dispatch_one(loop);
    return ran;
}

const mrpc_loop_backend mrpc_loop_uring = {
    .poller = MRPC_POLLER_IO_URING,
    .one_thread = true,
    .open = uring_open,
    .close = uring_close,
    .wait = uring_wait,
    .start = uring_start,
    .arm = uring_arm,
    .disarm = uring_disarm,
};
