/* SPDX-License-Identifier: BSD-2-Clause */
/* stream.c - sending and receiving in a call that is open: from the driver, from other threads, and blocking */
#include "config.h"

#include <stdlib.h>

#include "runtime/call.h"
#include "runtime/session.h"

enum { QUEUED_SENDS = 64 }; /* messages that other threads may leave for the driver in one call */

static mrpc_engine *engine_of(const mrpc_call *call)
{
    return &call->runtime->engine;
}

/* Takes the engine when nobody has it. *entered: it must be left. */
static bool get_inside(mrpc_engine *engine, bool *entered)
{
    *entered = false;
    if (mrpc_engine_inside(engine))
        return true;
    *entered = mrpc_engine_enter(engine);
    return *entered;
}

/* --- from another thread than the driver's --- */

static void run_send(mrpc_engine *engine, mrpc_op *op)
{
    (void)engine;
    mrpc_outgoing *outgoing = (mrpc_outgoing *)op;
    mrpc_call *call = mrpc_call_slot(outgoing->handle);
    if (!mrpc_call_is_current(outgoing->handle) || call->ended || call->closing || call->half_closed) {
        if (mrpc_call_is_current(outgoing->handle))
            atomic_fetch_sub(&call->queued_sends, 1);
        free(outgoing->meta);
        mrpc_release(outgoing->message);
        return;
    }
    mrpc_call_add_outgoing(call, outgoing);
    mrpc_call_output(call);
}

static bool may_queue(mrpc_call *call)
{
    return atomic_load(&call->send_window) > 0 && atomic_load(&call->queued_sends) < QUEUED_SENDS;
}

/* A message of the runtime's own, with an arena for what has to be remembered with it. */
static void *own_message(mrpc_call *call, const void *message)
{
    bool taken = call->server && ((const mrpc_message *)message)->arena != NULL;
    const mrpc_type *type = call->server ? call->method->reply : call->method->request;
    return taken ? (void *)(uintptr_t)message : mrpc_message_copy(type, message, call->heap);
}

static int queue_send(mrpc_call *handle, const void *message)
{
    mrpc_call *call = mrpc_call_slot(handle);
    uint64_t before;
    if (!may_queue(call)) {
        if (!mrpc_call_mark(handle, CONTROL_WRITABLE, CONTROL_ENDED, &before))
            return MRPC_ECLOSED;
        if (!may_queue(call))
            return MRPC_EAGAIN;
    }
    void *own = own_message(call, message);
    mrpc_outgoing *outgoing = own == NULL ? NULL : mrpc_arena_alloc(((mrpc_message *)own)->arena, sizeof *outgoing);
    if (outgoing == NULL) {
        if (own != message)
            mrpc_release(own);
        return MRPC_ENOMEM;
    }
    *outgoing = (mrpc_outgoing){.op.run = run_send, .handle = handle, .message = own, .meta = call->meta_out};
    call->meta_out = NULL;
    if (call->server)
        call->sent_something = true;
    atomic_fetch_add(&call->queued_sends, 1);
    mrpc_engine_submit(engine_of(call), &outgoing->op, true);
    return 0;
}

/* --- blocking --- */

static int wait_for(mrpc_call *handle, mrpc_call_wait *wait, void (*begin)(mrpc_engine *engine, mrpc_waiter *waiter))
{
    mrpc_engine *engine = engine_of(mrpc_call_slot(handle));
    wait->handle = handle;
    wait->waiter.begin = begin;
    wait->waiter.until = UINT64_MAX;
    int result = mrpc_engine_wait(engine, &wait->waiter);
    return result != 0 ? result : wait->result;
}

static void complete_at_once(mrpc_engine *engine, mrpc_call_wait *wait, int result)
{
    wait->result = result;
    mrpc_engine_complete(engine, &wait->waiter);
}

/* On the driver. The slot may have been freed, and be in use anew, since the thread looked at its handle: the driver
 * frees it before it tells who finished the call. So of several threads that finish a call, one does. */
static bool take_place(mrpc_engine *engine, mrpc_call_wait *wait)
{
    mrpc_call *call = mrpc_call_slot(wait->handle);
    if (!mrpc_call_is_current(wait->handle) || call->wait != NULL) {
        complete_at_once(engine, wait, MRPC_EINVAL);
        return false;
    }
    call->wait = wait;
    return true;
}

static void begin_send(mrpc_engine *engine, mrpc_waiter *waiter)
{
    mrpc_call_wait *wait = (mrpc_call_wait *)waiter;
    mrpc_call *call = mrpc_call_slot(wait->handle);
    bool current = mrpc_call_is_current(wait->handle);
    if (!current || call->closing || call->ended) {
        /* Who has half-closed is told so, whether the call has ended since or not. */
        complete_at_once(engine, wait, current && call->closing ? MRPC_EINVAL : MRPC_ECLOSED);
        return;
    }
    if (!take_place(engine, wait))
        return;
    mrpc_call_output(call);
    mrpc_call_wake_task(call);
}

