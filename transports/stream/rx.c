/* SPDX-License-Identifier: BSD-2-Clause */
/* rx.c - from bytes to frames */
#include "config.h"

#include "transports/stream/rx.h"

#include "transports/stream/partial.h"

#include <stdlib.h>
#include <string.h>

enum {
    COMPACT = 16384, /* when less room is left behind the unparsed bytes, they move to the front; a control frame always
                        fits */
    WAIT_FOR_MORE = 1
};

/* --- errors --- */

static int broken(mrpc_stream_rx *rx, const mrpc_frame *frame, const char *what)
{
    return mrpc_error_set(rx->error, MRPC_EPROTO, "frame of type %u, call %u, %u bytes: %s", frame->type, frame->call,
                          frame->size, what);
}

static int hand_up(mrpc_stream_rx *rx, const mrpc_incoming *incoming)
{
    uint8_t type = incoming->header->type;
    uint32_t call = incoming->header->call; /* the header may be gone afterwards */
    rx->frames++;
    int failure = rx->deliver(rx, incoming);
    if (failure != 0)
        mrpc_error_set(rx->error, failure, "frame of type %u, call %u: %s", type, call, mrpc_strerror(failure));
    return failure;
}

/* The message is dropped, and what is still to come of it is skipped; the connection goes on. */
static int refuse(mrpc_stream_rx *rx, const mrpc_frame *header, int reason)
{
    return hand_up(rx, &(mrpc_incoming){.header = header, .refused = reason});
}

/* --- large messages --- */

static int hand_up_partial(mrpc_stream_rx *rx, mrpc_stream_partial *partial)
{
    mrpc_extent extents[MRPC_EXTENT_LIMIT];
    mrpc_stream_partial_extents(partial, extents);
    mrpc_frame header = partial->header;
    uint64_t total = partial->head_size + partial->rest_size;
    header.size = total > UINT32_MAX ? UINT32_MAX : (uint32_t)total;
    header.flags &= (uint8_t)~FRAME_MORE;
    mrpc_incoming incoming = {.header = &header, .head = partial->head, .arena = partial->arena, .extents = extents};
    partial->arena = NULL; /* the callee's */
    mrpc_stream_partial_free(rx, partial);
    return hand_up(rx, &incoming);
}

/* All bytes of the current frame have come. */
static int end_frame(mrpc_stream_rx *rx)
{
    mrpc_stream_partial *partial = rx->current;
    rx->current = NULL;
    if (partial == NULL)
        return 0;
    bool complete =
        partial->received >= partial->head_size && partial->received == partial->head_size + partial->rest_size;
    if (!rx->frame_last)
        return complete ? broken(rx, &partial->header, "more chunks are announced of a message that is complete") : 0;
    if (!complete)
        return broken(rx, &partial->header, "the message ends before it is complete");
    return hand_up_partial(rx, partial);
}

/* `bytes` of the current frame are in their place. */
static int arrived(mrpc_stream_rx *rx, uint64_t bytes)
{
    rx->frame_left -= bytes;
    int failure = mrpc_stream_partial_advance(rx, rx->current, bytes);
    if (failure == 0)
        return 0;
    mrpc_frame header = rx->current->header;
    mrpc_stream_partial_free(rx, rx->current);
    rx->current = NULL;
    return refuse(rx, &header, failure);
}

/* Takes what the buffer has of the current frame to where it belongs. */
static int copy_from_buffer(mrpc_stream_rx *rx)
{
    while (rx->frame_left > 0 && rx->begin < rx->end) {
        uint64_t bytes = rx->end - rx->begin, room = UINT64_MAX;
        if (bytes > rx->frame_left)
            bytes = rx->frame_left;
        if (rx->current == NULL) {
            rx->begin += (uint32_t)bytes;
            rx->frame_left -= bytes;
            continue;
        }
        uint8_t *place = mrpc_stream_partial_place(rx->current, &room);
        if (place == NULL)
            return broken(rx, &rx->current->header, "more bytes come than the message has");
        if (bytes > room)
            bytes = room;
        memcpy(place, rx->data + rx->begin, bytes);
        rx->counters->bytes_copied_in += bytes;
        rx->begin += (uint32_t)bytes;
        int failure = arrived(rx, bytes);
        if (failure != 0)
            return failure;
    }
    return rx->frame_left == 0 ? end_frame(rx) : 0;
}

static int begin_frame(mrpc_stream_rx *rx, mrpc_stream_partial *partial, const mrpc_frame *frame)
{
    rx->bulk = partial != NULL && (frame->type == FRAME_CHUNK || frame->size > MRPC_STREAM_BULK);
    rx->begin += (uint32_t)sizeof *frame;
    rx->current = partial;
    rx->frame_left = frame->size;
    rx->frame_last = !(frame->flags & FRAME_MORE);
    return copy_from_buffer(rx);
}

