/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_runtime_failures.c - each allocation and each system call of whole calls fails in turn
 *
 * In every style and kind of call, over every transport: the call ends exactly once, with a status that says why,
 * nothing leaks, and the next call succeeds. Client and server are one thread, so that both sides' calls fail, from the
 * first one of the set-up on; or the server is a thread of its own, and either side's fail during the call.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/failing_alloc.h"
#include "tests/unit/failing_verbs.h"
#include "tests/unit/runtime_fixture.h"

enum { MESSAGES = 5, PAYLOAD = 200000, TIMEOUT_MS = 30000 };

/* --- one call, in each way --- */

typedef struct outcome {
    mrpc_code code;
    int refused;  /* what the first function that failed returned */
    int ends;     /* how often the end was told */
    uint64_t sum; /* of what came back */
} outcome;

typedef struct side {
    mrpc_channel *channel;
    echo_Ping *ping;
} side;

#define OPTIONS MRPC_CALL_OPTIONS(.timeout_ms = TIMEOUT_MS)

static void take(outcome *o, const echo_Pong *pong)
{
    if (pong != NULL)
        o->sum += pong->number;
    mrpc_release(pong);
}

static void note(outcome *o, int result)
{
    if (o->refused == 0 && result < 0)
        o->refused = result;
}

/* Drives until the call, if it was begun, has ended. */
static void drive(side *s, const outcome *o, bool begun)
{
    mrpc_runtime *runtime = mrpc_channel_runtime(s->channel);
    uint64_t limit = mrpc_runtime_now(runtime) + UINT64_C(60000000000);
    while (begun && o->ends == 0) {
        assert_true(mrpc_runtime_poll(runtime, 100) >= 0);
        assert_true(mrpc_runtime_now(runtime) < limit);
    }
}

static void unary_blocking(side *s, outcome *o)
{
    const echo_Pong *pong = NULL;
    o->code = echo_Echo_Unary(s->channel, s->ping, &pong, OPTIONS).code;
    o->ends++;
    take(o, pong);
}

static void unary_ended(void *state, const mrpc_status *status, const echo_Pong *pong)
{
    outcome *o = state;
    o->code = status->code;
    o->ends++;
    take(o, pong);
}

static void unary_callback(side *s, outcome *o)
{
    note(o, echo_Echo_Unary_start(s->channel, s->ping, OPTIONS, unary_ended, o, NULL));
    drive(s, o, o->refused == 0);
}

static void unary_queue(side *s, outcome *o)
{
    mrpc_queue *queue;
    mrpc_unary_result result;
    void *tag;
    int failure = mrpc_queue_new(&queue, mrpc_channel_runtime(s->channel), 4, NULL);
    note(o, failure);
    if (failure != 0)
        return;
    failure = echo_Echo_Unary_submit(s->channel, s->ping, OPTIONS, queue, o, &result);
    note(o, failure);
    while (failure == 0 && o->ends < 2 && mrpc_queue_next(queue, &tag, o->ends == 0 ? TIMEOUT_MS : 0) == 1) {
        assert_ptr_equal(tag, o);
        unary_ended(o, &result.status, result.reply);
    }
    mrpc_queue_free(queue);
}

static void down_blocking(side *s, outcome *o)
{
    echo_Echo_Down_stream *stream;
    const echo_Pong *pong;
    int result = echo_Echo_Down_open(s->channel, s->ping, OPTIONS, &stream);
    note(o, result);
    if (result != 0)
        return;
    while ((result = echo_Echo_Down_stream_receive(stream, &pong)) == 1)
        take(o, pong);
    note(o, result);
    o->code = echo_Echo_Down_stream_finish(stream).code;
    o->ends++;
}

static void up_blocking(side *s, outcome *o)
{
    echo_Echo_Up_stream *stream;
    const echo_Pong *pong = NULL;
    int result = echo_Echo_Up_open(s->channel, OPTIONS, &stream);
    note(o, result);
    if (result != 0)
        return;
    for (int i = 0; i < MESSAGES && result == 0; i++)
        result = echo_Echo_Up_stream_send(stream, s->ping);
    note(o, result);
    o->code = echo_Echo_Up_stream_finish(stream, &pong).code;
    o->ends++;
    take(o, pong);
}

