/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connection.c - how a connection is made, ends and is freed
 *
 * What was posted is read by the device until it is completed, or until the queue pair is destroyed: only then are its
 * buffers let go. A connection that its owner closes stays behind as RDMA_LEAVING until its goodbye has arrived, so
 * that what was flushed arrives as well; it has no owner, tokens or arenas any more.
 */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_MIN = 32,
    QUEUE_MORE = 8, /* places of the send queue beyond the window */
    READS = 16      /* reads under way at once, each way */
};

#define PATIENCE (UINT64_C(2) * 1000000000) /* ns for a goodbye to arrive */

/* --- frames that come --- */

int mrpc_rdma_connection_hand_over(mrpc_rdma_connection *connection, const mrpc_incoming *incoming)
{
    /* Asked before: the header may be gone afterwards. */
    bool ends = mrpc_frame_ends_call(incoming->header);
    uint32_t call = incoming->header->call;
    if (incoming->header->type == FRAME_HELLO)
        mrpc_stream_tx_learn(&connection->tx, incoming, connection->chunk);
    int failure = connection->base.events->received(&connection->base, incoming);
    if (!ends || failure != 0 || connection->rx.stopped)
        return failure;
    mrpc_stream_tx_end_call(&connection->tx, call);
    mrpc_rdma_offer_end_call(connection, call);
    return 0;
}

static int deliver(mrpc_stream_rx *rx, const mrpc_incoming *incoming)
{
    mrpc_rdma_connection *connection = (mrpc_rdma_connection *)((char *)rx - offsetof(mrpc_rdma_connection, rx));
    switch (incoming->header->type) {
    case FRAME_OFFER:
        mrpc_rdma_read_offered(connection, incoming);
        return 0;
    case FRAME_RETURN:
        mrpc_rdma_offer_returned(connection, incoming);
        return 0;
    case FRAME_CANCEL:
        mrpc_rdma_read_end_call(connection, incoming->header->call);
        break;
    default:
        if (MRPC_UNLIKELY(connection->reads.first != NULL) && mrpc_rdma_read_defer(connection, incoming))
            return 0;
    }
    return mrpc_rdma_connection_hand_over(connection, incoming);
}

/* --- making --- */

static void expired(mrpc_timer *timer)
{
    mrpc_rdma_connection *connection = (mrpc_rdma_connection *)((char *)timer - offsetof(mrpc_rdma_connection, timer));
    mrpc_rdma_connection_enter(connection);
    if (connection->state == RDMA_CONNECTING && !connection->failed)
        mrpc_rdma_attempt_expired(connection);
    else
        connection->failed = true; /* its failure is reported, or its goodbye has taken too long */
    mrpc_rdma_connection_leave(connection);
}

static void link_connection(mrpc_rdma_connection *connection)
{
    mrpc_rdma *rdma = connection->rdma;
    connection->next = rdma->connections;
    connection->place = &rdma->connections;
    if (connection->next != NULL)
        connection->next->place = &connection->next;
    rdma->connections = connection;
}

static void unlink_connection(mrpc_rdma_connection *connection)
{
    *connection->place = connection->next;
    if (connection->next != NULL)
        connection->next->place = connection->place;
}

int mrpc_rdma_connection_new(mrpc_rdma_connection **result, mrpc_rdma *rdma, const mrpc_transport_setup *setup,
                             mrpc_error *error)
{
    mrpc_rdma_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "rdma: no memory for a connection");
    connection->base.transport = &mrpc_transport_rdma;
    connection->base.counters = setup->counters;
    connection->rdma = rdma;
    connection->send_heap = setup->send_heap;
    connection->timer.expired = expired;
    connection->chunk = setup->options.chunk;
    connection->options = setup->options;
    connection->options.congestion = connection->options.source = connection->options.rdma_device = NULL;
    connection->window = connection->allowed = setup->options.rdma_window;
    connection->rx = (mrpc_stream_rx){
        .counters = setup->counters,
        .heap = setup->receive_heap,
        .max_message = setup->options.max_message,
        .max_unfinished = setup->options.max_unfinished,
        .chunk = setup->options.chunk,
        .offers = true,
        .error = &connection->reason,
        .deliver = deliver,
    };
    connection->offers.last = &connection->offers.first;
    connection->offers.threshold = setup->options.rdma_read;
    connection->reads.last = &connection->reads.first;
    link_connection(connection);
    *result = connection;
    return 0;
}

