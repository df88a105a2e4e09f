/* SPDX-License-Identifier: BSD-2-Clause */
/* test_runtime_streams.c - the three streaming kinds, blocking and with callbacks; windows, half-close, cancellation */
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

/* --- blocking --- */

static void server_stream_comes_in_order(void **state)
{
    fixture f;
    set_up(&f, *state);
    for (uint32_t count = 0; count < 300; count = count * 4 + 1) {
        echo_Echo_Down_stream *stream;
        const echo_Pong *pong;
        f.ping->count = count;
        assert_int_equal(echo_Echo_Down_open(f.channel, f.ping, NULL, &stream), 0);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(echo_Echo_Down_stream_receive(stream, &pong), 1);
            assert_int_equal(pong->number, i);
            mrpc_release(pong);
        }
        assert_int_equal(echo_Echo_Down_stream_receive(stream, &pong), 0);
        assert_null(pong);
        mrpc_status status = echo_Echo_Down_stream_finish(stream);
        assert_int_equal(status.code, MRPC_OK);
    }
    tear_down(&f);
}

static void client_stream_is_summed_up(void **state)
{
    fixture f;
    set_up(&f, *state);
    for (int round = 0; round < 3; round++) {
        echo_Echo_Up_stream *stream;
        const echo_Pong *pong;
        assert_int_equal(echo_Echo_Up_open(f.channel, NULL, &stream), 0);
        for (uint64_t i = 1; i <= 100; i++) {
            f.ping->number = i;
            assert_int_equal(echo_Echo_Up_stream_send(stream, f.ping), 0);
        }
        mrpc_status status = echo_Echo_Up_stream_finish(stream, &pong);
        assert_int_equal(status.code, MRPC_OK);
        assert_int_equal(pong->number, 5050);
        mrpc_release(pong);
    }
    tear_down(&f);
}

static void both_streams_alternate(void **state)
{
    fixture f;
    echo_Echo_Both_stream *stream;
    const echo_Pong *pong;
    set_up(&f, *state);
    assert_int_equal(echo_Echo_Both_open(f.channel, NULL, &stream), 0);
    for (uint64_t i = 0; i < 200; i++) {
        f.ping->number = i;
        assert_int_equal(echo_Echo_Both_stream_send(stream, f.ping), 0);
        assert_int_equal(echo_Echo_Both_stream_receive(stream, &pong), 1);
        assert_int_equal(pong->number, i);
        mrpc_release(pong);
    }
    assert_int_equal(echo_Echo_Both_stream_close_send(stream), 0);
    assert_int_equal(echo_Echo_Both_stream_send(stream, f.ping), MRPC_EINVAL);
    assert_int_equal(echo_Echo_Both_stream_receive(stream, &pong), 0);
    assert_int_equal(echo_Echo_Both_stream_send(stream, f.ping), MRPC_EINVAL); /* also when the call has ended */
    assert_int_equal(echo_Echo_Both_stream_finish(stream).code, MRPC_OK);
    tear_down(&f);
}

static void failing_stream_tells_why(void **state)
{
    fixture f;
    echo_Echo_Down_stream *stream;
    const echo_Pong *pong;
    set_up(&f, *state);
    f.ping->count = 3;
    f.ping->action = echo_FAIL;
    assert_int_equal(mrpc_string_set(f.ping, &f.ping->text, "no more"), 0);
    assert_int_equal(echo_Echo_Down_open(f.channel, f.ping, NULL, &stream), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(echo_Echo_Down_stream_receive(stream, &pong), 1);
        mrpc_release(pong);
    }
    assert_int_equal(echo_Echo_Down_stream_receive(stream, &pong), 0);
    mrpc_status status = echo_Echo_Down_stream_finish(stream);
    assert_int_equal(status.code, MRPC_ABORTED);
    assert_string_equal(status.message, "no more");
    tear_down(&f);
}

static void sending_into_an_ended_stream_is_refused(void **state)
{
    fixture f;
    echo_Echo_Both_stream *stream;
    const echo_Pong *pong;
    set_up(&f, *state);
    f.ping->action = echo_FAIL;
    assert_int_equal(echo_Echo_Both_open(f.channel, NULL, &stream), 0);
    assert_int_equal(echo_Echo_Both_stream_send(stream, f.ping), 0);
    assert_int_equal(echo_Echo_Both_stream_receive(stream, &pong), 0);
    assert_int_equal(echo_Echo_Both_stream_send(stream, f.ping), MRPC_ECLOSED);
    assert_int_equal(echo_Echo_Both_stream_finish(stream).code, MRPC_ABORTED);
    tear_down(&f);
}

