/* SPDX-License-Identifier: BSD-2-Clause */
/* server.c - making and freeing servers, their services and addresses, and running them */
#include "config.h"

#include "runtime/server.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/host.h"
#include "runtime/options.h"
#include "upgrade/transports.h"

static mrpc_engine *engine_of(const mrpc_server *server)
{
    return &server->runtime->engine;
}

/* --- making --- */

static void free_parts(mrpc_server *server)
{
    while (server->listeners != NULL) {
        server_listener *entry = server->listeners;
        server->listeners = entry->next;
        free(entry);
    }
    for (uint32_t i = 0; i < server->service_count; i++)
        free(server->services[i].handlers);
    free(server->services);
    free(server->methods);
    mrpc_connection_options_drop(&server->connection);
    free(server);
}

static void run_stop(mrpc_engine *engine, mrpc_task *task);
static void run_free(mrpc_engine *engine, mrpc_task *task);

static void add_signal(void *argument)
{
    mrpc_server *server = argument;
    server->signal.run = mrpc_server_run_signal;
    mrpc_engine_add_signal(engine_of(server), &server->signal);
}

static int make(mrpc_server *server, const mrpc_server_options *options, mrpc_error *error)
{
    server->listeners_end = &server->listeners;
    server->free_task.run = run_free;
    server->stop_task.run = run_stop;
    server->max_connections = options->max_connections ? options->max_connections : 10000;
    server->hello_timeout_ns = (options->hello_timeout_ms ? options->hello_timeout_ms : 10000) * UINT64_C(1000000);
    int result = mrpc_connection_options_take(&server->connection, &options->connection, error);
    if (result != 0)
        return result;
    if (options->runtime != NULL)
        server->runtime = mrpc_runtime_ref(options->runtime);
    else
        result = mrpc_runtime_new(&server->runtime, NULL, error);
    if (result != 0)
        return result;
    result = mrpc_engine_run_exclusive(engine_of(server), add_signal, server);
    if (result != 0) {
        (void)mrpc_error_set(error, result, "%s", mrpc_strerror(result));
        mrpc_runtime_unref(server->runtime);
    }
    return result;
}

int mrpc_server_new(mrpc_server **server, const mrpc_server_options *options, mrpc_error *error)
{
    mrpc_server_options checked;
    *server = NULL;
    int result = mrpc_options_copy(&checked, sizeof checked, options, "mrpc_server_options", error);
    if (result != 0)
        return result;
    mrpc_server *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory for a server");
    result = make(fresh, &checked, error);
    if (result != 0) {
        free_parts(fresh);
        return result;
    }
    *server = fresh;
    return 0;
}

mrpc_runtime *mrpc_server_runtime(mrpc_server *server)
{
    return server->runtime;
}

/* --- services --- */

typedef struct service_change {
    mrpc_server *server;
    const mrpc_service *service;
    mrpc_handlers *handlers; /* new; after the change: what is to be freed */
    int result;
    uint64_t pause_ns; /* of a replacement */
} service_change;

static server_service *find_service(mrpc_server *server, const mrpc_service *service)
{
    for (uint32_t i = 0; i < server->service_count; i++)
        if (strcmp(server->services[i].service->name, service->name) == 0)
            return &server->services[i];
    return NULL;
}

/* `table` is a struct of pointers to functions of various types, which are all represented alike. */
static mrpc_handlers *make_handlers(mrpc_server *server, const mrpc_service *service, const void *table, void *state)
{
    mrpc_handlers *handlers = calloc(1, sizeof *handlers + service->method_count * sizeof handlers->table[0]);
    if (handlers == NULL)
        return NULL;
    handlers->server = server;
    handlers->state = state;
    memcpy(handlers->table, table, service->method_count * sizeof handlers->table[0]);
    return handlers;
}

static int reserve_service(mrpc_server *server, const mrpc_service *service)
{
    server_service *services = realloc(server->services, (server->service_count + 1) * sizeof *services);
    if (services == NULL)
        return MRPC_ENOMEM;
    server->services = services;
    size_t count = (size_t)server->method_count + service->method_count;
    uint32_t *methods = realloc(server->methods, (count > 0 ? count : 1) * sizeof *methods);
    if (methods == NULL)
        return MRPC_ENOMEM;
    server->methods = methods;
    return 0;
}

