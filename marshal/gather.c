/* SPDX-License-Identifier: BSD-2-Clause */
/* gather.c - see gather.h */
#include "config.h"

#include "marshal/gather.h"

#include <stdlib.h>
#include <string.h>

static void *take(mrpc_heap *heap, size_t bytes)
{
    return heap != NULL ? mrpc_heap_alloc(heap, bytes) : malloc(bytes);
}

static void give_back(mrpc_heap *heap, void *memory)
{
    if (heap != NULL)
        mrpc_heap_free(heap, memory);
    else
        free(memory);
}

static int grow(mrpc_gather *gather, size_t capacity)
{
    mrpc_gather_buffer *buffer = gather->context;
    void *memory = take(buffer->heap, capacity);
    if (memory == NULL)
        return MRPC_ENOMEM;
    if (gather->size != 0)
        memcpy(memory, gather->block, gather->size);
    give_back(buffer->heap, buffer->own);
    buffer->own = memory;
    gather->block = memory;
    gather->capacity = capacity;
    return 0;
}

void mrpc_gather_buffer_init(mrpc_gather_buffer *buffer, mrpc_heap *heap, void *storage, size_t size)
{
    *buffer = (mrpc_gather_buffer){
        .gather = {.block = storage,
                   .capacity = size,
                   .threshold = UINT32_MAX,
                   .depth = MRPC_DEPTH_LIMIT,
                   .limit = INT32_MAX,
                   .grow = grow,
                   .context = buffer},
        .heap = heap,
    };
}

void mrpc_gather_buffer_free(mrpc_gather_buffer *buffer)
{
    give_back(buffer->heap, buffer->own);
    mrpc_gather_buffer_init(buffer, buffer->heap, NULL, 0);
}
