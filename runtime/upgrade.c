/* SPDX-License-Identifier: BSD-2-Clause */
/* upgrade.c - replaces the marshal modules of a runtime, and finds those that are not linked in */
#include "config.h"

#include "runtime/upgrade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/host.h"
#include "runtime/runtime.h"
#include "upgrade/finder.h"

/* --- on the engine: each is run by mrpc_engine_run_exclusive --- */

typedef struct schema_lookup {
    mrpc_runtime *runtime;
    const char *file;
    mrpc_fingerprint fingerprint;
    bool found;
} schema_lookup;

static void look_up_schema(void *argument)
{
    schema_lookup *query = argument;
    for (const mrpc_module_entry *entry = query->runtime->modules.entries; entry != NULL; entry = entry->next)
        if (strcmp(entry->file, query->file) == 0) {
            query->found = true;
            query->fingerprint = entry->fingerprint;
        }
}

typedef struct module_change {
    mrpc_runtime *runtime;
    const char *file;             /* to be rolled back */
    mrpc_module_version *version; /* to be installed */
    mrpc_module_source retired;
    mrpc_upgrade_report *report;
    mrpc_error *error;
    int result;
} module_change;

/* The end of the pause. */
static void note_pause(module_change *change, mrpc_module_entry *entry, uint64_t begin)
{
    mrpc_upgrade_report *report = change->report;
    report->installed = mrpc_engine_now(&change->runtime->engine);
    entry->current->pause_ns = report->installed - begin;
    mrpc_modules_describe(entry, entry->current, &report->now);
}

static void install(void *argument)
{
    module_change *change = argument;
    mrpc_module_entry *entry;
    uint64_t begin = mrpc_engine_now(&change->runtime->engine);
    change->result = mrpc_modules_install(change->runtime, change->version, &entry, &change->retired, change->error);
    if (change->result == 0)
        note_pause(change, entry, begin);
}

static void roll_back(void *argument)
{
    module_change *change = argument;
    mrpc_module_entry *entry;
    uint64_t begin = mrpc_engine_now(&change->runtime->engine);
    change->result = mrpc_modules_rollback(change->runtime, change->file, &entry, change->error);
    if (change->result == 0)
        note_pause(change, entry, begin);
}

/* --- on the thread that asks --- */

static int inside_error(mrpc_error *error)
{
    return mrpc_error_set(error, MRPC_EDEADLK,
                          "a module cannot be replaced from inside a handler or callback: do it from another thread, "
                          "or with mrpcctl upgrade");
}

/* Runs `function` on the engine; its result, or why it could not be run. */
static int run_change(module_change *change, void (*function)(void *))
{
    int result = mrpc_engine_run_exclusive(&change->runtime->engine, function, change);
    if (result != 0)
        return mrpc_error_set(change->error, result, "the runtime cannot be reached: %s", mrpc_strerror(result));
    return change->result;
}

static int compare_with_current(mrpc_runtime *runtime, const mrpc_candidate *candidate, mrpc_error *error)
{
    schema_lookup query = {.runtime = runtime, .file = candidate->note.file};
    int result = mrpc_engine_run_exclusive(&runtime->engine, look_up_schema, &query);
    if (result != 0)
        return mrpc_error_set(error, result, "the runtime cannot be reached: %s", mrpc_strerror(result));
    return query.found ? mrpc_candidate_compare(candidate, &query.fingerprint, error) : 0;
}

/* Takes `loaded` in any case. */
static int install_loaded(mrpc_runtime *runtime, mrpc_loaded *loaded, mrpc_upgrade_report *report, mrpc_error *error)
{
    const mrpc_module_source source = {.module = loaded->library.table, .path = loaded->path, .handle = loaded};
    module_change change = {
        .runtime = runtime, .version = mrpc_modules_new_version(&source), .report = report, .error = error};
    int result = change.version == NULL
                     ? mrpc_error_set(error, MRPC_ENOMEM, "no memory to put %s in place", loaded->path)
                     : run_change(&change, install);
    if (result != 0)
        free(change.version);
    (void)mrpc_loaded_free(result == 0 ? change.retired.handle : loaded, &report->left);
    return result;
}

static int install_marshal(mrpc_runtime *runtime, mrpc_candidate *candidate, mrpc_upgrade_report *report,
                           mrpc_error *error)
{
    mrpc_loaded *loaded;
    int result = compare_with_current(runtime, candidate, error);
    if (result == 0)
        result = mrpc_candidate_test(candidate, NULL, error);
    if (result == 0)
        result = mrpc_loaded_new(&loaded, candidate, error);
    return result == 0 ? install_loaded(runtime, loaded, report, error) : result;
}

