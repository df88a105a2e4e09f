/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service_module.h - handlers in a shared object, which a server loads and replaces while calls are in flight
 *
 * A service module is a shared object with the skeletons of one or more services, their handlers, and one exported
 * table. mrpc-serve hosts such modules, and so does any server through mrpc_server_load(). It is replaced by mrpcctl
 * upgrade FILE.so or by mrpc_server_load() of another build: calls that begin from then on are handled by the new one,
 * calls in progress keep the one they began with, and the old one is unloaded when the last of them has ended.
 *
 *     static int start(mrpc_server *server, void **state, mrpc_error *error) { … }
 *     static void stop(void *state) { … }
 *
 *     static const kv_Store_handlers store = {.Get = get, .Put = put, …};
 *     static const mrpc_service_binding services[] = {{&kv_Store_service, &store}};
 *
 *     MRPC_SERVICE_MODULE_NOTE("kv", "build 7");
 *     const mrpc_service_module mrpc_service_module_export = {
 *         .table_size = sizeof(mrpc_service_module), .abi = MRPC_SERVICE_ABI, .name = "kv", .stamp = "build 7",
 *         .state_format = "kv store 1", .init = start, .fini = stop, .service_count = 1, .services = services};
 *
 *     cc -shared -fPIC -fvisibility=hidden -DMRPC_MODULE_AT_RUN_TIME $(pkg-config --cflags mrpc) \
 *         -o kv.so kv-module.c kv.mrpc.c
 *
 * It is linked without libmrpc (the program that loads it has it) and, as the macro says to the tables in kv.mrpc.c,
 * without the marshal module of its schema (which is a module of its own, found by the runtime, so that each of the two
 * can be replaced alone).
 */
#ifndef MRPC_SERVICE_MODULE_H
#define MRPC_SERVICE_MODULE_H

#include <stdint.h>

#include <mrpc/call.h>
#include <mrpc/error.h>
#include <mrpc/marshal.h>
#include <mrpc/server.h>
#include <mrpc/service.h>
#include <mrpc/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MRPC_SERVICE_ABI 1u

enum { MRPC_SERVICE_MODULE_SERVICES = 64 }; /* services in one module, at most */

/* One service and its handlers: the SERVICE_handlers struct of generated code, which is one pointer to a function for
 * each method, in their order. A NULL one answers UNIMPLEMENTED. Read-only. */
typedef struct mrpc_service_binding {
    const mrpc_service *service;
    const void *handlers;
} mrpc_service_binding;

/* The table that a service module exports as `mrpc_service_module_export`. Read-only. */
typedef struct mrpc_service_module {
    uint32_t table_size; /* sizeof(mrpc_service_module) */
    uint32_t abi;        /* MRPC_SERVICE_ABI */
    const char *name;    /* a module replaces the one of the same name; at most 255 bytes, printable */
    const char *stamp;   /* tells builds apart; at most MRPC_STAMP_SIZE - 1 bytes; "" for none */
    /* Names the layout and the meaning of the state. A new version with the same text gets the state of the old one
     * instead of init() being called: calls of both versions then work on it side by side until the old ones have
     * ended. It must hold no pointers to functions or constants of a module. NULL: each version makes its own. */
    const char *state_format;
    /* Makes the state that handlers are given; may be NULL (state is NULL). Not on the thread that drives; must not
     * drive the runtime of `server`. On an error *error says why and the module is not used. */
    int (*init)(mrpc_server *server, void **state, mrpc_error *error);
    /* Ends the state when the last version that uses it has handled its last call; may be NULL. Not on a thread that is
     * in a handler. */
    void (*fini)(void *state);
    uint32_t service_count;
    const mrpc_service_binding *services;
} mrpc_service_module;

/* What a service module defines. */
extern MRPC_API const mrpc_service_module mrpc_service_module_export;

/* The ELF note that is read before a module is loaded; once in a module, at file scope. `name_text` and `stamp_text`
 * are string literals, the same as in the table. */
#define MRPC_SERVICE_MODULE_NOTE(name_text, stamp_text)                                                                \
    __attribute__((section(".note.mrpc"), used,                                                                        \
                   aligned(4))) static const mrpc_module_note mrpc_service_module_note = {                             \
        .name_size = 5,                                                                                                \
        .description_size = sizeof(mrpc_module_note) - 20,                                                             \
        .type = MRPC_NOTE_SERVICE,                                                                                     \
        .name = "mrpc",                                                                                                \
        .abi = MRPC_SERVICE_ABI,                                                                                       \
        .stamp = stamp_text,                                                                                           \
        .file = name_text}

/* Loads a service module into the server, or replaces the one of the same name, after all checks of
 * docs/ARCHITECTURE.md ("Upgrade"). Blocks for as long as they take; from any thread but not from a handler; calls in
 * progress go on. The services of a replacement must be those of the module before. `path` is copied. On refusal
 * nothing has changed and *error says why: EMODULE, EMISMATCH (ABI, or another schema), EPERM (owner or mode of the
 * file), ENOENT, EEXIST (a service was added by another module or by mrpc_server_add), ENOMEM, ESYS. */
MRPC_API MRPC_MUST_CHECK int mrpc_server_load(mrpc_server *server, const char *path, mrpc_error *error);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_SERVICE_MODULE_H */
