/* SPDX-License-Identifier: BSD-2-Clause */
/* connection.c - an open connection: what the stream's two halves do not do, which is I/O */
#include "config.h"

#include "transports/tcp/tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    VECTORS = 64, /* of one send */
    PASSES = 16   /* receives in a row before others have their turn */
};

/* --- frames that come --- */

static int deliver(mrpc_stream_rx *rx, const mrpc_incoming *incoming)
{
    mrpc_tcp_connection *connection = (mrpc_tcp_connection *)((char *)rx - offsetof(mrpc_tcp_connection, rx));
    /* Asked before: the header may be gone afterwards. */
    bool ends = mrpc_frame_ends_call(incoming->header);
    uint32_t call = incoming->header->call;
    if (incoming->header->type == FRAME_HELLO)
        mrpc_stream_tx_learn(&connection->tx, incoming, connection->chunk);
    int failure = connection->base.events->received(&connection->base, incoming);
    if (ends && failure == 0 && !rx->stopped)
        mrpc_stream_tx_end_call(&connection->tx, call);
    return failure;
}

/* --- life --- */

static void ready(mrpc_watch *watch, uint32_t events);
static void expired(mrpc_timer *timer);

int mrpc_tcp_connection_new(mrpc_tcp_connection **result, const mrpc_transport_setup *setup, mrpc_error *error)
{
    mrpc_tcp_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "tcp: no memory for a connection");
    connection->base.transport = &mrpc_transport_tcp;
    connection->base.counters = setup->counters;
    connection->loop = setup->loop;
    connection->send_heap = setup->send_heap;
    connection->watch = (mrpc_watch){.ready = ready, .fd = -1};
    connection->resume.expired = expired;
    connection->chunk = setup->options.chunk;
    mrpc_buffers *buffers = mrpc_loop_buffers(setup->loop);
    mrpc_stream_tx_init(&connection->tx, buffers, setup->counters);
    connection->rx = (mrpc_stream_rx){
        .buffers = buffers,
        .counters = setup->counters,
        .heap = setup->receive_heap,
        .max_message = setup->options.max_message,
        .max_unfinished = setup->options.max_unfinished,
        .chunk = setup->options.chunk,
        .error = &connection->reason,
        .deliver = deliver,
    };
    int failure = 0;
    if (setup->options.zero_copy != 0 && setup->send_heap != NULL)
        failure = mrpc_tcp_zero_copy_new(connection, setup->options.zero_copy, error);
    if (failure != 0)
        free(connection);
    else
        *result = connection;
    return failure;
}

int mrpc_tcp_connection_open(mrpc_tcp_connection *connection, int fd)
{
    connection->watch.fd = fd;
    connection->state = MRPC_TCP_OPEN;
    if (connection->zero_copy != NULL)
        mrpc_tcp_zero_copy_open(connection);
    return mrpc_loop_add(connection->loop, &connection->watch);
}

/* No event comes after this, nothing is read or written, and no token is out. */
static void shut(mrpc_tcp_connection *connection)
{
    if (connection->state == MRPC_TCP_ENDED)
        return;
    connection->state = MRPC_TCP_ENDED;
    connection->rx.stopped = true;
    mrpc_loop_stop(connection->loop, &connection->resume);
    mrpc_loop_remove(connection->loop, &connection->watch);
    mrpc_tcp_attempt_free(connection);
    mrpc_tcp_zero_copy_free(connection);
    if (connection->watch.fd >= 0)
        close(connection->watch.fd);
    connection->watch.fd = -1;
    mrpc_stream_tx_clear(&connection->tx);
}

static void destroy(mrpc_tcp_connection *connection)
{
    shut(connection);
    mrpc_stream_tx_clear(&connection->tx); /* what was committed after it had ended */
    mrpc_stream_rx_clear(&connection->rx);
    free(connection);
}

void mrpc_tcp_connection_close(mrpc_tcp_connection *connection)
{
    connection->closing = true;
    if (connection->depth == 0)
        destroy(connection);
    else
        shut(connection);
}

void mrpc_tcp_connection_enter(mrpc_tcp_connection *connection)
{
    connection->depth++;
}

