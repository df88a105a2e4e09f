/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gather.h - an mrpc_gather whose block lies in the caller's storage as long as it fits, then in memory of its own
 *
 * For whoever has no better place to marshal to: storage, self-tests, tools, tests. One thread at a time.
 */
#ifndef MRPC_GATHER_H
#define MRPC_GATHER_H

#include <mrpc/marshal.h>

typedef struct mrpc_gather_buffer {
    mrpc_gather gather; /* what codecs are given; threshold, depth, limit and extents may be changed after init */
    mrpc_heap *heap;    /* borrowed; NULL: malloc */
    void *own;          /* the block, when it is not the caller's storage */
} mrpc_gather_buffer;

/* Begins empty, with `size` bytes of storage (8-aligned; may be NULL with 0) that the caller keeps until the buffer is
 * freed. No extents, so that everything is copied into the block; limit 0x7fffffff bytes, depth MRPC_DEPTH_LIMIT.
 * Cannot fail. */
void mrpc_gather_buffer_init(mrpc_gather_buffer *buffer, mrpc_heap *heap, void *storage, size_t size);

/* Gives the memory of its own back; the block is then gone. The buffer may be initialised again. */
void mrpc_gather_buffer_free(mrpc_gather_buffer *buffer);

#endif /* MRPC_GATHER_H */
