/* SPDX-License-Identifier: BSD-2-Clause */
/* messages.h - outgoing messages that are more than bytes in a buffer, within tx.h */
#ifndef MRPC_TRANSPORTS_STREAM_MESSAGES_H
#define MRPC_TRANSPORTS_STREAM_MESSAGES_H

#include "transports/stream/tx.h"

/* Takes a frame that has extents, or lies in a block, or must wait. */
void mrpc_stream_message_commit(mrpc_stream_tx *tx, mrpc_space *space, const mrpc_extent *extents,
                                mrpc_send_token *token);

/* Turns chunks of the messages in the ring into pieces until there are enough of them. */
void mrpc_stream_messages_fill(mrpc_stream_tx *tx);

/* A piece of the message is gone; if it was the last one, so is the message. */
void mrpc_stream_message_unref(mrpc_stream_tx *tx, mrpc_stream_message *message);

/* Stops reading the message's extents, leaves out those of its frames that have not begun, and takes its token out. */
mrpc_send_token *mrpc_stream_message_drop(mrpc_stream_tx *tx, mrpc_stream_message *message);

/* The first message of the call in the ring or among those that wait; NULL: there is none. */
mrpc_stream_message *mrpc_stream_message_find(const mrpc_stream_tx *tx, uint32_t call);

/* A message whose frame is written in a block of `capacity` bytes. NULL: no memory. */
mrpc_stream_message *mrpc_stream_message_new(mrpc_stream_tx *tx, size_t capacity);

/* Makes the block larger. */
MRPC_MUST_CHECK bool mrpc_stream_message_resize(mrpc_stream_tx *tx, mrpc_stream_message *message, size_t capacity);

void mrpc_stream_message_free(mrpc_stream_tx *tx, mrpc_stream_message *message);

/* Room for `bytes` in the last buffer, behind what is used, or in a new one. NULL: no memory. */
char *mrpc_stream_tx_room(mrpc_stream_tx *tx, size_t bytes);

#endif /* MRPC_TRANSPORTS_STREAM_MESSAGES_H */
