/* SPDX-License-Identifier: BSD-2-Clause */
/* test_shm.c - a connection through shared memory: frames, references, giving back, room, waking, ending */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "shm_pair.h"

static shm_pair pair;

static int setup(void **state)
{
    (void)state;
    memset(&pair, 0, sizeof pair);
    shm_pair_open(&pair);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    shm_pair_close(&pair);
    return 0;
}

/* A block of the client's heap, filled. */
static mrpc_extent heap_extent(mrpc_heap *heap, size_t size, uint32_t seed)
{
    void *data = mrpc_heap_alloc(heap, size);
    assert_non_null(data);
    shm_fill(data, size, seed);
    return (mrpc_extent){.data = data, .size = size};
}

static uint32_t held(mrpc_heap *heap)
{
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(heap, &stats);
    return stats.held;
}

typedef struct counted_token {
    mrpc_send_token token;
    int released;
} counted_token;

static void count_release(mrpc_send_token *token)
{
    ((counted_token *)token)->released++;
}

#define TOKEN                                                                                                          \
    {                                                                                                                  \
        .token = {.released = count_release }                                                                          \
    }

/* --- frames --- */

static void small_frames_arrive_in_order_both_ways(void **state)
{
    (void)state;
    for (int i = 1; i <= 3000; i++) {
        size_t size = (size_t)(i * 7 % 900);
        assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, size, (uint32_t)i, NULL, 0, NULL));
        shm_end_flush(&pair.client);
        shm_pair_until(&pair, &pair.server.frames, i);
        assert_int_equal(pair.server.header.block, size);
        assert_int_equal(pair.server.head_hash, shm_hash_filled(size, (uint32_t)i));
        assert_true(shm_end_send(&pair.server, 1, 0, size, (uint32_t)i + 9, NULL, 0, NULL));
        shm_pair_until(&pair, &pair.client.frames, i);
        assert_int_equal(pair.client.head_hash, shm_hash_filled(size, (uint32_t)i + 9));
    }
    assert_int_equal(pair.client.counters.allocations, 0);
}

static void a_frame_can_grow_while_it_is_made(void **state)
{
    (void)state;
    for (int i = 1; i <= 200; i++) {
        mrpc_space space;
        mrpc_connection *connection = pair.client.connection;
        size_t size = (size_t)i * 700;
        assert_int_equal(connection->transport->begin(connection, 64, &space), 0);
        mrpc_frame header = {.type = FRAME_MESSAGE, .call = (uint32_t)i, .block = (uint32_t)size, .flags = FRAME_OPEN};
        memcpy(space.data, &header, sizeof header);
        memcpy(space.data + sizeof header, "first", 5);
        assert_int_equal(connection->transport->extend(connection, &space, sizeof header + 5, 400), 0);
        assert_memory_equal(space.data + sizeof header, "first", 5);
        assert_int_equal(
            connection->transport->extend(connection, &space, sizeof header + 5, sizeof header + mrpc_pad8(size)), 0);
        assert_memory_equal(space.data + sizeof header, "first", 5);
        shm_fill(space.data + sizeof header, size, (uint32_t)i);
        memset(space.data + sizeof header + size, 0, mrpc_pad8(size) - size);
        connection->transport->commit(connection, &space, NULL, NULL);
        shm_pair_until(&pair, &pair.server.frames, i);
        assert_int_equal(pair.server.head_hash, shm_hash_filled(size, (uint32_t)i));
    }
}

static void a_frame_that_is_aborted_leaves_no_trace(void **state)
{
    (void)state;
    for (int i = 1; i <= 500; i++) {
        mrpc_space space;
        mrpc_connection *connection = pair.client.connection;
        assert_int_equal(connection->transport->begin(connection, i % 2 ? 3000 : 300000, &space), 0);
        memset(space.data, 0xff, space.capacity);
        connection->transport->abort(connection, &space);
        assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 100, (uint32_t)i, NULL, 0, NULL));
        shm_pair_until(&pair, &pair.server.frames, i);
        assert_int_equal(pair.server.head_hash, shm_hash_filled(100, (uint32_t)i));
    }
}

