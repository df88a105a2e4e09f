/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send.c - from the stream of frames to work requests
 *
 * A SEND carries as many bytes as the peer's buffer has, gathered from the registered buffers that the frames were
 * written into; what lies elsewhere is copied into such a buffer first. All that is ready goes into one chain, which is
 * posted at once. Only the last request of a chain asks for a completion, and only if buffers have to be kept until
 * then or enough requests have gone without: small frames are copied by the post itself (inline), and their buffers are
 * free at once.
 */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <string.h>

enum { RESERVED = 2 /* places of the send queue for credits and the goodbye */ };

/* Work requests that are being put together. */
typedef struct chain {
    uint32_t count;
    struct ibv_send_wr requests[RDMA_CHAIN];
    struct ibv_sge places[RDMA_CHAIN][RDMA_SEGMENTS_MAX];
} chain;

/* --- one work request --- */

static void keep(mrpc_rdma_request *request, mrpc_buffer *buffer)
{
    if (request->count > 0 && request->kept[request->count - 1] == buffer)
        return;
    mrpc_stream_tx_keep(buffer);
    request->kept[request->count++] = buffer;
}

static void let_go(mrpc_rdma_connection *connection, mrpc_rdma_request *request)
{
    for (uint32_t i = 0; i < request->count; i++)
        mrpc_stream_tx_let_go(&connection->tx, request->kept[i]);
    request->count = 0;
}

static mrpc_rdma_request *request_at(mrpc_rdma_connection *connection, uint32_t number)
{
    return &connection->requests[number & (connection->queue - 1)];
}

/* The next request of the chain, without anything. */
static struct ibv_send_wr *begin_bare(mrpc_rdma_connection *connection, chain *posts)
{
    uint32_t number = connection->sent++;
    *request_at(connection, number) = (mrpc_rdma_request){.count = 0};
    struct ibv_send_wr *post = &posts->requests[posts->count];
    *post = (struct ibv_send_wr){.wr_id = (uint64_t)connection->number << 32 | number,
                                 .sg_list = posts->places[posts->count]};
    posts->count++;
    return post;
}

static void take_back(mrpc_rdma_connection *connection, chain *posts)
{
    connection->sent--;
    posts->count--;
}

/* The next request of the chain, with its header; the credits that are owed go with it. */
static struct ibv_send_wr *begin_request(mrpc_rdma_connection *connection, chain *posts, uint32_t flags)
{
    struct ibv_send_wr *post = begin_bare(connection, posts);
    uint32_t number = (uint32_t)post->wr_id;
    request_at(connection, number)->goodbye = flags & RDMA_GOODBYE;
    mrpc_rdma_header *header = &connection->headers[number & (connection->queue - 1)];
    *header = (mrpc_rdma_header){.credits = connection->owed, .flags = flags};
    connection->allowed += connection->owed;
    connection->owed = 0;
    post->sg_list[0] =
        (struct ibv_sge){.addr = (uintptr_t)header, .length = sizeof *header, .lkey = connection->header_key};
    post->num_sge = 1;
    post->opcode = IBV_WR_SEND;
    return post;
}

/* Where runs that lie in no registered memory are copied to, for one request. */
typedef struct stage {
    char *data;
    size_t size, used;
    mrpc_buffer *buffer;
} stage;

static bool copy_run(mrpc_rdma_connection *connection, stage *to, mrpc_stream_run *run, size_t room)
{
    if (to->data == NULL) {
        to->data = mrpc_stream_tx_stage(&connection->tx, room, &to->buffer);
        to->size = room;
    }
    if (to->data == NULL)
        return false;
    if (run->size > to->size - to->used)
        run->size = to->size - to->used;
    memcpy(to->data + to->used, run->data, run->size);
    connection->base.counters->bytes_copied_out += run->size;
    run->data = to->data + to->used;
    run->buffer = to->buffer;
    to->used += run->size;
    return true;
}

