/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zerocopy.c - MSG_ZEROCOPY (Documentation/networking/msg_zerocopy.rst of the kernel)
 *
 * The kernel numbers the zero-copy sends of a socket from 0 and tells, as ranges of numbers in the socket's error
 * queue, which of them it does not read any more. Until then the message keeps its token, and the heap keeps the memory
 * even if the token is taken back. Memory that is in no heap cannot be kept, and is sent with a copy.
 *
 * A connection may end while the kernel still reads: closing the socket would not stop it, and letting the memory go
 * would send what is written there next. So the socket outlives its connection, half-closed, until the last notice has
 * come, and the peer gets what was sent; after LINGER_NS it is reset, which does stop the kernel.
 */
#include "config.h"

#include "transports/tcp/tcp.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FIRST_SENDS = 16,
    MANY = 32 /* sends under way, from which on notices are asked for without waiting for the loop */
};

#define LINGER_NS (UINT64_C(5) * 1000000000)

typedef struct under_way {
    mrpc_stream_message *message; /* NULL: it does not wait for the kernel any more */
    const void *held;             /* NULL: the kernel is done with it */
} under_way;

struct mrpc_tcp_zero_copy {
    mrpc_loop *loop;
    mrpc_heap *heap;    /* whose memory the kernel reads */
    mrpc_stream_tx *tx; /* NULL: the connection has ended */
    mrpc_watch watch;   /* from then on: the socket is ours, */
    mrpc_timer timer;   /* but only so long */
    mrpc_remnant remnant;
    under_way *sends; /* a ring of `capacity`, a power of two */
    uint32_t head, count, capacity;
    uint32_t first; /* the kernel's number of the send at the head */
};

static under_way *at(mrpc_tcp_zero_copy *zero_copy, uint32_t index)
{
    return &zero_copy->sends[(zero_copy->head + index) & (zero_copy->capacity - 1)];
}

static bool reserve(mrpc_tcp_zero_copy *zero_copy)
{
    if (zero_copy->count < zero_copy->capacity)
        return true;
    uint32_t capacity = zero_copy->capacity == 0 ? FIRST_SENDS : zero_copy->capacity * 2;
    under_way *sends = malloc(capacity * sizeof *sends);
    if (sends == NULL)
        return false;
    for (uint32_t i = 0; i < zero_copy->count; i++)
        sends[i] = *at(zero_copy, i);
    free(zero_copy->sends);
    zero_copy->sends = sends;
    zero_copy->capacity = capacity;
    zero_copy->head = 0;
    return true;
}

int mrpc_tcp_zero_copy_new(mrpc_tcp_connection *connection, uint64_t threshold, mrpc_error *error)
{
    mrpc_tcp_zero_copy *zero_copy = calloc(1, sizeof *zero_copy);
    if (zero_copy == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "tcp: no memory for a connection");
    zero_copy->loop = connection->loop;
    zero_copy->heap = mrpc_heap_ref(connection->send_heap);
    zero_copy->tx = &connection->tx;
    connection->zero_copy = zero_copy;
    connection->tx.zero_copy = threshold;
    return 0;
}

void mrpc_tcp_zero_copy_open(mrpc_tcp_connection *connection)
{
    int one = 1;
    if (setsockopt(connection->watch.fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof one) != 0)
        connection->tx.zero_copy = 0; /* an old kernel: with copies it works as well */
}

ssize_t mrpc_tcp_zero_copy_send(mrpc_tcp_connection *connection, const struct iovec *piece)
{
    mrpc_tcp_zero_copy *zero_copy = connection->zero_copy;
    int fd = connection->watch.fd;
    if (zero_copy->count >= MANY)
        mrpc_tcp_zero_copy_reap(connection);
    if (!reserve(zero_copy) || !mrpc_heap_hold(zero_copy->heap, piece->iov_base))
        return send(fd, piece->iov_base, piece->iov_len, MSG_NOSIGNAL);
    ssize_t sent = send(fd, piece->iov_base, piece->iov_len, MSG_NOSIGNAL | MSG_ZEROCOPY);
    if (sent <= 0) {
        int reason = errno;
        mrpc_heap_drop(zero_copy->heap, piece->iov_base);
        if (reason ==
            ENOBUFS) /* the kernel's account of pinned memory is full (sysctl net.core.optmem_max, ulimit -l) */
            return send(fd, piece->iov_base, piece->iov_len, MSG_NOSIGNAL);
        errno = reason;
        return sent;
    }
    *at(zero_copy, zero_copy->count++) = (under_way){mrpc_stream_tx_hold(zero_copy->tx), piece->iov_base};
    return sent;
}

/* --- notices --- */

/* The message does not wait for this send any more. */
static void unhold(mrpc_tcp_zero_copy *zero_copy, under_way *send)
{
    if (send->message != NULL)
        mrpc_stream_tx_unhold(zero_copy->tx, send->message);
    send->message = NULL;
}

static void finish(mrpc_tcp_zero_copy *zero_copy, under_way *send)
{
    if (send->held != NULL)
        mrpc_heap_drop(zero_copy->heap, send->held);
    send->held = NULL;
    unhold(zero_copy, send);
}

