/* SPDX-License-Identifier: BSD-2-Clause */
/* loaded.h - a module in this process, with the copy that it was loaded from */
#ifndef MRPC_UPGRADE_LOADED_H
#define MRPC_UPGRADE_LOADED_H

#include <mrpc/error.h>

#include "upgrade/candidate.h"
#include "upgrade/library.h"

typedef struct mrpc_loaded {
    mrpc_library library; /* its table is an mrpc_module or an mrpc_service_module, as note.type says */
    mrpc_module_note note;
    char path[256];
} mrpc_loaded;

/* Loads a candidate that has passed its test, and compares its table with its note once more, here. Takes the
 * candidate's copy. Freed with mrpc_loaded_free(). EMODULE, ENOMEM; the texts name the path. */
MRPC_MUST_CHECK int mrpc_loaded_new(mrpc_loaded **loaded, mrpc_candidate *candidate, mrpc_error *error);

/* Unloads it: nothing may use it any more. EMODULE when it stays mapped all the same; then its memory is given up but
 * *loaded is freed. NULL is allowed. */
int mrpc_loaded_free(mrpc_loaded *loaded, mrpc_error *error);

#endif /* MRPC_UPGRADE_LOADED_H */
