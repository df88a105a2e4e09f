/* SPDX-License-Identifier: BSD-2-Clause */
/* messages.c - outgoing messages that travel in chunks, or by reference */
#include "config.h"

#include "transports/stream/messages.h"

#include "transports/stream/pieces.h"

#include <stdlib.h>
#include <string.h>

enum { SPARE_MESSAGES = 64 };

static const char zeros[8];

static mrpc_stream_message *take(mrpc_stream_tx *tx)
{
    mrpc_stream_message *message = tx->buffers->messages;
    if (message != NULL) {
        tx->buffers->messages = message->next;
        tx->buffers->message_count--;
    } else {
        message = malloc(sizeof *message);
        if (message == NULL)
            return NULL;
        tx->counters->allocations++;
    }
    memset(message, 0, sizeof *message);
    return message;
}

void mrpc_stream_message_free(mrpc_stream_tx *tx, mrpc_stream_message *message)
{
    if (message->block != NULL)
        tx->memory -= message->block_size;
    free(message->block);
    if (message->extents != message->few)
        free(message->extents);
    if (tx->buffers->message_count >= SPARE_MESSAGES) {
        free(message);
        return;
    }
    message->next = tx->buffers->messages;
    tx->buffers->messages = message;
    tx->buffers->message_count++;
}

mrpc_stream_message *mrpc_stream_message_new(mrpc_stream_tx *tx, size_t capacity)
{
    mrpc_stream_message *message = take(tx);
    if (message != NULL && !mrpc_stream_message_resize(tx, message, capacity)) {
        mrpc_stream_message_free(tx, message);
        return NULL;
    }
    return message;
}

bool mrpc_stream_message_resize(mrpc_stream_tx *tx, mrpc_stream_message *message, size_t capacity)
{
    char *block = realloc(message->block, capacity);
    if (block == NULL)
        return false;
    tx->counters->allocations++;
    tx->memory += capacity - message->block_size;
    message->block = block;
    message->block_size = capacity;
    return true;
}

static void finish(mrpc_stream_tx *tx, mrpc_stream_message *message)
{
    if (message->linked || message->pieces > 0 || message->held > 0)
        return;
    message->finished = true;
    message->next = tx->done;
    tx->done = message;
}

void mrpc_stream_message_unref(mrpc_stream_tx *tx, mrpc_stream_message *message)
{
    message->pieces--;
    finish(tx, message);
}

void mrpc_stream_tx_unhold(mrpc_stream_tx *tx, mrpc_stream_message *message)
{
    message->held--;
    finish(tx, message);
}

/* --- from payload to pieces --- */

/* The longest run of the payload from `position` on that lies in one place. */
static mrpc_stream_piece next_run(const mrpc_stream_message *message)
{
    if (message->position < message->head) {
        const char *head = (const char *)(message->header + 1);
        return (mrpc_stream_piece){.data = head + message->position, .size = message->head - message->position};
    }
    const mrpc_extent *extent = &message->extents[message->extent];
    if (message->offset < extent->size)
        return (mrpc_stream_piece){.data = (const char *)extent->data + message->offset,
                                   .size = extent->size - message->offset,
                                   .external = true};
    return (mrpc_stream_piece){.data = zeros, .size = mrpc_pad8(extent->size) - message->offset};
}

static void advance(mrpc_stream_message *message, uint64_t bytes)
{
    if (message->position >= message->head)
        message->offset += bytes;
    message->position += bytes;
    while (message->extent < message->extent_count && message->position >= message->head &&
           message->offset == mrpc_pad8(message->extents[message->extent].size)) {
        message->extent++;
        message->offset = 0;
    }
}

static void push_payload(mrpc_stream_tx *tx, mrpc_stream_message *message, uint64_t bytes)
{
    while (bytes > 0 && !tx->failed) {
        mrpc_stream_piece piece = next_run(message);
        if (piece.size > bytes)
            piece.size = bytes;
        piece.message = message;
        piece.zero_copy =
            piece.external && tx->zero_copy != 0 && message->extents[message->extent].size >= tx->zero_copy;
        mrpc_stream_piece_push(tx, &piece);
        advance(message, piece.size);
        bytes -= piece.size;
    }
}

/* The header as it was written, with what is in the buffer behind it. */
static void push_first(mrpc_stream_tx *tx, mrpc_stream_message *message, uint64_t bytes)
{
    mrpc_frame *header = message->header;
    uint64_t inside = message->buffer != NULL ? message->head : 0;
    header->size = (uint32_t)bytes;
    if (bytes < message->total)
        header->flags |= FRAME_MORE;
    mrpc_stream_piece_push(tx, &(mrpc_stream_piece){.data = (char *)header,
                                                    .size = sizeof *header + inside,
                                                    .buffer = message->buffer,
                                                    .message = message,
                                                    .starts = true});
    advance(message, inside);
    push_payload(tx, message, bytes - inside);
}

