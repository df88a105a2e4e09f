/* SPDX-License-Identifier: BSD-2-Clause */
/* sim.c - the transport's table, and listening */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "transports/sim/world.h"

static mrpc_sim_connection *of(const mrpc_connection *connection)
{
    return (mrpc_sim_connection *)(uintptr_t)connection;
}

static int sim_check(const char *address, mrpc_error *error)
{
    mrpc_sim_address parsed;
    return mrpc_sim_address_parse(&parsed, address, error);
}

static int sim_listen(mrpc_listener **result, const char *address, const mrpc_transport_setup *setup, mrpc_error *error)
{
    mrpc_sim_world *world;
    mrpc_sim_address parsed;
    int failure = mrpc_sim_address_parse(&parsed, address, error);
    if (failure == 0)
        failure = mrpc_sim_world_get(&world, setup->loop, error);
    if (failure != 0)
        return failure;
    if (mrpc_sim_find(world, parsed.name) != NULL)
        return mrpc_error_set(error, MRPC_EEXIST, "sim://%s: another server has this name", parsed.name);
    mrpc_sim_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "sim://%s: no memory for a listener", parsed.name);
    listener->base.transport = &mrpc_transport_sim;
    snprintf(listener->base.address, sizeof listener->base.address, "sim://%s", parsed.name);
    listener->setup = *setup;
    listener->address = parsed;
    listener->next = world->listeners;
    world->listeners = listener;
    *result = &listener->base;
    return 0;
}

static void sim_unlisten(mrpc_listener *base)
{
    mrpc_sim_listener *listener = (mrpc_sim_listener *)base;
    mrpc_sim_world *world;
    if (mrpc_sim_world_get(&world, listener->setup.loop, NULL) != 0)
        return;
    mrpc_sim_listener **place = &world->listeners;
    while (*place != listener)
        place = &(*place)->next;
    *place = listener->next;
    free(listener);
}

static int sim_begin(mrpc_connection *connection, size_t capacity, mrpc_space *space)
{
    mrpc_sim_connection *c = of(connection);
    return c->state == SIM_ENDED ? MRPC_ECLOSED : mrpc_stream_tx_begin(&c->tx, capacity, space);
}

static int sim_extend(mrpc_connection *connection, mrpc_space *space, size_t used, size_t capacity)
{
    return mrpc_stream_tx_extend(&of(connection)->tx, space, used, capacity);
}

static void sim_commit(mrpc_connection *connection, mrpc_space *space, const mrpc_extent *extents,
                       mrpc_send_token *token)
{
    mrpc_sim_connection *c = of(connection);
    const mrpc_frame *frame = (const mrpc_frame *)(const void *)space->data;
    if (c->rx.partial_count > 0 && mrpc_frame_ends_call(frame))
        mrpc_stream_rx_end_call(&c->rx, frame->call);
    mrpc_stream_tx_commit(&c->tx, space, extents, token);
}

static void sim_abort(mrpc_connection *connection, mrpc_space *space)
{
    mrpc_stream_tx_abort(&of(connection)->tx, space);
}

static void sim_abandon(mrpc_connection *connection, mrpc_send_token *token)
{
    mrpc_stream_tx_abandon(&of(connection)->tx, token);
}

static size_t sim_queued(const mrpc_connection *connection)
{
    return (size_t)of(connection)->tx.queued;
}

static bool sim_opening(const mrpc_connection *connection, uint32_t last)
{
    return mrpc_stream_rx_opening(&of(connection)->rx, last);
}

/* All comes with the clock, and so from the loop. */
static bool sim_poll(mrpc_connection *connection)
{
    (void)connection;
    return false;
}

static bool sim_arm(mrpc_connection *connection)
{
    (void)connection;
    return true;
}

static mrpc_heap *sim_heap(mrpc_connection *connection)
{
    return of(connection)->heap;
}

const mrpc_transport mrpc_transport_sim = {
    .size = sizeof(mrpc_transport),
    .scheme = "sim",
    .capabilities = TRANSPORT_LOCAL | TRANSPORT_SIMULATED,
    .check = sim_check,
    .connect = mrpc_sim_connect,
    .listen = sim_listen,
    .unlisten = sim_unlisten,
    .begin = sim_begin,
    .extend = sim_extend,
    .commit = sim_commit,
    .abort = sim_abort,
    .abandon = sim_abandon,
    .flush = mrpc_sim_flush,
    .queued = sim_queued,
    .opening = sim_opening,
    .poll = sim_poll,
    .arm = sim_arm,
    .heap = sim_heap,
    .close = mrpc_sim_close,
};
