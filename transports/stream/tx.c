/* SPDX-License-Identifier: BSD-2-Clause */
/* tx.c - from frames to what a send takes, and back when it is sent */
#include "config.h"

#include "transports/stream/tx.h"

#include "transports/stream/messages.h"
#include "transports/stream/pieces.h"

#include <stdlib.h>
#include <string.h>

enum { PIECES_KEPT = 1024 };

void mrpc_stream_tx_init(mrpc_stream_tx *tx, mrpc_buffers *buffers, mrpc_counters *counters)
{
    *tx = (mrpc_stream_tx){
        .buffers = buffers, .counters = counters, .chunk = MRPC_STREAM_CHUNK_MIN, .unfinished = UINT64_MAX};
    tx->waiting_end = &tx->waiting;
}

void mrpc_stream_tx_learn(mrpc_stream_tx *tx, const mrpc_incoming *hello, uint32_t chunk)
{
    uint32_t theirs;
    memcpy(&theirs, hello->head + 16, sizeof theirs); /* docs/PROTOCOL.md, 3 */
    if (theirs < MRPC_STREAM_CHUNK_MIN)
        return; /* the owner will object */
    tx->chunk = theirs < chunk ? theirs : chunk;
    memcpy(&tx->unfinished, hello->head + 40, sizeof tx->unfinished);
}

/* --- spaces --- */

char *mrpc_stream_tx_room(mrpc_stream_tx *tx, size_t bytes)
{
    mrpc_buffer *last = tx->last;
    if (last == NULL || MRPC_BUFFER_SIZE - last->used < bytes) {
        last = mrpc_buffers_take(tx->buffers, &tx->counters->allocations);
        if (last == NULL)
            return NULL;
        tx->memory += sizeof *last;
        if (tx->last == NULL)
            tx->first = last;
        else
            tx->last->next = last;
        tx->last = last;
    }
    return last->data + last->used;
}

static int begin_in_buffer(mrpc_stream_tx *tx, size_t capacity, mrpc_space *space)
{
    char *room = mrpc_stream_tx_room(tx, capacity);
    if (room == NULL)
        return MRPC_ENOMEM;
    size_t rest = MRPC_BUFFER_SIZE - tx->last->used;
    *space = (mrpc_space){.data = room, .capacity = rest < MRPC_STREAM_SPACE ? rest : MRPC_STREAM_SPACE};
    return 0;
}

static int begin_in_block(mrpc_stream_tx *tx, size_t capacity, mrpc_space *space)
{
    mrpc_stream_message *message = mrpc_stream_message_new(tx, capacity);
    if (message == NULL)
        return MRPC_ENOMEM;
    *space = (mrpc_space){.data = message->block, .capacity = capacity, .handle = message};
    return 0;
}

static int find_room(mrpc_stream_tx *tx, size_t capacity, mrpc_space *space)
{
    return capacity <= MRPC_STREAM_SPACE ? begin_in_buffer(tx, capacity, space) : begin_in_block(tx, capacity, space);
}

int mrpc_stream_tx_begin(mrpc_stream_tx *tx, size_t capacity, mrpc_space *space)
{
    mrpc_buffer *last = tx->last;
    if (MRPC_LIKELY(last != NULL && tx->memory < TRANSPORT_QUEUE_LIMIT && capacity <= MRPC_STREAM_SPACE &&
                    MRPC_BUFFER_SIZE - last->used >= capacity)) {
        size_t rest = MRPC_BUFFER_SIZE - last->used;
        space->data = last->data + last->used;
        space->capacity = rest < MRPC_STREAM_SPACE ? rest : MRPC_STREAM_SPACE;
        space->handle = NULL;
        tx->open = true;
        return 0;
    }
    if (MRPC_UNLIKELY(tx->memory > 2u * TRANSPORT_QUEUE_LIMIT)) {
        tx->above = true;
        return MRPC_EAGAIN;
    }
    int failure = find_room(tx, capacity, space);
    tx->open = failure == 0;
    return failure;
}

int mrpc_stream_tx_extend(mrpc_stream_tx *tx, mrpc_space *space, size_t used, size_t capacity)
{
    if (capacity <= space->capacity)
        return 0;
    mrpc_stream_message *message = space->handle;
    if (message != NULL) {
        if (!mrpc_stream_message_resize(tx, message, capacity))
            return MRPC_ENOMEM;
        space->data = message->block;
        space->capacity = capacity;
        return 0;
    }
    mrpc_space larger;
    int failure = find_room(tx, capacity, &larger);
    if (failure != 0)
        return failure;
    memcpy(larger.data, space->data, used);
    tx->counters->bytes_copied_out += used;
    *space = larger;
    return 0;
}

bool mrpc_stream_tx_is_sending(const mrpc_stream_tx *tx, uint32_t call)
{
    return (tx->ring_count > 0 || tx->waiting != NULL) && mrpc_stream_message_find(tx, call) != NULL;
}

