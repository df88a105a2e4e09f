/* SPDX-License-Identifier: BSD-2-Clause */
/* test_runtime_unary.c - unary calls in their three styles, and all the ways in which they end */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/runtime_fixture.h"

static void blocking_calls_get_their_own_replies(void **state)
{
    fixture f;
    set_up(&f, *state);
    assert_int_equal(mrpc_string_set(f.ping, &f.ping->text, "hello"), 0);
    for (uint64_t i = 0; i < 300; i++)
        call_and_check(&f, i);
    assert_int_equal(atomic_load(&echo_server_seen(f.server)->handled), 300);
    tear_down(&f);
}

/* --- callbacks --- */

typedef struct outcome {
    fixture *f;
    _Atomic bool ended;
    _Atomic int count;
    mrpc_status status;
    uint64_t number;
} outcome;

static void note_outcome(void *state, const mrpc_status *status, const echo_Pong *reply)
{
    outcome *mine = state;
    mine->count++;
    mine->status = *status;
    mine->number = reply == NULL ? 0 : ((const echo_Pong *)reply)->number;
    mrpc_release(reply);
    atomic_store(&mine->ended, true);
}

static void start(fixture *f, outcome *mine, const mrpc_call_options *options, mrpc_call **call)
{
    memset(mine, 0, sizeof *mine);
    mine->f = f;
    assert_int_equal(echo_Echo_Unary_start(f->channel, f->ping, options, note_outcome, mine, call), 0);
}

static void callback_runs_once_with_the_reply(void **state)
{
    fixture f;
    static outcome many[64];
    set_up(&f, *state);
    f.ping->number = 7;
    for (int i = 0; i < 64; i++)
        start(&f, &many[i], NULL, NULL);
    for (int i = 0; i < 64; i++)
        drive_until(&f, &many[i].ended);
    (void)mrpc_runtime_poll(f.runtime, 0);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(many[i].count, 1);
        assert_int_equal(many[i].status.code, MRPC_OK);
        assert_int_equal(many[i].number, 7);
    }
    tear_down(&f);
}

typedef struct nested {
    outcome outcome;
    mrpc_status unary;
    int poll, next, connect;
} nested;

static void try_to_block(void *state, const mrpc_status *status, const void *reply)
{
    nested *mine = state;
    fixture *f = mine->outcome.f;
    mrpc_error error;
    mrpc_queue *queue;
    void *tag;
    mine->unary = echo_Echo_Unary(f->channel, f->ping, NULL, NULL);
    mine->poll = mrpc_runtime_poll(f->runtime, 0);
    if (mrpc_queue_new(&queue, f->runtime, 1, NULL) == 0)
        mine->next = mrpc_queue_next(queue, &tag, 0);
    mrpc_queue_free(queue);
    mine->connect = mrpc_channel_connect(f->channel, -1, &error);
    note_outcome(&mine->outcome, status, reply);
}

static void blocking_in_a_callback_is_refused(void **state)
{
    fixture f;
    nested mine = {.outcome.f = &f};
    set_up(&f, *state);
    assert_int_equal(
        mrpc_call_unary_start(f.channel, &echo_Echo_methods[0], f.ping, NULL, try_to_block, NULL, &mine, NULL), 0);
    drive_until(&f, &mine.outcome.ended);
    assert_int_equal(mine.outcome.status.code, MRPC_OK);
    assert_int_equal(mine.unary.code, MRPC_FAILED_PRECONDITION);
    assert_non_null(strstr(mine.unary.message, "callback"));
    assert_int_equal(mine.poll, MRPC_EDEADLK);
    assert_int_equal(mine.next, MRPC_EDEADLK);
    assert_int_equal(mine.connect, MRPC_EDEADLK);
    tear_down(&f);
}

