/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backlog.h - frames that did not go into the ring at once: large messages, what follows them in the same call, and all
 * while the ring is full
 *
 * They stand in a queue. A large message that comes to the front takes part in a circle, in which each message sends a
 * chunk in turn; the rest of the queue goes on meanwhile, but for frames of the same call, which line up behind their
 * message. So small frames keep their order, and wait for no large one of another call.
 *
 * The bytes of a message are its pieces, each padded to 8: the head, the places of its extents, and those extents that
 * are copied.
 */
#ifndef MRPC_TRANSPORTS_SHM_BACKLOG_H
#define MRPC_TRANSPORTS_SHM_BACKLOG_H

#include <stdbool.h>

#include "transports/shm/ring.h"
#include "transports/transport.h"

typedef struct mrpc_shm_item mrpc_shm_item;

/* A list in order. All zero is not an empty one: see mrpc_shm_backlog_init. */
typedef struct mrpc_shm_items {
    mrpc_shm_item *first, **end;
} mrpc_shm_items;

struct mrpc_shm_item {
    mrpc_shm_item *next;   /* in its list; or in the circle */
    mrpc_shm_items behind; /* of one in the circle: what follows in its call */
    mrpc_frame header;     /* as it was committed; size is not used */
    void *owned;           /* a buffer that goes with the item */
    mrpc_send_token *token;
    uint64_t message; /* bytes of the whole message, those that are referred to included */
    uint64_t left;    /* bytes of pieces that were not sent */
    uint64_t offset;  /* in the piece */
    uint32_t piece;
    uint32_t piece_count;
    bool begun; /* something was sent */
    mrpc_extent pieces[];
};

enum {
    SHM_TURNS = 16,      /* messages in the circle; the receiver puts up with 64 */
    SHM_ITEM_COSTS = 192 /* bytes of memory that an item takes beside what it carries */
};

typedef struct mrpc_shm_backlog {
    mrpc_shm_items queue;
    mrpc_shm_item *current; /* of the circle: whose turn was last; NULL: nobody is in it */
    uint32_t turns;         /* how many are in it */
    uint32_t chunk;
    uint64_t unfinished;   /* bytes of messages in the circle that the peer puts up with */
    uint64_t turn_bytes;   /* of those that are in it */
    uint64_t bytes;        /* left, of all items */
    uint64_t small_memory; /* of items whose own buffer is at most a chunk, with costs */
    uint64_t large_memory; /* of the others */
} mrpc_shm_backlog;

void mrpc_shm_backlog_init(mrpc_shm_backlog *backlog, uint32_t chunk, uint64_t unfinished);

static inline bool mrpc_shm_backlog_is_empty(const mrpc_shm_backlog *backlog)
{
    return backlog->current == NULL && backlog->queue.first == NULL;
}

/* An item with room for so many pieces; NULL: no memory. */
mrpc_shm_item *mrpc_shm_item_new(uint32_t pieces);

/* Appends a piece and counts its bytes. */
void mrpc_shm_item_add(mrpc_shm_item *item, const void *data, uint64_t size);

/* Puts an item at the end of the queue; CANCEL at its front, so that the peer lets go of what it has of the call before
 * another message begins. */
void mrpc_shm_backlog_put(mrpc_shm_backlog *backlog, mrpc_shm_item *item);

/* A frame of this kind stays behind messages of its call that are under way. */
bool mrpc_shm_backlog_blocks(const mrpc_shm_backlog *backlog, const mrpc_frame *header);

/* The small frame at the front of the queue; NULL: there is none now. Moves large ones that come before it into the
 * circle, and those that must wait behind theirs. */
mrpc_shm_item *mrpc_shm_backlog_small(mrpc_shm_backlog *backlog);

/* The message whose turn it is to send a chunk; NULL: there is none. */
mrpc_shm_item *mrpc_shm_backlog_turn(mrpc_shm_backlog *backlog);

/* Copies the next `bytes` of the item (at most `left`) to `to`. */
void mrpc_shm_backlog_copy(mrpc_shm_backlog *backlog, mrpc_shm_item *item, char *to, uint64_t bytes);

/* Takes out and frees an item, which is the one that small() or turn() returned last. Returns its token, or NULL. */
mrpc_send_token *mrpc_shm_backlog_finish(mrpc_shm_backlog *backlog, mrpc_shm_item *item);

/* Takes any item out that `wanted` says yes to, whatever was sent of it. Returns its token through *token. False: there
 * is none. Looks at all of them. */
bool mrpc_shm_backlog_drop(mrpc_shm_backlog *backlog, bool (*wanted)(const mrpc_shm_item *item, const void *argument),
                           const void *argument, mrpc_send_token **token);

#endif /* MRPC_TRANSPORTS_SHM_BACKLOG_H */
