/* SPDX-License-Identifier: BSD-2-Clause */
/* runtime.h - the inside of mrpc_runtime: an engine, and what its connections share */
#ifndef MRPC_RUNTIME_RUNTIME_H
#define MRPC_RUNTIME_RUNTIME_H

#include <mrpc/runtime.h>

#include "runtime/engine.h"
#include "runtime/modules.h"
#include "runtime/pool.h"
#include "runtime/stamps.h"

#include <pthread.h>

struct mrpc_runtime {
    mrpc_engine engine; /* first: each is converted to the other */
    _Atomic uint32_t references;
    _Atomic uint64_t outside_allocations; /* by threads that do not drive */
    mrpc_heap *receive_heap;              /* allocated from by the driver only */
    mrpc_heap *reply_heap;                /* for messages of server-side calls, from any thread */
    mrpc_module_table modules;
    mrpc_module_finder *find_module;     /* may be NULL */
    mrpc_module_unloader *unload_module; /* as find_module */
    void *upgrade;                       /* of upgrade/, which sets these three */
    void (*free_upgrade)(mrpc_runtime *runtime);
    mrpc_call_pool calls;
    mrpc_stamp_table stamps;
    bool want_stamps;
    uint64_t chance;                        /* state of mrpc_runtime_random */
    char *module_path, *control;            /* of the options or the environment; NULL: none given */
    bool control_inherited;                 /* `control` is of the environment, which other runtimes share */
    mrpc_extent extents[MRPC_EXTENT_LIMIT]; /* of the message that is being marshalled */
    bool owns_thread;
    pthread_t thread;
    mrpc_waiter thread_waiter;
    bool thread_drives, thread_stops; /* of the driver */
};

static inline mrpc_runtime *mrpc_runtime_of(mrpc_engine *engine)
{
    return (mrpc_runtime *)engine;
}

/* calloc and free, counted. On the driver, or before the runtime is shared. */
MRPC_MUST_CHECK void *mrpc_runtime_alloc(mrpc_runtime *runtime, size_t bytes);

/* For jitter: not for secrets. Simulated runtimes draw it from their seed. */
uint64_t mrpc_runtime_random(mrpc_runtime *runtime);

#endif /* MRPC_RUNTIME_RUNTIME_H */