/* --- the queue pair --- */

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Sizes that the options, the window and the device allow. */
static void choose_sizes(mrpc_rdma_connection *connection, const struct ibv_device_attr *limits)
{
    uint32_t wanted = connection->window + QUEUE_MORE;
    connection->queue = QUEUE_MIN;
    while (connection->queue < wanted && 2 * connection->queue <= (uint32_t)limits->max_qp_wr)
        connection->queue *= 2;
    connection->segments =
        smaller(smaller(connection->options.rdma_segments, (uint32_t)limits->max_sge), RDMA_SEGMENTS_MAX);
}

/* How much a device takes inline is only told by trying. */
static int create_queue_pair(mrpc_rdma_connection *connection, mrpc_error *error)
{
    static const uint32_t sizes[] = {256, 128, 64, 0};
    mrpc_rdma_hub *hub = connection->hub;
    size_t i = connection->options.rdma_no_inline ? sizeof sizes / sizeof sizes[0] - 1 : 0;
    for (; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct ibv_qp_init_attr attributes = {
            .send_cq = hub->cq,
            .recv_cq = hub->cq,
            .srq = hub->srq,
            .cap = {.max_send_wr = connection->queue,
                    .max_send_sge = connection->segments,
                    .max_recv_wr = hub->srq != NULL ? 0 : connection->window + RDMA_EXTRA,
                    .max_recv_sge = 1,
                    .max_inline_data = sizes[i]},
            .qp_type = IBV_QPT_RC,
        };
        if (rdma_create_qp(connection->id, hub->device->pd, &attributes) == 0) {
            connection->inline_max = sizes[i];
            return 0;
        }
    }
    return mrpc_rdma_error(error, connection->base.peer, "rdma_create_qp", errno);
}

/* Where large messages come from and go to without being copied, as far as it is asked for and the device can do it. */
static int enter_heaps(mrpc_rdma_connection *connection, mrpc_rdma_device *device, mrpc_error *error)
{
    bool offers = device->has_windows && connection->offers.threshold != UINT64_MAX;
    int failure = offers && connection->send_heap == NULL ? mrpc_rdma_device_make_replies(device, error) : 0;
    if (failure != 0)
        return failure;
    if (offers && connection->send_heap == NULL)
        connection->send_heap = device->replies;
    mrpc_heap *received = connection->rx.heap != NULL ? connection->rx.heap : device->heap;
    bool reads = device->attributes.max_qp_rd_atom > 0 && device->attributes.max_qp_init_rd_atom > 0;
    if (reads)
        connection->reads.registry = mrpc_rdma_registry_enter(device, received);
    if (offers)
        connection->offers.registry = mrpc_rdma_registry_enter(device, connection->send_heap);
    if ((reads && connection->reads.registry == NULL) || (offers && connection->offers.registry == NULL))
        return mrpc_error_set(error, MRPC_ENOMEM, "%s: no memory for registrations", connection->base.peer);
    return 0;
}

static void leave_heaps(mrpc_rdma_connection *connection, mrpc_rdma_device *device)
{
    mrpc_rdma_offer_clear(connection);
    mrpc_rdma_read_clear(connection);
    mrpc_rdma_registry_leave(device, connection->offers.registry);
    mrpc_rdma_registry_leave(device, connection->reads.registry);
    connection->offers.registry = connection->reads.registry = NULL;
}