static void large_blocks_come_in_chunks_and_let_others_pass(void **state)
{
    (void)state;
    size_t size = 20 << 20;
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, size, 5, NULL, 0, NULL));
    shm_end_flush(&pair.client);
    assert_true(pair.client.connection->transport->queued(pair.client.connection) > size / 2);
    assert_true(shm_end_send(&pair.client, 3, FRAME_OPEN, 10, 6, NULL, 0, NULL));
    shm_pair_until(&pair, &pair.server.frames, 1);
    assert_int_equal(pair.server.header.call, 3); /* overtook it */
    shm_pair_until(&pair, &pair.server.frames, 2);
    assert_int_equal(pair.server.header.call, 1);
    assert_int_equal(pair.server.header.flags, FRAME_OPEN);
    assert_int_equal(pair.server.header.size, size);
    assert_int_equal(pair.server.head_hash, shm_hash_filled(size, 5));
}

static void frames_of_a_call_stay_behind_its_large_message(void **state)
{
    (void)state;
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 3 << 20, 1, NULL, 0, NULL));
    assert_true(shm_end_send(&pair.client, 1, 0, 50, 2, NULL, 0, NULL));
    assert_true(shm_end_send(&pair.client, 1, FRAME_END, 2 << 20, 3, NULL, 0, NULL));
    shm_pair_until(&pair, &pair.server.frames, 3);
    assert_int_equal(pair.server.blocks[0], 3 << 20);
    assert_int_equal(pair.server.blocks[1], 50);
    assert_int_equal(pair.server.blocks[2], 2 << 20);
    assert_int_equal(pair.server.head_hash, shm_hash_filled(2 << 20, 3));
}

static void many_large_messages_take_turns(void **state)
{
    (void)state;
    pair.server.keep = true;
    for (uint32_t i = 1; i <= 60; i++) {
        assert_true(shm_end_send(&pair.client, i, FRAME_OPEN, 120000, i, NULL, 0, NULL));
        shm_end_flush(&pair.client);
    }
    shm_pair_until(&pair, &pair.server.frames, 60);
    assert_int_equal(pair.client.connection->transport->queued(pair.client.connection), 0);
}

/* --- extents --- */

static void extents_of_the_heap_go_by_reference(void **state)
{
    (void)state;
    counted_token token = TOKEN;
    mrpc_extent extents[2] = {heap_extent(pair.client.send_heap, 1 << 20, 1),
                              heap_extent(pair.client.send_heap, 9 << 20, 2)};
    uint64_t hash =
        shm_hash(shm_hash(SHM_HASH_START, extents[0].data, extents[0].size), extents[1].data, extents[1].size);
    pair.server.keep = true;
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 64, 3, extents, 2, &token.token));
    shm_end_flush(&pair.client);
    assert_int_equal(token.released, 1); /* the heap holds the memory */
    assert_int_equal(held(pair.client.send_heap), 2);
    mrpc_heap_free(pair.client.send_heap, (void *)(uintptr_t)extents[0].data);
    shm_pair_until(&pair, &pair.server.frames, 1);
    assert_int_equal(pair.server.extents_hash, hash);
    assert_int_equal(pair.client.counters.bytes_referenced, 10 << 20);
    assert_in_range(pair.server.counters.bytes_received, 1, 1000);
    shm_pair_run(&pair, 20);
    assert_int_equal(held(pair.client.send_heap), 2); /* the message is still there */
    shm_end_free_kept(&pair.server);
    shm_pair_run(&pair, 20);
    assert_int_equal(held(pair.client.send_heap), 0);
    mrpc_heap_free(pair.client.send_heap, (void *)(uintptr_t)extents[1].data);
}

static void the_peer_cannot_write_what_it_is_lent(void **state)
{
    (void)state;
    mrpc_extent extent = heap_extent(pair.client.send_heap, 1 << 20, 1);
    pair.server.keep = true;
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 64, 3, &extent, 1, NULL));
    shm_pair_until(&pair, &pair.server.frames, 1);
    void *page = (void *)((uintptr_t)pair.server.first_extent & ~(uintptr_t)4095);
    assert_ptr_not_equal(pair.server.first_extent, extent.data);
    assert_int_equal(mprotect(page, 4096, PROT_READ | PROT_WRITE), -1);
    mrpc_heap_free(pair.client.send_heap, (void *)(uintptr_t)extent.data);
}

