/* SPDX-License-Identifier: BSD-2-Clause */
/* pieces.h - the queue of what is to be sent next, within tx.h */
#ifndef MRPC_TRANSPORTS_STREAM_PIECES_H
#define MRPC_TRANSPORTS_STREAM_PIECES_H

#include "transports/stream/tx.h"

/* The piece at `index` from the front. */
static inline mrpc_stream_piece *mrpc_stream_piece_at(mrpc_stream_tx *tx, uint32_t index)
{
    return &tx->pieces[(tx->piece_head + index) & (tx->piece_capacity - 1)];
}

/* Appends a piece; tx->failed is set when there is no memory. */
void mrpc_stream_piece_push(mrpc_stream_tx *tx, const mrpc_stream_piece *piece);

/* Leaves out those frames of a message that have not begun to be sent, and copies what is left of one that has begun.
 */
void mrpc_stream_pieces_detach(mrpc_stream_tx *tx, mrpc_stream_message *message);

/* A piece's bytes have been sent or dropped: lets go of where they lay. */
void mrpc_stream_piece_end(mrpc_stream_tx *tx, mrpc_stream_piece *piece);

/* Gives back the buffers that nobody needs any more. */
void mrpc_stream_buffers_trim(mrpc_stream_tx *tx);

#endif /* MRPC_TRANSPORTS_STREAM_PIECES_H */
