/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turn.c - one round of the driver: what others left, what is due, what came; then spinning or sleeping
 *
 * Waiting is adaptive. After an event the driver polls the active connections for up to spin_ns, because an answer that
 * comes so soon would cost more to sleep for. When a spin was in vain, spinning stops until so many waits in a row were
 * short that it may pay again; that number doubles with each vain spin, so that a process which shares its core with
 * its peer, where spinning never pays, hardly spins.
 */
#include "config.h"

#include "runtime/engine.h"

#include <time.h>

enum {
    BUSY_ROUNDS = 16,     /* rounds of local work after which the network is looked at all the same */
    POLLED_LINES = 8,     /* above so many active connections the loop is asked once instead of each of them */
    POLLS_PER_CLOCK = 16, /* between two looks at the clock while spinning */
    MOST_UNASKED = 64,    /* looks at lines that always have something, after which the loop is asked all the same */
    LOOK_NS = 10000,      /* how often the loop is asked while spinning: timers, other connections */
    LEAST_SHORT_GAPS = 8,
    MOST_SHORT_GAPS = 4096
};

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* --- lines --- */

void mrpc_engine_activate(mrpc_engine *engine, mrpc_line *line)
{
    if (line->place != NULL)
        return;
    line->next = engine->active;
    line->place = &engine->active;
    if (line->next != NULL)
        line->next->place = &line->next;
    engine->active = line;
    engine->active_count++;
}

static void deactivate(mrpc_engine *engine, mrpc_line *line)
{
    if (line->place == NULL)
        return;
    if (engine->poll_next == line)
        engine->poll_next = line->next;
    *line->place = line->next;
    if (line->next != NULL)
        line->next->place = line->place;
    line->place = NULL;
    engine->active_count--;
}

void mrpc_engine_touch(mrpc_engine *engine, mrpc_line *line)
{
    if (!line->dirty) {
        line->dirty = true;
        line->dirty_next = NULL;
        *engine->dirty_end = line;
        engine->dirty_end = &line->dirty_next;
    }
    mrpc_engine_activate(engine, line);
}

void mrpc_engine_forget(mrpc_engine *engine, mrpc_line *line)
{
    deactivate(engine, line);
    line->connection = NULL;
    if (!line->dirty)
        return;
    mrpc_line **place = &engine->dirty;
    while (*place != line)
        place = &(*place)->dirty_next;
    *place = line->dirty_next;
    if (*place == NULL)
        engine->dirty_end = place;
    line->dirty = false;
}

void mrpc_engine_flush(mrpc_engine *engine)
{
    while (engine->dirty != NULL) {
        mrpc_line *line = engine->dirty;
        engine->dirty = line->dirty_next;
        if (engine->dirty == NULL)
            engine->dirty_end = &engine->dirty;
        line->dirty = false;
        line->connection->transport->flush(line->connection);
    }
}

static bool poll_lines(mrpc_engine *engine)
{
    bool any = false;
    for (mrpc_line *line = engine->active; line != NULL; line = engine->poll_next) {
        engine->poll_next = line->next;
        any |= line->connection->transport->poll(line->connection);
    }
    return any;
}

bool mrpc_engine_arm(mrpc_engine *engine)
{
    for (mrpc_line *line = engine->active; line != NULL; line = engine->poll_next) {
        engine->poll_next = line->next;
        if (!line->connection->transport->arm(line->connection))
            return false;
        deactivate(engine, line);
    }
    return true;
}

/* --- what is due --- */

void mrpc_engine_queue(mrpc_engine *engine, mrpc_task *task)
{
    if (task->queued)
        return;
    task->queued = true;
    task->next = NULL;
    *engine->tasks_end = task;
    engine->tasks_end = &task->next;
}

/* Those that are queued meanwhile wait for the next round, so that the network gets its turn. */
static void run_tasks(mrpc_engine *engine)
{
    mrpc_task *task = engine->tasks;
    engine->tasks = NULL;
    engine->tasks_end = &engine->tasks;
    while (task != NULL) {
        mrpc_task *next = task->next;
        task->queued = false;
        engine->events++;
        task->run(engine, task);
        task = next;
    }
}

static void run_signals(mrpc_engine *engine)
{
    if (!atomic_load_explicit(&engine->signalled, memory_order_relaxed) || !atomic_exchange(&engine->signalled, false))
        return;
    engine->events++;
    for (mrpc_signal *signal = engine->signals, *next; signal != NULL; signal = next) {
        next = signal->next;
        signal->run(engine, signal);
    }
}

