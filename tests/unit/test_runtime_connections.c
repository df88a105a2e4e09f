/* SPDX-License-Identifier: BSD-2-Clause */
/* test_runtime_connections.c - connections that fail, break, are made again, and are given up */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/runtime_process.h"

static mrpc_status call_once(mrpc_channel *channel, echo_Action action, const mrpc_call_options *options)
{
    const echo_Ping ping = {.number = 1, .action = action};
    return echo_Echo_Unary(channel, &ping, NULL, options);
}

/* An address of the same transport that nobody listens at. */
static void unused_address(const setup *how, char *address, size_t size)
{
    fixture f;
    set_up(&f, how);
    (void)snprintf(address, size, "%s", echo_server_address(f.server));
    tear_down(&f);
}

static void unreachable_server_is_unavailable_and_says_why(void **state)
{
    const setup *how = *state;
    char address[128];
    unused_address(how, address, sizeof address);
    mrpc_runtime *runtime = new_runtime(how);
    mrpc_channel *channel = new_channel(how, runtime, address);
    mrpc_status status = call_once(channel, echo_REPLY, NULL);
    assert_int_equal(status.code, MRPC_UNAVAILABLE);
    assert_non_null(strstr(status.message, address));
    /* During the backoff the answer comes at once, with the same reason. */
    assert_int_equal(call_once(channel, echo_REPLY, NULL).code, MRPC_UNAVAILABLE);
    /* Whoever is willing to wait does so until the deadline. */
    status = call_once(channel, echo_REPLY, MRPC_CALL_OPTIONS(.timeout_ms = 50, .wait_for_ready = true));
    assert_int_equal(status.code, MRPC_DEADLINE_EXCEEDED);
    mrpc_error error;
    assert_int_equal(mrpc_channel_connect(channel, 30, &error), MRPC_ESYS);
    assert_non_null(strstr(error.text, address));
    mrpc_channel_close(channel);
    mrpc_runtime_unref(runtime);
}

static void waiting_call_is_sent_when_the_server_comes(void **state)
{
    const setup *how = *state;
    char address[128];
    unused_address(how, address, sizeof address);
    mrpc_runtime *runtime = new_runtime(how);
    mrpc_channel *channel = new_channel(how, runtime, address);
    assert_int_equal(call_once(channel, echo_REPLY, NULL).code, MRPC_UNAVAILABLE);
    echo_server *server = start_server(how, address);
    assert_int_equal(call_once(channel, echo_REPLY, MRPC_CALL_OPTIONS(.wait_for_ready = true)).code, MRPC_OK);
    mrpc_channel_close(channel);
    mrpc_runtime_unref(runtime);
    echo_server_stop(server, 1000);
}

static void channel_connects_again_after_a_restart(void **state)
{
    const setup *how = *state;
    fixture f;
    mrpc_error error;
    char address[128];
    set_up(&f, how);
    assert_int_equal(mrpc_channel_connect(f.channel, -1, &error), 0);
    call_and_check(&f, 1);
    (void)snprintf(address, sizeof address, "%s", echo_server_address(f.server));
    for (int i = 0; i < 3; i++) {
        echo_server_stop(f.server, 1000);
        f.server = start_server(how, address);
        assert_int_equal(call_once(f.channel, echo_REPLY, MRPC_CALL_OPTIONS(.wait_for_ready = true)).code, MRPC_OK);
    }
    tear_down(&f);
}

/* --- a server in another process --- */

typedef struct outcome {
    _Atomic bool ended;
    int count;
    mrpc_code code;
} outcome;

static void note_outcome(void *state, const mrpc_status *status, const echo_Pong *reply)
{
    outcome *mine = state;
    mine->count++;
    mine->code = status->code;
    mrpc_release(reply);
    atomic_store(&mine->ended, true);
}

static void killed_server_ends_calls_once_with_unavailable(void **state)
{
    enum { CALLS = 20 };
    const setup *how = *state;
    outcome outcomes[CALLS] = {0};
    char address[PROCESS_ADDRESS];
    unused_address(how, address, sizeof address);
    pid_t pid = start_server_process(how, address);
    fixture f = {.setup = how, .runtime = new_runtime(how)};
    f.channel = new_channel(how, f.runtime, address);
    assert_int_equal(call_once(f.channel, echo_REPLY, MRPC_CALL_OPTIONS(.wait_for_ready = true)).code, MRPC_OK);
    const echo_Ping ping = {.action = echo_NEVER};
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(echo_Echo_Unary_start(f.channel, &ping, NULL, note_outcome, &outcomes[i], NULL), 0);
    for (int i = 0; i < 10; i++)
        (void)mrpc_runtime_poll(f.runtime, 1);
    kill_process(pid);
    for (int i = 0; i < CALLS; i++)
        drive_until(&f, &outcomes[i].ended);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(outcomes[i].count, 1);
        assert_int_equal(outcomes[i].code, MRPC_UNAVAILABLE);
    }
    pid = start_server_process(how, address);
    assert_int_equal(call_once(f.channel, echo_REPLY, MRPC_CALL_OPTIONS(.wait_for_ready = true)).code, MRPC_OK);
    kill_process(pid);
    mrpc_channel_close(f.channel);
    mrpc_runtime_unref(f.runtime);
}

