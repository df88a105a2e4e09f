/* SPDX-License-Identifier: BSD-2-Clause */
/* buffers.c - a stack of spare buffers: the one used last is the one in the cache */
#include "config.h"

#include "transports/stream/tx.h"

#include <stdlib.h>

mrpc_buffer *mrpc_buffers_take(mrpc_buffers *buffers, uint64_t *allocations)
{
    mrpc_buffer *buffer = buffers->spare;
    if (buffer != NULL) {
        buffers->spare = buffer->next;
        buffers->count--;
    } else {
        buffer = malloc(sizeof *buffer);
        if (buffer == NULL)
            return NULL;
        ++*allocations;
    }
    buffer->next = NULL;
    buffer->used = buffer->unsent = 0;
    return buffer;
}

void mrpc_buffers_give(mrpc_buffers *buffers, mrpc_buffer *buffer)
{
    if (buffers->count >= MRPC_BUFFERS_KEPT) {
        free(buffer);
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
        free(buffer);
    }
    buffers->count = 0;
    while (buffers->messages != NULL) {
        mrpc_stream_message *message = buffers->messages;
        buffers->messages = message->next;
        free(message);
    }
    buffers->message_count = 0;
}
