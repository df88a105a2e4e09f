/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * read.c - reading what the peer offers, straight into the arena of the message
 *
 * Reads are posted and completed in the order of the offers. The stream does not wait for them: only what follows in
 * the same call does, in a list behind the message. An offer is given back when nothing reads it any more, whatever has
 * become of its call.
 */
#include "config.h"

#include "transports/rdma/rdma.h"
#include "transports/stream/partial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_MAX = 1 << 20, /* bytes of one work request, so that the reads of another message need not wait for long */
    SLACK = 64          /* bytes for the arena's own record */
};

/* A frame that waits for the message before it. */
typedef struct deferred {
    struct deferred *next;
    uint64_t counted; /* in rx.unfinished */
    mrpc_incoming incoming;
    mrpc_frame header;
    uint64_t data[]; /* a head that lay in the transport's buffer, or extents */
} deferred;

struct mrpc_rdma_read {
    mrpc_rdma_read *next;
    uint64_t number; /* of the offer */
    mrpc_frame header;
    mrpc_arena *arena; /* NULL: refused */
    uint8_t *head;
    uint64_t counted; /* in rx.unfinished */
    int refused;
    uint32_t count;
    uint32_t place;     /* the next to be read, */
    uint32_t offset;    /* from this byte on */
    uint32_t under_way; /* work requests */
    bool dropped;
    mrpc_rdma_place places[RDMA_PLACES];
    uint8_t *to[RDMA_PLACES];
    deferred *first, **last;
};

static mrpc_rdma_read *read_of_call(const mrpc_rdma_connection *connection, uint32_t call)
{
    mrpc_rdma_read *found = NULL; /* the last one */
    for (mrpc_rdma_read *read = connection->reads.first; read != NULL; read = read->next)
        if (read->header.call == call && !read->dropped)
            found = read;
    return found;
}

static bool count(mrpc_rdma_connection *connection, uint64_t bytes)
{
    mrpc_stream_rx *rx = &connection->rx;
    if (rx->unfinished > rx->max_unfinished || bytes > rx->max_unfinished - rx->unfinished)
        return false;
    rx->unfinished += bytes;
    return true;
}

static void broken(mrpc_rdma_connection *connection, const char *what)
{
    char text[128];
    (void)snprintf(text, sizeof text, "the peer's offer: %s", what);
    mrpc_rdma_connection_fail_text(connection, MRPC_EPROTO, text);
}

/* --- what is offered --- */

static uint64_t extent_size(const mrpc_rdma_read *read, const uint8_t *head, uint32_t index)
{
    uint64_t size;
    memcpy(&size, head + read->header.meta + mrpc_pad8(read->header.block) + 8u * index, sizeof size);
    return size;
}

/* The places one after another must be the extents one after another: sets where each is to be read to, as an offset
 * from the end of the head, and *rest to their bytes with padding. NULL, or what is wrong. */
static const char *lay_out(mrpc_rdma_read *read, const uint8_t *head, uint64_t offsets[RDMA_PLACES], uint64_t *rest)
{
    uint32_t place = 0;
    *rest = 0;
    for (uint32_t i = 0; i < read->header.extents; i++) {
        uint64_t size = extent_size(read, head, i), done = 0;
        while (done < size) {
            if (place == read->count || read->places[place].size == 0 || read->places[place].size > size - done)
                return "its places are not those of its extents";
            offsets[place] = *rest + done;
            done += read->places[place++].size;
        }
        *rest += mrpc_pad8(size); /* a place has less than 4 GiB, and there are few */
    }
    return place == read->count ? NULL : "its places are not those of its extents";
}

