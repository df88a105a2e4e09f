/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel_connect.c - the connection of a channel: made when a call needs it, remade with backoff when it failed
 *
 *     IDLE ──need──▶ CONNECTING ──HELLO──▶ READY ──lost, GOAWAY──▶ IDLE
 *      ▲                 └──failed──▶ BACKOFF ──time──▶ IDLE (and on, when somebody waits)
 */
#include "config.h"

#include <string.h>

#include "runtime/channel.h"

/* https://github.com/grpc/grpc/blob/master/doc/connection-backoff.md: factor 1.6, jitter of 20 %. */
enum { BACKOFF_GROWTH_TENTHS = 16, JITTER_PERCENT = 20 };

static const mrpc_session_owner session_events;

static mrpc_engine *engine_of(const mrpc_channel *channel)
{
    return &channel->runtime->engine;
}

static void unbind(mrpc_channel *channel)
{
    for (uint32_t i = 0; channel->methods != NULL && i <= channel->method_mask; i++)
        if (channel->methods[i] != NULL)
            channel->methods[i]->number = 0;
}

static void lose_current(mrpc_channel *channel)
{
    channel->current = NULL;
    channel->state = CHANNEL_IDLE;
    unbind(channel);
}

static bool somebody_waits(const mrpc_channel *channel)
{
    return channel->pending != NULL || channel->waiters != NULL;
}

/* --- attempts --- */

static void backoff_over(mrpc_timer *timer)
{
    mrpc_channel *channel = (mrpc_channel *)((char *)timer - offsetof(mrpc_channel, backoff_timer));
    channel->state = CHANNEL_IDLE;
    if (somebody_waits(channel))
        mrpc_channel_need_connection(channel);
}

static uint64_t next_backoff(mrpc_channel *channel)
{
    uint64_t base =
        channel->backoff_ns == 0 ? channel->backoff_min_ns : channel->backoff_ns / 10 * BACKOFF_GROWTH_TENTHS;
    channel->backoff_ns = base < channel->backoff_max_ns ? base : channel->backoff_max_ns;
    uint64_t percent = 100 - JITTER_PERCENT + mrpc_runtime_random(channel->runtime) % (2 * JITTER_PERCENT + 1);
    return channel->backoff_ns / 100 * percent;
}

/* With a wrong option no attempt will do better: then nobody waits for one. */
static void fail_impatient(mrpc_channel *channel)
{
    mrpc_call *call = channel->pending;
    bool hopeless = channel->last_error.code == MRPC_EINVAL;
    while (call != NULL) {
        mrpc_call *next = call->next;
        if (!call->wait_for_ready || hopeless)
            mrpc_call_end(call, true, MRPC_UNAVAILABLE, "no connection to %s: %s", channel->address,
                          mrpc_error_text(&channel->last_error));
        call = next;
    }
}

static void attempt_failed(mrpc_channel *channel, const mrpc_error *reason)
{
    channel->last_error = *reason;
    channel->state = CHANNEL_BACKOFF;
    channel->backoff_timer.expired = backoff_over;
    uint64_t at = mrpc_loop_now(engine_of(channel)->loop) + next_backoff(channel);
    if (mrpc_loop_start(engine_of(channel)->loop, &channel->backoff_timer, at) != 0)
        channel->state = CHANNEL_IDLE; /* no memory for the timer: the next call tries again at once */
    fail_impatient(channel);
}

static void connect_timeout(mrpc_timer *timer)
{
    mrpc_session *session = (mrpc_session *)((char *)timer - offsetof(mrpc_session, timer));
    mrpc_channel *channel = session->owner;
    mrpc_error reason;
    (void)mrpc_error_set(&reason, MRPC_ETIMEDOUT,
                         session->state == SESSION_HELLO
                             ? "connected, but the peer did not say HELLO within %llu ms: is it a server of mrpc?"
                             : "no answer within %llu ms",
                         (unsigned long long)(channel->connect_timeout_ns / 1000000));
    mrpc_session_close(session, reason.text);
    lose_current(channel);
    attempt_failed(channel, &reason);
}

static void attempt(mrpc_channel *channel)
{
    const mrpc_transport_setup setup = {.size = sizeof setup,
                                        .loop = engine_of(channel)->loop,
                                        .receive_heap = channel->runtime->receive_heap,
                                        .send_heap = channel->heap,
                                        .counters = &engine_of(channel)->counters,
                                        .options = channel->connection};
    mrpc_error error;
    mrpc_session *session;
    if (mrpc_session_connect(&session, channel->runtime, channel->transport, channel->rest, &setup, &error) != 0) {
        attempt_failed(channel, &error);
        return;
    }
    session->owner = channel;
    session->owner_events = &session_events;
    session->timer.expired = connect_timeout;
    channel->current = session;
    channel->state = CHANNEL_CONNECTING;
    uint64_t at = mrpc_loop_now(engine_of(channel)->loop) + channel->connect_timeout_ns;
    if (mrpc_loop_start(engine_of(channel)->loop, &session->timer, at) != 0)
        (void)mrpc_session_break(session, MRPC_ENOMEM, "no memory for a timer");
}

void mrpc_channel_need_connection(mrpc_channel *channel)
{
    if (channel->state == CHANNEL_IDLE)
        attempt(channel);
}

/* --- what happens to a connection --- */

static void session_ready(mrpc_session *session)
{
    mrpc_channel *channel = session->owner;
    mrpc_loop_stop(engine_of(channel)->loop, &session->timer);
    channel->state = CHANNEL_READY;
    channel->backoff_ns = 0;
    channel->last_error.code = 0;
    while (channel->waiters != NULL)
        mrpc_engine_complete(engine_of(channel), channel->waiters);
    mrpc_channel_send_pending(channel);
}

