/* SPDX-License-Identifier: BSD-2-Clause */
/* send.c - from begin to flush; waking the peer, and going to sleep */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transports/shm/connection.h"

enum {
    SHM_RETURNS = 128, /* loans in one RETURN frame; at least 64, as mrpc_shm_borrow_collect wants */
    SHM_SMALL = 16384  /* bytes of small frames that are sent between two chunks */
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* --- room --- */

/* The ring cannot be used any more. */
static void check_ring(mrpc_shm_connection *c)
{
    if (c->out.lied)
        mrpc_shm_fail(c, MRPC_EPROTO, "%s: the peer says that it has read what was not sent", c->base.peer);
    if (c->out.refused)
        mrpc_shm_fail(c, MRPC_ENOMEM, "%s: the machine has no memory for more of the ring", c->base.peer);
}

static mrpc_shm_record *reserve(mrpc_shm_connection *c, uint64_t frame)
{
    mrpc_shm_record *record = mrpc_shm_out_reserve(&c->out, sizeof *record + frame);
    if (MRPC_LIKELY(record != NULL))
        return record;
    if (mrpc_shm_out_refresh(&c->out))
        record = mrpc_shm_out_reserve(&c->out, sizeof *record + frame);
    if (record == NULL)
        mrpc_shm_out_widen(&c->out);
    check_ring(c);
    return record;
}

static void put(mrpc_shm_connection *c, mrpc_shm_record *record, uint64_t frame)
{
    mrpc_shm_out_commit(&c->out, record, sizeof *record + frame, c->in.tail);
    c->unpublished += frame;
}

/* Memory of its own for what does not fit into a record, and for all while the ring is full. */
static int begin_apart(mrpc_shm_connection *c, size_t capacity, mrpc_space *space)
{
    char *buffer = malloc(capacity);
    if (buffer == NULL)
        return MRPC_ENOMEM;
    c->counters->allocations++;
    *space = (mrpc_space){.data = buffer, .capacity = capacity, .handle = buffer};
    return 0;
}

static int begin_anywhere(mrpc_shm_connection *c, size_t capacity, mrpc_space *space)
{
    mrpc_shm_record *record = MRPC_LIKELY(capacity <= c->direct) ? reserve(c, capacity) : NULL;
    if (MRPC_UNLIKELY(record == NULL))
        return begin_apart(c, capacity, space);
    *space = (mrpc_space){.data = (char *)(record + 1), .capacity = capacity};
    return 0;
}

/* Small frames and large ones are counted apart, so that a large message does not keep others from beginning. */
static bool has_too_much(mrpc_shm_connection *c, size_t capacity)
{
    uint64_t memory = capacity <= c->direct ? c->backlog.small_memory : c->backlog.large_memory;
    bool full = memory > 2 * (uint64_t)TRANSPORT_QUEUE_LIMIT;
    c->was_full |= full;
    return full;
}

int mrpc_shm_begin(mrpc_connection *connection, size_t capacity, mrpc_space *space)
{
    mrpc_shm_connection *c = mrpc_shm_of(connection);
    if (MRPC_UNLIKELY(c->state != SHM_OPEN))
        return c->state == SHM_ENDED ? MRPC_ECLOSED : MRPC_EAGAIN; /* `closed` or `opened` is to come */
    return has_too_much(c, capacity) ? MRPC_EAGAIN : begin_anywhere(c, capacity, space);
}

static int extend_apart(mrpc_shm_connection *c, mrpc_space *space, size_t capacity)
{
    char *buffer = realloc(space->handle, capacity);
    if (buffer == NULL)
        return MRPC_ENOMEM;
    c->counters->allocations++;
    *space = (mrpc_space){.data = buffer, .capacity = capacity, .handle = buffer};
    return 0;
}

int mrpc_shm_extend(mrpc_connection *connection, mrpc_space *space, size_t used, size_t capacity)
{
    mrpc_shm_connection *c = mrpc_shm_of(connection);
    if (capacity <= space->capacity)
        return 0;
    if (capacity > c->direct && has_too_much(c, capacity))
        return MRPC_EAGAIN;
    if (space->handle != NULL)
        return extend_apart(c, space, capacity);
    const char *old = space->data;
    int failure = begin_anywhere(c, capacity, space);
    if (failure == 0 && space->data != old) { /* at the start of the ring, or apart */
        memcpy(space->data, old, used);
        c->counters->bytes_copied_out += used;
    }
    return failure;
}

void mrpc_shm_abort(mrpc_connection *connection, mrpc_space *space)
{
    (void)connection;
    free(space->handle);
}

/* --- commit --- */

static void keep_token(mrpc_shm_connection *c, mrpc_send_token *token)
{
    if (token == NULL)
        return;
    token->transport = c->released;
    c->released = token;
}

/* The extents of a frame that is being committed. */
typedef struct mrpc_shm_load {
    const mrpc_extent *extents;
    mrpc_shm_place *places;
    uint32_t count;
    uint32_t copied;       /* how many are */
    uint64_t copied_bytes; /* padded */
} mrpc_shm_load;

static void place_extents(mrpc_shm_connection *c, mrpc_shm_load *load)
{
    uint32_t loan = SHM_NO_LOAN;
    for (uint32_t i = 0; i < load->count; i++) {
        const mrpc_extent *extent = &load->extents[i];
        if (mrpc_shm_lend_add(&c->lend, c->socket.fd, extent, &loan, &load->places[i])) {
            c->counters->bytes_referenced += extent->size;
            continue;
        }
        load->places[i] = (mrpc_shm_place){.segment = SHM_INLINE};
        load->copied++;
        load->copied_bytes += mrpc_pad8(extent->size);
        c->counters->bytes_copied_out += extent->size;
    }
}

/* Appends the copied extents at `to`. */
static void copy_extents(const mrpc_shm_load *load, char *to)
{
    for (uint32_t i = 0; i < load->count; i++) {
        const mrpc_extent *extent = &load->extents[i];
        if (load->places[i].segment != SHM_INLINE)
            continue;
        memcpy(to, extent->data, extent->size);
        memset(to + extent->size, 0, mrpc_pad8(extent->size) - extent->size);
        to += mrpc_pad8(extent->size);
    }
}

/* Frames that are waiting get their turn even if there is no end of others: what comes later goes behind them. */
static bool must_wait(const mrpc_shm_connection *c, const mrpc_frame *header)
{
    if (mrpc_shm_backlog_is_empty(&c->backlog))
        return false;
    if (c->backlog.queue.first != NULL || mrpc_shm_out_in_flight(&c->out) >= SHM_WINDOW)
        return header->type != FRAME_CANCEL;
    return mrpc_shm_backlog_blocks(&c->backlog, header);
}

/* Into one record, when it fits and nothing else must go first. The frame may be there already. */
static bool commit_now(mrpc_shm_connection *c, const mrpc_space *space, const mrpc_shm_load *load, uint64_t head)
{
    uint64_t places = load->count * sizeof(mrpc_shm_place), payload = head + places + load->copied_bytes;
    mrpc_frame header = *(const mrpc_frame *)(const void *)space->data;
    if (payload > c->chunk || must_wait(c, &header))
        return false;
    mrpc_shm_record *record = reserve(c, sizeof header + payload);
    if (record == NULL)
        return false;
    char *frame = (char *)(record + 1);
    if (frame != space->data)
        memmove(frame, space->data, sizeof header + head);
    ((mrpc_frame *)(void *)frame)->size = (uint32_t)payload;
    if (places > 0)
        memcpy(frame + sizeof header + head, load->places, places);
    copy_extents(load, frame + sizeof header + head + places);
    put(c, record, sizeof header + payload);
    return true;
}

/* The item owns head and places: the space's own buffer, or a copy of what stands in the ring. */
static mrpc_shm_item *make_item(mrpc_shm_connection *c, mrpc_space *space, const mrpc_shm_load *load, uint64_t head)
{
    uint64_t places = load->count * sizeof(mrpc_shm_place), bytes = sizeof(mrpc_frame) + head + places;
    mrpc_shm_item *item = mrpc_shm_item_new(load->copied + 1);
    char *buffer = item == NULL                                        ? NULL
                   : space->handle != NULL && bytes <= space->capacity ? space->handle
                                                                       : malloc(bytes);
    if (buffer == NULL) {
        free(item);
        return NULL;
    }
    c->counters->allocations += 2;
    if (buffer != space->handle)
        memcpy(buffer, space->data, sizeof(mrpc_frame) + head);
    if (places > 0)
        memcpy(buffer + sizeof(mrpc_frame) + head, load->places, places);
    memcpy(&item->header, buffer, sizeof item->header);
    item->owned = buffer;
    item->message = head;
    mrpc_shm_item_add(item, buffer + sizeof(mrpc_frame), head + places);
    for (uint32_t i = 0; i < load->count; i++) {
        item->message += mrpc_pad8(load->extents[i].size);
        if (load->places[i].segment == SHM_INLINE)
            mrpc_shm_item_add(item, load->extents[i].data, load->extents[i].size);
    }
    return item;
}

static bool commit_later(mrpc_shm_connection *c, mrpc_space *space, const mrpc_shm_load *load, uint64_t head,
                         mrpc_send_token *token)
{
    mrpc_shm_item *item = make_item(c, space, load, head);
    if (item == NULL) {
        mrpc_shm_fail(c, MRPC_ENOMEM, "%s: no memory for a message to be sent", c->base.peer);
        return false;
    }
    if (item->owned == space->handle)
        space->handle = NULL;
    if (load->copied > 0)
        item->token = token;
    mrpc_shm_backlog_put(&c->backlog, item);
    c->was_full |= c->backlog.bytes > TRANSPORT_QUEUE_LIMIT;
    return load->copied > 0;
}

static bool is_of_call(const mrpc_shm_item *item, const void *call)
{
    return item->header.call == *(const uint32_t *)call;
}

void mrpc_shm_drop_call(mrpc_shm_connection *c, uint32_t call)
{
    mrpc_send_token *token;
    while (mrpc_shm_backlog_drop(&c->backlog, is_of_call, &call, &token))
        keep_token(c, token);
}

static void commit_slowly(mrpc_shm_connection *c, mrpc_space *space, const mrpc_extent *extents, mrpc_send_token *token)
{
    mrpc_frame header = *(const mrpc_frame *)(const void *)space->data;
    uint64_t head = mrpc_frame_head(&header);
    mrpc_shm_load load = {.extents = extents, .count = header.extents};
    if (load.count > 0) {
        load.places = malloc(load.count * sizeof *load.places);
        if (load.places == NULL) {
            mrpc_shm_fail(c, MRPC_ENOMEM, "%s: no memory for the references of a message", c->base.peer);
            goto done;
        }
        place_extents(c, &load);
    }
    if (!commit_now(c, space, &load, head) && commit_later(c, space, &load, head, token))
        token = NULL;
done:
    keep_token(c, token);
    free(load.places);
    free(space->handle);
}

/* What is left of a message that is cut into chunks is left out: after CANCEL both ways, after the end of the call on
 * the way to who ends it. */
static void end_call(mrpc_shm_connection *c, const mrpc_frame *header)
{
    if (header->type == FRAME_CANCEL)
        mrpc_shm_drop_call(c, header->call);
    mrpc_shm_partial_drop(&c->partials, header->call);
}

void mrpc_shm_commit(mrpc_connection *connection, mrpc_space *space, const mrpc_extent *extents, mrpc_send_token *token)
{
    mrpc_shm_connection *c = mrpc_shm_of(connection);
    mrpc_frame *header = (mrpc_frame *)(void *)space->data;
    if (MRPC_UNLIKELY((!mrpc_shm_backlog_is_empty(&c->backlog) || c->partials.count > 0) &&
                      mrpc_frame_ends_call(header)))
        end_call(c, header);
    if (MRPC_UNLIKELY(space->handle != NULL || header->extents > 0 || !mrpc_shm_backlog_is_empty(&c->backlog))) {
        commit_slowly(c, space, extents, token);
        return;
    }
    header->size = (uint32_t)mrpc_frame_head(header);
    put(c, (mrpc_shm_record *)(void *)space->data - 1, sizeof *header + header->size);
    keep_token(c, token);
}

/* --- sending --- */

/* One frame of the item. False: no room. */
static bool send_item(mrpc_shm_connection *c, mrpc_shm_item *item)
{
    uint64_t bytes = smaller(item->left, c->chunk);
    mrpc_shm_record *record = reserve(c, sizeof item->header + bytes);
    if (record == NULL)
        return false;
    mrpc_frame header = item->header;
    if (item->begun)
        header = (mrpc_frame){.type = FRAME_CHUNK, .call = item->header.call};
    if (bytes < item->left)
        header.flags |= FRAME_MORE;
    header.size = (uint32_t)bytes;
    memcpy(record + 1, &header, sizeof header);
    mrpc_shm_backlog_copy(&c->backlog, item, (char *)(record + 1) + sizeof header, bytes);
    put(c, record, sizeof header + bytes);
    c->due = true;
    item->begun = true;
    if (item->left == 0)
        keep_token(c, mrpc_shm_backlog_finish(&c->backlog, item));
    return true;
}

/* Large frames may go until the window is full, small ones as long as there is room. */
static bool window_is_open(mrpc_shm_connection *c)
{
    if (mrpc_shm_out_in_flight(&c->out) < SHM_WINDOW)
        return true;
    if (!mrpc_shm_out_refresh(&c->out))
        check_ring(c);
    return mrpc_shm_out_in_flight(&c->out) < SHM_WINDOW && c->state == SHM_OPEN;
}

/* Some small frames, then a chunk. False: nothing more can be sent now. */
static bool send_round(mrpc_shm_connection *c)
{
    mrpc_shm_item *item;
    uint64_t begin = c->out.head;
    while (c->out.head - begin < SHM_SMALL && (item = mrpc_shm_backlog_small(&c->backlog)) != NULL)
        if (!send_item(c, item))
            return false;
    if (c->backlog.current == NULL)
        return c->out.head != begin;
    return window_is_open(c) && send_item(c, mrpc_shm_backlog_turn(&c->backlog));
}

/* Gives loans back. */
static void send_returns(mrpc_shm_connection *c)
{
    uint64_t numbers[SHM_RETURNS];
    c->returns_wait = false;
    while (mrpc_shm_borrow_has_returns(c->borrow)) {
        mrpc_shm_record *record = reserve(c, sizeof(mrpc_frame) + sizeof numbers);
        if (record == NULL) {
            c->returns_wait = true;
            return;
        }
        uint32_t size = mrpc_shm_borrow_collect(c->borrow, numbers, SHM_RETURNS) * (uint32_t)sizeof *numbers;
        if (size == 0)
            return;
        mrpc_frame header = {.size = size, .type = FRAME_RETURN, .block = size};
        memcpy(record + 1, &header, sizeof header);
        memcpy((char *)(record + 1) + sizeof header, numbers, size);
        put(c, record, sizeof header + size);
        c->due = true;
    }
}

static void wake(mrpc_shm_connection *c)
{
    static const uint64_t one = 1;
    c->counters->wakeups_sent++;
    /* It can't fail in a way that matters: a counter that is full, or a peer that is gone, wakes as well. */
    ssize_t sent = c->peer_wake >= 0 ? write(c->peer_wake, &one, sizeof one)
                                     : send(c->socket.fd, &one, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
}

/* Wakes the peer if it sleeps and waits for what is new. */
static void signal_peer(mrpc_shm_connection *c)
{
    if (c->news == 0)
        return;
    c->told = c->in.tail;
    mrpc_shm_fence();
    uint64_t sleeping = atomic_load_explicit(&c->peer->sleeping, memory_order_relaxed);
    uint32_t news = c->news & (uint32_t)sleeping;
    c->news = 0;
    if (MRPC_LIKELY(news == 0) || sleeping == c->woken)
        return;
    if (news == SHM_NEWS_SPACE && c->in.tail < atomic_load_explicit(&c->peer->space_at, memory_order_relaxed))
        return;
    c->woken = sleeping;
    wake(c);
}

static void publish(mrpc_shm_connection *c)
{
    if (c->due && mrpc_shm_out_publish(&c->out)) {
        c->counters->bytes_sent += c->unpublished;
        c->unpublished = 0;
        c->news |= SHM_NEWS_DATA;
    }
    c->due = false;
    signal_peer(c);
}

static void release_tokens(mrpc_shm_connection *c)
{
    while (c->released != NULL) {
        mrpc_send_token *token = c->released;
        c->released = token->transport;
        token->released(token);
    }
}

/* Tells the owner that it may go on, if it was told to wait. */
static void report_room(mrpc_shm_connection *c)
{
    if (c->backlog.bytes >= TRANSPORT_QUEUE_LIMIT / 2 || has_too_much(c, 0))
        return;
    c->was_full = false;
    c->base.events->drained(&c->base);
}

void mrpc_shm_push(mrpc_shm_connection *c)
{
    if (MRPC_UNLIKELY(mrpc_shm_borrow_has_returns(c->borrow)))
        send_returns(c);
    /* Whoever saw so much in queued() waits for `drained`, though it was only not published yet. */
    c->was_full |= c->backlog.bytes + c->unpublished > TRANSPORT_QUEUE_LIMIT;
    publish(c);
    while (!mrpc_shm_backlog_is_empty(&c->backlog) && c->state == SHM_OPEN && send_round(c))
        publish(c);
    publish(c);
    if (MRPC_UNLIKELY(c->released != NULL))
        release_tokens(c);
    if (MRPC_UNLIKELY(c->was_full) && c->state == SHM_OPEN)
        report_room(c);
}

void mrpc_shm_flush(mrpc_connection *connection)
{
    mrpc_shm_connection *c = mrpc_shm_of(connection);
    mrpc_shm_enter(c);
    c->due = true;
    if (MRPC_LIKELY(c->state == SHM_OPEN))
        mrpc_shm_push(c);
    /* One who sleeps for data alone would not hear of the room that the backlog needs. */
    if (c->state == SHM_OPEN && c->armed != 0 && !mrpc_shm_arm(connection))
        mrpc_shm_come_back(c);
    mrpc_shm_leave(c);
}

size_t mrpc_shm_queued(const mrpc_connection *connection)
{
    const mrpc_shm_connection *c = mrpc_shm_of(connection);
    return c->backlog.bytes + c->unpublished;
}

/* --- giving up --- */

static bool unlink_released(mrpc_shm_connection *c, const mrpc_send_token *token)
{
    for (mrpc_send_token **place = &c->released; *place != NULL; place = (mrpc_send_token **)&(*place)->transport)
        if (*place == token) {
            *place = token->transport;
            return true;
        }
    return false;
}

static bool has_token(const mrpc_shm_item *item, const void *token)
{
    return item->token == token;
}

void mrpc_shm_abandon(mrpc_connection *connection, mrpc_send_token *token)
{
    mrpc_shm_connection *c = mrpc_shm_of(connection);
    mrpc_send_token *same;
    if (unlink_released(c, token) || mrpc_shm_backlog_drop(&c->backlog, has_token, token, &same))
        token->released(token);
}

static bool is_any(const mrpc_shm_item *item, const void *nothing)
{
    (void)item;
    (void)nothing;
    return true;
}

void mrpc_shm_send_end(mrpc_shm_connection *c)
{
    mrpc_send_token *token;
    while (mrpc_shm_backlog_drop(&c->backlog, is_any, NULL, &token))
        keep_token(c, token);
    c->out.first = NULL;
    release_tokens(c);
}

/* --- going to sleep --- */

/* What to be woken for. */
static uint32_t wants(const mrpc_shm_connection *c)
{
    bool space = !mrpc_shm_backlog_is_empty(&c->backlog) || c->returns_wait;
    return SHM_WANTS_DATA | (space ? SHM_WANTS_SPACE : 0);
}

/* Up to where the peer must have read for so much to be sent: there must be room in the ring; and less in flight than
 * `flight`, so that there is not a wake-up for each frame, and for chunks because of the window. */
static uint64_t position_for(const mrpc_shm_connection *c, uint64_t bytes, uint64_t flight)
{
    uint64_t room = mrpc_shm_out_position_for_record(&c->out, SHM_RECORD_MIN + bytes);
    uint64_t window = mrpc_shm_out_in_flight(&c->out) > flight ? mrpc_shm_out_position_for_flight(&c->out, flight) : 0;
    return window > room ? window : room;
}

static uint64_t backlog_at(mrpc_shm_connection *c)
{
    const mrpc_shm_item *small = mrpc_shm_backlog_small(&c->backlog);
    uint64_t at = UINT64_MAX;
    if (small != NULL)
        at = position_for(c, small->left, c->out.capacity / 2);
    if (c->backlog.current != NULL) /* any of them: a chunk needs the most */
        at = smaller(at, position_for(c, c->chunk, SHM_WINDOW / 2));
    return at;
}

/* Up to where it must have read for anything that waits to go on. */
static uint64_t space_at(mrpc_shm_connection *c)
{
    uint64_t returns = UINT64_MAX;
    if (c->returns_wait)
        returns = mrpc_shm_out_position_for_record(&c->out, SHM_RECORD_MIN + SHM_RETURNS * sizeof(uint64_t));
    return smaller(backlog_at(c), returns);
}

/* Something came between the last look and the store that says that we sleep. What the peer has read is taken note of
 * as everywhere: were it only compared here, one that claims nonsense could keep us awake for ever. */
static bool missed(mrpc_shm_connection *c, uint32_t wanted, uint64_t position)
{
    if (mrpc_shm_in_ready(&c->in))
        return true;
    if ((wanted & SHM_WANTS_SPACE) == 0)
        return false;
    if (!mrpc_shm_out_refresh(&c->out))
        check_ring(c);
    return c->state != SHM_OPEN || c->out.acked >= position;
}

static bool go_to_sleep(mrpc_shm_connection *c, uint32_t wanted)
{
    uint64_t position = 0;
    if ((wanted & SHM_WANTS_SPACE) != 0) {
        position = space_at(c);
        atomic_store_explicit(&c->own->space_at, position, memory_order_relaxed);
    }
    c->armed = ++c->epoch * SHM_EPOCH | wanted;
    atomic_store_explicit(&c->own->sleeping, c->armed, memory_order_release);
    mrpc_shm_fence();
    if (!missed(c, wanted, position))
        return true;
    mrpc_shm_stay_awake(c);
    return false;
}

void mrpc_shm_come_back(mrpc_shm_connection *c)
{
    static const uint64_t one = 1;
    c->stays_awake = true;
    ssize_t written = write(c->wake.fd, &one, sizeof one);
    (void)written; /* a counter that is full had its edge before */
}

bool mrpc_shm_arm(mrpc_connection *connection)
{
    mrpc_shm_connection *c = mrpc_shm_of(connection);
    if (c->state != SHM_OPEN)
        return c->state != SHM_FAILED;
    if (MRPC_UNLIKELY(mrpc_shm_borrow_has_returns(c->borrow)))
        send_returns(c);
    publish(c);
    uint32_t wanted = wants(c);
    if (c->armed != 0 && (c->armed & wanted) == wanted)
        return true;
    return go_to_sleep(c, wanted);
}
