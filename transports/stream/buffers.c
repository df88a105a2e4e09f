/* SPDX-License-Identifier: BSD-2-Clause */
/* buffers.c - a stack of spare buffers: the one used last is the one in the cache */
#include "config.h"

#include "transports/stream/tx.h"

#include <stdlib.h>

static mrpc_buffer *make(mrpc_heap *heap)
{
    return heap != NULL ? mrpc_heap_alloc(heap, sizeof(mrpc_buffer)) : malloc(sizeof(mrpc_buffer));
}

static void drop(mrpc_heap *heap, mrpc_buffer *buffer)
{
    if (heap != NULL)
        mrpc_heap_free(heap, buffer);
    else
        free(buffer);
}

mrpc_buffer *mrpc_buffers_take(mrpc_buffers *buffers, uint64_t *allocations)
{
    mrpc_buffer *buffer = buffers->spare;
    if (buffer != NULL) {
        buffers->spare = buffer->next;
        buffers->count--;
    } else {
        buffer = make(buffers->heap);
        if (buffer == NULL)
            return NULL;
        ++*allocations;
    }
    buffer->next = NULL;
    buffer->used = buffer->unsent = buffer->kept = 0;
    return buffer;
}

void mrpc_buffers_give(mrpc_buffers *buffers, mrpc_buffer *buffer)
{
    if (buffers->count >= MRPC_BUFFERS_KEPT) {
        drop(buffers->heap, buffer);
        return;
    }
    buffer->next = buffers->spare;
    buffers->spare = buffer;
    buffers->count++;
}

void mrpc_buffers_clear(mrpc_buffers *buffers)
{
    while (buffers->spare != NULL) {
        mrpc_buffer *buffer = buffers->spare;
        buffers->spare = buffer->next;
        drop(buffers->heap, buffer);
    }
    buffers->count = 0;
    while (buffers->messages != NULL) {
        mrpc_stream_message *message = buffers->messages;
        buffers->messages = message->next;
        free(message);
    }
    buffers->message_count = 0;
}
