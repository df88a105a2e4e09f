/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dispatch.c - frames that came, by type
 *
 * A frame for a call that has ended was in flight then, and is dropped. What no correct peer sends breaks the
 * connection. What is wrong with one call alone ends that call.
 */
#include "config.h"

#include "runtime/dispatch.h"

#include <stdio.h>
#include <string.h>

#include "runtime/channel.h"
#include "runtime/hello.h"

static void drop(const mrpc_incoming *incoming)
{
    mrpc_arena_free(incoming->arena);
}

static const char *text_of(const mrpc_incoming *incoming, size_t *size)
{
    *size = 0;
    const char *text = mrpc_meta_find((const char *)incoming->head, incoming->header->meta, ":message", size);
    return text == NULL ? "" : text;
}

/* False: it cannot be kept, and the call has ended: nothing that the peer says is dropped in silence. */
static bool keep_meta(mrpc_call *call, const mrpc_incoming *incoming)
{
    const mrpc_frame *header = incoming->header;
    const char *complaint = NULL;
    if (header->meta == 0)
        return true;
    int result = mrpc_meta_keep(&call->meta_in, (const char *)incoming->head, header->meta, &complaint);
    if (result == 0)
        return true;
    bool by_peer = header->type == FRAME_STATUS;
    if (result == MRPC_EPROTO)
        mrpc_call_end(call, by_peer, MRPC_INTERNAL, "metadata of %s came that is not valid: %s",
                      call->method->full_name, complaint);
    else if (result == MRPC_ELIMIT)
        mrpc_call_end(call, by_peer, MRPC_RESOURCE_EXHAUSTED, "more than %d bytes of metadata of %s came", META_LIMIT,
                      call->method->full_name);
    else
        mrpc_call_end(call, by_peer, MRPC_RESOURCE_EXHAUSTED, "no memory for metadata of %s", call->method->full_name);
    return false;
}

/* --- messages --- */

/* Decoded, a message can be larger than it came; or smaller, where it refers to the peer's memory. */
static void hold(mrpc_call *call, mrpc_received *received, uint64_t bytes)
{
    uint64_t memory = mrpc_arena_bytes(((const mrpc_message *)received->message)->arena);
    uint64_t held = memory > bytes ? memory : bytes;
    mrpc_session_hold(call, held);
    received->held = received->bytes > 0 ? held : 0;
}

static int take_message(mrpc_session *session, mrpc_call *call, const mrpc_incoming *incoming)
{
    mrpc_error error;
    mrpc_received *received;
    bool opening = incoming->header->flags & FRAME_OPEN;
    uint64_t bytes = mrpc_incoming_bytes(incoming);
    if (!opening && call->receive_window <= 0) {
        drop(incoming);
        return mrpc_session_break(session, MRPC_EPROTO, "it sent more than its window allows in call %u", call->number);
    }
    if (!opening && !mrpc_session_may_hold(session, bytes)) {
        drop(incoming);
        mrpc_call_end(call, false, MRPC_RESOURCE_EXHAUSTED, MRPC_SESSION_HELD, (unsigned long long)session->held);
        return 0;
    }
    int result = mrpc_message_receive(call, incoming, &received, &error);
    if (result != 0) {
        mrpc_code code = result == MRPC_ENOMEM ? MRPC_RESOURCE_EXHAUSTED : MRPC_INTERNAL;
        mrpc_call_end(call, false, code, "%s", error.text);
        return 0;
    }
    if (!opening)
        call->receive_window -= (int64_t)bytes;
    hold(call, received, bytes);
    mrpc_call_add_received(call, received);
    return 0;
}

void mrpc_session_refusal(const mrpc_session *session, int refused, char text[MRPC_REFUSAL])
{
    if (refused == MRPC_ELIMIT)
        snprintf(text, MRPC_REFUSAL, "it is larger than %llu bytes: raise connection.max_message",
                 (unsigned long long)session->max_message);
    else if (refused == MRPC_EAGAIN)
        snprintf(text, MRPC_REFUSAL,
                 "more than %llu bytes of unfinished messages came at once: raise connection.max_unfinished",
                 (unsigned long long)session->max_unfinished);
    else
        snprintf(text, MRPC_REFUSAL, "the receive heap is full or reached mrpc_runtime_options.heap_limit");
}

