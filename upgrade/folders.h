/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * folders.h - the folders where shared objects are looked for
 *
 * Those of the runtime's option module_path, or else of the environment variable MRPC_MODULE_PATH, separated by ':';
 * then the folder of the executable, and the library's module folder.
 */
#ifndef MRPC_UPGRADE_FOLDERS_H
#define MRPC_UPGRADE_FOLDERS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* One search for a file. */
typedef struct mrpc_search mrpc_search;
struct mrpc_search {
    const char *name; /* of the file */
    bool (*found)(mrpc_search *search,
                  const char *path); /* a candidate, which may not exist; true: the search is over */
    char folders[PATH_MAX];          /* all that were looked into, for messages */
};

/* Goes through the folders until `found` says that it is over. `path` is the runtime's option, or NULL. */
bool mrpc_search_folders(mrpc_search *search, const char *path);

#endif /* MRPC_UPGRADE_FOLDERS_H */
