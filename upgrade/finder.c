/* SPDX-License-Identifier: BSD-2-Clause */
/* finder.c - looks for the module of a schema file in the folders where modules are */
#include "config.h"

#include "upgrade/finder.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "upgrade/folders.h"

/* One look for a file's module. */
typedef struct module_search {
    mrpc_search base;
    const mrpc_file *file;
    char name[256]; /* NAME.marshal.so */
    mrpc_loaded *loaded;
    mrpc_error refusal; /* of the last module that was found but is not sound; code 0: none */
} module_search;

static int accept_candidate(module_search *search, mrpc_candidate *candidate)
{
    mrpc_error *error = &search->refusal;
    if (candidate->note.type != MRPC_NOTE_MODULE)
        return mrpc_error_set(error, MRPC_EMODULE, "%s is refused: it is not a marshal module", candidate->path);
    if (strcmp(candidate->note.file, search->file->name) != 0)
        return mrpc_error_set(error, MRPC_EMISMATCH,
                              "%s is refused: it was generated for %s and the program's code for %s: give protoc the "
                              "same path both times",
                              candidate->path, candidate->note.file, search->file->name);
    int result = mrpc_candidate_compare(candidate, &search->file->fingerprint, error);
    if (result == 0)
        result = mrpc_candidate_test(candidate, NULL, error);
    if (result == 0)
        result = mrpc_loaded_new(&search->loaded, candidate, error);
    return result;
}

static bool try_module(mrpc_search *base, const char *path)
{
    module_search *search = (module_search *)base;
    mrpc_candidate candidate;
    mrpc_error error = {0};
    int result = mrpc_candidate_open(&candidate, path, &error);
    if (result == MRPC_ENOENT)
        return false;
    if (result == 0)
        result = accept_candidate(search, &candidate);
    else
        search->refusal = error;
    mrpc_candidate_close(&candidate);
    return result == 0;
}

/* DIR/NAME.proto gives NAME.marshal.so. */
static void set_name(module_search *search)
{
    const char *name = search->file->name, *slash = strrchr(name, '/');
    if (slash != NULL)
        name = slash + 1;
    size_t length = strlen(name);
    if (length > 6 && strcmp(name + length - 6, ".proto") == 0)
        length -= 6;
    snprintf(search->name, sizeof search->name, "%.*s.marshal.so", (int)length, name);
}

static int explain(const module_search *search, mrpc_error *error)
{
    if (search->refusal.code != 0) {
        if (error != NULL)
            *error = search->refusal;
        return search->refusal.code;
    }
    return mrpc_error_set(error, MRPC_ENOENT,
                          "no marshal module for %s is linked in, and there is no %s in %.250s: make one with "
                          "mrpc-module build, or set MRPC_MODULE_PATH",
                          search->file->name, search->name, search->base.folders);
}

int mrpc_finder_load(const char *path, const mrpc_file *file, mrpc_loaded **loaded, mrpc_error *error)
{
    module_search *search = calloc(1, sizeof *search);
    if (search == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory to look for the marshal module of %s", file->name);
    search->file = file;
    set_name(search);
    search->base.name = search->name;
    search->base.found = try_module;
    int result = 0;
    if (mrpc_search_folders(&search->base, path))
        *loaded = search->loaded;
    else
        result = explain(search, error);
    free(search);
    return result;
}
