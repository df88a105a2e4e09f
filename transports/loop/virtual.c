/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual.c - the loop of a simulation */
#include "config.h"

#include "transports/loop/virtual.h"

#include <stdlib.h>

#include "transports/loop/backend.h"

static int virtual_open(mrpc_loop *loop, uint64_t seed, mrpc_error *error)
{
    mrpc_virtual *state = calloc(1, sizeof *state);
    if (state == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "event loop: no memory");
    state->now = UINT64_C(1000000000);
    state->random = seed;
    loop->state = state;
    return 0;
}

static void virtual_close(mrpc_loop *loop)
{
    mrpc_virtual *state = loop->state;
    if (state->world != NULL)
        state->end(state->world);
    free(state);
}

static uint64_t virtual_now(const mrpc_loop *loop)
{
    return ((const mrpc_virtual *)loop->state)->now;
}

/* Without a timer nothing will ever happen again, so time stands still. */
static int virtual_wait(mrpc_loop *loop, uint64_t deadline)
{
    mrpc_virtual *state = loop->state;
    if (deadline != UINT64_MAX && deadline > state->now)
        state->now = deadline;
    return 0;
}

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t virtual_random(mrpc_loop *loop)
{
    mrpc_virtual *state = loop->state;
    uint64_t word = state->random += UINT64_C(0x9E3779B97F4A7C15);
    word = (word ^ (word >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94D049BB133111EB);
    return word ^ (word >> 31);
}

mrpc_virtual *mrpc_loop_virtual(mrpc_loop *loop)
{
    return loop->backend == &mrpc_loop_simulated ? loop->state : NULL;
}

const mrpc_loop_backend mrpc_loop_simulated = {
    .poller = MRPC_POLLER_SIMULATED,
    .open = virtual_open,
    .close = virtual_close,
    .now = virtual_now,
    .wait = virtual_wait,
    .random = virtual_random,
};
