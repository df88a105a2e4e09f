/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backlog.h - frames that did not go into the ring at once: large messages, what follows them in the same call, and all
 * while the ring is full
 *
 * Calls take turns, a chunk each; the frames of one call keep their order. At most SHM_TURNS large messages take part,
 * the others wait. The bytes of a message are its pieces, each padded to 8: the head, the places of its extents, and
 * those extents that are copied.
 */
#ifndef MRPC_TRANSPORTS_SHM_BACKLOG_H
#define MRPC_TRANSPORTS_SHM_BACKLOG_H

#include <stdbool.h>

#include "transports/shm/ring.h"
#include "transports/transport.h"

typedef struct mrpc_shm_item mrpc_shm_item;
struct mrpc_shm_item {
    mrpc_shm_item *next, *previous; /* of the first item of a call: in the circle of those that take turns, or in the
                                       circle of those that wait */
    mrpc_shm_item *chain;           /* in the bucket; likewise */
    mrpc_shm_item *behind;          /* the next item of the call */
    mrpc_shm_item *last;            /* of the call; of the first item */
    mrpc_frame header;              /* as it was committed; size is not used */
    void *owned;                    /* a buffer that goes with the item */
    mrpc_send_token *token;
    uint64_t left;   /* bytes of pieces that were not sent */
    uint64_t offset; /* in the piece */
    uint32_t piece;
    uint32_t piece_count;
    bool begun; /* something was sent */
    bool large; /* more than a chunk, when it was put here */
    bool waits; /* for its turns */
    mrpc_extent pieces[];
};

enum {
    SHM_BUCKETS = 64,
    SHM_TURNS = 16,      /* the receiver puts up with 64 messages under way */
    SHM_ITEM_COSTS = 192 /* bytes of memory that an item takes beside what it carries */
};

typedef struct mrpc_shm_backlog {
    mrpc_shm_item *current; /* whose turn it is; NULL: empty */
    mrpc_shm_item *waiting; /* the first of them */
    uint64_t bytes;         /* left, of all items */
    uint64_t small_memory;  /* of items whose own buffer is at most a chunk, with costs */
    uint64_t large_memory;  /* of the others */
    uint32_t large;         /* items that are, in the circle of turns */
    uint32_t chunk;
    mrpc_shm_item *buckets[SHM_BUCKETS];
} mrpc_shm_backlog;

/* An item with room for so many pieces; NULL: no memory. */
mrpc_shm_item *mrpc_shm_item_new(uint32_t pieces);

/* Appends a piece and counts its bytes. */
void mrpc_shm_item_add(mrpc_shm_item *item, const void *data, uint64_t size);

/* The first item of a call, or NULL. */
mrpc_shm_item *mrpc_shm_backlog_find(const mrpc_shm_backlog *backlog, uint32_t call);

/* Puts an item behind those of its call. */
void mrpc_shm_backlog_put(mrpc_shm_backlog *backlog, mrpc_shm_item *item);

/* Gives the next call its turn. */
void mrpc_shm_backlog_turn(mrpc_shm_backlog *backlog);

/* Takes the first item of its call out and returns its token (or NULL); the item is freed. */
mrpc_send_token *mrpc_shm_backlog_finish(mrpc_shm_backlog *backlog, mrpc_shm_item *item);

/* Copies the next `bytes` of the item (at most `left`) to `to`. */
void mrpc_shm_backlog_copy(mrpc_shm_backlog *backlog, mrpc_shm_item *item, char *to, uint64_t bytes);

/* The item that has the token, or NULL. Looks at all of them. */
mrpc_shm_item *mrpc_shm_backlog_with(const mrpc_shm_backlog *backlog, const mrpc_send_token *token);

/* Takes any item out, whatever was sent of it, and returns its token (or NULL); the item is freed. */
mrpc_send_token *mrpc_shm_backlog_drop(mrpc_shm_backlog *backlog, mrpc_shm_item *item);

#endif /* MRPC_TRANSPORTS_SHM_BACKLOG_H */
