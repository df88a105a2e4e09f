/* SPDX-License-Identifier: BSD-2-Clause */
/* workload_client.c - what clients do: calls of all kinds, cancelled or not, and whether they ended as they should */
#include "config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/workload.h"

static client_call *call_of(mrpc_timer *timer, size_t offset)
{
    return (client_call *)(void *)((char *)timer - offset);
}

/* --- the end --- */

static void count_status(reached *all, mrpc_code code)
{
    switch (code) {
    case MRPC_ABORTED:
        all->status_aborted++;
        break;
    case MRPC_CANCELLED:
        all->status_cancelled++;
        break;
    case MRPC_DEADLINE_EXCEEDED:
        all->status_deadline++;
        break;
    case MRPC_UNAVAILABLE:
        all->status_unavailable++;
        break;
    case MRPC_RESOURCE_EXHAUSTED:
        all->status_exhausted++;
        break;
    default:
        break;
    }
}

/* Whether the call may have ended so, given what was asked for and done to it. */
static bool plausible(const client_call *call, mrpc_code code)
{
    switch (code) {
    case MRPC_OK:
        if (call->method->client_streaming) /* the last message says it, and the server knows only how to fail */
            return call->ping->action != echo_FAIL || call->ping->count == 0;
        return call->ping->action != echo_FAIL && call->ping->action != echo_NEVER;
    case MRPC_ABORTED:
        return call->ping->action == echo_FAIL;
    case MRPC_CANCELLED:
        return call->cancelled || call->world->stopped;
    case MRPC_DEADLINE_EXCEEDED:
        return call->has_timeout;
    case MRPC_UNAVAILABLE:
    case MRPC_RESOURCE_EXHAUSTED:
        return true; /* the network and the limits are bad enough in most worlds */
    default:
        return false;
    }
}

static void note_end(client_call *call, const mrpc_status *status)
{
    world *w = call->world;
    if (++call->ends != 1)
        world_fail(w, "call %u ended %d times", (unsigned)(call - w->calls), call->ends);
    call->status = *status;
    w->ended++;
    count_status(w->reached, status->code);
    if (!plausible(call, status->code))
        world_fail(w, "call %u of %s ended with %s: %s", (unsigned)(call - w->calls), call->method->name,
                   mrpc_code_name(status->code), status->message);
    mrpc_loop_stop(w->runtime->engine.loop, &call->cancel);
    mrpc_loop_stop(w->runtime->engine.loop, &call->resume);
}

/* --- unary --- */

static void check_reply(client_call *call, const mrpc_status *status, const void *reply)
{
    const echo_Pong *pong = reply;
    if ((status->code == MRPC_OK) != (pong != NULL))
        world_fail(call->world, "status %s %s a reply", mrpc_code_name(status->code),
                   pong == NULL ? "without" : "with");
    if (pong == NULL)
        return;
    if (pong->number != call->ping->number || pong->payload.size != call->ping->payload.size ||
        (pong->payload.size > 0 && memcmp(pong->payload.data, call->ping->payload.data, pong->payload.size) != 0))
        world_fail(call->world, "call %llu got the reply of %llu", (unsigned long long)call->ping->number,
                   (unsigned long long)pong->number);
    call->world->reached->replies++;
    call->world->reached->large_messages += pong->payload.size > 65536;
    mrpc_release(pong);
}

static void unary_ended(void *state, const mrpc_status *status, const void *reply)
{
    client_call *call = state;
    check_reply(call, status, reply);
    note_end(call, status);
}

void client_take_event(world *w, client_call *call)
{
    w->reached->queue_events++;
    check_reply(call, &call->result.status, call->result.reply);
    note_end(call, &call->result.status);
}

/* --- streams --- */

static void stream_send(void *state, mrpc_call *handle)
{
    client_call *call = state;
    world *w = call->world;
    while (call->sent < call->ping->count) {
        const echo_Ping ping = {.number = call->sent,
                                .action = call->sent + 1 == call->ping->count ? call->ping->action : echo_REPLY,
                                .payload = call->ping->payload};
        int result = mrpc_call_send(handle, &ping);
        w->reached->full += result == MRPC_EAGAIN;
        if (result != 0 && result != MRPC_EAGAIN && result != MRPC_ECLOSED && result != MRPC_ELIMIT)
            world_fail(w, "a send answered %s", mrpc_strerror(result));
        if (result == MRPC_ELIMIT)
            mrpc_call_cancel(handle), call->cancelled = true;
        if (result != 0)
            return;
        call->sent++;
    }
    (void)mrpc_call_close_send(handle);
}

static void stream_writable(void *state, mrpc_call *handle)
{
    client_call *call = state;
    call->world->reached->writable++;
    if (call->method->client_streaming)
        stream_send(state, handle);
}

static void resume(mrpc_timer *timer)
{
    client_call *call = call_of(timer, offsetof(client_call, resume));
    mrpc_call_resume(call->call);
}

static uint64_t expected_number(const client_call *call)
{
    bool sum = !call->method->server_streaming;
    return sum ? (uint64_t)call->ping->count * (call->ping->count - (call->ping->count > 0)) / 2 : call->received;
}

