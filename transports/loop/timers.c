/* SPDX-License-Identifier: BSD-2-Clause */
/* timers.c - a 4-ary heap (D. B. Johnson, "Priority queues with update", 1975) whose nodes know their place */
#include "config.h"

#include "transports/loop/timers.h"

#include <stdlib.h>

enum { CHILDREN = 4, FIRST_CAPACITY = 16 };

static void put(mrpc_timers *timers, uint32_t index, mrpc_timers_entry entry)
{
    timers->entries[index] = entry;
    entry.timer->place = index + 1;
}

/* Moves `entry`, whose place is the hole at `index`, towards the root. Returns where it came to lie. */
static uint32_t sift_up(mrpc_timers *timers, uint32_t index, mrpc_timers_entry entry)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / CHILDREN;
        if (timers->entries[parent].at <= entry.at)
            break;
        put(timers, index, timers->entries[parent]);
        index = parent;
    }
    put(timers, index, entry);
    return index;
}

static uint32_t earliest_child(const mrpc_timers *timers, uint32_t first)
{
    uint32_t end = timers->count - first < CHILDREN ? timers->count : first + CHILDREN;
    uint32_t best = first;
    for (uint32_t child = first + 1; child < end; child++)
        if (timers->entries[child].at < timers->entries[best].at)
            best = child;
    return best;
}

static void sift_down(mrpc_timers *timers, uint32_t index, mrpc_timers_entry entry)
{
    for (uint32_t first; (first = index * CHILDREN + 1) < timers->count;) {
        uint32_t child = earliest_child(timers, first);
        if (timers->entries[child].at >= entry.at)
            break;
        put(timers, index, timers->entries[child]);
        index = child;
    }
    put(timers, index, entry);
}

/* Finds the place of `entry` when the hole is somewhere in the middle. */
static void sift(mrpc_timers *timers, uint32_t index, mrpc_timers_entry entry)
{
    if (sift_up(timers, index, entry) == index)
        sift_down(timers, index, entry);
}

static int reserve(mrpc_timers *timers)
{
    if (timers->count < timers->capacity)
        return 0;
    if (timers->capacity >= UINT32_C(1) << 29)
        return MRPC_ELIMIT;
    uint32_t capacity = timers->capacity == 0 ? FIRST_CAPACITY : timers->capacity * 2;
    mrpc_timers_entry *entries = realloc(timers->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return MRPC_ENOMEM;
    timers->entries = entries;
    timers->capacity = capacity;
    return 0;
}

void mrpc_timers_clear(mrpc_timers *timers)
{
    for (uint32_t i = 0; i < timers->count; i++)
        timers->entries[i].timer->place = 0;
    free(timers->entries);
    *timers = (mrpc_timers){0};
}

int mrpc_timers_set(mrpc_timers *timers, mrpc_timer *timer, uint64_t at)
{
    mrpc_timers_entry entry = {at, timer};
    if (timer->place != 0) {
        timer->at = at;
        sift(timers, timer->place - 1, entry);
        return 0;
    }
    int failure = reserve(timers);
    if (failure != 0)
        return failure;
    timer->at = at;
    sift_up(timers, timers->count++, entry);
    return 0;
}

void mrpc_timers_remove(mrpc_timers *timers, mrpc_timer *timer)
{
    if (timer->place == 0)
        return;
    uint32_t hole = timer->place - 1;
    timer->place = 0;
    mrpc_timers_entry last = timers->entries[--timers->count];
    if (hole < timers->count)
        sift(timers, hole, last);
}

mrpc_timer *mrpc_timers_pop(mrpc_timers *timers, uint64_t now)
{
    if (timers->count == 0 || timers->entries[0].at > now)
        return NULL;
    mrpc_timer *first = timers->entries[0].timer;
    mrpc_timers_remove(timers, first);
    return first;
}