static void start_next(void *state, const mrpc_status *status, const void *reply)
{
    outcome *mine = state;
    bool good = status->code == MRPC_OK;
    mrpc_release(reply);
    if (!good || ++mine->count == 100 ||
        mrpc_call_unary_start(mine->f->channel, &echo_Echo_methods[0], mine->f->ping, NULL, start_next, NULL, mine,
                              NULL) != 0)
        atomic_store(&mine->ended, true);
}

static void callbacks_can_begin_calls(void **state)
{
    fixture f;
    outcome mine = {.f = &f};
    set_up(&f, *state);
    assert_int_equal(
        mrpc_call_unary_start(f.channel, &echo_Echo_methods[0], f.ping, NULL, start_next, NULL, &mine, NULL), 0);
    drive_until(&f, &mine.ended);
    assert_int_equal(mine.count, 100);
    tear_down(&f);
}

static void close_channel(void *state, const mrpc_status *status, const void *reply)
{
    outcome *mine = state;
    mrpc_channel_close(mine->f->channel);
    note_outcome(state, status, reply);
}

static void channel_closed_in_a_callback_ends_the_other_calls(void **state)
{
    fixture f;
    outcome first = {.f = &f}, other;
    set_up(&f, *state);
    call_and_check(&f, 1);
    f.ping->action = echo_NEVER;
    start(&f, &other, NULL, NULL);
    const echo_Ping ping = {.number = 2}; /* the other one is borrowed */
    assert_int_equal(
        mrpc_call_unary_start(f.channel, &echo_Echo_methods[0], &ping, NULL, close_channel, NULL, &first, NULL), 0);
    drive_until(&f, &first.ended);
    drive_until(&f, &other.ended);
    assert_int_equal(first.status.code, MRPC_OK);
    assert_int_equal(other.status.code, MRPC_CANCELLED);
    wait_for_cancelled(f.server, 1);
    mrpc_release(f.ping);
    mrpc_runtime_unref(f.runtime);
    echo_server_stop(f.server, 1000);
}

static void closing_a_channel_runs_the_callbacks_first(void **state)
{
    fixture f;
    outcome mine;
    set_up(&f, *state);
    f.ping->action = echo_NEVER;
    start(&f, &mine, NULL, NULL);
    mrpc_channel_close(f.channel);
    assert_int_equal(mine.count, 1);
    assert_int_equal(mine.status.code, MRPC_CANCELLED);
    mrpc_release(f.ping);
    mrpc_runtime_unref(f.runtime);
    echo_server_stop(f.server, 1000);
}

/* --- queues --- */

enum { QUEUED = 32 };

static void queue_has_one_event_for_each_call(void **state)
{
    fixture f;
    mrpc_queue *queue;
    mrpc_unary_result results[QUEUED], unused;
    int seen[QUEUED] = {0};
    void *tag;
    set_up(&f, *state);
    assert_int_equal(mrpc_queue_new(&queue, f.runtime, QUEUED, NULL), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < QUEUED; i++)
            assert_int_equal(echo_Echo_Unary_submit(f.channel, f.ping, NULL, queue, &results[i], &results[i]), 0);
        assert_int_equal(echo_Echo_Unary_submit(f.channel, f.ping, NULL, queue, NULL, &unused), MRPC_ELIMIT);
        for (int i = 0; i < QUEUED; i++) {
            assert_int_equal(mrpc_queue_next(queue, &tag, 60000), 1);
            mrpc_unary_result *result = tag;
            seen[result - results]++;
            assert_int_equal(result->status.code, MRPC_OK);
            mrpc_release(result->reply);
        }
        assert_int_equal(mrpc_queue_next(queue, &tag, 0), 0);
        assert_int_equal(mrpc_queue_next(queue, &tag, 1), 0);
    }
    for (int i = 0; i < QUEUED; i++)
        assert_int_equal(seen[i], 3);
    mrpc_queue_free(queue);
    tear_down(&f);
}

