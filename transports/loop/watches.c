/* SPDX-License-Identifier: BSD-2-Clause */
/* watches.c - the table of watches: what the kernel tells of by number is found here, or is gone */
#include "config.h"

#include "transports/loop/backend.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 16 };

static int slots_grow(mrpc_loop *loop)
{
    if (loop->slot_count >= UINT32_C(1) << 28)
        return MRPC_ELIMIT;
    uint32_t count = loop->slot_count == 0 ? FIRST_SLOTS : loop->slot_count * 2;
    mrpc_loop_slot *slots = realloc(loop->slots, count * sizeof *slots);
    if (slots == NULL)
        return MRPC_ENOMEM;
    for (uint32_t i = count; i-- > loop->slot_count;) {
        slots[i] = (mrpc_loop_slot){.generation = 1, .next_free = loop->slot_free};
        loop->slot_free = i + 1;
    }
    loop->slots = slots;
    loop->slot_count = count;
    return 0;
}

int mrpc_loop_slot_take(mrpc_loop *loop, mrpc_watch *watch)
{
    int failure = loop->slot_free == 0 ? slots_grow(loop) : 0;
    if (failure != 0)
        return failure;
    uint32_t index = loop->slot_free - 1;
    mrpc_loop_slot *slot = &loop->slots[index];
    loop->slot_free = slot->next_free;
    slot->watch = watch;
    watch->id = (uint64_t)slot->generation << 32 | index;
    loop->watches++;
    return 0;
}

void mrpc_loop_slot_give(mrpc_loop *loop, mrpc_watch *watch)
{
    uint32_t index = (uint32_t)watch->id;
    mrpc_loop_slot *slot = &loop->slots[index];
    *slot = (mrpc_loop_slot){.generation = slot->generation + 1, .next_free = loop->slot_free};
    if (slot->generation == 0) /* id 0 is nobody's */
        slot->generation = 1;
    loop->slot_free = index + 1;
    loop->watches--;
    watch->id = 0;
}

static mrpc_watch *slot_find(const mrpc_loop *loop, uint64_t id)
{
    uint32_t index = (uint32_t)id;
    if (index >= loop->slot_count || loop->slots[index].generation != id >> 32)
        return NULL;
    return loop->slots[index].watch;
}

int mrpc_loop_dispatch(mrpc_loop *loop, uint64_t id, uint32_t events)
{
    mrpc_watch *watch = slot_find(loop, id);
    if (watch == NULL)
        return 0;
    watch->ready(watch, events);
    return 1;
}

void mrpc_loop_rearm(mrpc_loop *loop, uint64_t id)
{
    mrpc_watch *watch = slot_find(loop, id);
    if (watch != NULL && loop->backend->arm(loop, watch) != 0)
        watch->ready(watch, LOOP_IN | LOOP_OUT | LOOP_HANGUP | LOOP_ERROR);
}

int mrpc_loop_arm_all(mrpc_loop *loop)
{
    for (uint32_t i = 0; i < loop->slot_count; i++) {
        int failure = loop->slots[i].watch != NULL ? loop->backend->arm(loop, loop->slots[i].watch) : 0;
        if (failure != 0)
            return failure;
    }
    return 0;
}