static void replies_are_lent_from_the_heap_of_their_connection(void **state)
{
    (void)state;
    mrpc_heap *heap = pair.server.connection->transport->heap(pair.server.connection);
    assert_non_null(heap);
    assert_ptr_equal(pair.client.connection->transport->heap(pair.client.connection), pair.client.send_heap);
    mrpc_extent extent = heap_extent(heap, 5 << 20, 8);
    assert_true(shm_end_send(&pair.server, 1, FRAME_END | FRAME_OK, 64, 3, &extent, 1, NULL));
    mrpc_heap_free(heap, (void *)(uintptr_t)extent.data);
    shm_pair_until(&pair, &pair.client.frames, 1);
    assert_int_equal(pair.client.extents_hash, shm_hash_filled(5 << 20, 8));
    assert_int_equal(pair.server.counters.bytes_referenced, 5 << 20);
    shm_pair_run(&pair, 20);
    assert_int_equal(held(heap), 0);
}

static void other_extents_are_copied(void **state)
{
    (void)state;
    counted_token tokens[2] = {TOKEN, TOKEN};
    char *data = malloc(7 << 20);
    assert_non_null(data);
    shm_fill(data, 7 << 20, 4);
    mrpc_extent extents[3] = {{data, 5001}, {data + 5001, 9}, {data + 5010, (7 << 20) - 5010}};
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 64, 3, extents, 2, &tokens[0].token));
    shm_pair_until(&pair, &pair.server.frames, 1);
    assert_int_equal(tokens[0].released, 1);
    assert_int_equal(pair.server.extents_hash, shm_hash(SHM_HASH_START, data, 5010));
    assert_true(shm_end_send(&pair.client, 2, FRAME_OPEN, 64, 3, extents, 3, &tokens[1].token));
    shm_end_flush(&pair.client);
    assert_int_equal(tokens[1].released, 0); /* it is still being read */
    shm_pair_until(&pair, &pair.server.frames, 2);
    shm_pair_until(&pair, &tokens[1].released, 1);
    assert_int_equal(pair.server.extents_hash, shm_hash(SHM_HASH_START, data, 7 << 20));
    assert_int_equal(pair.client.counters.bytes_referenced, 0);
    free(data);
}

static void copies_and_references_mix(void **state)
{
    (void)state;
    char data[6000];
    shm_fill(data, sizeof data, 1);
    mrpc_extent extents[4] = {{data, sizeof data},
                              heap_extent(pair.client.send_heap, 100000, 1),
                              {data, 5000},
                              heap_extent(pair.client.send_heap, 5000, 1)};
    uint64_t hash = SHM_HASH_START;
    for (int i = 0; i < 4; i++)
        hash = shm_hash(hash, extents[i].data, extents[i].size);
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 640, 3, extents, 4, NULL));
    shm_pair_until(&pair, &pair.server.frames, 1);
    assert_int_equal(pair.server.extents_hash, hash);
    assert_int_equal(pair.server.head_hash, shm_hash_filled(640, 3));
    assert_int_equal(pair.client.counters.bytes_referenced, 105000);
    shm_pair_run(&pair, 20);
    assert_int_equal(held(pair.client.send_heap), 0);
    mrpc_heap_free(pair.client.send_heap, (void *)(uintptr_t)extents[1].data);
    mrpc_heap_free(pair.client.send_heap, (void *)(uintptr_t)extents[3].data);
}

static void at_the_limit_references_become_copies(void **state)
{
    (void)state;
    teardown(NULL);
    memset(&pair, 0, sizeof pair);
    pair.options = (mrpc_connection_options){.size = sizeof pair.options,
                                             .max_message = 64 << 20,
                                             .max_unfinished = 256 << 20,
                                             .chunk = 64 << 10,
                                             .shm_data = 1 << 20,
                                             .shm_references = 3 << 20};
    shm_pair_open(&pair);
    pair.server.keep = true;
    mrpc_extent extent = heap_extent(pair.client.send_heap, 1 << 20, 1);
    for (int i = 1; i <= 5; i++) {
        assert_true(shm_end_send(&pair.client, (uint32_t)i, FRAME_OPEN, 64, 3, &extent, 1, NULL));
        shm_pair_until(&pair, &pair.server.frames, i);
        assert_int_equal(pair.server.extents_hash, shm_hash_filled(1 << 20, 1));
    }
    assert_int_equal(pair.client.counters.bytes_referenced, 3 << 20);
    shm_end_free_kept(&pair.server);
    shm_pair_run(&pair, 20);
    assert_true(shm_end_send(&pair.client, 6, FRAME_OPEN, 64, 3, &extent, 1, NULL));
    shm_pair_until(&pair, &pair.server.frames, 6);
    assert_int_equal(pair.client.counters.bytes_referenced, 4 << 20);
    mrpc_heap_free(pair.client.send_heap, (void *)(uintptr_t)extent.data);
}