static void both_blocking(side *s, outcome *o)
{
    echo_Echo_Both_stream *stream;
    const echo_Pong *pong;
    int result = echo_Echo_Both_open(s->channel, OPTIONS, &stream);
    note(o, result);
    if (result != 0)
        return;
    for (int i = 0; i < MESSAGES && result >= 0; i++) {
        result = echo_Echo_Both_stream_send(stream, s->ping);
        if (result == 0 && (result = echo_Echo_Both_stream_receive(stream, &pong)) == 1)
            take(o, pong);
    }
    note(o, result);
    o->code = echo_Echo_Both_stream_finish(stream).code;
    o->ends++;
}

/* --- streams with callbacks --- */

typedef struct caller {
    outcome *outcome;
    const echo_Ping *ping;
    int left; /* messages to send */
} caller;

static void got_message(void *state, mrpc_call *call, const void *message)
{
    caller *mine = state;
    (void)call;
    take(mine->outcome, message);
}

/* A message that cannot be sent ends the call: the application gives it up. */
static void send_what_is_left(void *state, mrpc_call *call)
{
    caller *mine = state;
    int result = 0;
    if (mine->left == 0)
        return;
    while (mine->left > 0 && (result = mrpc_call_send(call, mine->ping)) == 0)
        mine->left--;
    if (result == MRPC_EAGAIN)
        return;
    if (result == 0)
        result = mrpc_call_close_send(call);
    else
        mrpc_call_cancel(call);
    mine->left = 0;
    note(mine->outcome, result);
}

static void stream_ended(void *state, mrpc_call *call, const mrpc_status *status)
{
    caller *mine = state;
    (void)call;
    unary_ended(mine->outcome, status, NULL);
}

static void stream_callback(side *s, outcome *o, const mrpc_method *method)
{
    static const mrpc_call_callbacks callbacks = {
        .size = sizeof callbacks, .on_message = got_message, .on_writable = send_what_is_left, .on_end = stream_ended};
    caller mine = {.outcome = o, .ping = s->ping, .left = method->client_streaming ? MESSAGES : 0};
    mrpc_call *call;
    int result = mrpc_call_open(s->channel, method, method->client_streaming ? NULL : s->ping, OPTIONS, &callbacks,
                                &mine, &call);
    if (result != 0)
        o->refused = result;
    else if (method->client_streaming)
        send_what_is_left(&mine, call);
    drive(s, o, result == 0);
}

static void down_callback(side *s, outcome *o)
{
    stream_callback(s, o, &echo_Echo_methods[1]);
}

static void up_callback(side *s, outcome *o)
{
    stream_callback(s, o, &echo_Echo_methods[2]);
}

static void both_callback(side *s, outcome *o)
{
    stream_callback(s, o, &echo_Echo_methods[3]);
}

typedef struct way {
    const char *name;
    void (*call)(side *s, outcome *o);
    uint64_t sum;   /* of the numbers that come back, when nothing fails */
    size_t payload; /* bytes of each message */
} way;

/* Each message has the number 1; those of Down are numbered from 0. */
static const way ways[] = {
    {"unary, blocking", unary_blocking, 1, 10},
    {"unary, callback", unary_callback, 1, 10},
    {"unary, queue", unary_queue, 1, 10},
    {"unary, large", unary_blocking, 1, PAYLOAD},
    {"server stream, blocking", down_blocking, MESSAGES *(MESSAGES - 1) / 2, 10},
    {"server stream, callback", down_callback, MESSAGES *(MESSAGES - 1) / 2, 10},
    {"server stream, large", down_blocking, MESSAGES *(MESSAGES - 1) / 2, PAYLOAD},
    {"client stream, blocking", up_blocking, MESSAGES, 10},
    {"client stream, callback", up_callback, MESSAGES, 10},
    {"client stream, large", up_blocking, MESSAGES, PAYLOAD},
    {"both streams, blocking", both_blocking, MESSAGES, 10},
    {"both streams, callback", both_callback, MESSAGES, 10},
};
enum { WAYS = sizeof ways / sizeof ways[0] };

