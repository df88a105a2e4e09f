/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.h - waiting for descriptors and times: io_uring, epoll, or a virtual clock
 *
 * Used by one thread at a time, the one that drives the engine; which thread that is may change between calls. Only
 * mrpc_loop_wake() may be called from anywhere, signal handlers included.
 */
#ifndef MRPC_TRANSPORTS_LOOP_H
#define MRPC_TRANSPORTS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <mrpc/error.h>
#include <mrpc/runtime.h>

typedef struct mrpc_loop mrpc_loop;
typedef struct mrpc_watch mrpc_watch;
typedef struct mrpc_timer mrpc_timer;
typedef struct mrpc_remnant mrpc_remnant;

enum { LOOP_IN = 1, LOOP_OUT = 2, LOOP_HANGUP = 4, LOOP_ERROR = 8 };

/* A descriptor that is watched, edge-triggered: `ready` runs when it becomes readable, writable, or hangs up (the peer
 * has sent its last byte), or has an error or a notice in its error queue; then read or write until EAGAIN or a short
 * count. The owner of the struct keeps it in place from add to remove. */
struct mrpc_watch {
    void (*ready)(mrpc_watch *watch, uint32_t events);
    int fd;
    uint32_t state; /* the loop's own from here on */
    uint64_t id;
};

/* A time at which `expired` runs, once. In place from start until it has run or was stopped. Zero-initialise. */
struct mrpc_timer {
    void (*expired)(mrpc_timer *timer);
    uint64_t at;    /* ns on the loop's clock */
    uint32_t place; /* the loop's own: position in its heap + 1; 0: not started */
};

/* What goes on by itself when its owner has gone, such as a socket whose last bytes are still under way. `end` runs
 * when the loop is freed, if it is still there, and takes it out. */
struct mrpc_remnant {
    void (*end)(mrpc_remnant *remnant);
    mrpc_remnant *next, **place; /* the loop's own */
};

/* Counts of system calls, for mrpc_counters. */
typedef struct mrpc_loop_counters {
    uint64_t waits;
    uint64_t wakeups;
} mrpc_loop_counters;

/* MRPC_POLLER_AUTO takes io_uring if it can be set up here. Errors: ENOTSUP (io_uring was asked for and can't be had;
 * says why), ESYS, ENOMEM. */
MRPC_MUST_CHECK int mrpc_loop_new(mrpc_loop **loop, mrpc_poller poller, uint64_t seed, mrpc_error *error);
void mrpc_loop_free(mrpc_loop *loop);

/* Which one it is. Never AUTO. A loop over io_uring goes on with epoll while several threads drive it by turns, and
 * once mrpc_loop_fd() was called. */
mrpc_poller mrpc_loop_poller(const mrpc_loop *loop);

/* ns; CLOCK_MONOTONIC, read anew by each call; or the virtual clock. */
uint64_t mrpc_loop_now(const mrpc_loop *loop);

/* Watches watch->fd. Errors: ENOMEM, ESYS. Not for simulated loops. */
MRPC_MUST_CHECK int mrpc_loop_add(mrpc_loop *loop, mrpc_watch *watch);
/* After it `ready` does not run any more and the descriptor may be closed. Also from within any `ready`. */
void mrpc_loop_remove(mrpc_loop *loop, mrpc_watch *watch);

/* Starts a timer, or moves one that is started. ENOMEM. O(log n). */
MRPC_MUST_CHECK int mrpc_loop_start(mrpc_loop *loop, mrpc_timer *timer, uint64_t at);
void mrpc_loop_stop(mrpc_loop *loop, mrpc_timer *timer);
/* When the next timer expires; UINT64_MAX when none is started. */
uint64_t mrpc_loop_next(const mrpc_loop *loop);

void mrpc_loop_leave(mrpc_loop *loop, mrpc_remnant *remnant);
void mrpc_loop_take_back(mrpc_remnant *remnant);

/* Runs what is ready: expired timers and events of descriptors. When nothing is, sleeps until something is, `until` (ns
 * on the loop's clock) has come, or it is woken. `until` of 0: does not sleep, and makes at most one system call.
 * Returns how many callbacks ran, or ESYS. A simulated loop moves its clock to the next timer instead of sleeping. */
int mrpc_loop_run(mrpc_loop *loop, uint64_t until);

/* Makes a mrpc_loop_run() that sleeps, or the next one that would, return. One system call at most. */
void mrpc_loop_wake(mrpc_loop *loop);

/* A descriptor that is readable while mrpc_loop_run(loop, 0) would run something, timers included; made on first use.
 * ESYS, ENOTSUP (simulated). */
MRPC_MUST_CHECK int mrpc_loop_fd(mrpc_loop *loop);

void mrpc_loop_get_counters(const mrpc_loop *loop, mrpc_loop_counters *counters);

/* The buffers that the connections of this loop share; see transports/stream/buffers.h. */
struct mrpc_buffers *mrpc_loop_buffers(mrpc_loop *loop);

/* What a transport keeps for a loop beyond its connections. The owner of the struct is the transport; `end` runs in
 * mrpc_loop_free(), while watches can still be removed, and frees it. */
typedef struct mrpc_attachment mrpc_attachment;
struct mrpc_attachment {
    const void *key; /* an address of the transport's own, to find it by */
    void (*end)(mrpc_attachment *attachment);
    mrpc_attachment *next;
};
void mrpc_loop_attach(mrpc_loop *loop, mrpc_attachment *attachment);
/* NULL: there is none with that key. */
mrpc_attachment *mrpc_loop_attachment(const mrpc_loop *loop, const void *key);

/* Random numbers of a simulated loop, from its seed: the only source of chance in a simulation. */
uint64_t mrpc_loop_random(mrpc_loop *loop);

#endif /* MRPC_TRANSPORTS_LOOP_H */
