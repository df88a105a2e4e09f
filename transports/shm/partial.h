/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * partial.h - putting together messages that come in several frames, or that have extents
 *
 * The bytes of a message, from however many frames: its head, the places of its extents (mrpc_shm_place), and the
 * extents that are copied, each padded to 8. They are copied once, into an arena, and what is checked is the copy.
 */
#ifndef MRPC_TRANSPORTS_SHM_PARTIAL_H
#define MRPC_TRANSPORTS_SHM_PARTIAL_H

#include <stdbool.h>

#include <mrpc/heap.h>
#include <mrpc/marshal.h>

#include "transports/frame.h"
#include "transports/shm/layout.h"

struct mrpc_shm_connection;

typedef struct mrpc_shm_partial {
    struct mrpc_shm_partial *next;
    struct mrpc_shm_partial *kept; /* where this stays between chunks; NULL: nowhere yet */
    mrpc_arena *arena;             /* owns head, extents and `kept` */
    mrpc_frame header;
    uint8_t *head;      /* with the places behind it */
    uint64_t head_size; /* of both */
    uint64_t head_got;
    mrpc_extent *extents;
    uint32_t extent;     /* that is being filled */
    uint64_t extent_got; /* with its padding */
    uint64_t total;      /* bytes of the message, those referred to included */
} mrpc_shm_partial;

enum { SHM_PARTIALS = 64 }; /* docs/PROTOCOL.md, section 2 */

typedef struct mrpc_shm_partials {
    mrpc_shm_partial *first;
    uint32_t count;
    uint64_t bytes; /* of their messages, as far as the sizes are known */
} mrpc_shm_partials;

/* Begins a message, of which `payload` (header->size bytes in shared memory) is the first part. 0; ELIMIT, EAGAIN
 * (max_unfinished), ENOMEM: the message is to be refused; EPROTO: the connection has failed. */
int mrpc_shm_partial_begin(struct mrpc_shm_connection *c, mrpc_shm_partial *partial, const mrpc_frame *header,
                           const char *payload);
/* Adds bytes, which are read once. Likewise; the caller frees the arena. */
int mrpc_shm_partial_add(struct mrpc_shm_connection *c, mrpc_shm_partial *partial, const char *bytes, uint64_t count);
bool mrpc_shm_partial_complete(const mrpc_shm_partial *partial);

/* Keeps a message until its next chunk: moves it into its arena. EPROTO (too many, or there is one of that call),
 * ENOMEM; likewise. */
int mrpc_shm_partial_keep(struct mrpc_shm_connection *c, const mrpc_shm_partial *partial);
/* Takes it out again; NULL: there is none. */
mrpc_shm_partial *mrpc_shm_partial_take(mrpc_shm_partials *partials, uint32_t call);
/* Takes it out and frees it, if there is one. */
void mrpc_shm_partial_drop(mrpc_shm_partials *partials, uint32_t call);
/* Frees all of them. */
void mrpc_shm_partials_clear(mrpc_shm_partials *partials);

#endif /* MRPC_TRANSPORTS_SHM_PARTIAL_H */
