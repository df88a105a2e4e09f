/* SPDX-License-Identifier: BSD-2-Clause */
/* encode_iov.c - a message in the protobuf encoding as a list of pieces */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/uio.h>

#include <mrpc/marshal.h>

#include "marshal/storage.h"

/* The caller's buffer, as getline() has one. */
typedef struct caller_buffer {
    void **memory;
    size_t *size;
} caller_buffer;

static int grow(mrpc_gather *gather, size_t capacity)
{
    const caller_buffer *buffer = gather->context;
    void *memory = realloc(*buffer->memory, capacity);
    if (memory == NULL)
        return MRPC_ENOMEM;
    *buffer->memory = gather->block = memory;
    *buffer->size = gather->capacity = capacity;
    return 0;
}

static uint32_t lesser(size_t a, uint32_t b)
{
    return a < b ? (uint32_t)a : b;
}

/* Returns the bytes of all pieces. */
static int64_t list_pieces(const mrpc_gather *gather, struct iovec *pieces, size_t *count)
{
    if (gather->extent_count == 0 && gather->size != 0)
        pieces[(*count)++] = (struct iovec){gather->block, gather->size};
    for (uint32_t i = 0; i < gather->extent_count; i++)
        pieces[(*count)++] =
            (struct iovec){(void *)(uintptr_t)gather->extents[i].data, (size_t)gather->extents[i].size};
    return (int64_t)(gather->size + gather->extent_size);
}

int64_t mrpc_message_encode_iov(const mrpc_type *type, const void *message, size_t threshold, struct iovec *pieces,
                                size_t *count, void **buffer, size_t *size)
{
    mrpc_extent extents[MRPC_EXTENT_LIMIT];
    caller_buffer own = {buffer, size};
    mrpc_gather gather = {.block = *buffer,
                          .capacity = *buffer != NULL ? *size : 0,
                          .extents = extents,
                          .extent_capacity = lesser(*count, MRPC_EXTENT_LIMIT),
                          .threshold = threshold == 0 ? MRPC_EXTERNAL_THRESHOLD : lesser(threshold, UINT32_MAX),
                          .depth = MRPC_DEPTH_LIMIT,
                          .limit = INT32_MAX,
                          .grow = grow,
                          .context = &own};
    bool has_room = *count != 0;
    *count = 0;
    if (!has_room)
        return MRPC_EINVAL;
    int result = mrpc_encode_any(type, &gather, message);
    return result == 0 ? list_pieces(&gather, pieces, count) : result;
}
