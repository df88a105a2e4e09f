/* SPDX-License-Identifier: BSD-2-Clause */
/* events.c - the connection manager: one channel for all that a loop connects and listens to */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PRIVATE_MAX = 256, /* bytes of private data; the connection manager has less */
    GOODBYES_MS = 500, /* how long the end of a loop waits for goodbyes to arrive */
    AGAIN_NS = 10000000
};

static const char key;

/* --- events --- */

static void connection_lost(mrpc_rdma_connection *connection, const char *text)
{
    if (connection->hub != NULL && mrpc_rdma_is_open(connection))
        (void)mrpc_rdma_hub_poll(connection->hub); /* what the peer said before is worth more */
    if (connection->state == RDMA_LEAVING)
        connection->failed = true;
    else
        mrpc_rdma_connection_fail_text(connection, MRPC_ECLOSED, text);
}

static void established(mrpc_rdma_connection *connection, const struct rdma_cm_event *event)
{
    if (connection->state == RDMA_ACCEPTING)
        mrpc_rdma_listener_accepted(connection);
    else if (connection->state == RDMA_CONNECTING)
        mrpc_rdma_attempt_event(connection, event);
}

static void connection_event(mrpc_rdma_connection *connection, const struct rdma_cm_event *event)
{
    mrpc_rdma_connection_enter(connection);
    switch (event->event) {
    case RDMA_CM_EVENT_ESTABLISHED:
        established(connection, event);
        break;
    case RDMA_CM_EVENT_DISCONNECTED:
        connection_lost(connection, mrpc_stream_rx_at_boundary(&connection->rx)
                                        ? "the connection was closed"
                                        : "the connection was closed in the middle of a message");
        break;
    case RDMA_CM_EVENT_DEVICE_REMOVAL:
        connection_lost(connection, "the RDMA device was removed");
        break;
    case RDMA_CM_EVENT_TIMEWAIT_EXIT:
    case RDMA_CM_EVENT_ADDR_CHANGE:
        break;
    default:
        if (connection->state == RDMA_CONNECTING)
            mrpc_rdma_attempt_event(connection, event);
        else
            connection_lost(connection, rdma_event_str(event->event));
    }
    mrpc_rdma_connection_leave(connection);
}

/* The context of an id is a connection, or with its lowest bit a listener, or with the next one a device. Any of
 * them may be the last that lets a removed device go. */
static void dispatch(mrpc_rdma *rdma, const struct rdma_cm_event *event)
{
    uintptr_t owner = (uintptr_t)event->id->context & 3;
    bool removed = event->event == RDMA_CM_EVENT_DEVICE_REMOVAL;
    if (event->event == RDMA_CM_EVENT_CONNECT_REQUEST)
        mrpc_rdma_listener_requested(event);
    else if (owner == 0)
        connection_event(event->id->context, event);
    else if (owner == 1 && removed)
        mrpc_rdma_listener_lost(event);
    else if (owner == 2 && removed)
        mrpc_rdma_device_removed(event);
    if (removed)
        mrpc_rdma_let_librdmacm_notice(rdma);
}

/* An event is acknowledged before it is handled: an id with one that is not cannot be destroyed. */
static void take_events(mrpc_rdma *rdma)
{
    struct rdma_cm_event *event;
    while (rdma_get_cm_event(rdma->channel, &event) == 0) {
        char private_data[PRIVATE_MAX];
        struct rdma_cm_event copy = *event;
        size_t bytes = event->param.conn.private_data_len;
        if (event->param.conn.private_data == NULL || bytes > PRIVATE_MAX)
            bytes = 0;
        if (bytes > 0)
            memcpy(private_data, event->param.conn.private_data, bytes);
        copy.param.conn.private_data = private_data;
        copy.param.conn.private_data_len = (uint8_t)bytes;
        (void)rdma_ack_cm_event(event);
        dispatch(rdma, &copy);
    }
    /* Without memory for an event it stays where it is, and the descriptor does not tell of it again. */
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        (void)!mrpc_loop_start(rdma->loop, &rdma->timer, mrpc_loop_now(rdma->loop) + AGAIN_NS);
}

