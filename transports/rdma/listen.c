/* SPDX-License-Identifier: BSD-2-Clause */
/* listen.c - addresses that are listened at, and the connections that come */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BACKLOG = 1024, REASON_MAX = 140 /* bytes of text that fit into a rejection */, AGAIN_NS = 500000000 };

struct mrpc_rdma_listener {
    mrpc_listener base;
    mrpc_transport_setup setup; /* without strings */
    mrpc_rdma *rdma;
    struct rdma_cm_id *id; /* NULL: its device is gone, and is waited for */
    mrpc_address at;       /* with the port that it really is */
    mrpc_timer timer;      /* to look for the device */
    mrpc_rdma_choice choice;
};

/* Events find what they are about in the id's context: a connection, or a listener, whose address is marked by its
 * lowest bit. */
static void *context_of(mrpc_rdma_listener *listener)
{
    return (char *)listener + 1;
}

static mrpc_rdma_listener *listener_of(const struct rdma_cm_id *id)
{
    return (mrpc_rdma_listener *)(void *)((char *)id->context - 1);
}

/* --- accepting --- */

static void name_peer(mrpc_rdma_connection *connection)
{
    const mrpc_address *peer = (const mrpc_address *)(const void *)rdma_get_peer_addr(connection->id);
    mrpc_address_print("rdma", peer, connection->base.peer);
}

/* A device may allow less than the peer has asked for. */
static void lower(struct rdma_conn_param *parameters, const struct rdma_conn_param *asked)
{
    if (parameters->responder_resources > asked->responder_resources)
        parameters->responder_resources = asked->responder_resources;
    if (parameters->initiator_depth > asked->initiator_depth)
        parameters->initiator_depth = asked->initiator_depth;
}

static int answer(mrpc_rdma_connection *connection, const struct rdma_cm_event *event, mrpc_error *error)
{
    int failure = mrpc_rdma_connection_greeted(connection, event->param.conn.private_data,
                                               event->param.conn.private_data_len, error);
    if (failure == 0)
        failure = mrpc_rdma_choice_check(&connection->listener->choice, connection->id, error);
    if (failure == 0)
        failure = mrpc_rdma_set_options(connection->id, &connection->options, connection->base.peer, error);
    if (failure == 0)
        failure = mrpc_rdma_connection_equip(connection, error);
    if (failure != 0)
        return failure;
    mrpc_rdma_greeting greeting = mrpc_rdma_connection_greeting(connection);
    struct rdma_conn_param parameters = mrpc_rdma_connection_parameters(connection, &greeting);
    lower(&parameters, &event->param.conn);
    if (rdma_accept(connection->id, &parameters) == 0)
        return 0;
    return mrpc_rdma_error(error, connection->base.peer, "rdma_accept", errno);
}

static void reject(struct rdma_cm_id *id, const mrpc_error *error)
{
    size_t bytes = strlen(error->text);
    (void)rdma_reject(id, error->text, (uint8_t)(bytes < REASON_MAX ? bytes : REASON_MAX));
}

void mrpc_rdma_listener_requested(const struct rdma_cm_event *event)
{
    mrpc_rdma_listener *listener = listener_of(event->listen_id);
    mrpc_rdma_connection *connection;
    mrpc_error error;
    if (mrpc_rdma_connection_new(&connection, listener->rdma, &listener->setup, &error) != 0) {
        reject(event->id, &error);
        (void)rdma_destroy_id(event->id);
        return;
    }
    connection->state = RDMA_ACCEPTING;
    connection->listener = listener;
    connection->id = event->id;
    connection->id->context = connection;
    name_peer(connection);
    if (answer(connection, event, &error) == 0)
        return;
    reject(connection->id, &error);
    mrpc_rdma_connection_free(connection);
}

void mrpc_rdma_listener_accepted(mrpc_rdma_connection *connection)
{
    mrpc_listener *listener = &connection->listener->base;
    connection->listener = NULL;
    connection->state = RDMA_OPEN;
    listener->accepted(listener, &connection->base);
    if (connection->base.events == NULL && !connection->closing)
        mrpc_rdma_connection_close(connection);
}

/* --- listening --- */