static void begin_receive(mrpc_engine *engine, mrpc_waiter *waiter)
{
    mrpc_call_wait *wait = (mrpc_call_wait *)waiter;
    if (take_place(engine, wait))
        mrpc_call_wake_task(mrpc_call_slot(wait->handle));
}

static void begin_finish(mrpc_engine *engine, mrpc_waiter *waiter)
{
    mrpc_call_wait *wait = (mrpc_call_wait *)waiter;
    mrpc_call *call = mrpc_call_slot(wait->handle);
    if (!take_place(engine, wait))
        return;
    call->closing = true;
    mrpc_call_output(call);
    mrpc_call_wake_task(call);
}

/* --- the public functions --- */

static bool may_send(const mrpc_call *call)
{
    return call->server ? call->method->server_streaming : call->method->client_streaming;
}

/* 0 or an error; *kept: the message is the caller's still, if it was the caller's to give. */
static int send_without_waiting(mrpc_call *handle, const void *message, bool *kept)
{
    mrpc_call *call = mrpc_call_slot(handle);
    bool entered;
    *kept = true;
    if (!get_inside(engine_of(call), &entered)) {
        int result = queue_send(handle, message);
        *kept = result != 0;
        return result;
    }
    int result = MRPC_ECLOSED;
    if (mrpc_call_is_current(handle)) {
        result = mrpc_call_send_now(call, message, &call->meta_out);
        *kept = false;
    }
    if (entered)
        mrpc_engine_leave(engine_of(call), true);
    return result;
}

int mrpc_call_send(mrpc_call *handle, const void *message)
{
    if (handle == NULL || message == NULL)
        return MRPC_EINVAL;
    mrpc_call *call = mrpc_call_slot(handle);
    bool kept = true;
    int result;
    if (mrpc_engine_forked(engine_of(call)))
        return MRPC_EFORKED;
    if (!mrpc_call_is_usable(handle))
        result = MRPC_ECLOSED;
    else if (!may_send(call))
        result = MRPC_EINVAL;
    else if (call->style == STYLE_BLOCKING)
        result = wait_for(handle, &(mrpc_call_wait){.what = WAIT_SEND, .message = message}, begin_send);
    else
        result = send_without_waiting(handle, message, &kept);
    if (kept && result != 0 && result != MRPC_EAGAIN && mrpc_call_handle_is_server(handle))
        mrpc_release(message);
    return result;
}

int mrpc_call_close_send(mrpc_call *handle)
{
    uint64_t before;
    if (handle == NULL || mrpc_call_slot(handle)->server)
        return MRPC_EINVAL;
    mrpc_call *call = mrpc_call_slot(handle);
    if (mrpc_engine_forked(engine_of(call)))
        return MRPC_EFORKED;
    if (!mrpc_call_mark(handle, CONTROL_LAST | CONTROL_LAST_OP, CONTROL_LAST, &before))
        return mrpc_call_is_usable(handle) && !(before & CONTROL_ENDED) ? 0 : MRPC_ECLOSED;
    mrpc_call_submit_last(call);
    return before & CONTROL_ENDED ? MRPC_ECLOSED : 0;
}

int mrpc_call_receive(mrpc_call *handle, const void **message)
{
    *message = NULL;
    if (!mrpc_call_is_usable(handle) || mrpc_call_slot(handle)->style != STYLE_BLOCKING)
        return MRPC_EINVAL;
    if (mrpc_engine_forked(engine_of(mrpc_call_slot(handle))))
        return MRPC_EFORKED;
    mrpc_call_wait wait = {.what = WAIT_RECEIVE};
    int result = wait_for(handle, &wait, begin_receive);
    if (result == 1)
        *message = wait.message;
    return result;
}

mrpc_status mrpc_call_finish(mrpc_call *handle)
{
    mrpc_status status;
    mrpc_call_wait wait = {.what = WAIT_END, .status = &status};
    int result = MRPC_EINVAL;
    if (mrpc_call_is_usable(handle) && mrpc_engine_forked(engine_of(mrpc_call_slot(handle))))
        result = MRPC_EFORKED;
    else if (mrpc_call_is_usable(handle) && mrpc_call_slot(handle)->style == STYLE_BLOCKING)
        result = wait_for(handle, &wait, begin_finish);
    if (result == 0)
        return status; /* cppcheck-suppress uninitvar; it was filled in through `wait` */
    if (result == MRPC_EINVAL)
        return mrpc_status_make(
            MRPC_INVALID_ARGUMENT,
            "mrpc_call_finish() takes a call that was opened without callbacks and is not finished");
    return mrpc_status_make(MRPC_FAILED_PRECONDITION, "mrpc_call_finish(): %s", mrpc_strerror(result));
}