/* --- what must hold --- */

static echo_Ping *new_ping(mrpc_channel *channel, const way *how)
{
    echo_Ping *ping = echo_Ping_new(mrpc_channel_heap(channel));
    assert_non_null(ping);
    ping->number = 1;
    ping->count = MESSAGES;
    assert_int_equal(mrpc_bytes_reserve(ping, &ping->payload, how->payload), 0);
    echo_fill(ping->payload.data, how->payload, 1);
    ping->payload.size = how->payload;
    return ping;
}

/* What fails, and with which errno. */
typedef struct fault {
    enum failing_calls which;
    int reason;
    bool unnoticed; /* the call succeeds all the same */
} fault;

static void check_outcome(const struct failing_alloc *fail, const fault *what, const way *how, const outcome *o)
{
    const char *code = mrpc_code_name(o->code);
    if ((!fail->hit || what->unnoticed) && (o->code != MRPC_OK || o->refused != 0 || o->sum != how->sum))
        fail_msg("%s, call %u: the outcome is %s, %d, sum %d", how->name, fail->runs, code, o->refused, (int)o->sum);
    if (o->ends > 1 || (o->ends == 0 && o->refused == 0))
        fail_msg("%s, call %u failed: it ended %d times", how->name, fail->runs, o->ends);
    if (o->ends == 1 && o->code == MRPC_OK && o->refused == 0 && o->sum != how->sum)
        fail_msg("%s, call %u failed: it ended with OK and sum %d", how->name, fail->runs, (int)o->sum);
    if (o->code != MRPC_OK && o->code != MRPC_RESOURCE_EXHAUSTED && o->code != MRPC_UNAVAILABLE &&
        !(o->code == MRPC_CANCELLED && o->refused != 0))
        fail_msg("%s, call %u failed: it ended with %s", how->name, fail->runs, code);
    if (o->refused != 0 && o->refused != MRPC_ENOMEM && o->refused != MRPC_ECLOSED && o->refused != MRPC_ESYS)
        fail_msg("%s, call %u failed: a function returned %s", how->name, fail->runs, mrpc_strerror(o->refused));
}

static mrpc_status next_call(side *s, const echo_Pong **pong)
{
    return echo_Echo_Unary(s->channel, s->ping, pong,
                           MRPC_CALL_OPTIONS(.timeout_ms = TIMEOUT_MS, .wait_for_ready = true));
}

/* Whatever happened, the next call succeeds. It may go out on the connection that just broke before that is known; then
 * it is the one after that. */
static void check_next_call(const struct failing_alloc *fail, const way *how, side *s)
{
    const echo_Pong *pong = NULL;
    mrpc_status status = next_call(s, &pong);
    if (status.code == MRPC_UNAVAILABLE && fail->hit)
        status = next_call(s, &pong);
    if (status.code != MRPC_OK)
        fail_msg("%s, call %u failed: the next one ended with %s: %s", how->name, fail->runs,
                 mrpc_code_name(status.code), status.message);
    assert_int_equal(pong->number, 1);
    assert_true(echo_check(pong->payload.data, pong->payload.size, 1));
    mrpc_release(pong);
}

#ifdef FAILING_VERBS_TOO
enum { OVER_RDMA = true };
#else
enum { OVER_RDMA = false };
#endif

/* Calls of one kind that are made to fail: the rest is of the same, and there may be no end of them. */
static unsigned most_runs = UINT_MAX;

static void check_runs(const struct failing_alloc *fail, const char *what, unsigned least)
{
    if (fail->hit)
        printf("# %s: only the first %u calls were made to fail\n", what, fail->runs);
    assert_true(fail->runs > least);
}

