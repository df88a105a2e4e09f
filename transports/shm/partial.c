/* SPDX-License-Identifier: BSD-2-Clause */
/* partial.c - putting together messages that come in several frames, or that have extents */
#include "config.h"

#include "transports/shm/connection.h"

#include <string.h>

enum { SLACK = 64 }; /* room for what the owner of the arena puts into it, so that it has not to grow for that */

static int broken(mrpc_shm_connection *c, const char *what)
{
    mrpc_shm_fail(c, MRPC_EPROTO, "%s: %s", c->base.peer, what);
    return MRPC_EPROTO;
}

/* A message is refused of which only the beginning was looked at: if it refers to our peer's heap, it gets that back.
 */
static void give_back_loan(mrpc_shm_connection *c, const mrpc_frame *header, const char *payload)
{
    uint64_t head = mrpc_frame_head(header);
    for (uint64_t i = 0; i < header->extents && head + (i + 1) * sizeof(mrpc_shm_place) <= header->size; i++) {
        mrpc_shm_place place;
        memcpy(&place, payload + head + i * sizeof place, sizeof place);
        if (place.segment == SHM_INLINE)
            continue;
        if ((c->borrow != NULL || mrpc_shm_read_socket(c)) && c->borrow != NULL)
            (void)mrpc_shm_borrow_give_back(c->borrow, place.loan, 1);
        return;
    }
}

/* Whether one more message of so many bytes may be under way: in several frames, which the peer can leave lying for as
 * long as it likes, any number of them. */
static bool has_room(const mrpc_shm_connection *c, const mrpc_frame *header, uint64_t bytes)
{
    if (!(header->flags & FRAME_MORE))
        return true;
    return c->partials.bytes <= c->max_unfinished && bytes <= c->max_unfinished - c->partials.bytes;
}

int mrpc_shm_partial_begin(mrpc_shm_connection *c, mrpc_shm_partial *partial, const mrpc_frame *header,
                           const char *payload)
{
    uint64_t head = mrpc_frame_head(header), places = header->extents * sizeof(mrpc_shm_place);
    if (head > c->max_message || !has_room(c, header, head)) {
        give_back_loan(c, header, payload);
        return head > c->max_message ? MRPC_ELIMIT : MRPC_EAGAIN;
    }
    uint64_t room = head + places + header->extents * sizeof(mrpc_extent) + sizeof(mrpc_shm_partial) + SLACK;
    mrpc_arena *arena = mrpc_arena_new(c->receive_heap, room);
    *partial = (mrpc_shm_partial){.arena = arena, .header = *header, .head_size = head + places, .total = head};
    if (arena != NULL) {
        partial->head = mrpc_arena_alloc(arena, head + places);
        partial->extents = mrpc_arena_alloc(arena, header->extents * sizeof(mrpc_extent));
    }
    if (partial->head != NULL && partial->extents != NULL)
        return 0;
    give_back_loan(c, header, payload);
    mrpc_arena_free(arena);
    return MRPC_ENOMEM;
}

/* --- the places of extents, once all of them are there --- */

static uint64_t size_of(const mrpc_shm_partial *partial, uint32_t index)
{
    const mrpc_frame *header = &partial->header;
    uint64_t size;
    memcpy(&size, partial->head + header->meta + mrpc_pad8(header->block) + 8 * (uint64_t)index, sizeof size);
    return size;
}

static const mrpc_shm_place *place_of(const mrpc_shm_partial *partial, uint32_t index)
{
    return (const mrpc_shm_place *)(const void *)(partial->head + mrpc_frame_head(&partial->header)) + index;
}

/* The packet with a segment was sent before the record that refers to it. */
static const void *locate(mrpc_shm_connection *c, const mrpc_shm_place *place, uint64_t size)
{
    const void *data =
        c->borrow == NULL ? NULL : mrpc_shm_borrow_locate(c->borrow, place->segment, place->offset, size);
    if (data == NULL && mrpc_shm_read_socket(c) && c->borrow != NULL)
        data = mrpc_shm_borrow_locate(c->borrow, place->segment, place->offset, size);
    return data;
}

