/* SPDX-License-Identifier: BSD-2-Clause */
/* backlog.c - frames that did not go into the ring at once */
#include "config.h"

#include "transports/shm/backlog.h"

#include <stdlib.h>
#include <string.h>

/* --- lists --- */

static void list_init(mrpc_shm_items *list)
{
    *list = (mrpc_shm_items){.first = NULL, .end = &list->first};
}

static void list_append(mrpc_shm_items *list, mrpc_shm_item *item)
{
    item->next = NULL;
    *list->end = item;
    list->end = &item->next;
}

static void list_push(mrpc_shm_items *list, mrpc_shm_item *item)
{
    item->next = list->first;
    if (list->first == NULL)
        list->end = &item->next;
    list->first = item;
}

/* Takes out the one that *place points to. */
static mrpc_shm_item *list_take(mrpc_shm_items *list, mrpc_shm_item **place)
{
    mrpc_shm_item *item = *place;
    *place = item->next;
    if (list->end == &item->next)
        list->end = place;
    return item;
}

/* All of `list` comes before what is in `into`. */
static void list_prepend(mrpc_shm_items *into, mrpc_shm_items *list)
{
    if (list->first == NULL)
        return;
    *list->end = into->first;
    if (into->first == NULL)
        into->end = list->end;
    into->first = list->first;
    list_init(list);
}

/* --- items --- */

void mrpc_shm_backlog_init(mrpc_shm_backlog *backlog, uint32_t chunk, uint64_t unfinished)
{
    *backlog = (mrpc_shm_backlog){.chunk = chunk, .unfinished = unfinished};
    list_init(&backlog->queue);
}

mrpc_shm_item *mrpc_shm_item_new(uint32_t pieces)
{
    mrpc_shm_item *item = calloc(1, sizeof(mrpc_shm_item) + pieces * sizeof(mrpc_extent));
    if (item != NULL)
        list_init(&item->behind);
    return item;
}

void mrpc_shm_item_add(mrpc_shm_item *item, const void *data, uint64_t size)
{
    item->pieces[item->piece_count++] = (mrpc_extent){.data = data, .size = size};
    item->left += mrpc_pad8(size);
}

static uint64_t *memory_of(mrpc_shm_backlog *backlog, const mrpc_shm_item *item)
{
    return item->pieces[0].size <= backlog->chunk ? &backlog->small_memory : &backlog->large_memory;
}

void mrpc_shm_backlog_put(mrpc_shm_backlog *backlog, mrpc_shm_item *item)
{
    backlog->bytes += item->left;
    *memory_of(backlog, item) += item->pieces[0].size + SHM_ITEM_COSTS;
    if (item->header.type == FRAME_CANCEL)
        list_push(&backlog->queue, item);
    else
        list_append(&backlog->queue, item);
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

/* --- the circle --- */

static mrpc_shm_item *find_in_circle(const mrpc_shm_backlog *backlog, uint32_t call)
{
    mrpc_shm_item *item = backlog->current;
    for (uint32_t i = 0; i < backlog->turns; i++, item = item->next)
        if (item->header.call == call)
            return item;
    return NULL;
}

/* The receiver holds memory for all of a message once it has begun: no more begin than it puts up with. */
static bool may_join(const mrpc_shm_backlog *backlog, const mrpc_shm_item *item)
{
    if (backlog->turns == 0)
        return true;
    return backlog->turns < SHM_TURNS && backlog->turn_bytes <= backlog->unfinished &&
           item->message <= backlog->unfinished - backlog->turn_bytes;
}

/* As the one whose turn comes last. */
static void join(mrpc_shm_backlog *backlog, mrpc_shm_item *item)
{
    if (backlog->current == NULL) {
        item->next = item;
    } else {
        item->next = backlog->current->next;
        backlog->current->next = item;
    }
    backlog->current = item;
    backlog->turns++;
    backlog->turn_bytes += item->message;
}

/* What was behind it comes next in the queue. */
static void part(mrpc_shm_backlog *backlog, mrpc_shm_item *item)
{
    mrpc_shm_item *before = item;
    while (before->next != item)
        before = before->next;
    before->next = item->next;
    backlog->current = before == item ? NULL : before;
    backlog->turns--;
    backlog->turn_bytes -= item->message;
    list_prepend(&backlog->queue, &item->behind);
}

mrpc_shm_item *mrpc_shm_backlog_turn(mrpc_shm_backlog *backlog)
{
    if (backlog->current != NULL)
        backlog->current = backlog->current->next;
    return backlog->current;
}

/* --- the queue --- */

/* Nothing is under way of a call that begins; CREDIT and CANCEL may overtake. */
bool mrpc_shm_backlog_blocks(const mrpc_shm_backlog *backlog, const mrpc_frame *header)
{
    bool ordered = header->type == FRAME_STATUS || (header->type == FRAME_MESSAGE && (header->flags & FRAME_OPEN) == 0);
    return ordered && find_in_circle(backlog, header->call) != NULL;
}

mrpc_shm_item *mrpc_shm_backlog_small(mrpc_shm_backlog *backlog)
{
    for (mrpc_shm_item *item; (item = backlog->queue.first) != NULL;) {
        bool large = item->left > backlog->chunk, blocked = mrpc_shm_backlog_blocks(backlog, &item->header);
        if (!large && !blocked)
            return item;
        if (large && !blocked && !may_join(backlog, item))
            return NULL;
        (void)list_take(&backlog->queue, &backlog->queue.first);
        if (blocked)
            list_append(&find_in_circle(backlog, item->header.call)->behind, item);
        else
            join(backlog, item);
    }
    return NULL;
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

mrpc_send_token *mrpc_shm_backlog_finish(mrpc_shm_backlog *backlog, mrpc_shm_item *item)
{
    if (item == backlog->queue.first)
        (void)list_take(&backlog->queue, &backlog->queue.first);
    else
        part(backlog, item);
    return destroy(backlog, item);
}

/* --- leaving out --- */

typedef bool choice(const mrpc_shm_item *item, const void *argument);

static bool drop_from_list(mrpc_shm_backlog *backlog, mrpc_shm_items *list, choice *wanted, const void *argument,
                           mrpc_send_token **token)
{
    for (mrpc_shm_item **place = &list->first; *place != NULL; place = &(*place)->next) {
        if (!wanted(*place, argument))
            continue;
        *token = destroy(backlog, list_take(list, place));
        return true;
    }
    return false;
}

bool mrpc_shm_backlog_drop(mrpc_shm_backlog *backlog, choice *wanted, const void *argument, mrpc_send_token **token)
{
    if (drop_from_list(backlog, &backlog->queue, wanted, argument, token))
        return true;
    mrpc_shm_item *item = backlog->current;
    for (uint32_t i = 0; i < backlog->turns; i++, item = item->next) {
        if (drop_from_list(backlog, &item->behind, wanted, argument, token))
            return true;
        if (!wanted(item, argument))
            continue;
        part(backlog, item);
        *token = destroy(backlog, item);
        return true;
    }
    return false;
}
