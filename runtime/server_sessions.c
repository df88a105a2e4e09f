/* SPDX-License-Identifier: BSD-2-Clause */
/* server_sessions.c - connections of a server, and the calls that clients begin on them */
#include "config.h"

#include <string.h>

#include "runtime/dispatch.h"
#include "runtime/server.h"

static const mrpc_session_owner session_events;

static mrpc_engine *engine_of(const mrpc_server *server)
{
    return &server->runtime->engine;
}

/* --- connections --- */

static void no_hello(mrpc_timer *timer)
{
    mrpc_session *session = (mrpc_session *)((char *)timer - offsetof(mrpc_session, timer));
    mrpc_server_close_session(session->owner, session, "it said no HELLO in time");
}

static void link_session(mrpc_server *server, mrpc_session *session)
{
    session->owner = server;
    session->owner_events = &session_events;
    session->next = server->sessions;
    session->place = &server->sessions;
    if (session->next != NULL)
        session->next->place = &session->next;
    server->sessions = session;
    server->session_count++;
}

void mrpc_server_accepted(mrpc_listener *listener, mrpc_connection *connection)
{
    mrpc_server *server = listener->owner;
    if (server->state != SERVER_OPEN || server->session_count >= server->max_connections) {
        connection->transport->close(connection);
        return;
    }
    mrpc_session *session = mrpc_session_accept(server->runtime, connection, &server->connection);
    if (session == NULL)
        return;
    link_session(server, session);
    session->timer.expired = no_hello;
    uint64_t at = mrpc_loop_now(engine_of(server)->loop) + server->hello_timeout_ns;
    if (mrpc_loop_start(engine_of(server)->loop, &session->timer, at) != 0)
        mrpc_server_close_session(server, session, "no memory for a timer");
}

static void session_gone(mrpc_server *server)
{
    server->session_count--;
    mrpc_server_check_stopped(server);
}

void mrpc_server_close_session(mrpc_server *server, mrpc_session *session, const char *why)
{
    mrpc_session_close(session, why);
    session_gone(server);
}

static void session_ready(mrpc_session *session)
{
    mrpc_server *server = session->owner;
    mrpc_loop_stop(engine_of(server)->loop, &session->timer);
    if (server->state != SERVER_OPEN)
        mrpc_session_send_goaway(session);
}

static void session_lost(mrpc_session *session, const mrpc_error *reason)
{
    (void)reason;
    session_gone(session->owner);
}

static void session_refused(mrpc_session *session)
{
    (void)session; /* the client begins no more calls, and will close the connection */
}

static void session_eased(mrpc_session *session)
{
    mrpc_server_check_stopped(session->owner);
}

/* --- calls that begin --- */

typedef struct opening {
    mrpc_session *session;
    mrpc_server *server;
    const mrpc_frame *header;
    const char *meta;
    uint32_t number; /* of the method */
    server_service *service;
    const mrpc_method *method;
} opening;

/* 0: there is no such method. */
static uint32_t find_by_name(const mrpc_server *server, const char *name, size_t size)
{
    for (uint32_t i = 0; i < server->service_count; i++) {
        const mrpc_service *service = server->services[i].service;
        for (uint32_t j = 0; j < service->method_count; j++)
            if (strlen(service->methods[j].full_name) == size && memcmp(service->methods[j].full_name, name, size) == 0)
                return server->services[i].first + j;
    }
    return 0;
}

static void set_method(opening *open)
{
    open->service = &open->server->services[open->server->methods[open->number - 1]];
    open->method = &open->service->service->methods[open->number - open->service->first];
}

static bool same_fingerprint(const opening *open, const char *key, const mrpc_fingerprint *mine)
{
    mrpc_fingerprint theirs;
    size_t size;
    const char *value = mrpc_meta_find(open->meta, open->header->meta, key, &size);
    if (value == NULL || size != sizeof theirs)
        return false;
    memcpy(&theirs, value, sizeof theirs);
    return theirs.schema == mine->schema && theirs.layout == mine->layout && mine->layout != 0;
}

/* A call that names its method: the answer binds a number for the next ones. False: the call was refused. */
static bool bind_by_name(opening *open)
{
    size_t size = 0;
    const char *name = mrpc_meta_find(open->meta, open->header->meta, ":method", &size);
    open->number = name == NULL ? 0 : find_by_name(open->server, name, size);
    if (open->number == 0) {
        mrpc_session_refuse(open->session, open->header->call, MRPC_UNIMPLEMENTED, "the server has no method %.*s",
                            (int)(size < 200 ? size : 200), name == NULL ? "" : name);
        return false;
    }
    set_method(open);
    bool native = same_fingerprint(open, ":request", &open->method->request->fingerprint) &&
                  same_fingerprint(open, ":reply", &open->method->reply->fingerprint);
    if (mrpc_session_bind(open->session, open->header->call, open->number, !native) == 0)
        return true;
    mrpc_session_refuse(open->session, open->header->call, MRPC_RESOURCE_EXHAUSTED,
                        "the server has no memory to bind the method");
    return false;
}

