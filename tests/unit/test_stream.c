/* SPDX-License-Identifier: BSD-2-Clause */
/* test_stream.c - frames go through the sending and the receiving half whatever the stream does to them */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transports/stream/rx.h"
#include "transports/stream/tx.h"

enum { MAX_SEEN = 4096, PIPE = 1 << 20 };

/* What came, with a checksum of the head and the extents. */
typedef struct seen {
    mrpc_frame header;
    uint64_t head_sum, extent_sum, extent_bytes;
    int refused;
    bool in_arena;
} seen;

typedef struct fixture {
    mrpc_buffers buffers;
    mrpc_counters counters;
    mrpc_stream_tx tx;
    mrpc_stream_rx rx;
    mrpc_error error;
    seen *all;
    size_t count;
    uint32_t seed;
    uint32_t end_on; /* a frame of this type ends its call at the receiver */
    uint8_t *pipe;
    size_t piped;
} fixture;

typedef struct token {
    mrpc_send_token token;
    int released;
    char *memory; /* scribbled over when it is released */
    size_t size;
} token;

static uint32_t random_number(fixture *f)
{
    f->seed = f->seed * 1664525u + 1013904223u;
    return f->seed >> 4;
}

static uint64_t sum(uint64_t from, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        from = (from ^ bytes[i]) * UINT64_C(1099511628211);
    return from;
}

static void released(mrpc_send_token *given)
{
    token *t = (token *)given;
    t->released++;
    if (t->memory != NULL)
        memset(t->memory, 0xDD, t->size);
}

static fixture *of_rx(mrpc_stream_rx *rx)
{
    return (fixture *)((char *)rx - offsetof(fixture, rx));
}

static int deliver(mrpc_stream_rx *rx, const mrpc_incoming *incoming)
{
    fixture *f = of_rx(rx);
    assert_true(f->count < MAX_SEEN);
    assert_int_equal((uintptr_t)incoming->header % 8, 0);
    assert_int_equal((uintptr_t)incoming->head % 8, 0);
    seen *s = &f->all[f->count++];
    *s = (seen){.header = *incoming->header, .refused = incoming->refused, .in_arena = incoming->arena != NULL};
    if (incoming->refused != 0) {
        assert_null(incoming->head);
        return 0;
    }
    uint64_t head =
        incoming->header->type == FRAME_MESSAGE ? mrpc_frame_head(incoming->header) : incoming->header->size;
    s->head_sum = sum(0, incoming->head, head);
    for (uint32_t i = 0; incoming->arena != NULL && i < incoming->header->extents; i++) {
        assert_int_equal((uintptr_t)incoming->extents[i].data % 8, 0);
        s->extent_sum = sum(s->extent_sum, incoming->extents[i].data, incoming->extents[i].size);
        s->extent_bytes += incoming->extents[i].size;
    }
    mrpc_arena_free(incoming->arena);
    return 0;
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->all = calloc(MAX_SEEN, sizeof *f->all);
    f->pipe = malloc(PIPE);
    f->seed = 7;
    mrpc_stream_tx_init(&f->tx, &f->buffers, &f->counters);
    f->rx.buffers = &f->buffers;
    f->rx.counters = &f->counters;
    f->rx.max_message = 64u << 20;
    f->rx.max_unfinished = 256u << 20;
    f->rx.chunk = 65536;
    f->rx.deliver = deliver;
    f->rx.error = &f->error;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    mrpc_stream_tx_clear(&f->tx);
    mrpc_stream_rx_clear(&f->rx);
    assert_int_equal(f->tx.memory, 0);
    assert_int_equal(f->tx.queued, 0);
    assert_null(f->tx.first);
    mrpc_buffers_clear(&f->buffers);
    free(f->all);
    free(f->pipe);
    free(f);
    return 0;
}

/* --- the stream in between --- */

static int receive(fixture *f, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        struct iovec vectors[2];
        int rooms = mrpc_stream_rx_room(&f->rx, vectors);
        assert_true(rooms > 0);
        size_t taken = 0;
        for (int i = 0; i < rooms && taken < count; i++) {
            size_t n = vectors[i].iov_len < count - taken ? vectors[i].iov_len : count - taken;
            memcpy(vectors[i].iov_base, bytes + taken, n);
            taken += n;
        }
        int failure = mrpc_stream_rx_take(&f->rx, taken);
        if (failure != 0)
            return failure;
        mrpc_stream_rx_rest(&f->rx);
        bytes += taken;
        count -= taken;
    }
    return 0;
}

/* Sends at most `most` bytes into the pipe. */
static size_t send_some(fixture *f, size_t most)
{
    struct iovec vectors[64];
    size_t bytes, sent = 0;
    bool zero_copy;
    int count = mrpc_stream_tx_gather(&f->tx, vectors, 64, &bytes, &zero_copy);
    for (int i = 0; i < count && sent < most; i++) {
        size_t n = vectors[i].iov_len < most - sent ? vectors[i].iov_len : most - sent;
        assert_true(f->piped + n <= PIPE);
        memcpy(f->pipe + f->piped, vectors[i].iov_base, n);
        f->piped += n;
        sent += n;
    }
    mrpc_stream_tx_sent(&f->tx, sent);
    (void)mrpc_stream_tx_release(&f->tx);
    return sent;
}

static void receive_all(fixture *f)
{
    for (size_t at = 0; at < f->piped;) {
        size_t n = 1 + random_number(f) % (random_number(f) % 3 == 0 ? 40 : 100000);
        if (n > f->piped - at)
            n = f->piped - at;
        if (receive(f, f->pipe + at, n) != 0)
            fail_msg("%s", mrpc_error_text(&f->error));
        at += n;
    }
    f->piped = 0;
}

