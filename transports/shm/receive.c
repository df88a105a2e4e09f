/* SPDX-License-Identifier: BSD-2-Clause */
/* receive.c - from records to frames: each byte is copied out of the shared memory once, and the copy is checked */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "transports/shm/connection.h"
#include "transports/shm/packet.h"
#include "transports/stream/rx.h"

enum {
    LOCAL = 4096,           /* bytes of payload that are handed over on the stack */
    BUDGET = 32,            /* records in one go, so that both sides work at once, and... */
    BUDGET_BYTES = 1 << 20, /* ...bytes, so that one connection does not keep the others waiting */
    LARGE = 16 << 10,       /* bytes of a record after which its room is given back at once */
    PACKETS = 16384,        /* that may wait in the socket */
    POLLS_PER_CLOCK = 64,   /* between two looks at the clock */
    SLACK = 64              /* bytes of an arena for its owner's own use */
};

static int broken(mrpc_shm_connection *c, const char *what)
{
    mrpc_shm_fail(c, MRPC_EPROTO, "%s: %s", c->base.peer, what);
    return MRPC_EPROTO;
}

static int deliver(mrpc_shm_connection *c, const mrpc_incoming *incoming)
{
    int failure = c->base.events->received(&c->base, incoming);
    if (MRPC_UNLIKELY(failure != 0))
        mrpc_shm_fail(c, failure, "%s: a frame was refused: %s", c->base.peer, mrpc_strerror(failure));
    return failure;
}

/* --- frames that lie in one record and have no extents --- */

/* The record's room is free for the peer as soon as it is popped, so the copy comes first. */
static int take_on_stack(mrpc_shm_connection *c, const mrpc_frame *header, const char *payload, uint64_t bytes)
{
    alignas(8) uint8_t local[LOCAL];
    memcpy(local, payload, header->size);
    mrpc_shm_in_pop(&c->in, bytes);
    return deliver(c, &(mrpc_incoming){.header = header, .head = local});
}

/* The message is dropped, the connection goes on. */
static int refuse(mrpc_shm_connection *c, const mrpc_frame *header, int reason)
{
    return deliver(c, &(mrpc_incoming){.header = header, .refused = reason});
}

static int take_in_arena(mrpc_shm_connection *c, const mrpc_frame *header, const char *payload, uint64_t bytes)
{
    mrpc_arena *arena = mrpc_arena_new(c->receive_heap, (size_t)header->size + SLACK);
    uint8_t *head = arena == NULL ? NULL : mrpc_arena_alloc(arena, header->size);
    if (head == NULL) {
        mrpc_arena_free(arena);
        mrpc_shm_in_pop(&c->in, bytes);
        return refuse(c, header, MRPC_ENOMEM);
    }
    memcpy(head, payload, header->size);
    c->counters->bytes_copied_in += header->size;
    mrpc_shm_in_pop(&c->in, bytes);
    return deliver(c, &(mrpc_incoming){.header = header, .head = head, .arena = arena});
}

/* --- messages in several records, or with extents --- */

static int deliver_whole(mrpc_shm_connection *c, mrpc_shm_partial *partial, int refused)
{
    mrpc_frame header = partial->header;
    header.flags &= (uint8_t)~FRAME_MORE;
    header.size = partial->total > UINT32_MAX ? UINT32_MAX : (uint32_t)partial->total;
    if (refused == 0)
        return deliver(
            c, &(mrpc_incoming){
                   .header = &header, .head = partial->head, .arena = partial->arena, .extents = partial->extents});
    mrpc_arena_free(partial->arena);
    return refuse(c, &header, refused);
}

/* Adds the payload of one record and delivers, keeps or drops what there is then. Chunks that follow a message that was
 * dropped belong to none, and are skipped. */
static int take_part(mrpc_shm_connection *c, mrpc_shm_partial *partial, const mrpc_frame *header, const char *payload,
                     uint64_t bytes)
{
    int failure = mrpc_shm_partial_add(c, partial, payload, header->size);
    bool more = (header->flags & FRAME_MORE) != 0;
    if (failure == 0 && mrpc_shm_partial_complete(partial) == more)
        failure = broken(c, "a message is longer or shorter than its header says");
    if (failure == 0 && more)
        failure = mrpc_shm_partial_keep(c, partial);
    mrpc_shm_in_pop(&c->in, bytes);
    if (failure != MRPC_EPROTO)
        return failure == 0 && more ? 0 : deliver_whole(c, partial, failure);
    mrpc_arena_free(partial->arena);
    return failure;
}

static int take_first(mrpc_shm_connection *c, const mrpc_frame *header, const char *payload, uint64_t bytes)
{
    mrpc_shm_partial partial;
    int failure = mrpc_shm_partial_begin(c, &partial, header, payload);
    if (failure == 0)
        return take_part(c, &partial, header, payload, bytes);
    mrpc_shm_in_pop(&c->in, bytes);
    return refuse(c, header, failure);
}

