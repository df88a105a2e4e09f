/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll.c - the loop over epoll, edge-triggered: for where io_uring is not to be had, and for threads that take turns
 */
#include "config.h"

#include "transports/loop/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64 };

typedef struct epoll_state {
    int fd;
    bool no_pwait2; /* the kernel is older than 5.11: sleeps are in milliseconds */
    struct epoll_event events[BATCH];
} epoll_state;

static int epoll_open(mrpc_loop *loop, uint64_t seed, mrpc_error *error)
{
    (void)seed;
    epoll_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "event loop: no memory");
    state->fd = epoll_create1(EPOLL_CLOEXEC);
    if (state->fd < 0) {
        free(state);
        return mrpc_error_system(error, errno, "event loop: epoll_create1");
    }
    loop->state = state;
    return 0;
}

static void epoll_close(mrpc_loop *loop)
{
    epoll_state *state = loop->state;
    close(state->fd);
    free(state);
}

static int epoll_start(mrpc_loop *loop)
{
    (void)loop;
    return 0;
}

static int epoll_arm(mrpc_loop *loop, mrpc_watch *watch)
{
    epoll_state *state = loop->state;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = watch->id};
    if (epoll_ctl(state->fd, EPOLL_CTL_ADD, watch->fd, &event) == 0)
        return 0;
    /* An earlier run armed it, and then not all others. */
    if (errno == EEXIST && epoll_ctl(state->fd, EPOLL_CTL_MOD, watch->fd, &event) == 0)
        return 0;
    return errno == ENOMEM ? MRPC_ENOMEM : MRPC_ESYS;
}

static void epoll_disarm(mrpc_loop *loop, mrpc_watch *watch)
{
    epoll_state *state = loop->state;
    epoll_ctl(state->fd, EPOLL_CTL_DEL, watch->fd, NULL);
}

static int epoll_descriptor(const mrpc_loop *loop)
{
    return ((const epoll_state *)loop->state)->fd;
}

/* Milliseconds, rounded up: to wake early would mean to spin until the time has come. */
static int milliseconds(uint64_t ns)
{
    uint64_t ms = ns / 1000000 + (ns % 1000000 != 0);
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static int sleep_for(epoll_state *state, uint64_t ns)
{
    if (!state->no_pwait2) {
        struct timespec timeout = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
        int count = epoll_pwait2(state->fd, state->events, BATCH, &timeout, NULL);
        if (count >= 0 || errno != ENOSYS)
            return count;
        state->no_pwait2 = true;
    }
    return epoll_wait(state->fd, state->events, BATCH, milliseconds(ns));
}

static int wait_kernel(mrpc_loop *loop, uint64_t deadline)
{
    epoll_state *state = loop->state;
    loop->counters.waits++;
    if (deadline == 0)
        return epoll_wait(state->fd, state->events, BATCH, 0);
    if (deadline == UINT64_MAX)
        return epoll_wait(state->fd, state->events, BATCH, -1);
    uint64_t now = mrpc_loop_now(loop);
    return sleep_for(state, deadline > now ? deadline - now : 0);
}

static uint32_t events_of(uint32_t events)
{
    return (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? LOOP_IN : 0) | (events & EPOLLOUT ? LOOP_OUT : 0) |
           (events & (EPOLLRDHUP | EPOLLHUP) ? LOOP_HANGUP : 0) | (events & EPOLLERR ? LOOP_ERROR : 0);
}

static int epoll_wait_events(mrpc_loop *loop, uint64_t deadline)
{
    epoll_state *state = loop->state;
    int count = wait_kernel(loop, deadline);
    if (count < 0)
        return errno == EINTR ? 0 : MRPC_ESYS;
    int ran = 0;
    for (int i = 0; i < count; i++)
        ran += mrpc_loop_dispatch(loop, state->events[i].data.u64, events_of(state->events[i].events));
    return ran;
}

const mrpc_loop_backend mrpc_loop_epoll = {
    .poller = MRPC_POLLER_EPOLL,
    .open = epoll_open,
    .close = epoll_close,
    .wait = epoll_wait_events,
    .start = epoll_start,
    .arm = epoll_arm,
    .disarm = epoll_disarm,
    .descriptor = epoll_descriptor,
};
