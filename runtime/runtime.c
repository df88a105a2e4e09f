/* SPDX-License-Identifier: BSD-2-Clause */
/* runtime.c - making, driving and counting: the public functions of mrpc_runtime */
#include "config.h"

#include "runtime/runtime.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/options.h"
#include "runtime/upgrade.h"

enum { MOST_SPIN_US = 1000000 };

void *mrpc_runtime_alloc(mrpc_runtime *runtime, size_t bytes)
{
    runtime->engine.counters.allocations++;
    return calloc(1, bytes);
}

/* xorshift64* (S. Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016). */
uint64_t mrpc_runtime_random(mrpc_runtime *runtime)
{
    if (runtime->engine.simulated)
        return mrpc_loop_random(runtime->engine.loop);
    uint64_t state = runtime->chance;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    runtime->chance = state;
    return state * UINT64_C(2685821657736338717);
}

/* --- making --- */

static int choose_poller(mrpc_poller *poller, mrpc_error *error)
{
    if (*poller > MRPC_POLLER_SIMULATED)
        return mrpc_error_set(error, MRPC_EINVAL, "mrpc_runtime_options.poller is %d, which is none of mrpc_poller",
                              (int)*poller);
    const char *wish = *poller == MRPC_POLLER_AUTO ? getenv("MRPC_POLLER") : NULL;
    if (wish == NULL || wish[0] == '\0')
        return 0;
    if (strcmp(wish, "io_uring") == 0)
        *poller = MRPC_POLLER_IO_URING;
    else if (strcmp(wish, "epoll") == 0)
        *poller = MRPC_POLLER_EPOLL;
    else
        return mrpc_error_set(error, MRPC_EINVAL,
                              "the environment variable MRPC_POLLER is \"%.40s\": it must be io_uring or epoll", wish);
    return 0;
}

static int copy_setting(char **copy, const char *option, const char *variable)
{
    const char *value = option != NULL ? option : getenv(variable);
    if (value == NULL || value[0] == '\0')
        return 0;
    *copy = strdup(value);
    return *copy == NULL ? MRPC_ENOMEM : 0;
}

static int make_heaps(mrpc_runtime *runtime, const mrpc_runtime_options *options, mrpc_error *error)
{
    int result = mrpc_options_make_heap(&runtime->receive_heap, options->heap_limit, "mrpc receive",
                                        "mrpc_runtime_options.heap_limit", error);
    if (result == 0)
        result = mrpc_options_make_heap(&runtime->reply_heap, options->reply_heap_limit, "mrpc reply",
                                        "mrpc_runtime_options.reply_heap_limit", error);
    return result;
}

static void settle_drops(mrpc_engine *engine);

static void unref_engine(mrpc_engine *engine)
{
    mrpc_runtime_unref(mrpc_runtime_of(engine));
}

static void free_parts(mrpc_runtime *runtime)
{
    mrpc_heap_unref(runtime->receive_heap);
    mrpc_heap_unref(runtime->reply_heap);
    free(runtime->module_path);
    free(runtime->control);
    free(runtime);
}

/* Stopping may have been asked for before the thread got so far. */
static void begin_driving(mrpc_engine *engine, mrpc_waiter *waiter)
{
    mrpc_runtime *runtime = mrpc_runtime_of(engine);
    runtime->thread_drives = !runtime->thread_stops;
    if (runtime->thread_stops)
        mrpc_engine_complete(engine, waiter);
}

/* The thread of mrpc_runtime_options.thread drives until the last reference is gone. */
static void *drive_for_ever(void *argument)
{
    mrpc_runtime *runtime = argument;
    (void)!mrpc_engine_wait(&runtime->engine, &runtime->thread_waiter);
    return NULL;
}