static void pump(fixture *f)
{
    while (send_some(f, 1 + random_number(f) % 200000) > 0)
        receive_all(f);
}

/* --- frames --- */

static void commit(fixture *f, const mrpc_frame *header, const void *head, const mrpc_extent *extents, token *t)
{
    mrpc_space space;
    size_t size = mrpc_frame_head(header);
    assert_int_equal(mrpc_stream_tx_begin(&f->tx, 64, &space), 0);
    assert_int_equal((uintptr_t)space.data % 8, 0);
    memcpy(space.data, header, sizeof *header);
    assert_int_equal(mrpc_stream_tx_extend(&f->tx, &space, sizeof *header, sizeof *header + size), 0);
    memcpy(space.data + sizeof *header, head, size);
    mrpc_stream_tx_commit(&f->tx, &space, extents, t != NULL ? &t->token : NULL);
}

static void fill_random(fixture *f, void *data, size_t size)
{
    uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random_number(f);
}

/* A message with a block of `block` bytes and extents of `sizes`, all random. Returns what must come. */
typedef struct sample {
    seen expected;
    char *memory; /* of the extents */
    token token;
} sample;

static void send_sample(fixture *f, sample *s, uint32_t call, uint8_t flags, uint32_t block, const size_t *sizes,
                        uint16_t count)
{
    mrpc_frame header = {.type = FRAME_MESSAGE, .flags = flags, .call = call, .block = block, .extents = count};
    size_t head_size = mrpc_frame_head(&header), total = 0;
    uint8_t *head = calloc(1, head_size + 1);
    fill_random(f, head, block);
    mrpc_extent extents[MRPC_EXTENT_LIMIT];
    for (uint16_t i = 0; i < count; i++)
        total += sizes[i];
    s->memory = malloc(total + 1);
    fill_random(f, s->memory, total);
    char *at = s->memory;
    s->expected = (seen){.header = header};
    for (uint16_t i = 0; i < count; i++) {
        uint64_t size = sizes[i];
        extents[i] = (mrpc_extent){at, size};
        memcpy(head + mrpc_pad8(block) + 8u * i, &size, 8);
        s->expected.extent_sum = sum(s->expected.extent_sum, at, size);
        at += size;
    }
    s->expected.head_sum = sum(0, head, head_size);
    s->expected.extent_bytes = total;
    s->token = (token){.token = {.released = released}, .memory = s->memory, .size = total};
    commit(f, &header, head, extents, count > 0 ? &s->token : NULL);
    free(head);
}

static void assert_came(const seen *s, const sample *wanted)
{
    assert_int_equal(s->refused, 0);
    assert_int_equal(s->header.call, wanted->expected.header.call);
    assert_int_equal(s->header.flags, wanted->expected.header.flags);
    assert_int_equal(s->head_sum, wanted->expected.head_sum);
    assert_int_equal(s->extent_bytes, wanted->expected.extent_bytes);
    assert_int_equal(s->extent_sum, wanted->expected.extent_sum);
}

static const seen *find_call(const fixture *f, uint32_t call)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->all[i].header.call == call)
            return &f->all[i];
    fail_msg("nothing of call %u came", call);
    return NULL;
}

static void send_small(fixture *f, uint8_t type, uint32_t call, uint8_t flags)
{
    commit(f, &(mrpc_frame){.type = type, .call = call, .flags = flags}, "", NULL, NULL);
}

/* --- tests --- */

static void small_frames_come_in_order_and_in_one_piece(void **state)
{
    fixture *f = *state;
    sample samples[100];
    for (uint32_t i = 0; i < 100; i++)
        send_sample(f, &samples[i], i + 1, FRAME_OPEN | FRAME_END, i * 3, NULL, 0);
    struct iovec vectors[4];
    size_t bytes;
    bool zero_copy;
    assert_int_equal(mrpc_stream_tx_gather(&f->tx, vectors, 4, &bytes, &zero_copy), 1);
    assert_int_equal(bytes, f->tx.queued);
    pump(f);
    assert_int_equal(f->count, 100);
    for (uint32_t i = 0; i < 100; i++) {
        assert_came(&f->all[i], &samples[i]);
        assert_false(f->all[i].in_arena);
        free(samples[i].memory);
    }
}

static void nothing_is_allocated_for_small_frames_in_steady_state(void **state)
{
    fixture *f = *state;
    sample s;
    for (int round = 0; round < 50; round++) {
        uint64_t before = f->counters.allocations;
        f->count = 0;
        for (uint32_t i = 0; i < 50; i++) {
            send_sample(f, &s, i + 1, FRAME_OPEN | FRAME_END, 64, NULL, 0);
            free(s.memory);
        }
        send_some(f, 100); /* so that both sides hold a buffer at once */
        receive_all(f);
        pump(f);
        if (round > 2)
            assert_int_equal(f->counters.allocations, before);
        assert_null(f->tx.first);
        assert_null(f->rx.buffer);
    }
}

static void random_messages_arrive_whole(void **state)
{
    fixture *f = *state;
    enum { ROUNDS = 60, EACH = 40 };
    for (int round = 0; round < ROUNDS; round++) {
        sample samples[EACH];
        f->count = 0;
        for (uint32_t i = 0; i < EACH; i++) {
            size_t sizes[6];
            uint16_t count = (uint16_t)(random_number(f) % 7);
            for (uint16_t e = 0; e < count; e++)
                sizes[e] = random_number(f) % (random_number(f) % 4 == 0 ? 150000 : 9000);
            uint32_t block = random_number(f) % (random_number(f) % 8 == 0 ? 100000 : 2000);
            send_sample(f, &samples[i], i + 1, FRAME_OPEN | FRAME_END, block, sizes, count);
            if (random_number(f) % 3 == 0) {
                send_some(f, random_number(f) % 100000);
                receive_all(f);
            }
        }
        pump(f);
        assert_int_equal(f->count, EACH);
        for (uint32_t i = 0; i < EACH; i++) {
            assert_came(find_call(f, i + 1), &samples[i]);
            assert_int_equal(samples[i].token.released, samples[i].expected.header.extents > 0);
            free(samples[i].memory);
        }
        assert_int_equal(f->tx.queued, 0);
        assert_true(mrpc_stream_rx_at_boundary(&f->rx));
    }
}

