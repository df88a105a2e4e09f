/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp.h - what the files of the TCP transport share; tcp.c is the place to start reading */
#ifndef MRPC_TRANSPORTS_TCP_TCP_H
#define MRPC_TRANSPORTS_TCP_TCP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "transports/stream/rx.h"
#include "transports/stream/tx.h"
#include "transports/transport.h"

enum {
    TCP_ADDRESSES = 16, /* of one name that are tried */
    TCP_HOST = 256,
    TCP_TEXT = 128 /* an address in words; as mrpc_connection.peer */
};

typedef union tcp_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} tcp_address;

typedef struct tcp_addresses {
    tcp_address list[TCP_ADDRESSES];
    uint32_t count;
} tcp_addresses;

/* --- address.c --- */

/* "HOST:PORT" or "[IPV6]:PORT". EINVAL, with an example. */
MRPC_MUST_CHECK int tcp_address_split(const char *text, char host[TCP_HOST], uint16_t *port, mrpc_error *error);
/* Addresses that need no look-up: numeric ones and localhost. False: the host is a name. */
bool tcp_address_known(const char *host, uint16_t port, tcp_addresses *addresses);
/* Looks a name up, in files and DNS; blocks. 0, or an EAI_… code of getaddrinfo. */
MRPC_MUST_CHECK int tcp_address_lookup(const char *host, uint16_t port, tcp_addresses *addresses);
socklen_t tcp_address_size(const tcp_address *address);
/* "tcp://127.0.0.1:5000" */
void tcp_address_print(const tcp_address *address, char text[TCP_TEXT]);

/* --- options.c --- */

/* A non-blocking socket with the options set, those that accepted sockets inherit included. EINVAL (names the option),
 * ESYS. */
MRPC_MUST_CHECK int tcp_socket_new(int *fd, int family, const mrpc_connection_options *options, mrpc_error *error);

/* --- resolve.c: names are looked up by a thread of their own --- */

typedef struct tcp_lookup tcp_lookup;

/* Starts one; its descriptor becomes readable when it is done. ENOMEM, ESYS. */
MRPC_MUST_CHECK int tcp_lookup_start(tcp_lookup **lookup, const char *host, uint16_t port, mrpc_error *error);
int tcp_lookup_fd(const tcp_lookup *lookup);
/* True when it is done; then *failure is 0 or an EAI_… code. */
bool tcp_lookup_done(const tcp_lookup *lookup, tcp_addresses *addresses, int *failure);
/* Lets go of it, done or not. NULL is allowed. */
void tcp_lookup_free(tcp_lookup *lookup);

/* --- connection.c --- */

typedef enum tcp_state {
    TCP_CONNECTING, /* looking up, or trying addresses: `attempt` */
    TCP_OPEN,
    TCP_ENDED /* failed or closed: no socket, nothing queued */
} tcp_state;

typedef struct tcp_attempt tcp_attempt;
typedef struct tcp_zero_copy tcp_zero_copy;

typedef struct tcp_connection {
    mrpc_connection base;
    mrpc_loop *loop;
    mrpc_heap *send_heap;
    mrpc_watch watch;  /* fd is -1 when there is no socket */
    mrpc_timer resume; /* for what is left to do, at once or later */
    tcp_attempt *attempt;
    tcp_zero_copy *zero_copy; /* NULL: the option is not set, or there is no heap whose memory can be held */
    tcp_state state;
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
} tcp_connection;

MRPC_MUST_CHECK int tcp_connection_new(tcp_connection **connection, const mrpc_transport_setup *setup,
                                       mrpc_error *error);
/* Ends and frees it, now or when the outermost leave() is reached. */
void tcp_connection_close(tcp_connection *connection);
/* A connected socket is the connection's now: watches it. ENOMEM, ESYS. */
MRPC_MUST_CHECK int tcp_connection_open(tcp_connection *connection, int fd);
/* Between these two the connection is not freed. */
void tcp_connection_enter(tcp_connection *connection);
void tcp_connection_leave(tcp_connection *connection);
/* The connection has ended: `closed` comes when the outermost leave() is reached. */
void tcp_connection_fail(tcp_connection *connection, const mrpc_error *reason);
/* As above; the text is put behind the peer's address, and the errno's text, if it is not 0, behind that. */
void tcp_connection_fail_text(tcp_connection *connection, int code, int system_errno, const char *text);
/* Calls `resume` at that time of the loop's clock; 0: as soon as it runs. */
void tcp_connection_resume(tcp_connection *connection, uint64_t at);
/* Both work on an open connection between enter and leave. */
void tcp_connection_send(tcp_connection *connection);
void tcp_connection_receive(tcp_connection *connection, uint32_t passes);

/* True for the frames after which nothing of the call follows, in either direction. */
bool tcp_frame_ends_call(const mrpc_frame *frame);

/* --- zerocopy.c --- */

/* Prepares zero-copy sends of extents from `threshold` bytes on. ENOMEM. */
MRPC_MUST_CHECK int tcp_zero_copy_new(tcp_connection *connection, uint64_t threshold, mrpc_error *error);
/* The socket is connected: asks the kernel for it. */
void tcp_zero_copy_open(tcp_connection *connection);
/* Sends a piece; as send(). */
ssize_t tcp_zero_copy_send(tcp_connection *connection, const struct iovec *piece);
/* Takes the kernel's notices. Call mrpc_stream_tx_release() afterwards. */
void tcp_zero_copy_reap(tcp_connection *connection);
/* Before the socket is closed: it is reset if the kernel still reads, so that it stops. */
void tcp_zero_copy_free(tcp_connection *connection);

/* --- attempt.c --- */

MRPC_MUST_CHECK int tcp_attempt_start(tcp_connection *connection, const char *address,
                                      const mrpc_transport_setup *setup, mrpc_error *error);
void tcp_attempt_ready(tcp_connection *connection, uint32_t events);
void tcp_attempt_expired(tcp_connection *connection);
void tcp_attempt_free(tcp_connection *connection);

/* --- listen.c --- */

int tcp_listen(mrpc_listener **listener, const char *address, const mrpc_transport_setup *setup, mrpc_error *error);
void tcp_unlisten(mrpc_listener *listener);

#endif /* MRPC_TRANSPORTS_TCP_TCP_H */
