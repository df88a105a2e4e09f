/* SPDX-License-Identifier: BSD-2-Clause */
/* pieces.c - see pieces.h */
#include "config.h"

#include "marshal/pieces.h"

#include <string.h>

/* So that a place is never at the end of a buffer unless it is the end of all. */
static void leave_ended(mrpc_pieces *pieces)
{
    while (pieces->left != 0 && pieces->within == pieces->piece->iov_len) {
        pieces->piece++;
        pieces->within = 0;
    }
}

mrpc_pieces mrpc_pieces_begin(const struct iovec *pieces, size_t count)
{
    mrpc_pieces begin = {.piece = pieces};
    for (size_t i = 0; i < count; i++)
        begin.left += pieces[i].iov_len;
    leave_ended(&begin);
    return begin;
}

const uint8_t *mrpc_pieces_window(const mrpc_pieces *pieces, size_t *size)
{
    static const uint8_t nothing[1];
    *size = 0;
    if (pieces->left == 0)
        return nothing;
    *size = pieces->piece->iov_len - pieces->within;
    return (const uint8_t *)pieces->piece->iov_base + pieces->within;
}

void mrpc_pieces_skip(mrpc_pieces *pieces, size_t bytes)
{
    pieces->offset += bytes;
    pieces->left -= bytes;
    while (bytes > pieces->piece->iov_len - pieces->within) {
        bytes -= pieces->piece->iov_len - pieces->within;
        pieces->piece++;
        pieces->within = 0;
    }
    pieces->within += bytes;
    leave_ended(pieces);
}

void mrpc_pieces_copy(const mrpc_pieces *pieces, void *to, size_t bytes)
{
    mrpc_pieces at = *pieces;
    for (char *next = to; bytes != 0;) {
        size_t size;
        const uint8_t *window = mrpc_pieces_window(&at, &size);
        if (size > bytes)
            size = bytes;
        memcpy(next, window, size);
        mrpc_pieces_skip(&at, size);
        next += size;
        bytes -= size;
    }
}