/* --- a device, which reads what was posted only when it completes it, and receives into memory of its own --- */

enum { POSTED = 4, POST_BYTES = 8184, POST_RUNS = 64 };

typedef struct post {
    struct iovec runs[POST_RUNS];
    mrpc_buffer *kept[POST_RUNS];
    int count;
} post;

/* Puts what is next in the stream into a post. False: there is nothing. */
static bool post_next(fixture *f, post *p)
{
    size_t filled = 0, used = 0, staged = 0;
    char *stage = NULL;
    mrpc_buffer *buffer = NULL;
    mrpc_stream_run run;
    p->count = 0;
    while (filled < POST_BYTES && p->count < POST_RUNS && mrpc_stream_tx_next(&f->tx, &run)) {
        size_t size = run.size < POST_BYTES - filled ? run.size : POST_BYTES - filled;
        if (run.buffer == NULL && stage == NULL) {
            staged = POST_BYTES - filled;
            stage = mrpc_stream_tx_stage(&f->tx, staged, &buffer);
            assert_non_null(stage);
        }
        if (run.buffer == NULL) {
            memcpy(stage + used, run.data, size);
            run.data = stage + used;
            run.buffer = buffer;
            used += size;
        }
        p->runs[p->count] = (struct iovec){(void *)(uintptr_t)run.data, size};
        p->kept[p->count++] = run.buffer;
        mrpc_stream_tx_keep(run.buffer);
        mrpc_stream_tx_sent(&f->tx, size);
        filled += size;
    }
    if (stage != NULL)
        mrpc_stream_tx_unstage(buffer, stage, staged, used);
    (void)mrpc_stream_tx_release(&f->tx);
    return filled > 0;
}

static void complete(fixture *f, const post *p)
{
    static _Alignas(8) char received[POST_BYTES];
    size_t bytes = 0;
    for (int i = 0; i < p->count; i++) {
        memcpy(received + bytes, p->runs[i].iov_base, p->runs[i].iov_len);
        bytes += p->runs[i].iov_len;
        mrpc_stream_tx_let_go(&f->tx, p->kept[i]);
    }
    assert_int_equal(mrpc_stream_rx_feed(&f->rx, received, bytes), 0);
    mrpc_stream_rx_rest(&f->rx);
    memset(received, 0xEE, sizeof received);
}

static void device_carry(fixture *f)
{
    post posts[POSTED];
    uint32_t begun = 0, done = 0;
    bool more = true;
    while (more || done != begun) {
        while (more && begun - done < POSTED && (more = post_next(f, &posts[begun % POSTED])))
            begun++;
        if (done != begun)
            complete(f, &posts[done++ % POSTED]);
    }
}

static void device_that_reads_late_carries_messages_unharmed(void **state)
{
    fixture *f = *state;
    enum { ROUNDS = 30, EACH = 40 };
    mrpc_heap *heap;
    assert_int_equal(mrpc_heap_new(&heap, NULL, NULL), 0);
    f->buffers.heap = heap;
    for (int round = 0; round < ROUNDS; round++) {
        sample samples[EACH];
        f->count = 0;
        for (uint32_t i = 0; i < EACH; i++) {
            size_t sizes[3];
            uint16_t count = (uint16_t)(random_number(f) % 4);
            for (uint16_t e = 0; e < count; e++)
                sizes[e] = random_number(f) % (random_number(f) % 4 == 0 ? 150000 : 9000);
            uint32_t block = random_number(f) % (random_number(f) % 8 == 0 ? 100000 : 2000);
            send_sample(f, &samples[i], i + 1, FRAME_OPEN | FRAME_END, block, sizes, count);
            if (random_number(f) % 5 == 0)
                device_carry(f);
        }
        device_carry(f);
        assert_int_equal(f->count, EACH);
        for (uint32_t i = 0; i < EACH; i++) {
            assert_came(find_call(f, i + 1), &samples[i]);
            free(samples[i].memory);
        }
        assert_int_equal(f->tx.queued, 0);
    }
    assert_null(f->tx.first);
    mrpc_stream_rx_clear(&f->rx);
    mrpc_buffers_clear(&f->buffers);
    mrpc_heap_unref(heap);
    f->buffers.heap = NULL;
}

static void kept_buffers_survive_the_end_of_the_stream(void **state)
{
    fixture *f = *state;
    post p;
    send_small(f, FRAME_PING, 0, 0);
    assert_true(post_next(f, &p));
    mrpc_stream_tx_clear(&f->tx);
    assert_non_null(f->tx.first);
    const mrpc_frame *frame = p.runs[0].iov_base;
    assert_int_equal(frame->type, FRAME_PING);
    mrpc_stream_tx_let_go(&f->tx, p.kept[0]);
    assert_null(f->tx.first);
}

static void extents_are_not_copied(void **state)
{
    fixture *f = *state;
    size_t size = 1 << 20;
    sample s;
    for (int i = 0; i < 3; i++) {
        send_sample(f, &s, 1, FRAME_OPEN | FRAME_END, 100, &size, 1);
        memset(&f->counters, 0, sizeof f->counters);
        while (send_some(f, PIPE) > 0) {
            /* As a socket would: as much as there is room for. */
            if (receive(f, f->pipe, f->piped) != 0)
                fail_msg("%s", mrpc_error_text(&f->error));
            f->piped = 0;
        }
        free(s.memory);
        assert_int_equal(f->counters.bytes_copied_out, 0);
        if (i > 0) /* the receiver has seen that messages are large */
            assert_true(f->counters.bytes_copied_in < size / 50);
    }
}

