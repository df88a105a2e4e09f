/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hub.c - the completion queue and the receive buffers that the connections of a loop and device share
 *
 * Sizes follow the connections. Each takes its part of the completion queue (all of its work requests and receive
 * buffers could complete at once) and adds its window to the receive buffers that should be posted; so the queue cannot
 * overflow, and a peer that keeps to its credits finds a buffer. A hub that can grow no further gets a sibling.
 * One that nobody has used for a while goes, and with the last one the device: so what a peak took is given back.
 *
 * On a device without shared receive queues, each queue pair keeps the buffers that it was given at first: one that was
 * read is posted again to the same queue.
 *
 * An armed completion queue costs an event, which is an interrupt, and two system calls for what comes next. So it is
 * armed again after an event only if nobody polls it: who does has to arm it before it sleeps (transport.h), which one
 * connection does for all of the hub; when that one goes without having done so, the hub does it. While the loop waits,
 * the queue is armed, or the completion channel, which the loop watches, has an event.
 */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
    FIRST_COMPLETIONS = 1024,
    COMPLETIONS_MAX = 32767, /* of one queue: that is what Soft-RoCE allows, and enough for some hundred connections */
    RECEIVES_MAX = 8192,     /* of one shared receive queue */
    FIRST_TABLE = 64,
    BATCH = 32, /* completions that are taken, and receive buffers that are posted, at once */
    UNUSED_NS = 100000000
};

