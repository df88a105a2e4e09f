/* SPDX-License-Identifier: BSD-2-Clause */
/* loaded.c - loads what was tested, and unloads it */
#include "config.h"

#include "upgrade/loaded.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "upgrade/table.h"

static int open_library(mrpc_loaded *loaded, mrpc_candidate *candidate, mrpc_error *error)
{
    int result = mrpc_library_open(&loaded->library, candidate->copy, mrpc_table_symbol(candidate->note.type), error);
    if (result != 0)
        return result;
    result = mrpc_table_check(loaded->library.table, &candidate->note, error);
    if (result == 0)
        return 0;
    mrpc_error closing; /* the reason for the refusal is worth more */
    if (mrpc_library_close(&loaded->library, &closing) != 0)
        candidate->copy = -1; /* stays open: its number must not be used again, see library.h */
    return result;
}

int mrpc_loaded_new(mrpc_loaded **result, mrpc_candidate *candidate, mrpc_error *error)
{
    mrpc_loaded *loaded = calloc(1, sizeof *loaded);
    if (loaded == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory to load %s", candidate->path);
    mrpc_error reason;
    int code = open_library(loaded, candidate, &reason);
    if (code != 0) {
        free(loaded);
        return mrpc_error_set(error, code, "%s is refused: %s", candidate->path, mrpc_error_text(&reason));
    }
    loaded->note = candidate->note;
    memcpy(loaded->path, candidate->path, sizeof loaded->path);
    candidate->copy = -1;
    *result = loaded;
    return 0;
}

int mrpc_loaded_free(mrpc_loaded *loaded, mrpc_error *error)
{
    if (loaded == NULL)
        return 0;
    mrpc_error reason;
    int result = mrpc_library_close(&loaded->library, &reason);
    if (result == 0)
        close(loaded->library.copy); /* else its number must not be used again, see library.h */
    else
        (void)mrpc_error_set(error, result, "%s (stamp \"%s\"): %s", loaded->path, loaded->note.stamp,
                             mrpc_error_text(&reason));
    free(loaded);
    return result;
}