/* Adds a run, or enlarges the last place. False: no place is left. */
static bool add_place(mrpc_rdma_connection *connection, struct ibv_send_wr *post, mrpc_stream_run *run)
{
    mrpc_error error;
    uint32_t key;
    if (mrpc_rdma_registry_key(&connection->hub->device->registry, run->data, &run->size, &key, &error) != 0) {
        mrpc_rdma_connection_fail(connection, &error);
        return false;
    }
    struct ibv_sge *last = &post->sg_list[post->num_sge - 1];
    if (last->addr + last->length == (uintptr_t)run->data && last->lkey == key) {
        last->length += (uint32_t)run->size;
        return true;
    }
    if ((uint32_t)post->num_sge == connection->segments)
        return false;
    post->sg_list[post->num_sge++] =
        (struct ibv_sge){.addr = (uintptr_t)run->data, .length = (uint32_t)run->size, .lkey = key};
    return true;
}

/* Fills a request with what is next in the stream. Returns how many bytes that is. Extents are padded, so that it ends
 * at a multiple of 8 wherever there was no place for more. */
static size_t fill(mrpc_rdma_connection *connection, struct ibv_send_wr *post, mrpc_rdma_request *request)
{
    size_t room = connection->peer_buffer - sizeof(mrpc_rdma_header), filled = 0;
    stage copies = {0};
    mrpc_stream_run run;
    while (filled < room && mrpc_stream_tx_next(&connection->tx, &run)) {
        if (run.size > room - filled)
            run.size = room - filled;
        bool elsewhere = run.buffer == NULL;
        size_t before = copies.used;
        if (elsewhere && !copy_run(connection, &copies, &run, room - filled)) {
            connection->tx.failed = true;
            break;
        }
        if (!add_place(connection, post, &run)) {
            copies.used = before;
            break;
        }
        if (elsewhere)
            copies.used = before + run.size;
        keep(request, run.buffer);
        mrpc_stream_tx_sent(&connection->tx, run.size);
        filled += run.size;
    }
    if (copies.data != NULL)
        mrpc_stream_tx_unstage(copies.buffer, copies.data, copies.size, copies.used);
    return filled;
}

/* --- posting --- */

static uint32_t free_places(const mrpc_rdma_connection *connection)
{
    return connection->queue - (connection->sent - connection->done);
}

/* What the device copies while it is posted needs not be kept. */
static bool is_inline(const mrpc_rdma_connection *connection, const struct ibv_send_wr *post)
{
    uint32_t bytes = 0;
    if (post->opcode != IBV_WR_SEND)
        return false;
    for (int i = 0; i < post->num_sge; i++)
        bytes += post->sg_list[i].length;
    return bytes <= connection->inline_max;
}

static void finish_chain(mrpc_rdma_connection *connection, chain *posts)
{
    struct ibv_send_wr *last = &posts->requests[posts->count - 1];
    bool kept = false;
    for (uint32_t i = 0; i < posts->count; i++) {
        struct ibv_send_wr *post = &posts->requests[i];
        if (is_inline(connection, post))
            post->send_flags |= IBV_SEND_INLINE;
        else
            kept = true;
        post->next = post == last ? NULL : post + 1;
    }
    connection->unsignalled += posts->count;
    if (kept || connection->unsignalled >= connection->queue / 4 ||
        request_at(connection, (uint32_t)last->wr_id)->goodbye) {
        last->send_flags |= IBV_SEND_SIGNALED;
        connection->base.counters->rdma_signalled++;
        connection->unsignalled = 0;
    }
}

static bool post_chain(mrpc_rdma_connection *connection, chain *posts)
{
    finish_chain(connection, posts);
    struct ibv_send_wr *bad = NULL;
    connection->base.counters->system_calls_send++;
    connection->base.counters->rdma_requests += posts->count;
    int reason = ibv_post_send(connection->id->qp, posts->requests, &bad);
    if (reason != 0) {
        mrpc_error error;
        (void)mrpc_rdma_error(&error, connection->base.peer, "ibv_post_send", reason);
        mrpc_rdma_connection_fail(connection, &error);
        return false;
    }
    for (uint32_t i = 0; i < posts->count; i++)
        if (posts->requests[i].send_flags & IBV_SEND_INLINE)
            let_go(connection, request_at(connection, (uint32_t)posts->requests[i].wr_id));
    return true;
}

static bool has_room(const mrpc_rdma_connection *connection, const chain *posts, uint32_t reserved)
{
    return posts->count < RDMA_CHAIN && free_places(connection) > reserved;
}

