/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol.h - what two RDMA ends say to each other beneath the frames, as docs/PROTOCOL.md section 9 has it */
#ifndef MRPC_TRANSPORTS_RDMA_PROTOCOL_H
#define MRPC_TRANSPORTS_RDMA_PROTOCOL_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define RDMA_MAGIC UINT64_C(0x616d64724350526d) /* "mRPCrdma" */

enum {
    RDMA_VERSION = 1,
    RDMA_EXTRA = 3, /* receive buffers beyond the window: two for credits, one for the goodbye */
    RDMA_WINDOW_MAX = 1024,
    RDMA_BUFFER_MIN = 1024,
    RDMA_BUFFER_MAX = 32768,
    RDMA_OFFERS = 64,      /* most that a side has out */
    RDMA_PLACES = 16,      /* of one offer */
    RDMA_OFFER_HEAD = 3072 /* bytes of the head of a message that is offered */
};

/* The private data of the connection manager's request and of its answer. */
typedef struct mrpc_rdma_greeting {
    uint64_t magic;
    uint16_t version; /* the lower of both counts */
    uint16_t minimum; /* lowest that this side speaks */
    uint32_t window;  /* messages that the peer may send before the first credit */
    uint32_t buffer;  /* bytes of each of them at most, header included */
    uint32_t offers;  /* of messages that the peer may have out at once; 0: this side reads none */
} mrpc_rdma_greeting;

static_assert(sizeof(mrpc_rdma_greeting) == 24, "the greeting is 24 bytes");

enum { RDMA_GOODBYE = 1 };

/* What each SEND begins with. Bytes of the stream of frames follow, a multiple of 8 of them; none: no credit is used.
 */
typedef struct mrpc_rdma_header {
    uint32_t credits; /* messages more that the receiver of this may send */
    uint32_t flags;   /* RDMA_GOODBYE: nothing follows, the sender ends the connection */
} mrpc_rdma_header;

/* The payload of an OFFER frame: a MESSAGE's header and its head, the number of the offer (8 bytes), and where the
 * extents lie in the sender's memory: the places one after another are the extents one after another, without padding.
 */
typedef struct mrpc_rdma_place {
    uint64_t address;
    uint32_t size;
    uint32_t key;
} mrpc_rdma_place;

static_assert(sizeof(mrpc_rdma_place) == 16, "a place is 16 bytes");

static_assert(sizeof(mrpc_rdma_header) == 8, "frames stay aligned behind the header");

#endif /* MRPC_TRANSPORTS_RDMA_PROTOCOL_H */
