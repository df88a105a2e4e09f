/* SPDX-License-Identifier: BSD-2-Clause */
/* attempt.c - from an address to a connected socket: the name is looked up, and what it stands for is tried in turn */
#include "config.h"

#include "transports/tcp/tcp.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONGESTION = 16 }; /* TCP_CA_NAME_MAX of the kernel */

#define PATIENCE                                                                                                       \
    (UINT64_C(2) * 1000000000) /* ns for an address while others are left; the owner's timeout is for the last */

struct mrpc_tcp_attempt {
    mrpc_lookup *lookup; /* NULL once the addresses are known */
    mrpc_addresses addresses;
    uint32_t next; /* address to try */
    bool has_source;
    mrpc_address source;
    mrpc_connection_options options; /* its strings: below, or NULL */
    char congestion[CONGESTION];
};

void mrpc_tcp_attempt_free(mrpc_tcp_connection *connection)
{
    if (connection->attempt == NULL)
        return;
    if (connection->attempt->lookup != NULL)
        connection->watch.fd = -1; /* it is the look-up's */
    mrpc_lookup_free(connection->attempt->lookup);
    free(connection->attempt);
    connection->attempt = NULL;
}

/* --- options --- */

static int copy_congestion(mrpc_tcp_attempt *attempt, const char *name, mrpc_error *error)
{
    if (name == NULL)
        return 0;
    if (strlen(name) >= CONGESTION)
        return mrpc_error_set(error, MRPC_EINVAL,
                              "tcp: connection option congestion: \"%s\" is longer than %d characters", name,
                              CONGESTION - 1);
    memcpy(attempt->congestion, name, strlen(name) + 1);
    attempt->options.congestion = attempt->congestion;
    return 0;
}

static int copy_source(mrpc_tcp_attempt *attempt, const char *source, mrpc_error *error)
{
    if (source == NULL)
        return 0;
    mrpc_addresses addresses;
    if (!mrpc_address_known(source, 0, &addresses))
        return mrpc_error_set(
            error, MRPC_EINVAL,
            "tcp: connection option source: \"%s\" is not a numeric address; write e.g. 192.0.2.1 or 2001:db8::1",
            source);
    attempt->source = addresses.list[0];
    attempt->has_source = true;
    return 0;
}

static int attempt_new(mrpc_tcp_attempt **result, const mrpc_connection_options *options, mrpc_error *error)
{
    mrpc_tcp_attempt *attempt = calloc(1, sizeof *attempt);
    if (attempt == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "tcp: no memory for a connection");
    attempt->options = *options;
    attempt->options.congestion = attempt->options.source = NULL;
    int failure = copy_congestion(attempt, options->congestion, error);
    if (failure == 0)
        failure = copy_source(attempt, options->source, error);
    if (failure != 0)
        free(attempt);
    else
        *result = attempt;
    return failure;
}

/* --- one address --- */

static int bind_source(const mrpc_tcp_attempt *attempt, int fd, mrpc_error *error)
{
    if (!attempt->has_source)
        return 0;
    int late = 1; /* the port is chosen by connect(), which knows the destination: more connections fit */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
    if (bind(fd, &attempt->source.any, mrpc_address_size(&attempt->source)) == 0)
        return 0;
    int reason = errno;
    char text[MRPC_ADDRESS_TEXT];
    mrpc_address_print("tcp", &attempt->source, text);
    (void)mrpc_error_system(error, reason, "connection option source: bind to %s", text);
    if (reason == EADDRNOTAVAIL && error != NULL)
        error->code = MRPC_EINVAL;
    return reason == EADDRNOTAVAIL ? MRPC_EINVAL : MRPC_ESYS;
}

static int connect_failed(const mrpc_address *address, int reason, mrpc_error *error)
{
    char text[MRPC_ADDRESS_TEXT];
    mrpc_address_print("tcp", address, text);
    return mrpc_error_system(error, reason, "connect to %s%s", text,
                             reason == ECONNREFUSED ? " (nobody listens there; is the server running?)" : "");
}

/* Begins to connect to one address. */
static int try_address(mrpc_tcp_connection *connection, const mrpc_address *address, mrpc_error *error)
{
    mrpc_tcp_attempt *attempt = connection->attempt;
    int fd, failure = mrpc_tcp_socket_new(&fd, address->any.sa_family, &attempt->options, error);
    if (failure != 0)
        return failure;
    failure = bind_source(attempt, fd, error);
    if (failure == 0 && connect(fd, &address->any, mrpc_address_size(address)) != 0 && errno != EINPROGRESS)
        failure = connect_failed(address, errno, error);
    if (failure == 0) {
        connection->watch.fd = fd;
        failure = mrpc_loop_add(connection->loop, &connection->watch);
        if (failure == 0)
            return 0;
        connection->watch.fd = -1;
        (void)mrpc_error_set(error, failure, "%s: the event loop cannot watch the socket", connection->base.peer);
    }
    close(fd);
    return failure;
}

/* Goes on to the next address that can be tried. Without one: why the last one failed. */
static int try_next(mrpc_tcp_connection *connection, mrpc_error *error)
{
    mrpc_tcp_attempt *attempt = connection->attempt;
    int failure = MRPC_EINVAL;
    (void)mrpc_error_set(error, failure, "%s: no address of the family of the connection option source",
                         connection->base.peer);
    while (attempt->next < attempt->addresses.count) {
        const mrpc_address *address = &attempt->addresses.list[attempt->next++];
        if (attempt->has_source && attempt->source.any.sa_family != address->any.sa_family)
            continue;
        failure = try_address(connection, address, error);
        if (failure != 0)
            continue;
        if (attempt->next < attempt->addresses.count)
            mrpc_tcp_connection_resume(connection, mrpc_loop_now(connection->loop) + PATIENCE);
        return 0;
    }
    return failure;
}