/* The one number under which all references of the message are given back, and how much they are. */
static int find_loan(mrpc_shm_connection *c, const mrpc_shm_partial *partial, uint32_t *loan, uint64_t *bytes)
{
    *bytes = 0;
    for (uint32_t i = 0; i < partial->header.extents; i++) {
        const mrpc_shm_place *place = place_of(partial, i);
        if (place->segment == SHM_INLINE)
            continue;
        if (*bytes > 0 && place->loan != *loan)
            return broken(c, "a message refers to the peer's heap under several numbers");
        *loan = place->loan;
        *bytes += size_of(partial, i);
        if (*bytes == 0 || *bytes > c->max_message)
            *bytes = 1; /* it will be refused */
    }
    return 0;
}

/* From here on the arena gives the loan back, whatever becomes of the message. What will be copied is given back at
 * once: the notice leaves after the copy is made. */
static int take_loan(mrpc_shm_connection *c, mrpc_shm_partial *partial)
{
    uint32_t loan = 0;
    uint64_t bytes;
    int failure = find_loan(c, partial, &loan, &bytes);
    if (failure != 0 || bytes == 0)
        return failure;
    if (c->borrow == NULL && (!mrpc_shm_read_socket(c) || c->borrow == NULL))
        return broken(c, "a reference came before the memory that it points to");
    failure = c->copy ? mrpc_shm_borrow_give_back(c->borrow, loan, bytes)
                      : mrpc_shm_borrow_take(c->borrow, loan, bytes, partial->arena);
    if (failure == MRPC_ENOMEM)
        (void)mrpc_shm_borrow_give_back(c->borrow, loan, bytes);
    if (failure == MRPC_EPROTO)
        return broken(c, "a message refers to the peer's heap under a number that is in use");
    return failure;
}

/* Limits first: nothing is allocated for a message that is refused. */
static int check_sizes(const mrpc_shm_connection *c, mrpc_shm_partial *partial)
{
    for (uint32_t i = 0; i < partial->header.extents; i++) {
        uint64_t size = size_of(partial, i);
        if (size > c->max_message || partial->total + mrpc_pad8(size) > c->max_message)
            return MRPC_ELIMIT;
        partial->total += mrpc_pad8(size);
        partial->extents[i] = (mrpc_extent){.data = NULL, .size = size};
    }
    return has_room(c, &partial->header, partial->total) ? 0 : MRPC_EAGAIN;
}

/* Referred to where it lies, or, with the option `shm_copy`, copied. */
static int place_reference(mrpc_shm_connection *c, mrpc_shm_partial *partial, uint32_t index)
{
    mrpc_extent *extent = &partial->extents[index];
    const void *data = locate(c, place_of(partial, index), extent->size);
    if (data == NULL)
        return broken(c, "a reference points to memory that the peer has not shared");
    extent->data = data;
    if (!c->copy)
        return 0;
    void *copy = mrpc_arena_alloc(partial->arena, extent->size);
    if (copy == NULL)
        return MRPC_ENOMEM;
    memcpy(copy, data, extent->size);
    extent->data = copy;
    c->counters->bytes_copied_in += extent->size;
    return 0;
}

static int place_extents(mrpc_shm_connection *c, mrpc_shm_partial *partial)
{
    int failure = take_loan(c, partial);
    if (failure == 0)
        failure = check_sizes(c, partial);
    for (uint32_t i = 0; failure == 0 && i < partial->header.extents; i++) {
        mrpc_extent *extent = &partial->extents[i];
        if (place_of(partial, i)->segment != SHM_INLINE)
            failure = place_reference(c, partial, i);
        else if ((extent->data = mrpc_arena_alloc(partial->arena, extent->size)) == NULL)
            failure = MRPC_ENOMEM;
    }
    return failure;
}

/* --- bytes --- */