static const char *parse(mrpc_rdma_read *read, const mrpc_incoming *offer, uint64_t offsets[RDMA_PLACES],
                         uint64_t *rest)
{
    size_t payload = offer->header->block, fixed = sizeof(mrpc_frame) + sizeof read->number;
    if (payload < fixed)
        return "it is too short";
    memcpy(&read->header, offer->head, sizeof read->header);
    uint64_t head = mrpc_frame_head(&read->header);
    if (read->header.type != FRAME_MESSAGE || read->header.call != offer->header->call ||
        (read->header.flags & FRAME_MORE) || read->header.extents == 0 || read->header.extents > RDMA_PLACES ||
        head > RDMA_OFFER_HEAD || read->header.size != head || head > payload - fixed)
        return "it holds no message";
    const char *what = mrpc_stream_check(&read->header, RDMA_OFFER_HEAD);
    if (what != NULL)
        return what;
    size_t places = payload - fixed - (size_t)head;
    read->count = (uint32_t)(places / sizeof(mrpc_rdma_place));
    if (places % sizeof(mrpc_rdma_place) != 0 || read->count == 0 || read->count > RDMA_PLACES)
        return "it has no places, or too many";
    const uint8_t *at = offer->head + sizeof(mrpc_frame) + head;
    memcpy(&read->number, at, sizeof read->number);
    memcpy(read->places, at + sizeof read->number, places);
    return lay_out(read, offer->head + sizeof(mrpc_frame), offsets, rest);
}

/* Memory for all of it; or why it is refused. */
static int prepare(mrpc_rdma_connection *connection, mrpc_rdma_read *read, const uint8_t *head,
                   const uint64_t offsets[RDMA_PLACES], uint64_t rest)
{
    uint64_t head_size = mrpc_frame_head(&read->header), all = head_size + rest;
    if (all > connection->rx.max_message)
        return MRPC_ELIMIT;
    if (!count(connection, all))
        return MRPC_EAGAIN;
    read->counted = all;
    read->arena = mrpc_arena_new(connection->reads.registry->heap, (size_t)all + SLACK);
    read->head = read->arena == NULL ? NULL : mrpc_arena_alloc(read->arena, (size_t)all);
    if (read->head == NULL)
        return MRPC_ENOMEM;
    memcpy(read->head, head, head_size);
    for (uint32_t i = 0; i < read->count; i++)
        read->to[i] = read->head + head_size + offsets[i];
    return 0;
}

/* Nothing is to be read of it. */
static void empty(mrpc_rdma_read *read)
{
    mrpc_arena_free(read->arena);
    read->arena = NULL;
    read->place = read->count;
}

static void append(mrpc_rdma_reads *reads, mrpc_rdma_read *read)
{
    *reads->last = read;
    reads->last = &read->next;
    reads->count++;
    if (reads->posting == NULL)
        reads->posting = read;
}

/* NULL: the connection ends. */
static mrpc_rdma_read *begin(mrpc_rdma_connection *connection, const mrpc_incoming *offer)
{
    const mrpc_rdma_reads *reads = &connection->reads;
    mrpc_rdma_read *read = NULL;
    if (reads->registry == NULL || reads->count + reads->return_count >= RDMA_OFFERS)
        broken(connection, "more are out than this side takes");
    else if (mrpc_stream_partial_find(&connection->rx, offer->header->call) != NULL)
        broken(connection, "a message of the same call is under way");
    else if ((read = calloc(1, sizeof *read)) == NULL)
        mrpc_rdma_connection_fail_text(connection, MRPC_ENOMEM, "no memory for an offer");
    return read;
}

void mrpc_rdma_read_offered(mrpc_rdma_connection *connection, const mrpc_incoming *offer)
{
    mrpc_rdma_read *read = begin(connection, offer);
    if (read == NULL)
        return;
    read->last = &read->first;
    uint64_t offsets[RDMA_PLACES], rest = 0;
    const char *what = parse(read, offer, offsets, &rest);
    if (what != NULL) {
        free(read);
        broken(connection, what);
        return;
    }
    read->refused = prepare(connection, read, offer->head + sizeof(mrpc_frame), offsets, rest);
    if (read->refused != 0)
        empty(read);
    append(&connection->reads, read);
}

/* --- what has to wait --- */