static void queue_that_is_freed_lets_its_calls_end(void **state)
{
    fixture f;
    mrpc_queue *queue;
    mrpc_unary_result results[QUEUED];
    set_up(&f, *state);
    assert_int_equal(mrpc_queue_new(&queue, f.runtime, QUEUED, NULL), 0);
    for (int i = 0; i < QUEUED; i++)
        assert_int_equal(echo_Echo_Unary_submit(f.channel, f.ping, NULL, queue, NULL, &results[i]), 0);
    mrpc_queue_free(queue);
    assert_int_equal(echo_Echo_Unary(f.channel, &(echo_Ping){.number = 1}, NULL, NULL).code, MRPC_OK);
    tear_down(&f);
}

/* --- how calls end --- */

static mrpc_status call_with(fixture *f, echo_Action action, const mrpc_call_options *options)
{
    f->ping->action = action;
    const echo_Pong *pong = (const echo_Pong *)f;
    mrpc_status status = echo_Echo_Unary(f->channel, f->ping, &pong, options);
    assert_true((status.code == MRPC_OK) == (pong != NULL));
    mrpc_release(pong);
    f->ping->action = echo_REPLY;
    return status;
}

static void status_comes_with_its_text(void **state)
{
    fixture f;
    set_up(&f, *state);
    assert_int_equal(mrpc_string_set(f.ping, &f.ping->text, "broken: na\xC3\xAFve"), 0);
    mrpc_status status = call_with(&f, echo_FAIL, NULL);
    assert_int_equal(status.code, MRPC_ABORTED);
    assert_string_equal(status.message, "broken: na\xC3\xAFve");
    call_and_check(&f, 1);
    tear_down(&f);
}

static void late_replies_come_from_other_threads(void **state)
{
    fixture f;
    set_up(&f, *state);
    for (int i = 0; i < 20; i++)
        assert_int_equal(call_with(&f, echo_LATE, NULL).code, MRPC_OK);
    tear_down(&f);
}

static void methods_that_are_not_there_are_unimplemented(void **state)
{
    fixture f;
    set_up(&f, *state);
    for (int i = 0; i < 2; i++) {
        mrpc_status status = echo_Echo_Missing(f.channel, f.ping, NULL, NULL);
        assert_int_equal(status.code, MRPC_UNIMPLEMENTED);
        assert_non_null(strstr(status.message, "echo.Echo/Missing"));
    }
    call_and_check(&f, 1);
    tear_down(&f);
}

static void deadline_ends_a_call_on_both_sides(void **state)
{
    fixture f;
    set_up(&f, *state);
    call_and_check(&f, 1);
    mrpc_status status = call_with(&f, echo_NEVER, MRPC_CALL_OPTIONS(.timeout_ms = 500));
    assert_int_equal(status.code, MRPC_DEADLINE_EXCEEDED);
    assert_non_null(strstr(status.message, "echo.Echo/Unary"));
    wait_for_cancelled(f.server, 1);
    assert_int_equal(atomic_load(&echo_server_seen(f.server)->last_end), MRPC_DEADLINE_EXCEEDED);
    call_and_check(&f, 2);
    tear_down(&f);
}

static void cancelled_call_ends_at_once_and_reaches_the_server(void **state)
{
    fixture f;
    outcome mine;
    mrpc_call *call;
    set_up(&f, *state);
    f.ping->action = echo_NEVER;
    start(&f, &mine, NULL, &call);
    while (atomic_load(&echo_server_seen(f.server)->handled) == 0)
        assert_true(mrpc_runtime_poll(f.runtime, 1) >= 0);
    mrpc_call_cancel(call);
    drive_until(&f, &mine.ended);
    assert_int_equal(mine.status.code, MRPC_CANCELLED);
    wait_for_cancelled(f.server, 1);
    assert_int_equal(atomic_load(&echo_server_seen(f.server)->last_end), MRPC_CANCELLED);
    /* Too late, and so without effect on whatever has the slot now. */
    mrpc_call_cancel(call);
    f.ping->action = echo_REPLY;
    call_and_check(&f, 2);
    assert_int_equal(mine.count, 1);
    tear_down(&f);
}

