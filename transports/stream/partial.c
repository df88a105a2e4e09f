/* SPDX-License-Identifier: BSD-2-Clause */
/* partial.c - head first, then the extents, one after another in one piece of memory */
#include "config.h"

#include "transports/stream/partial.h"

#include <stdlib.h>
#include <string.h>

/*
 * A message is believed in steps: what its header announces costs the peer nothing, and memory costs us time and pages.
 * So the memory of a message grows with the bytes of it that are there, by GROWTH each time, which copies few of them
 * again (all, when the message is just larger than what it had). All messages of a connection together may have AHEAD
 * bytes on credit: one that fits into that is not copied at all.
 */
enum {
    ARENA_SLACK = 64, /* bytes for the arena's own record, so that one block is enough */
    GROWTH = 8,
    AHEAD = 8 << 20,
    LEAST = 64 << 10 /* bytes that every message begins with, if it is so large */
};

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

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How much of a message of `total` bytes may have its place by now. */
static uint64_t affordable(const mrpc_stream_rx *rx, const mrpc_stream_partial *partial, uint64_t total)
{
    uint64_t ahead = 0, room = GROWTH * partial->received;
    for (const mrpc_stream_partial *other = rx->partials; other != NULL; other = other->next)
        if (other != partial)
            ahead += other->room - other->received;
    if (ahead < AHEAD && room < AHEAD - ahead)
        room = AHEAD - ahead;
    return smaller(room < LEAST ? LEAST : room, total);
}

/* Moves what has come into an arena with more room, of a message that has `total` bytes as far as is known. */
static int make_room(const mrpc_stream_rx *rx, mrpc_stream_partial *partial, uint64_t total)
{
    uint64_t room = affordable(rx, partial, total);
    mrpc_arena *arena = mrpc_arena_new(rx->heap, (size_t)room + ARENA_SLACK);
    uint8_t *place = arena == NULL ? NULL : mrpc_arena_alloc(arena, (size_t)room);
    if (place == NULL) {
        mrpc_arena_free(arena);
        return MRPC_ENOMEM;
    }
    if (partial->received > 0)
        memcpy(place, partial->head, partial->received);
    rx->counters->bytes_copied_in += partial->received;
    mrpc_arena_free(partial->arena);
    partial->arena = arena;
    partial->head = place;
    partial->room = room;
    return 0;
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
    partial->header = *header;
    partial->head_size = head;
    int failure = count(rx, partial, first) ? make_room(rx, partial, first) : MRPC_EAGAIN;
    if (failure != 0) {
        rx->unfinished -= partial->counted;
        give(rx, partial);
        return failure;
    }
    partial->next = rx->partials;
    rx->partials = partial;
    rx->partial_count++;
    *result = partial;
    return 0;
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

/* The head is there: how much follows. */
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
    return rest == 0 || count(rx, partial, partial->head_size + rest) ? 0 : MRPC_EAGAIN;
}

int mrpc_stream_partial_advance(mrpc_stream_rx *rx, mrpc_stream_partial *partial, uint64_t bytes)
{
    bool in_head = partial->received < partial->head_size;
    partial->received += bytes;
    bool head_complete = in_head && partial->received == partial->head_size;
    int failure = head_complete ? complete_head(rx, partial) : 0;
    uint64_t total = partial->head_size + partial->rest_size;
    /* At the end of the head little has come, and so little is copied. */
    bool crowded = partial->room < total && (head_complete || partial->received == partial->room);
    return failure == 0 && crowded ? make_room(rx, partial, total) : failure;
}

void mrpc_stream_partial_extents(const mrpc_stream_partial *partial, mrpc_extent *extents)
{
    const uint8_t *data = partial->head + partial->head_size;
    for (uint32_t i = 0; i < partial->header.extents; i++) {
        uint64_t size = extent_size(partial, i);
        extents[i] = (mrpc_extent){.data = data, .size = size};
        data += mrpc_pad8(size);
    }
}
