/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kv_module.c - the key-value store as a service module, for mrpc-serve
 *
 *     cc -shared -fPIC -fvisibility=hidden -DMRPC_MODULE_AT_RUN_TIME -DSTAMP='"1"' -o kv_store.so kv_module.c \
 *         kv_service.c kv_streams.c kv_watch.c kv_store.c kv.mrpc.c $(pkg-config --cflags mrpc)
 *     mrpc-serve --listen tcp://0.0.0.0:5000 kv_store.so
 *
 * A new build takes over the store of the one before, with all that is in it, and its watchers.
 */
#include <mrpc/service_module.h>

#include <stdlib.h>

#include "kv_service.h"

#ifndef STAMP
#define STAMP ""
#endif

static int start(mrpc_server *server, void **state, mrpc_error *error)
{
    (void)server;
    const char *memory = getenv("KV_MEMORY_MIB");
    unsigned long mib = memory != NULL ? strtoul(memory, NULL, 10) : 1024;
    *state = kv_service_new((size_t)mib << 20);
    return *state != NULL ? 0 : mrpc_error_set(error, MRPC_ENOMEM, "no memory for a store");
}

static void stop(void *state)
{
    kv_service_free(state);
}

static const mrpc_service_binding services[] = {{&kv_Store_service, &kv_service_handlers}};

MRPC_SERVICE_MODULE_NOTE("kv", STAMP);

const mrpc_service_module mrpc_service_module_export = {
    .table_size = sizeof(mrpc_service_module),
    .abi = MRPC_SERVICE_ABI,
    .name = "kv",
    .stamp = STAMP,
    .state_format = "kv store 1",
    .init = start,
    .fini = stop,
    .service_count = 1,
    .services = services,
};
