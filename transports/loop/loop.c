/* SPDX-License-Identifier: BSD-2-Clause */
/* loop.c - what all loops share: running timers and events, waking, and following the thread that drives */
#include "config.h"

#include "transports/loop/backend.h"
#include "transports/loop/export.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { SETTLED = 256 /* runs in a row by one thread after which the loop trusts that this thread stays */ };

/* --- following the thread that drives --- */

static int begin(mrpc_loop *loop)
{
    int failure = loop->backend->start(loop);
    return failure != 0 ? failure : mrpc_loop_arm_all(loop);
}

/* Goes on with another backend. On failure the old one is still there. */
static int move_to(mrpc_loop *loop, const mrpc_loop_backend *to)
{
    const mrpc_loop_backend *from = loop->backend;
    void *old = loop->state;
    int failure = to->open(loop, 0, NULL);
    if (failure != 0) {
        loop->state = old;
        return failure;
    }
    loop->backend = to;
    failure = begin(loop);
    void *made = loop->state;
    loop->state = failure == 0 ? old : made;
    (failure == 0 ? from : to)->close(loop);
    loop->state = failure == 0 ? made : old;
    loop->backend = failure == 0 ? to : from;
    return failure;
}

/* When the kernel has no memory for all watches the next run goes on with those that are left. With a ring it would arm
 * the others twice, so that epoll takes over. */
static int begin_first(mrpc_loop *loop)
{
    int failure = begin(loop);
    if (failure != 0 && loop->backend->one_thread)
        failure = move_to(loop, &mrpc_loop_epoll);
    loop->started = failure == 0;
    return failure;
}

/* A ring that several threads use costs more than epoll does, one that is used by one thread alone costs less. So the
 * ring belongs to the first thread that drives; when another one comes, the loop goes on with epoll, and takes a new
 * ring when one thread has stayed. */
static int follow(mrpc_loop *loop, bool counts)
{
    pthread_t self = pthread_self();
    if (!loop->started) {
        loop->driver = self;
        return begin_first(loop);
    }
    if (!pthread_equal(loop->driver, self)) {
        loop->driver = self;
        loop->streak = 0;
        return loop->backend->one_thread ? move_to(loop, &mrpc_loop_epoll) : 0;
    }
    if (loop->backend != loop->preferred && counts && loop->exported < 0 && ++loop->streak > SETTLED + loop->watches) {
        loop->streak = 0;
        (void)move_to(loop, loop->preferred); /* or stays: no harm */
    }
    return 0;
}

int mrpc_loop_use_epoll(mrpc_loop *loop)
{
    if (loop->backend->arm == NULL)
        return MRPC_ENOTSUP;
    if (loop->started && !loop->backend->one_thread)
        return 0;
    int failure = move_to(loop, &mrpc_loop_epoll);
    if (failure == 0)
        loop->started = true;
    return failure;
}

/* --- the interface --- */

const mrpc_loop_backend *mrpc_loop_backend_of(mrpc_poller poller)
{
    switch (poller) {
#ifdef HAVE_LIBURING
    case MRPC_POLLER_AUTO:
    case MRPC_POLLER_IO_URING:
        return &mrpc_loop_uring;
#else
    case MRPC_POLLER_AUTO:
#endif
    case MRPC_POLLER_EPOLL:
        return &mrpc_loop_epoll;
    case MRPC_POLLER_SIMULATED:
        return &mrpc_loop_simulated;
    default:
        return NULL;
    }
}

static int no_backend(mrpc_poller poller, mrpc_error *error)
{
    if (poller != MRPC_POLLER_IO_URING)
        return mrpc_error_set(error, MRPC_EINVAL, "poller %d is none of mrpc_poller", (int)poller);
    return mrpc_error_set(error, MRPC_ENOTSUP,
                          "io_uring: this mrpc was built without liburing; use the poller epoll, or build it with "
                          "liburing-dev installed");
}

