/* SPDX-License-Identifier: BSD-2-Clause */
/* host.c - the functions of loop.h, as the libmrpc that has loaded this module gave them */
#include "config.h"

#include "transports/module.h"

#include "transports/rdma/rdma.h"

static const mrpc_transport_host *host;

static void start(const mrpc_transport_host *given)
{
    host = given;
}

MRPC_API extern const mrpc_transport_module mrpc_transport_export;
const mrpc_transport_module mrpc_transport_export = {
    .size = sizeof mrpc_transport_export,
    .version = PACKAGE_VERSION,
    .setup_size = sizeof(mrpc_transport_setup),
    .options_size = sizeof(mrpc_connection_options),
    .counters_size = sizeof(mrpc_counters),
    .transport = &mrpc_transport_rdma,
    .start = start,
};

uint64_t mrpc_loop_now(const mrpc_loop *loop)
{
    return host->loop_now(loop);
}

int mrpc_loop_add(mrpc_loop *loop, mrpc_watch *watch)
{
    return host->loop_add(loop, watch);
}

void mrpc_loop_remove(mrpc_loop *loop, mrpc_watch *watch)
{
    host->loop_remove(loop, watch);
}

int mrpc_loop_start(mrpc_loop *loop, mrpc_timer *timer, uint64_t at)
{
    return host->loop_start(loop, timer, at);
}

void mrpc_loop_stop(mrpc_loop *loop, mrpc_timer *timer)
{
    host->loop_stop(loop, timer);
}

void mrpc_loop_attach(mrpc_loop *loop, mrpc_attachment *attachment)
{
    host->loop_attach(loop, attachment);
}

mrpc_attachment *mrpc_loop_attachment(const mrpc_loop *loop, const void *key)
{
    return host->loop_attachment(loop, key);
}
