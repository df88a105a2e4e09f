/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lookup.c - looking names up without holding the loop
 *
 * getaddrinfo() blocks for as long as DNS takes, and nothing else asks /etc/nsswitch.conf. So each look-up of a name
 * (not of a numeric address, nor of localhost) has a thread that lives as long as the look-up: the one exception to the
 * rule that the library starts no thread unasked. The thread shares nothing with the loop but a mrpc_lookup, which
 * the last of the two frees, and its eventfd.
 */
#include "config.h"

#include "transports/address/address.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { STACK = 256 * 1024 };

struct mrpc_lookup {
    _Atomic int owners;
    _Atomic bool done;
    int fd;
    int failure;
    uint16_t port;
    mrpc_addresses addresses;
    char host[MRPC_ADDRESS_HOST];
};

int mrpc_lookup_fd(const mrpc_lookup *lookup)
{
    return lookup->fd;
}

void mrpc_lookup_free(mrpc_lookup *lookup)
{
    if (lookup == NULL || atomic_fetch_sub(&lookup->owners, 1) > 1)
        return;
    close(lookup->fd);
    free(lookup);
}

static void *run(void *argument)
{
    mrpc_lookup *lookup = argument;
    lookup->failure = mrpc_address_lookup(lookup->host, lookup->port, &lookup->addresses);
    atomic_store(&lookup->done, true);
    uint64_t one = 1;
    ssize_t written = write(lookup->fd, &one, sizeof one);
    (void)written; /* a fresh eventfd has room */
    mrpc_lookup_free(lookup);
    return NULL;
}

/* Signals are for the application's own threads. */
static int start_thread(mrpc_lookup *lookup)
{
    sigset_t all, saved;
    pthread_t thread;
    pthread_attr_t attributes;
    int failure = pthread_attr_init(&attributes);
    if (failure != 0)
        return failure;
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    failure = pthread_create(&thread, &attributes, run, lookup);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    pthread_attr_destroy(&attributes);
    return failure;
}

int mrpc_lookup_start(const char *scheme, mrpc_lookup **result, const char *host, uint16_t port, mrpc_error *error)
{
    mrpc_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "%s://%s:%u: no memory", scheme, host, port);
    atomic_init(&lookup->owners, 2);
    lookup->port = port;
    memcpy(lookup->host, host, strlen(host) + 1); /* mrpc_address_split() keeps it shorter than MRPC_ADDRESS_HOST */
    lookup->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int reason = lookup->fd < 0 ? errno : start_thread(lookup);
    if (reason == 0) {
        *result = lookup;
        return 0;
    }
    if (lookup->fd >= 0)
        close(lookup->fd);
    free(lookup);
    return mrpc_error_system(error, reason, "%s://%s:%u: cannot start to look the name up", scheme, host, port);
}

bool mrpc_lookup_done(const mrpc_lookup *lookup, mrpc_addresses *addresses, int *failure)
{
    if (!atomic_load(&lookup->done))
        return false;
    *addresses = lookup->addresses;
    *failure = lookup->failure;
    return true;
}
