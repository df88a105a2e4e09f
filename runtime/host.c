/* SPDX-License-Identifier: BSD-2-Clause */
/* host.c - service modules and their versions */
#include "config.h"

#include "runtime/host.h"

#include <errno.h>
#include <fcntl.h>
#include <mrpc/service_module.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/runtime.h"
#include "runtime/server.h"
#include "upgrade/copy.h"

enum { REMEMBERED_VERSIONS = 64 };

/* What handlers work on; handed from version to version while they say that it is of one format. */
typedef struct host_state {
    void *state;
    _Atomic uint32_t users; /* versions */
} host_state;

typedef struct host_version {
    struct host_version *older;
    mrpc_loaded *loaded;
    host_state *state;
    uint32_t version;
    uint64_t pause_ns; /* for which the engine did nothing else when it was put in place */
    char stamp[MRPC_STAMP_SIZE];
    char path[256];
    _Atomic uint32_t uses; /* services that have not retired it, and one while it is being installed */
    _Atomic bool gone;     /* unloaded */
    bool has_reaper;       /* written before `retiring` */
    _Atomic bool retiring; /* the reaper was started, or could not be */
    pthread_t reaper;
    mrpc_error left; /* it stays mapped all the same */
} host_version;

struct mrpc_host {
    mrpc_host *next;
    mrpc_server *server;
    host_version *current, *newest;
    uint32_t versions;
    char name[256];
    mrpc_candidate previous; /* what rollback loads; its copy is -1: nothing */
};

static const mrpc_service_module *table_of(const host_version *version)
{
    return version->loaded->library.table;
}

/* --- the end of a version --- */

static void drop_state(host_state *state, const mrpc_service_module *table)
{
    if (state == NULL || atomic_fetch_sub(&state->users, 1) != 1)
        return;
    if (table->fini != NULL)
        table->fini(state->state);
    free(state);
}

/* Runs code of the module, and unloads it. */
static void unload(host_version *version)
{
    drop_state(version->state, table_of(version));
    version->state = NULL;
    (void)mrpc_loaded_free(version->loaded, &version->left);
    version->loaded = NULL;
    atomic_store(&version->gone, true);
}

static void *reap(void *version)
{
    unload(version);
    return NULL;
}

/* On the driver, when the last call with the handlers of one service has ended. Without a thread, the version stays
 * until somebody looks for such: see collect(). */
static void retired(void *context)
{
    host_version *version = context;
    if (atomic_fetch_sub(&version->uses, 1) != 1)
        return;
    version->has_reaper = pthread_create(&version->reaper, NULL, reap, version) == 0;
    atomic_store(&version->retiring, true);
}

/* As retired(), on a thread that may take its time. */
static void release(host_version *version)
{
    if (atomic_fetch_sub(&version->uses, 1) == 1) {
        unload(version);
        atomic_store(&version->retiring, true);
    }
}

/* Waits for the thread that unloads the version, or does its work. */
static void finish(host_version *version)
{
    if (version->has_reaper)
        pthread_join(version->reaper, NULL);
    version->has_reaper = false;
    if (version->loaded != NULL)
        unload(version);
}

/* Ends what has retired, and forgets the oldest versions. */
static void collect(mrpc_host *host)
{
    size_t count = 0;
    for (host_version **place = &host->newest; *place != NULL;) {
        host_version *version = *place;
        if (atomic_load(&version->retiring))
            finish(version);
        if (!atomic_load(&version->gone) || ++count <= REMEMBERED_VERSIONS) {
            place = &version->older;
            continue;
        }
        *place = version->older;
        free(version);
    }
}

/* --- the beginning of a version --- */

static host_version *new_version(mrpc_loaded *loaded)
{
    host_version *version = calloc(1, sizeof *version);
    if (version == NULL)
        return NULL;
    version->loaded = loaded;
    memcpy(version->stamp, loaded->note.stamp, sizeof version->stamp);
    memcpy(version->path, loaded->path, sizeof version->path);
    version->uses = 1;
    return version;
}

static bool same_format(const host_version *a, const host_version *b)
{
    const char *x = table_of(a)->state_format, *y = table_of(b)->state_format;
    return x != NULL && y != NULL && strcmp(x, y) == 0;
}

/* The state of the version before, or one of its own. */
static int make_state(host_version *version, const host_version *before, mrpc_server *server, mrpc_error *error)
{
    if (before != NULL && same_format(version, before)) {
        version->state = before->state;
        atomic_fetch_add(&version->state->users, 1);
        return 0;
    }
    host_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory to load %s", version->path);
    mrpc_error reason = {0};
    int result = table_of(version)->init != NULL ? table_of(version)->init(server, &state->state, &reason) : 0;
    if (result != 0) {
        free(state);
        return mrpc_error_set(error, MRPC_EMODULE, "%s is refused: it could not start: %s", version->path,
                              mrpc_error_text(&reason));
    }
    state->users = 1;
    version->state = state;
    return 0;
}

