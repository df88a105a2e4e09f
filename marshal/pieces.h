/* SPDX-License-Identifier: BSD-2-Clause */
/* pieces.h - a place in bytes that lie in several buffers, one behind the other */
#ifndef MRPC_MARSHAL_PIECES_H
#define MRPC_MARSHAL_PIECES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct mrpc_pieces {
    const struct iovec *piece; /* that the place is in; not used when nothing is left */
    size_t within;             /* bytes of it that are before the place */
    size_t offset;             /* bytes before the place in all buffers */
    size_t left;               /* bytes from the place on */
} mrpc_pieces;

/* The beginning of `count` buffers, which may be empty and stay the caller's. */
mrpc_pieces mrpc_pieces_begin(const struct iovec *pieces, size_t count);

/* What can be read at the place without going on to the next buffer; *size is 0 only when nothing is left. */
const uint8_t *mrpc_pieces_window(const mrpc_pieces *pieces, size_t *size);

/* Goes on by so many bytes, of which there are as many left. */
void mrpc_pieces_skip(mrpc_pieces *pieces, size_t bytes);

/* Copies so many bytes, of which there are as many left. The place stays. */
void mrpc_pieces_copy(const mrpc_pieces *pieces, void *to, size_t bytes);

#endif /* MRPC_MARSHAL_PIECES_H */
