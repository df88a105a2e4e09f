/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modules.h - which marshal module encodes the messages of a schema file, now and before
 *
 * The table belongs to the engine: entries are read and changed only by the driver. A message is marshalled or
 * unmarshalled in one go by the driver, with the version that is current at that moment, so a version needs no count of
 * pins: whoever has the engine between two messages (mrpc_engine_run_exclusive) knows that no module is in use. A
 * stream uses the new version from its next message on. No message points into a module, so the old one may be unloaded
 * at once.
 */
#ifndef MRPC_RUNTIME_MODULES_H
#define MRPC_RUNTIME_MODULES_H

#include <mrpc/marshal.h>
#include <mrpc/runtime.h>

/* A module and where it came from. Whoever loaded it unloads it. */
typedef struct mrpc_module_source {
    const mrpc_module *module;
    const char *path; /* "" when linked in; copied */
    void *handle;     /* of the loader; NULL when linked in */
} mrpc_module_source;

typedef struct mrpc_module_version {
    struct mrpc_module_version *older;
    const mrpc_module *module; /* NULL: unloaded; what follows is remembered */
    void *handle;
    uint32_t version;
    uint64_t messages;
    uint64_t pause_ns; /* for which the engine did nothing else when this was put in place; written by who measures */
    char path[256];
    char stamp[MRPC_STAMP_SIZE];
} mrpc_module_version;

/* A program may have the linked-in module of the same schema several times: in itself and in each service module. */
typedef struct mrpc_module_link {
    struct mrpc_module_link *next;
    const mrpc_module *module;
    uint32_t users;
} mrpc_module_link;

/* The versions for one schema: a file's name and fingerprint. Entries live as long as the runtime. */
typedef struct mrpc_module_entry {
    struct mrpc_module_entry *next;
    const mrpc_codec *codecs; /* of the current version: what the next message uses */
    mrpc_module_version *current;
    mrpc_module_version *newest;   /* head of the list of versions */
    mrpc_module_version *previous; /* what rollback puts back; NULL: nothing */
    mrpc_module_link *links;
    mrpc_fingerprint fingerprint;
    uint32_t codec_count;
    char file[256];
} mrpc_module_entry;

typedef struct mrpc_module_table {
    mrpc_module_entry *entries;
} mrpc_module_table;

/* Finds a module for a file that has none linked in: loads it, or fails with ENOENT, EMODULE, EMISMATCH and a text.
 * Called from any thread that does not drive, or from the driver when a handler is the first to need it. */
typedef int mrpc_module_finder(mrpc_runtime *runtime, const mrpc_file *file, mrpc_module_source *source,
                               mrpc_error *error);
/* Unloads what the finder or an upgrade has loaded. */
typedef void mrpc_module_unloader(mrpc_runtime *runtime, void *handle);

/* --- on the engine --- */

/* The entry for a file, made when there is none: from the linked-in module, or from what `found` has (may be NULL).
 * Counts a user of the linked-in module, until mrpc_modules_release(). Errors: ENOENT (neither is there), EMISMATCH
 * (the module is of another schema), ENOMEM. */
MRPC_MUST_CHECK int mrpc_modules_acquire(mrpc_runtime *runtime, const mrpc_file *file, const mrpc_module_source *found,
                                         mrpc_module_entry **entry, mrpc_error *error);
/* One user less of the module that is linked in beside `file`: when it was the last one and that module is current,
 * another takes its place, because its memory may be about to go. */
void mrpc_modules_release(mrpc_runtime *runtime, mrpc_module_entry *entry, const mrpc_file *file);

/* Makes `version` the current one of its schema, and *entry what it is in. *retired is what has to be unloaded now, off
 * the engine (handle NULL: nothing): the version before the previous one, which can't be rolled back to any more. Takes
 * `version` when it succeeds. Errors, after which nothing has changed: EMISMATCH (a schema of that file is in use, but
 * not this one), EINVAL (fewer codecs than before), ENOMEM (for the first version of a schema). */
MRPC_MUST_CHECK int mrpc_modules_install(mrpc_runtime *runtime, mrpc_module_version *version, mrpc_module_entry **entry,
                                         mrpc_module_source *retired, mrpc_error *error);
/* Makes the previous version of `file` current again, and the current one previous. ENOENT: no such file, or there is
 * none. */
MRPC_MUST_CHECK int mrpc_modules_rollback(mrpc_runtime *runtime, const char *file, mrpc_module_entry **entry,
                                          mrpc_error *error);

void mrpc_modules_describe(const mrpc_module_entry *entry, const mrpc_module_version *version, mrpc_module_info *info);
/* Fills up to `count` infos, current versions first within each schema; returns how many there are. */
size_t mrpc_modules_list(mrpc_runtime *runtime, mrpc_module_info *infos, size_t count);

/* Frees the table. Modules that are loaded are handed to the unloader. */
void mrpc_modules_free(mrpc_runtime *runtime);

/* The codec for the next message, counted. */
static inline const mrpc_codec *mrpc_modules_codec(mrpc_module_entry *entry, uint32_t codec)
{
    entry->current->messages++;
    return &entry->codecs[codec];
}

/* --- from any thread --- */

/* What mrpc_modules_install() puts in place; made before, so that the engine need not pause for it. NULL: no memory.
 * Until it is installed, freed with free(). */
mrpc_module_version *mrpc_modules_new_version(const mrpc_module_source *source);

/* Runs the finder when the file has no linked-in module and no entry yet. 0, or what the finder said. */
MRPC_MUST_CHECK int mrpc_modules_ensure(mrpc_runtime *runtime, const mrpc_file *file, mrpc_error *error);

#endif /* MRPC_RUNTIME_MODULES_H */
