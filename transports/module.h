/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module.h - a transport that is a shared object, loaded when an address first needs it
 *
 * mrpc-SCHEME.so lies in a module folder and exports one `mrpc_transport_export`. It links with libmrpc for what is
 * public there (heaps, arenas, errors); what libmrpc keeps to itself it reaches through mrpc_transport_host. Structs
 * that are not public are shared by both, so they must come from the same build of mrpc, which `version` and the sizes
 * are for.
 */
#ifndef MRPC_TRANSPORTS_MODULE_H
#define MRPC_TRANSPORTS_MODULE_H

#include "transports/transport.h"

/* The functions of loop.h. */
typedef struct mrpc_transport_host {
    size_t size;
    uint64_t (*loop_now)(const mrpc_loop *loop);
    int (*loop_add)(mrpc_loop *loop, mrpc_watch *watch);
    void (*loop_remove)(mrpc_loop *loop, mrpc_watch *watch);
    int (*loop_start)(mrpc_loop *loop, mrpc_timer *timer, uint64_t at);
    void (*loop_stop)(mrpc_loop *loop, mrpc_timer *timer);
    void (*loop_attach)(mrpc_loop *loop, mrpc_attachment *attachment);
    mrpc_attachment *(*loop_attachment)(const mrpc_loop *loop, const void *key);
} mrpc_transport_host;

typedef struct mrpc_transport_module {
    size_t size;
    const char *version; /* of mrpc */
    size_t setup_size, options_size, counters_size;
    const mrpc_transport *transport;
    /* Called once, before anything else. `host` stays. */
    void (*start)(const mrpc_transport_host *host);
} mrpc_transport_module;

#define MRPC_TRANSPORT_SYMBOL "mrpc_transport_export"

#endif /* MRPC_TRANSPORTS_MODULE_H */