static void chunks_of_large_messages_take_turns(void **state)
{
    fixture *f = *state;
    size_t sizes[3] = {300000, 900000, 600000};
    sample samples[3];
    for (uint32_t i = 0; i < 3; i++)
        send_sample(f, &samples[i], i + 1, FRAME_OPEN, 10, &sizes[i], 1);
    sample small;
    send_sample(f, &small, 9, FRAME_OPEN, 10, NULL, 0);
    pump(f);
    assert_int_equal(f->count, 4);
    /* In the order of size, not of sending, and the small one before all. */
    static const uint32_t order[] = {9, 1, 3, 2};
    for (int i = 0; i < 4; i++)
        assert_int_equal(f->all[i].header.call, order[i]);
    for (int i = 0; i < 3; i++)
        free(samples[i].memory);
    free(small.memory);
}

static void small_frame_does_not_wait_behind_a_large_message(void **state)
{
    fixture *f = *state;
    size_t size = 16u << 20;
    sample large, small;
    send_sample(f, &large, 1, FRAME_OPEN, 10, &size, 1);
    send_some(f, 100000);
    receive_all(f);
    send_sample(f, &small, 2, FRAME_OPEN, 10, NULL, 0);
    size_t sent = 0;
    while (f->count == 0) {
        sent += send_some(f, 10000);
        receive_all(f);
    }
    assert_int_equal(f->all[0].header.call, 2);
    assert_true(sent < MRPC_STREAM_AHEAD + 200000);
    mrpc_stream_tx_clear(&f->tx);
    assert_int_equal(large.token.released, 1);
    free(large.memory);
    free(small.memory);
}

static void frames_of_a_call_keep_their_order(void **state)
{
    fixture *f = *state;
    size_t size = 500000;
    sample first, second, other;
    send_sample(f, &first, 1, FRAME_OPEN, 10, &size, 1);
    send_sample(f, &second, 1, 0, 10, NULL, 0);
    send_small(f, FRAME_CREDIT, 1, 0);
    send_sample(f, &other, 1, 0, 10, &size, 1);
    send_small(f, FRAME_STATUS, 1, 0);
    pump(f);
    assert_int_equal(f->count, 5);
    assert_int_equal(f->all[0].header.type, FRAME_CREDIT); /* belongs to the other direction */
    assert_came(&f->all[1], &first);
    assert_came(&f->all[2], &second);
    assert_came(&f->all[3], &other);
    assert_int_equal(f->all[4].header.type, FRAME_STATUS);
    free(first.memory);
    free(second.memory);
    free(other.memory);
}

static void more_large_messages_than_turns_all_arrive(void **state)
{
    fixture *f = *state;
    enum { MANY = 100 };
    sample samples[MANY];
    size_t size = 70000;
    for (uint32_t i = 0; i < MANY; i++)
        send_sample(f, &samples[i], i + 1, FRAME_OPEN | FRAME_END, 10, &size, 1);
    pump(f);
    assert_int_equal(f->count, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_came(find_call(f, i + 1), &samples[i]);
        assert_int_equal(samples[i].token.released, 1);
        free(samples[i].memory);
    }
}

static void abandoned_message_is_not_read_any_more(void **state)
{
    fixture *f = *state;
    for (uint32_t sent = 0; sent < 500000; sent += 7919) {
        sample doomed, other;
        size_t size = 400000, small = 9000;
        f->count = 0;
        send_sample(f, &doomed, 1, FRAME_OPEN, 10, &size, 1);
        send_sample(f, &other, 2, FRAME_OPEN | FRAME_END, 10, &small, 1);
        for (size_t left = sent; left > 0;) {
            size_t n = send_some(f, left);
            if (n == 0)
                break;
            left -= n;
            receive_all(f);
        }
        if (doomed.token.released == 0)
            mrpc_stream_tx_abandon(&f->tx, &doomed.token.token);
        assert_int_equal(doomed.token.released, 1);
        free(doomed.memory); /* the sanitizer sees who reads it */
        send_small(f, FRAME_CANCEL, 1, 0);
        pump(f);
        assert_came(find_call(f, 2), &other);
        free(other.memory);
        assert_int_equal(f->all[f->count - 1].header.type, FRAME_CANCEL);
        if (f->all[f->count - 2].header.call == 1 && f->all[f->count - 2].header.type == FRAME_MESSAGE)
            assert_came(&f->all[f->count - 2], &doomed); /* then it was whole */
        assert_true(mrpc_stream_rx_at_boundary(&f->rx));
        assert_int_equal(f->tx.queued, 0);
    }
}

static void abandoned_small_message_is_left_out_or_whole(void **state)
{
    fixture *f = *state;
    for (uint32_t sent = 0; sent < 12000; sent += 13) {
        sample before, doomed;
        size_t size = 10000;
        f->count = 0;
        send_sample(f, &before, 1, FRAME_OPEN, 10, NULL, 0);
        send_sample(f, &doomed, 2, FRAME_OPEN | FRAME_END, 10, &size, 1);
        send_some(f, sent);
        if (doomed.token.released == 0)
            mrpc_stream_tx_abandon(&f->tx, &doomed.token.token);
        free(doomed.memory);
        pump(f);
        receive_all(f);
        assert_came(&f->all[0], &before);
        free(before.memory);
        assert_int_equal(f->count, sent > 32 + 16 ? 2 : 1);
        if (f->count == 2)
            assert_came(&f->all[1], &doomed);
    }
}

