/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * buffers.h - the buffers that all connections of one loop share
 *
 * A connection takes a buffer when it has bytes in one hand and gives it back when the hand is empty, so an idle
 * connection has none and a busy one allocates none.
 */
#ifndef MRPC_TRANSPORTS_STREAM_BUFFERS_H
#define MRPC_TRANSPORTS_STREAM_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

#include <mrpc/heap.h>

enum {
    MRPC_BUFFER_SIZE = 65536, /* bytes */
    MRPC_BUFFERS_KEPT = 32    /* spare ones that are not given back to malloc */
};

typedef struct mrpc_buffer mrpc_buffer;
struct mrpc_buffer {
    mrpc_buffer *next;
    uint32_t used;   /* bytes from the beginning that are taken */
    uint32_t unsent; /* of these, bytes that somebody still needs */
    uint32_t kept;   /* runs of bytes that a device still reads, although they are sent */
    _Alignas(16) char data[MRPC_BUFFER_SIZE];
};

/* All zero is an empty one. */
typedef struct mrpc_buffers {
    mrpc_heap *heap; /* that the buffers are in, for a device that reads them; NULL: malloc */
    mrpc_buffer *spare;
    uint32_t count;                       /* of spare ones */
    struct mrpc_stream_message *messages; /* spare ones as well */
    uint32_t message_count;
} mrpc_buffers;

/* An empty buffer; NULL: no memory. Calls of malloc are added to *allocations. */
mrpc_buffer *mrpc_buffers_take(mrpc_buffers *buffers, uint64_t *allocations);
void mrpc_buffers_give(mrpc_buffers *buffers, mrpc_buffer *buffer);

/* Frees all that is spare. */
void mrpc_buffers_clear(mrpc_buffers *buffers);

#endif /* MRPC_TRANSPORTS_STREAM_BUFFERS_H */
