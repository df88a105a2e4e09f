/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output.c - what a call has to send, in order, as far as the window and the connection have room
 *
 * Client: the opening (with the only request, where the method has one), messages, half-close. Server: messages, then
 * the reply or the end; a status other than OK overtakes what waits (mrpc_call_end).
 */
#include "config.h"

#include <stdlib.h>

#include "runtime/channel.h"
#include "runtime/session.h"

static bool window_open(const mrpc_call *call)
{
    return atomic_load_explicit(&call->send_window, memory_order_relaxed) > 0;
}

static bool connection_has_room(const mrpc_session *session)
{
    return session->transport->queued(session->line.connection) <= TRANSPORT_QUEUE_LIMIT;
}

static bool on_connection(const mrpc_call *call)
{
    return call->session != NULL && call->session->state == SESSION_READY && !call->session->broken;
}

bool mrpc_call_has_room(const mrpc_call *call)
{
    return on_connection(call) && (call->server || call->opened) && call->outbox == NULL && !call->blocked &&
           window_open(call) && connection_has_room(call->session);
}

void mrpc_call_await_room(mrpc_call *call)
{
    if (on_connection(call) && window_open(call) && !connection_has_room(call->session))
        mrpc_session_block(call->session, call);
}

/* What a failure to send means for the whole call. */
static void end_unsendable(mrpc_call *call, int result, const mrpc_error *error)
{
    mrpc_code code =
        result == MRPC_EINVAL ? (call->server ? MRPC_INTERNAL : MRPC_INVALID_ARGUMENT) : MRPC_RESOURCE_EXHAUSTED;
    mrpc_call_end(call, false, code, "%s", error->text);
}

/* --- messages of a stream --- */

/* Without EAGAIN for the window: the caller has looked at it. */
static int send_message(mrpc_call *call, const void *message, const mrpc_meta *meta, message_hold hold,
                        mrpc_error *error)
{
    mrpc_session *session = call->session;
    int result = connection_has_room(session) ? mrpc_session_send_message(session, call, message, 0, meta, hold, error)
                                              : MRPC_EAGAIN;
    if (result == MRPC_EAGAIN)
        mrpc_session_block(session, call);
    return result;
}

static int try_to_send(mrpc_call *call, const void *message, const mrpc_meta *meta)
{
    mrpc_error error;
    if (call->ended)
        return MRPC_ECLOSED;
    if (call->closing || call->half_closed)
        return MRPC_EINVAL;
    if (mrpc_call_has_room(call))
        return send_message(call, message, meta, call->server ? HOLD_TAKEN : HOLD_COPY, &error);
    mrpc_call_await_room(call);
    return MRPC_EAGAIN;
}

int mrpc_call_send_now(mrpc_call *call, const void *message, mrpc_meta **meta)
{
    int result = try_to_send(call, message, *meta);
    if (result == MRPC_EAGAIN) {
        call->wants_room = true;
        return result;
    }
    if (result == 0) {
        free(*meta);
        *meta = NULL;
        call->sent_something = true;
    } else if (call->server) {
        mrpc_release(message);
    }
    return result;
}

void mrpc_call_add_outgoing(mrpc_call *call, mrpc_outgoing *outgoing)
{
    outgoing->next = NULL;
    *call->outbox_end = outgoing;
    call->outbox_end = &outgoing->next;
}

/* Takes the first one out; its memory may be gone already, hence what was behind it. */
static void advance_outbox(mrpc_call *call, mrpc_outgoing *next)
{
    call->outbox = next;
    if (next == NULL)
        call->outbox_end = &call->outbox;
    atomic_fetch_sub(&call->queued_sends, 1);
}

void mrpc_call_drop_outgoing(mrpc_call *call)
{
    while (call->outbox != NULL) {
        mrpc_outgoing *first = call->outbox;
        const void *message = first->message;
        free(first->meta);
        advance_outbox(call, first->next);
        mrpc_release(message);
    }
}

