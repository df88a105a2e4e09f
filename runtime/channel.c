/* SPDX-License-Identifier: BSD-2-Clause */
/* channel.c - making and closing channels, and the methods that were called on one */
#include "config.h"

#include "runtime/channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/options.h"
#include "upgrade/transports.h"

enum { FIRST_METHODS = 16 };

/* --- methods --- */

static uint32_t hash_of(const mrpc_method *method)
{
    /* Fibonacci hashing of the address (Knuth, TAOCP volume 3, 6.4). */
    return (uint32_t)(((uint64_t)(uintptr_t)method * UINT64_C(0x9E3779B97F4A7C15)) >> 40);
}

static mrpc_channel_method **find_place(mrpc_channel_method **table, uint32_t mask, const mrpc_method *method)
{
    uint32_t i = hash_of(method) & mask;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there is a table once something was to be added */
    while (table[i] != NULL && table[i]->method != method)
        i = (i + 1) & mask;
    return &table[i];
}

static int grow_methods(mrpc_channel *channel)
{
    uint32_t slots = channel->methods == NULL ? FIRST_METHODS : 2 * (channel->method_mask + 1);
    mrpc_channel_method **larger = mrpc_runtime_alloc(channel->runtime, slots * sizeof(mrpc_channel_method *));
    if (larger == NULL)
        return MRPC_ENOMEM;
    for (uint32_t i = 0; channel->methods != NULL && i <= channel->method_mask; i++)
        if (channel->methods[i] != NULL)
            *find_place(larger, slots - 1, channel->methods[i]->method) = channel->methods[i];
    free(channel->methods);
    channel->methods = larger;
    channel->method_mask = slots - 1;
    return 0;
}

static mrpc_channel_method *add_method(mrpc_channel *channel, const mrpc_method *method, mrpc_error *error)
{
    mrpc_channel_method *fresh = mrpc_runtime_alloc(channel->runtime, sizeof *fresh);
    if (fresh == NULL || (2 * (channel->method_count + 1) > channel->method_mask + 1 && grow_methods(channel) != 0)) {
        free(fresh);
        (void)mrpc_error_set(error, MRPC_ENOMEM, "no memory for the method %s", method->full_name);
        return NULL;
    }
    fresh->method = method;
    if (mrpc_modules_acquire(channel->runtime, method->service->file, NULL, &fresh->modules, error) != 0) {
        free(fresh);
        return NULL;
    }
    if (method->request_codec >= fresh->modules->codec_count || method->reply_codec >= fresh->modules->codec_count) {
        (void)mrpc_error_set(error, MRPC_EMISMATCH, "the marshal module of %s has no codecs for %s",
                             method->service->file->name, method->full_name);
        mrpc_modules_release(channel->runtime, fresh->modules, method->service->file);
        free(fresh);
        return NULL;
    }
    channel->method_count++;
    *find_place(channel->methods, channel->method_mask, method) = fresh;
    return fresh;
}

mrpc_channel_method *mrpc_channel_method_of(mrpc_channel *channel, const mrpc_method *method, mrpc_error *error)
{
    mrpc_channel_method *known =
        channel->methods == NULL ? NULL : *find_place(channel->methods, channel->method_mask, method);
    return known != NULL ? known : add_method(channel, method, error);
}

static void free_methods(mrpc_channel *channel)
{
    for (uint32_t i = 0; channel->methods != NULL && i <= channel->method_mask; i++) {
        mrpc_channel_method *method = channel->methods[i];
        if (method == NULL)
            continue;
        mrpc_modules_release(channel->runtime, method->modules, method->method->service->file);
        free(method);
    }
    free(channel->methods);
}

/* --- making --- */

static int set_times(mrpc_channel *channel, const mrpc_channel_options *options, mrpc_error *error)
{
    uint32_t least = options->backoff_min_ms ? options->backoff_min_ms : 100;
    uint32_t most = options->backoff_max_ms ? options->backoff_max_ms : 30000;
    if (least > most)
        return mrpc_error_set(error, MRPC_EINVAL,
                              "mrpc_channel_options.backoff_min_ms (%u) is larger than backoff_max_ms (%u)", least,
                              most);
    if (options->timeout_ms > UINT64_MAX / 4000000)
        return mrpc_error_set(error, MRPC_EINVAL, "mrpc_channel_options.timeout_ms is out of range");
    channel->backoff_min_ns = least * UINT64_C(1000000);
    channel->backoff_max_ns = most * UINT64_C(1000000);
    channel->timeout_ns = options->timeout_ms * UINT64_C(1000000);
    channel->connect_timeout_ns =
        (options->connect_timeout_ms ? options->connect_timeout_ms : 20000) * UINT64_C(1000000);
    channel->max_pending = options->max_pending ? options->max_pending : 65536;
    return mrpc_connection_options_take(&channel->connection, &options->connection, error);
}

