/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_failures.c - each allocation under a loop and a connection fails in turn: an error, no leak, every token
 * released */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/failing_alloc.h"
#include "transports/stream/tx.h"
#include "transports/transport.h"

enum { MESSAGES = 5, EXTENTS = 6 };

typedef struct side {
    mrpc_connection *connection;
    int opened, closed, frames, refused;
    mrpc_error reason;
} side;

typedef struct message {
    mrpc_send_token token;
    bool committed;
    int released;
} message;

typedef struct rig {
    mrpc_loop *loop;
    mrpc_counters counters;
    mrpc_transport_setup setup;
    side client, server;
    message messages[MESSAGES];
} rig;

static char payload[300000];

static void opened(mrpc_connection *connection)
{
    ((side *)connection->owner)->opened++;
}

static int received(mrpc_connection *connection, const mrpc_incoming *incoming)
{
    side *s = connection->owner;
    s->frames++;
    s->refused += incoming->refused != 0;
    mrpc_arena_free(incoming->arena);
    return 0;
}

static void drained(mrpc_connection *connection)
{
    (void)connection;
}

static void closed(mrpc_connection *connection, const mrpc_error *reason)
{
    side *s = connection->owner;
    s->closed++;
    s->reason = *reason;
}

static const mrpc_connection_events events = {sizeof events, opened, received, drained, closed};

static void accepted(mrpc_listener *listener, mrpc_connection *connection)
{
    rig *r = listener->owner;
    r->server.connection = connection;
    connection->owner = &r->server;
    connection->events = &events;
}

static void released(mrpc_send_token *token)
{
    ((message *)token)->released++;
}

static void rig_init(rig *r)
{
    memset(r, 0, sizeof *r);
    assert_int_equal(mrpc_loop_new(&r->loop, MRPC_POLLER_AUTO, 0, NULL), 0);
    r->setup = (mrpc_transport_setup){
        .size = sizeof r->setup,
        .loop = r->loop, /* without a heap, arenas are allocated by malloc, and fail as well */
        .counters = &r->counters,
        .options = {.size = sizeof(mrpc_connection_options),
                    .max_message = 64 << 20,
                    .max_unfinished = 256 << 20,
                    .chunk = 65536,
                    .unsent = 256 << 10},
    };
}

static bool run_while(rig *r, const int *count, int wanted)
{
    for (int i = 0; i < 2000 && *count < wanted && r->client.closed + r->server.closed == 0; i++)
        if (mrpc_loop_run(r->loop, mrpc_loop_now(r->loop) + 10000000) < 0)
            return false;
    return *count >= wanted;
}

/* Of all kinds: small, with extents in one frame, in chunks, waiting behind another, with a large head. */
static bool put_message(side *s, message *m, uint32_t call, uint32_t block, size_t extent)
{
    mrpc_space space;
    mrpc_extent extents[EXTENTS];
    uint16_t count = extent > 0 ? EXTENTS : 0;
    mrpc_frame frame = {.type = FRAME_MESSAGE, .call = call, .block = block, .extents = count};
    size_t size = sizeof frame + mrpc_frame_head(&frame);
    *m = (message){.token = {.released = released}};
    if (mrpc_transport_tcp.begin(s->connection, sizeof frame, &space) != 0)
        return false;
    memcpy(space.data, &frame, sizeof frame);
    if (mrpc_transport_tcp.extend(s->connection, &space, sizeof frame, size) != 0) {
        mrpc_transport_tcp.abort(s->connection, &space);
        return false;
    }
    memset(space.data + sizeof frame, 0, size - sizeof frame);
    for (int i = 0; i < count; i++) {
        extents[i] = (mrpc_extent){payload, extent};
        memcpy(space.data + size - 8u * (unsigned)(count - i), &(uint64_t){extent}, 8);
    }
    m->committed = count > 0;
    mrpc_transport_tcp.commit(s->connection, &space, extents, count > 0 ? &m->token : NULL);
    return true;
}

static void exchange(rig *r)
{
    side *client = &r->client;
    if (!run_while(r, &client->opened, 1))
        return;
    int put = put_message(client, &r->messages[0], 1, 64, 0) + put_message(client, &r->messages[1], 2, 64, 5000) +
              put_message(client, &r->messages[2], 3, 64, sizeof payload) +
              put_message(client, &r->messages[3], 3, 64, 6000) + put_message(client, &r->messages[4], 4, 90000, 0);
    mrpc_transport_tcp.flush(client->connection);
    if (run_while(r, &r->server.frames, put) && put == MESSAGES) {
        (void)put_message(&r->server, &r->messages[0], 1, 64, 0);
        mrpc_transport_tcp.flush(r->server.connection);
        (void)run_while(r, &client->frames, 1);
    }
}

static void finish(rig *r, mrpc_listener *listener)
{
    side *sides[] = {&r->client, &r->server};
    for (int i = 0; i < 2; i++) {
        assert_true(sides[i]->closed <= 1);
        if (sides[i]->closed)
            assert_true(sides[i]->reason.code < 0 && strlen(sides[i]->reason.text) > 5);
        if (sides[i]->connection != NULL)
            mrpc_transport_tcp.close(sides[i]->connection);
    }
    for (int i = 0; i < MESSAGES; i++)
        assert_int_equal(r->messages[i].released, r->messages[i].committed);
    if (listener != NULL)
        mrpc_transport_tcp.unlisten(listener);
    mrpc_loop_free(r->loop);
}

static void connect_and_exchange(rig *r, mrpc_listener **listener, mrpc_error *error)
{
    if (mrpc_transport_tcp.listen(listener, "127.0.0.1:0", &r->setup, error) != 0)
        return;
    (*listener)->owner = r;
    (*listener)->accepted = accepted;
    if (mrpc_transport_tcp.connect(&r->client.connection, (*listener)->address + strlen("tcp://"), &r->setup, error) !=
        0)
        return;
    r->client.connection->owner = &r->client;
    r->client.connection->events = &events;
    exchange(r);
}

static void connection_survives_or_says_why(void **state)
{
    (void)state;
    unsigned descriptors = count_descriptors(), complete = 0;
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        static rig r;
        mrpc_listener *listener = NULL;
        mrpc_error error = {0};
        rig_init(&r);
        failing_alloc_start(&fail);
        connect_and_exchange(&r, &listener, &error);
        failing_alloc_stop(&fail);
        if (listener == NULL || r.client.connection == NULL)
            assert_true(error.code == MRPC_ENOMEM && strlen(error.text) > 5);
        bool whole = r.server.frames == MESSAGES && r.client.frames == 1 && r.server.refused == 0;
        if (!fail.hit)
            assert_true(whole);
        complete += whole;
        finish(&r, listener);
        assert_int_equal(count_descriptors(), descriptors);
    }
    assert_true(fail.runs > 15);
    assert_true(complete > 0);
}

static void making_a_loop_fails_without_a_leak(void **state)
{
    (void)state;
    unsigned descriptors = count_descriptors();
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        mrpc_loop *loop = NULL;
        mrpc_error error = {0};
        failing_alloc_start(&fail);
        int failure = mrpc_loop_new(&loop, MRPC_POLLER_EPOLL, 0, &error);
        failing_alloc_stop(&fail);
        if (failure == 0)
            mrpc_loop_free(loop);
        else
            assert_true(fail.hit && error.code == MRPC_ENOMEM);
        assert_int_equal(count_descriptors(), descriptors);
    }
    assert_true(fail.runs > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_a_loop_fails_without_a_leak),
        cmocka_unit_test(connection_survives_or_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