static void go_on(mrpc_tcp_connection *connection)
{
    mrpc_error error;
    if (try_next(connection, &error) != 0)
        mrpc_tcp_connection_fail(connection, &error);
}

static void give_up_address(mrpc_tcp_connection *connection)
{
    mrpc_loop_stop(connection->loop, &connection->resume);
    mrpc_loop_remove(connection->loop, &connection->watch);
    close(connection->watch.fd);
    connection->watch.fd = -1;
}

/* --- what happens --- */

static void looked_up(mrpc_tcp_connection *connection)
{
    mrpc_tcp_attempt *attempt = connection->attempt;
    int failure;
    if (!mrpc_lookup_done(attempt->lookup, &attempt->addresses, &failure))
        return;
    mrpc_loop_remove(connection->loop, &connection->watch);
    connection->watch.fd = -1; /* it was the look-up's */
    mrpc_lookup_free(attempt->lookup);
    attempt->lookup = NULL;
    if (failure == 0) {
        go_on(connection);
        return;
    }
    char text[160];
    snprintf(text, sizeof text, "the name cannot be looked up: %s", gai_strerror(failure));
    mrpc_tcp_connection_fail_text(connection, MRPC_ENOENT, 0, text);
}

/* A connection to a free port of this host's own range can meet itself (RFC 9293, 3.5, simultaneous open). */
static bool is_own_echo(int fd, const mrpc_address *peer, socklen_t size)
{
    mrpc_address own;
    socklen_t own_size = sizeof own;
    return getsockname(fd, &own.any, &own_size) == 0 && own_size == size && memcmp(&own, peer, size) == 0;
}

static void connected(mrpc_tcp_connection *connection, const mrpc_address *peer)
{
    mrpc_loop_stop(connection->loop, &connection->resume);
    mrpc_tcp_attempt_free(connection);
    mrpc_address_print("tcp", peer, connection->base.peer);
    connection->state = MRPC_TCP_OPEN;
    if (connection->zero_copy != NULL)
        mrpc_tcp_zero_copy_open(connection);
    connection->base.events->opened(&connection->base);
}

void mrpc_tcp_attempt_ready(mrpc_tcp_connection *connection, uint32_t events)
{
    mrpc_tcp_attempt *attempt = connection->attempt;
    if (attempt->lookup != NULL) {
        looked_up(connection);
        return;
    }
    int reason = 0, fd = connection->watch.fd;
    socklen_t size = sizeof reason;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size);
    mrpc_address peer;
    size = sizeof peer;
    if (reason == 0 && getpeername(fd, &peer.any, &size) != 0) {
        if (!(events & LOOP_HANGUP))
            return; /* not yet */
        reason = ENOTCONN;
    }
    if (reason == 0 && is_own_echo(fd, &peer, size))
        reason = ECONNREFUSED;
    if (reason == 0) {
        connected(connection, &peer);
        return;
    }
    const mrpc_address *address = &attempt->addresses.list[attempt->next - 1];
    give_up_address(connection);
    mrpc_error error;
    (void)connect_failed(address, reason, &error);
    if (attempt->next == attempt->addresses.count || try_next(connection, &error) != 0)
        mrpc_tcp_connection_fail(connection, &error);
}

void mrpc_tcp_attempt_expired(mrpc_tcp_connection *connection)
{
    if (connection->watch.fd >= 0 && connection->attempt->lookup == NULL)
        give_up_address(connection);
    go_on(connection);
}

int mrpc_tcp_attempt_check(const char *address, mrpc_error *error)
{
    char host[MRPC_ADDRESS_HOST];
    uint16_t port;
    return mrpc_address_split_peer("tcp", address, host, &port, error);
}

int mrpc_tcp_attempt_start(mrpc_tcp_connection *connection, const char *address, const mrpc_transport_setup *setup,
                           mrpc_error *error)
{
    char host[MRPC_ADDRESS_HOST];
    uint16_t port;
    int failure = mrpc_address_split_peer("tcp", address, host, &port, error);
    if (failure != 0)
        return failure;
    snprintf(connection->base.peer, sizeof connection->base.peer, "tcp://%s", address);
    failure = attempt_new(&connection->attempt, &setup->options, error);
    if (failure != 0)
        return failure;
    if (mrpc_address_known(host, port, &connection->attempt->addresses)) {
        mrpc_error reason;
        failure = try_next(connection, &reason);
        if (failure == MRPC_EINVAL) { /* an option, which no other attempt will like better */
            if (error != NULL)
                *error = reason;
            return failure;
        }
        if (failure == 0)
            return 0;
        mrpc_tcp_connection_fail(connection, &reason); /* reported as soon as the loop runs */
        return mrpc_loop_start(connection->loop, &connection->resume, 0);
    }
    failure = mrpc_lookup_start("tcp", &connection->attempt->lookup, host, port, error);
    if (failure != 0)
        return failure;
    connection->watch.fd = mrpc_lookup_fd(connection->attempt->lookup);
    failure = mrpc_loop_add(connection->loop, &connection->watch);
    if (failure != 0)
        connection->watch.fd = -1;
    return failure;
}