/* A message that the transport refused to keep ends its call. */
static void refuse(mrpc_session *session, mrpc_call *call, int refused)
{
    char reason[MRPC_REFUSAL];
    mrpc_session_refusal(session, refused, reason);
    mrpc_call_end(call, false, MRPC_RESOURCE_EXHAUSTED, "a message of %s came and was refused: %s",
                  call->method->full_name, reason);
}

static bool one_message_only(const mrpc_call *call)
{
    return call->server ? !call->method->client_streaming : !call->method->server_streaming;
}

int mrpc_session_message(mrpc_session *session, mrpc_call *call, const mrpc_incoming *incoming)
{
    unsigned flags = incoming->header->flags;
    if (incoming->refused != 0) {
        refuse(session, call, incoming->refused);
        return 0;
    }
    if (call->peer_closed || !!(flags & FRAME_PROTOBUF) != call->protobuf) {
        drop(incoming);
        return mrpc_session_break(session, MRPC_EPROTO, "a message of call %u came %s", call->number,
                                  call->peer_closed ? "after the last one" : "in the other encoding");
    }
    if (!keep_meta(call, incoming)) {
        drop(incoming);
        return 0;
    }
    int result = 0;
    if (flags & FRAME_NOMESSAGE) {
        drop(incoming);
    } else if (one_message_only(call) && call->message_came) {
        drop(incoming);
        mrpc_call_end(call, false, MRPC_INTERNAL, "a second message of %s came, which has one only",
                      call->method->full_name);
    } else {
        call->message_came = true;
        result = take_message(session, call, incoming);
    }
    if (result != 0 || call->ended)
        return result;
    call->peer_closed = flags & FRAME_END;
    if (!call->server && call->peer_closed && (flags & FRAME_OK))
        mrpc_call_end(call, true, MRPC_OK, "%s", "");
    mrpc_call_wake_task(call);
    return 0;
}

/* --- the others --- */

static void take_status(mrpc_call *call, const mrpc_incoming *incoming)
{
    size_t size;
    const char *text = text_of(incoming, &size);
    uint32_t code = incoming->header->method;
    if (!keep_meta(call, incoming))
        return;
    mrpc_call_end(call, true, code > MRPC_UNAUTHENTICATED ? MRPC_UNKNOWN : (mrpc_code)code, "%.*s", (int)size, text);
}

static void take_cancel(mrpc_call *call, const mrpc_incoming *incoming)
{
    bool late = incoming->header->method == MRPC_DEADLINE_EXCEEDED;
    mrpc_call_end(call, true, late ? MRPC_DEADLINE_EXCEEDED : MRPC_CANCELLED, "%s",
                  late ? "the client's deadline passed" : "the client cancelled the call");
}

static int take_credit(mrpc_session *session, mrpc_call *call, uint64_t value)
{
    int64_t window = atomic_load_explicit(&call->send_window, memory_order_relaxed);
    if (value > INT64_MAX || window > INT64_MAX - (int64_t)value)
        return mrpc_session_break(session, MRPC_EPROTO, "it granted more credit than can be counted");
    atomic_store(&call->send_window, window + (int64_t)value);
    if (window <= 0) {
        mrpc_call_output(call);
        mrpc_call_wake_task(call);
    }
    return 0;
}

static void take_goaway(mrpc_session *session, uint32_t last)
{
    if (session->server) {
        session->goaway_came = true;
        session->peer_last = last;
        return;
    }
    for (uint32_t i = 0; session->calls.slots != NULL && i <= session->calls.mask;) {
        mrpc_call *call = session->calls.slots[i];
        if (call == NULL || call->number <= last) {
            i++;
            continue;
        }
        /* Certainly not executed: whoever is willing to wait for a connection waits for the next one. */
        if (call->wait_for_ready && call->style <= STYLE_QUEUE_UNARY)
            mrpc_channel_requeue(call);
        else
            mrpc_call_end(call, true, MRPC_UNAVAILABLE, "%s is shutting down and did not begin the call",
                          session->peer);
    }
    session->owner_events->refused(session);
}