/* The kernel is done with the sends from `low` to `high`, both included. */
static void take_notice(mrpc_tcp_zero_copy *zero_copy, uint32_t low, uint32_t high)
{
    for (uint32_t number = low; number - low <= high - low && number - zero_copy->first < zero_copy->count; number++)
        finish(zero_copy, at(zero_copy, number - zero_copy->first));
    while (zero_copy->count > 0 && at(zero_copy, 0)->held == NULL) {
        zero_copy->head++;
        zero_copy->first++;
        zero_copy->count--;
    }
}

static bool read_notice(mrpc_tcp_zero_copy *zero_copy, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[128];
    } control;
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return false;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at != NULL; at = CMSG_NXTHDR(&message, at)) {
        struct sock_extended_err notice;
        if (at->cmsg_len < CMSG_LEN(sizeof notice))
            continue;
        memcpy(&notice, CMSG_DATA(at), sizeof notice);
        if (notice.ee_origin != SO_EE_ORIGIN_ZEROCOPY || notice.ee_errno != 0)
            continue;
        if ((notice.ee_code & SO_EE_CODE_ZEROCOPY_COPIED) && zero_copy->tx != NULL)
            zero_copy->tx->zero_copy = 0; /* this path copies anyway (loopback does): do not pay for notices as well */
        take_notice(zero_copy, notice.ee_info, notice.ee_data);
    }
    return true;
}

static void reap(mrpc_tcp_zero_copy *zero_copy, int fd)
{
    while (zero_copy->count > 0 && read_notice(zero_copy, fd))
        ;
}

void mrpc_tcp_zero_copy_reap(mrpc_tcp_connection *connection)
{
    reap(connection->zero_copy, connection->watch.fd);
}

/* --- the end --- */

static void free_zero_copy(mrpc_tcp_zero_copy *zero_copy)
{
    for (uint32_t i = 0; i < zero_copy->count; i++)
        finish(zero_copy, at(zero_copy, i));
    mrpc_heap_unref(zero_copy->heap);
    free(zero_copy->sends);
    free(zero_copy);
}

/* Closes the socket so that the kernel reads nothing any more when this returns. */
static void reset(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

/* The socket that outlived its connection goes: reset if the kernel still reads. */
static void end_lingering(mrpc_tcp_zero_copy *zero_copy)
{
    mrpc_loop_take_back(&zero_copy->remnant);
    mrpc_loop_stop(zero_copy->loop, &zero_copy->timer);
    mrpc_loop_remove(zero_copy->loop, &zero_copy->watch);
    if (zero_copy->count > 0)
        reset(zero_copy->watch.fd);
    else
        close(zero_copy->watch.fd);
    free_zero_copy(zero_copy);
}

static void lingering_ready(mrpc_watch *watch, uint32_t events)
{
    mrpc_tcp_zero_copy *zero_copy = (mrpc_tcp_zero_copy *)((char *)watch - offsetof(mrpc_tcp_zero_copy, watch));
    (void)events;
    reap(zero_copy, watch->fd);
    if (zero_copy->count == 0)
        end_lingering(zero_copy);
}

static void lingered(mrpc_timer *timer)
{
    end_lingering((mrpc_tcp_zero_copy *)((char *)timer - offsetof(mrpc_tcp_zero_copy, timer)));
}

static void loop_ends(mrpc_remnant *remnant)
{
    end_lingering((mrpc_tcp_zero_copy *)((char *)remnant - offsetof(mrpc_tcp_zero_copy, remnant)));
}

/* False: it cannot be watched. */
static bool linger(mrpc_tcp_zero_copy *zero_copy, int fd)
{
    zero_copy->watch = (mrpc_watch){.ready = lingering_ready, .fd = fd};
    zero_copy->timer.expired = lingered;
    zero_copy->remnant.end = loop_ends;
    if (mrpc_loop_start(zero_copy->loop, &zero_copy->timer, mrpc_loop_now(zero_copy->loop) + LINGER_NS) != 0)
        return false;
    if (mrpc_loop_add(zero_copy->loop, &zero_copy->watch) != 0) {
        mrpc_loop_stop(zero_copy->loop, &zero_copy->timer);
        return false;
    }
    mrpc_loop_leave(zero_copy->loop, &zero_copy->remnant);
    shutdown(fd, SHUT_WR); /* behind what is under way */
    return true;
}

void mrpc_tcp_zero_copy_free(mrpc_tcp_connection *connection)
{
    mrpc_tcp_zero_copy *zero_copy = connection->zero_copy;
    int fd = connection->watch.fd;
    if (zero_copy == NULL)
        return;
    connection->zero_copy = NULL;
    if (fd >= 0)
        reap(zero_copy, fd);
    for (uint32_t i = 0; i < zero_copy->count; i++)
        unhold(zero_copy, at(zero_copy, i));
    zero_copy->tx = NULL;
    if (zero_copy->count > 0) {
        connection->watch.fd = -1;
        if (linger(zero_copy, fd))
            return;
        reset(fd);
    }
    free_zero_copy(zero_copy);
}
