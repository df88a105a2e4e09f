/* SPDX-License-Identifier: BSD-2-Clause */
/* server.h - services, the addresses that they are reached at, and the loop that serves them */
#ifndef MRPC_SERVER_H
#define MRPC_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include <mrpc/call.h>
#include <mrpc/channel.h>
#include <mrpc/error.h>
#include <mrpc/runtime.h>
#include <mrpc/service.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mrpc_server mrpc_server;

typedef struct mrpc_server_options {
    size_t size;               /* sizeof(mrpc_server_options) */
    mrpc_runtime *runtime;     /* NULL: a runtime of its own with default options */
    uint32_t max_connections;  /* default 10,000 */
    uint32_t hello_timeout_ms; /* for a peer to say HELLO; default 10,000 */
    mrpc_connection_options connection;
} mrpc_server_options;

/* Makes a server without services or addresses. `options` may be NULL. Freed with mrpc_server_free(). Errors: EINVAL,
 * ENOMEM, ESYS. */
MRPC_API MRPC_MUST_CHECK int mrpc_server_new(mrpc_server **server, const mrpc_server_options *options,
                                             mrpc_error *error);

/* Adds a service. `handlers` is the SERVICE_handlers of generated code: a pointer to a function for each of its
 * methods, in their order; a NULL one answers UNIMPLEMENTED. It is copied, `state` is passed to the handlers. Generated
 * code wraps this as SERVICE_serve(), which checks the type. Errors: EEXIST, ENOMEM, EINVAL. */
MRPC_API MRPC_MUST_CHECK int mrpc_server_add(mrpc_server *server, const mrpc_service *service, const void *handlers,
                                             void *state);

/* Replaces handlers and state of a service that was added, for calls that begin from now on. Calls in progress keep the
 * old ones; when the last of them has ended, `retired(context)` runs (on the thread that drives; may be NULL). Errors:
 * ENOENT, EINVAL (another schema), ENOMEM. */
MRPC_API MRPC_MUST_CHECK int mrpc_server_replace(mrpc_server *server, const mrpc_service *service, const void *handlers,
                                                 void *state, void (*retired)(void *context), void *context);

/* Listens at an address, as well as at those before: tcp://HOST:PORT (port 0: any), shm://NAME, rdma://HOST:PORT,
 * sim://NAME. A HOST that is a name is looked up while nothing else of the runtime runs; a numeric one is not. Errors:
 * EINVAL (no address, not one of this host, or the server was stopped), EEXIST (in use), EPERM, ENOENT (the name is not
 * known), ENOTSUP (no such transport here), ENOMEM, ESYS, EFORKED. */
MRPC_API MRPC_MUST_CHECK int mrpc_server_listen(mrpc_server *server, const char *address, mrpc_error *error);

/* The address that the index-th listener really has, with its port; NULL when there is none. Owned by the server. */
MRPC_API const char *mrpc_server_address(const mrpc_server *server, size_t index);

/* Drives the runtime until mrpc_server_stop(), then drains: 0, or EDEADLK, EFORKED, ESYS. */
MRPC_API int mrpc_server_run(mrpc_server *server);

/* Begins to stop: no new connections and calls (peers are told GOAWAY), calls in progress go on for up to drain_ms,
 * what is left then ends with UNAVAILABLE. Clients that are slow to take their last replies have the same time. Makes
 * mrpc_server_run() return when that is done. From any thread and from signal handlers; never blocks. */
MRPC_API void mrpc_server_stop(mrpc_server *server, uint32_t drain_ms);

/* Closes what is still open and frees the server. NULL is allowed. In a handler or callback of the same runtime it is
 * done when that has returned. Calls that handlers have not
 * answered yet end on both sides; their memory, and with it the runtime, stays until the handlers answer, which then
 * get ECLOSED. */
MRPC_API void mrpc_server_free(mrpc_server *server);

MRPC_API mrpc_runtime *mrpc_server_runtime(mrpc_server *server);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_SERVER_H */