static int start_thread(mrpc_runtime *runtime, mrpc_error *error)
{
    sigset_t all, before;
    runtime->thread_waiter = (mrpc_waiter){.begin = begin_driving, .until = UINT64_MAX};
    /* Signals are for the application's own threads. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int reason = pthread_create(&runtime->thread, NULL, drive_for_ever, runtime);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason != 0)
        return mrpc_error_system(error, reason, "pthread_create for the runtime's thread");
    runtime->owns_thread = true;
    return 0;
}

static int make(mrpc_runtime *runtime, const mrpc_runtime_options *options, mrpc_error *error)
{
    if (copy_setting(&runtime->module_path, options->module_path, "MRPC_MODULE_PATH") != 0 ||
        copy_setting(&runtime->control, options->control, "MRPC_CONTROL") != 0)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory for a runtime");
    runtime->control_inherited = options->control == NULL;
    return make_heaps(runtime, options, error);
}

int mrpc_runtime_new(mrpc_runtime **runtime, const mrpc_runtime_options *options, mrpc_error *error)
{
    mrpc_runtime_options checked;
    *runtime = NULL;
    int result = mrpc_options_copy(&checked, sizeof checked, options, "mrpc_runtime_options", error);
    if (result == 0)
        result = choose_poller(&checked.poller, error);
    if (result == 0 && checked.spin_us > MOST_SPIN_US)
        result = mrpc_error_set(error, MRPC_EINVAL, "mrpc_runtime_options.spin_us is %u: at most %d", checked.spin_us,
                                MOST_SPIN_US);
    if (result != 0)
        return result;
    mrpc_runtime *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory for a runtime");
    result = make(fresh, &checked, error);
    if (result == 0)
        result = mrpc_engine_init(&fresh->engine, &checked, checked.poller, error);
    if (result != 0) {
        free_parts(fresh);
        return result;
    }
    const char *stamps = getenv("MRPC_STAMPS");
    fresh->want_stamps = checked.stamps || (stamps != NULL && strcmp(stamps, "1") == 0);
    fresh->engine.unref = unref_engine;
    fresh->engine.settle_drops = settle_drops;
    fresh->chance = mrpc_loop_now(fresh->engine.loop) ^ (uint64_t)(uintptr_t)fresh ^ UINT64_C(0x9E3779B97F4A7C15);
    atomic_init(&fresh->references, 1);
    result = mrpc_upgrade_start(fresh, error);
    if (result == 0 && checked.thread)
        result = start_thread(fresh, error);
    if (result != 0) {
        mrpc_runtime_unref(fresh);
        return result;
    }
    *runtime = fresh;
    return 0;
}

mrpc_runtime *mrpc_runtime_ref(mrpc_runtime *runtime)
{
    atomic_fetch_add_explicit(&runtime->references, 1, memory_order_relaxed);
    return runtime;
}

/* --- freeing --- */

static void stop_thread(void *argument)
{
    mrpc_runtime *runtime = argument;
    runtime->thread_stops = true;
    if (runtime->thread_drives)
        mrpc_engine_complete(&runtime->engine, &runtime->thread_waiter);
    runtime->thread_drives = false;
}

/* The driver gives back what was dropped while it drives, all but the last reference: with that one the runtime goes,
 * which has to wait until the engine was left. Only the runtime's own thread would never leave by itself. */
static void settle_drops(mrpc_engine *engine)
{
    mrpc_runtime *runtime = mrpc_runtime_of(engine);
    uint32_t references = atomic_load(&runtime->references);
    while (engine->drops > 0 && references > 1)
        if (atomic_compare_exchange_weak(&runtime->references, &references, references - 1))
            engine->drops--;
    if (engine->drops > 0 && runtime->thread_drives)
        stop_thread(runtime);
}

static void free_runtime(mrpc_runtime *runtime)
{
    if (runtime->owns_thread && pthread_equal(runtime->thread, pthread_self())) {
        /* The last reference was given back by a callback: the thread ends by itself. */
        (void)pthread_detach(runtime->thread);
    } else if (runtime->owns_thread) {
        (void)!mrpc_engine_run_exclusive(&runtime->engine, stop_thread, runtime);
        (void)pthread_join(runtime->thread, NULL);
    }
    mrpc_engine_finish_tasks(&runtime->engine);
    if (runtime->free_upgrade != NULL)
        runtime->free_upgrade(runtime);
    mrpc_modules_free(runtime);
    mrpc_engine_fini(&runtime->engine);
    mrpc_call_pool_free(&runtime->calls);
    free_parts(runtime);
}

void mrpc_runtime_unref(mrpc_runtime *runtime)
{
    if (runtime == NULL || mrpc_engine_forked(&runtime->engine))
        return;
    if (mrpc_engine_inside(&runtime->engine)) {
        runtime->engine.drops++;
        return;
    }
    if (atomic_fetch_sub_explicit(&runtime->references, 1, memory_order_acq_rel) == 1)
        free_runtime(runtime);
}

/* --- driving --- */

typedef struct fd_request {
    mrpc_engine *engine;
    int result;
} fd_request;

static void get_fd(void *argument)
{
    fd_request *request = argument;
    request->result = mrpc_loop_fd(request->engine->loop);
    if (request->result >= 0)
        request->engine->fd_used = true;
}

int mrpc_runtime_fd(mrpc_runtime *runtime)
{
    fd_request request = {.engine = &runtime->engine};
    int result = mrpc_engine_run_exclusive(&runtime->engine, get_fd, &request);
    return result != 0 ? result : request.result;
}

static int clamp(uint64_t count)
{
    return count > INT_MAX ? INT_MAX : (int)count;
}

static void begin_poll(mrpc_engine *engine, mrpc_waiter *waiter)
{
    if (atomic_load(&engine->woken))
        mrpc_engine_complete(engine, waiter);
    else
        mrpc_waiter_expect(waiter, &engine->pollers);
}

int mrpc_runtime_poll(mrpc_runtime *runtime, int timeout_ms)
{
    mrpc_engine *engine = &runtime->engine;
    if (mrpc_engine_forked(engine))
        return MRPC_EFORKED;
    if (mrpc_engine_inside(engine))
        return MRPC_EDEADLK;
    uint64_t count = 0;
    if (mrpc_engine_enter(engine)) {
        uint64_t before = engine->events;
        mrpc_engine_turn(engine, false);
        count = engine->events - before;
        mrpc_engine_leave(engine, true);
    }
    if (count == 0 && timeout_ms != 0) {
        mrpc_waiter waiter = {.begin = begin_poll, .until = mrpc_engine_deadline(engine, timeout_ms)};
        int result = mrpc_engine_wait(engine, &waiter);
        if (result != 0)
            return result;
        count = waiter.result == 0 && !atomic_load(&engine->woken);
    }
    atomic_store(&engine->woken, false);
    return clamp(count);
}

void mrpc_runtime_wake(mrpc_runtime *runtime)
{
    if (mrpc_engine_forked(&runtime->engine))
        return;
    atomic_store(&runtime->engine.woken, true);
    mrpc_engine_signal(&runtime->engine);
}

uint64_t mrpc_runtime_now(const mrpc_runtime *runtime)
{
    return mrpc_engine_now(&runtime->engine);
}

/* --- counters --- */

typedef struct counters_query {
    const mrpc_runtime *runtime;
    mrpc_counters counters;
} counters_query;

static void read_counters(void *argument)
{
    counters_query *query = argument;
    mrpc_loop_counters loop;
    query->counters = query->runtime->engine.counters;
    mrpc_loop_get_counters(query->runtime->engine.loop, &loop);
    query->counters.system_calls_wait += loop.waits;
    query->counters.wakeups_sent += loop.wakeups;
    query->counters.allocations += atomic_load(&query->runtime->outside_allocations);
}

void mrpc_runtime_get_counters(const mrpc_runtime *runtime, mrpc_counters *counters)
{
    counters_query query = {.runtime = runtime};
    size_t size = counters->size;
    if (size < sizeof size)
        return;
    (void)!mrpc_engine_run_exclusive((mrpc_engine *)(uintptr_t)&runtime->engine, read_counters, &query);
    memset(counters, 0, size);
    memcpy(counters, &query.counters, size < sizeof query.counters ? size : sizeof query.counters);
    counters->size = size;
}
