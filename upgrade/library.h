/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library.h - a shared object that is loaded from a sealed copy, and is seen to be gone when it was unloaded
 *
 * dlopen() answers a path that it has seen, or a file of the same device and inode, with what it loaded then. A copy is
 * an inode of its own, and its path, /proc/self/fd/N, stays its own because the descriptor stays open until the mapping
 * has gone.
 */
#ifndef MRPC_UPGRADE_LIBRARY_H
#define MRPC_UPGRADE_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

#include <mrpc/error.h>

typedef struct mrpc_library {
    void *handle;
    const void *table; /* what the symbol points to; in the library */
    int copy;          /* borrowed */
} mrpc_library;

/* Loads the sealed copy, with all of its symbols bound and none of them offered to others, and finds `symbol` in it.
 * Runs its constructors. `copy` is borrowed until mrpc_library_close(). EMODULE (the dynamic linker's reason, or no
 * such symbol). */
MRPC_MUST_CHECK int mrpc_library_open(mrpc_library *library, int copy, const char *symbol, mrpc_error *error);

/* Unloads it, which runs its destructors. EMODULE when its mapping is still there afterwards: then `copy` must stay
 * open for good. */
int mrpc_library_close(mrpc_library *library, mrpc_error *error);

/* Whether /proc/self/maps shows a mapping of the file behind `fd`. ESYS when it cannot be read. */
MRPC_MUST_CHECK int mrpc_library_is_mapped(int fd, bool *mapped, mrpc_error *error);

#endif /* MRPC_UPGRADE_LIBRARY_H */