int mrpc_rdma_connection_equip(mrpc_rdma_connection *connection, mrpc_error *error)
{
    mrpc_rdma_device *device;
    int failure = mrpc_rdma_device_get(&device, connection->rdma, connection->id, error);
    if (failure != 0)
        return failure;
    choose_sizes(connection, &device->attributes);
    failure = mrpc_rdma_hub_reserve(connection, device, error);
    if (failure == 0)
        failure = create_queue_pair(connection, error);
    if (failure == 0)
        failure = mrpc_rdma_hub_enter(connection, error);
    if (failure != 0)
        return failure;
    connection->requests = calloc(connection->queue, sizeof *connection->requests);
    if (connection->requests == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "%s: no memory for work requests", connection->base.peer);
    connection->headers = mrpc_rdma_registry_alloc(&device->registry, connection->queue * sizeof *connection->headers,
                                                   &connection->header_key, error);
    if (connection->headers == NULL)
        return MRPC_ENOMEM;
    mrpc_stream_tx_init(&connection->tx, &device->buffers, connection->base.counters);
    connection->rx.buffers = &device->buffers;
    return enter_heaps(connection, device, error);
}

/* The buffers are the device's, which may go when the hub has been left. */
static void leave_buffers(mrpc_rdma_connection *connection)
{
    if (connection->tx.buffers == NULL)
        return;
    mrpc_stream_tx_clear(&connection->tx);
    mrpc_stream_rx_clear(&connection->rx);
    connection->tx.buffers = connection->rx.buffers = NULL;
}

void mrpc_rdma_connection_strip(mrpc_rdma_connection *connection)
{
    if (connection->id == NULL)
        return;
    mrpc_rdma_device *device = connection->hub != NULL ? connection->hub->device : NULL;
    mrpc_rdma_offer_close_windows(connection);
    if (connection->id->qp != NULL)
        rdma_destroy_qp(connection->id);
    if (connection->sent != connection->done)
        (void)mrpc_rdma_sends_done(connection, connection->sent - 1, false);
    if (device != NULL)
        leave_heaps(connection, device);
    leave_buffers(connection);
    /* It says goodbye in the connection manager's words, where that was not done yet. */
    (void)rdma_destroy_id(connection->id);
    connection->id = NULL;
    if (connection->headers != NULL)
        mrpc_heap_free(device->heap, connection->headers);
    connection->headers = NULL;
    free(connection->requests);
    connection->requests = NULL;
    mrpc_rdma_hub_leave(connection);
}

/* --- greeting --- */

mrpc_rdma_greeting mrpc_rdma_connection_greeting(const mrpc_rdma_connection *connection)
{
    return (mrpc_rdma_greeting){.magic = RDMA_MAGIC,
                                .version = RDMA_VERSION,
                                .minimum = RDMA_VERSION,
                                .window = connection->window,
                                .buffer = connection->options.rdma_buffer,
                                .offers = connection->reads.registry != NULL ? RDMA_OFFERS : 0};
}

int mrpc_rdma_connection_greeted(mrpc_rdma_connection *connection, const void *data, size_t bytes, mrpc_error *error)
{
    mrpc_rdma_greeting greeting;
    const char *where = connection->base.peer;
    if (data == NULL || bytes < sizeof greeting)
        return mrpc_error_set(error, MRPC_EPROTO, "%s: the peer does not speak mrpc", where);
    memcpy(&greeting, data, sizeof greeting);
    if (greeting.magic != RDMA_MAGIC)
        return mrpc_error_set(error, MRPC_EPROTO, "%s: the peer does not speak mrpc", where);
    if (greeting.minimum > RDMA_VERSION || greeting.version < RDMA_VERSION)
        return mrpc_error_set(error, MRPC_EPROTO, "%s: the peer speaks versions %u to %u of the protocol, this side %d",
                              where, greeting.minimum, greeting.version, RDMA_VERSION);
    if (greeting.window == 0 || greeting.window > RDMA_WINDOW_MAX || greeting.buffer < RDMA_BUFFER_MIN)
        return mrpc_error_set(error, MRPC_EPROTO, "%s: the peer offers %u buffers of %u bytes", where, greeting.window,
                              greeting.buffer);
    connection->credits = connection->peer_window = greeting.window;
    connection->peer_buffer = smaller(greeting.buffer, RDMA_BUFFER_MAX) & ~7u;
    connection->offers.most = smaller(greeting.offers, RDMA_OFFERS);
    return 0;
}

