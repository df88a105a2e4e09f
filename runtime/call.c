/* SPDX-License-Identifier: BSD-2-Clause */
/* call.c - a call from its beginning to its end, whoever ends it */
#include "config.h"

#include "runtime/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mrpc/marshal/text.h>

#include "runtime/channel.h"
#include "runtime/server.h"
#include "runtime/session.h"

/* --- handles --- */

enum { HANDLE_BITS = CALL_ALIGN - 1, HANDLE_SERVER = 1 };

/* The lowest bit says the side, the others the generation. */
static uintptr_t handle_bits(const mrpc_call *call, uint64_t control)
{
    return (uintptr_t)((control >> CONTROL_SHIFT) << 1 & HANDLE_BITS) | (call->server ? HANDLE_SERVER : 0);
}

mrpc_call *mrpc_call_handle(mrpc_call *call)
{
    uint64_t control = atomic_load_explicit(&call->control, memory_order_relaxed);
    call->exposed = true;
    return (mrpc_call *)((uintptr_t)call | handle_bits(call, control));
}

bool mrpc_call_handle_is_server(const mrpc_call *handle)
{
    return (uintptr_t)handle & HANDLE_SERVER;
}

static bool fits(const mrpc_call *handle, uint64_t control)
{
    uintptr_t generation = (uintptr_t)(control >> CONTROL_SHIFT) << 1;
    return (((uintptr_t)handle ^ generation) & HANDLE_BITS & ~(uintptr_t)HANDLE_SERVER) == 0;
}

bool mrpc_call_is_usable(const mrpc_call *handle)
{
    if (handle == NULL)
        return false;
    uint64_t control = atomic_load(&mrpc_call_slot(handle)->control);
    return fits(handle, control);
}

bool mrpc_call_is_current(const mrpc_call *handle)
{
    const mrpc_call *call = mrpc_call_slot(handle);
    return fits(handle, atomic_load_explicit(&call->control, memory_order_relaxed)) && !call->freed;
}

bool mrpc_call_mark(const mrpc_call *handle, uint64_t set, uint64_t unless, uint64_t *before)
{
    mrpc_call *call = mrpc_call_slot(handle);
    uint64_t control = atomic_load(&call->control);
    do {
        *before = control;
        if (!fits(handle, control) || (control & unless))
            return false;
    } while (!atomic_compare_exchange_weak(&call->control, &control, control | set));
    return true;
}

bool mrpc_call_retire_handle(const mrpc_call *handle)
{
    mrpc_call *call = mrpc_call_slot(handle);
    uint64_t control = atomic_load(&call->control), next;
    do {
        if (!fits(handle, control) || (control & (CONTROL_LAST | CONTROL_LAST_OP | CONTROL_POKED)))
            return false;
        next = ((control >> CONTROL_SHIFT) + 1) << CONTROL_SHIFT;
    } while (!atomic_compare_exchange_weak(&call->control, &control, next));
    call->exposed = false;
    return true;
}

/* --- the end --- */

void mrpc_call_wake_task(mrpc_call *call)
{
    if (call->delivering)
        call->again = true;
    else
        mrpc_engine_queue(&call->runtime->engine, &call->task);
}

void mrpc_call_drop_received(mrpc_call *call)
{
    while (call->inbox != NULL) {
        mrpc_received *received = call->inbox;
        call->inbox = received->next;
        mrpc_release(received->message);
    }
    call->inbox_end = &call->inbox;
}

void mrpc_call_add_received(mrpc_call *call, mrpc_received *received)
{
    received->next = NULL;
    *call->inbox_end = received;
    call->inbox_end = &received->next;
}

void mrpc_call_drop_last(mrpc_call *call)
{
    if (call->last_owned)
        mrpc_release(call->last);
    call->last = NULL;
    call->last_owned = false;
}

static void tell_peer(mrpc_call *call)
{
    mrpc_session *session = call->session;
    if (call->server) {
        mrpc_session_send_status(session, call);
    } else if (call->opened) {
        const mrpc_frame header = {.type = FRAME_CANCEL, .call = call->number, .method = (uint32_t)call->code};
        mrpc_session_control(session, &header, NULL, 0);
    }
}

static void leave_session(mrpc_call *call, bool by_peer)
{
    if (call->session == NULL)
        return;
    mrpc_session_abandon(call);
    if (!by_peer)
        tell_peer(call);
    mrpc_session_unlist(call->session, call);
}

/* The text may be the peer's or the application's: each byte that is not of UTF-8 becomes a question mark. */
static void mend_text(char *text)
{
    size_t size = strlen(text);
    for (size_t at = 0; at < size;) {
        size_t length = mrpc_text_sequence((const uint8_t *)text + at, size - at);
        if (length == 0)
            text[at] = '?';
        at += length > 0 ? length : 1;
    }
}