/* --- client and server in one thread, so that what either does fails --- */

typedef struct world {
    mrpc_runtime *runtime;
    mrpc_server *server;
    side client;
    echo_seen seen;
} world;

static int build(world *w, const setup *how, mrpc_error *error)
{
    char address[128];
    (void)snprintf(address, sizeof address, "%s%s", how->address,
                   strncmp(how->address, "shm:", 4) == 0 ? "failures" : "");
    const mrpc_runtime_options options = {.size = sizeof options, .poller = how->poller};
    if (mrpc_runtime_new(&w->runtime, &options, error) != 0)
        return error->code;
    const mrpc_server_options server = {.size = sizeof server, .runtime = w->runtime, .connection = how->connection};
    if (mrpc_server_new(&w->server, &server, error) != 0)
        return error->code;
    int failure = echo_Echo_serve(w->server, &echo_handlers, &w->seen);
    if (failure != 0)
        return mrpc_error_set(error, failure, "the service could not be added");
    if (mrpc_server_listen(w->server, address, error) != 0)
        return error->code;
    const mrpc_channel_options channel = {.size = sizeof channel,
                                          .runtime = w->runtime,
                                          .backoff_min_ms = 1,
                                          .backoff_max_ms = 5,
                                          .connection = how->connection};
    return mrpc_channel_new(&w->client.channel, mrpc_server_address(w->server, 0), &channel, error);
}

static void demolish(world *w)
{
    mrpc_release(w->client.ping);
    mrpc_channel_close(w->client.channel);
    mrpc_server_free(w->server);
    mrpc_runtime_unref(w->runtime);
}

static void set_up_fails_in_turn(const setup *how, fault what)
{
    unsigned descriptors = count_descriptors();
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    failing_alloc_set_calls(what.which, what.reason);
    while (fail.runs < most_runs && failing_alloc_next(&fail)) {
        world w = {0};
        mrpc_error error = {0};
        failing_alloc_start(&fail);
        int failure = build(&w, how, &error);
        failing_alloc_stop(&fail);
        if (failure != 0 && (!fail.hit || (failure != MRPC_ENOMEM && failure != MRPC_ESYS) || strlen(error.text) < 6))
            fail_msg("call %u fails: %d: %s", fail.runs, failure, mrpc_error_text(&error));
        demolish(&w);
        assert_int_equal(count_descriptors(), descriptors);
    }
    check_runs(&fail, "set-up", OVER_RDMA && what.which == FAILING_SETTINGS ? 0 : 2);
}

static void call_fails_in_turn(const setup *how, const way *call, fault what)
{
    unsigned descriptors = count_descriptors();
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    failing_alloc_set_calls(what.which, what.reason);
    while (fail.runs < most_runs && failing_alloc_next(&fail)) {
        world w = {0};
        outcome o = {0};
        mrpc_error error;
        assert_int_equal(build(&w, how, &error), 0);
        w.client.ping = new_ping(w.client.channel, call);
        failing_alloc_start(&fail);
        call->call(&w.client, &o);
        failing_alloc_stop(&fail);
        check_outcome(&fail, &what, call, &o);
        check_next_call(&fail, call, &w.client);
        demolish(&w);
        assert_int_equal(count_descriptors(), descriptors);
    }
    check_runs(&fail, call->name, what.which == FAILING_SETTINGS ? 0 : 1); /* shm over io_uring needs none */
}

/* --- the server in a thread of its own, and one of the two fails --- */

static void call_fails_on_one_side(const setup *how, const way *call, fault what, bool server)
{
    unsigned descriptors = count_descriptors();
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    failing_alloc_set_calls(what.which, what.reason);
    while (fail.runs < most_runs && failing_alloc_next(&fail)) {
        fixture f;
        outcome o = {0};
        set_up(&f, how);
        side client = {f.channel, new_ping(f.channel, call)};
        failing_alloc_start_in(&fail, server ? echo_server_thread(f.server) : pthread_self());
        call->call(&client, &o);
        failing_alloc_stop(&fail);
        check_outcome(&fail, &what, call, &o);
        check_next_call(&fail, call, &client);
        mrpc_release(client.ping);
        tear_down(&f);
        assert_int_equal(count_descriptors(), descriptors);
    }
    check_runs(&fail, call->name, 1);
}