static void ended_call_loses_what_waits(void **state)
{
    fixture *f = *state;
    size_t size = 1 << 20;
    sample samples[3];
    for (int i = 0; i < 3; i++)
        send_sample(f, &samples[i], 1, i == 0 ? FRAME_OPEN : 0, 50000, &size, 1);
    send_some(f, 100000);
    mrpc_stream_tx_end_call(&f->tx, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(samples[i].token.released, 1);
        free(samples[i].memory);
    }
    send_small(f, FRAME_STATUS, 1, 0);
    pump(f);
    receive_all(f);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->all[0].header.type, FRAME_STATUS);
    assert_true(mrpc_stream_rx_at_boundary(&f->rx));
}

/* Replies are like this: committed whole, and nobody but the transport knows of them. */
static void ended_call_lets_go_of_messages_that_are_all_in_pieces(void **state)
{
    fixture *f = *state;
    static const size_t sizes[] = {10000, 100000};
    for (int i = 0; i < 2; i++) {
        sample doomed, other;
        f->count = 0;
        send_sample(f, &doomed, 1, FRAME_END | FRAME_OK, 10, &sizes[i], 1);
        send_sample(f, &other, 2, FRAME_END | FRAME_OK, 10, &sizes[i], 1);
        send_some(f, 100);
        assert_int_equal(f->tx.ring_count, 0);
        mrpc_stream_tx_end_call(&f->tx, 1);
        assert_int_equal(doomed.token.released, 1);
        assert_int_equal(other.token.released, 0);
        free(doomed.memory); /* the sanitizer sees who reads it */
        mrpc_stream_rx_end_call(&f->rx, 1);
        pump(f);
        receive_all(f);
        assert_came(find_call(f, 2), &other);
        free(other.memory);
        assert_true(mrpc_stream_rx_at_boundary(&f->rx) || f->rx.partial_count == 1);
        mrpc_stream_rx_end_call(&f->rx, 1);
    }
}

static void receiver_drops_a_message_whose_call_has_ended(void **state)
{
    fixture *f = *state;
    size_t size = 400000;
    sample s, next;
    send_sample(f, &s, 1, FRAME_OPEN, 10, &size, 1);
    send_sample(f, &next, 2, FRAME_OPEN, 10, &size, 1);
    send_some(f, 100000);
    receive_all(f);
    mrpc_stream_rx_end_call(&f->rx, 1);
    pump(f);
    assert_int_equal(f->count, 1);
    assert_came(&f->all[0], &next);
    free(s.memory);
    free(next.memory);
}

static void message_over_the_limit_is_refused_and_others_go_on(void **state)
{
    fixture *f = *state;
    f->rx.max_message = 100000;
    size_t too_much = 100000, fits = 99000;
    sample large, block, fine, small;
    send_sample(f, &large, 1, FRAME_OPEN, 10, &too_much, 1);
    send_sample(f, &block, 2, FRAME_OPEN, 100001, NULL, 0);
    send_sample(f, &fine, 3, FRAME_OPEN, 10, &fits, 1);
    pump(f);
    f->rx.max_message = 100;
    send_sample(f, &small, 4, FRAME_OPEN, 101, NULL, 0);
    pump(f);
    assert_int_equal(f->count, 4);
    assert_int_equal(find_call(f, 1)->refused, MRPC_ELIMIT);
    assert_int_equal(find_call(f, 2)->refused, MRPC_ELIMIT);
    assert_came(find_call(f, 3), &fine);
    assert_int_equal(find_call(f, 4)->refused, MRPC_ELIMIT);
    assert_true(mrpc_stream_rx_at_boundary(&f->rx));
    free(large.memory);
    free(block.memory);
    free(fine.memory);
    free(small.memory);
}

static void full_receive_heap_refuses_one_message(void **state)
{
    fixture *f = *state;
    mrpc_heap *heap;
    assert_int_equal(
        mrpc_heap_new(&heap, &(mrpc_heap_options){.size = sizeof(mrpc_heap_options), .limit = 4 << 20}, NULL), 0);
    f->rx.heap = heap;
    size_t large = 20 << 20, fits = 200000;
    sample refused, fine;
    send_sample(f, &refused, 1, FRAME_OPEN, 10, &large, 1);
    pump(f);
    send_sample(f, &fine, 2, FRAME_OPEN, 10, &fits, 1);
    pump(f);
    assert_int_equal(f->count, 2);
    assert_int_equal(f->all[0].refused, MRPC_ENOMEM);
    assert_came(&f->all[1], &fine);
    free(refused.memory);
    free(fine.memory);
    mrpc_stream_rx_clear(&f->rx);
    mrpc_heap_unref(heap);
}

static void sender_is_told_to_wait_and_to_go_on(void **state)
{
    fixture *f = *state;
    mrpc_space space;
    int committed = 0;
    for (int failure; (failure = mrpc_stream_tx_begin(&f->tx, 16384, &space)) != MRPC_EAGAIN; committed++) {
        assert_int_equal(failure, 0);
        memset(space.data, 0, 16384);
        *(mrpc_frame *)(void *)space.data =
            (mrpc_frame){.type = FRAME_MESSAGE, .flags = FRAME_OPEN, .call = 1, .block = 16000};
        mrpc_stream_tx_commit(&f->tx, &space, NULL, NULL);
    }
    assert_true(f->tx.queued > TRANSPORT_QUEUE_LIMIT);
    int drained = 0;
    struct iovec vectors[64];
    size_t bytes;
    bool zero_copy;
    while (mrpc_stream_tx_gather(&f->tx, vectors, 64, &bytes, &zero_copy) > 0) {
        mrpc_stream_tx_sent(&f->tx, bytes);
        if (mrpc_stream_tx_release(&f->tx)) {
            drained++;
            assert_true(f->tx.queued < TRANSPORT_QUEUE_LIMIT / 2);
        }
    }
    assert_int_equal(drained, 1);
}

