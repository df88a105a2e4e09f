/* SPDX-License-Identifier: BSD-2-Clause */
/* shm.c - the transport's table */
#include "config.h"

#include "transports/shm/address.h"
#include "transports/shm/connection.h"

const mrpc_transport mrpc_transport_shm = {
    .size = sizeof(mrpc_transport),
    .scheme = "shm",
    .capabilities = TRANSPORT_BY_REFERENCE | TRANSPORT_LOCAL,
    .check = mrpc_shm_address_check,
    .connect = mrpc_shm_connect,
    .listen = mrpc_shm_listen,
    .unlisten = mrpc_shm_unlisten,
    .begin = mrpc_shm_begin,
    .extend = mrpc_shm_extend,
    .commit = mrpc_shm_commit,
    .abort = mrpc_shm_abort,
    .abandon = mrpc_shm_abandon,
    .flush = mrpc_shm_flush,
    .queued = mrpc_shm_queued,
    .opening = mrpc_shm_opening,
    .poll = mrpc_shm_poll,
    .arm = mrpc_shm_arm,
    .heap = mrpc_shm_heap,
    .close = mrpc_shm_close,
};
