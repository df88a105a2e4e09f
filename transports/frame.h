/* SPDX-License-Identifier: BSD-2-Clause */
/* frame.h - the header of a frame, as docs/PROTOCOL.md section 2 has it */
#ifndef MRPC_TRANSPORTS_FRAME_H
#define MRPC_TRANSPORTS_FRAME_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum mrpc_frame_type {
    FRAME_HELLO = 1,
    FRAME_MESSAGE,
    FRAME_CHUNK,
    FRAME_STATUS,
    FRAME_CANCEL,
    FRAME_CREDIT,
    FRAME_BIND,
    FRAME_GOAWAY,
    FRAME_PING,
    FRAME_PONG,
    FRAME_RETURN,
    FRAME_OFFER
} mrpc_frame_type;

enum {
    FRAME_OPEN = 1,
    FRAME_END = 2,
    FRAME_NAMED = 4,
    FRAME_PROTOBUF = 8,
    FRAME_MORE = 16,
    FRAME_NOMESSAGE = 32,
    FRAME_STAMP = 64,
    FRAME_OK = 128
};

typedef struct mrpc_frame {
    uint32_t size; /* bytes that follow */
    uint8_t type;
    uint8_t flags;
    uint16_t extents;
    uint32_t call;
    uint32_t method;
    uint32_t block; /* bytes, unpadded */
    uint32_t meta;  /* bytes, padded */
    uint64_t value;
} mrpc_frame;

static_assert(sizeof(mrpc_frame) == 32, "the frame header is 32 bytes on the wire");
static_assert(offsetof(mrpc_frame, value) == 24, "the frame header has no holes");

static inline uint64_t mrpc_pad8(uint64_t bytes)
{
    return (bytes + 7) & ~UINT64_C(7);
}

/* Bytes of the head of a MESSAGE's payload: meta section, block, extent sizes, stamp. The extents follow it. */
static inline uint64_t mrpc_frame_head(const mrpc_frame *frame)
{
    return frame->meta + mrpc_pad8(frame->block) + 8u * (uint64_t)frame->extents +
           ((frame->flags & FRAME_STAMP) ? 16u : 0u);
}

/* True for the frames after which nothing of the call follows, in either direction. */
static inline bool mrpc_frame_ends_call(const mrpc_frame *frame)
{
    return frame->type == FRAME_STATUS || frame->type == FRAME_CANCEL ||
           (frame->type == FRAME_MESSAGE && (frame->flags & FRAME_OK) != 0);
}

#endif /* MRPC_TRANSPORTS_FRAME_H */