static void ready(mrpc_watch *watch, uint32_t events)
{
    (void)events;
    take_events((mrpc_rdma *)((char *)watch - offsetof(mrpc_rdma, watch)));
}

static void look_again(mrpc_timer *timer)
{
    take_events((mrpc_rdma *)((char *)timer - offsetof(mrpc_rdma, timer)));
}

/* --- what a loop has --- */

static bool anybody_leaves(const mrpc_rdma *rdma)
{
    for (mrpc_rdma_connection *c = rdma->connections; c != NULL; c = c->next)
        if (c->state == RDMA_LEAVING)
            return true;
    return false;
}

/* Nobody runs the loop any more, so the completions of the last goodbyes are looked for here. */
static void wait_for_goodbyes(mrpc_rdma *rdma)
{
    for (int i = 0; i < GOODBYES_MS && anybody_leaves(rdma); i++) {
        for (mrpc_rdma_device *device = rdma->devices; device != NULL; device = device->next)
            for (mrpc_rdma_hub *hub = device->hubs; hub != NULL; hub = hub->next)
                (void)mrpc_rdma_hub_poll(hub);
        if (anybody_leaves(rdma))
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void end(mrpc_attachment *attachment)
{
    mrpc_rdma *rdma = (mrpc_rdma *)attachment;
    wait_for_goodbyes(rdma);
    while (rdma->connections != NULL)
        mrpc_rdma_connection_free(rdma->connections);
    while (rdma->devices != NULL) {
        mrpc_rdma_device *device = rdma->devices;
        rdma->devices = device->next;
        mrpc_rdma_device_free(device);
    }
    mrpc_loop_remove(rdma->loop, &rdma->watch);
    mrpc_loop_stop(rdma->loop, &rdma->timer);
    mrpc_loop_stop(rdma->loop, &rdma->looking);
    if (rdma->channel != NULL)
        rdma_destroy_event_channel(rdma->channel);
    free(rdma);
}

static int open_channel(mrpc_rdma *rdma, mrpc_error *error)
{
    rdma->channel = rdma_create_event_channel();
    if (rdma->channel == NULL && (errno == ENODEV || errno == ENOENT))
        return mrpc_error_set(error, MRPC_ENOTSUP,
                              "rdma: this machine has no RDMA device, or its kernel modules are not loaded: see "
                              "mrpcctl doctor, and try modprobe rdma_ucm");
    if (rdma->channel == NULL)
        return mrpc_rdma_error(error, "rdma", "rdma_create_event_channel", errno);
    int flags = fcntl(rdma->channel->fd, F_GETFL);
    if (fcntl(rdma->channel->fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return mrpc_rdma_error(error, "rdma", "fcntl", errno);
    rdma->watch = (mrpc_watch){.ready = ready, .fd = rdma->channel->fd};
    int failure = mrpc_loop_add(rdma->loop, &rdma->watch);
    return failure == 0
               ? 0
               : mrpc_error_set(error, failure, "rdma: the event loop cannot watch the connection manager's events");
}

int mrpc_rdma_get(mrpc_rdma **result, const mrpc_transport_setup *setup, mrpc_error *error)
{
    mrpc_loop *loop = setup->loop;
    mrpc_rdma *rdma = (mrpc_rdma *)mrpc_loop_attachment(loop, &key);
    if (rdma != NULL) {
        *result = rdma;
        return 0;
    }
    rdma = calloc(1, sizeof *rdma);
    if (rdma == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "rdma: no memory");
    rdma->loop = loop;
    rdma->counters = setup->counters;
    rdma->timer.expired = look_again;
    int failure = open_channel(rdma, error);
    if (failure != 0) {
        end(&rdma->attachment);
        return failure;
    }
    rdma->attachment.key = &key;
    rdma->attachment.end = end;
    mrpc_loop_attach(loop, &rdma->attachment);
    *result = rdma;
    return 0;
}