/* Windows of offers. False: some are still to come. */
static bool add_windows(mrpc_rdma_connection *connection, chain *posts, uint32_t reserved)
{
    while (connection->offers.first != NULL && has_room(connection, posts, reserved)) {
        struct ibv_send_wr *post = begin_bare(connection, posts);
        (void)mrpc_rdma_offer_next(connection, post, request_at(connection, (uint32_t)post->wr_id));
    }
    return connection->offers.first == NULL;
}

static void add_reads(mrpc_rdma_connection *connection, chain *posts)
{
    while (connection->reads.posting != NULL && has_room(connection, posts, RESERVED)) {
        struct ibv_send_wr *post = begin_bare(connection, posts);
        post->num_sge = 1;
        if (mrpc_rdma_read_next(connection, post, post->sg_list, request_at(connection, (uint32_t)post->wr_id)))
            continue;
        take_back(connection, posts);
        break;
    }
}

/* The stream, as far as credits go. False: it cannot be sent. */
static bool add_sends(mrpc_rdma_connection *connection, chain *posts, size_t *bytes)
{
    mrpc_stream_run run;
    while (connection->flushed && !connection->tx.open && connection->credits > 0 &&
           has_room(connection, posts, RESERVED) && mrpc_stream_tx_next(&connection->tx, &run)) {
        uint32_t number = connection->sent;
        struct ibv_send_wr *post = begin_request(connection, posts, 0);
        size_t filled = fill(connection, post, request_at(connection, number));
        if (filled == 0 || connection->failed || connection->tx.failed)
            return false;
        connection->credits--;
        *bytes += filled;
    }
    return true;
}

/* One chain of what is ready. False: there is nothing to send, or no credit, or no place. */
static bool send_chain(mrpc_rdma_connection *connection, bool *drained)
{
    chain posts;
    posts.count = 0;
    size_t bytes = 0;
    bool opened = add_windows(connection, &posts, RESERVED);
    add_reads(connection, &posts);
    if (connection->failed || (opened && !add_sends(connection, &posts, &bytes)))
        return false;
    if (posts.count == 0 || !post_chain(connection, &posts))
        return false;
    connection->base.counters->bytes_sent += bytes;
    *drained |= mrpc_stream_tx_release(&connection->tx);
    return true;
}

/* At most two of these are on their way: the peer must have used half of its window between one and the next. */
static void send_credits(mrpc_rdma_connection *connection)
{
    if (2 * connection->owed < connection->window || free_places(connection) <= 1)
        return;
    chain posts;
    posts.count = 0;
    (void)begin_request(connection, &posts, 0);
    (void)post_chain(connection, &posts);
}

void mrpc_rdma_send(mrpc_rdma_connection *connection)
{
    bool drained = false;
    if (connection->reads.return_count > 0 && !connection->tx.open)
        mrpc_rdma_read_give_back(connection);
    while (mrpc_rdma_is_open(connection) && send_chain(connection, &drained))
        ;
    if (mrpc_rdma_is_open(connection) && connection->tx.failed)
        mrpc_rdma_connection_fail_text(connection, MRPC_ENOMEM, "no memory to send a frame");
    if (!mrpc_rdma_is_open(connection))
        return;
    connection->flushed = connection->tx.queued > 0;
    drained |= mrpc_stream_tx_release(&connection->tx);
    send_credits(connection);
    if (drained && mrpc_rdma_is_open(connection))
        connection->base.events->drained(&connection->base);
}

bool mrpc_rdma_say_goodbye(mrpc_rdma_connection *connection)
{
    if (free_places(connection) == 0)
        return false;
    chain posts;
    posts.count = 0;
    if (!mrpc_rdma_offer_withdraw(connection) || !add_windows(connection, &posts, 1) ||
        !has_room(connection, &posts, 0))
        return false;
    (void)begin_request(connection, &posts, RDMA_GOODBYE);
    return post_chain(connection, &posts);
}

bool mrpc_rdma_sends_done(mrpc_rdma_connection *connection, uint32_t last, bool succeeded)
{
    bool goodbye = false;
    while (connection->done != connection->sent && (int32_t)(last - connection->done) >= 0) {
        mrpc_rdma_request *request = request_at(connection, connection->done++);
        goodbye |= request->goodbye;
        let_go(connection, request);
        if (succeeded && request->read != NULL)
            mrpc_rdma_read_done(request->read);
        if (succeeded && request->loan != NULL)
            mrpc_rdma_offer_closed(connection, request->loan);
    }
    return goodbye;
}