/* --- putting it in place --- */

typedef struct host_change {
    mrpc_server *server;
    host_version *from, *to; /* from NULL: the services are new */
    mrpc_error *error;
} host_change;

static const mrpc_service_binding *find_binding(const host_version *version, const char *name)
{
    const mrpc_service_module *table = table_of(version);
    for (uint32_t i = 0; i < table->service_count; i++)
        if (strcmp(table->services[i].service->name, name) == 0)
            return &table->services[i];
    return NULL;
}

/* Has `to` serve one of its services, in place of `from`. */
static int bind_service(mrpc_server *server, host_version *from, host_version *to, const mrpc_service_binding *binding)
{
    atomic_fetch_add(&to->uses, 1);
    void *state = to->state->state;
    int result = from != NULL ? mrpc_server_replace_timed(server, binding->service, binding->handlers, state, retired,
                                                          from, &to->pause_ns)
                              : mrpc_server_add(server, binding->service, binding->handlers, state);
    if (result != 0)
        atomic_fetch_sub(&to->uses, 1);
    return result;
}

/* Puts the first `count` services of `to` back to `from`. What cannot be put back stays with `to`, which then stays
 * loaded. */
static void bind_back(const host_change *change, uint32_t count)
{
    for (uint32_t i = 0; i < count && change->from != NULL; i++) {
        const mrpc_service_binding *binding =
            find_binding(change->from, table_of(change->to)->services[i].service->name);
        (void)bind_service(change->server, change->to, change->from, binding);
    }
}

static int explain_binding(const host_change *change, int code, const char *service)
{
    const char *path = change->to->path;
    if (code == MRPC_EEXIST)
        return mrpc_error_set(change->error, code, "%s is refused: the server has a service %s already, from elsewhere",
                              path, service);
    if (code == MRPC_EINVAL)
        return mrpc_error_set(
            change->error, MRPC_EMISMATCH,
            "%s is refused: its service %s is of another schema than the one in use: build it from the same .proto",
            path, service);
    return mrpc_error_set(change->error, code, "%s: its service %s cannot be put in place: %s", path, service,
                          mrpc_strerror(code));
}

/* The server finds marshal modules by itself, but cannot say why it found none. */
static int find_marshal_modules(const host_change *change)
{
    const mrpc_service_module *table = table_of(change->to);
    int result = 0;
    for (uint32_t i = 0; i < table->service_count && result == 0; i++)
        result =
            mrpc_modules_ensure(mrpc_server_runtime(change->server), table->services[i].service->file, change->error);
    return result;
}

static int bind_all(const host_change *change)
{
    const mrpc_service_module *table = table_of(change->to);
    int found = find_marshal_modules(change);
    if (found != 0)
        return found;
    for (uint32_t i = 0; i < table->service_count; i++) {
        int result = bind_service(change->server, change->from, change->to, &table->services[i]);
        if (result == 0)
            continue;
        bind_back(change, i);
        return explain_binding(change, result, table->services[i].service->name);
    }
    return 0;
}

/* A replacement has just the services of the module before. */
static int compare_services(const host_version *from, const host_version *to, mrpc_error *error)
{
    const mrpc_service_module *before = table_of(from), *table = table_of(to);
    for (uint32_t i = 0; i < before->service_count; i++)
        if (find_binding(to, before->services[i].service->name) == NULL)
            return mrpc_error_set(error, MRPC_EMISMATCH,
                                  "%s is refused: it lacks the service %s, which the module before has", to->path,
                                  before->services[i].service->name);
    for (uint32_t i = 0; i < table->service_count; i++)
        if (find_binding(from, table->services[i].service->name) == NULL)
            return mrpc_error_set(error, MRPC_EMISMATCH,
                                  "%s is refused: it has a service %s, which the module before lacks", to->path,
                                  table->services[i].service->name);
    return 0;
}

/* The version as a candidate, with a descriptor of its copy: for rollback. */
static mrpc_candidate remember(const host_version *version)
{
    mrpc_candidate candidate = {.note = version->loaded->note,
                                .copy = fcntl(version->loaded->library.copy, F_DUPFD_CLOEXEC, 0)};
    memcpy(candidate.path, version->path, sizeof candidate.path);
    return candidate;
}

