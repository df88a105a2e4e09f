/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rx.h - the receiving half of a byte-stream transport, without any I/O
 *
 * Bytes are received where room() says: into a shared buffer, in which small frames are parsed and handed up where they
 * lie; or, once a large message has begun, straight into its final place in an arena, with a little of the buffer
 * behind it for the header that follows.
 */
#ifndef MRPC_TRANSPORTS_STREAM_RX_H
#define MRPC_TRANSPORTS_STREAM_RX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "transports/stream/buffers.h"
#include "transports/transport.h"

enum {
    MRPC_STREAM_WAIT = 4096, /* a frame of so many bytes is received whole into the buffer; a larger one has an arena */
    MRPC_STREAM_META = 8192, /* largest meta section (docs/PROTOCOL.md, 2) */
    MRPC_STREAM_PARTIALS = 64, /* messages of one direction under way at once (docs/PROTOCOL.md, 2) */
    MRPC_STREAM_BEHIND = 512,  /* bytes of the buffer that are offered behind a message's place */
    MRPC_STREAM_FEED = 49152,  /* bytes that are fed at once; with those that wait they fit into a buffer */
    MRPC_STREAM_BULK = 4096    /* bytes of the buffer that are offered where a large message is likely to begin */
};

/* A message that is being put together in its arena. */
typedef struct mrpc_stream_partial mrpc_stream_partial;
struct mrpc_stream_partial {
    mrpc_stream_partial *next;
    mrpc_frame header; /* of the first frame */
    mrpc_arena *arena;
    uint8_t *head; /* and the extents behind it */
    uint64_t room; /* bytes that have their place from there on */
    uint64_t head_size;
    uint64_t rest_size; /* with padding; known when the head is complete */
    uint64_t received;  /* of both */
    uint64_t counted;   /* in rx->unfinished */
};

typedef struct mrpc_stream_rx mrpc_stream_rx;
struct mrpc_stream_rx {
    mrpc_buffers *buffers;
    mrpc_counters *counters;
    mrpc_heap *heap; /* of arenas; NULL: malloc */
    uint64_t max_message;
    uint64_t max_unfinished; /* bytes of messages in several frames that may be under way */
    uint32_t chunk;          /* largest payload of a frame */
    bool offers;             /* OFFER and RETURN are known (rdma) */
    mrpc_error *error;       /* why take() failed */
    /* Takes a frame. 0, or the reason to end the connection. It may set `stopped`. */
    int (*deliver)(mrpc_stream_rx *rx, const mrpc_incoming *incoming);

    mrpc_buffer *buffer;          /* NULL: no byte waits to be parsed */
    char *data;                   /* the buffer's, or what feed() was given */
    uint32_t begin, end;          /* of unparsed bytes in it */
    mrpc_stream_partial *current; /* that the rest of the frame belongs to; NULL: it is skipped */
    uint64_t frame_left; /* bytes of the current frame that have not come, or have not been taken from the buffer */
    bool frame_last;     /* it completes its message */
    bool bulk;           /* the last frame was of a large message: the next one is likely to be */
    bool stopped;        /* nothing more is to be delivered */
    uint64_t frames;     /* that were delivered */
    mrpc_stream_partial *partials;
    mrpc_stream_partial *spare; /* for the next one */
    uint32_t partial_count;
    uint64_t unfinished; /* bytes of them, as far as their sizes are known, but for those that come in one frame */
    size_t direct;       /* bytes that room() offered outside of the buffer */
};

/* The members from `buffers` to `deliver` are set by the caller, the others are zero. */

/* Where to receive: 1 or 2 entries; 0: no memory. */
int mrpc_stream_rx_room(mrpc_stream_rx *rx, struct iovec vectors[2]);

/* `bytes` have come to where room() said: delivers what is complete. 0, or the reason to end the connection, with
 * rx->error. */
MRPC_MUST_CHECK int mrpc_stream_rx_take(mrpc_stream_rx *rx, size_t bytes);

/* Instead of room() and take(), where a device has received into memory of its own: delivers what is complete in
 * `data`, frames in place, and copies the rest. `data` is aligned to 8, may be written, and holds at most
 * MRPC_STREAM_FEED bytes. As take(). */
MRPC_MUST_CHECK int mrpc_stream_rx_feed(mrpc_stream_rx *rx, char *data, size_t bytes);

/* No byte waits in the buffer: gives it back. */
void mrpc_stream_rx_rest(mrpc_stream_rx *rx);

/* The call has ended: drops what has come of its message, and the rest when it comes. */
void mrpc_stream_rx_end_call(mrpc_stream_rx *rx, uint32_t call);

/* Whether a message that begins a call, of a number up to `last`, has come in part. */
bool mrpc_stream_rx_opening(const mrpc_stream_rx *rx, uint32_t last);

/* True when the stream ends where a frame ends. */
bool mrpc_stream_rx_at_boundary(const mrpc_stream_rx *rx);

void mrpc_stream_rx_clear(mrpc_stream_rx *rx);

/* What is wrong with a header that came, in words; NULL: nothing. `chunk`: the largest payload allowed. */
const char *mrpc_stream_check(const mrpc_frame *frame, uint32_t chunk);
/* The same of an OFFER or a RETURN where these are known. */
const char *mrpc_stream_check_loan(const mrpc_frame *frame);

#endif /* MRPC_TRANSPORTS_STREAM_RX_H */