static deferred *keep(const mrpc_incoming *incoming, uint64_t counted)
{
    size_t head = incoming->arena == NULL && incoming->head != NULL ? (size_t)mrpc_frame_head(incoming->header) : 0;
    size_t extents = incoming->extents != NULL ? incoming->header->extents * sizeof(mrpc_extent) : 0;
    deferred *frame = malloc(sizeof *frame + head + extents);
    if (frame == NULL)
        return NULL;
    *frame = (deferred){.counted = counted, .incoming = *incoming, .header = *incoming->header};
    frame->incoming.header = &frame->header;
    if (head > 0)
        frame->incoming.head = memcpy(frame->data, incoming->head, head);
    if (extents > 0)
        frame->incoming.extents = memcpy((char *)frame->data + head, incoming->extents, extents);
    return frame;
}

/* False: the connection ends. */
static bool append_deferred(mrpc_rdma_connection *connection, mrpc_rdma_read *read, const mrpc_incoming *incoming)
{
    uint64_t bytes = sizeof(deferred) + incoming->header->size;
    if (!count(connection, bytes)) {
        broken(connection, "too much of the same call comes behind it");
        return false;
    }
    deferred *frame = keep(incoming, bytes);
    if (frame == NULL) {
        connection->rx.unfinished -= bytes;
        mrpc_rdma_connection_fail_text(connection, MRPC_ENOMEM, "no memory for a frame behind an offer");
        return false;
    }
    *read->last = frame;
    read->last = &frame->next;
    return true;
}

bool mrpc_rdma_read_defer(mrpc_rdma_connection *connection, const mrpc_incoming *incoming)
{
    uint8_t type = incoming->header->type;
    bool ordered = type == FRAME_MESSAGE || type == FRAME_STATUS || type == FRAME_BIND;
    mrpc_rdma_read *read = ordered ? read_of_call(connection, incoming->header->call) : NULL;
    if (read == NULL)
        return false;
    if (!append_deferred(connection, read, incoming))
        mrpc_arena_free(incoming->arena);
    return true;
}

static void free_deferred(mrpc_rdma_connection *connection, mrpc_rdma_read *read)
{
    while (read->first != NULL) {
        deferred *frame = read->first;
        read->first = frame->next;
        connection->rx.unfinished -= frame->counted;
        mrpc_arena_free(frame->incoming.arena);
        free(frame);
    }
    read->last = &read->first;
}

void mrpc_rdma_read_end_call(mrpc_rdma_connection *connection, uint32_t call)
{
    for (mrpc_rdma_read *read = connection->reads.first; read != NULL; read = read->next) {
        if (read->header.call != call || read->dropped)
            continue;
        read->dropped = true;
        free_deferred(connection, read);
    }
}

bool mrpc_rdma_read_opening(const mrpc_rdma_connection *connection, uint32_t last)
{
    for (const mrpc_rdma_read *read = connection->reads.first; read != NULL; read = read->next)
        if ((read->header.flags & FRAME_OPEN) && read->header.call <= last && !read->dropped)
            return true;
    return false;
}

/* --- reading --- */

static void advance(mrpc_rdma_reads *reads)
{
    while (reads->posting != NULL && reads->posting->place == reads->posting->count)
        reads->posting = reads->posting->next;
}

bool mrpc_rdma_read_next(mrpc_rdma_connection *connection, struct ibv_send_wr *post, struct ibv_sge *place,
                         mrpc_rdma_request *request)
{
    mrpc_rdma_reads *reads = &connection->reads;
    advance(reads);
    mrpc_rdma_read *read = reads->posting;
    if (read == NULL)
        return false;
    const mrpc_rdma_place *from = &read->places[read->place];
    uint8_t *to = read->to[read->place] + read->offset;
    size_t bytes = from->size - read->offset;
    if (bytes > READ_MAX)
        bytes = READ_MAX;
    mrpc_error error;
    uint32_t key;
    if (mrpc_rdma_registry_key(reads->registry, to, &bytes, &key, &error) != 0) {
        mrpc_rdma_connection_fail(connection, &error);
        return false;
    }
    *place = (struct ibv_sge){.addr = (uintptr_t)to, .length = (uint32_t)bytes, .lkey = key};
    post->opcode = IBV_WR_RDMA_READ;
    post->wr.rdma.remote_addr = from->address + read->offset;
    post->wr.rdma.rkey = from->key;
    request->read = read;
    read->under_way++;
    read->offset += (uint32_t)bytes;
    if (read->offset == from->size) {
        read->place++;
        read->offset = 0;
    }
    connection->base.counters->rdma_reads++;
    return true;
}