static void set_outcome(mrpc_call *call, mrpc_code code, const char *format, va_list arguments) MRPC_PRINTF(3, 0);

static void set_outcome(mrpc_call *call, mrpc_code code, const char *format, va_list arguments)
{
    mrpc_counters *counters = &call->runtime->engine.counters;
    call->ended = true;
    call->code = code;
    counters->calls_ended++;
    if (code == MRPC_OK)
        return;
    counters->calls_failed++;
    (void)vsnprintf(call->text, sizeof call->text, format, arguments);
    mend_text(call->text);
}

void mrpc_call_end(mrpc_call *call, bool by_peer, mrpc_code code, const char *format, ...)
{
    if (call->ended)
        return;
    va_list arguments;
    va_start(arguments, format);
    set_outcome(call, code, format, arguments);
    va_end(arguments);
    if (call->timer.place != 0)
        mrpc_loop_stop(call->runtime->engine.loop, &call->timer);
    if (call->pending)
        mrpc_channel_remove_pending(call);
    leave_session(call, by_peer);
    mrpc_call_drop_outgoing(call);
    mrpc_call_drop_last(call);
    if (call->server || !by_peer)
        mrpc_call_drop_received(call);
    if (call->exposed)
        atomic_fetch_or(&call->control, CONTROL_ENDED);
    mrpc_call_wake_task(call);
}

/* What kept the call from being begun: "" when it was, otherwise two texts. */
static const char *why_pending(const mrpc_call *call, const char **reason)
{
    *reason = "";
    if (!call->pending)
        return "";
    if (call->channel->state == CHANNEL_READY)
        return " while the connection had as many open calls as the server accepts (its option connection.max_calls)";
    if (call->channel->last_error.code == 0)
        return " while there was no connection";
    *reason = call->channel->last_error.text;
    return " while there was no connection: ";
}

void mrpc_call_abandon_delivery(mrpc_call *call)
{
    if (!call->ended || call->told || call->inbox == NULL)
        return;
    mrpc_call_drop_received(call);
    if (call->code == MRPC_OK)
        call->runtime->engine.counters.calls_failed++;
    call->code = MRPC_CANCELLED;
    (void)snprintf(call->text, sizeof call->text, "the channel was closed before all messages were taken");
    mrpc_call_wake_task(call);
}

static void deadline_passed(mrpc_timer *timer)
{
    mrpc_call *call = (mrpc_call *)((char *)timer - offsetof(mrpc_call, timer));
    const char *reason, *why = why_pending(call, &reason);
    mrpc_call_end(call, false, MRPC_DEADLINE_EXCEEDED, "the deadline of %s passed%s%s", call->method->full_name, why,
                  reason);
}

bool mrpc_call_start_timer(mrpc_call *call)
{
    if (call->deadline == 0)
        return true;
    call->timer = (mrpc_timer){.expired = deadline_passed};
    if (mrpc_loop_start(call->runtime->engine.loop, &call->timer, call->deadline) == 0)
        return true;
    mrpc_call_end(call, false, MRPC_RESOURCE_EXHAUSTED, "no memory for the timer of a deadline");
    return false;
}

/* Whether a handler still owes the answer, and until then may use the call. */
static bool answer_owed(const mrpc_call *call)
{
    return call->server && call->handled && !call->replied && !call->has_callbacks;
}

static void free_answer(mrpc_call *call)
{
    mrpc_release(call->answer.message);
    free(call->answer.meta);
    free(call->answer.text);
}

void mrpc_call_finished(mrpc_call *call)
{
    if (!call->ended || !call->told || call->task.queued || answer_owed(call))
        return;
    mrpc_call_drop_received(call);
    if (call->request != NULL && !call->request_kept)
        mrpc_release(call->request);
    call->request = NULL;
    free(call->meta_out);
    free(call->meta_last);
    free(call->meta_in);
    call->meta_out = call->meta_last = call->meta_in = NULL;
    if (call->session != NULL)
        mrpc_session_detach(call->session, call);
    if (call->stream_place != NULL) {
        *call->stream_place = call->stream_next;
        if (call->stream_next != NULL)
            call->stream_next->stream_place = call->stream_place;
    }
    if (call->channel != NULL)
        mrpc_channel_call_gone(call->channel);
    if (call->handlers != NULL)
        mrpc_handlers_unpin(call->handlers);
    call->channel = NULL;
    call->handlers = NULL;
    mrpc_call_free(call);
}

/* --- operations of other threads --- */

/* The slot is free once its last operation has arrived. True: nothing is to be done for it. */
static bool void_operation(mrpc_call *call)
{
    if (!call->freed)
        return false;
    free_answer(call);
    call->answer.message = NULL;
    call->answer.meta = NULL;
    call->answer.text = NULL;
    call->freed = false;
    mrpc_call_free(call);
    return true;
}