static int take_chunk(mrpc_shm_connection *c, const mrpc_frame *header, const char *payload, uint64_t bytes)
{
    mrpc_shm_partial *kept = mrpc_shm_partial_take(&c->partials, header->call);
    if (kept != NULL) {
        mrpc_shm_partial partial = *kept;
        return take_part(c, &partial, header, payload, bytes);
    }
    mrpc_shm_in_pop(&c->in, bytes);
    return 0;
}

static int take_message(mrpc_shm_connection *c, const mrpc_frame *header, const char *payload, uint64_t bytes)
{
    if (MRPC_UNLIKELY(header->extents > 0 || (header->flags & FRAME_MORE) != 0 || header->size > c->max_message))
        return take_first(c, header, payload, bytes);
    if ((header->flags & (FRAME_PROTOBUF | FRAME_NOMESSAGE)) != 0 && header->size <= LOCAL)
        return take_on_stack(c, header, payload, bytes);
    return take_in_arena(c, header, payload, bytes);
}

/* --- others --- */

static int take_returns(mrpc_shm_connection *c, const mrpc_frame *header, const char *payload, uint64_t bytes)
{
    for (uint32_t i = 0; i + sizeof(uint64_t) <= header->size; i += (uint32_t)sizeof(uint64_t)) {
        uint64_t number;
        memcpy(&number, payload + i, sizeof number);
        if (number >= SHM_LOANS || !mrpc_shm_lend_return(&c->lend, (uint32_t)number))
            return broken(c, "the peer gave back what it had not got");
    }
    mrpc_shm_in_pop(&c->in, bytes);
    return 0;
}

/* The peer has ended the call: it does not want the rest of what we send. Of what it sends, only CANCEL and STATUS may
 * follow a message that has begun. */
static void end_call(mrpc_shm_connection *c, const mrpc_frame *header)
{
    mrpc_shm_drop_call(c, header->call);
    if (header->type != FRAME_MESSAGE)
        mrpc_shm_partial_drop(&c->partials, header->call);
}

static int take_frame(mrpc_shm_connection *c, const mrpc_frame *header, const char *payload, uint64_t bytes)
{
    if (MRPC_UNLIKELY((!mrpc_shm_backlog_is_empty(&c->backlog) || c->partials.count > 0) &&
                      mrpc_frame_ends_call(header)))
        end_call(c, header);
    switch (header->type) {
    case FRAME_MESSAGE:
        return take_message(c, header, payload, bytes);
    case FRAME_CHUNK:
        return take_chunk(c, header, payload, bytes);
    case FRAME_RETURN:
        return take_returns(c, header, payload, bytes);
    default:
        return header->size <= LOCAL ? take_on_stack(c, header, payload, bytes)
                                     : take_in_arena(c, header, payload, bytes);
    }
}

static int check(mrpc_shm_connection *c, const mrpc_frame *header, uint64_t bytes)
{
    if (header->size > bytes - SHM_RECORD_MIN)
        return broken(c, "a frame is larger than its record");
    if (header->type == FRAME_RETURN)
        return 0;
    const char *what = mrpc_stream_check(header, c->accepts);
    if (what == NULL)
        return 0;
    mrpc_shm_fail(c, MRPC_EPROTO, "%s: a frame of type %u is malformed: %s", c->base.peer, header->type, what);
    return MRPC_EPROTO;
}

/* The header is copied before it is looked at; the barrier keeps the compiler from looking at the original again. */
static int take_record(mrpc_shm_connection *c, const mrpc_shm_record *record, uint64_t word)
{
    uint64_t bytes = mrpc_shm_word_bytes(word);
    mrpc_frame header;
    memcpy(&header, record + 1, sizeof header);
    __asm__ volatile("" : "+m"(header));
    if (MRPC_UNLIKELY(!mrpc_shm_out_acknowledge_word(&c->out, word)))
        return broken(c, "the peer says that it has read what was not sent");
    int failure = check(c, &header, bytes);
    if (MRPC_UNLIKELY(failure != 0))
        return failure;
    c->counters->bytes_received += sizeof header + header.size;
    return take_frame(c, &header, (const char *)(record + 1) + sizeof header, bytes);
}

static void give_room(mrpc_shm_connection *c)
{
    atomic_store_explicit(&c->own->consumed, c->in.tail, memory_order_release);
    c->news |= SHM_NEWS_SPACE;
}

/* False: there is none, or no more may be handled. */
static bool receive_one(mrpc_shm_connection *c)
{
    const mrpc_shm_record *record;
    uint64_t word;
    mrpc_shm_look look = mrpc_shm_in_next(&c->in, &record, &word);
    if (look == SHM_NOTHING)
        return false;
    if (MRPC_UNLIKELY(look == SHM_BROKEN)) {
        (void)broken(c, "a record in the ring has an impossible head");
        return false;
    }
    bool done = take_record(c, record, word) == 0 && c->state == SHM_OPEN;
    if (mrpc_shm_word_bytes(word) >= LARGE && c->state == SHM_OPEN)
        give_room(c);
    return done;
}

