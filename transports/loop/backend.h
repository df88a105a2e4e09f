/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend.h - what differs between loops: how they wait, and what their clock is
 *
 * loop.c keeps the timers, the table of watches, the eventfd for waking and the exported descriptor, and calls one of
 * these for the rest. A backend has no table of its own: it gives the kernel watch->id and hands what comes back to
 * mrpc_loop_dispatch(), which ignores the ids of watches that are gone.
 */
#ifndef MRPC_TRANSPORTS_LOOP_BACKEND_H
#define MRPC_TRANSPORTS_LOOP_BACKEND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "transports/loop/loop.h"
#include "transports/loop/timers.h"
#include "transports/stream/buffers.h"

typedef struct mrpc_loop_backend {
    mrpc_poller poller;
    bool one_thread; /* only the thread of the first start() may use it */

    /* Makes loop->state. ENOTSUP, ESYS, ENOMEM. */
    int (*open)(mrpc_loop *loop, uint64_t seed, mrpc_error *error);
    void (*close)(mrpc_loop *loop);

    /* The clock, ns; NULL: CLOCK_MONOTONIC. */
    uint64_t (*now)(const mrpc_loop *loop);

    /* Runs what is ready now; when nothing is and `deadline` is not 0, sleeps until something is or the deadline has
     * come (UINT64_MAX: none); a virtual clock is set to the deadline instead. loop.c has taken timers and wake-ups
     * into account. Returns how many callbacks ran, or ESYS. EAGAIN: this thread may not use the backend after all.
     * Without events it returns soon after the deadline, or earlier. */
    int (*wait)(mrpc_loop *loop, uint64_t deadline);

    /* For backends that watch descriptors; else NULL. */
    int (*start)(mrpc_loop *loop); /* before the first of the following and of wait, on the thread that drives. ESYS */
    int (*arm)(mrpc_loop *loop, mrpc_watch *watch); /* ENOMEM, ESYS */
    void (*disarm)(mrpc_loop *loop, mrpc_watch *watch);
    int (*descriptor)(const mrpc_loop *loop); /* readable while wait(0) would run something; NULL: there is none */

    /* For simulations; else NULL. */
    uint64_t (*random)(mrpc_loop *loop);
} mrpc_loop_backend;

typedef struct mrpc_loop_slot {
    mrpc_watch *watch;   /* NULL: free */
    uint32_t generation; /* upper half of watch->id, so that what the kernel says about an earlier watch is not taken
                            for this one */
    uint32_t next_free;
} mrpc_loop_slot;

struct mrpc_loop {
    const mrpc_loop_backend *backend;
    void *state;                        /* the backend's own */
    const mrpc_loop_backend *preferred; /* that `backend` is, unless epoll stands in for a ring */
    bool started;
    bool running; /* within mrpc_loop_run */
    mrpc_timers timers;
    mrpc_loop_counters counters; /* `waits` is counted by the backend; `wakeups` stands below */

    mrpc_loop_slot *slots;
    uint32_t slot_count;
    uint32_t slot_free; /* index + 1 of the first free one, 0: none */
    uint32_t watches;

    pthread_t driver;
    uint32_t streak; /* runs in a row by this driver */

    mrpc_watch wake_watch; /* of the eventfd; fd is -1 when simulated */
    _Atomic uint32_t woken;
    _Atomic uint64_t wakeups;

    int exported; /* epoll over the backend's descriptor and the timerfd; -1 until it is asked for */
    int timer_fd;
    uint64_t timer_set; /* what the timerfd is set to */

    mrpc_buffers buffers;
    mrpc_remnant *remnants;
    mrpc_attachment *attachments;
};

/* Gives a watch its number; takes it back. ENOMEM, ELIMIT. */
MRPC_MUST_CHECK int mrpc_loop_slot_take(mrpc_loop *loop, mrpc_watch *watch);
void mrpc_loop_slot_give(mrpc_loop *loop, mrpc_watch *watch);

/* Arms all watches. ENOMEM, ESYS. */
MRPC_MUST_CHECK int mrpc_loop_arm_all(mrpc_loop *loop);

/* Runs the watch that `id` belongs to, if it is still there. Returns how many callbacks ran. */
int mrpc_loop_dispatch(mrpc_loop *loop, uint64_t id, uint32_t events);

/* Arms a watch again whose arming the kernel has ended by itself. */
void mrpc_loop_rearm(mrpc_loop *loop, uint64_t id);

/* The one that a poller stands for, AUTO for the best that was built in; NULL: it was not built in, or there is no such
 * poller. */
const mrpc_loop_backend *mrpc_loop_backend_of(mrpc_poller poller);

extern const mrpc_loop_backend mrpc_loop_epoll, mrpc_loop_uring, mrpc_loop_simulated;

#endif /* MRPC_TRANSPORTS_LOOP_BACKEND_H */