static void describe(const mrpc_host *host, const host_version *version, mrpc_module_info *info)
{
    memset(info, 0, sizeof *info);
    memcpy(info->file, host->name, sizeof info->file);
    memcpy(info->path, version->path, sizeof info->path);
    memcpy(info->stamp, version->stamp, sizeof info->stamp);
    info->version = version->version;
    info->current = version == host->current;
    info->pause_ns = version->pause_ns;
}

static void make_current(mrpc_host *host, host_version *version, mrpc_upgrade_report *report)
{
    version->version = ++host->versions;
    version->older = host->newest;
    host->newest = version;
    host->current = version;
    describe(host, version, &report->now);
}

/* Puts a loaded module in place of the host's current version, if it has one. Takes `loaded` in any case. */
static int install(mrpc_host *host, mrpc_loaded *loaded, mrpc_upgrade_report *report, mrpc_error *error)
{
    host_version *from = host->current, *to = new_version(loaded);
    if (to == NULL) {
        (void)mrpc_loaded_free(loaded, NULL);
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory to load a module");
    }
    mrpc_candidate previous = {.copy = -1};
    int result = from != NULL ? compare_services(from, to, error) : 0;
    if (result == 0)
        result = make_state(to, from, host->server, error);
    if (result == 0) {
        if (from != NULL)
            previous = remember(from); /* now: as soon as `to` is in place, `from` may be gone */
        result = bind_all(&(host_change){.server = host->server, .from = from, .to = to, .error = error});
        report->installed = mrpc_engine_now(&mrpc_server_runtime(host->server)->engine);
    }
    bool keep = result == 0 || atomic_load(&to->uses) > 1;
    if (result == 0) {
        mrpc_candidate_close(&host->previous);
        host->previous = previous;
        make_current(host, to, report);
    } else if (keep) { /* some service could not be put back, or has a call already */
        to->older = host->newest;
        host->newest = to;
    }
    if (result != 0)
        mrpc_candidate_close(&previous);
    release(to);
    if (!keep)
        free(to);
    return result;
}

/* --- hosts --- */

static mrpc_upgrade *upgrade_of(mrpc_runtime *runtime)
{
    return runtime->upgrade;
}

static mrpc_host *find_host(mrpc_runtime *runtime, const char *name, const mrpc_server *server)
{
    for (mrpc_host *host = upgrade_of(runtime)->hosts; host != NULL; host = host->next)
        if (strcmp(host->name, name) == 0 && (server == NULL || host->server == server))
            return host;
    return NULL;
}

static int test_and_install(mrpc_host *host, mrpc_candidate *candidate, mrpc_upgrade_report *report, mrpc_error *error)
{
    mrpc_loaded *loaded;
    collect(host);
    int result = mrpc_candidate_test(candidate, NULL, error);
    if (result == 0)
        result = mrpc_loaded_new(&loaded, candidate, error);
    return result == 0 ? install(host, loaded, report, error) : result;
}

bool mrpc_host_has(mrpc_runtime *runtime, const char *name)
{
    pthread_mutex_lock(&upgrade_of(runtime)->lock);
    bool has = find_host(runtime, name, NULL) != NULL;
    pthread_mutex_unlock(&upgrade_of(runtime)->lock);
    return has;
}

int mrpc_host_upgrade(mrpc_runtime *runtime, mrpc_candidate *candidate, mrpc_upgrade_report *report, mrpc_error *error)
{
    pthread_mutex_lock(&upgrade_of(runtime)->lock);
    mrpc_host *host = find_host(runtime, candidate->note.file, NULL);
    int result = host != NULL
                     ? test_and_install(host, candidate, report, error)
                     : mrpc_error_set(error, MRPC_ENOENT,
                                      "%s is refused: no service module \"%s\" is loaded that it could replace",
                                      candidate->path, candidate->note.file);
    pthread_mutex_unlock(&upgrade_of(runtime)->lock);
    return result;
}

/* It was tested when it was loaded first. */
static int roll_back(mrpc_host *host, mrpc_upgrade_report *report, mrpc_error *error)
{
    collect(host);
    if (host->previous.copy < 0)
        return mrpc_error_set(error, MRPC_ENOENT, "the service module %s has no version before the current one",
                              host->name);
    mrpc_candidate candidate = host->previous;
    candidate.copy = -1;
    /* A copy of the copy: calls may still be in the module that was loaded from the first one. */
    int result = mrpc_copy_make(host->previous.copy, host->name, &candidate.copy, error);
    mrpc_loaded *loaded;
    if (result == 0)
        result = mrpc_loaded_new(&loaded, &candidate, error);
    if (result == 0)
        result = install(host, loaded, report, error);
    mrpc_candidate_close(&candidate);
    return result;
}

