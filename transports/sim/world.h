/* SPDX-License-Identifier: BSD-2-Clause */
/* world.h - what the ends of simulated connections share: names, faults, and the record of what happened */
#ifndef MRPC_TRANSPORTS_SIM_WORLD_H
#define MRPC_TRANSPORTS_SIM_WORLD_H

#include "transports/sim/link.h"
#include "transports/sim/sim.h"
#include "transports/stream/rx.h"
#include "transports/stream/tx.h"
#include "transports/transport.h"

enum { SIM_NAME = 65 };

/* What an address says. */
typedef struct mrpc_sim_address {
    char name[SIM_NAME];
    uint64_t delay_min, delay_max; /* ns */
    uint64_t down;                 /* ns */
    uint32_t short_percent;
    uint32_t loss; /* of a million */
    uint32_t refuse_percent;
    uint32_t buffer; /* bytes */
    bool has_options;
} mrpc_sim_address;

/* Reads what follows sim:// . EINVAL. */
int mrpc_sim_address_parse(mrpc_sim_address *address, const char *text, mrpc_error *error);

typedef struct mrpc_sim_connection mrpc_sim_connection;

typedef struct mrpc_sim_listener {
    mrpc_listener base;
    mrpc_transport_setup setup;
    mrpc_sim_address address;
    uint64_t down_until;
    struct mrpc_sim_listener *next;
} mrpc_sim_listener;

typedef struct mrpc_sim_world {
    mrpc_loop *loop;
    mrpc_sim_listener *listeners;
    mrpc_sim_connection *connections;
    mrpc_sim_stats stats;
    uint32_t ids; /* of connections: what the record names them by */
    bool kind;
} mrpc_sim_world;

typedef enum mrpc_sim_event {
    SIM_ATTEMPT = 1,
    SIM_REFUSED,
    SIM_OPENED,
    SIM_SENT,
    SIM_ARRIVED,
    SIM_BROKEN,
    SIM_CLOSED,
    SIM_FAILED
} mrpc_sim_event;

/* The world of a loop; made at first use. Errors: EINVAL (the loop is not simulated), ENOMEM. */
int mrpc_sim_world_get(mrpc_sim_world **world, mrpc_loop *loop, mrpc_error *error);

/* Adds to the record. */
void mrpc_sim_note(mrpc_sim_world *world, mrpc_sim_event event, uint32_t id, uint64_t value);

/* True in `part` of `whole` cases. */
bool mrpc_sim_chance(mrpc_sim_world *world, uint32_t part, uint32_t whole);

/* A number from `least` to `most`. */
uint64_t mrpc_sim_between(mrpc_sim_world *world, uint64_t least, uint64_t most);

mrpc_sim_listener *mrpc_sim_find(mrpc_sim_world *world, const char *name);

/* One end of a connection. */
struct mrpc_sim_connection {
    mrpc_connection base;
    mrpc_sim_world *world;
    mrpc_sim_connection *peer; /* NULL: not yet, or no more */
    mrpc_sim_connection *next, **place;
    mrpc_sim_address address;
    mrpc_sim_listener *origin; /* where a server's end was accepted, while that listens */
    mrpc_stream_tx tx;
    mrpc_stream_rx rx;
    mrpc_sim_link inbox; /* what the peer has sent */
    mrpc_timer timer;    /* the next thing that happens to this end */
    mrpc_heap *heap;
    mrpc_error broken; /* why rx could not go on */
    mrpc_error reason;
    uint64_t opens_at; /* client: when it hears of it */
    uint64_t ends_at;  /* when it hears that the peer has gone; 0: it has not */
    uint32_t id;
    uint32_t chunk;
    uint32_t depth;
    enum { SIM_CONNECTING, SIM_OPENING, SIM_OPEN, SIM_ENDED } state;
    bool failed, reported, closing;
};

/* connection.c */
int mrpc_sim_connect(mrpc_connection **connection, const char *address, const mrpc_transport_setup *setup,
                     mrpc_error *error);
void mrpc_sim_close(mrpc_connection *connection);
void mrpc_sim_flush(mrpc_connection *connection);
/* Both ends lose each other. */
void mrpc_sim_break(mrpc_sim_connection *c);

#endif /* MRPC_TRANSPORTS_SIM_WORLD_H */
