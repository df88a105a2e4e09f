/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.h - the inside of a server: its services and handlers, listeners and sessions
 *
 * On the driver, but for what says otherwise.
 */
#ifndef MRPC_RUNTIME_SERVER_H
#define MRPC_RUNTIME_SERVER_H

#include <mrpc/server.h>

#include "runtime/call.h"
#include "runtime/session.h"

/* One set of handlers of a service. Calls keep the one that they began with. */
struct mrpc_handlers {
    mrpc_server *server;
    void *state;
    uint32_t calls;
    bool replaced;
    void (*retired)(void *context);
    void *context;
    mrpc_function table[]; /* by index of the method */
};

typedef struct server_service {
    const mrpc_service *service; /* of the current handlers */
    mrpc_module_entry *modules;
    mrpc_handlers *handlers;
    uint32_t first; /* number of its first method */
} server_service;

typedef struct server_listener {
    struct server_listener *next;
    mrpc_listener *listener;
} server_listener;

typedef enum server_state { SERVER_OPEN, SERVER_DRAINING, SERVER_LINGERING, SERVER_STOPPED } server_state;

struct mrpc_server {
    mrpc_runtime *runtime;
    mrpc_connection_options connection;
    uint32_t max_connections;
    uint64_t hello_timeout_ns;
    server_service *services;
    uint32_t service_count;
    uint32_t *methods; /* by number - 1: the index of its service */
    uint32_t method_count;
    server_listener *listeners, **listeners_end; /* in the order in which they were added */
    mrpc_session *sessions;
    uint32_t session_count;
    uint32_t calls; /* that have not been freed: each has one of the handlers pinned */
    server_state state;
    mrpc_timer timer;  /* of draining and lingering */
    uint64_t deadline; /* of a server that stops: when drain_ms are over */
    mrpc_signal signal;
    _Atomic uint64_t stop;          /* 0, or 1 + drain_ms that mrpc_server_stop() asked for */
    mrpc_waiter *runners;           /* mrpc_server_run() */
    mrpc_task stop_task, free_task; /* mrpc_server_free(), in a handler; and what is left of it when tasks have run */
    mrpc_waiter *freer;
    struct mrpc_host *hosts; /* service modules, once the server is being freed */
    bool released;           /* freed by the application; goes with the last call */
};

/* As mrpc_server_replace(); adds to *pause_ns for how long the engine did nothing else. */
MRPC_MUST_CHECK int mrpc_server_replace_timed(mrpc_server *server, const mrpc_service *service, const void *handlers,
                                              void *state, void (*retired)(void *context), void *context,
                                              uint64_t *pause_ns);

void mrpc_handlers_unpin(mrpc_handlers *handlers);

/* server_sessions.c: connections, and calls that begin on them */
void mrpc_server_accepted(mrpc_listener *listener, mrpc_connection *connection);
void mrpc_server_close_session(mrpc_server *server, mrpc_session *session, const char *why);
/* server_stop.c */
void mrpc_server_run_signal(mrpc_engine *engine, mrpc_signal *signal);
/* A call or a connection has gone: whether a server that stops is done. */
void mrpc_server_check_stopped(mrpc_server *server);
void mrpc_server_unlisten(mrpc_server *server);

#endif /* MRPC_RUNTIME_SERVER_H */