static void token_of_a_zero_copy_send_waits_for_the_kernel(void **state)
{
    fixture *f = *state;
    f->tx.zero_copy = 100000;
    size_t sizes[2] = {50000, 150000};
    sample s;
    send_sample(f, &s, 1, FRAME_OPEN, 10, sizes, 2);
    mrpc_stream_message *held[8] = {NULL};
    int holds = 0;
    struct iovec vectors[64];
    size_t bytes, alone = 0;
    bool zero_copy;
    for (int count; (count = mrpc_stream_tx_gather(&f->tx, vectors, 64, &bytes, &zero_copy)) > 0;) {
        if (zero_copy) {
            assert_int_equal(count, 1);
            assert_true(holds < 8);
            held[holds++] = mrpc_stream_tx_hold(&f->tx);
            alone += bytes;
        }
        mrpc_stream_tx_sent(&f->tx, bytes);
        (void)mrpc_stream_tx_release(&f->tx);
    }
    assert_int_equal(alone, 150000);
    assert_int_equal(s.token.released, 0);
    while (holds > 0) {
        assert_int_equal(s.token.released, 0);
        mrpc_stream_tx_unhold(&f->tx, held[--holds]);
        (void)mrpc_stream_tx_release(&f->tx);
    }
    assert_int_equal(s.token.released, 1);
    free(s.memory);
}

static void aborted_space_leaves_nothing(void **state)
{
    fixture *f = *state;
    mrpc_space space;
    static const size_t sizes[] = {64, 100000};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mrpc_stream_tx_begin(&f->tx, sizes[i], &space), 0);
        assert_true(space.capacity >= sizes[i]);
        memset(space.data, 'x', sizes[i]);
        mrpc_stream_tx_abort(&f->tx, &space);
        assert_int_equal(f->tx.memory, 0);
        assert_int_equal(send_some(f, 1), 0);
    }
}

/* --- what a broken or hostile peer sends --- */

static int receive_frame(fixture *f, const mrpc_frame *frame)
{
    return receive(f, (const uint8_t *)frame, sizeof *frame);
}

static void malformed_headers_are_refused(void **state)
{
    static const mrpc_frame bad[] = {
        {.type = 0},
        {.type = 12},
        {.type = 255, .size = UINT32_MAX},
        {.type = FRAME_RETURN, .size = 8},
        {.type = FRAME_HELLO, .size = 8},
        {.type = FRAME_HELLO, .size = 65536},
        {.type = FRAME_PING, .size = 8},
        {.type = FRAME_PING, .extents = 1},
        {.type = FRAME_CANCEL, .call = 1, .size = 8},
        {.type = FRAME_CHUNK, .call = 1},
        {.type = FRAME_CHUNK, .size = 8},
        {.type = FRAME_CHUNK, .call = 1, .size = 12},
        {.type = FRAME_MESSAGE, .size = 12, .call = 1, .block = 64, .flags = FRAME_MORE},
        {.type = FRAME_STATUS, .call = 1, .size = 16, .meta = 8},
        {.type = FRAME_STATUS, .call = 1, .size = 4, .meta = 4},
        {.type = FRAME_STATUS, .call = 0, .size = 8, .meta = 8},
        {.type = FRAME_BIND, .call = 1, .size = 16384, .meta = 16384},
        {.type = FRAME_MESSAGE, .size = 0, .call = 0},
        {.type = FRAME_MESSAGE, .size = 7, .call = 1, .block = 7},
        {.type = FRAME_MESSAGE, .size = 16, .call = 1, .block = 7},
        {.type = FRAME_MESSAGE, .size = 0, .call = 1, .block = 7},
        {.type = FRAME_MESSAGE, .size = 65544, .call = 1, .block = 65544},
        {.type = FRAME_MESSAGE, .size = 16384, .call = 1, .meta = 16384},
        {.type = FRAME_MESSAGE, .size = 8, .call = 1, .meta = 4},
        {.type = FRAME_MESSAGE, .size = 8, .call = 1, .extents = 2},
        {.type = FRAME_MESSAGE, .size = 8200, .call = 1, .extents = 1025},
        {.type = FRAME_MESSAGE, .size = 8, .call = 1, .extents = 1, .flags = FRAME_PROTOBUF},
        {.type = FRAME_MESSAGE, .size = 8, .call = 1, .block = 8, .flags = FRAME_NOMESSAGE},
        {.type = FRAME_MESSAGE, .size = 0, .call = 1, .flags = FRAME_NOMESSAGE | FRAME_MORE},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        void *fresh;
        setup(&fresh);
        fixture *f = fresh;
        if (receive_frame(f, &bad[i]) != MRPC_EPROTO || f->count != 0)
            fail_msg("header %zu was taken", i);
        assert_int_equal(f->error.code, MRPC_EPROTO);
        assert_true(strlen(f->error.text) > 10);
        teardown(&fresh);
    }
    (void)state;
}