static void run_ready(mrpc_engine *engine)
{
    run_signals(engine);
    mrpc_engine_run_ops(engine);
    if (engine->tasks != NULL)
        run_tasks(engine);
    if (engine->dirty != NULL)
        mrpc_engine_flush(engine);
}

/* --- waiting --- */

static void ask_loop(mrpc_engine *engine, uint64_t until)
{
    engine->unasked = 0;
    int count = mrpc_loop_run(engine->loop, until);
    if (count > 0)
        engine->events += (uint64_t)count;
    if (count < 0) {
        /* The kernel refuses to wait. It is reported by mrpc_server_run(); others must at least not burn the processor.
         */
        engine->loop_error = count;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* Polling and arming may have ended a connection without a frame that came, which leaves a task. */
static bool must_go_on(mrpc_engine *engine)
{
    return engine->tasks != NULL || engine->dirty != NULL || mrpc_gate_has_ops(&engine->gate) ||
           atomic_load_explicit(&engine->signalled, memory_order_relaxed);
}

static bool may_spin(mrpc_engine *engine, uint64_t now)
{
    if (engine->spin_ns == 0 || engine->active == NULL || engine->short_gaps < engine->short_gaps_needed)
        return false;
    if (now - engine->waiting_since < engine->spin_ns)
        return true;
    if (engine->spun) {
        /* In vain. */
        uint32_t needed = engine->short_gaps_needed * 2 + LEAST_SHORT_GAPS;
        engine->short_gaps_needed = needed < MOST_SHORT_GAPS ? needed : MOST_SHORT_GAPS;
        engine->short_gaps = 0;
        engine->spun = false;
    }
    return false;
}

static void spin(mrpc_engine *engine, uint64_t now)
{
    engine->spun = true;
    for (int i = 0; i < POLLS_PER_CLOCK && !must_go_on(engine); i++) {
        if (poll_lines(engine)) {
            engine->events++;
            engine->short_gaps_needed = 0;
            engine->spun = false;
            return;
        }
        relax();
    }
    if (now - engine->looked >= LOOK_NS || mrpc_loop_next(engine->loop) <= now) {
        engine->looked = now;
        ask_loop(engine, 0);
    }
}

static void sleep_in_kernel(mrpc_engine *engine)
{
    if (!mrpc_engine_arm(engine) || must_go_on(engine))
        return;
    if (!mrpc_gate_sleep(&engine->gate))
        return;
    uint64_t before = engine->events;
    ask_loop(engine, UINT64_MAX);
    if (!mrpc_gate_wake(&engine->gate))
        engine->wakes_expected++;
    if (engine->events != before && engine->spin_ns != 0) {
        bool short_gap = mrpc_loop_now(engine->loop) - engine->waiting_since < engine->spin_ns;
        engine->short_gaps = short_gap ? engine->short_gaps + 1 : 0;
    }
}

/* Lines that are busy all the time keep neither timers nor other connections waiting. */
static void look(mrpc_engine *engine, bool wait)
{
    if (++engine->unasked > MOST_UNASKED)
        ask_loop(engine, 0);
    if (engine->active_count > 0 && engine->active_count <= POLLED_LINES && poll_lines(engine)) {
        engine->events++;
        return;
    }
    if (!wait) {
        if (mrpc_engine_arm(engine))
            ask_loop(engine, 0);
        else
            engine->events += poll_lines(engine);
        return;
    }
    uint64_t now = mrpc_loop_now(engine->loop);
    if (engine->waiting_since == 0)
        engine->waiting_since = now;
    if (engine->active_count > POLLED_LINES) {
        if (!mrpc_engine_arm(engine)) {
            engine->events += poll_lines(engine);
            return;
        }
        uint64_t before = engine->events;
        ask_loop(engine, 0);
        if (engine->events != before)
            return;
    }
    if (may_spin(engine, now))
        spin(engine, now);
    else
        sleep_in_kernel(engine);
}

void mrpc_engine_turn(mrpc_engine *engine, bool wait)
{
    uint64_t before = engine->events;
    run_ready(engine);
    if (engine->events == before || ++engine->busy_rounds >= BUSY_ROUNDS) {
        engine->busy_rounds = 0;
        look(engine, wait && engine->events == before && engine->tasks == NULL);
        run_ready(engine);
    }
    if (engine->drops > 0)
        engine->settle_drops(engine);
    if (engine->events == before)
        return;
    engine->waiting_since = 0;
    while (engine->pollers != NULL)
        mrpc_engine_complete(engine, engine->pollers);
}