bool mrpc_shm_receive(mrpc_shm_connection *c)
{
    uint64_t before = c->in.tail;
    for (uint32_t i = 0; i < BUDGET && c->in.tail - before < BUDGET_BYTES && receive_one(c); i++)
        ;
    if (c->in.tail == before)
        return false;
    if (c->armed != 0)
        mrpc_shm_stay_awake(c);
    give_room(c);
    if (MRPC_UNLIKELY(c->hung_up))
        c->last_words += c->in.tail - before;
    return true;
}

/* --- the socket --- */

static bool take_segment(mrpc_shm_connection *c, const mrpc_shm_packet *packet, int fd)
{
    int failure = 0;
    if (c->borrow == NULL)
        failure = mrpc_shm_borrow_new(&c->borrow, c->loop, packet->limit, packet->data, &c->error);
    if (failure == 0)
        failure = mrpc_shm_borrow_map(c->borrow, packet->segment, fd, &c->error);
    if (failure != 0) {
        mrpc_error reason = c->error;
        mrpc_shm_fail(c, failure, "%s: %s", c->base.peer, reason.text);
    }
    return failure == 0;
}

static bool take_packet(mrpc_shm_connection *c, const mrpc_shm_packet *packet, int *descriptors)
{
    bool good = packet->kind == SHM_SEGMENT && descriptors[0] >= 0 && descriptors[1] < 0;
    if (good)
        good = take_segment(c, packet, descriptors[0]);
    else
        (void)broken(c, "an unexpected packet came over the socket");
    for (int i = 0; i < SHM_DESCRIPTORS; i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    return good;
}

bool mrpc_shm_read_socket(mrpc_shm_connection *c)
{
    for (int i = 0; i < PACKETS && c->state == SHM_OPEN && !c->hung_up; i++) {
        mrpc_shm_packet packet;
        int descriptors[SHM_DESCRIPTORS];
        int failure = mrpc_shm_packet_receive(c->socket.fd, &packet, descriptors);
        c->counters->system_calls_receive++;
        if (failure == MRPC_EAGAIN)
            return true;
        if (failure == MRPC_ECLOSED || failure == MRPC_ESYS)
            c->hung_up = true;
        else if (failure == MRPC_EPROTO)
            (void)broken(c, "a packet over the socket is malformed");
        else if (failure == MRPC_ELIMIT)
            (void)broken(c, SHM_NOT_TAKEN);
        else if (failure == 0)
            (void)take_packet(c, &packet, descriptors);
        /* MRPC_ENOENT: a byte that only wakes */
    }
    if (c->state == SHM_OPEN && !c->hung_up)
        (void)broken(c, "too many packets came over the socket");
    return c->state == SHM_OPEN;
}

/* --- poll --- */

/* The path without anything but small frames needs none of these. */
static bool has_more_to_do(const mrpc_shm_connection *c)
{
    return !mrpc_shm_backlog_is_empty(&c->backlog) || c->released != NULL || c->was_full ||
           mrpc_shm_borrow_has_returns(c->borrow);
}

/* The peer that waits for room is told once nothing more comes, or when much has come together: often an answer goes
 * out first, which tells it as well. */
static bool should_push(const mrpc_shm_connection *c, bool some)
{
    if (has_more_to_do(c))
        return true;
    return c->news != 0 && (!some || c->in.tail - c->told >= SHM_WINDOW / 4);
}

bool mrpc_shm_poll(mrpc_connection *connection)
{
    mrpc_shm_connection *c = mrpc_shm_of(connection);
    if (MRPC_LIKELY(c->state == SHM_OPEN && !mrpc_shm_in_ready(&c->in) && !should_push(c, false) && !c->hung_up))
        return false;
    mrpc_shm_enter(c);
    bool some = false;
    if (MRPC_LIKELY(c->state == SHM_OPEN))
        some = mrpc_shm_receive(c);
    if (some && c->polls++ % POLLS_PER_CLOCK == 0) /* reading the clock would be a tenth of a round trip */
        c->base.active = mrpc_loop_now(c->loop);
    if (c->state == SHM_OPEN && should_push(c, some))
        mrpc_shm_push(c);
    mrpc_shm_leave(c);
    return some;
}

bool mrpc_shm_opening(const mrpc_connection *connection, uint32_t last)
{
    const mrpc_shm_partials *partials = &((const mrpc_shm_connection *)connection)->partials;
    for (const mrpc_shm_partial *partial = partials->first; partial != NULL; partial = partial->next)
        if ((partial->header.flags & FRAME_OPEN) && partial->header.call <= last)
            return true;
    return false;
}
