/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.h - who drives: exclusive ownership of a loop and of all that hangs on it
 *
 * The gate (gate.h) is all that threads share. Whoever takes it drives: runs the loop and touches connections, calls,
 * timers and the module table without any further lock. Whoever finds it owned leaves an operation to the driver, and
 * wakes that one only if it sleeps in the kernel. The gate is given up only while there are no operations, so none is
 * ever left behind.
 *
 * A thread that blocks leaves a waiter in the same way and sleeps on the waiter's word, until the driver completes it
 * or hands the driving over to it.
 */
#ifndef MRPC_RUNTIME_ENGINE_H
#define MRPC_RUNTIME_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <mrpc/runtime.h>

#include "runtime/gate.h"
#include "transports/transport.h"

/* What the driver does at the top of its round, never nested: deliveries to the application, clean-up. */
typedef struct mrpc_task {
    struct mrpc_task *next;
    void (*run)(mrpc_engine *engine, struct mrpc_task *task);
    bool queued;
} mrpc_task;

/* Work that a signal handler may ask for: `run` is called on the driver after mrpc_engine_signal(). */
typedef struct mrpc_signal {
    struct mrpc_signal *next, **place;
    void (*run)(mrpc_engine *engine, struct mrpc_signal *signal);
} mrpc_signal;

/* A thread that waits for something. On its stack. */
typedef struct mrpc_waiter mrpc_waiter;
struct mrpc_waiter {
    mrpc_op op;
    void (*begin)(mrpc_engine *engine, mrpc_waiter *waiter); /* runs once, on the driver; may complete the waiter */
    mrpc_engine *engine;
    mrpc_waiter *next, **place;             /* in engine->waiters, while its thread sleeps */
    mrpc_waiter *event_next, **event_place; /* in a list of those who wait for one event, see mrpc_waiter_expect */
    mrpc_timer timer;
    uint64_t until; /* UINT64_MAX: for ever */
    int result;     /* of the wait: 0, MRPC_ETIMEDOUT, MRPC_ENOMEM */
    bool done;
    bool remote; /* another thread than its own drives */
    _Atomic uint32_t word;
};

/* A connection as the engine sees it. */
typedef struct mrpc_line {
    mrpc_connection *connection; /* NULL: closed */
    struct mrpc_line *dirty_next;
    struct mrpc_line *next, **place; /* in engine->active */
    bool dirty;                      /* something was committed since the last flush */
} mrpc_line;

struct mrpc_engine {
    mrpc_gate gate;
    _Atomic uintptr_t owner;    /* the driver's pthread_self(), 0 when there is none */
    _Atomic uint32_t *unforked; /* 1; reads 0 in a child of fork() */
    mrpc_loop *loop;
    mrpc_task *tasks, **tasks_end;
    mrpc_line *dirty, **dirty_end;
    mrpc_line *active;    /* those that are polled; all others are armed */
    mrpc_line *poll_next; /* where a walk over `active` goes on */
    uint32_t active_count;
    mrpc_waiter *waiters, **waiters_end;
    mrpc_waiter *pollers; /* waiters that any event completes */
    mrpc_signal *signals;
    _Atomic bool signalled;
    uint64_t events;      /* things that were done, so that a round knows whether it did any */
    uint32_t busy_rounds; /* in a row that did not look at the network */
    uint32_t unasked;     /* looks in a row that did not ask the loop */
    /* spinning */
    uint64_t spin_ns;
    uint64_t waiting_since;
    uint64_t looked; /* when the loop was last asked while spinning */
    uint32_t short_gaps, short_gaps_needed;
    bool spun;
    bool simulated;
    bool fd_used;
    _Atomic bool woken;
    int loop_error;
    uint32_t drops; /* references to give back when the engine is left */
    void (*unref)(mrpc_engine *engine);
    void (*settle_drops)(mrpc_engine *engine); /* gives back what can be given back while it is driven */
    uint32_t wakes_expected;
    _Atomic uint32_t wakes_done; /* by other threads; they are equal before the engine may be freed */
    mrpc_counters counters;
};

