/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c - what a frame's header may say (docs/PROTOCOL.md, 2), before any of it is believed */
#include "config.h"

#include "transports/stream/rx.h"

enum { HELLO_SIZE = 64, HELLO_MAX = 4096 };

static const char *check_chunks(const mrpc_frame *frame)
{
    uint64_t head = mrpc_frame_head(frame);
    if (frame->flags & FRAME_MORE)
        return frame->flags & FRAME_NOMESSAGE ? "chunks of no message" : NULL;
    if (frame->extents == 0 && frame->size != head)
        return "the size is not that of the head";
    return frame->size < head ? "it is shorter than its head" : NULL;
}

static const char *check_message(const mrpc_frame *frame)
{
    if (frame->call == 0)
        return "a message of call 0";
    if (frame->meta > MRPC_STREAM_META || frame->meta % 8 != 0)
        return "the meta section is larger than 8 KiB or not padded";
    if (frame->extents > MRPC_EXTENT_LIMIT)
        return "more than 1024 extents";
    if ((frame->flags & FRAME_NOMESSAGE) && (frame->block != 0 || frame->extents != 0))
        return "a message where none was announced";
    if ((frame->flags & FRAME_PROTOBUF) && frame->extents != 0)
        return "extents in the protobuf encoding";
    return check_chunks(frame);
}

static const char *check_status(const mrpc_frame *frame)
{
    if (frame->meta > MRPC_STREAM_META || frame->meta % 8 != 0 || frame->size != frame->meta)
        return "the size is not that of a meta section";
    return frame->call == 0 ? "it belongs to no call" : NULL;
}

const char *mrpc_stream_check(const mrpc_frame *frame, uint32_t chunk)
{
    if (frame->size % 8 != 0)
        return "the size is not a multiple of 8";
    if (frame->size > chunk)
        return "the payload is larger than this side's chunk (connection option chunk)";
    if (frame->extents != 0 && frame->type != FRAME_MESSAGE)
        return "extents of something that is no message";
    switch (frame->type) {
    case FRAME_MESSAGE:
        return check_message(frame);
    case FRAME_CHUNK:
        return frame->call == 0 || frame->size == 0 ? "an empty chunk, or one of call 0" : NULL;
    case FRAME_STATUS:
    case FRAME_BIND:
        return check_status(frame);
    case FRAME_HELLO:
        return frame->size < HELLO_SIZE || frame->size > HELLO_MAX ? "not the size of a hello" : NULL;
    case FRAME_CANCEL:
    case FRAME_CREDIT:
    case FRAME_GOAWAY:
    case FRAME_PING:
    case FRAME_PONG:
        return frame->size != 0 ? "a payload where there is none" : NULL;
    case FRAME_RETURN:
        return "references are given back over shared memory and RDMA only";
    case FRAME_OFFER:
        return "messages are offered over RDMA only";
    default:
        return "unknown type";
    }
}

const char *mrpc_stream_check_loan(const mrpc_frame *frame)
{
    if (frame->size % 8 != 0 || frame->size == 0 || frame->size > MRPC_STREAM_WAIT || frame->size != frame->block)
        return "the size is none of an offer or of what is given back";
    if (frame->extents != 0 || frame->flags != 0 || frame->meta != 0)
        return "an offer, or one that is given back, with flags, metadata or extents";
    return (frame->type == FRAME_OFFER) == (frame->call != 0) ? NULL
                                                              : "an offer of no call, or one given back by a call";
}