static void session_lost(mrpc_session *session, const mrpc_error *reason)
{
    mrpc_channel *channel = session->owner;
    if (session != channel->current)
        return;
    bool failed = channel->state == CHANNEL_CONNECTING;
    lose_current(channel);
    if (failed) {
        attempt_failed(channel, reason);
        return;
    }
    channel->last_error = *reason;
    if (somebody_waits(channel))
        mrpc_channel_need_connection(channel);
}

/* No more calls on this connection; it is closed when those that it has are over. */
static void let_drain(mrpc_channel *channel)
{
    mrpc_session *session = channel->current;
    lose_current(channel);
    session->next = channel->draining;
    session->place = &channel->draining;
    if (session->next != NULL)
        session->next->place = &session->next;
    channel->draining = session;
    if (session->calls.count == 0)
        mrpc_session_close_soon(session);
    if (somebody_waits(channel))
        mrpc_channel_need_connection(channel);
}

static void session_refused(mrpc_session *session)
{
    mrpc_channel *channel = session->owner;
    if (session == channel->current)
        let_drain(channel);
}

static void session_eased(mrpc_session *session)
{
    mrpc_channel *channel = session->owner;
    if (session == channel->current)
        mrpc_channel_send_pending(channel);
    else if (session->calls.count == 0)
        mrpc_session_close_soon(session);
}

static const mrpc_session_owner session_events = {
    .ready = session_ready, .lost = session_lost, .refused = session_refused, .eased = session_eased};

void mrpc_channel_disconnect(mrpc_channel *channel, const char *why)
{
    mrpc_loop_stop(engine_of(channel)->loop, &channel->backoff_timer);
    if (channel->current != NULL)
        mrpc_session_close(channel->current, why);
    while (channel->draining != NULL)
        mrpc_session_close(channel->draining, why);
    channel->current = NULL;
}

/* --- calls that wait for a connection --- */

static void append_pending(mrpc_channel *channel, mrpc_call *call)
{
    call->pending = true;
    call->next = NULL;
    call->place = channel->pending_end;
    *channel->pending_end = call;
    channel->pending_end = &call->next;
}

void mrpc_channel_remove_pending(mrpc_call *call)
{
    *call->place = call->next;
    if (call->next != NULL)
        call->next->place = call->place;
    else
        call->channel->pending_end = call->place;
    call->pending = false;
}

void mrpc_channel_requeue(mrpc_call *call)
{
    mrpc_session *session = call->session;
    mrpc_session_abandon(call);
    mrpc_session_unlist(session, call);
    mrpc_session_detach(session, call);
    call->opened = call->half_closed = false;
    append_pending(call->channel, call);
}

/* Numbers are never reused; when they run out, the connection is replaced. */
static bool may_begin(const mrpc_channel *channel)
{
    const mrpc_session *session = channel->current;
    return channel->state == CHANNEL_READY && !session->broken && session->calls.count < session->peer_calls;
}

static void begin_on_connection(mrpc_channel *channel, mrpc_call *call)
{
    mrpc_session *session = channel->current;
    call->number = ++session->last_number;
    if (mrpc_session_attach(session, call) != 0) {
        mrpc_call_end(call, true, MRPC_RESOURCE_EXHAUSTED, "no memory for the call");
        return;
    }
    mrpc_call_output(call);
    if (session->last_number == UINT32_MAX && channel->current == session)
        let_drain(channel);
}

void mrpc_channel_send_pending(mrpc_channel *channel)
{
    while (channel->pending != NULL && may_begin(channel)) {
        mrpc_call *call = channel->pending;
        mrpc_channel_remove_pending(call);
        begin_on_connection(channel, call);
    }
}

static bool prepare(mrpc_channel *channel, mrpc_call *call)
{
    mrpc_error error;
    if (channel->state == CHANNEL_CLOSED) {
        mrpc_call_end(call, true, MRPC_CANCELLED, "the channel was closed");
        return false;
    }
    if (atomic_load_explicit(&channel->calls, memory_order_relaxed) > channel->max_pending) {
        mrpc_call_end(
            call, true, MRPC_RESOURCE_EXHAUSTED,
            "%u calls are in flight on the channel: wait for some to end, or raise mrpc_channel_options.max_pending",
            channel->max_pending);
        return false;
    }
    call->binding = mrpc_channel_method_of(channel, call->method, &error);
    if (call->binding == NULL) {
        mrpc_call_end(call, true, error.code == MRPC_ENOMEM ? MRPC_RESOURCE_EXHAUSTED : MRPC_FAILED_PRECONDITION, "%s",
                      error.text);
        return false;
    }
    call->modules = call->binding->modules;
    return mrpc_call_start_timer(call);
}

void mrpc_channel_start(mrpc_channel *channel, mrpc_call *call)
{
    uint32_t calls = atomic_load_explicit(&channel->calls, memory_order_relaxed);
    atomic_store_explicit(&channel->calls, calls + 1, memory_order_relaxed);
    engine_of(channel)->counters.calls_started++;
    if (call->style == STYLE_CALLBACKS) {
        call->stream_next = channel->streams;
        call->stream_place = &channel->streams;
        if (call->stream_next != NULL)
            call->stream_next->stream_place = &call->stream_next;
        channel->streams = call;
    }
    if (!prepare(channel, call))
        return;
    if (channel->pending == NULL && may_begin(channel)) {
        begin_on_connection(channel, call);
        return;
    }
    if (channel->state == CHANNEL_BACKOFF && !call->wait_for_ready) {
        mrpc_call_end(call, true, MRPC_UNAVAILABLE, "no connection to %s: %s", channel->address,
                      mrpc_error_text(&channel->last_error));
        return;
    }
    append_pending(channel, call);
    mrpc_channel_need_connection(channel);
}
