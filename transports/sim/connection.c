/* SPDX-License-Identifier: BSD-2-Clause */
/* connection.c - the life of a simulated connection; all that happens to an end happens when its timer expires */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transports/sim/world.h"

enum { VECTORS = 64 };

static uint64_t now(const mrpc_sim_connection *c)
{
    return mrpc_loop_now(c->world->loop);
}

static uint64_t later(mrpc_sim_connection *c)
{
    return now(c) + mrpc_sim_between(c->world, c->address.delay_min, c->address.delay_max);
}

/* --- failing and ending --- */

static void fail(mrpc_sim_connection *c, int code, const char *text)
{
    if (c->failed)
        return;
    c->failed = true;
    c->rx.stopped = true;
    (void)mrpc_error_set(&c->reason, code, "%s: %s", c->base.peer, text);
}

/* The timer is set to the first thing that is to happen. */
static void plan(mrpc_sim_connection *c)
{
    uint64_t at = UINT64_MAX;
    if (c->state == SIM_ENDED)
        return;
    if (c->failed)
        at = now(c);
    else if (c->state != SIM_OPEN)
        at = c->opens_at;
    else if (c->inbox.first != NULL)
        at = c->inbox.first->at;
    else if (c->ends_at != 0)
        at = c->ends_at;
    if (at == UINT64_MAX)
        mrpc_loop_stop(c->world->loop, &c->timer);
    else if (mrpc_loop_start(c->world->loop, &c->timer, at) != 0)
        fail(c, MRPC_ENOMEM, "no memory for a timer"); /* told at the next flush */
}

/* The other end hears of it when all that was sent before has arrived. */
static void let_peer_know(mrpc_sim_connection *c)
{
    mrpc_sim_connection *peer = c->peer;
    if (peer == NULL)
        return;
    c->peer = peer->peer = NULL;
    uint64_t at = later(c);
    peer->ends_at = at > peer->inbox.last_at ? at : peer->inbox.last_at;
    plan(peer);
}

void mrpc_sim_break(mrpc_sim_connection *c)
{
    mrpc_sim_connection *peer = c->peer;
    c->world->stats.broken++;
    mrpc_sim_note(c->world, SIM_BROKEN, c->id, peer->id);
    mrpc_sim_listener *listener = mrpc_sim_find(c->world, c->address.name);
    if (listener != NULL && c->address.down > 0)
        listener->down_until = now(c) + c->address.down;
    c->peer = peer->peer = NULL;
    for (int i = 0; i < 2; i++) {
        mrpc_sim_connection *end = i == 0 ? c : peer;
        mrpc_sim_link_clear(&end->inbox);
        end->ends_at = later(end);
        plan(end);
    }
}

static void shut(mrpc_sim_connection *c)
{
    if (c->state == SIM_ENDED)
        return;
    mrpc_sim_note(c->world, SIM_CLOSED, c->id, 0);
    c->state = SIM_ENDED;
    c->rx.stopped = true;
    mrpc_loop_stop(c->world->loop, &c->timer);
    let_peer_know(c);
    mrpc_sim_link_clear(&c->inbox);
    *c->place = c->next;
    if (c->next != NULL)
        c->next->place = c->place;
    mrpc_stream_tx_clear(&c->tx);
}

static void destroy(mrpc_sim_connection *c)
{
    shut(c);
    mrpc_stream_tx_clear(&c->tx);
    mrpc_stream_rx_clear(&c->rx);
    mrpc_heap_unref(c->heap);
    mrpc_heap_unref(c->rx.heap);
    free(c);
}

void mrpc_sim_close(mrpc_connection *connection)
{
    mrpc_sim_connection *c = (mrpc_sim_connection *)connection;
    c->closing = true;
    if (c->depth > 0)
        shut(c);
    else
        destroy(c);
}

static void enter(mrpc_sim_connection *c)
{
    c->depth++;
}

static void leave(mrpc_sim_connection *c)
{
    if (c->depth == 1 && c->failed && !c->reported && !c->closing) {
        c->reported = true;
        mrpc_sim_note(c->world, SIM_FAILED, c->id, (uint64_t)-c->reason.code);
        shut(c);
        mrpc_stream_rx_clear(&c->rx);
        c->base.events->closed(&c->base, &c->reason);
    }
    if (--c->depth == 0 && c->closing)
        destroy(c);
    else
        plan(c);
}

static bool is_open(const mrpc_sim_connection *c)
{
    return c->state == SIM_OPEN && !c->failed;
}

