/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sim.c - the simulated network: the same again from the same seed, and as bad as its address says */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "transports/loop/virtual.h"
#include "transports/sim/sim.h"
#include "transports/transport.h"

enum { CLIENTS = 4, PINGS = 50 };

typedef struct end {
    mrpc_connection *connection;
    int opened, closed, frames;
    mrpc_error reason;
} end;

typedef struct world {
    mrpc_loop *loop;
    mrpc_heap *heap;
    mrpc_listener *listener;
    mrpc_counters counters;
    mrpc_transport_setup setup;
    end clients[CLIENTS], servers[64];
    int accepted;
    uint32_t order; /* of who received when */
} world;

static world *current;

static void opened(mrpc_connection *connection)
{
    ((end *)connection->owner)->opened++;
}

static void ping(end *e, uint64_t value)
{
    mrpc_space space;
    if (e->connection == NULL || e->connection->transport->begin(e->connection, sizeof(mrpc_frame), &space) != 0)
        return;
    *(mrpc_frame *)(void *)space.data = (mrpc_frame){.type = FRAME_PING, .value = value};
    e->connection->transport->commit(e->connection, &space, NULL, NULL);
    e->connection->transport->flush(e->connection);
}

static int received(mrpc_connection *connection, const mrpc_incoming *incoming)
{
    end *e = connection->owner;
    e->frames++;
    bool server = e >= current->servers && e < current->servers + 64;
    current->order = current->order * 31 + (uint32_t)(server ? e - current->servers : 100 + (e - current->clients));
    if (incoming->header->value < PINGS)
        ping(e, incoming->header->value + 1);
    return 0;
}

static void drained(mrpc_connection *connection)
{
    (void)connection;
}

static void closed(mrpc_connection *connection, const mrpc_error *reason)
{
    end *e = connection->owner;
    e->closed++;
    e->reason = *reason;
}

static const mrpc_connection_events events = {sizeof events, opened, received, drained, closed};

static void own(end *e, mrpc_connection *connection)
{
    e->connection = connection;
    connection->owner = e;
    connection->events = &events;
}

static void accepted(mrpc_listener *listener, mrpc_connection *connection)
{
    (void)listener;
    assert_in_range(current->accepted, 0, 63);
    own(&current->servers[current->accepted++], connection);
}

static void begin_world(world *w, uint64_t seed, const char *address)
{
    mrpc_error error = {0};
    memset(w, 0, sizeof *w);
    current = w;
    assert_int_equal(mrpc_loop_new(&w->loop, MRPC_POLLER_SIMULATED, seed, &error), 0);
    assert_int_equal(mrpc_heap_new(&w->heap, NULL, &error), 0);
    w->setup = (mrpc_transport_setup){
        .size = sizeof w->setup,
        .loop = w->loop,
        .receive_heap = w->heap,
        .counters = &w->counters,
        .options = {
            .size = sizeof w->setup.options, .max_message = 1 << 20, .max_unfinished = 1 << 26, .chunk = 65536}};
    if (mrpc_transport_sim.listen(&w->listener, address, &w->setup, &error) != 0)
        fail_msg("%s", error.text);
    w->listener->accepted = accepted;
}

static void connect_one(world *w, int index, const char *address)
{
    mrpc_error error = {0};
    mrpc_connection *connection;
    if (w->clients[index].connection != NULL)
        mrpc_transport_sim.close(w->clients[index].connection);
    assert_int_equal(mrpc_transport_sim.connect(&connection, address, &w->setup, &error), 0);
    own(&w->clients[index], connection);
}

static void run(world *w, uint64_t ms)
{
    uint64_t until = mrpc_loop_now(w->loop) + ms * 1000000;
    while (mrpc_loop_now(w->loop) < until)
        assert_true(mrpc_loop_run(w->loop, until) >= 0);
}

static mrpc_sim_stats end_world(world *w)
{
    mrpc_sim_stats stats;
    mrpc_sim_get_stats(w->loop, &stats);
    for (int i = 0; i < CLIENTS; i++)
        if (w->clients[i].connection != NULL)
            mrpc_transport_sim.close(w->clients[i].connection);
    for (int i = 0; i < w->accepted; i++)
        mrpc_transport_sim.close(w->servers[i].connection);
    mrpc_transport_sim.unlisten(w->listener);
    mrpc_loop_free(w->loop);
    mrpc_heap_unref(w->heap);
    return stats;
}

/* Four clients play ping-pong; returns what happened. */
static mrpc_sim_stats play(uint64_t seed, const char *address, uint32_t *order)
{
    world w;
    begin_world(&w, seed, address);
    for (int i = 0; i < CLIENTS; i++)
        connect_one(&w, i, "n");
    run(&w, 1);
    for (int i = 0; i < CLIENTS; i++)
        ping(&w.clients[i], 0);
    run(&w, 1000);
    *order = w.order;
    return end_world(&w);
}

#define BAD "n?delay=10-500&short=40&loss=3000"

static void same_seed_does_the_same_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        uint32_t first, second;
        mrpc_sim_stats a = play(seed, BAD, &first), b = play(seed, BAD, &second);
        assert_true(a.events > 100);
        assert_int_equal(a.trace, b.trace);
        assert_memory_equal(&a, &b, sizeof a);
        assert_int_equal(first, second);
    }
}

static void other_seeds_do_something_else(void **state)
{
    (void)state;
    uint64_t traces[20];
    uint32_t orders[20];
    int same_order = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        traces[seed] = play(seed, BAD, &orders[seed]).trace;
        for (uint64_t other = 0; other < seed; other++) {
            assert_int_not_equal(traces[seed], traces[other]);
            same_order += orders[seed] == orders[other];
        }
    }
    assert_int_equal(same_order, 0); /* connections overtake each other in other ways */
}