static void the_option_copies_references_in(void **state)
{
    (void)state;
    teardown(NULL);
    memset(&pair, 0, sizeof pair);
    pair.options = (mrpc_connection_options){.size = sizeof pair.options,
                                             .max_message = 64 << 20,
                                             .max_unfinished = 256 << 20,
                                             .chunk = 64 << 10,
                                             .shm_references = 256 << 20,
                                             .shm_copy = true};
    shm_pair_open(&pair);
    pair.server.keep = true;
    mrpc_extent extent = heap_extent(pair.client.send_heap, 1 << 20, 1);
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 64, 3, &extent, 1, NULL));
    shm_pair_until(&pair, &pair.server.frames, 1);
    shm_pair_run(&pair, 20);
    assert_int_equal(held(pair.client.send_heap), 0); /* given back though the message is kept */
    memset((void *)(uintptr_t)extent.data, 0, extent.size);
    assert_int_equal(shm_hash(SHM_HASH_START, pair.server.first_extent, 1 << 20), shm_hash_filled(1 << 20, 1));
    mrpc_heap_free(pair.client.send_heap, (void *)(uintptr_t)extent.data);
}

static void *free_arena(void *arena)
{
    mrpc_arena_free(arena);
    return NULL;
}

static void free_in_threads(shm_end *end)
{
    pthread_t threads[64];
    for (int i = 0; i < end->kept_count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, free_arena, end->kept[i]), 0);
    for (int i = 0; i < end->kept_count; i++)
        pthread_join(threads[i], NULL);
    end->kept_count = 0;
}

static void send_kept(int count)
{
    pair.server.keep = true;
    mrpc_extent extent = heap_extent(pair.client.send_heap, 100000, 1);
    for (int i = 1; i <= count; i++)
        assert_true(shm_end_send(&pair.client, (uint32_t)i, FRAME_OPEN, 64, 3, &extent, 1, NULL));
    mrpc_heap_free(pair.client.send_heap, (void *)(uintptr_t)extent.data);
    shm_pair_until(&pair, &pair.server.frames, count);
}

static void messages_may_be_released_by_any_thread(void **state)
{
    (void)state;
    send_kept(40);
    assert_int_equal(held(pair.client.send_heap), 1);
    free_in_threads(&pair.server);
    shm_pair_run(&pair, 20);
    assert_int_equal(held(pair.client.send_heap), 0);
}

static void messages_outlive_their_connection(void **state)
{
    (void)state;
    send_kept(40);
    mrpc_transport_shm.close(pair.server.connection);
    pair.server.connection = NULL;
    shm_pair_until(&pair, &pair.client.closed, 1);
    assert_int_equal(pair.client.reason.code, MRPC_ECLOSED);
    assert_int_equal(held(pair.client.send_heap), 0); /* the sender forgets them with the connection */
    assert_int_equal(shm_hash(SHM_HASH_START, pair.server.first_extent, 100000), shm_hash_filled(100000, 1));
    assert_true(count_mappings("memfd:send") > 1);
    free_in_threads(&pair.server);
    mrpc_transport_shm.close(pair.client.connection);
    pair.client.connection = NULL;
}

/* --- giving up --- */

static void a_large_message_can_be_abandoned(void **state)
{
    (void)state;
    counted_token token = TOKEN;
    size_t size = 10 << 20;
    char *data = malloc(size);
    assert_non_null(data);
    memset(data, 7, size);
    mrpc_extent extent = {data, size};
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 64, 3, &extent, 1, &token.token));
    shm_end_flush(&pair.client);
    shm_pair_run(&pair, 2);
    assert_int_equal(token.released, 0);
    mrpc_transport_shm.abandon(pair.client.connection, &token.token);
    assert_int_equal(token.released, 1);
    free(data);
    assert_true(shm_end_send(&pair.client, 2, FRAME_OPEN, 64, 9, NULL, 0, NULL));
    shm_end_send_control(&pair.client, FRAME_CANCEL, 1);
    shm_pair_until(&pair, &pair.server.frames, 2);
    assert_int_equal(pair.server.header.type, FRAME_CANCEL);
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(pair.server.receive_heap, &stats);
    assert_in_range(stats.bytes_in_use, 0, 1000); /* what had come was freed */
    assert_int_equal(token.released, 1);
}