/* --- sending --- */

/* How much of `bytes` a write or read takes. */
static size_t part(mrpc_sim_connection *c, size_t bytes, uint64_t *count)
{
    if (bytes < 2 || !mrpc_sim_chance(c->world, c->address.short_percent, 100))
        return bytes;
    ++*count;
    return (size_t)mrpc_sim_between(c->world, 1, bytes - 1);
}

/* One write. False: there is nothing to write, or no room. */
static bool send_once(mrpc_sim_connection *c, bool *drained)
{
    struct iovec vectors[VECTORS];
    size_t bytes, room = c->peer == NULL ? 0 : c->address.buffer - c->peer->inbox.bytes;
    bool zero_copy;
    if (room == 0 || mrpc_stream_tx_gather(&c->tx, vectors, VECTORS, &bytes, &zero_copy) == 0)
        return false;
    if (!c->world->kind && mrpc_sim_chance(c->world, c->address.loss, 1000000)) {
        mrpc_sim_break(c);
        return false;
    }
    bytes = part(c, bytes < room ? bytes : room, &c->world->stats.short_writes);
    if (!mrpc_sim_link_put(&c->peer->inbox, vectors, bytes, later(c))) {
        fail(c, MRPC_ENOMEM, "no memory for what is under way");
        return false;
    }
    mrpc_sim_note(c->world, SIM_SENT, c->id, bytes);
    plan(c->peer);
    c->base.counters->bytes_sent += bytes;
    mrpc_stream_tx_sent(&c->tx, bytes);
    *drained |= mrpc_stream_tx_release(&c->tx);
    return true;
}

static void send_all(mrpc_sim_connection *c)
{
    bool drained = false;
    while (is_open(c) && send_once(c, &drained))
        ;
    if (is_open(c) && c->tx.failed)
        fail(c, MRPC_ENOMEM, "no memory to send a frame");
    if (drained && is_open(c))
        c->base.events->drained(&c->base);
}

void mrpc_sim_flush(mrpc_connection *connection)
{
    mrpc_sim_connection *c = (mrpc_sim_connection *)connection;
    enter(c);
    send_all(c);
    leave(c);
}

/* --- receiving --- */

static int deliver(mrpc_stream_rx *rx, const mrpc_incoming *incoming)
{
    mrpc_sim_connection *c = (mrpc_sim_connection *)(void *)((char *)rx - offsetof(mrpc_sim_connection, rx));
    bool ends = mrpc_frame_ends_call(incoming->header);
    uint32_t call = incoming->header->call;
    if (incoming->header->type == FRAME_HELLO)
        mrpc_stream_tx_learn(&c->tx, incoming, c->chunk);
    int failure = c->base.events->received(&c->base, incoming);
    if (ends && failure == 0 && !rx->stopped)
        mrpc_stream_tx_end_call(&c->tx, call);
    return failure;
}

/* One read. */
static void receive_once(mrpc_sim_connection *c)
{
    struct iovec vectors[2];
    int count = mrpc_stream_rx_room(&c->rx, vectors);
    if (count == 0) {
        fail(c, MRPC_ENOMEM, "no memory to receive");
        return;
    }
    const mrpc_sim_piece *piece = c->inbox.first;
    size_t limit = part(c, piece->size - piece->taken, &c->world->stats.short_reads);
    size_t bytes = mrpc_sim_link_take(&c->inbox, vectors, count, limit);
    mrpc_sim_note(c->world, SIM_ARRIVED, c->id, bytes);
    c->world->stats.bytes += bytes;
    if (mrpc_stream_rx_take(&c->rx, bytes) != 0)
        fail(c, c->broken.code, c->broken.text);
}

static void ended(mrpc_sim_connection *c)
{
    fail(c, MRPC_ECLOSED,
         mrpc_stream_rx_at_boundary(&c->rx) ? "the peer closed the connection, or it broke"
                                            : "the connection ended in the middle of a message");
}

static void receive(mrpc_sim_connection *c)
{
    uint64_t frames = c->rx.frames;
    while (is_open(c) && c->inbox.first != NULL && c->inbox.first->at <= now(c))
        receive_once(c);
    if (!is_open(c))
        return;
    mrpc_stream_rx_rest(&c->rx);
    if (c->rx.frames != frames)
        c->base.active = now(c);
    if (c->peer != NULL && c->peer->depth == 0) /* there is room again */
        mrpc_sim_flush(&c->peer->base);
    if (is_open(c) && c->inbox.first == NULL && c->ends_at != 0 && c->ends_at <= now(c))
        ended(c);
}

