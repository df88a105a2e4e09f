/* SPDX-License-Identifier: BSD-2-Clause */
/* modules.c - the table of marshal modules: versions of each schema, which one is current, what they have handled */
#include "config.h"

#include "runtime/modules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/runtime.h"

enum { REMEMBERED_VERSIONS = 16 }; /* looked through at each upgrade, on the engine */

static bool same_fingerprint(const mrpc_fingerprint *a, const mrpc_fingerprint *b)
{
    return a->schema == b->schema && a->layout == b->layout;
}

static mrpc_module_entry *find_entry(mrpc_runtime *runtime, const char *file, const mrpc_fingerprint *fingerprint)
{
    for (mrpc_module_entry *entry = runtime->modules.entries; entry != NULL; entry = entry->next)
        if (strcmp(entry->file, file) == 0 &&
            (fingerprint == NULL || same_fingerprint(&entry->fingerprint, fingerprint)))
            return entry;
    return NULL;
}

/* --- versions --- */

/* What is known of unloaded versions is kept for those who ask, but not for ever. */
static void forget_old_versions(mrpc_module_entry *entry)
{
    size_t count = 0;
    mrpc_module_version **place = &entry->newest;
    while (*place != NULL) {
        mrpc_module_version *version = *place;
        bool forget = ++count > REMEMBERED_VERSIONS && version->module == NULL;
        if (!forget) {
            place = &version->older;
            continue;
        }
        *place = version->older;
        free(version);
    }
}

mrpc_module_version *mrpc_modules_new_version(const mrpc_module_source *source)
{
    mrpc_module_version *version = calloc(1, sizeof *version);
    if (version == NULL)
        return NULL;
    version->module = source->module;
    version->handle = source->handle;
    (void)snprintf(version->path, sizeof version->path, "%s", source->path);
    (void)snprintf(version->stamp, sizeof version->stamp, "%s", source->module->stamp);
    return version;
}

static void add_version(mrpc_module_entry *entry, mrpc_module_version *version)
{
    version->version = entry->newest == NULL ? 1 : entry->newest->version + 1;
    version->older = entry->newest;
    entry->newest = version;
    forget_old_versions(entry);
}

static void make_current(mrpc_module_entry *entry, mrpc_module_version *version)
{
    entry->current = version;
    entry->codecs = version->module->codecs;
    entry->codec_count = version->module->codec_count;
}

/* The version's module is about to go, or has no use any more. */
static void drop_version(mrpc_module_version *version, mrpc_module_source *retired)
{
    if (retired != NULL && version->handle != NULL)
        *retired = (mrpc_module_source){.module = version->module, .path = version->path, .handle = version->handle};
    version->module = NULL;
    version->handle = NULL;
}

/* --- entries --- */

static int refuse_memory(const char *file, mrpc_error *error)
{
    return mrpc_error_set(error, MRPC_ENOMEM, "no memory for the marshal module of %s", file);
}

/* Takes `version` when it succeeds. */
static int new_entry(mrpc_runtime *runtime, mrpc_module_version *version, mrpc_module_entry **entry, mrpc_error *error)
{
    mrpc_module_entry *fresh = mrpc_runtime_alloc(runtime, sizeof *fresh);
    if (fresh == NULL)
        return refuse_memory(version->module->file, error);
    (void)snprintf(fresh->file, sizeof fresh->file, "%s", version->module->file);
    fresh->fingerprint = version->module->fingerprint;
    add_version(fresh, version);
    make_current(fresh, version);
    fresh->next = runtime->modules.entries;
    runtime->modules.entries = fresh;
    *entry = fresh;
    return 0;
}

static int first_entry(mrpc_runtime *runtime, const mrpc_module_source *source, mrpc_module_entry **entry,
                       mrpc_error *error)
{
    mrpc_module_version *version = mrpc_modules_new_version(source);
    if (version == NULL)
        return refuse_memory(source->module->file, error);
    int result = new_entry(runtime, version, entry, error);
    if (result != 0)
        free(version);
    return result;
}

static int add_link(mrpc_runtime *runtime, mrpc_module_entry *entry, const mrpc_module *module)
{
    if (module == NULL)
        return 0;
    for (mrpc_module_link *link = entry->links; link != NULL; link = link->next)
        if (link->module == module) {
            link->users++;
            return 0;
        }
    mrpc_module_link *fresh = mrpc_runtime_alloc(runtime, sizeof *fresh);
    if (fresh == NULL)
        return MRPC_ENOMEM;
    *fresh = (mrpc_module_link){.next = entry->links, .module = module, .users = 1};
    entry->links = fresh;
    return 0;
}