static void the_rest_of_a_cancelled_message_is_left_out(void **state)
{
    (void)state;
    assert_true(shm_end_send(&pair.server, 1, 0, 30 << 20, 3, NULL, 0, NULL));
    shm_end_flush(&pair.server);
    shm_pair_run(&pair, 3);
    shm_end_send_control(&pair.client, FRAME_CANCEL, 1);
    shm_pair_until(&pair, &pair.server.frames, 1);
    shm_pair_run(&pair, 20);
    assert_int_equal(pair.server.connection->transport->queued(pair.server.connection), 0);
    assert_int_equal(pair.client.frames, 0);
    assert_true(shm_end_send(&pair.server, 2, 0, 1 << 20, 4, NULL, 0, NULL));
    shm_pair_until(&pair, &pair.client.frames, 1);
    assert_int_equal(pair.client.head_hash, shm_hash_filled(1 << 20, 4));
}

static void too_large_a_message_is_refused_and_the_connection_goes_on(void **state)
{
    (void)state;
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, (64 << 20) + 1, 3, NULL, 0, NULL));
    shm_pair_until(&pair, &pair.server.frames, 1);
    assert_int_equal(pair.server.refused, MRPC_ELIMIT);
    assert_int_equal(pair.server.header.call, 1);
    shm_pair_until(&pair, &pair.client.drained, 1);
    mrpc_extent extents[2] = {heap_extent(pair.client.send_heap, 40 << 20, 1)};
    extents[1] = extents[0];
    assert_true(shm_end_send(&pair.client, 2, FRAME_OPEN, 64, 3, extents, 2, NULL));
    shm_pair_until(&pair, &pair.server.frames, 2);
    assert_int_equal(pair.server.refused, MRPC_ELIMIT);
    assert_true(shm_end_send(&pair.client, 3, FRAME_OPEN, 64, 3, extents, 1, NULL));
    shm_pair_until(&pair, &pair.server.frames, 3);
    assert_int_equal(pair.server.refused, 0);
    shm_pair_run(&pair, 20);
    assert_int_equal(held(pair.client.send_heap), 0);
    mrpc_heap_free(pair.client.send_heap, (void *)(uintptr_t)extents[0].data);
}

static void a_message_without_room_is_refused_and_the_connection_goes_on(void **state)
{
    (void)state;
    pair.server.keep = true;
    int kept = 0;
    for (int i = 1; pair.server.refused == 0; i++, kept++) {
        assert_in_range(i, 1, 30);
        assert_true(shm_end_send(&pair.client, (uint32_t)i, FRAME_OPEN, 20 << 20, 3, NULL, 0, NULL));
        shm_pair_until(&pair, &pair.server.frames, i);
    }
    assert_int_equal(pair.server.refused, MRPC_ENOMEM);
    shm_end_free_kept(&pair.server);
    while (mrpc_transport_shm.queued(pair.client.connection) > 0)
        shm_pair_run(&pair, 1);
    assert_true(shm_end_send(&pair.client, 99, FRAME_OPEN, 20 << 20, 3, NULL, 0, NULL));
    shm_pair_until(&pair, &pair.server.frames, kept + 1);
    assert_int_equal(pair.server.refused, 0);
}

/* --- room --- */

static void a_full_queue_answers_again_and_drains(void **state)
{
    (void)state;
    int sent = 0;
    while (shm_end_send(&pair.client, (uint32_t)sent + 1, FRAME_OPEN, 1000, (uint32_t)sent, NULL, 0, NULL)) {
        sent++;
        assert_in_range(sent, 1, 100000);
    }
    assert_true(sent > 8000);
    assert_int_equal(pair.client.drained, 0);
    assert_int_equal(pair.server.frames, 0);
    shm_pair_until(&pair, &pair.client.drained, 1);
    assert_true(shm_end_send(&pair.client, (uint32_t)sent + 1, FRAME_OPEN, 1000, (uint32_t)sent, NULL, 0, NULL));
    shm_pair_until(&pair, &pair.server.frames, sent + 1);
    assert_int_equal(pair.client.drained, 1);
}

