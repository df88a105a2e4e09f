/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect.c - from an address to a connection
 *
 * A name is looked up, and what it stands for is tried in turn; each try resolves the address to a device, finds a
 * route, makes a queue pair with receive buffers behind it, and asks the peer. All of it waits in the loop.
 */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESOLVE_MS = 10000, REJECTED_BY_PEER = 28 /* IB_CM_REJ_CONSUMER_DEFINED */ };

struct mrpc_rdma_attempt {
    mrpc_rdma_connection *connection;
    mrpc_lookup *lookup; /* NULL once the addresses are known */
    mrpc_watch watch;    /* of the look-up */
    mrpc_addresses addresses;
    uint32_t next; /* address to try */
    bool has_source;
    mrpc_address source;
    mrpc_rdma_choice choice;
};

void mrpc_rdma_attempt_free(mrpc_rdma_connection *connection)
{
    mrpc_rdma_attempt *attempt = connection->attempt;
    if (attempt == NULL)
        return;
    mrpc_loop_remove(connection->rdma->loop, &attempt->watch);
    mrpc_lookup_free(attempt->lookup);
    free(attempt);
    connection->attempt = NULL;
}

int mrpc_rdma_check(const char *address, mrpc_error *error)
{
    char host[MRPC_ADDRESS_HOST];
    uint16_t port;
    return mrpc_address_split_peer("rdma", address, host, &port, error);
}

/* --- one address --- */

static int resolve(mrpc_rdma_connection *connection, mrpc_address *address, mrpc_error *error)
{
    mrpc_rdma_attempt *attempt = connection->attempt;
    mrpc_address chosen;
    struct sockaddr *source = attempt->has_source ? &attempt->source.any : NULL;
    int failure = mrpc_rdma_set_options(connection->id, &connection->options, connection->base.peer, error);
    if (failure == 0 && source == NULL && attempt->choice.device[0] != '\0') {
        failure = mrpc_rdma_choice_source(&attempt->choice, address->any.sa_family, &chosen, error);
        source = &chosen.any;
    }
    if (failure == 0 && rdma_resolve_addr(connection->id, source, &address->any, RESOLVE_MS) != 0)
        failure = mrpc_rdma_error(error, connection->base.peer, "rdma_resolve_addr", errno);
    return failure;
}

static int try_address(mrpc_rdma_connection *connection, mrpc_address *address, mrpc_error *error)
{
    mrpc_address_print("rdma", address, connection->base.peer);
    if (rdma_create_id(connection->rdma->channel, &connection->id, connection, RDMA_PS_TCP) != 0) {
        connection->id = NULL;
        return mrpc_rdma_error(error, connection->base.peer, "rdma_create_id", errno);
    }
    int failure = resolve(connection, address, error);
    if (failure != 0)
        mrpc_rdma_connection_strip(connection);
    return failure;
}

/* Goes on to the next address that can be tried. Without one: why the last one failed. */
static int try_next(mrpc_rdma_connection *connection, mrpc_error *error)
{
    mrpc_rdma_attempt *attempt = connection->attempt;
    int failure = error->code;
    while (attempt->next < attempt->addresses.count) {
        mrpc_address *address = &attempt->addresses.list[attempt->next++];
        if (attempt->has_source && attempt->source.any.sa_family != address->any.sa_family)
            failure = mrpc_error_set(error, MRPC_EINVAL, "%s: no address of the family of the connection option source",
                                     connection->base.peer);
        else
            failure = try_address(connection, address, error);
        if (failure == 0)
            return 0;
    }
    return failure;
}

static void address_failed(mrpc_rdma_connection *connection, mrpc_error *reason)
{
    mrpc_rdma_connection_strip(connection);
    if (try_next(connection, reason) != 0)
        mrpc_rdma_connection_fail(connection, reason);
}

/* --- what the connection manager says --- */

static int address_resolved(mrpc_rdma_connection *connection, mrpc_error *error)
{
    int failure = mrpc_rdma_choice_check(&connection->attempt->choice, connection->id, error);
    if (failure != 0)
        return failure;
    if (rdma_resolve_route(connection->id, RESOLVE_MS) == 0)
        return 0;
    return mrpc_rdma_error(error, connection->base.peer, "rdma_resolve_route", errno);
}

static int route_resolved(mrpc_rdma_connection *connection, mrpc_error *error)
{
    int failure = mrpc_rdma_connection_equip(connection, error);
    if (failure != 0)
        return failure;
    mrpc_rdma_greeting greeting = mrpc_rdma_connection_greeting(connection);
    struct rdma_conn_param parameters = mrpc_rdma_connection_parameters(connection, &greeting);
    if (rdma_connect(connection->id, &parameters) == 0)
        return 0;
    return mrpc_rdma_error(error, connection->base.peer, "rdma_connect", errno);
}

static int connected(mrpc_rdma_connection *connection, const struct rdma_cm_event *event, mrpc_error *error)
{
    int failure = mrpc_rdma_connection_greeted(connection, event->param.conn.private_data,
                                               event->param.conn.private_data_len, error);
    if (failure != 0)
        return failure;
    mrpc_rdma_attempt_free(connection);
    connection->state = RDMA_OPEN;
    connection->base.events->opened(&connection->base);
    return 0;
}

