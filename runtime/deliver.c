/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deliver.c - where the application learns what happened to a call
 *
 * Runs as the call's task, at the top of a round and never nested, so that a handler or callback may do whatever it
 * likes with this call and others; what it does is seen when it has returned.
 */
#include "config.h"

#include <string.h>

#include "runtime/call.h"
#include "runtime/client.h"
#include "runtime/queue.h"
#include "runtime/server.h"
#include "runtime/session.h"

static mrpc_received *take(mrpc_call *call)
{
    mrpc_received *received = call->inbox;
    call->inbox = received->next;
    if (call->inbox == NULL)
        call->inbox_end = &call->inbox;
    if (call->session != NULL)
        mrpc_session_let_go(call, received->held);
    return received;
}

void mrpc_call_consumed(mrpc_call *call, uint64_t bytes)
{
    call->consumed += bytes;
    if (call->ended || call->peer_closed || call->session == NULL || 2 * call->consumed < call->session->window)
        return;
    const mrpc_frame header = {.type = FRAME_CREDIT, .call = call->number, .value = call->consumed};
    call->receive_window += (int64_t)call->consumed;
    call->consumed = 0;
    mrpc_session_control(call->session, &header, NULL, 0);
}

/* Of OK only what has a meaning is written: a status is large. */
static void set_status(mrpc_status *status, const mrpc_call *call)
{
    if (call->code != MRPC_OK) {
        *status = mrpc_status_make(call->code, "%s", call->text);
        return;
    }
    status->code = MRPC_OK;
    status->message[0] = '\0';
}

/* --- client, unary --- */

/* The reply of a call that ended with OK; a call without one did not go well. */
static const void *take_reply(mrpc_call *call)
{
    if (call->code == MRPC_OK && call->inbox != NULL)
        return take(call)->message;
    if (call->code == MRPC_OK) {
        call->code = MRPC_INTERNAL;
        memcpy(call->text, "the server sent no reply", sizeof "the server sent no reply");
    }
    return NULL;
}

static void deliver_unary(mrpc_call *call)
{
    if (!call->ended || call->told)
        return;
    const void *reply = take_reply(call);
    call->told = true;
    if (call->received != NULL)
        *call->received = mrpc_meta_list(call->meta_in);
    if (call->style == STYLE_BLOCKING_UNARY) {
        mrpc_unary_wait *wait = call->unary_wait;
        set_status(wait->status, call);
        wait->reply = reply;
        mrpc_engine_complete(&call->runtime->engine, &wait->waiter);
        return;
    }
    mrpc_status status;
    set_status(&status, call);
    if (call->style == STYLE_QUEUE_UNARY) {
        mrpc_queue_put(call->queue, call->tag, call->result, &status, reply);
        return;
    }
    if (call->unary_caller != NULL)
        call->unary_caller((mrpc_function)call->unary_callback, call->state, &status, reply);
    else
        call->unary_callback(call->state, &status, reply);
}

/* --- blocking calls --- */

static void complete_wait(mrpc_call *call, int result)
{
    mrpc_call_wait *wait = call->wait;
    call->wait = NULL;
    wait->result = result;
    mrpc_engine_complete(&call->runtime->engine, &wait->waiter);
}

static void deliver_received(mrpc_call *call)
{
    if (call->inbox != NULL) {
        mrpc_received *received = take(call);
        uint64_t bytes = received->bytes;
        call->wait->message = received->message;
        mrpc_call_consumed(call, bytes);
        complete_wait(call, 1);
    } else if (call->ended || call->peer_closed) {
        complete_wait(call, 0);
    }
}

/* Nobody will receive what comes from now on, but the peer must be able to go on to the end. */
static void discard(mrpc_call *call)
{
    while (call->inbox != NULL) {
        mrpc_received *received = take(call);
        uint64_t bytes = received->bytes;
        mrpc_release(received->message);
        mrpc_call_consumed(call, bytes);
    }
}

/* Returns who waits in mrpc_call_finish(), to be completed when the slot is free: the handle is void when that returns.
 */
static mrpc_waiter *deliver_end_of_wait(mrpc_call *call)
{
    discard(call);
    if (!call->ended)
        return NULL;
    mrpc_call_wait *wait = call->wait;
    set_status(wait->status, call);
    wait->result = 0;
    call->told = true;
    call->wait = NULL;
    return &wait->waiter;
}

static mrpc_waiter *deliver_blocking(mrpc_call *call)
{
    if (call->wait == NULL)
        return NULL;
    switch (call->wait->what) {
    case WAIT_RECEIVE:
        deliver_received(call);
        break;
    case WAIT_SEND:
        if (call->ended)
            complete_wait(call, MRPC_ECLOSED);
        break;
    case WAIT_SENT:
        if (!call->token_out)
            complete_wait(call, call->ended && call->wait->result == 0 ? MRPC_ECLOSED : call->wait->result);
        break;
    case WAIT_END:
        return deliver_end_of_wait(call);
    }
    return NULL;
}