static int open_backend(mrpc_loop *loop, mrpc_poller poller, uint64_t seed, mrpc_error *error)
{
    const mrpc_loop_backend *backend = mrpc_loop_backend_of(poller);
    if (backend == NULL)
        return no_backend(poller, error);
    int failure = backend->open(loop, seed, error);
    if (failure != 0 && poller == MRPC_POLLER_AUTO && backend != &mrpc_loop_epoll) {
        backend = &mrpc_loop_epoll;
        failure = backend->open(loop, seed, error);
    }
    loop->backend = loop->preferred = backend;
    return failure;
}

static void wake_ready(mrpc_watch *watch, uint32_t events)
{
    (void)events;
    mrpc_loop *loop = (mrpc_loop *)((char *)watch - offsetof(mrpc_loop, wake_watch));
    /* The eventfd is never read: each write is an edge, and its counter has room for 2^64 of them. */
    atomic_store(&loop->woken, 0);
}

static int open_wake(mrpc_loop *loop, mrpc_error *error)
{
    if (loop->backend->arm == NULL)
        return 0;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return mrpc_error_system(error, errno, "event loop: eventfd");
    loop->wake_watch = (mrpc_watch){.ready = wake_ready, .fd = fd};
    return mrpc_loop_slot_take(loop, &loop->wake_watch) != 0
               ? mrpc_error_set(error, MRPC_ENOMEM, "event loop: no memory")
               : 0;
}

int mrpc_loop_new(mrpc_loop **result, mrpc_poller poller, uint64_t seed, mrpc_error *error)
{
    mrpc_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "event loop: no memory");
    loop->wake_watch.fd = loop->exported = loop->timer_fd = -1;
    int failure = open_backend(loop, poller, seed, error);
    if (failure != 0)
        goto no_backend;
    failure = open_wake(loop, error);
    if (failure != 0)
        goto no_wake;
    *result = loop;
    return 0;

no_wake:
    if (loop->wake_watch.fd >= 0)
        close(loop->wake_watch.fd);
    loop->backend->close(loop);
no_backend:
    free(loop);
    return failure;
}

void mrpc_loop_free(mrpc_loop *loop)
{
    if (loop == NULL)
        return;
    while (loop->remnants != NULL)
        loop->remnants->end(loop->remnants);
    while (loop->attachments != NULL) {
        mrpc_attachment *attachment = loop->attachments;
        loop->attachments = attachment->next;
        attachment->end(attachment);
    }
    mrpc_loop_export_close(loop);
    loop->backend->close(loop);
    if (loop->wake_watch.fd >= 0)
        close(loop->wake_watch.fd);
    mrpc_timers_clear(&loop->timers);
    mrpc_buffers_clear(&loop->buffers);
    free(loop->slots);
    free(loop);
}

mrpc_poller mrpc_loop_poller(const mrpc_loop *loop)
{
    return loop->preferred->poller;
}

