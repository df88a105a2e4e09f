/* SPDX-License-Identifier: BSD-2-Clause */
/* session.c - a connection from its beginning to its end, the calls on it, and the frames that are no messages */
#include "config.h"

#include "runtime/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/dispatch.h"
#include "runtime/hello.h"

/* A peer that asks and asks and does not read must not fill our memory. */
enum { DEFERRED_LIMIT = 65536 };

struct deferred_frame {
    deferred_frame *next;
    mrpc_frame header;
    size_t size;
    char payload[];
};

static mrpc_engine *engine_of(const mrpc_session *session)
{
    return &session->runtime->engine;
}

/* --- beginning --- */

static void established(mrpc_session *session)
{
    session->state = SESSION_HELLO;
    engine_of(session)->counters.connections_opened++;
    mrpc_hello_send(session);
}

static void connection_opened(mrpc_connection *connection)
{
    mrpc_session *session = connection->owner;
    memcpy(session->peer, connection->peer, sizeof session->peer);
    established(session);
}

static void connection_drained(mrpc_connection *connection)
{
    mrpc_session *session = connection->owner;
    session->unblock = true;
    mrpc_engine_queue(engine_of(session), &session->task);
}

static void connection_closed(mrpc_connection *connection, const mrpc_error *reason);

static const mrpc_connection_events connection_events = {
    .size = sizeof(mrpc_connection_events),
    .opened = connection_opened,
    .received = mrpc_session_received,
    .drained = connection_drained,
    .closed = connection_closed,
};

static void run_task(mrpc_engine *engine, mrpc_task *task);

static mrpc_session *new_session(mrpc_runtime *runtime, const mrpc_transport *transport,
                                 const mrpc_connection_options *options)
{
    mrpc_session *session = mrpc_runtime_alloc(runtime, sizeof *session);
    if (session == NULL)
        return NULL;
    session->runtime = runtime;
    session->transport = transport;
    session->max_calls = options->max_calls;
    session->max_message = options->max_message;
    session->max_unfinished = options->max_unfinished;
    session->max_held = options->max_held;
    session->window = options->window;
    session->chunk = options->chunk;
    session->deferred_end = &session->deferred;
    session->task.run = run_task;
    return session;
}

static void adopt(mrpc_session *session, mrpc_connection *connection)
{
    connection->owner = session;
    connection->events = &connection_events;
    session->line.connection = connection;
    memcpy(session->peer, connection->peer, sizeof session->peer);
    /* Polled until something comes or a sleep arms it. */
    mrpc_engine_activate(engine_of(session), &session->line);
}

