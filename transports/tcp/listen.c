/* SPDX-License-Identifier: BSD-2-Clause */
/* listen.c - listening sockets and what they accept */
#include "config.h"

#include "transports/tcp/tcp.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BACKLOG = 4096, /* the kernel lowers it to net.core.somaxconn */
    BUDGET = 64     /* connections in a row before others have their turn */
};

#define PAUSE (UINT64_C(100) * 1000000) /* ns before accepting again when descriptors or memory ran out */

typedef struct mrpc_tcp_listener {
    mrpc_listener base;
    mrpc_transport_setup setup; /* without strings: the sockets inherit what they said */
    mrpc_watch watch;
    mrpc_timer again;
    bool accepting;
    bool closing;
} mrpc_tcp_listener;

/* --- accepting --- */

static void destroy(mrpc_tcp_listener *listener)
{
    mrpc_loop_stop(listener->setup.loop, &listener->again);
    mrpc_loop_remove(listener->setup.loop, &listener->watch);
    close(listener->watch.fd);
    free(listener);
}

static void try_again(mrpc_tcp_listener *listener, uint64_t at)
{
    /* Without memory for a timer the next connection's edge has to do. */
    int failure = mrpc_loop_start(listener->setup.loop, &listener->again, at);
    (void)failure;
}

static bool hand_over(mrpc_tcp_listener *listener, int fd, const mrpc_address *peer)
{
    mrpc_tcp_connection *connection;
    if (mrpc_tcp_connection_new(&connection, &listener->setup, NULL) != 0) {
        close(fd);
        return false;
    }
    mrpc_address_print("tcp", peer, connection->base.peer);
    if (mrpc_tcp_connection_open(connection, fd) != 0) {
        mrpc_tcp_connection_close(connection);
        return false;
    }
    mrpc_tcp_connection_enter(connection);
    listener->base.accepted(&listener->base, &connection->base);
    if (connection->base.events == NULL && !connection->closing)
        mrpc_tcp_connection_close(connection);
    mrpc_tcp_connection_leave(connection);
    return true;
}

/* True: there may be more. */
static bool accept_one(mrpc_tcp_listener *listener)
{
    mrpc_address peer;
    socklen_t size = sizeof peer;
    int fd = accept4(listener->watch.fd, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && hand_over(listener, fd, &peer))
        return true;
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO))
        return true; /* that one is gone */
    if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    /* EMFILE, ENFILE, ENOBUFS, ENOMEM: the peer stays in the backlog, and no edge will tell of it again. */
    try_again(listener, mrpc_loop_now(listener->setup.loop) + PAUSE);
    return false;
}

/* Asking costs a tenth of an accept() that finds nothing, which makes a socket first and then drops it. */
static bool is_somebody_waiting(const mrpc_tcp_listener *listener)
{
    struct pollfd polled = {.fd = listener->watch.fd, .events = POLLIN};
    return poll(&polled, 1, 0) == 1;
}

static void accept_some(mrpc_tcp_listener *listener)
{
    listener->accepting = true;
    int budget = BUDGET;
    while (accept_one(listener) && !listener->closing && is_somebody_waiting(listener)) {
        if (--budget == 0) {
            try_again(listener, 0);
            break;
        }
    }
    listener->accepting = false;
    if (listener->closing)
        destroy(listener);
}

static void ready(mrpc_watch *watch, uint32_t events)
{
    (void)events;
    accept_some((mrpc_tcp_listener *)((char *)watch - offsetof(mrpc_tcp_listener, watch)));
}

static void again(mrpc_timer *timer)
{
    accept_some((mrpc_tcp_listener *)((char *)timer - offsetof(mrpc_tcp_listener, again)));
}

/* --- listening --- */

static int explain(const char *address, const char *call, int reason, mrpc_error *error)
{
    switch (reason) {
    case EADDRINUSE:
        return mrpc_error_set(
            error, MRPC_EEXIST,
            "tcp://%s: another socket listens at this address; end that program, or choose another port (port 0 "
            "takes a free one)",
            address);
    case EACCES:
        return mrpc_error_set(error, MRPC_EPERM, "tcp://%s: not allowed; ports below 1024 need CAP_NET_BIND_SERVICE",
                              address);
    case EADDRNOTAVAIL:
        return mrpc_error_set(error, MRPC_EINVAL,
                              "tcp://%s: not an address of this host; tcp://0.0.0.0:PORT listens at all of them",
                              address);
    default:
        return mrpc_error_system(error, reason, "tcp://%s: %s", address, call);
    }
}

static int listen_at(int *result, const mrpc_address *at, const char *address, const mrpc_connection_options *options,
                     mrpc_error *error)
{
    int fd, one = 1, failure = mrpc_tcp_socket_new(&fd, at->any.sa_family, options, error);
    if (failure != 0)
        return failure;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
               sizeof one); /* a server that restarts finds connections in TIME_WAIT */
    if (bind(fd, &at->any, mrpc_address_size(at)) != 0)
        failure = explain(address, "bind", errno, error);
    else if (listen(fd, BACKLOG) != 0)
        failure = explain(address, "listen", errno, error);
    if (failure != 0)
        close(fd);
    else
        *result = fd;
    return failure;
}

static int open_socket(int *fd, const char *address, const mrpc_connection_options *options, mrpc_error *error)
{
    mrpc_addresses addresses;
    int failure = mrpc_address_find_own("tcp", address, &addresses, error);
    if (failure != 0)
        return failure;
    for (uint32_t i = 0; i < addresses.count; i++) {
        failure = listen_at(fd, &addresses.list[i], address, options, error);
        if (failure == 0)
            break;
    }
    return failure;
}

/* The address that the listener really has: with the port that the kernel chose. */
static int note_address(mrpc_tcp_listener *listener, const char *address, mrpc_error *error)
{
    mrpc_address own;
    socklen_t size = sizeof own;
    if (getsockname(listener->watch.fd, &own.any, &size) != 0)
        return explain(address, "getsockname", errno, error);
    mrpc_address_print("tcp", &own, listener->base.address);
    return 0;
}

int mrpc_tcp_listen(mrpc_listener **result, const char *address, const mrpc_transport_setup *setup, mrpc_error *error)
{
    mrpc_tcp_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "tcp://%s: no memory to listen", address);
    int fd = -1, failure = open_socket(&fd, address, &setup->options, error);
    if (failure != 0)
        goto no_socket;
    listener->base.transport = &mrpc_transport_tcp;
    listener->setup = *setup;
    listener->setup.options.congestion = listener->setup.options.source = NULL;
    listener->watch = (mrpc_watch){.ready = ready, .fd = fd};
    listener->again.expired = again;
    failure = note_address(listener, address, error);
    if (failure != 0)
        goto not_watched;
    failure = mrpc_loop_add(setup->loop, &listener->watch);
    if (failure != 0) {
        (void)mrpc_error_set(error, failure, "tcp://%s: the event loop cannot watch the socket: %s", address,
                             mrpc_strerror(failure));
        goto not_watched;
    }
    *result = &listener->base;
    return 0;

not_watched:
    close(fd);
no_socket:
    free(listener);
    return failure;
}

void mrpc_tcp_unlisten(mrpc_listener *base)
{
    mrpc_tcp_listener *listener = (mrpc_tcp_listener *)base;
    listener->closing = true;
    if (!listener->accepting)
        destroy(listener);
}