static void order_within_a_call_survives_a_full_ring(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++)
        assert_true(shm_end_send(&pair.client, 7, 0, 1000, (uint32_t)i, NULL, 0, NULL));
    for (int i = 0; i < 5000;) {
        int before = pair.server.frames;
        mrpc_transport_shm.flush(pair.client.connection);
        mrpc_transport_shm.poll(pair.server.connection);
        i += pair.server.frames - before;
        assert_int_equal(pair.server.head_hash, shm_hash_filled(1000, (uint32_t)i - 1));
    }
}

static void a_large_message_gets_through_among_endless_small_ones(void **state)
{
    (void)state;
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 3 << 20, 3, NULL, 0, NULL));
    for (int i = 0;; i++) {
        assert_in_range(i, 0, 20000);
        for (int k = 0; k < 200; k++)
            (void)shm_end_send(&pair.client, 2, FRAME_OPEN, 1000, 3, NULL, 0, NULL);
        mrpc_transport_shm.flush(pair.client.connection);
        (void)mrpc_transport_shm.poll(pair.server.connection);
        if (pair.server.large > 0)
            return;
    }
}

static void small_frames_keep_their_order_when_the_ring_is_full(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 7000; i++)
        assert_true(shm_end_send(&pair.client, i, FRAME_OPEN, 900, i, NULL, 0, NULL));
    assert_true(mrpc_shm_of(pair.client.connection)->backlog.queue.first != NULL);
    for (uint32_t last = 0; last < 7000;) {
        mrpc_transport_shm.flush(pair.client.connection);
        int before = pair.server.frames;
        mrpc_transport_shm.poll(pair.server.connection);
        last += (uint32_t)(pair.server.frames - before);
        assert_true(last == 0 || pair.server.header.call == last);
    }
}

static void bursts_make_the_ring_wider(void **state)
{
    (void)state;
    uint64_t warm = 0;
    for (int round = 1; round <= 100; round++) {
        for (int i = 0; i < 128; i++)
            assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 200, 3, NULL, 0, NULL));
        shm_pair_until(&pair, &pair.server.frames, 128 * round);
        if (round == 20)
            warm = pair.client.counters.allocations;
    }
    assert_int_equal(pair.client.counters.allocations, warm);
}

static void little_traffic_takes_little_memory(void **state)
{
    (void)state;
    for (int i = 1; i <= 2000; i++) {
        assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 1000, 3, NULL, 0, NULL));
        shm_pair_until(&pair, &pair.server.frames, i);
    }
    mrpc_shm_connection *c = mrpc_shm_of(pair.client.connection);
    assert_true(c->out.head > c->out.capacity); /* several laps */
    assert_int_equal(c->out.committed, SHM_FIRST);
}

/* --- ending --- */

static void the_other_end_hears_of_a_close(void **state)
{
    (void)state;
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 100, 3, NULL, 0, NULL));
    shm_end_flush(&pair.client);
    mrpc_transport_shm.close(pair.client.connection);
    pair.client.connection = NULL;
    shm_pair_until(&pair, &pair.server.closed, 1);
    assert_int_equal(pair.server.frames, 1); /* what was flushed still came */
    assert_int_equal(pair.server.reason.code, MRPC_ECLOSED);
    shm_pair_run(&pair, 5);
    assert_int_equal(pair.server.closed, 1);
}

static void a_connection_may_be_closed_from_within_its_events(void **state)
{
    (void)state;
    pair.server.close_on_frame = true;
    pair.client.close_on_closed = true;
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 100, 3, NULL, 0, NULL));
    assert_true(shm_end_send(&pair.client, 1, 0, 100, 3, NULL, 0, NULL));
    shm_pair_until(&pair, &pair.client.closed, 1);
    assert_int_equal(pair.server.frames, 1);
    assert_null(pair.client.connection);
}

