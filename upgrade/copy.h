/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copy.h - a private, sealed copy of a file, so that what was checked is what is loaded
 *
 * The copy is a memfd that nobody can write, grow or shrink any more, this process included. It has no name in any
 * folder, which makes each copy a file that the dynamic linker has never seen.
 */
#ifndef MRPC_UPGRADE_COPY_H
#define MRPC_UPGRADE_COPY_H

#include <stddef.h>

#include <mrpc/error.h>

enum { MRPC_COPY_LIMIT = 64 << 20 }; /* bytes of a module; generated ones have some hundred KiB */

/* A view of a copy, read-only. */
typedef struct mrpc_copy_view {
    const void *data;
    size_t size;
} mrpc_copy_view;

/* Copies all of `file` (read from its beginning; stays open). `name` is what /proc/PID/maps shows. The caller closes
 * *copy. Errors: ELIMIT (larger than MRPC_COPY_LIMIT), EFORMAT (empty), ESYS. */
MRPC_MUST_CHECK int mrpc_copy_make(int file, const char *name, int *copy, mrpc_error *error);

/* Maps a copy for reading. Ended with mrpc_copy_unmap(). ESYS. */
MRPC_MUST_CHECK int mrpc_copy_map(int copy, mrpc_copy_view *view, mrpc_error *error);
void mrpc_copy_unmap(mrpc_copy_view *view);

#endif /* MRPC_UPGRADE_COPY_H */