static int check_codecs(const mrpc_service *service, const mrpc_module_entry *modules)
{
    for (uint32_t i = 0; i < service->method_count; i++)
        if (service->methods[i].request_codec >= modules->codec_count ||
            service->methods[i].reply_codec >= modules->codec_count)
            return MRPC_EINVAL;
    return 0;
}

static void add_service(void *argument)
{
    service_change *change = argument;
    mrpc_server *server = change->server;
    mrpc_module_entry *modules;
    if (find_service(server, change->service) != NULL) {
        change->result = MRPC_EEXIST;
        return;
    }
    change->result = reserve_service(server, change->service);
    if (change->result == 0)
        change->result = mrpc_modules_acquire(server->runtime, change->service->file, NULL, &modules, NULL);
    if (change->result != 0)
        return;
    change->result = check_codecs(change->service, modules);
    if (change->result != 0) {
        mrpc_modules_release(server->runtime, modules, change->service->file);
        return;
    }
    server->services[server->service_count] = (server_service){.service = change->service,
                                                               .modules = modules,
                                                               .handlers = change->handlers,
                                                               .first = server->method_count + 1};
    for (uint32_t i = 0; i < change->service->method_count; i++)
        server->methods[server->method_count++] = server->service_count;
    server->service_count++;
    change->handlers = NULL;
}

static int change_service(service_change *change, void (*function)(void *argument))
{
    int result = mrpc_modules_ensure(change->server->runtime, change->service->file, NULL);
    if (result == 0)
        result = mrpc_engine_run_exclusive(engine_of(change->server), function, change);
    if (result == 0)
        result = change->result;
    free(change->handlers);
    return result;
}

int mrpc_server_add(mrpc_server *server, const mrpc_service *service, const void *handlers, void *state)
{
    if (server == NULL || service == NULL || handlers == NULL)
        return MRPC_EINVAL;
    service_change change = {
        .server = server, .service = service, .handlers = make_handlers(server, service, handlers, state)};
    return change.handlers == NULL ? MRPC_ENOMEM : change_service(&change, add_service);
}

static bool same_schema(const mrpc_service *a, const mrpc_service *b)
{
    if (a->method_count != b->method_count || a->file->fingerprint.schema != b->file->fingerprint.schema ||
        a->file->fingerprint.layout != b->file->fingerprint.layout)
        return false;
    for (uint32_t i = 0; i < a->method_count; i++)
        if (strcmp(a->methods[i].full_name, b->methods[i].full_name) != 0 ||
            a->methods[i].client_streaming != b->methods[i].client_streaming ||
            a->methods[i].server_streaming != b->methods[i].server_streaming ||
            a->methods[i].request_codec != b->methods[i].request_codec ||
            a->methods[i].reply_codec != b->methods[i].reply_codec)
            return false;
    return true;
}

static void free_server(mrpc_engine *engine, mrpc_server *server)
{
    for (uint32_t i = 0; i < server->service_count; i++)
        mrpc_modules_release(server->runtime, server->services[i].modules, server->services[i].service->file);
    mrpc_engine_remove_signal(engine, &server->signal);
    mrpc_host_free(server->hosts);
    engine->drops++;
    free_parts(server);
}

static void retire(mrpc_handlers *handlers)
{
    if (handlers->retired != NULL)
        handlers->retired(handlers->context);
    free(handlers);
}

void mrpc_handlers_unpin(mrpc_handlers *handlers)
{
    mrpc_server *server = handlers->server;
    if (--handlers->calls == 0 && handlers->replaced)
        retire(handlers);
    server->calls--;
    /* Here and now: nobody may drive this engine any more. */
    if (server->released && server->calls == 0)
        free_server(engine_of(server), server);
}

