/* SPDX-License-Identifier: BSD-2-Clause */
/* transports.c - finds, checks and loads a transport's shared object */
#include "config.h"

#include "upgrade/transports.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transports/module.h"
#include "upgrade/folders.h"
#include "upgrade/library.h"
#include "upgrade/trust.h"

/* What can be loaded, and what to do when it cannot. */
typedef struct loadable {
    const char *scheme;
    const char *advice;
} loadable;

static const loadable loadables[] = {
    {"rdma", "it is built where configure finds libibverbs and librdmacm (--with-rdma=yes insists on them; on Debian: "
             "apt-get install libibverbs-dev librdmacm-dev), and needs at run time: apt-get install ibverbs-providers "
             "librdmacm1"},
};

static const mrpc_transport_host host = {
    .size = sizeof host,
    .loop_now = mrpc_loop_now,
    .loop_add = mrpc_loop_add,
    .loop_remove = mrpc_loop_remove,
    .loop_start = mrpc_loop_start,
    .loop_stop = mrpc_loop_stop,
    .loop_attach = mrpc_loop_attach,
    .loop_attachment = mrpc_loop_attachment,
};

typedef struct transport_search {
    mrpc_search base;
    const loadable *what;
    const mrpc_transport *transport;
    mrpc_error refusal; /* of the last one that was found and cannot be used; code 0: none */
} transport_search;

static int check(const mrpc_transport_module *module, const char *scheme, const char *path, mrpc_error *error)
{
    if (module->size != sizeof *module || strcmp(module->version, PACKAGE_VERSION) != 0 ||
        module->transport->size != sizeof(mrpc_transport) || module->setup_size != sizeof(mrpc_transport_setup) ||
        module->options_size != sizeof(mrpc_connection_options) || module->counters_size != sizeof(mrpc_counters))
        return mrpc_error_set(error, MRPC_EMISMATCH,
                              "%s is of another build than this libmrpc (%s): install both from the same one", path,
                              PACKAGE_VERSION);
    if (strcmp(module->transport->scheme, scheme) != 0)
        return mrpc_error_set(error, MRPC_EMODULE, "%s is a transport for %s://, not for %s://", path,
                              module->transport->scheme, scheme);
    return 0;
}

static int load(transport_search *search, int file, const char *path, mrpc_error *error)
{
    mrpc_library library;
    mrpc_error reason;
    int failure = mrpc_library_open(&library, file, MRPC_TRANSPORT_SYMBOL, &reason);
    if (failure != 0)
        return mrpc_error_set(error, failure, "%s: %s; %s", path, reason.text, search->what->advice);
    const mrpc_transport_module *module = library.table;
    failure = check(module, search->what->scheme, path, error);
    if (failure != 0) {
        (void)mrpc_library_close(&library, &reason);
        return failure;
    }
    module->start(&host);
    search->transport = module->transport;
    return 0;
}

static bool try_file(mrpc_search *base, const char *path)
{
    transport_search *search = (transport_search *)base;
    mrpc_error error = {0};
    int file, failure = mrpc_trust_open(path, geteuid(), &file, &error);
    if (failure == MRPC_ENOENT)
        return false;
    if (failure == 0) {
        failure = load(search, file, path, &error);
        /* What is loaded stays, and so must its descriptor: dlopen() would take another file of this number for it. */
        if (failure != 0)
            close(file);
    }
    if (failure != 0)
        search->refusal = error;
    return failure == 0;
}

static int explain(const transport_search *search, mrpc_error *error)
{
    if (search->refusal.code != 0) {
        if (error != NULL)
            *error = search->refusal;
        return search->refusal.code;
    }
    return mrpc_error_set(error, MRPC_ENOENT, "%s:// needs %s, which is not in %.200s: %s", search->what->scheme,
                          search->base.name, search->base.folders, search->what->advice);
}

static int find_and_load(const loadable *what, const char *path, mrpc_error *error)
{
    transport_search *search = calloc(1, sizeof *search);
    if (search == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "no memory to look for the transport of %s://", what->scheme);
    char name[32];
    snprintf(name, sizeof name, "mrpc-%s.so", what->scheme);
    search->what = what;
    search->base.name = name;
    search->base.found = try_file;
    int result = 0;
    if (mrpc_search_folders(&search->base, path))
        mrpc_transport_add(search->transport);
    else
        result = explain(search, error);
    free(search);
    return result;
}

static const loadable *find_loadable(const char *address)
{
    for (size_t i = 0; i < sizeof loadables / sizeof loadables[0]; i++) {
        size_t length = strlen(loadables[i].scheme);
        if (strncmp(address, loadables[i].scheme, length) == 0 && strncmp(address + length, "://", 3) == 0)
            return &loadables[i];
    }
    return NULL;
}

int mrpc_transport_get(const char *address, const char *path, const mrpc_transport **transport, const char **rest,
                       mrpc_error *error)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    int result = mrpc_transport_find(address, transport, rest, error);
    const loadable *what = result == MRPC_ENOTSUP ? find_loadable(address) : NULL;
    if (what == NULL)
        return result;
    pthread_mutex_lock(&one_at_a_time);
    result = mrpc_transport_find(address, transport, rest, error);
    if (result == MRPC_ENOTSUP)
        result = find_and_load(what, path, error);
    pthread_mutex_unlock(&one_at_a_time);
    return result != 0 ? result : mrpc_transport_find(address, transport, rest, error);
}
