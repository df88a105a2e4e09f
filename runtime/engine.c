/* SPDX-License-Identifier: BSD-2-Clause */
/* engine.c - taking the engine, leaving operations to whoever has it, waiting, and handing it over */
#include "config.h"

#include "runtime/engine.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "heap/bias.h"

enum { WORD_IDLE, WORD_SLEEPING, WORD_DONE, WORD_DRIVE };

enum { GUARD_BYTES = 4096, DEFAULT_SPIN_US = 20 };

/* A page that the kernel zeroes in the child of a fork costs one load to look at, where getpid() is a system call. */
static int make_guard(mrpc_engine *engine, mrpc_error *error)
{
    void *page = mmap(NULL, GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory for a runtime");
    if (madvise(page, GUARD_BYTES, MADV_WIPEONFORK) != 0) {
        int reason = errno;
        (void)munmap(page, GUARD_BYTES);
        return mrpc_error_system(error, reason, "madvise(MADV_WIPEONFORK), which needs Linux 4.14 or later");
    }
    engine->unforked = page;
    atomic_store_explicit(engine->unforked, 1, memory_order_relaxed);
    return 0;
}

int mrpc_engine_init(mrpc_engine *engine, const mrpc_runtime_options *options, mrpc_poller poller, mrpc_error *error)
{
    memset(engine, 0, sizeof *engine);
    engine->tasks_end = &engine->tasks;
    engine->dirty_end = &engine->dirty;
    engine->waiters_end = &engine->waiters;
    mrpc_gate_init(&engine->gate);
    int result = make_guard(engine, error);
    if (result != 0)
        return result;
    result = mrpc_loop_new(&engine->loop, poller, options->simulation_seed, error);
    if (result != 0) {
        (void)munmap(engine->unforked, GUARD_BYTES);
        return result;
    }
    engine->simulated = mrpc_loop_poller(engine->loop) == MRPC_POLLER_SIMULATED;
    if (!options->no_spin && !engine->simulated)
        engine->spin_ns = (options->spin_us ? options->spin_us : DEFAULT_SPIN_US) * UINT64_C(1000);
    return 0;
}

void mrpc_engine_finish_tasks(mrpc_engine *engine)
{
    if (!mrpc_engine_enter(engine))
        return;
    while (engine->tasks != NULL)
        mrpc_engine_turn(engine, false);
    atomic_store(&engine->owner, 0);
    (void)!mrpc_gate_leave(&engine->gate);
}

void mrpc_engine_fini(mrpc_engine *engine)
{
    while (atomic_load_explicit(&engine->wakes_done, memory_order_acquire) != engine->wakes_expected)
        (void)sched_yield();
    mrpc_loop_free(engine->loop);
    (void)munmap(engine->unforked, GUARD_BYTES);
}

bool mrpc_engine_inside(const mrpc_engine *engine)
{
    return atomic_load_explicit(&engine->owner, memory_order_relaxed) == mrpc_this_thread();
}

static void become_owner(mrpc_engine *engine)
{
    atomic_store_explicit(&engine->owner, mrpc_this_thread(), memory_order_relaxed);
    engine->waiting_since = 0;
}

static bool try_enter(mrpc_engine *engine, uintptr_t *gate)
{
    if (!mrpc_gate_enter(&engine->gate, gate))
        return false;
    become_owner(engine);
    return true;
}

bool mrpc_engine_enter(mrpc_engine *engine)
{
    uintptr_t gate;
    return try_enter(engine, &gate);
}

/* Puts the operation on the list of an engine that is owned. False: the gate has changed, look again. */
static bool push(mrpc_engine *engine, uintptr_t gate, mrpc_op *op)
{
    bool asleep;
    if (!mrpc_gate_push(&engine->gate, gate, op, &asleep))
        return false;
    if (asleep) {
        /* The engine is not freed before wakes_done says that this is over. */
        mrpc_loop_wake(engine->loop);
        atomic_fetch_add_explicit(&engine->wakes_done, 1, memory_order_release);
    }
    return true;
}

void mrpc_engine_submit(mrpc_engine *engine, mrpc_op *op, bool flush)
{
    if (mrpc_engine_inside(engine)) {
        op->run(engine, op);
        return;
    }
    for (;;) {
        uintptr_t gate;
        if (try_enter(engine, &gate)) {
            op->run(engine, op);
            mrpc_engine_leave(engine, flush);
            return;
        }
        if (push(engine, gate, op))
            return;
    }
}

void mrpc_engine_run_ops(mrpc_engine *engine)
{
    mrpc_op *op = mrpc_gate_take(&engine->gate);
    while (op != NULL) {
        mrpc_op *next = op->next;
        engine->events++;
        op->run(engine, op);
        op = next;
    }
}

/* --- waiters --- */

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void link_waiter(mrpc_engine *engine, mrpc_waiter *waiter)
{
    waiter->next = NULL;
    waiter->place = engine->waiters_end;
    *engine->waiters_end = waiter;
    engine->waiters_end = &waiter->next;
}

static void unlink_waiter(mrpc_engine *engine, mrpc_waiter *waiter)
{
    *waiter->place = waiter->next;
    if (waiter->next != NULL)
        waiter->next->place = waiter->place;
    else
        engine->waiters_end = waiter->place;
    waiter->place = NULL;
}

void mrpc_waiter_expect(mrpc_waiter *waiter, mrpc_waiter **list)
{
    waiter->event_next = *list;
    waiter->event_place = list;
    if (*list != NULL)
        (*list)->event_place = &waiter->event_next;
    *list = waiter;
}

static void stop_expecting(mrpc_waiter *waiter)
{
    if (waiter->event_place == NULL)
        return;
    *waiter->event_place = waiter->event_next;
    if (waiter->event_next != NULL)
        waiter->event_next->event_place = waiter->event_place;
    waiter->event_place = NULL;
}

/* The last thing that is done to a waiter of another thread: its stack may be gone right after its word has changed,
 * which is why the address is all that is used of it then. */
static void rouse(mrpc_engine *engine, mrpc_waiter *waiter, uint32_t word)
{
    _Atomic uint32_t *address = &waiter->word;
    uint32_t idle = WORD_IDLE;
    if (atomic_compare_exchange_strong(address, &idle, word))
        return;
    engine->counters.wakeups_sent++; /* before it is roused: it may drive then, and count too */
    atomic_store(address, word);
    futex_wake(address);
}

void mrpc_engine_complete(mrpc_engine *engine, mrpc_waiter *waiter)
{
    waiter->done = true;
    stop_expecting(waiter);
    if (waiter->timer.place != 0)
        mrpc_loop_stop(engine->loop, &waiter->timer);
    if (waiter->remote) {
        unlink_waiter(engine, waiter);
        rouse(engine, waiter, WORD_DONE);
    }
}

/* The loop may be changing its back end on the driver's thread, so its own function is not for others. */
uint64_t mrpc_engine_now(const mrpc_engine *engine)
{
    struct timespec now;
    if (engine->simulated)
        return mrpc_loop_now(engine->loop);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t mrpc_engine_deadline(const mrpc_engine *engine, int timeout_ms)
{
    return timeout_ms < 0 ? UINT64_MAX : mrpc_engine_now(engine) + (uint64_t)timeout_ms * 1000000;
}

static void time_is_up(mrpc_timer *timer)
{
    mrpc_waiter *waiter = (mrpc_waiter *)((char *)timer - offsetof(mrpc_waiter, timer));
    waiter->result = MRPC_ETIMEDOUT;
    mrpc_engine_complete(waiter->engine, waiter);
}

static void begin_waiting(mrpc_engine *engine, mrpc_op *op)
{
    mrpc_waiter *waiter = (mrpc_waiter *)op;
    if (waiter->remote)
        link_waiter(engine, waiter);
    if (waiter->until != UINT64_MAX && mrpc_loop_start(engine->loop, &waiter->timer, waiter->until) != 0) {
        waiter->result = MRPC_ENOMEM;
        mrpc_engine_complete(engine, waiter);
        return;
    }
    waiter->begin(engine, waiter);
}

void mrpc_engine_drive(mrpc_engine *engine, mrpc_waiter *waiter)
{
    while (!waiter->done)
        mrpc_engine_turn(engine, true);
    mrpc_engine_leave(engine, true);
}

static void sleep_until_roused(mrpc_engine *engine, mrpc_waiter *waiter)
{
    uint32_t word = WORD_IDLE;
    if (atomic_compare_exchange_strong(&waiter->word, &word, WORD_SLEEPING)) {
        while ((word = atomic_load(&waiter->word)) == WORD_SLEEPING)
            futex_wait(&waiter->word, WORD_SLEEPING);
    }
    if (word == WORD_DRIVE) {
        become_owner(engine);
        mrpc_engine_drive(engine, waiter);
    }
}

int mrpc_engine_wait(mrpc_engine *engine, mrpc_waiter *waiter)
{
    waiter->engine = engine;
    waiter->op.run = begin_waiting;
    waiter->timer = (mrpc_timer){.expired = time_is_up};
    waiter->event_place = NULL;
    waiter->result = 0;
    waiter->done = false;
    atomic_init(&waiter->word, WORD_IDLE);
    if (mrpc_engine_inside(engine))
        return MRPC_EDEADLK;
    for (;;) {
        uintptr_t gate;
        waiter->remote = false;
        if (try_enter(engine, &gate)) {
            begin_waiting(engine, &waiter->op);
            mrpc_engine_drive(engine, waiter);
            return 0;
        }
        waiter->remote = true;
        if (push(engine, gate, &waiter->op)) {
            sleep_until_roused(engine, waiter);
            return 0;
        }
    }
}

/* --- leaving --- */

static void hand_over(mrpc_engine *engine, mrpc_waiter *waiter)
{
    unlink_waiter(engine, waiter);
    waiter->remote = false;
    atomic_store_explicit(&engine->owner, 0, memory_order_relaxed);
    rouse(engine, waiter, WORD_DRIVE);
}

/* Nobody drives from now on, so whoever watches the descriptor must be told of all that comes. */
static void prepare_descriptor(mrpc_engine *engine)
{
    if (engine->fd_used && (engine->tasks != NULL || !mrpc_engine_arm(engine)))
        mrpc_loop_wake(engine->loop);
}

void mrpc_engine_leave(mrpc_engine *engine, bool flush)
{
    for (;;) {
        uint64_t before = engine->events;
        mrpc_engine_run_ops(engine);
        if (flush || engine->events != before)
            mrpc_engine_flush(engine);
        if (engine->waiters != NULL) {
            hand_over(engine, engine->waiters);
            return;
        }
        prepare_descriptor(engine);
        uint32_t drops = engine->drops;
        void (*unref)(mrpc_engine *) = engine->unref;
        engine->drops = 0;
        atomic_store_explicit(&engine->owner, 0, memory_order_relaxed);
        if (mrpc_gate_leave(&engine->gate)) {
            for (; drops > 0; drops--)
                unref(engine);
            return;
        }
        become_owner(engine);
        engine->drops = drops;
    }
}

/* --- exclusive work --- */

typedef struct exclusive {
    mrpc_waiter waiter;
    void (*function)(void *argument);
    void *argument;
} exclusive;

static void run_exclusive(mrpc_engine *engine, mrpc_waiter *waiter)
{
    exclusive *work = (exclusive *)waiter;
    work->function(work->argument);
    mrpc_engine_complete(engine, waiter);
}

int mrpc_engine_run_exclusive(mrpc_engine *engine, void (*function)(void *argument), void *argument)
{
    if (mrpc_engine_forked(engine))
        return MRPC_EFORKED;
    if (mrpc_engine_inside(engine)) {
        function(argument);
        return 0;
    }
    exclusive work = {
        .waiter.begin = run_exclusive, .waiter.until = UINT64_MAX, .function = function, .argument = argument};
    return mrpc_engine_wait(engine, &work.waiter);
}

/* --- signals --- */

void mrpc_engine_signal(mrpc_engine *engine)
{
    atomic_store(&engine->signalled, true);
    mrpc_loop_wake(engine->loop);
}

void mrpc_engine_add_signal(mrpc_engine *engine, mrpc_signal *signal)
{
    signal->next = engine->signals;
    signal->place = &engine->signals;
    if (engine->signals != NULL)
        engine->signals->place = &signal->next;
    engine->signals = signal;
}

void mrpc_engine_remove_signal(mrpc_engine *engine, mrpc_signal *signal)
{
    (void)engine;
    if (signal->place == NULL)
        return;
    *signal->place = signal->next;
    if (signal->next != NULL)
        signal->next->place = signal->place;
    signal->place = NULL;
}
