/* SPDX-License-Identifier: BSD-2-Clause */
/* partial.h - putting messages together in their arenas, within rx.h */
#ifndef MRPC_TRANSPORTS_STREAM_PARTIAL_H
#define MRPC_TRANSPORTS_STREAM_PARTIAL_H

#include "transports/stream/rx.h"

/* Begins a message: an arena with room for some of it. ENOMEM, ELIMIT (the head alone is larger than max_message),
 * EAGAIN (max_unfinished), EPROTO (too many under way). */
MRPC_MUST_CHECK int mrpc_stream_partial_new(mrpc_stream_rx *rx, const mrpc_frame *header,
                                            mrpc_stream_partial **partial);

mrpc_stream_partial *mrpc_stream_partial_find(const mrpc_stream_rx *rx, uint32_t call);

/* Takes it out of the list and frees it with its arena, unless that has been taken out of it. */
void mrpc_stream_partial_free(mrpc_stream_rx *rx, mrpc_stream_partial *partial);

/* Where its next bytes belong; NULL when there is no place for them: it is complete. */
static inline uint8_t *mrpc_stream_partial_place(const mrpc_stream_partial *partial, uint64_t *room)
{
    uint64_t end = partial->head_size;
    if (partial->received >= end)
        end += partial->rest_size;
    if (end > partial->room)
        end = partial->room;
    *room = end - partial->received;
    return *room > 0 ? partial->head + partial->received : NULL;
}

/* `bytes` have come to where place() said; makes room for more where more is to come, which moves what is there:
 * ENOMEM, ELIMIT, EAGAIN (max_unfinished). */
MRPC_MUST_CHECK int mrpc_stream_partial_advance(mrpc_stream_rx *rx, mrpc_stream_partial *partial, uint64_t bytes);

/* The extents of a complete message; header.extents of them. */
void mrpc_stream_partial_extents(const mrpc_stream_partial *partial, mrpc_extent *extents);

#endif /* MRPC_TRANSPORTS_STREAM_PARTIAL_H */
