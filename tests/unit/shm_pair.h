/* SPDX-License-Identifier: BSD-2-Clause */
/* shm_pair.h - for tests of shared memory: both ends of a connection on one loop, and what happened to them */
#ifndef MRPC_TESTS_SHM_PAIR_H
#define MRPC_TESTS_SHM_PAIR_H

#include <stdbool.h>

#include "transports/shm/connection.h"
#include "transports/transport.h"

/* One end, with what came. */
typedef struct shm_end {
    mrpc_connection *connection;
    mrpc_counters counters;
    mrpc_heap *receive_heap;
    mrpc_heap *send_heap; /* the client's */
    int opened, closed, drained, frames;
    int large; /* frames of more than a MiB */
    mrpc_error reason;
    int result; /* what `received` answers */
    bool keep;  /* messages with an arena are kept below, else freed */
    bool close_on_frame, close_on_closed;
    uint32_t blocks[64]; /* of the first frames */
    mrpc_frame header;   /* the last one */
    int refused;
    uint64_t head_hash, extents_hash, extents_bytes;
    const void *first_extent;
    mrpc_arena *kept[64];
    int kept_count;
} shm_end;

typedef struct shm_pair {
    char name[64];
    mrpc_loop *loop;
    mrpc_listener *listener;
    mrpc_connection_options options;
    shm_end client, server;
} shm_pair;

/* A loop and a listener with a name of its own. */
void shm_pair_listen(shm_pair *pair);
/* And a connection, open at both ends. */
void shm_pair_open(shm_pair *pair);
/* Closes what is still open, frees all. */
void shm_pair_close(shm_pair *pair);

/* What a listener of the pair (its owner) calls. */
void shm_pair_accepted(mrpc_listener *listener, mrpc_connection *connection);

void shm_pair_setup(shm_pair *pair, shm_end *end, mrpc_transport_setup *setup);
/* The connection that `end` has is observed. */
void shm_end_observe(shm_end *end, mrpc_connection *connection);
void shm_end_free_kept(shm_end *end);

/* Runs the loop, polls and flushes both ends until *what is `value` or more; fails after some seconds. */
void shm_pair_until(shm_pair *pair, const int *what, int value);
/* For so many rounds. */
void shm_pair_run(shm_pair *pair, int rounds);

/* Commits a MESSAGE in call `call` with `block` bytes made from `seed`; false: EAGAIN. */
bool shm_end_send(shm_end *end, uint32_t call, uint8_t flags, size_t block, uint32_t seed, const mrpc_extent *extents,
                  uint16_t extent_count, mrpc_send_token *token);
void shm_end_send_control(shm_end *end, uint8_t type, uint32_t call);
void shm_end_flush(shm_end *end);

/* What head_hash and extents_hash are of. */
uint64_t shm_hash(uint64_t hash, const void *data, size_t size);
void shm_fill(void *data, size_t size, uint32_t seed);
uint64_t shm_hash_filled(size_t size, uint32_t seed);
#define SHM_HASH_START UINT64_C(14695981039346656037)

#endif /* MRPC_TESTS_SHM_PAIR_H */
