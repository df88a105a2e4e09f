/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp.h - what the files of the TCP transport share; tcp.c is the place to start reading */
#ifndef MRPC_TRANSPORTS_TCP_TCP_H
#define MRPC_TRANSPORTS_TCP_TCP_H

#include <stdbool.h>
#include <sys/types.h>

#include "transports/address/address.h"
#include "transports/stream/rx.h"
#include "transports/stream/tx.h"
#include "transports/transport.h"

/* --- options.c --- */

/* A non-blocking socket with the options set, those that accepted sockets inherit included. EINVAL (names the option),
 * ESYS. */
MRPC_MUST_CHECK int mrpc_tcp_socket_new(int *fd, int family, const mrpc_connection_options *options, mrpc_error *error);

/* --- connection.c --- */

typedef enum mrpc_tcp_state {
    MRPC_TCP_CONNECTING, /* looking up, or trying addresses: `attempt` */
    MRPC_TCP_OPEN,
    MRPC_TCP_ENDED /* failed or closed: no socket, nothing queued */
} mrpc_tcp_state;

typedef struct mrpc_tcp_attempt mrpc_tcp_attempt;
typedef struct mrpc_tcp_zero_copy mrpc_tcp_zero_copy;

typedef struct mrpc_tcp_connection {
    mrpc_connection base;
    mrpc_loop *loop;
    mrpc_heap *send_heap;
    mrpc_watch watch;  /* fd is -1 when there is no socket */
    mrpc_timer resume; /* for what is left to do, at once or later */
    mrpc_tcp_attempt *attempt;
    mrpc_tcp_zero_copy *zero_copy; /* NULL: the option is not set, or there is no heap whose memory can be held */
    mrpc_tcp_state state;
    uint32_t chunk; /* of this side */
    uint32_t depth; /* of functions that work on it: it is freed when the outermost returns */
    bool blocked;   /* the socket is full: wait until it is writable */
    bool hangup;    /* the end of the stream is near: read until it comes */
    bool unread;    /* the socket may have more */
    bool failed;    /* `reason` is to be reported */
    bool reported;
    bool closing;
    mrpc_error reason;
    mrpc_stream_tx tx;
    mrpc_stream_rx rx;
} mrpc_tcp_connection;

MRPC_MUST_CHECK int mrpc_tcp_connection_new(mrpc_tcp_connection **connection, const mrpc_transport_setup *setup,
                                            mrpc_error *error);
/* Ends and frees it, now or when the outermost leave() is reached. */
void mrpc_tcp_connection_close(mrpc_tcp_connection *connection);
/* A connected socket is the connection's now: watches it. ENOMEM, ESYS. */
MRPC_MUST_CHECK int mrpc_tcp_connection_open(mrpc_tcp_connection *connection, int fd);
/* Between these two the connection is not freed. */
void mrpc_tcp_connection_enter(mrpc_tcp_connection *connection);
void mrpc_tcp_connection_leave(mrpc_tcp_connection *connection);
/* The connection has ended: `closed` comes when the outermost leave() is reached. */
void mrpc_tcp_connection_fail(mrpc_tcp_connection *connection, const mrpc_error *reason);
/* As above; the text is put behind the peer's address, and the errno's text, if it is not 0, behind that. */
void mrpc_tcp_connection_fail_text(mrpc_tcp_connection *connection, int code, int system_errno, const char *text);
/* Calls `resume` at that time of the loop's clock; 0: as soon as it runs. */
void mrpc_tcp_connection_resume(mrpc_tcp_connection *connection, uint64_t at);
/* Both work on an open connection between enter and leave. */
void mrpc_tcp_connection_send(mrpc_tcp_connection *connection);
void mrpc_tcp_connection_receive(mrpc_tcp_connection *connection, uint32_t passes);

/* --- zerocopy.c --- */

/* Prepares zero-copy sends of extents from `threshold` bytes on. ENOMEM. */
MRPC_MUST_CHECK int mrpc_tcp_zero_copy_new(mrpc_tcp_connection *connection, uint64_t threshold, mrpc_error *error);
/* The socket is connected: asks the kernel for it. */
void mrpc_tcp_zero_copy_open(mrpc_tcp_connection *connection);
/* Sends a piece; as send(). */
ssize_t mrpc_tcp_zero_copy_send(mrpc_tcp_connection *connection, const struct iovec *piece);
/* Takes the kernel's notices. Call mrpc_stream_tx_release() afterwards. */
void mrpc_tcp_zero_copy_reap(mrpc_tcp_connection *connection);
/* Before the socket is closed, and after it is watched no more: takes it away when the kernel still reads, and closes
 * it when that has come to its end. */
void mrpc_tcp_zero_copy_free(mrpc_tcp_connection *connection);

/* --- attempt.c --- */

int mrpc_tcp_attempt_check(const char *address, mrpc_error *error);
MRPC_MUST_CHECK int mrpc_tcp_attempt_start(mrpc_tcp_connection *connection, const char *address,
                                           const mrpc_transport_setup *setup, mrpc_error *error);
void mrpc_tcp_attempt_ready(mrpc_tcp_connection *connection, uint32_t events);
void mrpc_tcp_attempt_expired(mrpc_tcp_connection *connection);
void mrpc_tcp_attempt_free(mrpc_tcp_connection *connection);

/* --- listen.c --- */

int mrpc_tcp_listen(mrpc_listener **listener, const char *address, const mrpc_transport_setup *setup,
                    mrpc_error *error);
void mrpc_tcp_unlisten(mrpc_listener *listener);

#endif /* MRPC_TRANSPORTS_TCP_TCP_H */