static void push_chunk(mrpc_stream_tx *tx, mrpc_stream_message *message, uint64_t bytes)
{
    char *room = mrpc_stream_tx_room(tx, sizeof(mrpc_frame));
    if (room == NULL) {
        tx->failed = true;
        return;
    }
    mrpc_frame frame = {.size = (uint32_t)bytes, .type = FRAME_CHUNK, .call = message->call};
    if (message->position + bytes < message->total)
        frame.flags = FRAME_MORE;
    memcpy(room, &frame, sizeof frame);
    tx->last->used += (uint32_t)sizeof frame;
    tx->last->unsent += (uint32_t)sizeof frame;
    tx->queued += sizeof frame;
    mrpc_stream_piece_push(
        tx, &(mrpc_stream_piece){
                .data = room, .size = sizeof frame, .buffer = tx->last, .message = message, .starts = true});
    push_payload(tx, message, bytes);
}

static void push_frame(mrpc_stream_tx *tx, mrpc_stream_message *message)
{
    uint64_t left = message->total - message->position;
    uint64_t bytes = left < tx->chunk ? left : tx->chunk;
    if (message->position == 0)
        push_first(tx, message, bytes);
    else
        push_chunk(tx, message, bytes);
}

/* --- the ring, and those who wait for a place in it --- */

static mrpc_stream_message *find_in_ring(const mrpc_stream_tx *tx, uint32_t call)
{
    mrpc_stream_message *message = tx->ring;
    for (uint32_t i = 0; i < tx->ring_count; i++, message = message->next)
        if (message->call == call)
            return message;
    return NULL;
}

mrpc_stream_message *mrpc_stream_message_find(const mrpc_stream_tx *tx, uint32_t call)
{
    mrpc_stream_message *message = find_in_ring(tx, call);
    if (message == NULL)
        for (message = tx->waiting; message != NULL && message->call != call;)
            message = message->next;
    return message;
}

/* The receiver holds memory for all of a message once it has begun: no more begin than it puts up with. */
static bool ring_has_room(const mrpc_stream_tx *tx, const mrpc_stream_message *message)
{
    if (tx->ring_count == 0)
        return true;
    return tx->ring_count < MRPC_STREAM_RING && tx->ring_bytes <= tx->unfinished &&
           message->total <= tx->unfinished - tx->ring_bytes;
}

static void ring_insert(mrpc_stream_tx *tx, mrpc_stream_message *message)
{
    message->linked = true;
    if (tx->ring == NULL) {
        message->next = message;
    } else {
        message->next = tx->ring->next;
        tx->ring->next = message;
    }
    tx->ring = message; /* its turn comes last */
    tx->ring_count++;
    tx->ring_bytes += message->total;
}

static void ring_remove(mrpc_stream_tx *tx, mrpc_stream_message *before)
{
    mrpc_stream_message *message = before->next;
    message->linked = false;
    before->next = message->next;
    tx->ring_bytes -= message->total;
    if (--tx->ring_count == 0)
        tx->ring = NULL;
    else if (tx->ring == message)
        tx->ring = before;
}

static void enqueue(mrpc_stream_tx *tx, mrpc_stream_message *message)
{
    message->linked = true;
    message->next = NULL;
    *tx->waiting_end = message;
    tx->waiting_end = &message->next;
}

static void dequeue(mrpc_stream_tx *tx, mrpc_stream_message **link)
{
    mrpc_stream_message *message = *link;
    message->linked = false;
    *link = message->next;
    if (*link == NULL)
        tx->waiting_end = link;
}

static void unlink_message(mrpc_stream_tx *tx, mrpc_stream_message *message)
{
    mrpc_stream_message *before = tx->ring;
    for (uint32_t i = 0; i < tx->ring_count; i++, before = before->next) {
        if (before->next == message) {
            ring_remove(tx, before);
            return;
        }
    }
    for (mrpc_stream_message **link = &tx->waiting; *link != NULL; link = &(*link)->next) {
        if (*link == message) {
            dequeue(tx, link);
            return;
        }
    }
}

mrpc_send_token *mrpc_stream_message_drop(mrpc_stream_tx *tx, mrpc_stream_message *message)
{
    mrpc_send_token *token = message->token;
    message->token = NULL;
    if (message->finished)
        return token;
    message->pieces++; /* keeps it until the end of this function */
    if (message->linked) {
        unlink_message(tx, message);
        tx->queued -= message->total - message->position;
        if (message->position == 0) {
            tx->queued -= sizeof(mrpc_frame);
            if (message->buffer != NULL)
                message->buffer->unsent -= (uint32_t)(sizeof(mrpc_frame) + message->head);
        }
    }
    mrpc_stream_pieces_detach(tx, message);
    mrpc_stream_message_unref(tx, message);
    mrpc_stream_buffers_trim(tx);
    return token;
}

/* Lets those who wait go on, in their order, as far as there is room and no earlier message of the same call is under
 * way. */
