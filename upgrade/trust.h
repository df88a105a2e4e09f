/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trust.h - which files may be loaded: those that only root or the process's own user can have written
 *
 * The rule, for a file and for every folder on the way to it: it belongs to root or to `own`, and neither its group nor
 * others may write it. A folder that others may write is allowed when it has the sticky bit (as /tmp has), because
 * nobody else can rename or remove an entry of ours there. The file is a regular one and not a symbolic link; links
 * among the folders are followed first, and the folders that they lead to are checked.
 */
#ifndef MRPC_UPGRADE_TRUST_H
#define MRPC_UPGRADE_TRUST_H

#include <sys/types.h>

#include <mrpc/error.h>

/* Opens `path` for reading (O_CLOEXEC) when the rule holds for it; `own` is the user besides root, normally geteuid().
 * What was checked is what is opened: the folders are walked by descriptor, from the root. The caller closes *fd.
 * Errors: ENOENT, EPERM (owner or mode; says of what), EINVAL (not a regular file), ESYS. */
MRPC_MUST_CHECK int mrpc_trust_open(const char *path, uid_t own, int *fd, mrpc_error *error);

#endif /* MRPC_UPGRADE_TRUST_H */
