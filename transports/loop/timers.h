/* SPDX-License-Identifier: BSD-2-Clause */
/* timers.h - the timers of a loop, earliest first: a heap in which each node has four children, since cache lines are
 * wide */
#ifndef MRPC_TRANSPORTS_LOOP_TIMERS_H
#define MRPC_TRANSPORTS_LOOP_TIMERS_H

#include <stdint.h>

#include "transports/loop/loop.h"

typedef struct mrpc_timers_entry {
    uint64_t at; /* a copy of timer->at, so that sifting touches no timer that stays where it is */
    mrpc_timer *timer;
} mrpc_timers_entry;

/* All zero is an empty one. */
typedef struct mrpc_timers {
    mrpc_timers_entry *entries;
    uint32_t count;
    uint32_t capacity;
} mrpc_timers;

/* Frees the array. Timers that are still in it are no longer started. */
void mrpc_timers_clear(mrpc_timers *timers);

/* Puts a timer in, or moves one that is in. ENOMEM, ELIMIT (2^29 timers); a timer that was in then stays where it was.
 */
MRPC_MUST_CHECK int mrpc_timers_set(mrpc_timers *timers, mrpc_timer *timer, uint64_t at);

/* Takes a timer out, if it is in. */
void mrpc_timers_remove(mrpc_timers *timers, mrpc_timer *timer);

/* Takes out and returns the first timer if its time is not after `now`, else NULL. */
mrpc_timer *mrpc_timers_pop(mrpc_timers *timers, uint64_t now);

/* When the first timer expires; UINT64_MAX when there is none. */
static inline uint64_t mrpc_timers_next(const mrpc_timers *timers)
{
    return timers->count > 0 ? timers->entries[0].at : UINT64_MAX;
}

#endif /* MRPC_TRANSPORTS_LOOP_TIMERS_H */