static const char *name_of(const mrpc_rdma_hub *hub)
{
    return ibv_get_device_name(hub->device->verbs->device);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* --- completions that are there --- */

static int take_events(mrpc_rdma_hub *hub)
{
    struct ibv_cq *cq;
    void *context;
    unsigned count = 0;
    while (ibv_get_cq_event(hub->channel, &cq, &context) == 0)
        count++;
    if (count > 0)
        ibv_ack_cq_events(hub->cq, count);
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : errno;
}

/* Nothing more can be expected of this hub; the next connection gets another. */
static void fail_all(mrpc_rdma_hub *hub, const char *verb, int reason)
{
    mrpc_error error;
    hub->failed = true;
    (void)mrpc_rdma_error(&error, name_of(hub), verb, reason);
    for (uint32_t i = 0; i < hub->table_size; i++) {
        for (mrpc_rdma_connection *c = hub->table[i], *next; c != NULL; c = next) {
            next = c->table_next;
            mrpc_rdma_connection_fail(c, &error);
            mrpc_rdma_hub_touch(c);
        }
    }
}

static int arm(mrpc_rdma_hub *hub)
{
    int reason = ibv_req_notify_cq(hub->cq, 0);
    hub->armed = reason == 0;
    return reason;
}

/* What comes is told from when the queue is armed, so the last look is after that. */
bool mrpc_rdma_hub_arm(mrpc_rdma_hub *hub)
{
    hub->polled = false;
    if (hub->armed)
        return true;
    int reason = arm(hub);
    if (reason != 0)
        fail_all(hub, "ibv_req_notify_cq", reason);
    return !mrpc_rdma_hub_poll(hub) && reason == 0;
}

/* The event comes once for each time that the queue is armed. */
static void ready(mrpc_watch *watch, uint32_t events)
{
    (void)events;
    mrpc_rdma_hub *hub = (mrpc_rdma_hub *)((char *)watch - offsetof(mrpc_rdma_hub, watch));
    bool polled = hub->polled;
    int reason = take_events(hub);
    if (reason != 0)
        fail_all(hub, "ibv_get_cq_event", reason);
    hub->armed = hub->polled = false;
    (void)mrpc_rdma_hub_poll(hub);
    if (!polled)
        (void)mrpc_rdma_hub_arm(hub);
}

static void look_and_arm(mrpc_timer *timer)
{
    mrpc_rdma_hub *hub = (mrpc_rdma_hub *)((char *)timer - offsetof(mrpc_rdma_hub, arming));
    (void)mrpc_rdma_hub_poll(hub);
    (void)mrpc_rdma_hub_arm(hub);
}

/* A connection has gone that may have been the one that was polled. */
static void arm_soon(mrpc_rdma_hub *hub)
{
    if (!hub->armed && mrpc_loop_start(hub->device->rdma->loop, &hub->arming, 0) != 0)
        (void)arm(hub);
}

void mrpc_rdma_hub_touch(mrpc_rdma_connection *connection)
{
    if (connection->is_touched)
        return;
    connection->is_touched = true;
    connection->touched_next = connection->hub->touched;
    connection->hub->touched = connection;
}

static bool settle_touched(mrpc_rdma_hub *hub)
{
    bool came = false;
    while (hub->touched != NULL) {
        mrpc_rdma_connection *connection = hub->touched;
        hub->touched = connection->touched_next;
        connection->is_touched = false;
        came |= mrpc_rdma_settle(connection);
    }
    return came;
}

/* --- receive buffers --- */

static void give_slot(mrpc_rdma_hub *hub, uint32_t index)
{
    hub->slots[index].next = hub->free_slot;
    hub->free_slot = index + 1;
}

static uint32_t take_slots(mrpc_rdma_hub *hub, struct ibv_recv_wr *requests, struct ibv_sge *places)
{
    uint32_t count = 0;
    for (; count < BATCH && hub->posted + count < hub->wanted && hub->free_slot != 0; count++) {
        uint32_t index = hub->free_slot - 1;
        mrpc_rdma_slot *slot = &hub->slots[index];
        hub->free_slot = slot->next;
        places[count] = (struct ibv_sge){.addr = (uintptr_t)slot->data, .length = hub->buffer, .lkey = slot->key};
        requests[count] = (struct ibv_recv_wr){.wr_id = index, .sg_list = &places[count], .num_sge = 1};
        if (count > 0)
            requests[count - 1].next = &requests[count];
    }
    return count;
}

static uint32_t receives_of(const mrpc_rdma_connection *connection)
{
    return connection->window + RDMA_EXTRA;
}

/* --- without a shared receive queue --- */

/* 0, or an errno. */
static int post_own(mrpc_rdma_hub *hub, struct ibv_qp *queue_pair, uint32_t index)
{
    mrpc_rdma_slot *slot = &hub->slots[index];
    struct ibv_sge place = {.addr = (uintptr_t)slot->data, .length = hub->buffer, .lkey = slot->key};
    struct ibv_recv_wr request = {.wr_id = index, .sg_list = &place, .num_sge = 1}, *bad = NULL;
    return ibv_post_recv(queue_pair, &request, &bad);
}

/* All that the peer may fill, before it is told so. */
static int post_all_own(mrpc_rdma_connection *connection, mrpc_error *error)
{
    mrpc_rdma_hub *hub = connection->hub;
    connection->own = calloc(receives_of(connection), sizeof *connection->own);
    if (connection->own == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "rdma: no memory for a list of receive buffers");
    for (uint32_t i = 0; i < receives_of(connection); i++) {
        uint32_t index = hub->free_slot - 1;
        hub->free_slot = hub->slots[index].next;
        connection->own[i] = index;
    }
    for (uint32_t i = 0; i < receives_of(connection); i++) {
        int reason = post_own(hub, connection->id->qp, connection->own[i]);
        if (reason != 0)
            return mrpc_rdma_error(error, name_of(hub), "ibv_post_recv", reason);
    }
    return 0;
}

static void post_own_again(mrpc_rdma_hub *hub, const struct ibv_wc *completion)
{
    mrpc_rdma_connection *connection = mrpc_rdma_hub_find(hub, completion->qp_num);
    if (connection == NULL || completion->status != IBV_WC_SUCCESS)
        return; /* the queue pair is gone, or takes nothing any more */
    int reason = post_own(hub, connection->id->qp, (uint32_t)completion->wr_id);
    mrpc_error error;
    if (reason == 0)
        return;
    (void)mrpc_rdma_error(&error, name_of(hub), "ibv_post_recv", reason);
    mrpc_rdma_connection_fail(connection, &error);
    mrpc_rdma_hub_touch(connection);
}

static void give_own(mrpc_rdma_connection *connection)
{
    for (uint32_t i = 0; connection->own != NULL && i < receives_of(connection); i++)
        give_slot(connection->hub, connection->own[i]);
    free(connection->own);
    connection->own = NULL;
}

/* --- */

/* Posts free buffers until as many are posted as should be. 0, or an errno. */
static int post_receives(mrpc_rdma_hub *hub)
{
    while (hub->srq != NULL && hub->posted < hub->wanted) {
        struct ibv_recv_wr requests[BATCH], *bad = NULL;
        struct ibv_sge places[BATCH];
        uint32_t count = take_slots(hub, requests, places);
        if (count == 0)
            break;
        int reason = ibv_post_srq_recv(hub->srq, requests, &bad);
        if (reason != 0) {
            hub->posted += (uint32_t)(bad - requests);
            for (; bad != NULL; bad = bad->next)
                give_slot(hub, (uint32_t)bad->wr_id);
            return reason;
        }
        hub->posted += count;
    }
    return 0;
}

static int grow_slots(mrpc_rdma_hub *hub, uint32_t count, mrpc_error *error)
{
    mrpc_rdma_slot *slots = realloc(hub->slots, count * sizeof *slots);
    if (slots == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "rdma: no memory for the table of receive buffers");
    hub->slots = slots;
    while (hub->slot_count < count) {
        mrpc_rdma_slot slot = {0};
        slot.data = mrpc_rdma_registry_alloc(&hub->device->registry, hub->buffer, &slot.key, error);
        if (slot.data == NULL)
            return error != NULL ? error->code : MRPC_ENOMEM;
        hub->slots[hub->slot_count] = slot;
        give_slot(hub, hub->slot_count++);
    }
    return 0;
}

bool mrpc_rdma_hub_poll(mrpc_rdma_hub *hub)
{
    if (hub->polling)
        return false;
    hub->polling = true;
    bool came = false;
    int count;
    do {
        struct ibv_wc completions[BATCH];
        count = ibv_poll_cq(hub->cq, BATCH, completions);
        if (count < 0)
            fail_all(hub, "ibv_poll_cq", -count);
        for (int i = 0; i < count; i++) {
            const struct ibv_wc *completion = &completions[i];
            bool receive = completion->wr_id < hub->slot_count;
            came |= mrpc_rdma_complete(hub, completion);
            if (receive && hub->srq == NULL) {
                post_own_again(hub, completion);
            } else if (receive) {
                hub->posted--;
                give_slot(hub, (uint32_t)completion->wr_id);
            }
        }
        int reason = post_receives(hub);
        if (reason != 0)
            fail_all(hub, "ibv_post_srq_recv", reason);
    } while (count == BATCH);
    hub->used -= hub->retired;
    hub->retired = 0;
    came |= settle_touched(hub);
    hub->polling = false;
    return came;
}

/* --- the table of connections --- */

static mrpc_rdma_connection **chain_of(const mrpc_rdma_hub *hub, uint32_t queue_pair)
{
    /* Fibonacci hashing (Knuth, TAOCP volume 3, 6.4); devices number queue pairs one after the other. */
    return &hub->table[((queue_pair * UINT32_C(0x9E3779B9)) >> 8) & (hub->table_size - 1)];
}

static void insert(mrpc_rdma_hub *hub, mrpc_rdma_connection *connection)
{
    mrpc_rdma_connection **chain = chain_of(hub, connection->queue_pair);
    connection->table_next = *chain;
    *chain = connection;
}

static int grow_table(mrpc_rdma_hub *hub, mrpc_error *error)
{
    if (hub->count < hub->table_size)
        return 0;
    uint32_t old_size = hub->table_size;
    mrpc_rdma_connection **old = hub->table;
    uint32_t size = old_size == 0 ? FIRST_TABLE : 2 * old_size;
    mrpc_rdma_connection **table = calloc(size, sizeof(*table));
    if (table == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "rdma: no memory for the table of connections");
    hub->table = table;
    hub->table_size = size;
    for (uint32_t i = 0; i < old_size; i++) {
        for (mrpc_rdma_connection *c = old[i], *next; c != NULL; c = next) {
            next = c->table_next;
            insert(hub, c);
        }
    }
    free(old);
    return 0;
}

int mrpc_rdma_hub_enter(mrpc_rdma_connection *connection, mrpc_error *error)
{
    mrpc_rdma_hub *hub = connection->hub;
    int failure = grow_table(hub, error);
    if (failure != 0)
        return failure;
    connection->number = ++hub->next_number;
    connection->queue_pair = connection->id->qp->qp_num;
    insert(hub, connection);
    hub->count++;
    connection->entered = true;
    return hub->srq == NULL ? post_all_own(connection, error) : 0;
}

static void remove_entry(mrpc_rdma_connection *connection)
{
    mrpc_rdma_hub *hub = connection->hub;
    mrpc_rdma_connection **link = chain_of(hub, connection->queue_pair);
    while (*link != connection)
        link = &(*link)->table_next;
    *link = connection->table_next;
    hub->count--;
}

mrpc_rdma_connection *mrpc_rdma_hub_find(const mrpc_rdma_hub *hub, uint32_t queue_pair)
{
    mrpc_rdma_connection *connection = hub->table_size == 0 ? NULL : *chain_of(hub, queue_pair);
    while (connection != NULL && connection->queue_pair != queue_pair)
        connection = connection->table_next;
    return connection;
}

/* --- room --- */

static uint32_t completions_of(const mrpc_rdma_connection *connection)
{
    return connection->queue + receives_of(connection);
}

static bool grow_completions(mrpc_rdma_hub *hub, uint32_t needed)
{
    if (needed <= hub->capacity)
        return true;
    uint32_t limit = smaller(COMPLETIONS_MAX, (uint32_t)hub->device->attributes.max_cqe);
    uint32_t wanted = smaller(needed > 2 * hub->capacity ? needed : 2 * hub->capacity, limit);
    if (wanted < needed || ibv_resize_cq(hub->cq, (int)wanted) != 0)
        return false; /* a device need not be able to */
    hub->capacity = (uint32_t)hub->cq->cqe;
    return hub->capacity >= needed;
}

static bool shares(const mrpc_rdma_device *device, const mrpc_rdma_connection *connection)
{
    return device->attributes.max_srq > 0 && !connection->options.rdma_no_srq;
}

/* True when the connection has its room; then post_receives() is due. */
static bool fits(mrpc_rdma_hub *hub, const mrpc_rdma_connection *connection)
{
    return !hub->failed && hub->buffer == connection->options.rdma_buffer &&
           (hub->srq != NULL) == shares(hub->device, connection) &&
           (hub->srq == NULL || hub->wanted + receives_of(connection) <= hub->srq_size) &&
           grow_completions(hub, hub->used + completions_of(connection));
}

static int open_receive_queue(mrpc_rdma_hub *hub, mrpc_error *error)
{
    uint32_t most = (uint32_t)hub->device->attributes.max_srq_wr;
    struct ibv_srq_init_attr attributes = {.attr = {.max_wr = smaller(RECEIVES_MAX, most), .max_sge = 1}};
    hub->srq = ibv_create_srq(hub->device->pd, &attributes);
    if (hub->srq == NULL)
        return mrpc_rdma_error(error, name_of(hub), "ibv_create_srq", errno);
    hub->srq_size = attributes.attr.max_wr;
    return 0;
}

static int open_hub(mrpc_rdma_hub *hub, bool shared, mrpc_error *error)
{
    struct ibv_context *verbs = hub->device->verbs;
    const struct ibv_device_attr *limits = &hub->device->attributes;
    hub->channel = ibv_create_comp_channel(verbs);
    if (hub->channel == NULL)
        return mrpc_rdma_error(error, name_of(hub), "ibv_create_comp_channel", errno);
    if (fcntl(hub->channel->fd, F_SETFL, fcntl(hub->channel->fd, F_GETFL) | O_NONBLOCK) != 0)
        return mrpc_rdma_error(error, name_of(hub), "fcntl", errno);
    hub->cq = ibv_create_cq(verbs, (int)smaller(FIRST_COMPLETIONS, (uint32_t)limits->max_cqe), hub, hub->channel, 0);
    if (hub->cq == NULL)
        return mrpc_rdma_error(error, name_of(hub), "ibv_create_cq", errno);
    hub->capacity = (uint32_t)hub->cq->cqe;
    int reason = arm(hub);
    if (reason != 0)
        return mrpc_rdma_error(error, name_of(hub), "ibv_req_notify_cq", reason);
    int failure = shared ? open_receive_queue(hub, error) : 0;
    if (failure != 0)
        return failure;
    hub->watch = (mrpc_watch){.ready = ready, .fd = hub->channel->fd};
    failure = mrpc_loop_add(hub->device->rdma->loop, &hub->watch);
    if (failure != 0)
        return mrpc_error_set(error, failure, "rdma: the event loop cannot watch a completion channel");
    return 0;
}

/* The last connection has left some time ago. */
static void unused(mrpc_timer *timer)
{
    mrpc_rdma_hub *hub = (mrpc_rdma_hub *)((char *)timer - offsetof(mrpc_rdma_hub, timer));
    mrpc_rdma_device *device = hub->device;
    if (hub->wanted > 0)
        return;
    mrpc_rdma_hub **link = &device->hubs;
    while (*link != hub)
        link = &(*link)->next;
    *link = hub->next;
    mrpc_rdma_hub_free(hub);
    if (device->hubs == NULL)
        mrpc_rdma_device_leave(device);
}

/* Without memory for the timer it stays as long as the loop. */
static void expect_unused(mrpc_rdma_hub *hub)
{
    mrpc_loop *loop = hub->device->rdma->loop;
    (void)!mrpc_loop_start(loop, &hub->timer, mrpc_loop_now(loop) + UNUSED_NS);
}

static int hub_new(mrpc_rdma_hub **result, mrpc_rdma_device *device, const mrpc_rdma_connection *connection,
                   mrpc_error *error)
{
    mrpc_rdma_hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "rdma: no memory for a completion queue");
    hub->device = device;
    hub->buffer = connection->options.rdma_buffer;
    hub->timer.expired = unused;
    hub->arming.expired = look_and_arm;
    int failure = open_hub(hub, shares(device, connection), error);
    if (failure != 0) {
        mrpc_rdma_hub_free(hub);
        return failure;
    }
    hub->next = device->hubs;
    device->hubs = hub;
    *result = hub;
    return 0;
}