static int begin_message(mrpc_stream_rx *rx, const mrpc_frame *frame)
{
    mrpc_stream_partial *partial = NULL;
    int failure = mrpc_stream_partial_new(rx, frame, &partial);
    if (failure == MRPC_EPROTO)
        return broken(rx, frame, "too many messages are under way at once");
    if (failure != 0) {
        failure = refuse(rx, frame, failure);
        if (failure != 0 || rx->stopped)
            return failure;
    }
    return begin_frame(rx, partial, frame);
}

/* --- frames --- */

static int hand_up_in_place(mrpc_stream_rx *rx, const mrpc_frame *frame)
{
    uint32_t bytes = (uint32_t)sizeof *frame + frame->size;
    if (rx->end - rx->begin < bytes)
        return WAIT_FOR_MORE;
    if (frame->type == FRAME_MESSAGE)
        rx->bulk = false;
    else if ((frame->type == FRAME_CANCEL || frame->type == FRAME_STATUS) && rx->partial_count > 0)
        mrpc_stream_rx_end_call(rx, frame->call);
    rx->begin += bytes;
    return hand_up(rx, &(mrpc_incoming){.header = frame, .head = (uint8_t *)(uintptr_t)(frame + 1)});
}

static int take_message(mrpc_stream_rx *rx, const mrpc_frame *frame)
{
    if (rx->partial_count > 0 && mrpc_stream_partial_find(rx, frame->call) != NULL)
        return broken(rx, frame, "a message begins while another of the same call is under way");
    bool simple = frame->extents == 0 && !(frame->flags & FRAME_MORE) && frame->size <= rx->max_message;
    bool here = rx->end - rx->begin - sizeof *frame >= frame->size;
    return simple && (here || frame->size <= MRPC_STREAM_WAIT) ? hand_up_in_place(rx, frame) : begin_message(rx, frame);
}

static int take_frame(mrpc_stream_rx *rx, const mrpc_frame *frame)
{
    bool loan = rx->offers && (frame->type == FRAME_OFFER || frame->type == FRAME_RETURN);
    const char *what = loan ? mrpc_stream_check_loan(frame) : mrpc_stream_check(frame, rx->chunk);
    if (what != NULL && rx->frames == 0)
        return mrpc_error_set(rx->error, MRPC_EPROTO, "it does not speak mrpc: its first bytes are no HELLO");
    if (what != NULL)
        return broken(rx, frame, what);
    if (frame->type == FRAME_MESSAGE)
        return take_message(rx, frame);
    if (frame->type == FRAME_CHUNK)
        return begin_frame(rx, mrpc_stream_partial_find(rx, frame->call), frame);
    return hand_up_in_place(rx, frame);
}

/* The common case, checked as mrpc_stream_check() would: a message of one frame without extents, all of which is here.
 */
static inline bool is_plain(const mrpc_stream_rx *rx, const mrpc_frame *frame, uint32_t bytes)
{
    return frame->type == FRAME_MESSAGE && !(frame->flags & (FRAME_MORE | FRAME_NOMESSAGE)) && frame->extents == 0 &&
           frame->size <= bytes - sizeof *frame && frame->size <= rx->chunk && frame->size <= rx->max_message &&
           frame->size == mrpc_frame_head(frame) && frame->meta <= MRPC_STREAM_META && frame->meta % 8 == 0 &&
           frame->call != 0 && rx->partial_count == 0;
}

static int take_plain(mrpc_stream_rx *rx, const mrpc_frame *frame)
{
    rx->bulk = false;
    rx->begin += (uint32_t)sizeof *frame + frame->size;
    return hand_up(rx, &(mrpc_incoming){.header = frame, .head = (uint8_t *)(uintptr_t)(frame + 1)});
}

static int parse(mrpc_stream_rx *rx)
{
    int result = 0;
    while (!rx->stopped && result == 0) {
        if (rx->frame_left > 0) {
            if (rx->begin == rx->end)
                break;
            result = copy_from_buffer(rx);
            continue;
        }
        uint32_t bytes = rx->end - rx->begin;
        if (bytes < sizeof(mrpc_frame))
            break;
        const mrpc_frame *frame = (const mrpc_frame *)(const void *)(rx->data + rx->begin);
        result = MRPC_LIKELY(is_plain(rx, frame, bytes)) ? take_plain(rx, frame) : take_frame(rx, frame);
    }
    return result == WAIT_FOR_MORE ? 0 : result;
}

/* --- the interface --- */

/* What comes into the buffer of a large message has to be copied out of it, so where more of one is likely to come,
 * little is offered. */
static size_t offer(const mrpc_stream_rx *rx, size_t room)
{
    if (!rx->bulk || (rx->frame_left > 0 && rx->current == NULL))
        return room;
    return rx->partial_count > 0 ? MRPC_STREAM_BEHIND : MRPC_STREAM_BULK;
}

static bool take_buffer(mrpc_stream_rx *rx)
{
    rx->buffer = mrpc_buffers_take(rx->buffers, &rx->counters->allocations);
    rx->data = rx->buffer == NULL ? NULL : rx->buffer->data;
    return rx->buffer != NULL;
}