static void finish_drops_what_was_not_received(void **state)
{
    fixture f;
    echo_Echo_Down_stream *stream;
    set_up(&f, *state);
    f.ping->count = 200;
    assert_int_equal(mrpc_bytes_reserve(f.ping, &f.ping->payload, 20000), 0);
    echo_fill(f.ping->payload.data, 20000, 1);
    assert_int_equal(echo_Echo_Down_open(f.channel, f.ping, NULL, &stream), 0);
    assert_int_equal(echo_Echo_Down_stream_finish(stream).code, MRPC_OK);
    tear_down(&f);
}

static void cancelled_stream_reaches_the_server(void **state)
{
    fixture f;
    echo_Echo_Down_stream *stream;
    const echo_Pong *pong;
    set_up(&f, *state);
    f.ping->count = 1;
    f.ping->action = echo_NEVER;
    assert_int_equal(echo_Echo_Down_open(f.channel, f.ping, NULL, &stream), 0);
    assert_int_equal(echo_Echo_Down_stream_receive(stream, &pong), 1);
    mrpc_release(pong);
    echo_Echo_Down_stream_cancel(stream);
    assert_int_equal(echo_Echo_Down_stream_receive(stream, &pong), 0);
    assert_int_equal(echo_Echo_Down_stream_finish(stream).code, MRPC_CANCELLED);
    wait_for_cancelled(f.server, 1);
    tear_down(&f);
}

static void deadline_ends_a_stream(void **state)
{
    fixture f;
    echo_Echo_Both_stream *stream;
    const echo_Pong *pong;
    set_up(&f, *state);
    call_and_check(&f, 1); /* connects */
    assert_int_equal(echo_Echo_Both_open(f.channel, MRPC_CALL_OPTIONS(.timeout_ms = 20), &stream), 0);
    assert_int_equal(echo_Echo_Both_stream_receive(stream, &pong), 0);
    assert_int_equal(echo_Echo_Both_stream_finish(stream).code, MRPC_DEADLINE_EXCEEDED);
    /* By the reply to a later call the server has begun the stream, unless it was too slow for it to begin at all. */
    call_and_check(&f, 2);
    wait_for_cancelled(f.server, atomic_load(&echo_server_seen(f.server)->handled) - 2);
    tear_down(&f);
}

/* --- windows --- */

static void set_up_narrow(fixture *f, setup *narrow, const setup *how)
{
    *narrow = *how;
    narrow->connection = (mrpc_connection_options){.size = sizeof narrow->connection, .window = 1};
    set_up(f, narrow);
}

static void streams_get_through_a_window_of_one_byte(void **state)
{
    fixture f;
    setup narrow;
    echo_Echo_Down_stream *down;
    echo_Echo_Up_stream *up;
    const echo_Pong *pong;
    set_up_narrow(&f, &narrow, *state);
    f.ping->count = 50;
    assert_int_equal(echo_Echo_Down_open(f.channel, f.ping, NULL, &down), 0);
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(echo_Echo_Down_stream_receive(down, &pong), 1);
        assert_int_equal(pong->number, i);
        mrpc_release(pong);
    }
    assert_int_equal(echo_Echo_Down_stream_finish(down).code, MRPC_OK);
    assert_int_equal(echo_Echo_Up_open(f.channel, NULL, &up), 0);
    f.ping->number = 3;
    for (int i = 0; i < 50; i++)
        assert_int_equal(echo_Echo_Up_stream_send(up, f.ping), 0);
    assert_int_equal(echo_Echo_Up_stream_finish(up, &pong).code, MRPC_OK);
    assert_int_equal(pong->number, 150);
    mrpc_release(pong);
    tear_down(&f);
}

static void large_messages_go_through_a_small_window(void **state)
{
    fixture f;
    setup narrow;
    echo_Echo_Both_stream *stream;
    const echo_Pong *pong;
    set_up_narrow(&f, &narrow, *state);
    assert_int_equal(mrpc_bytes_reserve(f.ping, &f.ping->payload, 3 << 20), 0);
    echo_fill(f.ping->payload.data, 3 << 20, 5);
    assert_int_equal(echo_Echo_Both_open(f.channel, NULL, &stream), 0);
    for (uint64_t i = 0; i < 5; i++) {
        f.ping->number = i;
        assert_int_equal(echo_Echo_Both_stream_send(stream, f.ping), 0);
        assert_int_equal(echo_Echo_Both_stream_receive(stream, &pong), 1);
        assert_int_equal(pong->number, i);
        assert_int_equal(pong->payload.size, 3 << 20);
        assert_true(echo_check(pong->payload.data, pong->payload.size, 5));
        mrpc_release(pong);
    }
    assert_int_equal(echo_Echo_Both_stream_finish(stream).code, MRPC_OK);
    tear_down(&f);
}