int mrpc_rdma_hub_reserve(mrpc_rdma_connection *connection, mrpc_rdma_device *device, mrpc_error *error)
{
    mrpc_rdma_hub *hub = device->hubs;
    while (hub != NULL && !fits(hub, connection))
        hub = hub->next;
    int failure = hub != NULL ? 0 : hub_new(&hub, device, connection, error);
    if (failure != 0)
        return failure;
    if (!fits(hub, connection))
        return mrpc_error_set(error, MRPC_ELIMIT,
                              "%s: the device has no room for a connection with rdma_window %u: lower that option",
                              name_of(hub), connection->window);
    uint32_t receives = receives_of(connection);
    if (hub->slot_count < hub->wanted + receives)
        failure = grow_slots(hub, hub->wanted + receives, error);
    if (failure != 0)
        return failure;
    connection->hub = hub;
    hub->wanted += receives;
    hub->used += completions_of(connection);
    int reason = post_receives(hub);
    return reason == 0 ? 0 : mrpc_rdma_error(error, name_of(hub), "ibv_post_srq_recv", reason);
}

void mrpc_rdma_hub_leave(mrpc_rdma_connection *connection)
{
    mrpc_rdma_hub *hub = connection->hub;
    if (hub == NULL)
        return;
    if (connection->entered)
        remove_entry(connection);
    connection->entered = false;
    mrpc_rdma_connection **link = &hub->touched;
    while (connection->is_touched && *link != connection)
        link = &(*link)->touched_next;
    if (connection->is_touched)
        *link = connection->touched_next;
    connection->is_touched = false;
    give_own(connection);
    hub->wanted -= receives_of(connection);
    hub->retired += completions_of(connection);
    connection->hub = NULL;
    if (hub->wanted == 0)
        expect_unused(hub);
    else
        arm_soon(hub);
}

void mrpc_rdma_hub_free(mrpc_rdma_hub *hub)
{
    mrpc_loop_remove(hub->device->rdma->loop, &hub->watch);
    mrpc_loop_stop(hub->device->rdma->loop, &hub->timer);
    mrpc_loop_stop(hub->device->rdma->loop, &hub->arming);
    /* All queue pairs are gone, so none of these is in use, and all events are acknowledged. */
    if (hub->srq != NULL)
        (void)ibv_destroy_srq(hub->srq);
    if (hub->cq != NULL)
        (void)ibv_destroy_cq(hub->cq);
    if (hub->channel != NULL)
        (void)ibv_destroy_comp_channel(hub->channel);
    for (uint32_t i = 0; i < hub->slot_count; i++)
        mrpc_heap_free(hub->device->heap, hub->slots[i].data);
    free(hub->slots);
    free(hub->table);
    free(hub);
}