int mrpc_session_connect(mrpc_session **session, mrpc_runtime *runtime, const mrpc_transport *transport,
                         const char *rest, const mrpc_transport_setup *setup, mrpc_error *error)
{
    mrpc_session *fresh = new_session(runtime, transport, &setup->options);
    if (fresh == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory for a connection");
    mrpc_connection *connection;
    int result = transport->connect(&connection, rest, setup, error);
    if (result != 0) {
        free(fresh);
        return result;
    }
    adopt(fresh, connection);
    *session = fresh;
    return 0;
}

mrpc_session *mrpc_session_accept(mrpc_runtime *runtime, mrpc_connection *connection,
                                  const mrpc_connection_options *options)
{
    mrpc_session *session = new_session(runtime, connection->transport, options);
    if (session == NULL) {
        connection->transport->close(connection);
        return NULL;
    }
    session->server = true;
    adopt(session, connection);
    session->heap = mrpc_heap_ref(connection->transport->heap(connection));
    established(session);
    return session;
}

/* --- end --- */

static void free_if_unused(mrpc_session *session)
{
    if (session->state != SESSION_CLOSED || session->attached > 0 || session->task.queued)
        return;
    mrpc_call_table_free(&session->calls);
    mrpc_heap_unref(session->heap);
    free(session->bound);
    free(session);
}

static void drop_deferred(mrpc_session *session)
{
    while (session->deferred != NULL) {
        deferred_frame *frame = session->deferred;
        session->deferred = frame->next;
        free(frame);
    }
    session->deferred_end = &session->deferred;
    session->deferred_count = 0;
}

/* Ends the connection and the calls on it. The session's memory goes when its task has run and no call points to it. */
static void end_session(mrpc_session *session, const char *why)
{
    mrpc_connection *connection = session->line.connection;
    if (session->state != SESSION_OPENING)
        engine_of(session)->counters.connections_closed++;
    session->state = SESSION_CLOSED;
    mrpc_loop_stop(engine_of(session)->loop, &session->timer);
    /* Ending a call takes it out, and may move another one into its place. */
    for (uint32_t i = 0; session->calls.count > 0 && i <= session->calls.mask; i++)
        while (session->calls.slots[i] != NULL)
            mrpc_call_end(session->calls.slots[i], true, MRPC_UNAVAILABLE, "%s", why);
    drop_deferred(session);
    if (connection != NULL) {
        mrpc_engine_forget(engine_of(session), &session->line);
        session->transport->close(connection);
    }
    if (session->place != NULL) {
        *session->place = session->next;
        if (session->next != NULL)
            session->next->place = session->place;
        session->place = NULL;
    }
    mrpc_engine_queue(engine_of(session), &session->task);
}

static void lose(mrpc_session *session, const mrpc_error *reason)
{
    char why[sizeof reason->text + sizeof session->peer + 32];
    const mrpc_session_owner *events = session->owner_events;
    (void)snprintf(why, sizeof why, "the connection to %s ended: %s", session->peer, mrpc_error_text(reason));
    end_session(session, why);
    events->lost(session, reason);
}

static void connection_closed(mrpc_connection *connection, const mrpc_error *reason)
{
    mrpc_session *session = connection->owner;
    mrpc_error copy = session->reason.code != 0 ? session->reason : *reason;
    if (copy.code == 0)
        (void)mrpc_error_set(&copy, MRPC_ECLOSED, "the peer closed it");
    lose(session, &copy);
}

void mrpc_session_close(mrpc_session *session, const char *why)
{
    if (session->state != SESSION_CLOSED)
        end_session(session, why);
}

void mrpc_session_close_soon(mrpc_session *session)
{
    session->finished = true;
    mrpc_engine_queue(engine_of(session), &session->task);
}

int mrpc_session_break(mrpc_session *session, int code, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (session->reason.code == 0)
        (void)mrpc_error_set(&session->reason, code, "%s", text);
    session->broken = true;
    mrpc_engine_queue(engine_of(session), &session->task);
    return code;
}

/* --- frames that are no messages --- */

static int try_control(mrpc_session *session, const mrpc_frame *header, const void *payload, size_t size)
{
    mrpc_space space;
    mrpc_connection *connection = session->line.connection;
    size_t padded = mrpc_pad8(size);
    int result = session->transport->begin(connection, sizeof *header + padded, &space);
    if (result != 0)
        return result;
    memcpy(space.data, header, sizeof *header);
    if (size > 0) {
        memset(space.data + sizeof *header + padded - 8, 0, 8);
        memcpy(space.data + sizeof *header, payload, size);
    }
    session->transport->commit(connection, &space, NULL, NULL);
    mrpc_engine_touch(engine_of(session), &session->line);
    return 0;
}

static void defer(mrpc_session *session, const mrpc_frame *header, const void *payload, size_t size)
{
    deferred_frame *frame = NULL;
    if (session->deferred_count < DEFERRED_LIMIT)
        frame = mrpc_runtime_alloc(session->runtime, sizeof *frame + size);
    if (frame == NULL) {
        (void)mrpc_session_break(session, MRPC_ELIMIT,
                                 "it does not take what it is sent, or there is no memory to keep it");
        return;
    }
    frame->header = *header;
    frame->size = size;
    if (size > 0)
        memcpy(frame->payload, payload, size);
    *session->deferred_end = frame;
    session->deferred_end = &frame->next;
    session->deferred_count++;
}

void mrpc_session_control(mrpc_session *session, const mrpc_frame *header, const void *payload, size_t size)
{
    if (session->state == SESSION_CLOSED || session->broken)
        return;
    int result = session->deferred != NULL ? MRPC_EAGAIN : try_control(session, header, payload, size);
    if (result == MRPC_EAGAIN)
        defer(session, header, payload, size);
    else if (result != 0)
        (void)mrpc_session_break(session, result, "no memory to send");
}

void mrpc_session_send_goaway(mrpc_session *session)
{
    if (session->goaway_sent || session->state != SESSION_READY)
        return;
    session->goaway_sent = true;
    session->goaway_last = session->last_number;
    const mrpc_frame header = {.type = FRAME_GOAWAY, .call = session->goaway_last};
    mrpc_session_control(session, &header, NULL, 0);
}

static void send_status(mrpc_session *session, uint32_t number, mrpc_code code, const char *text,
                        const mrpc_meta *trailers)
{
    char meta[META_LIMIT] __attribute__((aligned(8)));
    size_t size = 0, length = strlen(text);
    if (length > 0)
        size = mrpc_meta_write(meta, ":message", text, length, 0);
    if (trailers != NULL && trailers->size <= sizeof meta - size) {
        memcpy(meta + size, trailers->data, trailers->size);
        size += trailers->size;
    }
    const mrpc_frame header = {
        .type = FRAME_STATUS, .flags = FRAME_END, .call = number, .method = (uint32_t)code, .meta = (uint32_t)size};
    mrpc_session_control(session, &header, meta, size);
}

void mrpc_session_send_status(mrpc_session *session, mrpc_call *call)
{
    send_status(session, call->number, call->code, call->text, call->meta_last);
}

void mrpc_session_refuse(mrpc_session *session, uint32_t number, mrpc_code code, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    send_status(session, number, code, text, NULL);
}

/* --- room --- */

void mrpc_session_block(mrpc_session *session, mrpc_call *call)
{
    if (call->blocked)
        return;
    call->blocked = true;
    call->next = session->blocked;
    call->place = &session->blocked;
    if (call->next != NULL)
        call->next->place = &call->next;
    session->blocked = call;
}

void mrpc_session_unblock_call(mrpc_call *call)
{
    if (!call->blocked)
        return;
    call->blocked = false;
    *call->place = call->next;
    if (call->next != NULL)
        call->next->place = call->place;
    call->place = NULL;
}

static void send_deferred(mrpc_session *session)
{
    while (session->deferred != NULL) {
        deferred_frame *frame = session->deferred;
        int result = try_control(session, &frame->header, frame->payload, frame->size);
        if (result == MRPC_EAGAIN)
            return;
        if (result != 0) {
            (void)mrpc_session_break(session, result, "no memory to send");
            return;
        }
        session->deferred = frame->next;
        if (session->deferred == NULL)
            session->deferred_end = &session->deferred;
        session->deferred_count--;
        free(frame);
    }
}

/* Each call that waits gets its turn once; those that find no room again wait for the next time. */
static void unblock(mrpc_session *session)
{
    session->unblock = false;
    send_deferred(session);
    if (session->deferred != NULL)
        return;
    mrpc_call *waiting = NULL;
    for (mrpc_call *call; (call = session->blocked) != NULL;) {
        mrpc_session_unblock_call(call);
        call->next = waiting;
        waiting = call;
    }
    while (waiting != NULL) {
        mrpc_call *call = waiting;
        waiting = call->next;
        mrpc_call_output(call);
        mrpc_call_wake_task(call);
    }
}

static void run_task(mrpc_engine *engine, mrpc_task *task)
{
    (void)engine;
    mrpc_session *session = (mrpc_session *)((char *)task - offsetof(mrpc_session, task));
    if (session->state != SESSION_CLOSED && session->broken) {
        mrpc_error reason = session->reason;
        lose(session, &reason);
        return;
    }
    if (session->state != SESSION_CLOSED && session->unblock)
        unblock(session);
    if (session->state != SESSION_CLOSED && session->finished)
        end_session(session, "the connection was closed");
    free_if_unused(session);
}

/* --- calls --- */

int mrpc_session_attach(mrpc_session *session, mrpc_call *call)
{
    bool grown;
    int result = mrpc_call_table_add(&session->calls, call, &grown);
    if (grown)
        engine_of(session)->counters.allocations++;
    if (result != 0)
        return result;
    call->listed = true;
    call->session = session;
    call->receive_window = (int64_t)session->window;
    atomic_store_explicit(&call->send_window, (int64_t)session->peer_window, memory_order_relaxed);
    session->attached++;
    return 0;
}

void mrpc_session_unlist(mrpc_session *session, mrpc_call *call)
{
    mrpc_session_unblock_call(call);
    if (!call->listed)
        return;
    call->listed = false;
    mrpc_call_table_remove(&session->calls, call);
    if (session->state != SESSION_CLOSED && session->owner_events->eased != NULL)
        session->owner_events->eased(session);
}

/* One message is always taken, whatever its header adds to its size. */
bool mrpc_session_may_hold(const mrpc_session *session, uint64_t bytes)
{
    return !session->server || session->held == 0 ||
           (session->held <= session->max_held && bytes <= session->max_held - session->held);
}

void mrpc_session_detach(mrpc_session *session, mrpc_call *call)
{
    mrpc_session_let_go(call, call->held);
    call->session = NULL;
    session->attached--;
    if (session->state == SESSION_CLOSED)
        mrpc_engine_queue(engine_of(session), &session->task);
}