int mrpc_stream_rx_room(mrpc_stream_rx *rx, struct iovec vectors[2])
{
    int count = 0;
    rx->direct = 0;
    if (rx->frame_left > 0 && rx->current != NULL && rx->begin == rx->end) {
        uint64_t room;
        uint8_t *place = mrpc_stream_partial_place(rx->current, &room);
        if (place != NULL) {
            rx->direct = (size_t)(room < rx->frame_left ? room : rx->frame_left);
            vectors[count++] = (struct iovec){place, rx->direct};
        }
    }
    if (rx->buffer == NULL && !take_buffer(rx))
        return count;
    if (rx->begin == rx->end) {
        /* So that the frame after what is to come of this one is aligned to 8. */
        rx->begin = rx->end = (uint32_t)(-(rx->frame_left - rx->direct) & 7);
    } else if (MRPC_BUFFER_SIZE - rx->end < COMPACT) {
        memmove(rx->data, rx->data + rx->begin, rx->end - rx->begin);
        rx->end -= rx->begin;
        rx->begin = 0;
    }
    size_t offered = MRPC_BUFFER_SIZE - rx->end;
    size_t limit = offer(rx, offered);
    vectors[count++] = (struct iovec){rx->data + rx->end, offered < limit ? offered : limit};
    return count;
}

int mrpc_stream_rx_take(mrpc_stream_rx *rx, size_t bytes)
{
    rx->counters->bytes_received += bytes;
    size_t direct = bytes < rx->direct ? bytes : rx->direct;
    rx->end += (uint32_t)(bytes - direct);
    if (direct > 0) {
        int failure = arrived(rx, direct);
        if (failure == 0 && rx->frame_left == 0 && !rx->stopped)
            failure = end_frame(rx);
        if (failure != 0)
            return failure;
    }
    return parse(rx);
}

static int no_memory(mrpc_stream_rx *rx)
{
    return mrpc_error_set(rx->error, MRPC_ENOMEM, "no memory to receive");
}

/* Behind what waits in the buffer. */
static int append(mrpc_stream_rx *rx, const char *data, size_t bytes)
{
    if (rx->buffer == NULL && !take_buffer(rx))
        return no_memory(rx);
    if (MRPC_BUFFER_SIZE - rx->end < bytes) {
        memmove(rx->data, rx->data + rx->begin, rx->end - rx->begin);
        rx->end -= rx->begin;
        rx->begin = 0;
    }
    memcpy(rx->data + rx->end, data, bytes);
    rx->counters->bytes_copied_in += bytes;
    rx->end += (uint32_t)bytes;
    return 0;
}

static int feed_in_place(mrpc_stream_rx *rx, char *data, size_t bytes)
{
    rx->data = data;
    rx->begin = 0;
    rx->end = (uint32_t)bytes;
    int failure = parse(rx);
    uint32_t begin = rx->begin, rest = rx->end - rx->begin;
    rx->begin = rx->end = 0;
    rx->data = rx->buffer == NULL ? NULL : rx->buffer->data;
    return failure != 0 || rest == 0 || rx->stopped ? failure : append(rx, data + begin, rest);
}

int mrpc_stream_rx_feed(mrpc_stream_rx *rx, char *data, size_t bytes)
{
    rx->counters->bytes_received += bytes;
    if (rx->begin == rx->end)
        return feed_in_place(rx, data, bytes);
    int failure = append(rx, data, bytes);
    return failure != 0 ? failure : parse(rx);
}

void mrpc_stream_rx_rest(mrpc_stream_rx *rx)
{
    if (rx->buffer == NULL || rx->begin != rx->end)
        return;
    mrpc_buffers_give(rx->buffers, rx->buffer);
    rx->buffer = NULL;
    rx->data = NULL;
    rx->begin = rx->end = 0;
}

void mrpc_stream_rx_end_call(mrpc_stream_rx *rx, uint32_t call)
{
    mrpc_stream_partial *partial = mrpc_stream_partial_find(rx, call);
    if (partial == NULL)
        return;
    if (rx->current == partial)
        rx->current = NULL;
    mrpc_stream_partial_free(rx, partial);
}

bool mrpc_stream_rx_opening(const mrpc_stream_rx *rx, uint32_t last)
{
    for (const mrpc_stream_partial *partial = rx->partials; partial != NULL; partial = partial->next)
        if ((partial->header.flags & FRAME_OPEN) && partial->header.call <= last)
            return true;
    return false;
}

bool mrpc_stream_rx_at_boundary(const mrpc_stream_rx *rx)
{
    return rx->frame_left == 0 && rx->begin == rx->end && rx->partial_count == 0;
}

void mrpc_stream_rx_clear(mrpc_stream_rx *rx)
{
    while (rx->partials != NULL)
        mrpc_stream_partial_free(rx, rx->partials);
    free(rx->spare);
    rx->spare = NULL;
    rx->current = NULL;
    rx->frame_left = 0;
    rx->begin = rx->end = 0;
    if (rx->buffer != NULL)
        mrpc_buffers_give(rx->buffers, rx->buffer);
    rx->buffer = NULL;
    rx->data = NULL;
}
