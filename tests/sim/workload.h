/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * workload.h - one simulated world: a server, clients, and everything that they do to each other, all from one seed
 *
 * The client says in each request what the server is to do. Everything happens at times on the virtual clock.
 */
#ifndef TESTS_SIM_WORKLOAD_H
#define TESTS_SIM_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <mrpc/mrpc.h>

#include "echo.mrpc.h"
#include "runtime/runtime.h"
#include "transports/sim/sim.h"

enum { WORLD_CALLS = 60, WORLD_CHANNELS = 3, WORLD_BUILDS = 3 };

/* What was reached in all worlds together: a simulation that never sees a state does not test it. X(name, "what") */
#define REACHED_TABLE(X)                                                                                               \
    X(replies, "replies that were right")                                                                              \
    X(late_replies, "replies from a timer")                                                                            \
    X(replies_too_late, "replies to calls that had ended meanwhile")                                                   \
    X(status_aborted, "calls that the server failed")                                                                  \
    X(status_cancelled, "calls that were cancelled")                                                                   \
    X(status_deadline, "calls whose deadline passed")                                                                  \
    X(status_unavailable, "calls whose connection broke or was refused")                                               \
    X(status_exhausted, "calls over a limit")                                                                          \
    X(server_cancelled, "calls that ended for the server before it answered")                                          \
    X(stream_messages, "messages of streams that came in order")                                                       \
    X(full, "sends that were told to wait")                                                                            \
    X(writable, "times that such a sender was told to go on")                                                          \
    X(pauses, "calls that stopped taking messages for a while")                                                        \
    X(half_closes, "half-closes that were seen")                                                                       \
    X(queue_events, "events taken from a queue")                                                                       \
    X(swaps, "marshal modules that were replaced")                                                                     \
    X(reconnects, "connections that were made again")                                                                  \
    X(broken, "connections that were lost on the way")                                                                 \
    X(refused, "attempts to connect that were refused")                                                                \
    X(drained, "servers that stopped with calls in flight")                                                            \
    X(channels_closed, "channels that were closed with calls in flight")                                               \
    X(large_messages, "messages in several chunks")

typedef struct reached {
#define REACHED_MEMBER(name, what) uint64_t name;
    REACHED_TABLE(REACHED_MEMBER)
#undef REACHED_MEMBER
} reached;

typedef struct world world;
typedef struct client_call client_call;

struct client_call {
    world *world;
    mrpc_channel *channel;
    const mrpc_method *method;
    mrpc_call *call;
    mrpc_timer start, cancel, resume;
    echo_Ping *ping;
    mrpc_unary_result result; /* in the queue */
    bool queued, started, refused, cancelled, has_timeout;
    uint32_t timeout_ms;
    int ends;
    mrpc_status status;
    uint64_t sent, received, half_closed;
    bool reply_seen;
};

struct world {
    uint64_t seed, chance;
    reached *reached;
    mrpc_runtime *runtime;
    mrpc_server *server;
    mrpc_channel *channels[WORLD_CHANNELS];
    mrpc_queue *queue;
    client_call calls[WORLD_CALLS];
    uint32_t call_count, ended;
    uint64_t handlers_begun, handlers_over; /* calls that the server was handed, and those it is done with */
    mrpc_timer stop, swap, close;
    mrpc_module builds[WORLD_BUILDS];
    bool stopped;
    bool server_stopped;
    char failure[256]; /* the first thing that went wrong; "" when all went well */
    uint64_t trace;
};

/* Notes what went wrong; only the first thing is kept. */
void world_fail(world *w, const char *format, ...) MRPC_PRINTF(2, 3);
uint64_t world_random(world *w, uint64_t below);
void world_at(world *w, mrpc_timer *timer, uint64_t after_us, void (*expired)(mrpc_timer *timer));

/* client.c */
void client_prepare(world *w, client_call *call);
void client_take_event(world *w, client_call *call);
/* server.c */
extern const echo_Echo_handlers world_handlers;

/* Runs one world from its beginning to its end. False: w->failure says why. */
bool world_run(uint64_t seed, reached *all, uint64_t *trace, char *failure, size_t size);

#endif /* TESTS_SIM_WORKLOAD_H */