int mrpc_host_rollback(mrpc_runtime *runtime, const char *name, mrpc_upgrade_report *report, mrpc_error *error)
{
    pthread_mutex_lock(&upgrade_of(runtime)->lock);
    mrpc_host *host = find_host(runtime, name, NULL);
    int result = host != NULL ? roll_back(host, report, error)
                              : mrpc_error_set(error, MRPC_ENOENT, "no service module %s is loaded", name);
    pthread_mutex_unlock(&upgrade_of(runtime)->lock);
    return result;
}

static const char *state_of(const mrpc_host *host, const host_version *version)
{
    return version == host->current ? "current" : atomic_load(&version->gone) ? "unloaded" : "draining";
}

void mrpc_host_visit(mrpc_runtime *runtime, void (*visit)(void *context, mrpc_module_info *info, const char *state),
                     void *context)
{
    pthread_mutex_lock(&upgrade_of(runtime)->lock);
    for (const mrpc_host *host = upgrade_of(runtime)->hosts; host != NULL; host = host->next)
        for (const host_version *version = host->newest; version != NULL; version = version->older) {
            mrpc_module_info info;
            describe(host, version, &info);
            visit(context, &info, state_of(host, version));
        }
    pthread_mutex_unlock(&upgrade_of(runtime)->lock);
}

/* --- servers --- */

static mrpc_host *new_host(mrpc_server *server, const char *name)
{
    mrpc_host *host = calloc(1, sizeof *host);
    if (host == NULL)
        return NULL;
    host->server = server;
    host->previous.copy = -1;
    snprintf(host->name, sizeof host->name, "%s", name);
    return host;
}

static void free_host(mrpc_host *host)
{
    while (host->newest != NULL) {
        host_version *version = host->newest;
        host->newest = version->older;
        finish(version);
        free(version);
    }
    mrpc_candidate_close(&host->previous);
    free(host);
}

/* A first load. When a service could not be added, but those before it were, the host stays: they are served. */
static int load_first(mrpc_runtime *runtime, mrpc_server *server, mrpc_candidate *candidate,
                      mrpc_upgrade_report *report, mrpc_error *error)
{
    mrpc_host *host = new_host(server, candidate->note.file);
    if (host == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory to load %s", candidate->path);
    int result = test_and_install(host, candidate, report, error);
    if (result != 0 && host->newest == NULL) {
        free_host(host);
        return result;
    }
    host->next = upgrade_of(runtime)->hosts;
    upgrade_of(runtime)->hosts = host;
    return result;
}

static int load_into(mrpc_server *server, mrpc_candidate *candidate, mrpc_error *error)
{
    mrpc_runtime *runtime = mrpc_server_runtime(server);
    mrpc_upgrade_report report = {0};
    if (candidate->note.type != MRPC_NOTE_SERVICE)
        return mrpc_error_set(error, MRPC_EMODULE, "%s is refused: it is a marshal module, not a service module",
                              candidate->path);
    pthread_mutex_lock(&upgrade_of(runtime)->lock);
    mrpc_host *host = find_host(runtime, candidate->note.file, server);
    int result = host != NULL ? test_and_install(host, candidate, &report, error)
                              : load_first(runtime, server, candidate, &report, error);
    pthread_mutex_unlock(&upgrade_of(runtime)->lock);
    return result;
}

int mrpc_server_load(mrpc_server *server, const char *path, mrpc_error *error)
{
    if (mrpc_engine_inside(&mrpc_server_runtime(server)->engine))
        return mrpc_error_set(error, MRPC_EDEADLK,
                              "a module cannot be loaded from inside a handler or callback: do it from another thread");
    mrpc_candidate candidate;
    int result = mrpc_candidate_open(&candidate, path, error);
    if (result != 0)
        return result;
    result = load_into(server, &candidate, error);
    mrpc_candidate_close(&candidate);
    return result;
}

mrpc_host *mrpc_host_detach(mrpc_server *server)
{
    mrpc_upgrade *upgrade = upgrade_of(mrpc_server_runtime(server));
    mrpc_host *detached = NULL;
    pthread_mutex_lock(&upgrade->lock);
    for (mrpc_host **place = &upgrade->hosts; *place != NULL;) {
        mrpc_host *host = *place;
        if (host->server != server) {
            place = &host->next;
            continue;
        }
        *place = host->next;
        host->next = detached;
        detached = host;
    }
    pthread_mutex_unlock(&upgrade->lock);
    return detached;
}

void mrpc_host_free(mrpc_host *hosts)
{
    while (hosts != NULL) {
        mrpc_host *host = hosts;
        hosts = host->next;
        free_host(host);
    }
}