/* --- callbacks --- */

typedef struct chat {
    fixture *f;
    mrpc_call *call;
    uint64_t sent, received, wanted;
    bool in_order, half_closed, asked_for_room;
    _Atomic bool ended, room;
    int ends;
    mrpc_status status;
} chat;

static void send_more(void *state, mrpc_call *call)
{
    chat *mine = state;
    while (mine->sent < mine->wanted) {
        const echo_Ping ping = {.number = mine->sent, .payload = mine->f->ping->payload};
        int result = mrpc_call_send(call, &ping);
        mine->asked_for_room |= result == MRPC_EAGAIN;
        if (result != 0)
            return;
        mine->sent++;
    }
    (void)mrpc_call_close_send(call);
}

static void take_message(void *state, mrpc_call *call, const void *message)
{
    chat *mine = state;
    (void)call;
    mine->in_order &= ((const echo_Pong *)message)->number == mine->received;
    mine->received++;
    mrpc_release(message);
}

static void note_half_close(void *state, mrpc_call *call)
{
    (void)call;
    ((chat *)state)->half_closed = true;
}

static void note_end(void *state, mrpc_call *call, const mrpc_status *status)
{
    chat *mine = state;
    (void)call;
    mine->ends++;
    mine->status = *status;
    atomic_store(&mine->ended, true);
}

static const mrpc_call_callbacks chat_callbacks = {.size = sizeof chat_callbacks,
                                                   .on_message = take_message,
                                                   .on_half_close = note_half_close,
                                                   .on_writable = send_more,
                                                   .on_end = note_end};

static void chat_with(fixture *f, chat *mine, uint64_t wanted)
{
    *mine = (chat){.f = f, .wanted = wanted, .in_order = true};
    assert_int_equal(mrpc_call_open(f->channel, &echo_Echo_methods[3], NULL, NULL, &chat_callbacks, mine, &mine->call),
                     0);
}

static void check_chat(const chat *mine)
{
    assert_int_equal(mine->ends, 1);
    assert_int_equal(mine->status.code, MRPC_OK);
    assert_true(mine->in_order);
    assert_true(mine->half_closed);
    assert_int_equal(mine->received, mine->wanted);
}

/* The first send happens on this thread, before there is a connection; on_writable goes on from there. */
static void callbacks_send_when_there_is_room(void **state)
{
    fixture f;
    setup narrow;
    chat mine;
    set_up_narrow(&f, &narrow, *state);
    if (f.setup->thread) {
        tear_down(&f);
        return; /* see the next test */
    }
    chat_with(&f, &mine, 200);
    send_more(&mine, mine.call);
    drive_until(&f, &mine.ended);
    check_chat(&mine);
    assert_true(mine.asked_for_room);
    tear_down(&f);
}

static void note_room(void *state, mrpc_call *call)
{
    (void)call;
    atomic_store(&((chat *)state)->room, true);
}

/* Nothing is sent from callbacks: they only say that there is room. */
static void sends_from_outside_wait_for_room(void **state)
{
    static const mrpc_call_callbacks callbacks = {.size = sizeof callbacks,
                                                  .on_message = take_message,
                                                  .on_half_close = note_half_close,
                                                  .on_writable = note_room,
                                                  .on_end = note_end};
    fixture f;
    setup narrow;
    chat mine = {.f = &f, .wanted = 100, .in_order = true};
    set_up_narrow(&f, &narrow, *state);
    assert_int_equal(mrpc_call_open(f.channel, &echo_Echo_methods[3], NULL, NULL, &callbacks, &mine, &mine.call), 0);
    for (uint64_t i = 0; i < mine.wanted;) {
        atomic_store(&mine.room, false);
        int result = mrpc_call_send(mine.call, &(echo_Ping){.number = i});
        assert_true(result == 0 || result == MRPC_EAGAIN);
        if (result == 0)
            i++;
        else
            drive_until(&f, &mine.room);
    }
    assert_int_equal(mrpc_call_close_send(mine.call), 0);
    drive_until(&f, &mine.ended);
    check_chat(&mine);
    tear_down(&f);
}