void mrpc_tcp_connection_leave(mrpc_tcp_connection *connection)
{
    if (connection->depth > 1) {
        connection->depth--;
        return;
    }
    if (MRPC_UNLIKELY(connection->failed && !connection->reported && !connection->closing)) {
        connection->reported = true;
        shut(connection);
        mrpc_stream_rx_clear(&connection->rx);
        connection->base.events->closed(&connection->base, &connection->reason);
    }
    connection->depth--;
    if (MRPC_UNLIKELY(connection->closing))
        destroy(connection);
}

void mrpc_tcp_connection_fail(mrpc_tcp_connection *connection, const mrpc_error *reason)
{
    if (connection->failed)
        return;
    connection->failed = true;
    connection->rx.stopped = true;
    connection->reason = *reason;
}

void mrpc_tcp_connection_fail_text(mrpc_tcp_connection *connection, int code, int system_errno, const char *text)
{
    mrpc_error reason;
    if (system_errno != 0)
        (void)mrpc_error_system(&reason, system_errno, "%s: %s", connection->base.peer, text);
    else
        (void)mrpc_error_set(&reason, code, "%s: %s", connection->base.peer, text);
    reason.code = code;
    mrpc_tcp_connection_fail(connection, &reason);
}

void mrpc_tcp_connection_resume(mrpc_tcp_connection *connection, uint64_t at)
{
    if (mrpc_loop_start(connection->loop, &connection->resume, at) != 0)
        mrpc_tcp_connection_fail_text(connection, MRPC_ENOMEM, 0, "no memory for a timer");
}

static bool is_open(const mrpc_tcp_connection *connection)
{
    return connection->state == MRPC_TCP_OPEN && !connection->failed;
}

/* --- sending --- */

static ssize_t send_vectors(mrpc_tcp_connection *connection, struct iovec *vectors, int count)
{
    if (count == 1)
        return send(connection->watch.fd, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL);
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = (size_t)count};
    return sendmsg(connection->watch.fd, &message, MSG_NOSIGNAL);
}

/* What the peer said before it went away is worth more than how a send failed: read first. */
static void send_failed(mrpc_tcp_connection *connection, int reason)
{
    connection->blocked = true;
    connection->hangup = true;
    connection->reason.system_errno = reason;
    mrpc_tcp_connection_resume(connection, 0);
}

/* One send. False: there is nothing to send, or no room in the socket. */
static bool send_once(mrpc_tcp_connection *connection, bool *drained)
{
    struct iovec vectors[VECTORS];
    size_t bytes;
    bool zero_copy;
    int count = mrpc_stream_tx_gather(&connection->tx, vectors, VECTORS, &bytes, &zero_copy);
    if (count == 0)
        return false;
    connection->base.counters->system_calls_send++;
    ssize_t sent = zero_copy ? mrpc_tcp_zero_copy_send(connection, vectors) : send_vectors(connection, vectors, count);
    if (sent < 0) {
        if (errno == EINTR)
            return true;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            connection->blocked = true;
        else
            send_failed(connection, errno);
        return false;
    }
    connection->base.counters->bytes_sent += (uint64_t)sent;
    connection->blocked = (size_t)sent < bytes;
    mrpc_stream_tx_sent(&connection->tx, (size_t)sent);
    *drained |= mrpc_stream_tx_release(&connection->tx);
    return !connection->blocked;
}

void mrpc_tcp_connection_send(mrpc_tcp_connection *connection)
{
    bool drained = false;
    while (is_open(connection) && !connection->blocked && send_once(connection, &drained))
        ;
    if (is_open(connection) && connection->tx.failed)
        mrpc_tcp_connection_fail_text(connection, MRPC_ENOMEM, 0, "no memory to send a frame");
    if (drained && is_open(connection))
        connection->base.events->drained(&connection->base);
}

/* --- receiving --- */

static ssize_t receive_vectors(mrpc_tcp_connection *connection, struct iovec *vectors, int count)
{
    connection->base.counters->system_calls_receive++;
    if (count == 1)
        return recv(connection->watch.fd, vectors[0].iov_base, vectors[0].iov_len, 0);
    return readv(connection->watch.fd, vectors, count);
}