/* The reason that mrpc gives is text; others give none. */
static int rejected(mrpc_rdma_connection *connection, const struct rdma_cm_event *event, mrpc_error *error)
{
    size_t bytes = event->param.conn.private_data_len;
    if (event->status == REJECTED_BY_PEER && bytes > 0)
        return mrpc_error_set(error, MRPC_EPROTO, "%s: the peer refuses: %.*s", connection->base.peer, (int)bytes,
                              (const char *)event->param.conn.private_data);
    return mrpc_error_system(error, ECONNREFUSED,
                             "connect to %s (nobody listens there; is the server running?; reject reason %d)",
                             connection->base.peer, event->status);
}

static int refused(mrpc_rdma_connection *connection, const struct rdma_cm_event *event, mrpc_error *error)
{
    if (event->event == RDMA_CM_EVENT_REJECTED)
        return rejected(connection, event, error);
    int reason = event->status < 0 ? -event->status : ETIMEDOUT;
    return mrpc_rdma_error(error, connection->base.peer, rdma_event_str(event->event), reason);
}

void mrpc_rdma_attempt_event(mrpc_rdma_connection *connection, const struct rdma_cm_event *event)
{
    mrpc_error error;
    int failure;
    switch (event->event) {
    case RDMA_CM_EVENT_ADDR_RESOLVED:
        failure = address_resolved(connection, &error);
        break;
    case RDMA_CM_EVENT_ROUTE_RESOLVED:
        failure = route_resolved(connection, &error);
        break;
    case RDMA_CM_EVENT_ESTABLISHED:
        failure = connected(connection, event, &error);
        break;
    default:
        failure = refused(connection, event, &error);
    }
    if (failure != 0 && !connection->closing)
        address_failed(connection, &error);
}

/* --- names --- */

static void looked_up(mrpc_watch *watch, uint32_t events)
{
    (void)events;
    mrpc_rdma_attempt *attempt = (mrpc_rdma_attempt *)((char *)watch - offsetof(mrpc_rdma_attempt, watch));
    mrpc_rdma_connection *connection = attempt->connection;
    int failure;
    if (!mrpc_lookup_done(attempt->lookup, &attempt->addresses, &failure))
        return;
    mrpc_loop_remove(connection->rdma->loop, &attempt->watch);
    mrpc_lookup_free(attempt->lookup);
    attempt->lookup = NULL;
    mrpc_rdma_connection_enter(connection);
    char text[160];
    mrpc_error error;
    snprintf(text, sizeof text, "the name cannot be looked up: %s", failure != 0 ? gai_strerror(failure) : "");
    if (failure != 0)
        mrpc_rdma_connection_fail_text(connection, MRPC_ENOENT, text);
    else if (try_next(connection, &error) != 0)
        mrpc_rdma_connection_fail(connection, &error);
    mrpc_rdma_connection_leave(connection);
}

static int start_lookup(mrpc_rdma_connection *connection, const char *host, uint16_t port, mrpc_error *error)
{
    mrpc_rdma_attempt *attempt = connection->attempt;
    int failure = mrpc_lookup_start("rdma", &attempt->lookup, host, port, error);
    if (failure != 0)
        return failure;
    attempt->watch = (mrpc_watch){.ready = looked_up, .fd = mrpc_lookup_fd(attempt->lookup)};
    failure = mrpc_loop_add(connection->rdma->loop, &attempt->watch);
    if (failure != 0)
        return mrpc_error_set(error, failure, "%s: the event loop cannot watch the look-up", connection->base.peer);
    return 0;
}

static int take_source(mrpc_rdma_attempt *attempt, const char *source, mrpc_error *error)
{
    mrpc_addresses addresses;
    if (source == NULL)
        return 0;
    if (!mrpc_address_known(source, 0, &addresses))
        return mrpc_error_set(
            error, MRPC_EINVAL,
            "rdma: connection option source: \"%s\" is not a numeric address; write e.g. 192.0.2.1 or 2001:db8::1",
            source);
    attempt->source = addresses.list[0];
    attempt->has_source = true;
    return 0;
}

void mrpc_rdma_attempt_expired(mrpc_rdma_connection *connection)
{
    mrpc_error error = {0};
    if (try_next(connection, &error) != 0)
        mrpc_rdma_connection_fail(connection, &error);
}

int mrpc_rdma_attempt_start(mrpc_rdma_connection *connection, const char *address, const mrpc_transport_setup *setup,
                            mrpc_error *error)
{
    char host[MRPC_ADDRESS_HOST];
    uint16_t port;
    int failure = mrpc_address_split_peer("rdma", address, host, &port, error);
    if (failure != 0)
        return failure;
    snprintf(connection->base.peer, sizeof connection->base.peer, "rdma://%s", address);
    mrpc_rdma_attempt *attempt = calloc(1, sizeof *attempt);
    if (attempt == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "rdma: no memory for a connection");
    connection->attempt = attempt;
    attempt->connection = connection;
    failure = take_source(attempt, setup->options.source, error);
    if (failure == 0)
        failure = mrpc_rdma_choice_parse(&attempt->choice, setup->options.rdma_device, error);
    if (failure != 0)
        return failure;
    if (!mrpc_address_known(host, port, &attempt->addresses))
        return start_lookup(connection, host, port, error);
    return mrpc_loop_start(connection->rdma->loop, &connection->timer, 0); /* failures come from the loop */
}