static void chunks_that_do_not_fit_their_message_are_refused(void **state)
{
    (void)state;
    static const uint8_t zero[65536];
    static const struct {
        uint32_t block, first, chunk;
        uint8_t flags;
    } bad[] = {
        {100, 96, 16, 0},         /* more than the head */
        {100, 96, 8, FRAME_MORE}, /* complete, and more announced */
        {100, 104, 0, 0},         /* complete at once, and more announced */
        {1000, 96, 8, 0},         /* ends too early */
        {0, 0, 8, 0},             /* a message of no bytes with chunks */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        void *fresh;
        setup(&fresh);
        fixture *f = fresh;
        mrpc_frame first = {
            .type = FRAME_MESSAGE, .flags = FRAME_MORE, .call = 1, .block = bad[i].block, .size = bad[i].first};
        int failure = receive_frame(f, &first);
        if (failure == 0)
            failure = receive(f, zero, bad[i].first);
        if (failure == 0)
            failure = receive_frame(
                f, &(mrpc_frame){.type = FRAME_CHUNK, .flags = bad[i].flags, .call = 1, .size = bad[i].chunk});
        if (failure == 0)
            failure = receive(f, zero, bad[i].chunk);
        if (failure != MRPC_EPROTO)
            fail_msg("case %zu was taken", i);
        teardown(&fresh);
    }
}

static void extent_sizes_that_overflow_are_refused(void **state)
{
    static const uint64_t sizes[][2] = {
        {UINT64_MAX, 8}, {UINT64_MAX - 6, 0}, {UINT64_C(1) << 63, UINT64_C(1) << 63}, {64u << 20, 64u << 20}, {8, 16},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *fresh;
        setup(&fresh);
        fixture *f = fresh;
        mrpc_frame frame = {.type = FRAME_MESSAGE, .call = 1, .size = 16 + 8, .extents = 2};
        assert_int_equal(receive_frame(f, &frame), 0);
        int failure = receive(f, (const uint8_t *)sizes[i], 16);
        if (failure == 0 && f->count == 0)
            failure = receive(f, (const uint8_t *)sizes[i], 8);
        assert_true(failure == MRPC_EPROTO || (f->count == 1 && f->all[0].refused == MRPC_ELIMIT));
        teardown(&fresh);
    }
    (void)state;
}

static void peer_of_another_protocol_is_called_one(void **state)
{
    fixture *f = *state;
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    assert_int_equal(receive(f, (const uint8_t *)answer, sizeof answer - 1), MRPC_EPROTO);
    assert_non_null(strstr(f->error.text, "does not speak mrpc"));
}

static void too_many_messages_under_way_are_refused(void **state)
{
    fixture *f = *state;
    mrpc_frame frame = {.type = FRAME_MESSAGE, .flags = FRAME_MORE, .block = 100};
    for (frame.call = 1; frame.call <= MRPC_STREAM_PARTIALS; frame.call++)
        assert_int_equal(receive_frame(f, &frame), 0);
    assert_int_equal(receive_frame(f, &frame), MRPC_EPROTO);
}

static void second_message_of_a_call_may_not_interrupt_the_first(void **state)
{
    fixture *f = *state;
    mrpc_frame frame = {.type = FRAME_MESSAGE, .flags = FRAME_MORE, .call = 1, .block = 100};
    assert_int_equal(receive_frame(f, &frame), 0);
    frame.flags = FRAME_NOMESSAGE;
    frame.block = 0;
    assert_int_equal(receive_frame(f, &frame), MRPC_EPROTO);
}

static void chunks_of_unknown_calls_are_skipped(void **state)
{
    fixture *f = *state;
    static const uint8_t zero[4096];
    assert_int_equal(receive_frame(f, &(mrpc_frame){.type = FRAME_CHUNK, .call = 5, .size = 4096}), 0);
    assert_int_equal(receive(f, zero, 4096), 0);
    assert_int_equal(receive_frame(f, &(mrpc_frame){.type = FRAME_PING, .value = 9}), 0);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->all[0].header.value, 9);
}

static int begin_unfinished(fixture *f, uint32_t call, uint32_t block, uint64_t extent)
{
    uint64_t payload[2] = {0, extent};
    const mrpc_frame frame = {.type = FRAME_MESSAGE,
                              .flags = FRAME_OPEN | FRAME_MORE,
                              .call = call,
                              .block = block,
                              .extents = extent > 0,
                              .size = sizeof payload};
    int failure = receive_frame(f, &frame);
    return failure != 0 ? failure : receive(f, (const uint8_t *)payload, sizeof payload);
}

static void unfinished_messages_are_bounded(void **state)
{
    fixture *f = *state;
    f->rx.max_unfinished = 1000000;
    assert_int_equal(begin_unfinished(f, 1, 400000, 0), 0);
    assert_int_equal(begin_unfinished(f, 2, 8, 500000), 0);
    assert_int_equal(f->count, 0);
    assert_int_equal(begin_unfinished(f, 3, 400000, 0), 0);
    assert_int_equal(begin_unfinished(f, 4, 8, 500000), 0);
    assert_int_equal(f->count, 2);
    assert_int_equal(find_call(f, 3)->refused, MRPC_EAGAIN);
    assert_int_equal(find_call(f, 4)->refused, MRPC_EAGAIN);
    assert_in_range(f->rx.unfinished, 900000, 901000);
    /* What is given up makes room again. */
    assert_int_equal(receive_frame(f, &(mrpc_frame){.type = FRAME_CANCEL, .call = 2}), 0);
    assert_int_equal(begin_unfinished(f, 5, 8, 500000), 0);
    assert_int_equal(f->count, 3);
}

static size_t committed(mrpc_heap *heap)
{
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(heap, &stats);
    return stats.bytes_committed;
}

static void announced_bytes_take_no_memory(void **state)
{
    fixture *f = *state;
    enum { ANNOUNCED = 64 << 20, MESSAGES = 60, MOST = 16 << 20 };
    mrpc_heap *heap;
    assert_int_equal(mrpc_heap_new(&heap, NULL, NULL), 0);
    f->rx.heap = heap;
    f->rx.max_message = ANNOUNCED;
    f->rx.max_unfinished = (uint64_t)ANNOUNCED * MESSAGES;
    for (uint32_t call = 1; call <= MESSAGES; call += 2) {
        assert_int_equal(begin_unfinished(f, call, ANNOUNCED - 64, 0), 0);
        assert_int_equal(begin_unfinished(f, call + 1, 8, ANNOUNCED - 64), 0);
    }
    assert_int_equal(f->count, 0);
    assert_in_range(committed(heap), 1, MOST);
    mrpc_stream_rx_clear(&f->rx);
    mrpc_heap_unref(heap);
}