static int check_source(const mrpc_file *file, const mrpc_module_source *source, mrpc_error *error)
{
    if (source->module == NULL)
        return mrpc_error_set(error, MRPC_ENOENT,
                              "no marshal module for %s: link FILE.marshal.c into the program, or install the module "
                              "where MRPC_MODULE_PATH points",
                              file->name);
    if (!same_fingerprint(&source->module->fingerprint, &file->fingerprint))
        return mrpc_error_set(
            error, MRPC_EMISMATCH,
            "the marshal module %s of %s was generated from another schema than the program: generate and "
            "build both from one",
            source->path[0] == '\0' ? "(linked in)" : source->path, file->name);
    return 0;
}

int mrpc_modules_acquire(mrpc_runtime *runtime, const mrpc_file *file, const mrpc_module_source *found,
                         mrpc_module_entry **entry, mrpc_error *error)
{
    *entry = find_entry(runtime, file->name, &file->fingerprint);
    if (*entry == NULL) {
        const mrpc_module_source linked = {.module = file->linked, .path = ""};
        const mrpc_module_source *source = file->linked != NULL || found == NULL ? &linked : found;
        int result = check_source(file, source, error);
        if (result == 0)
            result = first_entry(runtime, source, entry, error);
        if (result != 0)
            return result;
    }
    if (add_link(runtime, *entry, file->linked) != 0)
        return refuse_memory(file->name, error);
    return 0;
}

/* A linked-in module goes away with what it is linked into. If it is current, another copy of it goes on, or the
 * previous version; without either the entry stays without codecs, which nobody can use then: its last user has gone.
 */
static void replace_link(mrpc_runtime *runtime, mrpc_module_entry *entry, const mrpc_module *gone)
{
    if (entry->previous != NULL && entry->previous->module == gone)
        entry->previous = NULL;
    for (mrpc_module_version *version = entry->newest; version != NULL; version = version->older) {
        if (version->module != gone)
            continue;
        version->module = entry->links == NULL ? NULL : entry->links->module;
        if (version != entry->current)
            continue;
        if (version->module != NULL)
            make_current(entry, version);
        else if (entry->previous != NULL) {
            make_current(entry, entry->previous);
            entry->previous = NULL;
        }
    }
    if (entry->current->module != NULL)
        return;
    mrpc_module_entry **place = &runtime->modules.entries;
    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    while (entry->newest != NULL) {
        mrpc_module_version *version = entry->newest;
        entry->newest = version->older;
        free(version);
    }
    free(entry);
}

void mrpc_modules_release(mrpc_runtime *runtime, mrpc_module_entry *entry, const mrpc_file *file)
{
    if (file->linked == NULL)
        return;
    for (mrpc_module_link **place = &entry->links; *place != NULL; place = &(*place)->next) {
        mrpc_module_link *link = *place;
        if (link->module != file->linked)
            continue;
        if (--link->users > 0)
            return;
        *place = link->next;
        free(link);
        replace_link(runtime, entry, file->linked);
        return;
    }
}

/* --- upgrade and rollback --- */

int mrpc_modules_install(mrpc_runtime *runtime, mrpc_module_version *version, mrpc_module_entry **entry,
                         mrpc_module_source *retired, mrpc_error *error)
{
    const mrpc_module *module = version->module;
    *retired = (mrpc_module_source){.path = ""};
    *entry = find_entry(runtime, module->file, &module->fingerprint);
    if (*entry == NULL && find_entry(runtime, module->file, NULL) != NULL)
        return mrpc_error_set(
            error, MRPC_EMISMATCH,
            "%s: its schema of %s is not the one in use (the fingerprints differ): build it from the same .proto "
            "with the same options",
            version->path, module->file);
    if (*entry == NULL)
        return new_entry(runtime, version, entry, error);
    if (module->codec_count < (*entry)->codec_count)
        return mrpc_error_set(error, MRPC_EINVAL, "%s has %u codecs where the module in use has %u", version->path,
                              module->codec_count, (*entry)->codec_count);
    add_version(*entry, version);
    if ((*entry)->previous != NULL)
        drop_version((*entry)->previous, retired);
    (*entry)->previous = (*entry)->current;
    make_current(*entry, version);
    runtime->engine.counters.module_swaps++;
    return 0;
}