static void stream_message(void *state, mrpc_call *handle, const void *message)
{
    client_call *call = state;
    world *w = call->world;
    const echo_Pong *pong = message;
    if (call->ends != 0)
        world_fail(w, "a message came after the end");
    if (pong->number != expected_number(call))
        world_fail(w, "message %llu of a stream has number %llu", (unsigned long long)call->received,
                   (unsigned long long)pong->number);
    call->received++;
    w->reached->stream_messages++;
    mrpc_release(message);
    if (world_random(w, 20) == 0) {
        w->reached->pauses++;
        mrpc_call_pause(handle);
        world_at(w, &call->resume, world_random(w, 3000), resume);
    }
}

static void stream_half_closed(void *state, mrpc_call *handle)
{
    (void)handle;
    client_call *call = state;
    if (call->half_closed++ > 0)
        world_fail(call->world, "a half-close was told twice");
    call->world->reached->half_closes++;
}

static void stream_ended(void *state, mrpc_call *handle, const mrpc_status *status)
{
    (void)handle;
    client_call *call = state;
    uint64_t wanted = call->method->server_streaming ? call->ping->count : 1;
    if (status->code == MRPC_OK && call->received != wanted)
        world_fail(call->world, "%s ended with OK after %llu of %llu messages", call->method->name,
                   (unsigned long long)call->received, (unsigned long long)wanted);
    note_end(call, status);
}

static const mrpc_call_callbacks stream_callbacks = {.size = sizeof stream_callbacks,
                                                     .on_message = stream_message,
                                                     .on_half_close = stream_half_closed,
                                                     .on_writable = stream_writable,
                                                     .on_end = stream_ended};

/* --- the beginning --- */

static void cancel(mrpc_timer *timer)
{
    client_call *call = call_of(timer, offsetof(client_call, cancel));
    call->cancelled = true;
    mrpc_call_cancel(call->call);
}

static int begin(client_call *call, const mrpc_call_options *options)
{
    world *w = call->world;
    bool unary = !call->method->client_streaming && !call->method->server_streaming;
    if (unary && call->queued)
        return mrpc_call_unary_submit(call->channel, call->method, call->ping, options, w->queue, call, &call->result);
    if (unary)
        return mrpc_call_unary_start(call->channel, call->method, call->ping, options, unary_ended, NULL, call,
                                     &call->call);
    int result = mrpc_call_open(call->channel, call->method, call->method->client_streaming ? NULL : call->ping,
                                options, &stream_callbacks, call, &call->call);
    if (result == 0 && call->method->client_streaming)
        stream_send(call, call->call);
    return result;
}

static void start(mrpc_timer *timer)
{
    client_call *call = call_of(timer, offsetof(client_call, start));
    world *w = call->world;
    call->started = true;
    if (w->stopped) {
        call->refused = true;
        w->ended++;
        return;
    }
    int result =
        begin(call, MRPC_CALL_OPTIONS(.timeout_ms = call->timeout_ms, .wait_for_ready = world_random(w, 2) == 0));
    if (result != 0) {
        world_fail(w, "a call could not be begun: %s", mrpc_strerror(result));
        return;
    }
    if (!call->queued && world_random(w, 5) == 0)
        world_at(w, &call->cancel, world_random(w, 8000), cancel);
}

static size_t random_size(world *w)
{
    switch (world_random(w, 12)) {
    case 0:
        return world_random(w, 200000);
    case 1:
    case 2:
        return world_random(w, 9000);
    default:
        return world_random(w, 100);
    }
}

void client_prepare(world *w, client_call *call)
{
    static const echo_Action actions[] = {echo_REPLY, echo_REPLY, echo_REPLY, echo_LATE,
                                          echo_LATE,  echo_FAIL,  echo_NEVER};
    *call = (client_call){.world = w, .channel = w->channels[world_random(w, WORLD_CHANNELS)]};
    call->method = &echo_Echo_methods[world_random(w, 2) ? 0 : world_random(w, 4)];
    call->queued = world_random(w, 3) == 0 && call->method == &echo_Echo_methods[0];
    call->ping = echo_Ping_new(mrpc_channel_heap(call->channel));
    size_t size = random_size(w);
    if (call->ping == NULL || mrpc_bytes_reserve(call->ping, &call->ping->payload, size) != 0) {
        world_fail(w, "no memory");
        return;
    }
    int byte = (int)world_random(w, 256);
    if (size > 0)
        memset(call->ping->payload.data, byte, size);
    call->ping->number = world_random(w, 1 << 30);
    call->ping->action = actions[world_random(w, sizeof actions / sizeof actions[0])];
    call->ping->count = (uint32_t)world_random(w, size > 10000 ? 4 : 30);
    /* Without a timeout only what surely ends: not what is never answered, nor what may wait for a connection for ever.
     */
    call->has_timeout = true;
    call->timeout_ms = (uint32_t)(world_random(w, 4) == 0 ? 1 + world_random(w, 5) : 200 + world_random(w, 2000));
    world_at(w, &call->start, world_random(w, 30000), start);
}
