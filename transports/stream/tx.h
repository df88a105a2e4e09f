/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tx.h - the sending half of a byte-stream transport, without any I/O
 *
 * Small frames lie one behind the other in shared buffers and leave in one send. What is to be sent is a queue of
 * pieces: runs of such bytes, and extents where they lie. A message larger than a chunk stands in a ring; whenever the
 * queue of pieces runs low, each message of the ring adds one chunk in turn, so that neither another message nor a
 * small frame waits behind a large one.
 *
 *     begin, commit  ──▶ [buffers]  ──▶ pieces ──▶ gather ─(send)─▶ sent ──▶ release
 *                    └─▶ waiting ─▶ ring ──┘
 */
#ifndef MRPC_TRANSPORTS_STREAM_TX_H
#define MRPC_TRANSPORTS_STREAM_TX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "transports/stream/buffers.h"
#include "transports/transport.h"

enum {
    MRPC_STREAM_CHUNK_MIN = 32768, /* a chunk that every peer accepts (docs/PROTOCOL.md, HELLO) */
    MRPC_STREAM_SPACE = 16384,     /* a larger space is not in a shared buffer */
    MRPC_STREAM_RING = 16,         /* messages that are cut into chunks by turns; the others wait */
    MRPC_STREAM_AHEAD =
        262144, /* bytes of pieces that are made ready ahead of the send, which a small frame waits behind */
    MRPC_STREAM_FEW = 4
};

/* A message with extents, or with a head in memory of its own: from commit until all of it is sent. */
typedef struct mrpc_stream_message mrpc_stream_message;
struct mrpc_stream_message {
    mrpc_stream_message *next;
    mrpc_frame
        *header; /* and the head behind it: in `buffer`, not to be used once the first piece is made, or in `block` */
    mrpc_buffer *buffer;
    char *block;
    uint64_t block_size;
    uint32_t call;
    uint64_t head;     /* bytes of the payload that lie behind the header */
    uint64_t total;    /* bytes of the payload */
    uint64_t position; /* bytes of the payload that are in pieces */
    uint64_t offset;   /* of them, in the current extent, padding included */
    uint32_t extent;   /* the current one */
    uint32_t extent_count;
    uint32_t pieces; /* that are not sent yet */
    uint32_t held;   /* pieces that the kernel still reads after they were sent (zero copy) */
    mrpc_extent *extents;
    mrpc_extent few[MRPC_STREAM_FEW];
    mrpc_send_token *token;
    bool linked;   /* in the ring, or waiting */
    bool finished; /* in tx->done */
};

/* Bytes to be sent. */
typedef struct mrpc_stream_piece {
    const char *data;
    size_t size;                  /* 0: dropped */
    mrpc_buffer *buffer;          /* that the bytes lie in, or NULL */
    mrpc_stream_message *message; /* that they belong to, or NULL */
    bool starts;                  /* a frame of the message starts here */
    bool begun;                   /* some of it has been sent */
    bool external;                /* part of an extent */
    bool zero_copy;               /* to be sent so that the kernel reads it where it lies */
    char *copy;                   /* freed when it is sent, or NULL */
} mrpc_stream_piece;

typedef struct mrpc_stream_tx {
    mrpc_buffers *buffers;
    mrpc_counters *counters;
    mrpc_buffer *first, *last; /* in the order in which they were filled; the last is being filled */
    mrpc_stream_piece *pieces; /* a ring of `piece_capacity`, a power of two */
    uint32_t piece_head, piece_count, piece_capacity;
    uint32_t ring_count;
    mrpc_stream_message *ring; /* the one whose turn was last; its `next` is the next */
    mrpc_stream_message *waiting, **waiting_end;
    mrpc_stream_message *done; /* all sent; their tokens are to be released */
    mrpc_send_token *orphans;  /* tokens of messages for which there was no memory */
    uint64_t piece_bytes;      /* in pieces, unsent */
    uint64_t queued;           /* all that is committed, unsent */
    uint64_t memory;           /* bytes of buffers and blocks that are in use */
    uint64_t zero_copy;        /* extents from so many bytes on are pieces of that kind; 0: none are */
    uint64_t unfinished;       /* bytes of messages under way at once that the peer accepts */
    uint64_t ring_bytes;       /* of all messages in the ring, sent or not */
    uint32_t chunk;            /* the peer's */
    bool open;                 /* a space is being filled */
    bool above;                /* tell when queued has fallen */
    bool failed;               /* no memory: the stream has a hole, and nothing more is sent */
} mrpc_stream_tx;