static void run_poke(mrpc_engine *engine, mrpc_op *op)
{
    (void)engine;
    mrpc_call *call = (mrpc_call *)((char *)op - offsetof(mrpc_call, poke));
    uint64_t wanted = atomic_fetch_and(&call->control, ~(uint64_t)(CONTROL_POKED | CONTROL_CANCEL | CONTROL_RESUME));
    if (void_operation(call))
        return;
    if (wanted & CONTROL_RESUME)
        call->paused = false;
    if (wanted & CONTROL_CANCEL)
        mrpc_call_end(call, false, MRPC_CANCELLED, "the call was cancelled");
    mrpc_call_wake_task(call);
}

static void poke(mrpc_call *handle, uint64_t what)
{
    uint64_t before;
    if (handle == NULL || !mrpc_call_mark(handle, what | CONTROL_POKED, 0, &before) || (before & CONTROL_POKED))
        return;
    mrpc_call *call = mrpc_call_slot(handle);
    call->poke.run = run_poke;
    mrpc_engine_submit(&call->runtime->engine, &call->poke, true);
}

void mrpc_call_cancel(mrpc_call *handle)
{
    poke(handle, CONTROL_CANCEL);
}

void mrpc_call_resume(mrpc_call *handle)
{
    poke(handle, CONTROL_RESUME);
}

static void run_pause(void *argument)
{
    if (mrpc_call_is_current(argument))
        mrpc_call_slot(argument)->paused = true;
}

void mrpc_call_pause(mrpc_call *handle)
{
    (void)!mrpc_engine_run_exclusive(&mrpc_call_slot(handle)->runtime->engine, run_pause, handle);
}

static void run_last(mrpc_engine *engine, mrpc_op *op)
{
    (void)engine;
    mrpc_call *call = (mrpc_call *)((char *)op - offsetof(mrpc_call, last_op));
    (void)atomic_fetch_and(&call->control, ~(uint64_t)CONTROL_LAST_OP);
    if (!void_operation(call))
        mrpc_call_take_last(call);
}

void mrpc_call_submit_last(mrpc_call *call)
{
    call->last_op.run = run_last;
    mrpc_engine_submit(&call->runtime->engine, &call->last_op, true);
}

/* --- what both sides may ask --- */

uint64_t mrpc_call_time_left(const mrpc_call *handle)
{
    const mrpc_call *call = mrpc_call_slot(handle);
    if (call->deadline == 0)
        return UINT64_MAX;
    uint64_t now = mrpc_engine_now(&call->runtime->engine);
    return call->deadline > now ? call->deadline - now : 0;
}

const mrpc_method *mrpc_call_method(const mrpc_call *handle)
{
    return mrpc_call_slot(handle)->method;
}

bool mrpc_call_is_cancelled(const mrpc_call *handle)
{
    uint64_t control = atomic_load(&mrpc_call_slot(handle)->control);
    return !fits(handle, control) || (control & CONTROL_ENDED);
}

mrpc_heap *mrpc_call_heap(mrpc_call *handle)
{
    return mrpc_call_slot(handle)->heap;
}

typedef struct call_query {
    const mrpc_call *handle;
    const char *key;
    size_t size;
    const void *answer;
    mrpc_metadata_list *list;
} call_query;

static void find_peer(void *argument)
{
    call_query *query = argument;
    const mrpc_session *session = mrpc_call_slot(query->handle)->session;
    query->answer = session == NULL || !mrpc_call_is_current(query->handle) ? "" : session->peer;
}

const char *mrpc_call_peer(const mrpc_call *handle)
{
    call_query query = {.handle = handle, .answer = ""};
    (void)!mrpc_engine_run_exclusive(&mrpc_call_slot(handle)->runtime->engine, find_peer, &query);
    return query.answer;
}

static void find_metadata(void *argument)
{
    call_query *query = argument;
    const mrpc_meta *meta = mrpc_call_slot(query->handle)->meta_in;
    if (meta != NULL && mrpc_call_is_current(query->handle))
        query->answer = mrpc_meta_find(meta->data, meta->size, query->key, &query->size);
}

const void *mrpc_call_get_metadata(const mrpc_call *handle, const char *key, size_t *size)
{
    call_query query = {.handle = handle, .key = key};
    if (key == NULL || mrpc_engine_run_exclusive(&mrpc_call_slot(handle)->runtime->engine, find_metadata, &query) != 0)
        return NULL;
    if (size != NULL)
        *size = query.size;
    return query.answer;
}

static void copy_metadata(void *argument)
{
    call_query *query = argument;
    if (mrpc_call_is_current(query->handle))
        query->list = mrpc_meta_list(mrpc_call_slot(query->handle)->meta_in);
}

mrpc_metadata_list *mrpc_call_copy_metadata(const mrpc_call *handle)
{
    call_query query = {.handle = handle};
    (void)!mrpc_engine_run_exclusive(&mrpc_call_slot(handle)->runtime->engine, copy_metadata, &query);
    return query.list;
}