/* --- connecting --- */

static void expired(mrpc_timer *timer);

static mrpc_sim_connection *make(mrpc_sim_world *world, const mrpc_transport_setup *setup,
                                 const mrpc_sim_address *address)
{
    mrpc_sim_connection *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    mrpc_buffers *buffers = mrpc_loop_buffers(world->loop);
    c->base.transport = &mrpc_transport_sim;
    c->base.counters = setup->counters;
    c->world = world;
    c->address = *address;
    c->heap = mrpc_heap_ref(setup->send_heap);
    c->chunk = setup->options.chunk;
    c->id = ++world->ids;
    c->timer.expired = expired;
    mrpc_stream_tx_init(&c->tx, buffers, setup->counters);
    c->rx = (mrpc_stream_rx){.buffers = buffers,
                             .counters = setup->counters,
                             .heap = mrpc_heap_ref(setup->receive_heap),
                             .max_message = setup->options.max_message,
                             .max_unfinished = setup->options.max_unfinished,
                             .chunk = setup->options.chunk,
                             .error = &c->broken,
                             .deliver = deliver};
    snprintf(c->base.peer, sizeof c->base.peer, "sim://%s#%u", address->name, (unsigned)c->id);
    c->next = world->connections;
    c->place = &world->connections;
    if (c->next != NULL)
        c->next->place = &c->next;
    world->connections = c;
    return c;
}

static void refuse(mrpc_sim_connection *c, const char *text)
{
    c->world->stats.refused++;
    mrpc_sim_note(c->world, SIM_REFUSED, c->id, 0);
    fail(c, MRPC_ESYS, text);
    c->reason.system_errno = ECONNREFUSED;
}

/* The attempt has reached the listener. */
static void meet(mrpc_sim_connection *c)
{
    mrpc_sim_world *world = c->world;
    mrpc_sim_listener *listener = mrpc_sim_find(world, c->address.name);
    if (listener == NULL) {
        refuse(c, "nobody listens there");
        return;
    }
    if (!world->kind && (listener->down_until > now(c) || mrpc_sim_chance(world, c->address.refuse_percent, 100))) {
        refuse(c, "the connection was refused (by chance)");
        return;
    }
    mrpc_sim_connection *server = make(world, &listener->setup, &c->address);
    if (server == NULL) {
        fail(c, MRPC_ENOMEM, "no memory for a connection");
        return;
    }
    c->state = SIM_OPENING;
    c->opens_at = later(c);
    c->peer = server;
    server->peer = c;
    server->state = SIM_OPEN;
    world->stats.opened++;
    mrpc_sim_note(world, SIM_OPENED, c->id, server->id);
    enter(server);
    listener->base.accepted(&listener->base, &server->base);
    leave(server);
}

static void open_client(mrpc_sim_connection *c)
{
    c->state = SIM_OPEN;
    c->base.events->opened(&c->base);
    if (is_open(c))
        send_all(c);
}

static void expired(mrpc_timer *timer)
{
    mrpc_sim_connection *c = (mrpc_sim_connection *)(void *)((char *)timer - offsetof(mrpc_sim_connection, timer));
    enter(c);
    if (c->failed)
        ;
    else if (c->state == SIM_CONNECTING)
        meet(c);
    else if (c->state == SIM_OPENING)
        open_client(c);
    else
        receive(c);
    leave(c);
}

int mrpc_sim_connect(mrpc_connection **connection, const char *address, const mrpc_transport_setup *setup,
                     mrpc_error *error)
{
    mrpc_sim_world *world;
    mrpc_sim_address parsed;
    int failure = mrpc_sim_address_parse(&parsed, address, error);
    if (failure == 0)
        failure = mrpc_sim_world_get(&world, setup->loop, error);
    if (failure != 0)
        return failure;
    const mrpc_sim_listener *listener = mrpc_sim_find(world, parsed.name);
    mrpc_sim_connection *c = make(world, setup, parsed.has_options || listener == NULL ? &parsed : &listener->address);
    if (c == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "sim://%s: no memory for a connection", parsed.name);
    world->stats.attempts++;
    mrpc_sim_note(world, SIM_ATTEMPT, c->id, 0);
    c->opens_at = later(c);
    plan(c);
    *connection = &c->base;
    return 0;
}