/* --- the tests --- */

static const fault no_memory = {.which = FAILING_ALLOCATIONS, .reason = ENOMEM};
static const fault no_descriptors = {.which = FAILING_DESCRIPTORS, .reason = EMFILE};
static const fault no_settings = {.which = FAILING_SETTINGS, .reason = ENOMEM};
#ifndef FAILING_VERBS_TOO
static const fault interrupted = {.which = FAILING_TRANSFERS, .reason = EINTR, .unnoticed = true};
static const fault no_buffers = {.which = FAILING_TRANSFERS, .reason = ENOBUFS};
#endif

/* A few ways, with small and large messages, blocking and with callbacks. */
static const way *const some_ways[] = {&ways[0], &ways[6], &ways[11]};
enum { SOME_WAYS = sizeof some_ways / sizeof some_ways[0] };

/* Whether the setup differs from another one in nothing but the client's own thread, which nothing fails in here. */
static bool is_double(void *const *state)
{
    return ((const setup *)*state)->thread;
}

/* One thread is nothing for ThreadSanitizer, with which these tests would take a minute. */
static bool is_skipped_in_one_thread(void *const *state)
{
#if defined __SANITIZE_THREAD__
    (void)state;
    return true;
#else
    return is_double(state);
#endif
}

static void set_up_without_memory_or_descriptors(void **state)
{
    if (is_skipped_in_one_thread(state))
        return;
    set_up_fails_in_turn(*state, no_memory);
    set_up_fails_in_turn(*state, no_descriptors);
    set_up_fails_in_turn(*state, no_settings);
}

static void calls_without_memory(void **state)
{
    for (int i = 0; i < WAYS && !is_skipped_in_one_thread(state); i++)
        call_fails_in_turn(*state, &ways[i], no_memory);
}

static void calls_without_descriptors(void **state)
{
    if (is_skipped_in_one_thread(state))
        return;
    call_fails_in_turn(*state, &ways[0], no_descriptors);
    call_fails_in_turn(*state, &ways[0], no_settings);
}

#ifndef FAILING_VERBS_TOO
static void calls_whose_transfers_fail(void **state)
{
    for (int i = 0; i < SOME_WAYS && !is_skipped_in_one_thread(state); i++) {
        call_fails_in_turn(*state, some_ways[i], interrupted);
        call_fails_in_turn(*state, some_ways[i], no_buffers);
    }
}
#endif

static void client_without_memory(void **state)
{
    for (int i = 0; i < SOME_WAYS && !is_double(state); i++)
        call_fails_on_one_side(*state, some_ways[i], no_memory, false);
}

static void server_without_memory(void **state)
{
    for (int i = 0; i < SOME_WAYS && !is_double(state); i++)
        call_fails_on_one_side(*state, some_ways[i], no_memory, true);
}

#ifdef FAILING_VERBS_TOO
/* The connection manager's library opens devices at first use and keeps them open; the other tests count on that. */
static void devices_are_opened_once(void **state)
{
    unsigned before = 0;
    for (int i = 0; i < 2; i++) {
        world w = {0};
        mrpc_error error;
        assert_int_equal(build(&w, *state, &error), 0);
        assert_int_equal(mrpc_channel_connect(w.client.channel, TIMEOUT_MS, &error), 0);
        demolish(&w);
        assert_true(i == 0 || count_descriptors() == before);
        before = count_descriptors();
    }
}

static const fault no_verbs = {.which = FAILING_VERBS, .reason = ENOMEM};
static const fault no_polls = {.which = FAILING_POLLS, .reason = EIO};