struct rdma_conn_param mrpc_rdma_connection_parameters(const mrpc_rdma_connection *connection,
                                                       const mrpc_rdma_greeting *greeting)
{
    const struct ibv_device_attr *limits = &connection->hub->device->attributes;
    const mrpc_connection_options *options = &connection->options;
    return (struct rdma_conn_param){
        .private_data = greeting,
        .private_data_len = sizeof *greeting,
        .responder_resources = (uint8_t)smaller((uint32_t)limits->max_qp_rd_atom, READS),
        .initiator_depth = (uint8_t)smaller((uint32_t)limits->max_qp_init_rd_atom, READS),
        .flow_control = 1,
        .retry_count = (uint8_t)(options->rdma_retry_forever ? 7 : options->rdma_retry),
        .rnr_retry_count = (uint8_t)(options->rdma_retry_forever ? 7 : options->rdma_rnr_retry),
    };
}

/* --- ending --- */

void mrpc_rdma_connection_fail(mrpc_rdma_connection *connection, const mrpc_error *reason)
{
    if (connection->failed)
        return;
    connection->failed = true;
    connection->rx.stopped = true;
    connection->reason = *reason;
}

void mrpc_rdma_connection_fail_text(mrpc_rdma_connection *connection, int code, const char *text)
{
    mrpc_error reason;
    (void)mrpc_error_set(&reason, code, "%s: %s", connection->base.peer, text);
    mrpc_rdma_connection_fail(connection, &reason);
}

/* No event comes after this, and no token is out. */
static void detach(mrpc_rdma_connection *connection)
{
    connection->rx.stopped = true;
    mrpc_loop_stop(connection->rdma->loop, &connection->timer);
    mrpc_rdma_attempt_free(connection);
    if (connection->tx.buffers == NULL)
        return;
    mrpc_rdma_offer_detach(connection);
    mrpc_stream_tx_clear(&connection->tx);
}

static void clear_receiver(mrpc_rdma_connection *connection)
{
    if (connection->rx.buffers != NULL)
        mrpc_stream_rx_clear(&connection->rx);
}

void mrpc_rdma_connection_free(mrpc_rdma_connection *connection)
{
    detach(connection);
    clear_receiver(connection);
    mrpc_rdma_connection_strip(connection);
    unlink_connection(connection);
    free(connection);
}

static void take_leave(mrpc_rdma_connection *connection)
{
    bool was_open = connection->state == RDMA_OPEN && !connection->failed;
    connection->state = was_open ? RDMA_LEAVING : RDMA_ENDED;
    connection->closing = true;
    if (was_open && !mrpc_rdma_say_goodbye(connection))
        connection->failed = true;
    detach(connection);
    if (was_open && mrpc_loop_start(connection->rdma->loop, &connection->timer,
                                    mrpc_loop_now(connection->rdma->loop) + PATIENCE) != 0)
        connection->failed = true;
}

void mrpc_rdma_connection_close(mrpc_rdma_connection *connection)
{
    mrpc_rdma_connection_enter(connection);
    take_leave(connection);
    mrpc_rdma_connection_leave(connection);
}

void mrpc_rdma_connection_enter(mrpc_rdma_connection *connection)
{
    connection->depth++;
}

static void report(mrpc_rdma_connection *connection)
{
    connection->reported = true;
    connection->state = RDMA_ENDED;
    if (connection->base.events == NULL) { /* nobody has got it */
        connection->closing = true;
        return;
    }
    detach(connection);
    clear_receiver(connection);
    mrpc_rdma_connection_strip(connection);
    connection->base.events->closed(&connection->base, &connection->reason);
}

void mrpc_rdma_connection_leave(mrpc_rdma_connection *connection)
{
    if (connection->depth > 1) {
        connection->depth--;
        return;
    }
    if (MRPC_UNLIKELY(connection->failed && !connection->reported && !connection->closing))
        report(connection);
    connection->depth--;
    if (MRPC_LIKELY(!connection->closing))
        return;
    if (connection->state == RDMA_LEAVING && !connection->failed)
        clear_receiver(connection);
    else
        mrpc_rdma_connection_free(connection);
}
