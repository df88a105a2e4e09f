/* SPDX-License-Identifier: BSD-2-Clause */
/* pool.c - slots for calls: the driver's free list, the one that other threads share, and the chunks behind both */
#include "config.h"

#include "runtime/pool.h"

#include <stdlib.h>
#include <string.h>

#include "heap/lock.h"
#include "runtime/call.h"

struct mrpc_call_chunk {
    mrpc_call_chunk *next;
    char padding[CALL_ALIGN - sizeof(mrpc_call_chunk *)];
    char slots[CALLS_PER_CHUNK][CALL_ALIGN];
};

/* A list of fresh slots; NULL: no memory, or there are too many. */
static mrpc_call *add_chunk(mrpc_call_pool *pool)
{
    if (atomic_fetch_add(&pool->chunk_count, 1) >= CHUNK_LIMIT) {
        atomic_fetch_sub(&pool->chunk_count, 1);
        return NULL;
    }
    mrpc_call_chunk *chunk = aligned_alloc(CALL_ALIGN, sizeof *chunk);
    if (chunk == NULL) {
        atomic_fetch_sub(&pool->chunk_count, 1);
        return NULL;
    }
    memset(chunk, 0, sizeof *chunk);
    mrpc_call *list = NULL;
    for (int i = CALLS_PER_CHUNK - 1; i >= 0; i--) {
        mrpc_call *call = (mrpc_call *)chunk->slots[i];
        atomic_init(&call->control, UINT64_C(1) << CONTROL_SHIFT);
        call->next = list;
        list = call;
    }
    chunk->next = atomic_load(&pool->chunks);
    while (!atomic_compare_exchange_weak(&pool->chunks, &chunk->next, chunk))
        ;
    return list;
}

static mrpc_call *take_own(mrpc_runtime *runtime)
{
    mrpc_call_pool *pool = &runtime->calls;
    if (pool->free == NULL) {
        pool->free = add_chunk(pool);
        runtime->engine.counters.allocations++;
    }
    mrpc_call *call = pool->free;
    if (call != NULL)
        pool->free = call->next;
    return call;
}

static mrpc_call *take_shared(mrpc_runtime *runtime)
{
    mrpc_call_pool *pool = &runtime->calls;
    mrpc_lock_take(&pool->lock);
    if (pool->shared == NULL) {
        pool->shared = add_chunk(pool);
        atomic_fetch_add(&runtime->outside_allocations, 1);
    }
    mrpc_call *call = pool->shared;
    if (call != NULL)
        pool->shared = call->next;
    mrpc_lock_release(&pool->lock);
    return call;
}

/* All but the control word and the text, which is set where it is needed. */
static void clear(mrpc_call *call)
{
    char *begin = (char *)call + sizeof call->control;
    memset(begin, 0, offsetof(mrpc_call, text) - sizeof call->control);
    call->text[0] = '\0';
}

mrpc_call *mrpc_call_alloc(mrpc_runtime *runtime, bool inside)
{
    mrpc_call *call = inside ? take_own(runtime) : take_shared(runtime);
    if (call == NULL)
        return NULL;
    clear(call);
    call->runtime = runtime;
    call->shared_slot = !inside;
    call->outbox_end = &call->outbox;
    call->inbox_end = &call->inbox;
    call->task.run = mrpc_call_deliver;
    return call;
}

/* False: an operation is on its way; its arrival frees the slot. */
static bool pass_generation(mrpc_call *call)
{
    uint64_t control = atomic_load_explicit(&call->control, memory_order_relaxed);
    if (!call->exposed) {
        atomic_store_explicit(&call->control, ((control >> CONTROL_SHIFT) + 1) << CONTROL_SHIFT, memory_order_relaxed);
        return true;
    }
    do {
        if (control & (CONTROL_POKED | CONTROL_LAST_OP))
            return false;
    } while (
        !atomic_compare_exchange_weak(&call->control, &control, ((control >> CONTROL_SHIFT) + 1) << CONTROL_SHIFT));
    return true;
}

void mrpc_call_free(mrpc_call *call)
{
    mrpc_call_pool *pool = &call->runtime->calls;
    if (!pass_generation(call)) {
        call->freed = true;
        return;
    }
    if (!call->shared_slot) {
        call->next = pool->free;
        pool->free = call;
        return;
    }
    mrpc_lock_take(&pool->lock);
    call->next = pool->shared;
    pool->shared = call;
    mrpc_lock_release(&pool->lock);
}

void mrpc_call_pool_free(mrpc_call_pool *pool)
{
    mrpc_call_chunk *chunk = atomic_load(&pool->chunks);
    while (chunk != NULL) {
        mrpc_call_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}
