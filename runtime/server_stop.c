/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server_stop.c - how a server stops
 *
 *     OPEN ──stop──▶ DRAINING ──no calls, or time──▶ LINGERING ──no connections, or time──▶ STOPPED
 *
 * While it lingers, clients take the last replies and close their connections, as GOAWAY tells them to; a connection
 * that the server closed itself could lose what the client has not read. A call has ended for the server when its reply
 * is committed, however large that is and however slow the client: a connection with something left to send lingers on,
 * until drain_ms are over.
 */
#include "config.h"

#include "runtime/server.h"

#define LINGER_NS UINT64_C(500000000)

static mrpc_engine *engine_of(const mrpc_server *server)
{
    return &server->runtime->engine;
}

void mrpc_server_unlisten(mrpc_server *server)
{
    for (server_listener *entry = server->listeners; entry != NULL; entry = entry->next) {
        if (entry->listener != NULL)
            entry->listener->transport->unlisten(entry->listener);
        entry->listener = NULL;
    }
}

/* Calls that are to be served: those that have begun, and those whose first message has. */
static bool has_calls(const mrpc_server *server)
{
    for (const mrpc_session *session = server->sessions; session != NULL; session = session->next) {
        if (session->calls.count > 0)
            return true;
        if (session->goaway_sent && session->line.connection != NULL &&
            session->transport->opening(session->line.connection, session->goaway_last))
            return true;
    }
    return false;
}

static void finish(mrpc_server *server)
{
    server->state = SERVER_STOPPED;
    mrpc_loop_stop(engine_of(server)->loop, &server->timer);
    while (server->runners != NULL)
        mrpc_engine_complete(engine_of(server), server->runners);
}

static bool is_not_ready(const mrpc_session *session)
{
    return session->state != SESSION_READY;
}

static bool has_sent_all(const mrpc_session *session)
{
    return is_not_ready(session) || session->transport->queued(session->line.connection) == 0;
}

static bool is_any(const mrpc_session *session)
{
    return session != NULL;
}

static void close_sessions(mrpc_server *server, bool (*wanted)(const mrpc_session *session))
{
    for (mrpc_session *session = server->sessions, *next; session != NULL; session = next) {
        next = session->next;
        if (wanted(session))
            mrpc_server_close_session(server, session, "the server was stopped");
    }
}

static void lingered(mrpc_timer *timer);

/* False: there is nobody to linger for, or no memory to do so. */
static bool linger_on(mrpc_server *server)
{
    mrpc_loop *loop = engine_of(server)->loop;
    server->timer.expired = lingered;
    return server->sessions != NULL && mrpc_loop_start(loop, &server->timer, mrpc_loop_now(loop) + LINGER_NS) == 0;
}

/* Closes some sessions, and stops when none is left. */
static void close_and_linger(mrpc_server *server, bool (*wanted)(const mrpc_session *session))
{
    close_sessions(server, wanted);
    if (server->state == SERVER_STOPPED || linger_on(server))
        return;
    close_sessions(server, is_any);
    if (server->state != SERVER_STOPPED)
        finish(server);
}

static void lingered(mrpc_timer *timer)
{
    mrpc_server *server = (mrpc_server *)((char *)timer - offsetof(mrpc_server, timer));
    bool in_time = mrpc_loop_now(engine_of(server)->loop) < server->deadline;
    close_and_linger(server, in_time ? has_sent_all : is_any);
}

static void linger(mrpc_server *server)
{
    server->state = SERVER_LINGERING;
    close_and_linger(server, is_not_ready);
}

static void end_calls(mrpc_server *server)
{
    for (mrpc_session *session = server->sessions; session != NULL; session = session->next)
        for (uint32_t i = 0; session->calls.count > 0 && i <= session->calls.mask; i++)
            while (session->calls.slots[i] != NULL)
                mrpc_call_end(session->calls.slots[i], false, MRPC_UNAVAILABLE, "the server is shutting down");
}

static void drained(mrpc_timer *timer)
{
    mrpc_server *server = (mrpc_server *)((char *)timer - offsetof(mrpc_server, timer));
    end_calls(server);
    if (server->state == SERVER_DRAINING)
        linger(server);
}

void mrpc_server_check_stopped(mrpc_server *server)
{
    if (server->state == SERVER_DRAINING && !has_calls(server))
        linger(server);
    else if (server->state == SERVER_LINGERING && server->sessions == NULL)
        finish(server);
}

static void begin_stop(mrpc_server *server, uint64_t drain_ms)
{
    if (server->state == SERVER_OPEN) {
        server->state = SERVER_DRAINING;
        mrpc_server_unlisten(server);
        for (mrpc_session *session = server->sessions; session != NULL; session = session->next)
            mrpc_session_send_goaway(session);
    }
    if (server->state != SERVER_DRAINING)
        return;
    server->timer.expired = drained;
    server->deadline = mrpc_loop_now(engine_of(server)->loop) + drain_ms * 1000000;
    if (drain_ms == 0 || mrpc_loop_start(engine_of(server)->loop, &server->timer, server->deadline) != 0)
        drained(&server->timer);
    else
        mrpc_server_check_stopped(server);
}

void mrpc_server_run_signal(mrpc_engine *engine, mrpc_signal *signal)
{
    (void)engine;
    mrpc_server *server = (mrpc_server *)((char *)signal - offsetof(mrpc_server, signal));
    uint64_t stop = atomic_exchange(&server->stop, 0);
    if (stop > 0)
        begin_stop(server, stop - 1);
}

void mrpc_server_stop(mrpc_server *server, uint32_t drain_ms)
{
    if (mrpc_engine_forked(engine_of(server)))
        return;
    atomic_store(&server->stop, (uint64_t)drain_ms + 1);
    mrpc_engine_signal(engine_of(server));
}