/* Errors: those of mrpc_loop_new, ENOMEM. */
MRPC_MUST_CHECK int mrpc_engine_init(mrpc_engine *engine, const mrpc_runtime_options *options, mrpc_poller poller,
                                     mrpc_error *error);
/* Nobody uses the engine any more: does what is left to be done, such as freeing connections that were closed. */
void mrpc_engine_finish_tasks(mrpc_engine *engine);
void mrpc_engine_fini(mrpc_engine *engine);

static inline bool mrpc_engine_forked(const mrpc_engine *engine)
{
    return atomic_load_explicit(engine->unforked, memory_order_relaxed) == 0;
}

/* Whether the calling thread drives, that is, whether this is a handler or callback. */
bool mrpc_engine_inside(const mrpc_engine *engine);

/* Takes the engine if nobody has it; then the caller must leave it. */
MRPC_MUST_CHECK bool mrpc_engine_enter(mrpc_engine *engine);
/* Gives the engine up: finishes what other threads asked for, hands the driving to one that waits. The engine may be
 * gone after it. `flush`: what was committed leaves now. */
void mrpc_engine_leave(mrpc_engine *engine, bool flush);

/* Has the operation run: at once when the caller drives or nobody does, else by the driver. Never blocks. */
void mrpc_engine_submit(mrpc_engine *engine, mrpc_op *op, bool flush);

/* Has waiter->begin run and waits until mrpc_engine_complete(). 0 (see waiter->result), or EDEADLK. */
MRPC_MUST_CHECK int mrpc_engine_wait(mrpc_engine *engine, mrpc_waiter *waiter);
/* Once the calling thread has the engine: drives until the waiter is complete, and leaves. For callers that want no
 * begin. */
void mrpc_engine_drive(mrpc_engine *engine, mrpc_waiter *waiter);
/* The loop's clock, for any thread. */
uint64_t mrpc_engine_now(const mrpc_engine *engine);
/* The loop time at which `timeout_ms` from now is over; negative: never. Any thread. */
uint64_t mrpc_engine_deadline(const mrpc_engine *engine, int timeout_ms);
/* On the driver. The waiter must not be touched after it. */
void mrpc_engine_complete(mrpc_engine *engine, mrpc_waiter *waiter);

/* Runs `function` on the engine, between two messages and with nothing of a call under way, and waits for it. From any
 * thread, handlers included. EFORKED. */
MRPC_MUST_CHECK int mrpc_engine_run_exclusive(mrpc_engine *engine, void (*function)(void *argument), void *argument);

/* Runs what can be run, and when nothing can be and `wait` is set, waits for something. For the driver. */
void mrpc_engine_turn(mrpc_engine *engine, bool wait);

/* From any thread and signal handlers: all signals' `run` will be called. */
void mrpc_engine_signal(mrpc_engine *engine);
void mrpc_engine_add_signal(mrpc_engine *engine, mrpc_signal *signal);
void mrpc_engine_remove_signal(mrpc_engine *engine, mrpc_signal *signal);

/* The rest is for the driver. */
void mrpc_engine_queue(mrpc_engine *engine, mrpc_task *task);
/* Something was committed on the line: it is flushed at the end of the round, and polled for an answer. */
void mrpc_engine_touch(mrpc_engine *engine, mrpc_line *line);
/* Something came on the line: it is polled from now on. */
void mrpc_engine_activate(mrpc_engine *engine, mrpc_line *line);
void mrpc_engine_forget(mrpc_engine *engine, mrpc_line *line);
/* Enters a waiter in a list, which it leaves when it is complete, and so when its time is up. */
void mrpc_waiter_expect(mrpc_waiter *waiter, mrpc_waiter **list);
/* What turn.c and engine.c share: runs what other threads left; sends what was committed; arms the active lines, false
 * when something has come on one of them meanwhile. */
void mrpc_engine_run_ops(mrpc_engine *engine);
void mrpc_engine_flush(mrpc_engine *engine);
bool mrpc_engine_arm(mrpc_engine *engine);

#endif /* MRPC_RUNTIME_ENGINE_H */