static void promote(mrpc_stream_tx *tx)
{
    for (mrpc_stream_message **link = &tx->waiting; *link != NULL;) {
        mrpc_stream_message *message = *link;
        bool whole = message->total <= tx->chunk;
        if (!whole && !ring_has_room(tx, message))
            return;
        if (find_in_ring(tx, message->call) != NULL) {
            link = &message->next;
            continue;
        }
        dequeue(tx, link);
        if (!whole) {
            ring_insert(tx, message);
            continue;
        }
        push_frame(tx, message);
        finish(tx, message);
    }
}

void mrpc_stream_messages_fill(mrpc_stream_tx *tx)
{
    if (tx->open) /* a chunk's header would come to lie in the space */
        return;
    if (tx->waiting != NULL)
        promote(tx);
    while (tx->ring_count > 0 && tx->piece_bytes < MRPC_STREAM_AHEAD && !tx->failed) {
        mrpc_stream_message *before = tx->ring, *message = before->next;
        tx->ring = message;
        push_frame(tx, message);
        if (message->position == message->total) {
            for (before = message; before->next != message;)
                before = before->next;
            ring_remove(tx, before);
            finish(tx, message);
            promote(tx);
        }
    }
}

/* --- commit --- */

/* Copies a frame that must wait out of the buffer, which would otherwise be kept for it. */
static bool move_to_block(mrpc_stream_tx *tx, mrpc_stream_message *message)
{
    if (message->block != NULL)
        return true;
    uint64_t bytes = sizeof(mrpc_frame) + message->head;
    char *block = malloc(bytes);
    if (block == NULL)
        return false;
    memcpy(block, message->header, bytes);
    tx->counters->allocations++;
    tx->counters->bytes_copied_out += message->head;
    tx->memory += bytes;
    message->header = (mrpc_frame *)(void *)block;
    message->block = block;
    message->block_size = bytes;
    message->buffer = NULL;
    return true;
}

static bool keep_extents(mrpc_stream_tx *tx, mrpc_stream_message *message, const mrpc_extent *extents)
{
    message->extents = message->few;
    if (message->extent_count > MRPC_STREAM_FEW) {
        message->extents = malloc(message->extent_count * sizeof *extents);
        if (message->extents == NULL)
            return false;
        tx->counters->allocations++;
    }
    if (message->extent_count > 0)
        memcpy(message->extents, extents, message->extent_count * sizeof *extents);
    return true;
}

static void count_payload(mrpc_stream_tx *tx, mrpc_stream_message *message, const mrpc_extent *extents)
{
    message->head = message->total = mrpc_frame_head(message->header);
    message->extent_count = message->header->extents;
    for (uint32_t i = 0; i < message->extent_count; i++) {
        message->total += mrpc_pad8(extents[i].size);
        tx->counters->bytes_referenced += extents[i].size;
    }
    tx->queued += sizeof(mrpc_frame) + message->total;
}

/* The frame is in the buffer for good: until it is sent. */
static void keep_in_buffer(mrpc_stream_tx *tx, mrpc_stream_message *message)
{
    if (message->block != NULL)
        return;
    uint32_t bytes = (uint32_t)(sizeof(mrpc_frame) + message->head);
    message->buffer = tx->last;
    tx->last->used += bytes;
    tx->last->unsent += bytes;
}

static void send_at_once(mrpc_stream_tx *tx, mrpc_stream_message *message, const mrpc_extent *extents)
{
    keep_in_buffer(tx, message);
    message->extents = (mrpc_extent *)extents; /* only for as long as it is turned into pieces */
    push_frame(tx, message);
    message->extents = message->few;
    message->extent_count = 0;
    finish(tx, message);
}

static void fail(mrpc_stream_tx *tx, mrpc_send_token *token)
{
    tx->failed = true;
    if (token == NULL)
        return;
    token->transport = tx->orphans;
    tx->orphans = token;
}

void mrpc_stream_message_commit(mrpc_stream_tx *tx, mrpc_space *space, const mrpc_extent *extents,
                                mrpc_send_token *token)
{
    mrpc_stream_message *message = space->handle;
    tx->open = false;
    if (message == NULL) {
        message = take(tx);
        if (message == NULL) {
            fail(tx, token);
            return;
        }
    }
    message->header = (mrpc_frame *)(void *)space->data;
    message->call = message->header->call;
    message->token = token;
    if (token != NULL)
        token->transport = message;
    count_payload(tx, message, extents);
    bool large = message->total > tx->chunk;
    bool waits = mrpc_stream_message_find(tx, message->call) != NULL || (large && !ring_has_room(tx, message));
    if (!large && !waits) {
        send_at_once(tx, message, extents);
        return;
    }
    if (!keep_extents(tx, message, extents) || (waits && !move_to_block(tx, message))) {
        message->token = NULL;
        tx->queued -= sizeof(mrpc_frame) + message->total;
        mrpc_stream_message_free(tx, message);
        fail(tx, token);
    } else if (waits) {
        enqueue(tx, message);
    } else {
        keep_in_buffer(tx, message);
        ring_insert(tx, message);
    }
}
