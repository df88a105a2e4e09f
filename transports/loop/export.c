/* SPDX-License-Identifier: BSD-2-Clause */
/* export.c - one descriptor for all that a loop waits for, made on first use */
#include "config.h"

#include "transports/loop/export.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int include_fd(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : MRPC_ESYS;
}

static void set_timer(mrpc_loop *loop)
{
    uint64_t next = mrpc_timers_next(&loop->timers);
    if (next == loop->timer_set)
        return;
    loop->timer_set = next;
    struct itimerspec at = {0}; /* all zero: off */
    if (next != UINT64_MAX) {
        at.it_value.tv_sec = (time_t)(next / UINT64_C(1000000000));
        at.it_value.tv_nsec = (long)(next % UINT64_C(1000000000));
        if (next == 0)
            at.it_value.tv_nsec = 1; /* long ago */
    }
    timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void mrpc_loop_export_settle(mrpc_loop *loop)
{
    if (loop->exported >= 0)
        set_timer(loop);
}

void mrpc_loop_export_close(mrpc_loop *loop)
{
    if (loop->exported < 0)
        return;
    close(loop->exported);
    close(loop->timer_fd);
    loop->exported = loop->timer_fd = -1;
}

int mrpc_loop_fd(mrpc_loop *loop)
{
    if (loop->exported >= 0)
        return loop->exported;
    /* A ring that defers its work to the thread that enters it does not become readable when there is some. */
    int failure = mrpc_loop_use_epoll(loop);
    if (failure != 0)
        return failure;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        return MRPC_ESYS;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer < 0)
        goto no_timer;
    if (include_fd(epoll, timer) != 0 || include_fd(epoll, loop->backend->descriptor(loop)) != 0)
        goto not_included;
    loop->exported = epoll;
    loop->timer_fd = timer;
    loop->timer_set = UINT64_MAX;
    mrpc_loop_export_settle(loop);
    return epoll;

not_included:
    close(timer);
no_timer:
    close(epoll);
    return MRPC_ESYS;
}