static void a_refused_frame_closes_with_its_reason(void **state)
{
    (void)state;
    pair.server.result = MRPC_EPROTO;
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 100, 3, NULL, 0, NULL));
    shm_pair_until(&pair, &pair.server.closed, 1);
    assert_int_equal(pair.server.reason.code, MRPC_EPROTO);
    shm_pair_until(&pair, &pair.client.closed, 1);
}

static void closing_releases_tokens_and_holds(void **state)
{
    (void)state;
    counted_token tokens[2] = {TOKEN, TOKEN};
    static char data[1 << 20];
    mrpc_extent copied = {data, sizeof data}, lent = heap_extent(pair.client.send_heap, 1 << 20, 1);
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 64, 3, &copied, 1, &tokens[0].token));
    assert_true(shm_end_send(&pair.client, 2, FRAME_OPEN, 64, 3, &lent, 1, &tokens[1].token));
    mrpc_transport_shm.close(pair.client.connection);
    pair.client.connection = NULL;
    assert_int_equal(tokens[0].released, 1);
    assert_int_equal(tokens[1].released, 1);
    assert_int_equal(held(pair.client.send_heap), 0);
    mrpc_heap_free(pair.client.send_heap, (void *)(uintptr_t)lent.data);
}

/* --- waking --- */

static void one_who_sleeps_is_woken_once(void **state)
{
    (void)state;
    shm_pair_run(&pair, 5);
    assert_true(mrpc_transport_shm.arm(pair.server.connection));
    uint64_t before = pair.client.counters.wakeups_sent;
    for (int i = 0; i < 10; i++) {
        assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 10, 3, NULL, 0, NULL));
        shm_end_flush(&pair.client);
    }
    assert_int_equal(pair.client.counters.wakeups_sent, before + 1);
    shm_pair_until(&pair, &pair.server.frames, 10);
}

static void one_who_polls_is_not_woken(void **state)
{
    (void)state;
    for (int i = 1; i <= 100; i++) {
        uint64_t before = pair.client.counters.wakeups_sent;
        assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 10, 3, NULL, 0, NULL));
        shm_end_flush(&pair.client);
        while (pair.server.frames < i)
            mrpc_transport_shm.poll(pair.server.connection);
        assert_true(i == 1 || pair.client.counters.wakeups_sent == before);
    }
}

static void nobody_goes_to_sleep_over_a_frame(void **state)
{
    (void)state;
    assert_true(shm_end_send(&pair.client, 1, FRAME_OPEN, 10, 3, NULL, 0, NULL));
    mrpc_transport_shm.poll(pair.server.connection);
    shm_end_flush(&pair.client);
    mrpc_transport_shm.poll(pair.server.connection); /* awake now */
    assert_true(shm_end_send(&pair.client, 1, 0, 10, 3, NULL, 0, NULL));
    shm_end_flush(&pair.client);
    assert_false(mrpc_transport_shm.arm(pair.server.connection));
    shm_pair_until(&pair, &pair.server.frames, 2);
    assert_true(mrpc_transport_shm.arm(pair.server.connection));
}

/* --- names --- */

static void a_name_in_use_is_refused(void **state)
{
    (void)state;
    mrpc_error error;
    mrpc_transport_setup setup_again;
    mrpc_listener *listener;
    shm_pair_setup(&pair, &pair.server, &setup_again);
    assert_int_equal(mrpc_transport_shm.listen(&listener, pair.name, &setup_again, &error), MRPC_EEXIST);
    assert_non_null(strstr(error.text, pair.name));
    mrpc_transport_shm.unlisten(pair.listener);
    assert_int_equal(mrpc_transport_shm.listen(&pair.listener, pair.name, &setup_again, &error), 0);
}

static void bad_addresses_are_explained(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "a b",
        "x?uid=",
        "x?uid=-1",
        "x?uid=99999999999",
        "x?y=1",
        "?uid=1",
        "x?uid=1,2",
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"};
    mrpc_shm_address address;
    mrpc_error error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(mrpc_shm_address_parse(&address, bad[i], &error), MRPC_EINVAL);
        assert_true(strlen(error.text) > 10);
    }
    assert_int_equal(mrpc_shm_address_parse(&address, "a/b.c-d?uid=5&uid=any&uid=7", &error), 0);
    assert_true(address.any_user && address.user_count == 2 && address.users[1] == 7);
}