int mrpc_upgrade_install(mrpc_runtime *runtime, const char *path, mrpc_upgrade_report *report, mrpc_error *error)
{
    *report = (mrpc_upgrade_report){.began = mrpc_engine_now(&runtime->engine)};
    if (mrpc_engine_inside(&runtime->engine))
        return inside_error(error);
    mrpc_candidate candidate;
    int result = mrpc_candidate_open(&candidate, path, error);
    if (result != 0)
        return result;
    if (candidate.note.type == MRPC_NOTE_SERVICE)
        result = mrpc_host_upgrade(runtime, &candidate, report, error);
    else
        result = install_marshal(runtime, &candidate, report, error);
    mrpc_candidate_close(&candidate);
    return result;
}

int mrpc_upgrade_rollback(mrpc_runtime *runtime, const char *name, mrpc_upgrade_report *report, mrpc_error *error)
{
    *report = (mrpc_upgrade_report){.began = mrpc_engine_now(&runtime->engine)};
    if (mrpc_engine_inside(&runtime->engine))
        return inside_error(error);
    if (mrpc_host_has(runtime, name))
        return mrpc_host_rollback(runtime, name, report, error);
    module_change change = {.runtime = runtime, .file = name, .report = report, .error = error};
    return run_change(&change, roll_back);
}

int mrpc_runtime_upgrade(mrpc_runtime *runtime, const char *path, mrpc_module_info *now, mrpc_error *error)
{
    mrpc_upgrade_report report;
    int result = mrpc_upgrade_install(runtime, path, &report, error);
    if (result == 0 && now != NULL)
        *now = report.now;
    return result;
}

int mrpc_runtime_rollback(mrpc_runtime *runtime, const char *file, mrpc_module_info *now, mrpc_error *error)
{
    mrpc_upgrade_report report;
    int result = mrpc_upgrade_rollback(runtime, file, &report, error);
    if (result == 0 && now != NULL)
        *now = report.now;
    return result;
}

/* --- what the module table calls --- */

static int find_module(mrpc_runtime *runtime, const mrpc_file *file, mrpc_module_source *source, mrpc_error *error)
{
    mrpc_loaded *loaded;
    int result = mrpc_finder_load(runtime->module_path, file, &loaded, error);
    if (result == 0)
        *source = (mrpc_module_source){.module = loaded->library.table, .path = loaded->path, .handle = loaded};
    return result;
}

static void unload_module(mrpc_runtime *runtime, void *handle)
{
    (void)runtime;
    (void)mrpc_loaded_free(handle, NULL);
}

static void free_upgrade(mrpc_runtime *runtime)
{
    mrpc_upgrade *upgrade = runtime->upgrade;
    mrpc_control_stop(upgrade->control);
    pthread_mutex_destroy(&upgrade->lock);
    free(upgrade);
    runtime->upgrade = NULL;
}

/* --- the control socket --- */

enum { MOST_SOCKETS = 1000 }; /* of a process in a folder */

static bool is_of_type(const char *path, mode_t type)
{
    struct stat status;
    return stat(path, &status) == 0 && (status.st_mode & S_IFMT) == type;
}

static int listen_at(mrpc_runtime *runtime, const char *path, mrpc_error *error)
{
    mrpc_upgrade *upgrade = runtime->upgrade;
    return mrpc_control_start(&upgrade->control, path, mrpc_upgrade_command, runtime, error);
}

/* PID-N.sock, with the first N that no other runtime of the process has. */
static int listen_in_folder(mrpc_runtime *runtime, mrpc_error *error)
{
    int result = MRPC_EEXIST;
    for (int i = 1; i <= MOST_SOCKETS && result == MRPC_EEXIST; i++) {
        char *path;
        if (asprintf(&path, "%s/%d-%d.sock", runtime->control, (int)getpid(), i) < 0)
            return mrpc_error_set(error, MRPC_ENOMEM, "no memory for the control socket");
        result = listen_at(runtime, path, error);
        free(path);
    }
    return result;
}

/* What the environment says reaches every runtime of every program that is started there: the first one gets a socket
 * of the path's name, and that the others get none is no reason for them to fail. */
static int start_control(mrpc_runtime *runtime, mrpc_error *error)
{
    if (runtime->control == NULL)
        return 0;
    if (runtime->control_inherited && is_of_type(runtime->control, S_IFDIR))
        return listen_in_folder(runtime, error);
    int result = listen_at(runtime, runtime->control, error);
    return result == MRPC_EEXIST && runtime->control_inherited && is_of_type(runtime->control, S_IFSOCK) ? 0 : result;
}

int mrpc_upgrade_start(mrpc_runtime *runtime, mrpc_error *error)
{
    mrpc_upgrade *upgrade = calloc(1, sizeof *upgrade);
    if (upgrade == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory for a runtime");
    pthread_mutex_init(&upgrade->lock, NULL);
    runtime->upgrade = upgrade;
    runtime->find_module = find_module;
    runtime->unload_module = unload_module;
    runtime->free_upgrade = free_upgrade;
    /* On failure the runtime goes, and this with it. */
    return start_control(runtime, error);
}
