/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rdma.c - rdma://HOST:PORT: the interface of transport.h over reliable connections
 *
 * The frames and their chunks are those of transports/stream/; send.c and receive.c move its bytes. Receiving needs no
 * system call: polling looks at the completion queue, which is memory, for all connections of the hub at once.
 */
#include "config.h"

#include "transports/rdma/rdma.h"

static mrpc_rdma_connection *of(mrpc_connection *base)
{
    return (mrpc_rdma_connection *)base;
}

static int rdma_transport_connect(mrpc_connection **result, const char *address, const mrpc_transport_setup *setup,
                                  mrpc_error *error)
{
    mrpc_rdma *rdma;
    mrpc_rdma_connection *connection;
    int failure = mrpc_rdma_check(address, error);
    if (failure == 0)
        failure = mrpc_rdma_get(&rdma, setup, error);
    if (failure == 0)
        failure = mrpc_rdma_connection_new(&connection, rdma, setup, error);
    if (failure != 0)
        return failure;
    failure = mrpc_rdma_attempt_start(connection, address, setup, error);
    if (failure != 0)
        mrpc_rdma_connection_free(connection);
    else
        *result = &connection->base;
    return failure;
}

static int rdma_begin(mrpc_connection *base, size_t capacity, mrpc_space *space)
{
    const mrpc_rdma_connection *connection = of(base);
    if (MRPC_UNLIKELY(connection->state != RDMA_OPEN))
        return connection->state == RDMA_ENDED ? MRPC_ECLOSED : MRPC_EAGAIN;
    return mrpc_stream_tx_begin(&of(base)->tx, capacity, space);
}

static int rdma_extend(mrpc_connection *base, mrpc_space *space, size_t used, size_t capacity)
{
    return mrpc_stream_tx_extend(&of(base)->tx, space, used, capacity);
}

static void rdma_commit(mrpc_connection *base, mrpc_space *space, const mrpc_extent *extents, mrpc_send_token *token)
{
    mrpc_rdma_connection *connection = of(base);
    const mrpc_frame *frame = (const mrpc_frame *)(const void *)space->data;
    bool receiving = connection->rx.partial_count > 0 || connection->reads.first != NULL;
    if (MRPC_UNLIKELY(receiving) && mrpc_frame_ends_call(frame)) {
        mrpc_stream_rx_end_call(&connection->rx, frame->call);
        mrpc_rdma_read_end_call(connection, frame->call);
    }
    if (extents != NULL && frame->extents > 0 && mrpc_rdma_offer(connection, space, extents, token))
        return;
    mrpc_stream_tx_commit(&connection->tx, space, extents, token);
}

static void rdma_abort(mrpc_connection *base, mrpc_space *space)
{
    mrpc_stream_tx_abort(&of(base)->tx, space);
}

static void rdma_abandon(mrpc_connection *base, mrpc_send_token *token)
{
    if (!mrpc_rdma_offer_abandon(of(base), token))
        mrpc_stream_tx_abandon(&of(base)->tx, token);
}

static void rdma_flush(mrpc_connection *base)
{
    mrpc_rdma_connection *connection = of(base);
    if (!mrpc_rdma_is_open(connection))
        return;
    mrpc_rdma_connection_enter(connection);
    connection->flushed = true;
    mrpc_rdma_send(connection);
    if (MRPC_UNLIKELY(connection->flushed) && mrpc_rdma_is_open(connection))
        (void)mrpc_rdma_hub_poll(connection->hub); /* credits may be there that nobody has looked for */
    mrpc_rdma_connection_leave(connection);
}

static size_t rdma_queued(const mrpc_connection *base)
{
    return (size_t)((const mrpc_rdma_connection *)base)->tx.queued;
}

static bool rdma_opening(const mrpc_connection *base, uint32_t last)
{
    const mrpc_rdma_connection *connection = (const mrpc_rdma_connection *)base;
    return mrpc_stream_rx_opening(&connection->rx, last) || mrpc_rdma_read_opening(connection, last);
}

static bool rdma_poll(mrpc_connection *base)
{
    mrpc_rdma_hub *hub = of(base)->hub;
    if (hub == NULL)
        return false;
    hub->polled = true;
    return mrpc_rdma_hub_poll(hub);
}

static bool rdma_arm(mrpc_connection *base)
{
    mrpc_rdma_hub *hub = of(base)->hub;
    return hub == NULL || mrpc_rdma_hub_arm(hub);
}

static mrpc_heap *rdma_heap(mrpc_connection *base)
{
    return of(base)->send_heap;
}

static void rdma_transport_close(mrpc_connection *base)
{
    mrpc_rdma_connection_close(of(base));
}

const mrpc_transport mrpc_transport_rdma = {
    .size = sizeof(mrpc_transport),
    .scheme = "rdma",
    .capabilities = 0,
    .check = mrpc_rdma_check,
    .connect = rdma_transport_connect,
    .listen = mrpc_rdma_listen,
    .unlisten = mrpc_rdma_unlisten,
    .begin = rdma_begin,
    .extend = rdma_extend,
    .commit = rdma_commit,
    .abort = rdma_abort,
    .abandon = rdma_abandon,
    .flush = rdma_flush,
    .queued = rdma_queued,
    .opening = rdma_opening,
    .poll = rdma_poll,
    .arm = rdma_arm,
    .heap = rdma_heap,
    .close = rdma_transport_close,
};