static void nobody_there_is_told_as_closed(void **state)
{
    (void)state;
    mrpc_error error;
    mrpc_transport_setup setup_lonely;
    mrpc_connection *connection;
    shm_end lonely = {0};
    shm_pair_setup(&pair, &lonely, &setup_lonely);
    assert_int_equal(mrpc_transport_shm.connect(&connection, "test-nobody-is-there", &setup_lonely, &error), 0);
    shm_end_observe(&lonely, connection);
    shm_pair_until(&pair, &lonely.closed, 1);
    assert_int_equal(lonely.reason.code, MRPC_ESYS);
    assert_int_equal(lonely.reason.system_errno, ECONNREFUSED);
    assert_non_null(strstr(lonely.reason.text, "shm://test-nobody-is-there"));
    mrpc_transport_shm.close(connection);
    mrpc_heap_unref(lonely.receive_heap);
}

static void nothing_is_left_behind(void **state)
{
    (void)state;
    unsigned descriptors = count_descriptors(), rings = count_mappings("memfd:mrpc-ring");
    shm_pair other = {0};
    for (int i = 0; i < 20; i++) {
        shm_pair_open(&other);
        mrpc_extent extent = heap_extent(other.client.send_heap, 1 << 20, 1);
        assert_true(shm_end_send(&other.client, 1, FRAME_OPEN, 64, 3, &extent, 1, NULL));
        shm_pair_until(&other, &other.server.frames, 1);
        assert_int_equal(count_mappings("memfd:mrpc-ring"), rings + 4);
        mrpc_heap_free(other.client.send_heap, (void *)(uintptr_t)extent.data);
        shm_pair_close(&other);
    }
    assert_int_equal(count_descriptors(), descriptors);
    assert_int_equal(count_mappings("memfd:mrpc-ring"), rings);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAIR(small_frames_arrive_in_order_both_ways),
        WITH_PAIR(a_frame_can_grow_while_it_is_made),
        WITH_PAIR(a_frame_that_is_aborted_leaves_no_trace),
        WITH_PAIR(large_blocks_come_in_chunks_and_let_others_pass),
        WITH_PAIR(frames_of_a_call_stay_behind_its_large_message),
        WITH_PAIR(many_large_messages_take_turns),
        WITH_PAIR(extents_of_the_heap_go_by_reference),
        WITH_PAIR(the_peer_cannot_write_what_it_is_lent),
        WITH_PAIR(replies_are_lent_from_the_heap_of_their_connection),
        WITH_PAIR(other_extents_are_copied),
        WITH_PAIR(copies_and_references_mix),
        WITH_PAIR(at_the_limit_references_become_copies),
        WITH_PAIR(the_option_copies_references_in),
        WITH_PAIR(messages_may_be_released_by_any_thread),
        WITH_PAIR(messages_outlive_their_connection),
        WITH_PAIR(a_large_message_can_be_abandoned),
        WITH_PAIR(the_rest_of_a_cancelled_message_is_left_out),
        WITH_PAIR(too_large_a_message_is_refused_and_the_connection_goes_on),
        WITH_PAIR(a_message_without_room_is_refused_and_the_connection_goes_on),
        WITH_PAIR(a_full_queue_answers_again_and_drains),
        WITH_PAIR(order_within_a_call_survives_a_full_ring),
        WITH_PAIR(a_large_message_gets_through_among_endless_small_ones),
        WITH_PAIR(small_frames_keep_their_order_when_the_ring_is_full),
        WITH_PAIR(bursts_make_the_ring_wider),
        WITH_PAIR(little_traffic_takes_little_memory),
        WITH_PAIR(the_other_end_hears_of_a_close),
        WITH_PAIR(a_connection_may_be_closed_from_within_its_events),
        WITH_PAIR(a_refused_frame_closes_with_its_reason),
        WITH_PAIR(closing_releases_tokens_and_holds),
        WITH_PAIR(one_who_sleeps_is_woken_once),
        WITH_PAIR(one_who_polls_is_not_woken),
        WITH_PAIR(nobody_goes_to_sleep_over_a_frame),
        WITH_PAIR(a_name_in_use_is_refused),
        WITH_PAIR(bad_addresses_are_explained),
        WITH_PAIR(nobody_there_is_told_as_closed),
        WITH_PAIR(nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