int mrpc_modules_rollback(mrpc_runtime *runtime, const char *file, mrpc_module_entry **entry, mrpc_error *error)
{
    *entry = find_entry(runtime, file, NULL);
    if (*entry == NULL)
        return mrpc_error_set(error, MRPC_ENOENT,
                              "there is no module %s here: mrpcctl modules lists those that are in use", file);
    if ((*entry)->previous == NULL)
        return mrpc_error_set(error, MRPC_ENOENT,
                              "%s has no version before the current one: there was no upgrade that could be undone",
                              file);
    mrpc_module_version *current = (*entry)->current;
    make_current(*entry, (*entry)->previous);
    (*entry)->previous = current;
    runtime->engine.counters.module_swaps++;
    return 0;
}

/* --- looking --- */

void mrpc_modules_describe(const mrpc_module_entry *entry, const mrpc_module_version *version, mrpc_module_info *info)
{
    memset(info, 0, sizeof *info);
    memcpy(info->file, entry->file, sizeof info->file);
    memcpy(info->path, version->path, sizeof info->path);
    memcpy(info->stamp, version->stamp, sizeof info->stamp);
    info->fingerprint = entry->fingerprint;
    info->version = version->version;
    info->current = version == entry->current;
    info->messages = version->messages;
    info->pause_ns = version->pause_ns;
}

size_t mrpc_modules_list(mrpc_runtime *runtime, mrpc_module_info *infos, size_t count)
{
    size_t total = 0;
    for (const mrpc_module_entry *entry = runtime->modules.entries; entry != NULL; entry = entry->next) {
        if (total < count)
            mrpc_modules_describe(entry, entry->current, &infos[total]);
        total++;
        for (const mrpc_module_version *version = entry->newest; version != NULL; version = version->older) {
            if (version == entry->current)
                continue;
            if (total < count)
                mrpc_modules_describe(entry, version, &infos[total]);
            total++;
        }
    }
    return total;
}

typedef struct modules_query {
    mrpc_runtime *runtime;
    mrpc_module_info *infos;
    size_t count, total;
} modules_query;

static void list_modules(void *argument)
{
    modules_query *query = argument;
    query->total = mrpc_modules_list(query->runtime, query->infos, query->count);
}

size_t mrpc_runtime_modules(mrpc_runtime *runtime, mrpc_module_info *modules, size_t count)
{
    modules_query query = {.runtime = runtime, .infos = modules, .count = count};
    return mrpc_engine_run_exclusive(&runtime->engine, list_modules, &query) == 0 ? query.total : 0;
}

static void free_entry(mrpc_runtime *runtime, mrpc_module_entry *entry)
{
    while (entry->newest != NULL) {
        mrpc_module_version *version = entry->newest;
        entry->newest = version->older;
        if (version->handle != NULL && runtime->unload_module != NULL)
            runtime->unload_module(runtime, version->handle);
        free(version);
    }
    while (entry->links != NULL) {
        mrpc_module_link *link = entry->links;
        entry->links = link->next;
        free(link);
    }
    free(entry);
}

void mrpc_modules_free(mrpc_runtime *runtime)
{
    while (runtime->modules.entries != NULL) {
        mrpc_module_entry *entry = runtime->modules.entries;
        runtime->modules.entries = entry->next;
        free_entry(runtime, entry);
    }
}

/* --- files without a linked-in module --- */

typedef struct ensure_query {
    mrpc_runtime *runtime;
    const mrpc_file *file;
    const mrpc_module_source *found;
    mrpc_error *error;
    bool known;
    int result;
} ensure_query;

static void is_known(void *argument)
{
    ensure_query *query = argument;
    query->known = find_entry(query->runtime, query->file->name, &query->file->fingerprint) != NULL;
}

static void add_found(void *argument)
{
    ensure_query *query = argument;
    mrpc_module_entry *entry;
    is_known(query);
    if (!query->known)
        query->result = mrpc_modules_acquire(query->runtime, query->file, query->found, &entry, query->error);
}

int mrpc_modules_ensure(mrpc_runtime *runtime, const mrpc_file *file, mrpc_error *error)
{
    if (file->linked != NULL || runtime->find_module == NULL)
        return 0;
    ensure_query query = {.runtime = runtime, .file = file, .error = error};
    int result = mrpc_engine_run_exclusive(&runtime->engine, is_known, &query);
    if (result != 0 || query.known)
        return result;
    mrpc_module_source source;
    result = runtime->find_module(runtime, file, &source, error);
    if (result != 0)
        return result;
    query.found = &source;
    result = mrpc_engine_run_exclusive(&runtime->engine, add_found, &query);
    if (result == 0)
        result = query.result;
    if ((result != 0 || query.known) && runtime->unload_module != NULL)
        runtime->unload_module(runtime, source.handle);
    return result;
}