static int take_bind(mrpc_session *session, mrpc_call *call, const mrpc_frame *header)
{
    if (header->method == 0 || !call->named)
        return mrpc_session_break(session, MRPC_EPROTO, "a BIND came that was not asked for");
    if (call->channel->current == session) {
        call->binding->number = header->method;
        call->binding->protobuf = header->flags & FRAME_PROTOBUF;
    }
    return 0;
}

static void answer_ping(mrpc_session *session, uint64_t value)
{
    const mrpc_frame header = {.type = FRAME_PONG, .value = value};
    mrpc_session_control(session, &header, NULL, 0);
}

/* Frames that mean a call that is open. */
static int dispatch_call(mrpc_session *session, mrpc_call *call, const mrpc_incoming *incoming)
{
    const mrpc_frame *header = incoming->header;
    switch (header->type) {
    case FRAME_MESSAGE:
        return mrpc_session_message(session, call, incoming);
    case FRAME_CREDIT:
        return take_credit(session, call, header->value);
    case FRAME_STATUS:
        take_status(call, incoming);
        return 0;
    case FRAME_BIND:
        return take_bind(session, call, header);
    default:
        take_cancel(call, incoming);
        return 0;
    }
}

/* Which side may send the type; a MESSAGE with OPEN only a client. */
static bool direction_fits(const mrpc_session *session, const mrpc_frame *header)
{
    switch (header->type) {
    case FRAME_STATUS:
    case FRAME_BIND:
        return !session->server;
    case FRAME_CANCEL:
        return session->server;
    default:
        return !(header->flags & FRAME_OPEN) || session->server;
    }
}

static int dispatch(mrpc_session *session, const mrpc_incoming *incoming)
{
    const mrpc_frame *header = incoming->header;
    if (!direction_fits(session, header)) {
        drop(incoming);
        return mrpc_session_break(session, MRPC_EPROTO, "a frame of type %u came from the wrong side", header->type);
    }
    switch (header->type) {
    case FRAME_MESSAGE:
        if (header->flags & FRAME_OPEN)
            return session->owner_events->opened(session, incoming);
        /* fall through */
    case FRAME_STATUS:
    case FRAME_CANCEL:
    case FRAME_CREDIT:
    case FRAME_BIND: {
        mrpc_call *call = mrpc_call_table_find(&session->calls, header->call);
        if (call != NULL)
            return dispatch_call(session, call, incoming);
        drop(incoming);
        /* The call may have been cancelled before all of its first message was sent. */
        if (header->type == FRAME_CANCEL && session->owner_events->eased != NULL)
            session->owner_events->eased(session);
        return header->call <= session->last_number || header->type == FRAME_CANCEL
                   ? 0
                   : mrpc_session_break(session, MRPC_EPROTO, "a frame came for call %u, which never was",
                                        header->call);
    }
    case FRAME_GOAWAY:
        take_goaway(session, header->call);
        return 0;
    case FRAME_PING:
        answer_ping(session, header->value);
        return 0;
    case FRAME_PONG:
        return 0;
    default:
        drop(incoming);
        return mrpc_session_break(session, MRPC_EPROTO, "a frame of unknown type %u came", header->type);
    }
}

static bool well_formed(const mrpc_incoming *incoming)
{
    const mrpc_frame *header = incoming->header;
    if (incoming->refused != 0)
        return header->type == FRAME_MESSAGE;
    if (header->type == FRAME_MESSAGE && incoming->arena == NULL &&
        (mrpc_frame_head(header) > header->size || header->extents > 0))
        return false;
    return header->meta <= header->size && mrpc_meta_valid((const char *)incoming->head, header->meta);
}

int mrpc_session_received(mrpc_connection *connection, const mrpc_incoming *incoming)
{
    mrpc_session *session = connection->owner;
    mrpc_engine *engine = &session->runtime->engine;
    engine->events++;
    mrpc_engine_activate(engine, &session->line);
    if (session->broken) {
        drop(incoming);
        return session->reason.code;
    }
    if (!well_formed(incoming)) {
        drop(incoming);
        return mrpc_session_break(session, MRPC_EPROTO, "a malformed frame of type %u came", incoming->header->type);
    }
    if (session->state == SESSION_READY)
        return dispatch(session, incoming);
    int result = mrpc_hello_receive(session, incoming);
    drop(incoming);
    if (result == 0)
        session->owner_events->ready(session);
    return result;
}