static int find_transport(mrpc_channel *channel, const char *address, const mrpc_channel_options *options,
                          mrpc_error *error)
{
    channel->address = strdup(address);
    if (channel->address == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory for a channel");
    const char *path = options->runtime != NULL ? options->runtime->module_path : NULL;
    int result = mrpc_transport_get(channel->address, path, &channel->transport, &channel->rest, error);
    return result != 0 ? result : channel->transport->check(channel->rest, error);
}

static int check_clock(const mrpc_channel *channel, mrpc_error *error)
{
    bool simulated = channel->transport->capabilities & TRANSPORT_SIMULATED;
    if (simulated == channel->runtime->engine.simulated)
        return 0;
    return mrpc_error_set(error, MRPC_EINVAL,
                          simulated ? "%s needs a runtime with MRPC_POLLER_SIMULATED"
                                    : "%s cannot be used with MRPC_POLLER_SIMULATED: only sim:// can",
                          channel->address);
}

static void free_parts(mrpc_channel *channel)
{
    mrpc_heap_unref(channel->heap);
    free(channel->address);
    mrpc_connection_options_drop(&channel->connection);
    free(channel);
}

static void run_close(mrpc_engine *engine, mrpc_task *task);

static int make(mrpc_channel *channel, const char *address, const mrpc_channel_options *options, mrpc_error *error)
{
    channel->pending_end = &channel->pending;
    channel->close_task.run = run_close;
    if (options->runtime != NULL && mrpc_engine_forked(&options->runtime->engine))
        return mrpc_error_set(error, MRPC_EFORKED,
                              "%s: the runtime belongs to the parent process: make a new one after fork()", address);
    int result = set_times(channel, options, error);
    if (result == 0)
        result = find_transport(channel, address, options, error);
    if (result == 0)
        result = mrpc_options_make_heap(&channel->heap, options->heap_limit, "mrpc channel",
                                        "mrpc_channel_options.heap_limit", error);
    if (result != 0)
        return result;
    if (options->runtime != NULL)
        channel->runtime = mrpc_runtime_ref(options->runtime);
    else
        result = mrpc_runtime_new(&channel->runtime, NULL, error);
    if (result != 0)
        return result;
    result = check_clock(channel, error);
    if (result != 0)
        mrpc_runtime_unref(channel->runtime);
    return result;
}

int mrpc_channel_new(mrpc_channel **channel, const char *address, const mrpc_channel_options *options,
                     mrpc_error *error)
{
    mrpc_channel_options checked;
    *channel = NULL;
    int result = mrpc_options_copy(&checked, sizeof checked, options, "mrpc_channel_options", error);
    if (result != 0)
        return result;
    if (address == NULL)
        return mrpc_error_set(error, MRPC_EINVAL, "a channel needs an address, such as tcp://HOST:PORT");
    mrpc_channel *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory for a channel");
    result = make(fresh, address, &checked, error);
    if (result != 0) {
        free_parts(fresh);
        return result;
    }
    *channel = fresh;
    return 0;
}

mrpc_runtime *mrpc_channel_runtime(mrpc_channel *channel)
{
    return channel->runtime;
}

mrpc_heap *mrpc_channel_heap(mrpc_channel *channel)
{
    return channel->heap;
}

/* --- connecting --- */

typedef struct connect_wait {
    mrpc_waiter waiter; /* first */
    mrpc_channel *channel;
    bool connected;
    mrpc_error error;
} connect_wait;

static void begin_connect(mrpc_engine *engine, mrpc_waiter *waiter)
{
    connect_wait *wait = (connect_wait *)waiter;
    mrpc_channel *channel = wait->channel;
    if (channel->state == CHANNEL_READY || channel->state == CHANNEL_CLOSED) {
        mrpc_engine_complete(engine, waiter);
        return;
    }
    mrpc_waiter_expect(waiter, &channel->waiters);
    mrpc_channel_need_connection(channel);
}

static void look_at_outcome(void *argument)
{
    connect_wait *wait = argument;
    wait->error = wait->channel->last_error;
}

int mrpc_channel_connect(mrpc_channel *channel, int timeout_ms, mrpc_error *error)
{
    mrpc_engine *engine = &channel->runtime->engine;
    if (mrpc_engine_forked(engine))
        return mrpc_error_set(error, MRPC_EFORKED, "%s", mrpc_strerror(MRPC_EFORKED));
    connect_wait wait = {
        .waiter.begin = begin_connect, .waiter.until = mrpc_engine_deadline(engine, timeout_ms), .channel = channel};
    if (mrpc_engine_wait(engine, &wait.waiter) != 0)
        return mrpc_error_set(
            error, MRPC_EDEADLK,
            "mrpc_channel_connect() was called from a handler or callback of the same runtime, where it would wait for "
            "itself: begin calls there with a callback or a queue instead");
    if (wait.waiter.result == 0)
        return 0;
    if (mrpc_engine_run_exclusive(engine, look_at_outcome, &wait) == 0 && wait.error.code != 0)
        return mrpc_error_set(error, MRPC_ESYS, "no connection to %s within %d ms; the last attempt: %s",
                              channel->address, timeout_ms, wait.error.text);
    return mrpc_error_set(error, MRPC_ETIMEDOUT, "no connection to %s within %d ms", channel->address, timeout_ms);
}

/* --- closing --- */

static void free_channel(mrpc_channel *channel)
{
    channel->runtime->engine.drops++;
    free_methods(channel);
    free_parts(channel);
}

void mrpc_channel_call_gone(mrpc_channel *channel)
{
    uint32_t calls = atomic_load_explicit(&channel->calls, memory_order_relaxed);
    atomic_store_explicit(&channel->calls, calls - 1, memory_order_relaxed);
    if (channel->released && calls == 1)
        free_channel(channel);
}

/* Before it, the tasks of the calls that were ended have run. */
static void finish_close(mrpc_engine *engine, mrpc_channel *channel)
{
    mrpc_engine_flush(engine); /* CANCEL frames */
    mrpc_channel_disconnect(channel, "the channel was closed");
    mrpc_waiter *closer = channel->closer;
    channel->released = true;
    if (atomic_load_explicit(&channel->calls, memory_order_relaxed) == 0)
        free_channel(channel);
    if (closer == NULL)
        return;
    /* Who closes and then drops his reference to the runtime expects it to be gone: ours goes first. */
    if (engine->drops > 0)
        engine->settle_drops(engine);
    mrpc_engine_complete(engine, closer);
}

static void cancel_calls(mrpc_session *session)
{
    for (uint32_t i = 0; session->calls.count > 0 && i <= session->calls.mask; i++)
        while (session->calls.slots[i] != NULL)
            mrpc_call_end(session->calls.slots[i], false, MRPC_CANCELLED, "the channel was closed");
}

static void start_close(mrpc_engine *engine, mrpc_channel *channel)
{
    channel->state = CHANNEL_CLOSED;
    while (channel->pending != NULL)
        mrpc_call_end(channel->pending, false, MRPC_CANCELLED, "the channel was closed");
    if (channel->current != NULL)
        cancel_calls(channel->current);
    for (mrpc_session *session = channel->draining; session != NULL; session = session->next)
        cancel_calls(session);
    for (mrpc_call *call = channel->streams; call != NULL; call = call->stream_next)
        mrpc_call_abandon_delivery(call);
    while (channel->waiters != NULL)
        mrpc_engine_complete(engine, channel->waiters);
    mrpc_engine_queue(engine, &channel->close_task);
}

/* Runs once to begin the closing when it was asked for in a callback, and once to finish it. */
static void run_close(mrpc_engine *engine, mrpc_task *task)
{
    mrpc_channel *channel = (mrpc_channel *)((char *)task - offsetof(mrpc_channel, close_task));
    if (channel->state == CHANNEL_CLOSED)
        finish_close(engine, channel);
    else
        start_close(engine, channel);
}

typedef struct close_wait {
    mrpc_waiter waiter; /* first */
    mrpc_channel *channel;
} close_wait;

static void begin_close(mrpc_engine *engine, mrpc_waiter *waiter)
{
    mrpc_channel *channel = ((close_wait *)waiter)->channel;
    channel->closer = waiter;
    start_close(engine, channel);
}

void mrpc_channel_close(mrpc_channel *channel)
{
    if (channel == NULL || mrpc_engine_forked(&channel->runtime->engine))
        return;
    mrpc_engine *engine = &channel->runtime->engine;
    if (mrpc_engine_inside(engine)) {
        mrpc_engine_queue(engine, &channel->close_task);
        return;
    }
    close_wait wait = {.waiter.begin = begin_close, .waiter.until = UINT64_MAX, .channel = channel};
    (void)!mrpc_engine_wait(engine, &wait.waiter);
}