static void cancel_before_anything_was_sent(void **state)
{
    fixture f;
    outcome mine;
    mrpc_call *call;
    set_up(&f, *state);
    start(&f, &mine, MRPC_CALL_OPTIONS(.wait_for_ready = true), &call);
    mrpc_call_cancel(call);
    drive_until(&f, &mine.ended);
    assert_int_equal(mine.count, 1);
    assert_true(mine.status.code == MRPC_CANCELLED || f.setup->thread);
    tear_down(&f);
}

/* Cancels at all sorts of moments: the call ends once, whichever comes first. */
static void cancel_races_with_the_reply(void **state)
{
    fixture f;
    outcome mine;
    mrpc_call *call;
    set_up(&f, *state);
    for (int i = 0; i < 200; i++) {
        start(&f, &mine, NULL, &call);
        for (int j = 0; j < i % 4; j++)
            assert_true(mrpc_runtime_poll(f.runtime, 0) >= 0);
        mrpc_call_cancel(call);
        drive_until(&f, &mine.ended);
        assert_int_equal(mine.count, 1);
        assert_true(mine.status.code == MRPC_OK || mine.status.code == MRPC_CANCELLED);
    }
    tear_down(&f);
}

/* --- sizes --- */

static void large_messages_arrive_whole(void **state)
{
    fixture f;
    set_up(&f, *state);
    call_and_check(&f, 0);
    for (size_t size = 1; size <= 16 << 20; size = size * 3 + 1) {
        assert_int_equal(mrpc_bytes_reserve(f.ping, &f.ping->payload, size), 0);
        echo_fill(f.ping->payload.data, size, (uint32_t)size);
        call_and_check(&f, size);
    }
    tear_down(&f);
}

static void message_over_the_limit_names_limit_and_option(void **state)
{
    fixture f;
    setup small = *(const setup *)*state;
    small.connection = (mrpc_connection_options){.size = sizeof small.connection, .max_message = 100000};
    set_up(&f, &small);
    call_and_check(&f, 0);
    assert_int_equal(mrpc_bytes_reserve(f.ping, &f.ping->payload, 100001), 0);
    memset(f.ping->payload.data, 1, 100001);
    mrpc_status status = call_with(&f, echo_REPLY, NULL);
    assert_int_equal(status.code, MRPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(status.message, "100000"));
    assert_non_null(strstr(status.message, "max_message"));
    f.ping->payload.size = 90000;
    call_and_check(&f, 1);
    tear_down(&f);
}

/* --- arguments --- */

