/* SPDX-License-Identifier: BSD-2-Clause */
/* world.c - names, faults, and the record of what happened */
#include "config.h"

#include "transports/sim/world.h"

#include <stdlib.h>
#include <string.h>

#include "transports/loop/virtual.h"

#define FNV_START UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

/* Connections and listeners are their owners'; those must be closed before the loop is freed. */
static void end_world(void *world)
{
    free(world);
}

int mrpc_sim_world_get(mrpc_sim_world **result, mrpc_loop *loop, mrpc_error *error)
{
    mrpc_virtual *simulated = mrpc_loop_virtual(loop);
    if (simulated == NULL)
        return mrpc_error_set(error, MRPC_EINVAL,
                              "sim:// needs a simulated loop: make the runtime with MRPC_POLLER_SIMULATED");
    if (simulated->world == NULL) {
        mrpc_sim_world *world = calloc(1, sizeof *world);
        if (world == NULL)
            return mrpc_error_set(error, MRPC_ENOMEM, "sim://: no memory for a world");
        world->loop = loop;
        world->stats.trace = FNV_START;
        simulated->world = world;
        simulated->end = end_world;
    }
    *result = simulated->world;
    return 0;
}

static uint64_t add_word(uint64_t hash, uint64_t word)
{
    for (int i = 0; i < 8; i++)
        hash = (hash ^ ((word >> (8 * i)) & 0xff)) * FNV_PRIME;
    return hash;
}

void mrpc_sim_note(mrpc_sim_world *world, mrpc_sim_event event, uint32_t id, uint64_t value)
{
    uint64_t hash = add_word(world->stats.trace, mrpc_loop_now(world->loop));
    hash = add_word(hash, (uint64_t)event << 32 | id);
    world->stats.trace = add_word(hash, value);
    world->stats.events++;
}

bool mrpc_sim_chance(mrpc_sim_world *world, uint32_t part, uint32_t whole)
{
    return part > 0 && mrpc_loop_random(world->loop) % whole < part;
}

uint64_t mrpc_sim_between(mrpc_sim_world *world, uint64_t least, uint64_t most)
{
    return least + mrpc_loop_random(world->loop) % (most - least + 1);
}

mrpc_sim_listener *mrpc_sim_find(mrpc_sim_world *world, const char *name)
{
    mrpc_sim_listener *listener = world->listeners;
    while (listener != NULL && strcmp(listener->address.name, name) != 0)
        listener = listener->next;
    return listener;
}

static mrpc_sim_world *world_of(mrpc_loop *loop)
{
    mrpc_virtual *simulated = mrpc_loop_virtual(loop);
    return simulated == NULL ? NULL : simulated->world;
}

void mrpc_sim_get_stats(mrpc_loop *loop, mrpc_sim_stats *stats)
{
    const mrpc_sim_world *world = world_of(loop);
    *stats = (mrpc_sim_stats){0};
    if (world != NULL)
        *stats = world->stats;
}

void mrpc_sim_set_kind(mrpc_loop *loop, bool kind)
{
    mrpc_sim_world *world = NULL;
    if (mrpc_sim_world_get(&world, loop, NULL) == 0)
        world->kind = kind;
}

void mrpc_sim_break_all(mrpc_loop *loop)
{
    mrpc_sim_world *world = world_of(loop);
    for (mrpc_sim_connection *c = world == NULL ? NULL : world->connections; c != NULL; c = c->next)
        if (c->state == SIM_OPEN && c->peer != NULL)
            mrpc_sim_break(c);
}
