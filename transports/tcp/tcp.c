/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp.c - tcp://HOST:PORT: the interface of transport.h over a socket
 *
 * connection.c moves bytes between the socket and transports/stream/, which knows about frames. Sends and receives are
 * direct and do not block; the loop tells when to try again. A connection that nobody polls costs nothing, and has no
 * buffers while it is idle.
 */
#include "config.h"

#include "transports/tcp/tcp.h"

static mrpc_tcp_connection *of(mrpc_connection *base)
{
    return (mrpc_tcp_connection *)base;
}

static int tcp_connect(mrpc_connection **result, const char *address, const mrpc_transport_setup *setup,
                       mrpc_error *error)
{
    mrpc_tcp_connection *connection;
    int failure = mrpc_tcp_connection_new(&connection, setup, error);
    if (failure != 0)
        return failure;
    failure = mrpc_tcp_attempt_start(connection, address, setup, error);
    if (failure != 0)
        mrpc_tcp_connection_close(connection);
    else
        *result = &connection->base;
    return failure;
}

static int tcp_begin(mrpc_connection *base, size_t capacity, mrpc_space *space)
{
    if (MRPC_UNLIKELY(of(base)->state == MRPC_TCP_ENDED))
        return MRPC_ECLOSED;
    return mrpc_stream_tx_begin(&of(base)->tx, capacity, space);
}

static int tcp_extend(mrpc_connection *base, mrpc_space *space, size_t used, size_t capacity)
{
    return mrpc_stream_tx_extend(&of(base)->tx, space, used, capacity);
}

static void tcp_commit(mrpc_connection *base, mrpc_space *space, const mrpc_extent *extents, mrpc_send_token *token)
{
    mrpc_tcp_connection *connection = of(base);
    const mrpc_frame *frame = (const mrpc_frame *)(const void *)space->data;
    if (MRPC_UNLIKELY(connection->rx.partial_count > 0) && mrpc_frame_ends_call(frame))
        mrpc_stream_rx_end_call(&connection->rx, frame->call);
    mrpc_stream_tx_commit(&connection->tx, space, extents, token);
}

static void tcp_abort(mrpc_connection *base, mrpc_space *space)
{
    mrpc_stream_tx_abort(&of(base)->tx, space);
}

static void tcp_abandon(mrpc_connection *base, mrpc_send_token *token)
{
    mrpc_stream_tx_abandon(&of(base)->tx, token);
}

static void tcp_flush(mrpc_connection *base)
{
    mrpc_tcp_connection *connection = of(base);
    if (connection->blocked && !connection->tx.failed)
        return;
    mrpc_tcp_connection_enter(connection);
    mrpc_tcp_connection_send(connection);
    mrpc_tcp_connection_leave(connection);
}

static size_t tcp_queued(const mrpc_connection *base)
{
    return (size_t)((const mrpc_tcp_connection *)base)->tx.queued;
}

static bool tcp_opening(const mrpc_connection *base, uint32_t last)
{
    return mrpc_stream_rx_opening(&((const mrpc_tcp_connection *)base)->rx, last);
}

static bool tcp_poll(mrpc_connection *base)
{
    mrpc_tcp_connection *connection = of(base);
    if (connection->state != MRPC_TCP_OPEN)
        return false;
    mrpc_tcp_connection_enter(connection);
    uint64_t frames = connection->rx.frames;
    mrpc_tcp_connection_receive(connection, 1);
    bool came = connection->rx.frames != frames;
    mrpc_tcp_connection_leave(connection);
    return came;
}

/* The loop watches the socket all the time, and what has come since the last poll is an edge that it reports. */
static bool tcp_arm(mrpc_connection *base)
{
    return !of(base)->unread;
}

static mrpc_heap *tcp_heap(mrpc_connection *base)
{
    return of(base)->send_heap;
}

static void tcp_close(mrpc_connection *base)
{
    mrpc_tcp_connection_close(of(base));
}

const mrpc_transport mrpc_transport_tcp = {
    .size = sizeof(mrpc_transport),
    .scheme = "tcp",
    .capabilities = 0,
    .check = mrpc_tcp_attempt_check,
    .connect = tcp_connect,
    .listen = mrpc_tcp_listen,
    .unlisten = mrpc_tcp_unlisten,
    .begin = tcp_begin,
    .extend = tcp_extend,
    .commit = tcp_commit,
    .abort = tcp_abort,
    .abandon = tcp_abandon,
    .flush = tcp_flush,
    .queued = tcp_queued,
    .opening = tcp_opening,
    .poll = tcp_poll,
    .arm = tcp_arm,
    .heap = tcp_heap,
    .close = tcp_close,
};