static void replace_handlers(service_change *change)
{
    server_service *entry = find_service(change->server, change->service);
    mrpc_module_entry *modules;
    change->result = entry == NULL ? MRPC_ENOENT : same_schema(entry->service, change->service) ? 0 : MRPC_EINVAL;
    if (change->result == 0)
        change->result = mrpc_modules_acquire(change->server->runtime, change->service->file, NULL, &modules, NULL);
    if (change->result != 0)
        return;
    mrpc_modules_release(change->server->runtime, entry->modules, entry->service->file);
    mrpc_handlers *old = entry->handlers;
    old->retired = change->handlers->retired;
    old->context = change->handlers->context;
    old->replaced = true;
    change->handlers->retired = NULL;
    change->handlers->context = NULL;
    entry->service = change->service;
    entry->modules = modules;
    entry->handlers = change->handlers;
    change->handlers = NULL;
    if (old->calls == 0)
        retire(old);
}

static void replace_service(void *argument)
{
    service_change *change = argument;
    uint64_t begin = mrpc_engine_now(engine_of(change->server));
    replace_handlers(change);
    change->pause_ns = mrpc_engine_now(engine_of(change->server)) - begin;
}

int mrpc_server_replace_timed(mrpc_server *server, const mrpc_service *service, const void *handlers, void *state,
                              void (*retired)(void *context), void *context, uint64_t *pause_ns)
{
    service_change change = {
        .server = server, .service = service, .handlers = make_handlers(server, service, handlers, state)};
    if (change.handlers == NULL)
        return MRPC_ENOMEM;
    change.handlers->retired = retired;
    change.handlers->context = context;
    int result = change_service(&change, replace_service);
    *pause_ns += change.pause_ns;
    return result;
}

int mrpc_server_replace(mrpc_server *server, const mrpc_service *service, const void *handlers, void *state,
                        void (*retired)(void *context), void *context)
{
    if (server == NULL || service == NULL || handlers == NULL)
        return MRPC_EINVAL;
    uint64_t pause_ns = 0;
    return mrpc_server_replace_timed(server, service, handlers, state, retired, context, &pause_ns);
}

/* --- addresses --- */

typedef struct listen_request {
    mrpc_server *server;
    const char *address;
    mrpc_error *error;
    int result;
} listen_request;

static int listen_at(mrpc_server *server, const char *address, mrpc_listener **listener, mrpc_error *error)
{
    const mrpc_transport *transport;
    const char *rest;
    int result = mrpc_transport_get(address, server->runtime->module_path, &transport, &rest, error);
    if (result != 0)
        return result;
    bool simulated = transport->capabilities & TRANSPORT_SIMULATED;
    if (simulated != engine_of(server)->simulated)
        return mrpc_error_set(error, MRPC_EINVAL,
                              simulated ? "%s needs a runtime with MRPC_POLLER_SIMULATED"
                                        : "%s cannot be used with MRPC_POLLER_SIMULATED: only sim:// can",
                              address);
    const mrpc_transport_setup setup = {.size = sizeof setup,
                                        .loop = engine_of(server)->loop,
                                        .receive_heap = server->runtime->receive_heap,
                                        .counters = &engine_of(server)->counters,
                                        .options = server->connection};
    result = transport->listen(listener, rest, &setup, error);
    if (result != 0)
        return result;
    (*listener)->owner = server;
    (*listener)->accepted = mrpc_server_accepted;
    return 0;
}

static void run_listen(void *argument)
{
    listen_request *request = argument;
    mrpc_server *server = request->server;
    if (server->state != SERVER_OPEN) {
        request->result =
            mrpc_error_set(request->error, MRPC_EINVAL, "the server is being stopped: make a new one to listen again");
        return;
    }
    server_listener *entry = mrpc_runtime_alloc(server->runtime, sizeof *entry);
    if (entry == NULL) {
        request->result = mrpc_error_set(request->error, MRPC_ENOMEM, "no memory to listen at %s", request->address);
        return;
    }
    request->result = listen_at(server, request->address, &entry->listener, request->error);
    if (request->result != 0) {
        free(entry);
        return;
    }
    *server->listeners_end = entry;
    server->listeners_end = &entry->next;
}