static void bad_metadata_and_arguments_are_refused(void **state)
{
    fixture f;
    set_up(&f, *state);
    const mrpc_metadata bad[] = {
        {"Upper", "x", 1}, {":method", "x", 1}, {"", "x", 1}, {"plain", "\x01", 1}, {"a key", "x", 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mrpc_status status = call_with(&f, echo_REPLY, MRPC_CALL_OPTIONS(.metadata = &bad[i], .metadata_count = 1));
        assert_int_equal(status.code, MRPC_INVALID_ARGUMENT);
        assert_non_null(strstr(status.message, "metadata[0]"));
    }
    static char text[9000];
    memset(text, 'x', sizeof text);
    const mrpc_metadata large = {"large", text, sizeof text};
    mrpc_status refused = call_with(&f, echo_REPLY, MRPC_CALL_OPTIONS(.metadata = &large, .metadata_count = 1));
    assert_int_equal(refused.code, MRPC_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(refused.message, "8 KiB"));
    refused = call_with(&f, echo_REPLY, MRPC_CALL_OPTIONS(.timeout_ms = UINT64_MAX));
    assert_int_equal(refused.code, MRPC_INVALID_ARGUMENT);
    assert_non_null(strstr(refused.message, "timeout"));
    const mrpc_metadata good[] = {{"a.b-c_9", "text", 4}, {"raw-bin", "\x00\xFF", 2}};
    assert_int_equal(call_with(&f, echo_REPLY, MRPC_CALL_OPTIONS(.metadata = good, .metadata_count = 2)).code, MRPC_OK);
    assert_int_equal(mrpc_call_unary(f.channel, &echo_Echo_methods[1], f.ping, NULL, NULL).code, MRPC_INVALID_ARGUMENT);
    assert_int_equal(mrpc_call_unary(f.channel, &echo_Echo_methods[0], NULL, NULL, NULL).code, MRPC_INVALID_ARGUMENT);
    tear_down(&f);
}

/* Not by the first call: one that waits for a connection would wait for ever. */
static void addresses_that_cannot_be_connected_to_make_no_channel(void **state)
{
    (void)state;
    static const char *const bad[] = {"tcp://host",   "tcp://host:0", "tcp://:5000", "tcp://host:66000",
                                      "tcp://*:5000", "tcp://[::1",   "shm://",      "shm://a b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mrpc_channel *channel;
        mrpc_error error;
        assert_int_equal(mrpc_channel_new(&channel, bad[i], NULL, &error), MRPC_EINVAL);
        assert_non_null(strstr(error.text, bad[i]));
    }
}

/* No attempt would do better, so that a call which waits for a connection ends as well. */
static void option_that_the_host_does_not_know_ends_calls_that_wait(void **state)
{
    (void)state;
    const mrpc_channel_options options = {.size = sizeof options, .connection.congestion = "nonsense"};
    mrpc_channel *channel;
    echo_Ping ping;
    echo_Ping_init(&ping);
    assert_int_equal(mrpc_channel_new(&channel, "tcp://127.0.0.1:1", &options, NULL), 0);
    mrpc_status status = echo_Echo_Unary(channel, &ping, NULL, MRPC_CALL_OPTIONS(.wait_for_ready = true));
    assert_int_equal(status.code, MRPC_UNAVAILABLE);
    assert_non_null(strstr(status.message, "nonsense"));
    mrpc_channel_close(channel);
}

int main(int argc, char **argv)
{
    static const named_test tests[] = {
        NAMED_TEST(blocking_calls_get_their_own_replies),
        NAMED_TEST(callback_runs_once_with_the_reply),
        NAMED_TEST(blocking_in_a_callback_is_refused),
        NAMED_TEST(callbacks_can_begin_calls),
        NAMED_TEST(channel_closed_in_a_callback_ends_the_other_calls),
        NAMED_TEST(closing_a_channel_runs_the_callbacks_first),
        NAMED_TEST(queue_has_one_event_for_each_call),
        NAMED_TEST(queue_that_is_freed_lets_its_calls_end),
        NAMED_TEST(status_comes_with_its_text),
        NAMED_TEST(late_replies_come_from_other_threads),
        NAMED_TEST(methods_that_are_not_there_are_unimplemented),
        NAMED_TEST(deadline_ends_a_call_on_both_sides),
        NAMED_TEST(cancelled_call_ends_at_once_and_reaches_the_server),
        NAMED_TEST(cancel_before_anything_was_sent),
        NAMED_TEST(cancel_races_with_the_reply),
        NAMED_TEST(large_messages_arrive_whole),
        NAMED_TEST(message_over_the_limit_names_limit_and_option),
        NAMED_TEST(bad_metadata_and_arguments_are_refused),
        NAMED_TEST(addresses_that_cannot_be_connected_to_make_no_channel),
        NAMED_TEST(option_that_the_host_does_not_know_ends_calls_that_wait),
    };
    return run_named_tests(tests, sizeof tests / sizeof tests[0], argc, argv);
}