uint64_t mrpc_loop_now(const mrpc_loop *loop)
{
    if (loop->backend->now != NULL)
        return loop->backend->now(loop);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int mrpc_loop_add(mrpc_loop *loop, mrpc_watch *watch)
{
    if (loop->backend->arm == NULL)
        return MRPC_ENOTSUP;
    /* Before the watch is in the table: a change of back ends arms all that are. */
    int failure = loop->started ? follow(loop, false) : 0;
    if (failure == 0)
        failure = mrpc_loop_slot_take(loop, watch);
    if (failure != 0 || !loop->started) /* the first run arms it: only then is it known which thread drives */
        return failure;
    failure = loop->backend->arm(loop, watch);
    if (failure != 0)
        mrpc_loop_slot_give(loop, watch);
    return failure;
}

void mrpc_loop_remove(mrpc_loop *loop, mrpc_watch *watch)
{
    if (watch->id == 0)
        return;
    if (loop->started) {
        (void)follow(loop, false); /* if that fails, so does the next run, and says it */
        loop->backend->disarm(loop, watch);
    }
    mrpc_loop_slot_give(loop, watch);
}

int mrpc_loop_start(mrpc_loop *loop, mrpc_timer *timer, uint64_t at)
{
    int failure = mrpc_timers_set(&loop->timers, timer, at);
    if (failure == 0 && !loop->running)
        mrpc_loop_export_settle(loop);
    return failure;
}

void mrpc_loop_stop(mrpc_loop *loop, mrpc_timer *timer)
{
    mrpc_timers_remove(&loop->timers, timer);
}

void mrpc_loop_leave(mrpc_loop *loop, mrpc_remnant *remnant)
{
    remnant->next = loop->remnants;
    remnant->place = &loop->remnants;
    if (remnant->next != NULL)
        remnant->next->place = &remnant->next;
    loop->remnants = remnant;
}

void mrpc_loop_take_back(mrpc_remnant *remnant)
{
    *remnant->place = remnant->next;
    if (remnant->next != NULL)
        remnant->next->place = remnant->place;
}

uint64_t mrpc_loop_next(const mrpc_loop *loop)
{
    return mrpc_timers_next(&loop->timers);
}

/* Timers that are started meanwhile for a time that has come wait for the next run, or they could keep it from ever
 * ending. */
static int run_timers(mrpc_loop *loop)
{
    if (loop->timers.count == 0)
        return 0;
    uint64_t now = mrpc_loop_now(loop);
    uint32_t budget = loop->timers.count;
    int ran = 0;
    for (mrpc_timer *timer; budget-- > 0 && (timer = mrpc_timers_pop(&loop->timers, now)) != NULL; ran++)
        timer->expired(timer);
    return ran;
}

/* Until when to sleep; 0: not at all. */
static uint64_t sleep_until(mrpc_loop *loop, uint64_t until)
{
    if (until == 0 || (atomic_load(&loop->woken) != 0 && atomic_exchange(&loop->woken, 0) != 0))
        return 0;
    uint64_t next = mrpc_timers_next(&loop->timers);
    return next < until ? next : until;
}

static int wait_for_events(mrpc_loop *loop, uint64_t deadline)
{
    int failure = loop->backend->start != NULL ? follow(loop, deadline != 0) : 0;
    if (failure != 0)
        return failure;
    int ran = loop->backend->wait(loop, deadline);
    if (ran != MRPC_EAGAIN)
        return ran;
    /* Another thread has got the handle of the one that had the ring. */
    failure = move_to(loop, &mrpc_loop_epoll);
    return failure != 0 ? failure : loop->backend->wait(loop, deadline);
}

int mrpc_loop_run(mrpc_loop *loop, uint64_t until)
{
    loop->running = true;
    int ran = run_timers(loop);
    uint64_t deadline = ran > 0 ? 0 : sleep_until(loop, until);
    int events = wait_for_events(loop, deadline);
    if (events >= 0) {
        ran += events;
        if (deadline != 0)
            ran += run_timers(loop);
    }
    loop->running = false;
    mrpc_loop_export_settle(loop);
    return events < 0 ? MRPC_ESYS : ran;
}

void mrpc_loop_wake(mrpc_loop *loop)
{
    if (atomic_exchange(&loop->woken, 1) != 0 || loop->wake_watch.fd < 0)
        return;
    int saved = errno; /* a signal handler may be what calls */
    uint64_t one = 1;
    ssize_t written = write(loop->wake_watch.fd, &one, sizeof one);
    (void)written; /* it can fail only when the counter is full, and then the descriptor is readable anyway */
    atomic_fetch_add_explicit(&loop->wakeups, 1, memory_order_relaxed);
    errno = saved;
}

void mrpc_loop_get_counters(const mrpc_loop *loop, mrpc_loop_counters *counters)
{
    *counters = loop->counters;
    counters->wakeups = atomic_load_explicit(&loop->wakeups, memory_order_relaxed);
}

struct mrpc_buffers *mrpc_loop_buffers(mrpc_loop *loop)
{
    return &loop->buffers;
}

void mrpc_loop_attach(mrpc_loop *loop, mrpc_attachment *attachment)
{
    attachment->next = loop->attachments;
    loop->attachments = attachment;
}

mrpc_attachment *mrpc_loop_attachment(const mrpc_loop *loop, const void *key)
{
    mrpc_attachment *attachment = loop->attachments;
    while (attachment != NULL && attachment->key != key)
        attachment = attachment->next;
    return attachment;
}

uint64_t mrpc_loop_random(mrpc_loop *loop)
{
    return loop->backend->random != NULL ? loop->backend->random(loop) : 0;
}