static void messages_that_grow_with_their_bytes_arrive_whole(void **state)
{
    fixture *f = *state;
    enum { MESSAGES = 4 };
    sample samples[MESSAGES], large;
    size_t small = 700000, much = 20000000;
    send_sample(f, &large, MESSAGES + 1, FRAME_OPEN, 10, &much, 1);
    pump(f);
    assert_came(&f->all[0], &large);
    free(large.memory);
    /* One that takes all there is on credit. */
    assert_int_equal(begin_unfinished(f, MESSAGES + 2, 60 << 20, 0), 0);
    for (uint32_t i = 0; i < MESSAGES; i++)
        send_sample(f, &samples[i], i + 1, FRAME_OPEN, i % 2 == 0 ? 10 : 900000, &small, 1);
    pump(f);
    assert_int_equal(f->count, 1 + MESSAGES);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        assert_came(find_call(f, i + 1), &samples[i]);
        free(samples[i].memory);
    }
}

static void sender_begins_no_more_than_the_receiver_holds(void **state)
{
    fixture *f = *state;
    enum { MESSAGES = 12, LIMIT = 400000 };
    f->tx.unfinished = f->rx.max_unfinished = LIMIT;
    f->rx.max_message = LIMIT;
    sample samples[MESSAGES];
    for (uint32_t i = 0; i < MESSAGES; i++) {
        size_t size = i % 4 == 3 ? LIMIT - 16 : 100000 + 10000 * i;
        send_sample(f, &samples[i], i + 1, FRAME_OPEN, 8, &size, 1);
    }
    uint64_t most = 0;
    while (send_some(f, 50000) > 0) {
        receive_all(f);
        most = f->rx.unfinished > most ? f->rx.unfinished : most;
    }
    assert_in_range(most, LIMIT / 2, LIMIT);
    assert_int_equal(f->count, MESSAGES);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        assert_came(find_call(f, i + 1), &samples[i]);
        free(samples[i].memory);
    }
    assert_int_equal(f->tx.ring_bytes, 0);
    assert_int_equal(f->rx.unfinished, 0);
}

static void random_bytes_never_harm(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed < 400; seed++) {
        void *fresh;
        setup(&fresh);
        fixture *f = fresh;
        f->seed = seed;
        f->rx.max_message = 1 << 20;
        for (int i = 0; i < 200 && f->count < MAX_SEEN - 10; i++) {
            uint64_t words[40];
            fill_random(f, words, sizeof words);
            /* Plausible headers reach further than noise. */
            mrpc_frame *frame = (mrpc_frame *)(void *)words;
            frame->type = (uint8_t)(random_number(f) % 4 == 0 ? frame->type : 2 + random_number(f) % 2);
            frame->call = 1 + random_number(f) % 4;
            frame->meta = random_number(f) % 3 * 8;
            frame->extents = (uint16_t)(random_number(f) % 3);
            frame->block = random_number(f) % 500;
            frame->size = random_number(f) % 2 == 0 ? random_number(f) % 40 * 8 : (uint32_t)mrpc_frame_head(frame);
            frame->flags &= (uint8_t) ~(FRAME_PROTOBUF | FRAME_NOMESSAGE);
            if (receive(f, (uint8_t *)words, 32 + random_number(f) % 288) != 0)
                break;
        }
        teardown(&fresh);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(small_frames_come_in_order_and_in_one_piece),
        TEST(nothing_is_allocated_for_small_frames_in_steady_state),
        TEST(random_messages_arrive_whole),
        TEST(device_that_reads_late_carries_messages_unharmed),
        TEST(kept_buffers_survive_the_end_of_the_stream),
        TEST(extents_are_not_copied),
        TEST(chunks_of_large_messages_take_turns),
        TEST(small_frame_does_not_wait_behind_a_large_message),
        TEST(frames_of_a_call_keep_their_order),
        TEST(more_large_messages_than_turns_all_arrive),
        TEST(abandoned_message_is_not_read_any_more),
        TEST(abandoned_small_message_is_left_out_or_whole),
        TEST(ended_call_loses_what_waits),
        TEST(ended_call_lets_go_of_messages_that_are_all_in_pieces),
        TEST(receiver_drops_a_message_whose_call_has_ended),
        TEST(message_over_the_limit_is_refused_and_others_go_on),
        TEST(full_receive_heap_refuses_one_message),
        TEST(sender_is_told_to_wait_and_to_go_on),
        TEST(token_of_a_zero_copy_send_waits_for_the_kernel),
        TEST(aborted_space_leaves_nothing),
        cmocka_unit_test(malformed_headers_are_refused),
        cmocka_unit_test(chunks_that_do_not_fit_their_message_are_refused),
        cmocka_unit_test(extent_sizes_that_overflow_are_refused),
        TEST(peer_of_another_protocol_is_called_one),
        TEST(too_many_messages_under_way_are_refused),
        TEST(second_message_of_a_call_may_not_interrupt_the_first),
        TEST(chunks_of_unknown_calls_are_skipped),
        TEST(unfinished_messages_are_bounded),
        TEST(announced_bytes_take_no_memory),
        TEST(messages_that_grow_with_their_bytes_arrive_whole),
        TEST(sender_begins_no_more_than_the_receiver_holds),
        cmocka_unit_test(random_bytes_never_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