static void many_streams_at_once_keep_their_order(void **state)
{
    fixture f;
    chat many[8];
    set_up(&f, *state);
    if (f.setup->thread) {
        tear_down(&f);
        return; /* sends from here and from on_writable would race in this test */
    }
    assert_int_equal(mrpc_bytes_reserve(f.ping, &f.ping->payload, 5000), 0);
    echo_fill(f.ping->payload.data, 5000, 2);
    for (int i = 0; i < 8; i++) {
        chat_with(&f, &many[i], 300);
        send_more(&many[i], many[i].call);
    }
    for (int i = 0; i < 8; i++)
        drive_until(&f, &many[i].ended);
    for (int i = 0; i < 8; i++)
        check_chat(&many[i]);
    tear_down(&f);
}

/* --- pausing --- */

static void pause_at_once(void *state, mrpc_call *call, const void *message)
{
    take_message(state, call, message);
    mrpc_call_pause(call);
}

static void paused_call_gets_one_message_at_a_time(void **state)
{
    static const mrpc_call_callbacks callbacks = {
        .size = sizeof callbacks, .on_message = pause_at_once, .on_half_close = note_half_close, .on_end = note_end};
    fixture f;
    chat mine = {.f = &f, .in_order = true, .wanted = 5};
    set_up(&f, *state);
    if (f.setup->thread) {
        tear_down(&f);
        return; /* what the callbacks count is read here */
    }
    f.ping->count = 5;
    assert_int_equal(mrpc_call_open(f.channel, &echo_Echo_methods[1], f.ping, NULL, &callbacks, &mine, &mine.call), 0);
    for (uint64_t i = 1; i <= 5; i++) {
        while (mine.received < i)
            assert_true(mrpc_runtime_poll(f.runtime, 100) >= 0);
        for (int j = 0; j < 5; j++)
            (void)mrpc_runtime_poll(f.runtime, 1);
        assert_int_equal(mine.received, i);
        assert_int_equal(mine.ends, i == 5 ? mine.ends : 0);
        mrpc_call_resume(mine.call);
    }
    drive_until(&f, &mine.ended);
    check_chat(&mine);
    tear_down(&f);
}

/* --- misuse --- */

static void calls_of_the_wrong_kind_are_refused(void **state)
{
    fixture f;
    mrpc_call *call;
    const void *message;
    set_up(&f, *state);
    assert_int_equal(mrpc_call_open(f.channel, &echo_Echo_methods[1], NULL, NULL, NULL, NULL, &call), MRPC_EINVAL);
    assert_int_equal(mrpc_call_open(f.channel, &echo_Echo_methods[2], f.ping, NULL, NULL, NULL, &call), MRPC_EINVAL);
    assert_int_equal(mrpc_call_finish(NULL).code, MRPC_INVALID_ARGUMENT);
    f.ping->count = 1;
    assert_int_equal(mrpc_call_open(f.channel, &echo_Echo_methods[1], f.ping, NULL, NULL, NULL, &call), 0);
    assert_int_equal(mrpc_call_send(call, f.ping), MRPC_EINVAL);
    assert_int_equal(mrpc_call_reply(call, NULL), MRPC_EINVAL);
    assert_int_equal(mrpc_call_finish(call).code, MRPC_OK);
    assert_int_equal(mrpc_call_finish(call).code, MRPC_INVALID_ARGUMENT);
    assert_int_equal(mrpc_call_receive(call, &message), MRPC_EINVAL);
    assert_int_equal(mrpc_call_close_send(call), MRPC_ECLOSED);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    static const named_test tests[] = {
        NAMED_TEST(server_stream_comes_in_order),
        NAMED_TEST(client_stream_is_summed_up),
        NAMED_TEST(both_streams_alternate),
        NAMED_TEST(failing_stream_tells_why),
        NAMED_TEST(sending_into_an_ended_stream_is_refused),
        NAMED_TEST(finish_drops_what_was_not_received),
        NAMED_TEST(cancelled_stream_reaches_the_server),
        NAMED_TEST(deadline_ends_a_stream),
        NAMED_TEST(streams_get_through_a_window_of_one_byte),
        NAMED_TEST(large_messages_go_through_a_small_window),
        NAMED_TEST(callbacks_send_when_there_is_room),
        NAMED_TEST(sends_from_outside_wait_for_room),
        NAMED_TEST(many_streams_at_once_keep_their_order),
        NAMED_TEST(paused_call_gets_one_message_at_a_time),
        NAMED_TEST(calls_of_the_wrong_kind_are_refused),
    };
    return run_named_tests(tests, sizeof tests / sizeof tests[0], argc, argv);
}