void mrpc_stream_tx_lend(mrpc_stream_tx *tx, uint64_t bytes)
{
    tx->queued += bytes;
}

void mrpc_stream_tx_lent(mrpc_stream_tx *tx, uint64_t bytes)
{
    tx->queued -= bytes;
}

/* Only the order within a call counts; nothing can be under way of a call that begins. */
static bool must_wait(const mrpc_stream_tx *tx, const mrpc_frame *frame)
{
    bool ordered = frame->type == FRAME_STATUS || (frame->type == FRAME_MESSAGE && !(frame->flags & FRAME_OPEN));
    return ordered && mrpc_stream_tx_is_sending(tx, frame->call);
}

/* A frame that is in the last buffer with all that belongs to it. */
static void commit_small(mrpc_stream_tx *tx, mrpc_frame *frame)
{
    uint32_t head = (uint32_t)mrpc_frame_head(frame), size = head + (uint32_t)sizeof *frame;
    mrpc_buffer *buffer = tx->last;
    frame->size = head;
    tx->open = false;
    buffer->used += size;
    buffer->unsent += size;
    tx->queued += size;
    mrpc_stream_piece *last = tx->piece_count > 0 ? mrpc_stream_piece_at(tx, tx->piece_count - 1) : NULL;
    if (last != NULL && last->buffer == buffer && last->message == NULL && last->data + last->size == (char *)frame) {
        last->size += size;
        tx->piece_bytes += size;
    } else {
        mrpc_stream_piece_push(tx, &(mrpc_stream_piece){.data = (char *)frame, .size = size, .buffer = buffer});
    }
}

void mrpc_stream_tx_commit(mrpc_stream_tx *tx, mrpc_space *space, const mrpc_extent *extents, mrpc_send_token *token)
{
    mrpc_frame *frame = (mrpc_frame *)(void *)space->data;
    if (space->handle == NULL && frame->extents == 0 && token == NULL && !must_wait(tx, frame))
        commit_small(tx, frame);
    else
        mrpc_stream_message_commit(tx, space, extents, token);
    if (MRPC_UNLIKELY(tx->queued > TRANSPORT_QUEUE_LIMIT))
        tx->above = true;
}

void mrpc_stream_tx_abort(mrpc_stream_tx *tx, mrpc_space *space)
{
    tx->open = false;
    if (space->handle != NULL)
        mrpc_stream_message_free(tx, space->handle);
    mrpc_stream_buffers_trim(tx);
}

/* --- what is not to be sent after all --- */

void mrpc_stream_tx_abandon(mrpc_stream_tx *tx, mrpc_send_token *token)
{
    for (mrpc_send_token **link = &tx->orphans; *link != NULL; link = (mrpc_send_token **)&(*link)->transport) {
        if (*link == token) {
            *link = token->transport;
            token->released(token);
            return;
        }
    }
    mrpc_stream_message_drop(tx, token->transport);
    token->released(token);
}

/* A message of the call that is in no list any more, since all of it is in pieces, but whose memory is borrowed. */
static mrpc_stream_message *find_in_pieces(mrpc_stream_tx *tx, uint32_t call)
{
    for (uint32_t i = 0; i < tx->piece_count; i++) {
        mrpc_stream_message *message = mrpc_stream_piece_at(tx, i)->message;
        if (message != NULL && message->call == call && message->token != NULL)
            return message;
    }
    return NULL;
}

void mrpc_stream_tx_end_call(mrpc_stream_tx *tx, uint32_t call)
{
    mrpc_stream_message *message;
    while ((message = mrpc_stream_message_find(tx, call)) != NULL || (message = find_in_pieces(tx, call)) != NULL) {
        mrpc_send_token *token = mrpc_stream_message_drop(tx, message);
        if (token != NULL)
            token->released(token);
    }
}

void mrpc_stream_tx_clear(mrpc_stream_tx *tx)
{
    tx->open = false;
    for (uint32_t i = 0; i < tx->piece_count; i++)
        mrpc_stream_piece_end(tx, mrpc_stream_piece_at(tx, i));
    tx->piece_count = 0;
    while (tx->ring != NULL || tx->waiting != NULL) {
        mrpc_send_token *token = mrpc_stream_message_drop(tx, tx->ring != NULL ? tx->ring : tx->waiting);
        if (token != NULL)
            token->released(token);
    }
    for (mrpc_buffer *buffer = tx->first; buffer != NULL; buffer = buffer->next)
        buffer->unsent = 0; /* a frame that there was no memory to queue */
    mrpc_stream_buffers_trim(tx);
    (void)mrpc_stream_tx_release(tx);
    free(tx->pieces);
    tx->pieces = NULL;
    tx->piece_capacity = tx->piece_head = 0;
    tx->piece_bytes = tx->queued = 0;
}

