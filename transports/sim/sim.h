/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim.h - sim://NAME: a network that exists only in a simulated loop, as bad as one likes, and the same again from the
 * same seed
 *
 * Frames travel as a stream of bytes, in transports/stream/, so that its code meets writes and reads that end anywhere.
 * Delays are drawn for each piece, so that connections overtake each other, but the bytes of one direction keep their
 * order. Options of the address, of who listens or of who connects (whose count):
 *
 *     sim://NAME?delay=MIN-MAX   µs that a piece takes; default 1-100
 *               &short=N         percent of writes and of reads that take only a part; default 0
 *               &loss=N          of a million pieces, so many break the connection; default 0
 *               &refuse=N        percent of attempts to connect that are refused; default 0
 *               &down=N          µs after a break in which attempts are refused; default 0
 *               &buffer=N        bytes that may be under way in each direction; default 65,536
 */
#ifndef MRPC_TRANSPORTS_SIM_H
#define MRPC_TRANSPORTS_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "transports/loop/loop.h"

/* What has happened in the world of a loop since it was made. */
typedef struct mrpc_sim_stats {
    uint64_t trace;    /* a hash of all that happened, and when: equal for equal runs */
    uint64_t events;   /* that it is of */
    uint64_t attempts; /* to connect */
    uint64_t refused;
    uint64_t opened;
    uint64_t broken; /* connections that were lost on the way */
    uint64_t short_writes;
    uint64_t short_reads;
    uint64_t bytes; /* that arrived */
} mrpc_sim_stats;

/* All zero for a loop that no sim:// address was used with. */
void mrpc_sim_get_stats(mrpc_loop *loop, mrpc_sim_stats *stats);

/* From now on no connection breaks and no attempt is refused (or again as the addresses say): to see that all comes to
 * an end once the world is kind. Delays and short reads and writes go on. */
void mrpc_sim_set_kind(mrpc_loop *loop, bool kind);

/* Breaks all connections that are open now. */
void mrpc_sim_break_all(mrpc_loop *loop);

#endif /* MRPC_TRANSPORTS_SIM_H */