static void ended(mrpc_tcp_connection *connection)
{
    int reason = connection->reason.system_errno; /* of a send */
    if (!mrpc_stream_rx_at_boundary(&connection->rx))
        mrpc_tcp_connection_fail_text(connection, MRPC_ECLOSED, reason,
                                      "the peer closed the connection in the middle of a message");
    else
        mrpc_tcp_connection_fail_text(connection, MRPC_ECLOSED, reason, "the peer closed the connection");
}

static void receive_failed(mrpc_tcp_connection *connection, int reason)
{
    if (reason == EAGAIN || reason == EWOULDBLOCK) {
        connection->unread = false;
        if (connection->reason.system_errno != 0 && !connection->failed)
            mrpc_tcp_connection_fail_text(connection, MRPC_ESYS, connection->reason.system_errno, "send");
    } else if (reason != EINTR) {
        mrpc_tcp_connection_fail_text(connection, MRPC_ESYS, reason, "recv");
    }
}

static void receive_once(mrpc_tcp_connection *connection)
{
    struct iovec vectors[2];
    int count = mrpc_stream_rx_room(&connection->rx, vectors);
    if (count == 0) {
        mrpc_tcp_connection_fail_text(connection, MRPC_ENOMEM, 0, "no memory to receive");
        return;
    }
    ssize_t received = receive_vectors(connection, vectors, count);
    if (received < 0) {
        receive_failed(connection, errno);
        return;
    }
    if (received == 0) {
        ended(connection);
        return;
    }
    size_t offered = vectors[0].iov_len + (count > 1 ? vectors[1].iov_len : 0);
    connection->unread = connection->hangup || (size_t)received == offered;
    if (mrpc_stream_rx_take(&connection->rx, (size_t)received) != 0)
        mrpc_tcp_connection_fail_text(connection, connection->reason.code, 0, connection->reason.text);
}

void mrpc_tcp_connection_receive(mrpc_tcp_connection *connection, uint32_t passes)
{
    uint64_t frames = connection->rx.frames;
    connection->unread = true;
    while (is_open(connection) && connection->unread && passes-- > 0)
        receive_once(connection);
    if (!is_open(connection))
        return;
    mrpc_stream_rx_rest(&connection->rx);
    if (connection->rx.frames != frames)
        connection->base.active = mrpc_loop_now(connection->loop);
    if (connection->unread) /* no new edge will tell of it */
        mrpc_tcp_connection_resume(connection, 0);
    else
        mrpc_loop_stop(connection->loop, &connection->resume);
}

/* --- events of the loop --- */

/* The kernel has notices of zero-copy sends. */
static void reap(mrpc_tcp_connection *connection)
{
    mrpc_tcp_zero_copy_reap(connection);
    if (mrpc_stream_tx_release(&connection->tx) && is_open(connection))
        connection->base.events->drained(&connection->base);
}

static void ready(mrpc_watch *watch, uint32_t events)
{
    mrpc_tcp_connection *connection = (mrpc_tcp_connection *)((char *)watch - offsetof(mrpc_tcp_connection, watch));
    mrpc_tcp_connection_enter(connection);
    if (connection->state == MRPC_TCP_CONNECTING)
        mrpc_tcp_attempt_ready(connection, events);
    if ((events & LOOP_ERROR) && connection->zero_copy != NULL)
        reap(connection);
    if ((events & LOOP_HANGUP) || ((events & LOOP_ERROR) && connection->zero_copy == NULL))
        connection->hangup = true;
    if ((events & LOOP_OUT) && is_open(connection)) {
        connection->blocked = false;
        mrpc_tcp_connection_send(connection);
    }
    if ((events & LOOP_IN) && is_open(connection))
        mrpc_tcp_connection_receive(connection, PASSES);
    mrpc_tcp_connection_leave(connection);
}

static void expired(mrpc_timer *timer)
{
    mrpc_tcp_connection *connection = (mrpc_tcp_connection *)((char *)timer - offsetof(mrpc_tcp_connection, resume));
    mrpc_tcp_connection_enter(connection);
    if (connection->state == MRPC_TCP_CONNECTING && !connection->failed)
        mrpc_tcp_attempt_expired(connection);
    else if (is_open(connection))
        mrpc_tcp_connection_receive(connection, PASSES);
    mrpc_tcp_connection_leave(connection);
}
