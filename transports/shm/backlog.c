/* SPDX-License-Identifier: BSD-2-Clause */
/* backlog.c - frames that did not go into the ring at once */
#include "config.h"

#include "transports/shm/backlog.h"

#include <stdlib.h>
#include <string.h>

mrpc_shm_item *mrpc_shm_item_new(uint32_t pieces)
{
    return calloc(1, sizeof(mrpc_shm_item) + pieces * sizeof(mrpc_extent));
}

void mrpc_shm_item_add(mrpc_shm_item *item, const void *data, uint64_t size)
{
    item->pieces[item->piece_count++] = (mrpc_extent){.data = data, .size = size};
    item->left += mrpc_pad8(size);
}

static mrpc_shm_item **bucket(const mrpc_shm_backlog *backlog, uint32_t call)
{
    return (mrpc_shm_item **)&backlog->buckets[call % SHM_BUCKETS];
}

mrpc_shm_item *mrpc_shm_backlog_find(const mrpc_shm_backlog *backlog, uint32_t call)
{
    mrpc_shm_item *item = *bucket(backlog, call);
    while (item != NULL && item->header.call != call)
        item = item->chain;
    return item;
}

/* As the last one of the circle. */
static void join(mrpc_shm_item **circle, mrpc_shm_item *item)
{
    mrpc_shm_item *first = *circle;
    if (first == NULL) {
        *circle = item->next = item->previous = item;
        return;
    }
    item->next = first;
    item->previous = first->previous;
    first->previous->next = item;
    first->previous = item;
}

static void part(mrpc_shm_item **circle, mrpc_shm_item *item)
{
    if (*circle == item)
        *circle = item->next == item ? NULL : item->next;
    item->previous->next = item->next;
    item->next->previous = item->previous;
}

/* The first item of a call. */
static void enter(mrpc_shm_backlog *backlog, mrpc_shm_item *item)
{
    mrpc_shm_item **place = bucket(backlog, item->header.call);
    item->chain = *place;
    *place = item;
    item->large = item->left > backlog->chunk;
    item->waits = item->large && backlog->large == SHM_TURNS;
    backlog->large += item->large && !item->waits;
    join(item->waits ? &backlog->waiting : &backlog->current, item);
}

static void leave(mrpc_shm_backlog *backlog, mrpc_shm_item *item)
{
    mrpc_shm_item **place = bucket(backlog, item->header.call);
    while (*place != item)
        place = &(*place)->chain;
    *place = item->chain;
    part(item->waits ? &backlog->waiting : &backlog->current, item);
    backlog->large -= item->large && !item->waits;
}

/* There may be a turn for one that waits. */
static void promote(mrpc_shm_backlog *backlog)
{
    mrpc_shm_item *item = backlog->waiting;
    if (item == NULL || backlog->large == SHM_TURNS)
        return;
    part(&backlog->waiting, item);
    item->waits = false;
    backlog->large++;
    join(&backlog->current, item);
}

static uint64_t *memory_of(mrpc_shm_backlog *backlog, const mrpc_shm_item *item)
{
    return item->pieces[0].size <= backlog->chunk ? &backlog->small_memory : &backlog->large_memory;
}

void mrpc_shm_backlog_put(mrpc_shm_backlog *backlog, mrpc_shm_item *item)
{
    backlog->bytes += item->left;
    *memory_of(backlog, item) += item->pieces[0].size + SHM_ITEM_COSTS;
    mrpc_shm_item *first = mrpc_shm_backlog_find(backlog, item->header.call);
    if (first != NULL) {
        first->last->behind = item;
        first->last = item;
        return;
    }
    item->last = item;
    enter(backlog, item);
}

void mrpc_shm_backlog_turn(mrpc_shm_backlog *backlog)
{
    backlog->current = backlog->current->next;
}

static mrpc_send_token *destroy(mrpc_shm_backlog *backlog, mrpc_shm_item *item)
{
    mrpc_send_token *token = item->token;
    backlog->bytes -= item->left;
    *memory_of(backlog, item) -= item->pieces[0].size + SHM_ITEM_COSTS;
    free(item->owned);
    free(item);
    return token;
}

/* The next item of the call comes after it, but its turn is over. */
mrpc_send_token *mrpc_shm_backlog_finish(mrpc_shm_backlog *backlog, mrpc_shm_item *item)
{
    mrpc_shm_item *next = item->behind;
    leave(backlog, item);
    if (next != NULL) {
        next->last = item->last;
        enter(backlog, next);
    }
    promote(backlog);
    return destroy(backlog, item);
}

void mrpc_shm_backlog_copy(mrpc_shm_backlog *backlog, mrpc_shm_item *item, char *to, uint64_t bytes)
{
    item->left -= bytes;
    backlog->bytes -= bytes;
    while (bytes > 0) {
        const mrpc_extent *piece = &item->pieces[item->piece];
        uint64_t rest = mrpc_pad8(piece->size) - item->offset, now = rest < bytes ? rest : bytes;
        uint64_t real = item->offset < piece->size ? piece->size - item->offset : 0;
        if (real > now)
            real = now;
        if (real > 0)
            memcpy(to, (const char *)piece->data + item->offset, real);
        memset(to + real, 0, now - real);
        to += now;
        bytes -= now;
        item->offset += now;
        if (now == rest) {
            item->piece++;
            item->offset = 0;
        }
    }
}

static mrpc_shm_item *find_token(mrpc_shm_item *circle, const mrpc_send_token *token)
{
    mrpc_shm_item *first = circle;
    if (first == NULL)
        return NULL;
    do {
        for (mrpc_shm_item *item = first; item != NULL; item = item->behind)
            if (item->token == token)
                return item;
        first = first->next;
    } while (first != circle);
    return NULL;
}

mrpc_shm_item *mrpc_shm_backlog_with(const mrpc_shm_backlog *backlog, const mrpc_send_token *token)
{
    mrpc_shm_item *item = find_token(backlog->current, token);
    return item != NULL ? item : find_token(backlog->waiting, token);
}

/* An item that is not the first of its call. */
static void unlink_behind(mrpc_shm_item *first, mrpc_shm_item *item)
{
    mrpc_shm_item *before = first;
    while (before->behind != item)
        before = before->behind;
    before->behind = item->behind;
    if (first->last == item)
        first->last = before;
}

mrpc_send_token *mrpc_shm_backlog_drop(mrpc_shm_backlog *backlog, mrpc_shm_item *item)
{
    mrpc_shm_item *first = mrpc_shm_backlog_find(backlog, item->header.call);
    if (first == item)
        return mrpc_shm_backlog_finish(backlog, item);
    unlink_behind(first, item);
    return destroy(backlog, item);
}