static void child_of_fork_must_not_use_the_runtime(void **state)
{
    fixture f;
    set_up(&f, *state);
    call_and_check(&f, 1);
    pid_t pid = fork();
    if (pid == 0) {
        mrpc_error error;
        mrpc_call *call;
        void *tag;
        mrpc_queue *queue;
        bool good = call_once(f.channel, echo_REPLY, NULL).code == MRPC_FAILED_PRECONDITION &&
                    mrpc_runtime_poll(f.runtime, 0) == MRPC_EFORKED &&
                    mrpc_channel_connect(f.channel, 0, &error) == MRPC_EFORKED &&
                    echo_Echo_Unary_start(f.channel, f.ping, NULL, note_outcome, NULL, &call) == MRPC_EFORKED &&
                    mrpc_queue_new(&queue, f.runtime, 1, NULL) == 0 &&
                    mrpc_queue_next(queue, &tag, 0) == MRPC_EFORKED && mrpc_runtime_fd(f.runtime) == MRPC_EFORKED;
        mrpc_channel_close(f.channel);
        mrpc_runtime_unref(f.runtime);
        _exit(good ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    call_and_check(&f, 2);
    tear_down(&f);
}

/* --- stopping --- */

typedef struct stopper {
    echo_server *server;
    uint32_t drain_ms;
} stopper;

static void *stop(void *argument)
{
    stopper *mine = argument;
    echo_server_stop(mine->server, mine->drain_ms);
    return NULL;
}

static void wait_until_handled(fixture *f, uint64_t count)
{
    for (int i = 0; i < 60000 && atomic_load(&echo_server_seen(f->server)->handled) < count; i++)
        (void)mrpc_runtime_poll(f->runtime, 1);
    assert_true(atomic_load(&echo_server_seen(f->server)->handled) >= count);
}

static void stopping_server_lets_calls_end(void **state)
{
    fixture f;
    outcome outcomes[10] = {0};
    pthread_t thread;
    set_up(&f, *state);
    const echo_Ping ping = {.action = echo_LATE};
    for (int i = 0; i < 10; i++)
        assert_int_equal(echo_Echo_Unary_start(f.channel, &ping, NULL, note_outcome, &outcomes[i], NULL), 0);
    wait_until_handled(&f, 10);
    stopper work = {.server = f.server, .drain_ms = 60000};
    assert_int_equal(pthread_create(&thread, NULL, stop, &work), 0);
    for (int i = 0; i < 10; i++)
        drive_until(&f, &outcomes[i].ended);
    for (int i = 0; i < 10; i++)
        assert_int_equal(outcomes[i].code, MRPC_OK);
    /* The server waits for the client to see GOAWAY. */
    for (int i = 0; i < 50; i++)
        (void)mrpc_runtime_poll(f.runtime, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(call_once(f.channel, echo_REPLY, NULL).code, MRPC_UNAVAILABLE);
    mrpc_release(f.ping);
    mrpc_channel_close(f.channel);
    mrpc_runtime_unref(f.runtime);
}

static void calls_that_outlast_the_drain_end_with_unavailable(void **state)
{
    fixture f;
    outcome mine = {0};
    pthread_t thread;
    set_up(&f, *state);
    const echo_Ping ping = {.action = echo_NEVER};
    assert_int_equal(echo_Echo_Unary_start(f.channel, &ping, NULL, note_outcome, &mine, NULL), 0);
    wait_until_handled(&f, 1);
    stopper work = {.server = f.server, .drain_ms = 10};
    assert_int_equal(pthread_create(&thread, NULL, stop, &work), 0);
    drive_until(&f, &mine.ended);
    assert_int_equal(mine.code, MRPC_UNAVAILABLE);
    for (int i = 0; i < 50; i++)
        (void)mrpc_runtime_poll(f.runtime, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    mrpc_release(f.ping);
    mrpc_channel_close(f.channel);
    mrpc_runtime_unref(f.runtime);
}

/* Its call has ended for the server, which has committed all of the reply and can send little of it. */
static void slow_client_gets_its_reply_from_a_server_that_stops(void **state)
{
    enum { PAYLOAD = 16 << 20 };
    fixture f;
    outcome mine = {0};
    pthread_t thread;
    setup narrow = *(const setup *)*state;
    narrow.connection =
        (mrpc_connection_options){.size = sizeof narrow.connection, .send_buffer = 65536, .receive_buffer = 65536};
    set_up(&f, &narrow);
    assert_int_equal(mrpc_bytes_reserve(f.ping, &f.ping->payload, PAYLOAD), 0);
    memset(f.ping->payload.data, 'p', PAYLOAD);
    assert_int_equal(echo_Echo_Unary_start(f.channel, f.ping, NULL, note_outcome, &mine, NULL), 0);
    wait_until_handled(&f, 1);
    stopper work = {.server = f.server, .drain_ms = 60000};
    assert_int_equal(pthread_create(&thread, NULL, stop, &work), 0);
    usleep(1200000); /* longer than a server waits for clients that have nothing more to get */
    drive_until(&f, &mine.ended);
    assert_int_equal(mine.code, MRPC_OK);
    for (int i = 0; i < 50; i++)
        (void)mrpc_runtime_poll(f.runtime, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    mrpc_release(f.ping);
    mrpc_channel_close(f.channel);
    mrpc_runtime_unref(f.runtime);
}

/* --- limits --- */

static void more_calls_than_the_connection_allows_wait_their_turn(void **state)
{
    fixture f;
    outcome outcomes[20] = {0};
    setup few = *(const setup *)*state;
    few.connection = (mrpc_connection_options){.size = sizeof few.connection, .max_calls = 2};
    set_up(&f, &few);
    const echo_Ping ping = {.action = echo_LATE};
    for (int i = 0; i < 20; i++)
        assert_int_equal(echo_Echo_Unary_start(f.channel, &ping, NULL, note_outcome, &outcomes[i], NULL), 0);
    for (int i = 0; i < 20; i++)
        drive_until(&f, &outcomes[i].ended);
    for (int i = 0; i < 20; i++)
        assert_int_equal(outcomes[i].code, MRPC_OK);
    tear_down(&f);
}

static void pending_calls_are_bounded(void **state)
{
    const setup *how = *state;
    fixture f;
    mrpc_error error;
    outcome outcomes[4] = {0};
    set_up(&f, how);
    const mrpc_channel_options options = {.size = sizeof options, .runtime = f.runtime, .max_pending = 3};
    mrpc_channel *channel;
    assert_int_equal(mrpc_channel_new(&channel, echo_server_address(f.server), &options, &error), 0);
    const echo_Ping ping = {.action = echo_NEVER};
    for (int i = 0; i < 3; i++)
        assert_int_equal(echo_Echo_Unary_start(channel, &ping, NULL, note_outcome, &outcomes[i], NULL), 0);
    int result = echo_Echo_Unary_start(channel, &ping, NULL, note_outcome, &outcomes[3], NULL);
    if (how->thread && result == 0) { /* counted by the other thread, a little later */
        drive_until(&f, &outcomes[3].ended);
        assert_int_equal(outcomes[3].code, MRPC_RESOURCE_EXHAUSTED);
    } else {
        assert_int_equal(result, MRPC_ELIMIT);
    }
    mrpc_channel_close(channel);
    for (int i = 0; i < 3; i++)
        assert_int_equal(outcomes[i].code, MRPC_CANCELLED);
    tear_down(&f);
}

static void connections_over_the_limit_are_turned_away(void **state)
{
    const setup *how = *state;
    mrpc_error error;
    char address[128];
    unused_address(how, address, sizeof address);
    const setup same = {.poller = how->poller};
    mrpc_runtime *server_runtime = new_runtime(&same);
    const mrpc_server_options options = {.size = sizeof options, .runtime = server_runtime, .max_connections = 1};
    echo_server *server = echo_server_start(address, &options);
    mrpc_runtime *runtime = new_runtime(how);
    mrpc_channel *first = new_channel(how, runtime, address), *second = new_channel(how, runtime, address);
    assert_int_equal(call_once(first, echo_REPLY, NULL).code, MRPC_OK);
    assert_int_equal(call_once(second, echo_REPLY, NULL).code, MRPC_UNAVAILABLE);
    mrpc_channel_close(first);
    assert_int_equal(mrpc_channel_connect(second, 60000, &error), 0);
    assert_int_equal(call_once(second, echo_REPLY, NULL).code, MRPC_OK);
    mrpc_channel_close(second);
    mrpc_runtime_unref(runtime);
    echo_server_stop(server, 1000);
    mrpc_runtime_unref(server_runtime);
}

/* As many as the server takes, again and again; each place is free for the next as soon as its channel has gone. */
static void connections_come_and_go_at_capacity(void **state)
{
    enum { CAPACITY = 8, TIMES = 10 };
    const setup *how = *state, same = {.poller = how->poller};
    char address[128];
    unused_address(how, address, sizeof address);
    mrpc_runtime *server_runtime = new_runtime(&same), *runtime = new_runtime(how);
    const mrpc_server_options options = {
        .size = sizeof options, .runtime = server_runtime, .max_connections = CAPACITY, .connection = how->connection};
    echo_server *server = echo_server_start(address, &options);
    for (int times = 0; times < TIMES; times++) {
        mrpc_channel *channels[CAPACITY], *excess = new_channel(how, runtime, address);
        for (int i = 0; i < CAPACITY; i++) {
            channels[i] = new_channel(how, runtime, address);
            const mrpc_call_options *wait = MRPC_CALL_OPTIONS(.timeout_ms = 60000, .wait_for_ready = true);
            assert_int_equal(call_once(channels[i], echo_REPLY, wait).code, MRPC_OK);
        }
        assert_int_equal(call_once(excess, echo_REPLY, NULL).code, MRPC_UNAVAILABLE);
        mrpc_channel_close(excess);
        for (int i = 0; i < CAPACITY; i++)
            mrpc_channel_close(channels[i]);
    }
    mrpc_runtime_unref(runtime);
    echo_server_stop(server, 1000);
    mrpc_runtime_unref(server_runtime);
}

static void many_sessions_have_calls_under_way_at_once(void **state)
{
    enum { SESSIONS = 32, EACH = 4, TIMES = 3 };
    const setup *how = *state;
    fixture f;
    mrpc_channel *channels[SESSIONS];
    set_up(&f, how);
    for (int i = 0; i < SESSIONS; i++)
        channels[i] = new_channel(how, f.runtime, echo_server_address(f.server));
    const echo_Ping ping = {.number = 1};
    for (int times = 0; times < TIMES; times++) {
        static outcome outcomes[SESSIONS * EACH];
        memset(outcomes, 0, sizeof outcomes);
        for (int i = 0; i < SESSIONS * EACH; i++)
            assert_int_equal(
                echo_Echo_Unary_start(channels[i % SESSIONS], &ping, NULL, note_outcome, &outcomes[i], NULL), 0);
        for (int i = 0; i < SESSIONS * EACH; i++)
            drive_until(&f, &outcomes[i].ended);
        for (int i = 0; i < SESSIONS * EACH; i++) {
            assert_int_equal(outcomes[i].count, 1);
            assert_int_equal(outcomes[i].code, MRPC_OK);
        }
    }
    assert_int_equal(atomic_load(&echo_server_seen(f.server)->handled), TIMES * SESSIONS * EACH);
    for (int i = 0; i < SESSIONS; i++)
        mrpc_channel_close(channels[i]);
    tear_down(&f);
}

/* --- descriptors --- */

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        char path[64], target[256];
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        count += readlink(path, target, sizeof target) > 0;
    }
    return count;
}

static void no_descriptor_is_leaked(void **state)
{
    fixture f;
    set_up(&f, *state);
    call_and_check(&f, 1);
    tear_down(&f);
    int before = count_descriptors();
    for (int i = 0; i < 5; i++) {
        set_up(&f, *state);
        call_and_check(&f, 1);
        assert_true(mrpc_runtime_fd(f.runtime) >= 0);
        tear_down(&f);
    }
    assert_int_equal(count_descriptors(), before);
}

int main(int argc, char **argv)
{
    static const named_test tests[] = {
        NAMED_TEST(unreachable_server_is_unavailable_and_says_why),
        NAMED_TEST(waiting_call_is_sent_when_the_server_comes),
        NAMED_TEST(channel_connects_again_after_a_restart),
        NAMED_TEST(killed_server_ends_calls_once_with_unavailable),
        NAMED_TEST(child_of_fork_must_not_use_the_runtime),
        NAMED_TEST(stopping_server_lets_calls_end),
        NAMED_TEST(calls_that_outlast_the_drain_end_with_unavailable),
        NAMED_TEST(slow_client_gets_its_reply_from_a_server_that_stops),
        NAMED_TEST(more_calls_than_the_connection_allows_wait_their_turn),
        NAMED_TEST(pending_calls_are_bounded),
        NAMED_TEST(connections_over_the_limit_are_turned_away),
        NAMED_TEST(connections_come_and_go_at_capacity),
        NAMED_TEST(many_sessions_have_calls_under_way_at_once),
        NAMED_TEST(no_descriptor_is_leaked),
    };
    return run_named_tests(tests, sizeof tests / sizeof tests[0], argc, argv);
}