static void kind_addresses_lose_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        uint32_t order;
        mrpc_sim_stats stats = play(seed, "n", &order);
        assert_int_equal(stats.broken + stats.refused + stats.short_reads + stats.short_writes, 0);
        assert_int_equal(stats.opened, CLIENTS);
        assert_int_equal(stats.bytes, CLIENTS * (PINGS + 1) * sizeof(mrpc_frame));
    }
}

static void each_fault_happens_at_its_rate(void **state)
{
    (void)state;
    uint32_t order;
    uint64_t broken = 0, writes = 0, reads = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        broken += play(seed, "n?loss=20000", &order).broken;
        mrpc_sim_stats stats = play(seed, "n?short=50", &order);
        writes += stats.short_writes;
        reads += stats.short_reads;
    }
    assert_in_range(broken, 50, 200); /* of 200 connections with 51 pieces each, 1 - 0.98^51 = 64 % */
    assert_true(writes > 5000 && reads > 5000);
}

static void a_break_is_told_to_both_ends(void **state)
{
    (void)state;
    world w;
    begin_world(&w, 1, "n");
    connect_one(&w, 0, "n");
    connect_one(&w, 1, "n");
    run(&w, 1);
    mrpc_sim_break_all(w.loop);
    run(&w, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(w.clients[i].closed, 1);
        assert_int_equal(w.servers[i].closed, 1);
        assert_int_equal(w.clients[i].reason.code, MRPC_ECLOSED);
    }
    assert_int_equal(end_world(&w).broken, 2);
}

static void attempts_are_refused_by_chance_and_after_a_break(void **state)
{
    (void)state;
    world w;
    begin_world(&w, 1, "n?refuse=100");
    connect_one(&w, 0, "n");
    run(&w, 1);
    assert_int_equal(w.clients[0].closed, 1);
    assert_int_equal(w.clients[0].reason.system_errno, ECONNREFUSED);
    (void)end_world(&w);

    begin_world(&w, 1, "n?down=5000");
    connect_one(&w, 0, "n");
    run(&w, 1);
    mrpc_sim_break_all(w.loop);
    connect_one(&w, 1, "n");
    run(&w, 1);
    assert_int_equal(w.clients[1].closed, 1);
    run(&w, 5);
    connect_one(&w, 2, "n");
    run(&w, 1);
    assert_int_equal(w.clients[2].opened, 1);
    (void)end_world(&w);
}

static void a_kind_world_has_no_faults(void **state)
{
    (void)state;
    world w;
    begin_world(&w, 1, "n?refuse=100&loss=1000000");
    mrpc_sim_set_kind(w.loop, true);
    connect_one(&w, 0, "n");
    run(&w, 1);
    ping(&w.clients[0], 0);
    run(&w, 100);
    assert_int_equal(w.clients[0].closed, 0);
    assert_int_equal(w.clients[0].frames + w.servers[0].frames, PINGS + 1);
    mrpc_sim_set_kind(w.loop, false);
    ping(&w.clients[0], 0);
    run(&w, 1);
    assert_int_equal(w.clients[0].closed, 1);
    (void)end_world(&w);
}

static void the_clock_jumps_and_stands_still_at_the_end(void **state)
{
    (void)state;
    mrpc_loop *loop;
    mrpc_sim_stats stats;
    assert_int_equal(mrpc_loop_new(&loop, MRPC_POLLER_SIMULATED, 7, NULL), 0);
    assert_int_equal(mrpc_loop_poller(loop), MRPC_POLLER_SIMULATED);
    uint64_t begin = mrpc_loop_now(loop);
    assert_int_equal(mrpc_loop_run(loop, begin + UINT64_C(3600000000000)), 0);
    assert_int_equal(mrpc_loop_now(loop), begin + UINT64_C(3600000000000));
    assert_int_equal(mrpc_loop_run(loop, UINT64_MAX), 0);
    assert_int_equal(mrpc_loop_now(loop), begin + UINT64_C(3600000000000));
    mrpc_sim_get_stats(loop, &stats);
    assert_int_equal(stats.events, 0);
    mrpc_loop_free(loop);
}

static void other_loops_are_refused(void **state)
{
    (void)state;
    world w;
    begin_world(&w, 1, "n");
    mrpc_error error;
    mrpc_listener *listener;
    mrpc_connection *connection;
    assert_int_equal(mrpc_loop_new(&w.setup.loop, MRPC_POLLER_EPOLL, 0, NULL), 0);
    assert_int_equal(mrpc_transport_sim.listen(&listener, "m", &w.setup, &error), MRPC_EINVAL);
    assert_non_null(strstr(error.text, "MRPC_POLLER_SIMULATED"));
    assert_int_equal(mrpc_transport_sim.connect(&connection, "n", &w.setup, &error), MRPC_EINVAL);
    mrpc_loop_free(w.setup.loop);
    (void)end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_does_the_same_again),
        cmocka_unit_test(other_seeds_do_something_else),
        cmocka_unit_test(kind_addresses_lose_nothing),
        cmocka_unit_test(each_fault_happens_at_its_rate),
        cmocka_unit_test(a_break_is_told_to_both_ends),
        cmocka_unit_test(attempts_are_refused_by_chance_and_after_a_break),
        cmocka_unit_test(a_kind_world_has_no_faults),
        cmocka_unit_test(the_clock_jumps_and_stands_still_at_the_end),
        cmocka_unit_test(other_loops_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