/* Extents that are referred to, or empty, need none. */
static void skip_full(mrpc_shm_partial *partial)
{
    while (partial->extent < partial->header.extents) {
        bool here = place_of(partial, partial->extent)->segment == SHM_INLINE;
        if (here && partial->extent_got < mrpc_pad8(partial->extents[partial->extent].size))
            return;
        partial->extent++;
        partial->extent_got = 0;
    }
}

bool mrpc_shm_partial_complete(const mrpc_shm_partial *partial)
{
    return partial->head_got == partial->head_size && partial->extent == partial->header.extents;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int add_head(mrpc_shm_connection *c, mrpc_shm_partial *partial, const char *bytes, uint64_t count)
{
    memcpy(partial->head + partial->head_got, bytes, count);
    partial->head_got += count;
    if (partial->head_got < partial->head_size)
        return 0;
    int failure = place_extents(c, partial);
    if (failure == 0)
        skip_full(partial);
    return failure;
}

/* The padding is not kept. */
static uint64_t add_extent(mrpc_shm_partial *partial, const char *bytes, uint64_t count)
{
    const mrpc_extent *extent = &partial->extents[partial->extent];
    uint64_t now = smaller(count, mrpc_pad8(extent->size) - partial->extent_got);
    if (partial->extent_got < extent->size)
        memcpy((char *)(uintptr_t)extent->data + partial->extent_got, bytes,
               smaller(now, extent->size - partial->extent_got));
    partial->extent_got += now;
    skip_full(partial);
    return now;
}

int mrpc_shm_partial_add(mrpc_shm_connection *c, mrpc_shm_partial *partial, const char *bytes, uint64_t count)
{
    c->counters->bytes_copied_in += count;
    if (partial->head_got < partial->head_size) {
        uint64_t now = smaller(count, partial->head_size - partial->head_got);
        int failure = add_head(c, partial, bytes, now);
        if (failure != 0)
            return failure;
        bytes += now;
        count -= now;
    }
    while (count > 0) {
        if (mrpc_shm_partial_complete(partial))
            return broken(c, "a message has more bytes than its header says");
        uint64_t now = add_extent(partial, bytes, count);
        bytes += now;
        count -= now;
    }
    return 0;
}

/* --- between chunks --- */

int mrpc_shm_partial_keep(mrpc_shm_connection *c, const mrpc_shm_partial *partial)
{
    if (c->partials.count == SHM_PARTIALS)
        return broken(c, "chunks of too many messages came at once");
    for (const mrpc_shm_partial *other = c->partials.first; other != NULL; other = other->next)
        if (other->header.call == partial->header.call)
            return broken(c, "a message began before all of the one before it had come");
    mrpc_shm_partial *kept = partial->kept != NULL ? partial->kept : mrpc_arena_alloc(partial->arena, sizeof *kept);
    if (kept == NULL)
        return MRPC_ENOMEM;
    *kept = *partial;
    kept->kept = kept;
    kept->next = c->partials.first;
    c->partials.first = kept;
    c->partials.count++;
    c->partials.bytes += kept->total;
    return 0;
}

mrpc_shm_partial *mrpc_shm_partial_take(mrpc_shm_partials *partials, uint32_t call)
{
    mrpc_shm_partial **place = &partials->first;
    while (*place != NULL && (*place)->header.call != call)
        place = &(*place)->next;
    mrpc_shm_partial *partial = *place;
    if (partial != NULL) {
        *place = partial->next;
        partials->count--;
        partials->bytes -= partial->total;
    }
    return partial;
}

void mrpc_shm_partial_drop(mrpc_shm_partials *partials, uint32_t call)
{
    mrpc_shm_partial *partial = mrpc_shm_partial_take(partials, call);
    if (partial != NULL)
        mrpc_arena_free(partial->arena);
}

void mrpc_shm_partials_clear(mrpc_shm_partials *partials)
{
    while (partials->first != NULL)
        mrpc_shm_partial_drop(partials, partials->first->header.call);
}