static int explain(const char *address, const char *verb, int reason, mrpc_error *error)
{
    switch (reason) {
    case EADDRINUSE:
        return mrpc_error_set(
            error, MRPC_EEXIST,
            "rdma://%s: another program listens at this address; end it, or choose another port (port 0 takes a free "
            "one)",
            address);
    case EADDRNOTAVAIL:
    case ENODEV:
        return mrpc_error_set(error, MRPC_EINVAL,
                              "rdma://%s: not the address of an RDMA device of this host (see mrpcctl doctor); "
                              "rdma://0.0.0.0:PORT listens at all of them",
                              address);
    default:
        return mrpc_rdma_error(error, address, verb, reason);
    }
}

static int listen_at(mrpc_rdma_listener *listener, mrpc_address *at, const char *address, mrpc_error *error)
{
    if (rdma_create_id(listener->rdma->channel, &listener->id, context_of(listener), RDMA_PS_TCP) != 0) {
        listener->id = NULL;
        return mrpc_rdma_error(error, address, "rdma_create_id", errno);
    }
    int failure = 0;
    if (rdma_bind_addr(listener->id, &at->any) != 0)
        failure = explain(address, "rdma_bind_addr", errno, error);
    else if (rdma_listen(listener->id, BACKLOG) != 0)
        failure = explain(address, "rdma_listen", errno, error);
    if (failure == 0)
        return 0;
    (void)rdma_destroy_id(listener->id);
    listener->id = NULL;
    return failure;
}

/* --- a device that goes and comes back --- */

static void wait_for_device(mrpc_rdma_listener *listener)
{
    mrpc_loop *loop = listener->rdma->loop;
    (void)!mrpc_loop_start(loop, &listener->timer, mrpc_loop_now(loop) + AGAIN_NS);
}

static void look_for_device(mrpc_timer *timer)
{
    mrpc_rdma_listener *listener = (mrpc_rdma_listener *)((char *)timer - offsetof(mrpc_rdma_listener, timer));
    if (listen_at(listener, &listener->at, listener->base.address, NULL) != 0)
        wait_for_device(listener);
}

void mrpc_rdma_listener_lost(const struct rdma_cm_event *event)
{
    mrpc_rdma_listener *listener = listener_of(event->id);
    (void)rdma_destroy_id(listener->id);
    listener->id = NULL;
    wait_for_device(listener);
}

/* --- */

int mrpc_rdma_listen(mrpc_listener **result, const char *address, const mrpc_transport_setup *setup, mrpc_error *error)
{
    mrpc_addresses addresses;
    int failure = mrpc_address_find_own("rdma", address, &addresses, error);
    if (failure != 0)
        return failure;
    mrpc_rdma_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "rdma://%s: no memory to listen", address);
    failure = mrpc_rdma_choice_parse(&listener->choice, setup->options.rdma_device, error);
    if (failure == 0)
        failure = mrpc_rdma_get(&listener->rdma, setup, error);
    for (uint32_t i = 0; failure == 0 && i < addresses.count; i++) {
        failure = listen_at(listener, &addresses.list[i], address, error);
        if (failure == 0)
            break;
    }
    if (failure != 0) {
        free(listener);
        return failure;
    }
    listener->base.transport = &mrpc_transport_rdma;
    listener->setup = *setup;
    listener->setup.options.congestion = listener->setup.options.source = listener->setup.options.rdma_device = NULL;
    listener->timer.expired = look_for_device;
    memcpy(&listener->at, rdma_get_local_addr(listener->id), sizeof listener->at);
    mrpc_address_print("rdma", &listener->at, listener->base.address);
    *result = &listener->base;
    return 0;
}

void mrpc_rdma_unlisten(mrpc_listener *base)
{
    mrpc_rdma_listener *listener = (mrpc_rdma_listener *)base;
    mrpc_loop_stop(listener->rdma->loop, &listener->timer);
    if (listener->id != NULL)
        (void)rdma_destroy_id(listener->id); /* with what has asked and was not looked at yet */
    for (mrpc_rdma_connection *c = listener->rdma->connections, *next; c != NULL; c = next) {
        next = c->next;
        if (c->listener == listener)
            mrpc_rdma_connection_free(c);
    }
    free(listener);
}