/* 0, or EPROTO: no BIND has said so. */
static int check_number(opening *open)
{
    uint32_t number = open->header->method;
    bool native = !(open->header->flags & FRAME_PROTOBUF);
    if (number == 0 || number >= open->session->bound_count || open->session->bound[number] == 0 ||
        (native && open->session->bound[number] != BOUND_NATIVE))
        return mrpc_session_break(open->session, MRPC_EPROTO, "call %u uses method %u, which was not bound so",
                                  open->header->call, number);
    open->number = number;
    set_method(open);
    return 0;
}

static mrpc_call *new_call(const opening *open)
{
    mrpc_server *server = open->server;
    mrpc_call *call = mrpc_call_alloc(server->runtime, true);
    if (call == NULL)
        return NULL;
    call->style = STYLE_SERVER;
    call->server = true;
    call->opened = true;
    call->number = open->header->call;
    call->method = open->method;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the method was found, and with it the service */
    call->modules = open->service->modules;
    call->protobuf = open->header->flags & FRAME_PROTOBUF;
    call->heap = open->session->heap != NULL ? open->session->heap : server->runtime->reply_heap;
    if (mrpc_session_attach(open->session, call) != 0) {
        mrpc_call_free(call);
        return NULL;
    }
    call->handlers = open->service->handlers;
    call->handlers->calls++;
    server->calls++;
    call->handler = call->handlers->table[open->number - open->service->first];
    call->state = call->handlers->state;
    engine_of(server)->counters.calls_accepted++;
    return call;
}

static int start_call(opening *open, const mrpc_incoming *incoming)
{
    mrpc_call *call = new_call(open);
    if (call == NULL) {
        mrpc_arena_free(incoming->arena);
        mrpc_session_refuse(open->session, open->header->call, MRPC_RESOURCE_EXHAUSTED,
                            "the server has no memory for the call");
        return 0;
    }
    if (open->header->value != 0) {
        uint64_t now = mrpc_loop_now(engine_of(open->server)->loop);
        call->deadline = open->header->value < UINT64_MAX / 2 ? now + open->header->value : UINT64_MAX / 2;
    }
    if (call->handler == NULL)
        mrpc_call_end(call, false, MRPC_UNIMPLEMENTED, "the server does not implement %s", call->method->full_name);
    if (call->ended || !mrpc_call_start_timer(call)) {
        mrpc_arena_free(incoming->arena);
        return 0;
    }
    return mrpc_session_message(open->session, call, incoming);
}

/* False: the call is refused before it is looked at. */
static bool may_open(const opening *open, const mrpc_incoming *incoming)
{
    char reason[MRPC_REFUSAL];
    if (incoming->refused != 0) {
        mrpc_session_refusal(open->session, incoming->refused, reason);
        mrpc_session_refuse(open->session, open->header->call, MRPC_RESOURCE_EXHAUSTED, "the request was refused: %s",
                            reason);
        return false;
    }
    if (open->session->goaway_sent && open->header->call > open->session->goaway_last)
        return false; /* GOAWAY has told the client */
    if (!mrpc_session_may_hold(open->session, mrpc_incoming_bytes(incoming))) {
        mrpc_session_refuse(open->session, open->header->call, MRPC_RESOURCE_EXHAUSTED, MRPC_SESSION_HELD,
                            (unsigned long long)open->session->held);
        return false;
    }
    /* A cancelled call counts until its handler is done with it, or there would be no bound on handlers. */
    if (open->session->attached < open->session->max_calls)
        return true;
    mrpc_session_refuse(open->session, open->header->call, MRPC_RESOURCE_EXHAUSTED,
                        "%u calls are open on the connection, or were cancelled and are still with their handlers: "
                        "raise connection.max_calls on the server",
                        open->session->max_calls);
    return false;
}

static int session_opened(mrpc_session *session, const mrpc_incoming *incoming)
{
    opening open = {
        .session = session, .server = session->owner, .header = incoming->header, .meta = (const char *)incoming->head};
    int result = 0;
    /* Not in the order of their numbers: a large message arrives when its last chunk does, and smaller ones pass it. */
    bool good = mrpc_call_table_find(&session->calls, incoming->header->call) == NULL;
    if (!good)
        result = mrpc_session_break(session, MRPC_EPROTO, "call %u begins twice", incoming->header->call);
    else if (session->goaway_came && incoming->header->call > session->peer_last)
        good = (result = mrpc_session_break(session, MRPC_EPROTO, "call %u begins although the client's GOAWAY said %u",
                                            incoming->header->call, session->peer_last)) == 0;
    else if (session->last_number < incoming->header->call)
        session->last_number = incoming->header->call;
    good = good && may_open(&open, incoming);
    if (good && (incoming->header->flags & FRAME_NAMED))
        good = bind_by_name(&open);
    else if (good)
        good = (result = check_number(&open)) == 0;
    if (good)
        result = start_call(&open, incoming);
    else
        mrpc_arena_free(incoming->arena);
    mrpc_server_check_stopped(open.server); /* who drains may have waited for this message */
    return result;
}

static const mrpc_session_owner session_events = {.ready = session_ready,
                                                  .lost = session_lost,
                                                  .refused = session_refused,
                                                  .eased = session_eased,
                                                  .opened = session_opened};