int mrpc_server_listen(mrpc_server *server, const char *address, mrpc_error *error)
{
    if (server == NULL || address == NULL)
        return mrpc_error_set(error, MRPC_EINVAL, "a server needs an address to listen at, such as tcp://HOST:PORT");
    listen_request request = {.server = server, .address = address, .error = error};
    int result = mrpc_engine_run_exclusive(engine_of(server), run_listen, &request);
    return result != 0 ? mrpc_error_set(error, result, "%s", mrpc_strerror(result)) : request.result;
}

typedef struct address_query {
    const mrpc_server *server;
    size_t index;
    const char *address;
} address_query;

static void find_address(void *argument)
{
    address_query *query = argument;
    const server_listener *entry = query->server->listeners;
    for (size_t i = 0; entry != NULL && i < query->index; i++)
        entry = entry->next;
    if (entry != NULL && entry->listener != NULL)
        query->address = entry->listener->address;
}

const char *mrpc_server_address(const mrpc_server *server, size_t index)
{
    address_query query = {.server = server, .index = index};
    (void)!mrpc_engine_run_exclusive(engine_of(server), find_address, &query);
    return query.address;
}

/* --- running --- */

typedef struct run_wait {
    mrpc_waiter waiter; /* first */
    mrpc_server *server;
} run_wait;

static void begin_run(mrpc_engine *engine, mrpc_waiter *waiter)
{
    mrpc_server *server = ((run_wait *)waiter)->server;
    if (server->state == SERVER_STOPPED)
        mrpc_engine_complete(engine, waiter);
    else
        mrpc_waiter_expect(waiter, &server->runners);
}

int mrpc_server_run(mrpc_server *server)
{
    mrpc_engine *engine = engine_of(server);
    if (mrpc_engine_forked(engine))
        return MRPC_EFORKED;
    run_wait wait = {.waiter.begin = begin_run, .waiter.until = UINT64_MAX, .server = server};
    int result = mrpc_engine_wait(engine, &wait.waiter);
    return result != 0 ? result : engine->loop_error;
}

/* --- freeing --- */

/* The tasks of the calls that were ended have run; what is left are calls whose handlers still owe an answer. */
static void run_free(mrpc_engine *engine, mrpc_task *task)
{
    mrpc_server *server = (mrpc_server *)((char *)task - offsetof(mrpc_server, free_task));
    server->released = true;
    if (server->freer != NULL)
        mrpc_engine_complete(engine, server->freer);
    server->freer = NULL;
    if (server->calls == 0)
        free_server(engine, server);
}

static void stop_for_good(mrpc_engine *engine, mrpc_server *server)
{
    server->state = SERVER_STOPPED;
    mrpc_loop_stop(engine->loop, &server->timer);
    mrpc_server_unlisten(server);
    while (server->sessions != NULL)
        mrpc_server_close_session(server, server->sessions, "the server was freed");
    while (server->runners != NULL)
        mrpc_engine_complete(engine, server->runners);
    mrpc_engine_queue(engine, &server->free_task);
}

static void begin_free(mrpc_engine *engine, mrpc_waiter *waiter)
{
    mrpc_server *server = ((run_wait *)waiter)->server;
    server->freer = waiter;
    stop_for_good(engine, server);
}

/* In a handler: first it has to return. */
static void run_stop(mrpc_engine *engine, mrpc_task *task)
{
    stop_for_good(engine, (mrpc_server *)((char *)task - offsetof(mrpc_server, stop_task)));
}

void mrpc_server_free(mrpc_server *server)
{
    if (server == NULL || mrpc_engine_forked(engine_of(server)))
        return;
    server->hosts = mrpc_host_detach(server);
    if (mrpc_engine_inside(engine_of(server))) {
        mrpc_engine_queue(engine_of(server), &server->stop_task);
        return;
    }
    run_wait wait = {.waiter.begin = begin_free, .waiter.until = UINT64_MAX, .server = server};
    (void)!mrpc_engine_wait(engine_of(server), &wait.waiter);
}