static void verbs_of_both_sides_fail(void **state)
{
    if (is_double(state))
        return;
    set_up_fails_in_turn(*state, no_verbs);
    for (int i = 0; i < SOME_WAYS; i++)
        call_fails_in_turn(*state, some_ways[i], no_verbs);
}

static void verbs_of_one_side_fail(void **state)
{
    for (int i = 0; i < SOME_WAYS && !is_double(state); i++) {
        call_fails_on_one_side(*state, some_ways[i], no_verbs, false);
        call_fails_on_one_side(*state, some_ways[i], no_verbs, true);
    }
}

/* What only a connection with a device of its choice calls. */
static void verbs_of_a_chosen_device_fail(void **state)
{
    const setup *given = *state;
    const setup how = {.name = "rdma, chosen device",
                       .address = given->address,
                       .connection = {.size = sizeof(mrpc_connection_options),
                                      .rdma_device = "rxe0",
                                      .rdma_traffic_class = 8,
                                      .rdma_ack_timeout_us = 100000}};
    if (given->connection.size != 0 || is_double(state))
        return;
    set_up_fails_in_turn(&how, no_verbs);
    call_fails_in_turn(&how, &ways[0], no_verbs);
}

/* The device comes back when everybody has closed it. */
static void bring_back(mrpc_runtime *runtime)
{
    int status = 1;
    for (int i = 0; i < 300 && status != 0; i++) {
        (void)mrpc_runtime_poll(runtime, 100);
        status = system("rdma link add rxe0 type rxe netdev v0 2>/dev/null");
    }
    assert_int_equal(status, 0);
}

static void verbs_fail_when_the_device_is_removed(void **state)
{
    enum { REMOVALS = 25 }; /* 2 s each */
    const setup *how = *state;
    struct failing_alloc fail;
    if (how->connection.size != 0 || is_double(state))
        return;
    failing_alloc_begin(&fail);
    failing_alloc_set_calls(no_verbs.which, no_verbs.reason);
    while (fail.runs < REMOVALS && failing_alloc_next(&fail)) {
        world w = {0};
        mrpc_error error;
        assert_int_equal(build(&w, how, &error), 0);
        w.client.ping = new_ping(w.client.channel, &ways[0]);
        check_next_call(&fail, &ways[0], &w.client);
        failing_alloc_start(&fail);
        assert_int_equal(system("rdma link delete rxe0 &"), 0); /* waits for everybody to close it */
        for (int i = 0; i < 20; i++)
            (void)mrpc_runtime_poll(w.runtime, 25);
        failing_alloc_stop(&fail);
        bring_back(w.runtime);
        check_next_call(&fail, &ways[0], &w.client);
        demolish(&w);
    }
    check_runs(&fail, "removal", 1);
}

static void polls_fail(void **state)
{
    for (int i = 0; i < SOME_WAYS && !is_double(state); i++)
        call_fails_in_turn(*state, some_ways[i], no_polls);
}
#endif

int main(int argc, char **argv)
{
#ifdef FAILING_VERBS_TOO
    most_runs = 60;
#endif
    const named_test tests[] = {
#ifdef FAILING_VERBS_TOO
        NAMED_TEST(devices_are_opened_once),
        NAMED_TEST(verbs_of_both_sides_fail),
        NAMED_TEST(verbs_of_one_side_fail),
        NAMED_TEST(polls_fail),
        NAMED_TEST(verbs_of_a_chosen_device_fail),
        NAMED_TEST(verbs_fail_when_the_device_is_removed),
#endif
        NAMED_TEST(set_up_without_memory_or_descriptors),
        NAMED_TEST(calls_without_memory),
        NAMED_TEST(calls_without_descriptors),
#ifndef FAILING_VERBS_TOO
        NAMED_TEST(calls_whose_transfers_fail),
#endif
        NAMED_TEST(client_without_memory),
        NAMED_TEST(server_without_memory),
    };
    int failed = run_named_tests(tests, sizeof tests / sizeof tests[0], argc, argv);
#ifdef FAILING_VERBS_TOO
    failing_verbs_print();
#endif
    return failed;
}