/* --- callbacks, either side --- */

static void call_on_message(mrpc_call *call, const void *message)
{
    const mrpc_call_callbacks *to = &call->callbacks;
    if (to->callers != NULL)
        to->callers->message((mrpc_function)to->on_message, call->state, mrpc_call_handle(call), message);
    else
        to->on_message(call->state, mrpc_call_handle(call), message);
}

static void call_on_event(mrpc_call *call, void (*callback)(void *state, mrpc_call *call))
{
    if (callback == NULL)
        return;
    if (call->callbacks.callers != NULL)
        call->callbacks.callers->event((mrpc_function)callback, call->state, mrpc_call_handle(call));
    else
        callback(call->state, mrpc_call_handle(call));
}

static void call_on_end(mrpc_call *call, const mrpc_status *status)
{
    const mrpc_call_callbacks *to = &call->callbacks;
    if (to->on_end == NULL)
        return;
    if (to->callers != NULL)
        to->callers->end((mrpc_function)to->on_end, call->state, mrpc_call_handle(call), status);
    else
        to->on_end(call->state, mrpc_call_handle(call), status);
}

static void deliver_messages(mrpc_call *call)
{
    while (call->inbox != NULL && !call->paused && call->callbacks.on_message != NULL) {
        mrpc_received *received = take(call);
        uint64_t bytes = received->bytes;
        call_on_message(call, received->message);
        mrpc_call_consumed(call, bytes);
    }
}

static void deliver_half_close(mrpc_call *call)
{
    bool dropped = call->ended && call->code != MRPC_OK;
    if (!call->peer_closed || call->inbox != NULL || call->half_close_told || dropped)
        return;
    call->half_close_told = true;
    call_on_event(call, call->callbacks.on_half_close);
}

static bool wants_room(const mrpc_call *call)
{
    return call->wants_room || (call->exposed && (atomic_load(&call->control) & CONTROL_WRITABLE));
}

static void deliver_room(mrpc_call *call)
{
    if (call->ended || call->closing || !wants_room(call))
        return;
    if (!mrpc_call_has_room(call)) {
        mrpc_call_await_room(call);
        return;
    }
    call->wants_room = false;
    (void)atomic_fetch_and(&call->control, ~(uint64_t)CONTROL_WRITABLE);
    call_on_event(call, call->callbacks.on_writable);
}

static void deliver_end(mrpc_call *call)
{
    if (!call->ended || call->told || (call->inbox != NULL && call->paused))
        return;
    if (call->callbacks.on_message == NULL)
        mrpc_call_drop_received(call);
    if (call->inbox != NULL)
        return;
    mrpc_status status;
    set_status(&status, call);
    call->told = true;
    call_on_end(call, &status);
}

static void deliver_callbacks(mrpc_call *call)
{
    deliver_messages(call);
    deliver_half_close(call);
    deliver_room(call);
    deliver_end(call);
}

/* --- server --- */

/* False: the handler does not run, or not yet. */
static bool run_handler(mrpc_call *call)
{
    if (!call->method->client_streaming && call->inbox == NULL) {
        if (call->peer_closed)
            mrpc_call_end(call, false, MRPC_INVALID_ARGUMENT, "%s takes a request and none came",
                          call->method->full_name);
        return false;
    }
    call->handled = true;
    if (!call->method->client_streaming)
        call->request = take(call)->message;
    if (call->method->handle != NULL)
        call->method->handle(call->handler, mrpc_call_handle(call), call->request, call->state);
    else
        ((mrpc_handler)call->handler)(mrpc_call_handle(call), call->request, call->state);
    return true;
}

static void deliver_server(mrpc_call *call)
{
    if (!call->handled && (call->ended || !run_handler(call))) {
        call->told = call->ended;
        return;
    }
    if (call->has_callbacks)
        deliver_callbacks(call);
    else
        call->told = call->ended;
}

void mrpc_call_deliver(mrpc_engine *engine, mrpc_task *task)
{
    mrpc_call *call = (mrpc_call *)((char *)task - offsetof(mrpc_call, task));
    mrpc_waiter *finished = NULL;
    call->delivering = true;
    switch ((call_style)call->style) {
    case STYLE_BLOCKING_UNARY:
    case STYLE_CALLBACK_UNARY:
    case STYLE_QUEUE_UNARY:
        deliver_unary(call);
        break;
    case STYLE_BLOCKING:
        finished = deliver_blocking(call);
        break;
    case STYLE_CALLBACKS:
        deliver_callbacks(call);
        break;
    case STYLE_SERVER:
        deliver_server(call);
        break;
    }
    /* What it sent leaves before the call is cleaned up, unless others have something to send in this round too. */
    if (task->next == NULL && engine->dirty != NULL)
        mrpc_engine_flush(engine);
    call->delivering = false;
    if (call->again && !(call->ended && call->told))
        mrpc_call_wake_task(call);
    call->again = false;
    mrpc_call_finished(call);
    if (finished != NULL)
        mrpc_engine_complete(engine, finished);
}
