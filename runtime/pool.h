/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.h - where calls come from: slots that are never given back to malloc while the runtime lives
 *
 * The driver has a free list of its own. Other threads, which begin calls while somebody else drives, have one behind a
 * lock; a slot returns to the list that it came from. So in steady state no call allocates.
 *
 * Because a slot always stays a slot, a handle that outlived its call can be looked at: it carries the low bits of the
 * slot's generation in its alignment bits, and an operation on a handle whose generation has passed does nothing.
 */
#ifndef MRPC_RUNTIME_POOL_H
#define MRPC_RUNTIME_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <mrpc/call.h>
#include <mrpc/runtime.h>

#include "heap/lock.h"

typedef struct mrpc_call_chunk mrpc_call_chunk;

typedef struct mrpc_call_pool {
    mrpc_call *free;   /* the driver's */
    mrpc_call *shared; /* behind lock */
    mrpc_lock lock;
    _Atomic uint32_t chunk_count;
    mrpc_call_chunk *_Atomic chunks;
} mrpc_call_pool;

enum { CALL_ALIGN = 1024, CALLS_PER_CHUNK = 64, CHUNK_LIMIT = 16384 };

/* A slot with a new generation, zeroed but for what the pool keeps; NULL: no memory, or the limit of about a million
 * calls. `inside`: the caller drives. */
MRPC_MUST_CHECK mrpc_call *mrpc_call_alloc(mrpc_runtime *runtime, bool inside);
/* On the driver. The generation passes: handles are void from now on. */
void mrpc_call_free(mrpc_call *call);
void mrpc_call_pool_free(mrpc_call_pool *pool);

#endif /* MRPC_RUNTIME_POOL_H */