void mrpc_rdma_read_done(mrpc_rdma_read *read)
{
    read->under_way--;
}

/* --- what is complete --- */

static int hand_over(mrpc_rdma_connection *connection, mrpc_rdma_read *read)
{
    mrpc_extent extents[RDMA_PLACES];
    const uint8_t *data = read->head + mrpc_frame_head(&read->header);
    mrpc_incoming incoming = {.header = &read->header, .refused = read->refused};
    if (read->arena != NULL) {
        for (uint32_t i = 0; i < read->header.extents; i++) {
            extents[i] = (mrpc_extent){.data = data, .size = extent_size(read, read->head, i)};
            data += mrpc_pad8(extents[i].size);
        }
        incoming.head = read->head;
        incoming.arena = read->arena;
        incoming.extents = extents;
        read->header.size = (uint32_t)(data - read->head);
    }
    read->arena = NULL; /* the callee's */
    connection->rx.frames++;
    return mrpc_rdma_connection_hand_over(connection, &incoming);
}

/* What has waited for it goes behind the next message of the call, if there is one. */
static int hand_over_deferred(mrpc_rdma_connection *connection, mrpc_rdma_read *read)
{
    int failure = 0;
    while (failure == 0 && read->first != NULL && !connection->rx.stopped) {
        deferred *frame = read->first;
        read->first = frame->next;
        connection->rx.unfinished -= frame->counted;
        connection->rx.frames++;
        failure = mrpc_rdma_connection_hand_over(connection, &frame->incoming);
        free(frame);
    }
    return failure;
}

static void free_read(mrpc_rdma_connection *connection, mrpc_rdma_read *read)
{
    connection->rx.unfinished -= read->counted;
    free_deferred(connection, read);
    mrpc_arena_free(read->arena);
    free(read);
}

static mrpc_rdma_read *take_first(mrpc_rdma_reads *reads)
{
    mrpc_rdma_read *read = reads->first;
    reads->first = read->next;
    if (reads->first == NULL)
        reads->last = &reads->first;
    if (reads->posting == read)
        reads->posting = read->next;
    reads->count--;
    return read;
}

bool mrpc_rdma_read_deliver(mrpc_rdma_connection *connection)
{
    mrpc_rdma_reads *reads = &connection->reads;
    bool came = false;
    while (mrpc_rdma_is_open(connection) && reads->first != NULL && reads->first->place == reads->first->count &&
           reads->first->under_way == 0) {
        mrpc_rdma_read *read = take_first(reads);
        reads->returns[reads->return_count++] = read->number;
        connection->rx.counters->bytes_received += read->arena == NULL ? 0 : read->counted;
        int failure = read->dropped ? 0 : hand_over(connection, read);
        if (failure == 0)
            failure = hand_over_deferred(connection, read);
        came = true;
        free_read(connection, read);
        if (failure != 0)
            mrpc_rdma_connection_fail_text(connection, failure, mrpc_strerror(failure));
    }
    return came;
}

void mrpc_rdma_read_give_back(mrpc_rdma_connection *connection)
{
    mrpc_rdma_reads *reads = &connection->reads;
    uint32_t bytes = reads->return_count * (uint32_t)sizeof *reads->returns;
    mrpc_space space;
    if (reads->return_count == 0 || mrpc_stream_tx_begin(&connection->tx, sizeof(mrpc_frame) + bytes, &space) != 0)
        return; /* there will be room when something was sent */
    memcpy(space.data, &(mrpc_frame){.type = FRAME_RETURN, .block = bytes}, sizeof(mrpc_frame));
    memcpy(space.data + sizeof(mrpc_frame), reads->returns, bytes);
    mrpc_stream_tx_commit(&connection->tx, &space, NULL, NULL);
    reads->return_count = 0;
    connection->flushed = true;
}

void mrpc_rdma_read_clear(mrpc_rdma_connection *connection)
{
    while (connection->reads.first != NULL)
        free_read(connection, take_first(&connection->reads));
    connection->reads.return_count = 0;
}
