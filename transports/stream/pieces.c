/* SPDX-License-Identifier: BSD-2-Clause */
/* pieces.c - a ring of runs of bytes, in the order in which they go to the peer */
#include "config.h"

#include "transports/stream/pieces.h"

#include "transports/stream/messages.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_PIECES = 16 };

static bool grow(mrpc_stream_tx *tx)
{
    if (tx->piece_capacity >= UINT32_C(1) << 24)
        return false;
    uint32_t capacity = tx->piece_capacity == 0 ? FIRST_PIECES : tx->piece_capacity * 2;
    mrpc_stream_piece *pieces = malloc(capacity * sizeof *pieces);
    if (pieces == NULL)
        return false;
    tx->counters->allocations++;
    for (uint32_t i = 0; i < tx->piece_count; i++)
        pieces[i] = *mrpc_stream_piece_at(tx, i);
    free(tx->pieces);
    tx->pieces = pieces;
    tx->piece_head = 0;
    tx->piece_capacity = capacity;
    return true;
}

void mrpc_stream_piece_push(mrpc_stream_tx *tx, const mrpc_stream_piece *piece)
{
    if (tx->failed || (tx->piece_count == tx->piece_capacity && !grow(tx))) {
        tx->failed = true; /* from now on: nothing may follow a hole */
        return;
    }
    *mrpc_stream_piece_at(tx, tx->piece_count++) = *piece;
    tx->piece_bytes += piece->size;
    if (piece->message != NULL)
        piece->message->pieces++;
}

void mrpc_stream_buffers_trim(mrpc_stream_tx *tx)
{
    while (tx->first != NULL && tx->first->unsent == 0 && tx->first->kept == 0 &&
           !(tx->open && tx->first == tx->last)) {
        mrpc_buffer *buffer = tx->first;
        tx->first = buffer->next;
        if (tx->first == NULL)
            tx->last = NULL;
        tx->memory -= sizeof *buffer;
        mrpc_buffers_give(tx->buffers, buffer);
    }
}

void mrpc_stream_piece_end(mrpc_stream_tx *tx, mrpc_stream_piece *piece)
{
    if (piece->buffer != NULL)
        piece->buffer->unsent -= (uint32_t)piece->size;
    tx->piece_bytes -= piece->size;
    tx->queued -= piece->size;
    free(piece->copy);
    mrpc_stream_message *message = piece->message;
    *piece = (mrpc_stream_piece){0};
    if (message != NULL)
        mrpc_stream_message_unref(tx, message);
}

/* The frame has begun, so the peer waits for the rest of it; the memory behind it is about to go. */
static void copy_rest(mrpc_stream_tx *tx, mrpc_stream_piece *piece)
{
    char *copy = malloc(piece->size);
    if (copy == NULL) {
        tx->failed = true;
        return;
    }
    memcpy(copy, piece->data, piece->size);
    tx->counters->allocations++;
    tx->counters->bytes_copied_out += piece->size;
    piece->data = piece->copy = copy;
    piece->external = piece->zero_copy = false;
}

void mrpc_stream_pieces_detach(mrpc_stream_tx *tx, mrpc_stream_message *message)
{
    bool begun = true; /* what stands before the first start is the rest of a frame whose start is gone */
    for (uint32_t i = 0; i < tx->piece_count; i++) {
        mrpc_stream_piece *piece = mrpc_stream_piece_at(tx, i);
        if (piece->message != message)
            continue;
        if (piece->starts)
            begun = piece->begun;
        if (!begun)
            mrpc_stream_piece_end(tx, piece);
        else if (piece->external)
            copy_rest(tx, piece);
    }
}