/* --- sending --- */

int mrpc_stream_tx_gather(mrpc_stream_tx *tx, struct iovec *vectors, int count, size_t *bytes, bool *zero_copy)
{
    if (tx->ring_count > 0 || tx->waiting != NULL)
        mrpc_stream_messages_fill(tx);
    int filled = 0;
    *bytes = 0;
    *zero_copy = false;
    for (uint32_t i = 0; i < tx->piece_count && filled < count && !*zero_copy && !tx->failed; i++) {
        const mrpc_stream_piece *piece = mrpc_stream_piece_at(tx, i);
        if (piece->size == 0)
            continue;
        if (piece->zero_copy && filled > 0)
            break;
        vectors[filled++] = (struct iovec){(void *)piece->data, piece->size};
        *bytes += piece->size;
        *zero_copy = piece->zero_copy;
    }
    return filled;
}

mrpc_stream_message *mrpc_stream_tx_hold(mrpc_stream_tx *tx)
{
    uint32_t first = 0;
    while (mrpc_stream_piece_at(tx, first)->size == 0)
        first++;
    mrpc_stream_message *message = mrpc_stream_piece_at(tx, first)->message;
    message->held++;
    return message;
}

bool mrpc_stream_tx_next(mrpc_stream_tx *tx, mrpc_stream_run *run)
{
    if (tx->ring_count > 0 || tx->waiting != NULL)
        mrpc_stream_messages_fill(tx);
    for (uint32_t i = 0; i < tx->piece_count && !tx->failed; i++) {
        const mrpc_stream_piece *piece = mrpc_stream_piece_at(tx, i);
        if (piece->size == 0)
            continue;
        *run = (mrpc_stream_run){.data = piece->data, .size = piece->size, .buffer = piece->buffer};
        return true;
    }
    return false;
}

char *mrpc_stream_tx_stage(mrpc_stream_tx *tx, size_t bytes, mrpc_buffer **buffer)
{
    char *stage = mrpc_stream_tx_room(tx, mrpc_pad8(bytes));
    if (stage == NULL)
        return NULL;
    tx->last->used += (uint32_t)mrpc_pad8(bytes);
    *buffer = tx->last;
    return stage;
}

void mrpc_stream_tx_unstage(mrpc_buffer *buffer, const char *stage, size_t bytes, size_t used)
{
    uint32_t begin = (uint32_t)(stage - buffer->data);
    if (buffer->used == begin + mrpc_pad8(bytes)) /* else something was put behind it meanwhile */
        buffer->used = begin + (uint32_t)mrpc_pad8(used);
}

void mrpc_stream_tx_keep(mrpc_buffer *buffer)
{
    buffer->kept++;
}

void mrpc_stream_tx_let_go(mrpc_stream_tx *tx, mrpc_buffer *buffer)
{
    buffer->kept--;
    mrpc_stream_buffers_trim(tx);
}

static void pop(mrpc_stream_tx *tx)
{
    tx->piece_head++;
    if (--tx->piece_count > 0)
        return;
    tx->piece_head = 0;
    if (tx->piece_capacity > PIECES_KEPT) {
        free(tx->pieces);
        tx->pieces = NULL;
        tx->piece_capacity = 0;
    }
}

static void shorten(mrpc_stream_tx *tx, mrpc_stream_piece *piece, size_t bytes)
{
    piece->data += bytes;
    piece->size -= bytes;
    piece->begun = true;
    if (piece->buffer != NULL)
        piece->buffer->unsent -= (uint32_t)bytes;
    tx->piece_bytes -= bytes;
    tx->queued -= bytes;
}

void mrpc_stream_tx_sent(mrpc_stream_tx *tx, size_t bytes)
{
    while (tx->piece_count > 0) {
        mrpc_stream_piece *piece = mrpc_stream_piece_at(tx, 0);
        if (piece->size > bytes) {
            if (bytes > 0)
                shorten(tx, piece, bytes);
            break;
        }
        bytes -= piece->size;
        mrpc_stream_piece_end(tx, piece);
        pop(tx);
    }
    mrpc_stream_buffers_trim(tx);
}

bool mrpc_stream_tx_release(mrpc_stream_tx *tx)
{
    while (tx->orphans != NULL) {
        mrpc_send_token *token = tx->orphans;
        tx->orphans = token->transport;
        token->released(token);
    }
    while (tx->done != NULL) {
        mrpc_stream_message *message = tx->done;
        tx->done = message->next;
        mrpc_send_token *token = message->token;
        mrpc_stream_message_free(tx, message);
        if (token != NULL)
            token->released(token);
    }
    if (!tx->above || tx->queued >= TRANSPORT_QUEUE_LIMIT / 2)
        return false;
    tx->above = false;
    return true;
}
