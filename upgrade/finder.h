/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * finder.h - finds the marshal module of a schema file that has none linked in
 *
 * For the schema file DIR/NAME.proto the module is NAME.marshal.so, in the first of these folders that has a sound one:
 * those of the runtime's option module_path, or else of the environment variable MRPC_MODULE_PATH, separated by ':';
 * then the folder of the executable, and the library's module folder.
 */
#ifndef MRPC_UPGRADE_FINDER_H
#define MRPC_UPGRADE_FINDER_H

#include <mrpc/error.h>
#include <mrpc/message.h>

#include "upgrade/loaded.h"

/* `path` is the runtime's option, or NULL. Checks, tests and loads the module. ENOENT (names the folders), or the
 * reason why the last one that was found is refused. */
MRPC_MUST_CHECK int mrpc_finder_load(const char *path, const mrpc_file *file, mrpc_loaded **loaded, mrpc_error *error);

#endif /* MRPC_UPGRADE_FINDER_H */