void mrpc_stream_tx_init(mrpc_stream_tx *tx, mrpc_buffers *buffers, mrpc_counters *counters);

/* The peer has said what it accepts, in a HELLO that was checked for its size; `chunk` is what this side likes. */
void mrpc_stream_tx_learn(mrpc_stream_tx *tx, const mrpc_incoming *hello, uint32_t chunk);

/* Drops all that is queued, releases all tokens, frees all but the buffers that are kept: they go when they are let go.
 */
void mrpc_stream_tx_clear(mrpc_stream_tx *tx);

/* As mrpc_transport's. */
int mrpc_stream_tx_begin(mrpc_stream_tx *tx, size_t capacity, mrpc_space *space);
int mrpc_stream_tx_extend(mrpc_stream_tx *tx, mrpc_space *space, size_t used, size_t capacity);
void mrpc_stream_tx_commit(mrpc_stream_tx *tx, mrpc_space *space, const mrpc_extent *extents, mrpc_send_token *token);
void mrpc_stream_tx_abort(mrpc_stream_tx *tx, mrpc_space *space);
void mrpc_stream_tx_abandon(mrpc_stream_tx *tx, mrpc_send_token *token);

/* The call has ended: leaves out what has not begun of its messages with extents and of its large ones, and releases
 * their tokens. */
void mrpc_stream_tx_end_call(mrpc_stream_tx *tx, uint32_t call);

/* Whether a message of the call waits, or is under way in chunks: another may not overtake it. */
bool mrpc_stream_tx_is_sending(const mrpc_stream_tx *tx, uint32_t call);

/* The peer fetches so many bytes by itself: they are queued from when it was told until it is done. */
void mrpc_stream_tx_lend(mrpc_stream_tx *tx, uint64_t bytes);
void mrpc_stream_tx_lent(mrpc_stream_tx *tx, uint64_t bytes);

/* What to send next: fills up to `count` entries, returns how many, and how many bytes they are. 0: nothing. A piece
 * for a zero-copy send comes alone. */
int mrpc_stream_tx_gather(mrpc_stream_tx *tx, struct iovec *vectors, int count, size_t *bytes, bool *zero_copy);

/* The piece that gather gave is sent without a copy: its message's token stays out until unhold. Before sent(). */
mrpc_stream_message *mrpc_stream_tx_hold(mrpc_stream_tx *tx);
void mrpc_stream_tx_unhold(mrpc_stream_tx *tx, mrpc_stream_message *message);

/* For devices that read the bytes later: the next run to send. */
typedef struct mrpc_stream_run {
    const char *data;
    size_t size;
    mrpc_buffer *buffer; /* that it lies in; NULL: somewhere else, where it stays only until it is sent */
} mrpc_stream_run;
/* The run at the front. False: there is nothing to send. */
bool mrpc_stream_tx_next(mrpc_stream_tx *tx, mrpc_stream_run *run);
/* Room in a buffer for copies of runs that lie somewhere else, of which `used` bytes were needed in the end. NULL: no
 * memory. Not while a space is open. */
char *mrpc_stream_tx_stage(mrpc_stream_tx *tx, size_t bytes, mrpc_buffer **buffer);
void mrpc_stream_tx_unstage(mrpc_buffer *buffer, const char *stage, size_t bytes, size_t used);
/* A run of the buffer is read by the device from before sent() until it is let go. */
void mrpc_stream_tx_keep(mrpc_buffer *buffer);
void mrpc_stream_tx_let_go(mrpc_stream_tx *tx, mrpc_buffer *buffer);

/* The first `bytes` of what gather or next gave are sent. Call release afterwards. */
void mrpc_stream_tx_sent(mrpc_stream_tx *tx, size_t bytes);

/* Releases the tokens of what is sent; the owner's callbacks run. True when it is time for `drained`. */
bool mrpc_stream_tx_release(mrpc_stream_tx *tx);

#endif /* MRPC_TRANSPORTS_STREAM_TX_H */
