/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zerocopy.c - MSG_ZEROCOPY (Documentation/networking/msg_zerocopy.rst of the kernel)
 *
 * The kernel numbers the zero-copy sends of a socket from 0 and tells, as ranges of numbers in the socket's error
 * queue, which of them it does not read any more. Until then the message keeps its token, and the heap keeps the memory
 * even if the token is taken back. Memory that is in no heap cannot be kept, and is sent with a copy.
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

typedef struct under_way {
    mrpc_stream_message *message; /* NULL: the kernel is done with it */
    const void *held;
} under_way;

struct mrpc_tcp_zero_copy {
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
    connection->zero_copy = calloc(1, sizeof *connection->zero_copy);
    if (connection->zero_copy == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "tcp: no memory for a connection");
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
    if (!reserve(zero_copy) || !mrpc_heap_hold(connection->send_heap, piece->iov_base))
        return send(fd, piece->iov_base, piece->iov_len, MSG_NOSIGNAL);
    ssize_t sent = send(fd, piece->iov_base, piece->iov_len, MSG_NOSIGNAL | MSG_ZEROCOPY);
    if (sent <= 0) {
        int reason = errno;
        mrpc_heap_drop(connection->send_heap, piece->iov_base);
        if (reason ==
            ENOBUFS) /* the kernel's account of pinned memory is full (sysctl net.core.optmem_max, ulimit -l) */
            return send(fd, piece->iov_base, piece->iov_len, MSG_NOSIGNAL);
        errno = reason;
        return sent;
    }
    *at(zero_copy, zero_copy->count++) = (under_way){mrpc_stream_tx_hold(&connection->tx), piece->iov_base};
    return sent;
}

static void finish(mrpc_tcp_connection *connection, under_way *send)
{
    if (send->message == NULL)
        return;
    mrpc_heap_drop(connection->send_heap, send->held);
    mrpc_stream_tx_unhold(&connection->tx, send->message);
    send->message = NULL;
}

/* The kernel is done with the sends from `low` to `high`, both included. */
static void take_notice(mrpc_tcp_connection *connection, uint32_t low, uint32_t high)
{
    mrpc_tcp_zero_copy *zero_copy = connection->zero_copy;
    for (uint32_t number = low; number - low <= high - low && number - zero_copy->first < zero_copy->count; number++)
        finish(connection, at(zero_copy, number - zero_copy->first));
    while (zero_copy->count > 0 && at(zero_copy, 0)->message == NULL) {
        zero_copy->head++;
        zero_copy->first++;
        zero_copy->count--;
    }
}

static bool read_notice(mrpc_tcp_connection *connection)
{
    union {
        struct cmsghdr align;
        char bytes[128];
    } control;
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(connection->watch.fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return false;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at != NULL; at = CMSG_NXTHDR(&message, at)) {
        struct sock_extended_err notice;
        if (at->cmsg_len < CMSG_LEN(sizeof notice))
            continue;
        memcpy(&notice, CMSG_DATA(at), sizeof notice);
        if (notice.ee_origin != SO_EE_ORIGIN_ZEROCOPY || notice.ee_errno != 0)
            continue;
        if (notice.ee_code & SO_EE_CODE_ZEROCOPY_COPIED)
            connection->tx.zero_copy = 0; /* this path copies anyway (loopback does): do not pay for notices as well */
        take_notice(connection, notice.ee_info, notice.ee_data);
    }
    return true;
}

void mrpc_tcp_zero_copy_reap(mrpc_tcp_connection *connection)
{
    while (connection->zero_copy->count > 0 && read_notice(connection))
        ;
}

void mrpc_tcp_zero_copy_free(mrpc_tcp_connection *connection)
{
    mrpc_tcp_zero_copy *zero_copy = connection->zero_copy;
    if (zero_copy == NULL)
        return;
    if (connection->watch.fd >= 0)
        mrpc_tcp_zero_copy_reap(connection);
    if (zero_copy->count > 0) {
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        setsockopt(connection->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(connection->watch.fd); /* before the memory is let go */
        connection->watch.fd = -1;
    }
    for (uint32_t i = 0; i < zero_copy->count; i++)
        finish(connection, at(zero_copy, i));
    connection->zero_copy = NULL;
    free(zero_copy->sends);
    free(zero_copy);
}