/* True when nothing of the outbox is left. */
static bool send_outbox(mrpc_call *call)
{
    while (call->outbox != NULL) {
        mrpc_error error;
        mrpc_outgoing *first = call->outbox, *next = first->next;
        mrpc_meta *meta = first->meta;
        if (!window_open(call))
            return false;
        int result = send_message(call, first->message, meta, HOLD_TAKEN, &error);
        if (result == MRPC_EAGAIN)
            return false;
        if (result != 0) {
            end_unsendable(call, result, &error);
            return false;
        }
        free(meta);
        advance_outbox(call, next);
    }
    return true;
}

/* The message of a thread that waits in mrpc_call_send(). */
static bool send_waiting(mrpc_call *call)
{
    mrpc_error error;
    mrpc_call_wait *wait = call->wait;
    if (wait == NULL || wait->what != WAIT_SEND)
        return true;
    if (!window_open(call))
        return false;
    wait->result = send_message(call, wait->message, NULL, HOLD_BORROWED, &error);
    if (wait->result == MRPC_EAGAIN)
        return false;
    wait->what = WAIT_SENT;
    mrpc_call_wake_task(call);
    return true;
}

/* --- client --- */

/* False: it has to wait, or the call has ended. */
static bool send_opening(mrpc_call *call)
{
    mrpc_session *session = call->session;
    mrpc_error error;
    uint32_t number = call->binding->number;
    unsigned flags = FRAME_OPEN | (call->last != NULL ? FRAME_END : 0);
    call->named = number == 0;
    call->protobuf = call->named || call->binding->protobuf;
    if (call->named)
        flags |= FRAME_NAMED;
    bool unary = call->style <= STYLE_QUEUE_UNARY;
    int result = mrpc_session_send_message(session, call, call->last, flags, call->meta_last,
                                           unary ? HOLD_BORROWED : HOLD_COPY, &error);
    if (result == MRPC_EAGAIN)
        mrpc_session_block(session, call);
    else if (result != 0)
        end_unsendable(call, result, &error);
    if (result != 0)
        return false;
    call->opened = true;
    call->half_closed = call->last != NULL;
    if (!unary) { /* a unary call may have to be sent again, see mrpc_channel_requeue() */
        mrpc_call_drop_last(call);
        free(call->meta_last);
        call->meta_last = NULL;
    }
    return true;
}

static void output_client(mrpc_call *call)
{
    if (!call->opened && !send_opening(call))
        return;
    if (!send_outbox(call) || !send_waiting(call) || !call->closing || call->half_closed)
        return;
    mrpc_error error;
    int result = mrpc_session_send_message(call->session, call, NULL, FRAME_END, NULL, HOLD_COPY, &error);
    if (result == MRPC_EAGAIN)
        mrpc_session_block(call->session, call);
    call->half_closed = result == 0;
}

/* --- server --- */

/* The reply waits, if there is one: it counts among what the connection holds. */
static void hold_reply(mrpc_call *call)
{
    const mrpc_message *reply = call->last;
    if (reply == NULL || reply->arena == NULL || call->reply_waits)
        return;
    call->reply_waits = true;
    mrpc_session_hold(call, mrpc_arena_bytes(reply->arena));
}

static void output_server(mrpc_call *call)
{
    if (!send_outbox(call) || !call->closing || (call->last != NULL && !window_open(call))) {
        hold_reply(call);
        return;
    }
    mrpc_error error;
    int result = mrpc_session_send_message(call->session, call, call->last, FRAME_END | FRAME_OK, call->meta_last,
                                           HOLD_TAKEN, &error);
    if (result == MRPC_EAGAIN) {
        hold_reply(call);
        mrpc_session_block(call->session, call);
        return;
    }
    if (result != 0) {
        end_unsendable(call, result, &error);
        return;
    }
    call->last = NULL;
    call->last_owned = false;
    mrpc_call_end(call, true, MRPC_OK, "%s", "");
}

void mrpc_call_output(mrpc_call *call)
{
    if (call->ended || call->blocked || !on_connection(call))
        return;
    if (call->server)
        output_server(call);
    else
        output_client(call);
    if (call->wants_room || (call->exposed && (atomic_load(&call->control) & CONTROL_WRITABLE)))
        mrpc_call_wake_task(call);
}
