/* SPDX-License-Identifier: BSD-2-Clause */
/* link.h - bytes on their way in one direction: pieces, each with the time at which it arrives, in order */
#ifndef MRPC_TRANSPORTS_SIM_LINK_H
#define MRPC_TRANSPORTS_SIM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct mrpc_sim_piece {
    struct mrpc_sim_piece *next;
    uint64_t at; /* ns */
    size_t size;
    size_t taken;
    char data[];
} mrpc_sim_piece;

typedef struct mrpc_sim_link {
    mrpc_sim_piece *first, *last;
    size_t bytes; /* under way */
    uint64_t last_at;
} mrpc_sim_link;

/* Adds the first `bytes` of what the vectors hold; arrives at `at`, or with the last piece if that is later. False: no
 * memory. */
bool mrpc_sim_link_put(mrpc_sim_link *link, const struct iovec *vectors, size_t bytes, uint64_t at);

/* Takes up to `limit` bytes of the first piece into the vectors; returns how many. */
size_t mrpc_sim_link_take(mrpc_sim_link *link, const struct iovec *vectors, int count, size_t limit);

void mrpc_sim_link_clear(mrpc_sim_link *link);

#endif /* MRPC_TRANSPORTS_SIM_LINK_H */
