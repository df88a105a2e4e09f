/* SPDX-License-Identifier: BSD-2-Clause */
/* partial.c - head first, then the extents, each byte once and in its final place */
#include "config.h"

#include "transports/stream/partial.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_SLACK = 64 }; /* bytes for the arena's own record, so that one block is enough */

static uint64_t extent_size(const mrpc_stream_partial *partial, uint32_t index)
{
    const uint8_t *sizes = partial->head + partial->header.meta + mrpc_pad8(partial->header.block);
    uint64_t size;
    memcpy(&size, sizes + 8u * index, sizeof size);
    return size;
}

mrpc_stream_partial *mrpc_stream_partial_find(const mrpc_stream_rx *rx, uint32_t call)
{
    mrpc_stream_partial *partial = rx->partials;
    while (partial != NULL && partial->header.call != call)
        partial = partial->next;
    return partial;
}

static mrpc_stream_partial *take(mrpc_stream_rx *rx)
{
    mrpc_stream_partial *partial = rx->spare;
    rx->spare = NULL;
    if (partial == NULL) {
        partial = malloc(sizeof *partial);
        if (partial == NULL)
            return NULL;
        rx->counters->allocations++;
    }
    memset(partial, 0, sizeof *partial);
    return partial;
}

static void give(mrpc_stream_rx *rx, mrpc_stream_partial *partial)
{
    free(rx->spare);
    rx->spare = partial;
}

/* Counts the message as one of `bytes`, if it is one that comes in several frames: those that the peer can leave lying
 * for as long as it likes, any number of them. False: that would be too much. */
static bool count(mrpc_stream_rx *rx, mrpc_stream_partial *partial, uint64_t bytes)
{
    if (!(partial->header.flags & FRAME_MORE) || bytes <= partial->counted)
        return true;
    uint64_t others = rx->unfinished - partial->counted;
    if (others > rx->max_unfinished || bytes > rx->max_unfinished - others)
        return false;
    rx->unfinished = others + bytes;
    partial->counted = bytes;
    return true;
}

int mrpc_stream_partial_new(mrpc_stream_rx *rx, const mrpc_frame *header, mrpc_stream_partial **result)
{
    uint64_t head = mrpc_frame_head(header), first = head > header->size ? head : header->size;
    if (rx->partial_count >= MRPC_STREAM_PARTIALS)
        return MRPC_EPROTO;
    if (head > rx->max_message)
        return MRPC_ELIMIT;
    mrpc_stream_partial *partial = take(rx);
    if (partial == NULL)
        return MRPC_ENOMEM;
    int failure = MRPC_EAGAIN;
    partial->header = *header;
    if (!count(rx, partial, first))
        goto no_arena;
    failure = MRPC_ENOMEM;
    /* Both are bounded: the head by max_message, the size by the chunk. */
    partial->arena = mrpc_arena_new(rx->heap, (size_t)first + ARENA_SLACK);
    if (partial->arena == NULL)
        goto no_arena;
    partial->head = mrpc_arena_alloc(partial->arena, (size_t)head);
    if (partial->head == NULL)
        goto no_head;
    partial->head_size = head;
    partial->next = rx->partials;
    rx->partials = partial;
    rx->partial_count++;
    *result = partial;
    return 0;

no_head:
    mrpc_arena_free(partial->arena);
no_arena:
    rx->unfinished -= partial->counted;
    give(rx, partial);
    return failure;
}

void mrpc_stream_partial_free(mrpc_stream_rx *rx, mrpc_stream_partial *partial)
{
    mrpc_stream_partial **link = &rx->partials;
    while (*link != partial)
        link = &(*link)->next;
    *link = partial->next;
    rx->partial_count--;
    rx->unfinished -= partial->counted;
    mrpc_arena_free(partial->arena);
    give(rx, partial);
}

/* The head is there: how much follows, and where it goes. */
static int complete_head(mrpc_stream_rx *rx, mrpc_stream_partial *partial)
{
    uint64_t allowed = rx->max_message - partial->head_size, rest = 0;
    for (uint32_t i = 0; i < partial->header.extents; i++) {
        uint64_t size = extent_size(partial, i);
        if (size > allowed - rest || mrpc_pad8(size) > allowed - rest)
            return MRPC_ELIMIT;
        rest += mrpc_pad8(size);
    }
    partial->rest_size = rest;
    partial->rest = partial->head + partial->head_size; /* for extents without bytes */
    if (rest == 0)
        return 0;
    if (!count(rx, partial, partial->head_size + rest))
        return MRPC_EAGAIN;
    if (rest > SIZE_MAX - ARENA_SLACK)
        return MRPC_ENOMEM;
    partial->rest = mrpc_arena_alloc(partial->arena, (size_t)rest);
    return partial->rest == NULL ? MRPC_ENOMEM : 0;
}

int mrpc_stream_partial_advance(mrpc_stream_rx *rx, mrpc_stream_partial *partial, uint64_t bytes)
{
    bool in_head = partial->received < partial->head_size;
    partial->received += bytes;
    return in_head && partial->received == partial->head_size ? complete_head(rx, partial) : 0;
}

void mrpc_stream_partial_extents(const mrpc_stream_partial *partial, mrpc_extent *extents)
{
    const uint8_t *data = partial->rest;
    for (uint32_t i = 0; i < partial->header.extents; i++) {
        uint64_t size = extent_size(partial, i);
        extents[i] = (mrpc_extent){.data = data, .size = size};
        data += mrpc_pad8(size);
    }
}
