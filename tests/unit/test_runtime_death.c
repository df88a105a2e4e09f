/* SPDX-License-Identifier: BSD-2-Clause */
/* test_runtime_death.c - the other side is killed, stops, or is a child of fork(); and what a program gets back at the
 * end */
#include "config.h"

#include <dirent.h>
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/runtime_flow.h"
#include "tests/unit/runtime_process.h"

enum { CALLS = 50 };

static void first_address(const setup *how, char *address)
{
    bool shm = strncmp(how->address, "shm:", 4) == 0;
    (void)snprintf(address, PROCESS_ADDRESS, shm ? "%s%d" : "%s", how->address, (int)getpid());
}

/* --- calls that wait for an end --- */

typedef struct ends {
    _Atomic int count, unavailable;
    _Atomic bool all;
} ends;

static void note_end(void *state, const mrpc_status *status, const echo_Pong *pong)
{
    ends *mine = state;
    mrpc_release(pong);
    mine->unavailable += status->code == MRPC_UNAVAILABLE;
    if (++mine->count == CALLS)
        atomic_store(&mine->all, true);
}

static void killed_server_ends_each_call_once_and_its_successor_is_found(void **state)
{
    const setup *how = *state;
    fixture f = {.setup = how};
    ends ended = {0};
    char address[PROCESS_ADDRESS];
    first_address(how, address);
    pid_t process = start_server_process(how, address);
    f.runtime = new_runtime(how);
    f.channel = new_channel(how, f.runtime, address);
    f.ping = echo_Ping_new(NULL);
    call_and_check(&f, 1);

    f.ping->action = echo_NEVER;
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(echo_Echo_Unary_start(f.channel, f.ping, NULL, note_end, &ended, NULL), 0);
    (void)mrpc_runtime_poll(f.runtime, 10);
    kill_process(process);
    drive_until(&f, &ended.all);
    (void)mrpc_runtime_poll(f.runtime, 50);
    assert_int_equal(ended.count, CALLS);
    assert_int_equal(ended.unavailable, CALLS);

    process = start_server_process(how, address);
    f.ping->action = echo_REPLY;
    mrpc_status status =
        echo_Echo_Unary(f.channel, f.ping, NULL, MRPC_CALL_OPTIONS(.timeout_ms = 30000, .wait_for_ready = true));
    assert_int_equal(status.code, MRPC_OK);
    kill_process(process);
    mrpc_release(f.ping);
    mrpc_channel_close(f.channel);
    mrpc_runtime_unref(f.runtime);
}

static void killed_client_ends_its_calls_at_the_server(void **state)
{
    fixture f;
    set_up(&f, *state);
    call_and_check(&f, 1);
    pid_t client = start_client_process(*state, echo_server_address(f.server), CALLS);
    for (int i = 0; i < 30000 && atomic_load(&echo_server_seen(f.server)->handled) < CALLS + 1; i++)
        (void)usleep(1000);
    kill_process(client);
    wait_for_cancelled(f.server, CALLS);
    call_and_check(&f, 2);
    tear_down(&f);
}

/* --- callers that wait in every way --- */

enum { WAITERS = 4 /* threads of each kind */ };

typedef struct waiter {
    mrpc_channel *channel;
    pthread_t thread;
    mrpc_code code;
    bool early;              /* it did not get to waiting */
    _Atomic int *in_streams; /* how many have got there in a stream */
} waiter;

static void *wait_for_reply(void *argument)
{
    waiter *mine = argument;
    const echo_Ping ping = {.action = echo_NEVER};
    mine->code = echo_Echo_Unary(mine->channel, &ping, NULL, NULL).code;
    return NULL;
}

static void *wait_for_message(void *argument)
{
    waiter *mine = argument;
    echo_Echo_Both_stream *stream;
    const echo_Pong *pong = NULL;
    mine->early = echo_Echo_Both_open(mine->channel, NULL, &stream) != 0;
    if (mine->early)
        return NULL;
    mine->early |= echo_Echo_Both_stream_send(stream, &(echo_Ping){.number = 1}) != 0;
    mine->early |= echo_Echo_Both_stream_receive(stream, &pong) != 1;
    mrpc_release(pong);
    pong = NULL;
    atomic_fetch_add(mine->in_streams, 1);
    mine->early |= echo_Echo_Both_stream_receive(stream, &pong) == 1;
    mrpc_release(pong);
    mine->code = echo_Echo_Both_stream_finish(stream).code;
    return NULL;
}

static void wait_until_started(fixture *f, uint64_t calls)
{
    mrpc_counters now = {.size = sizeof now};
    mrpc_runtime_get_counters(f->runtime, &now);
    for (unsigned i = 0; i < 1000 * flow_patience() && now.calls_started < calls; i++) {
        (void)mrpc_runtime_poll(f->runtime, 1);
        mrpc_runtime_get_counters(f->runtime, &now);
    }
    assert_int_equal(now.calls_started, calls);
}

/* Blocked in a call, blocked in a stream, with a callback, with a queue: each is told once. */
static void killed_server_is_reported_to_every_waiting_caller(void **state)
{
    const setup *how = *state;
    fixture f = {.setup = how};
    ends ended = {.count = CALLS - WAITERS};
    waiter waiters[2 * WAITERS] = {0};
    _Atomic int in_streams = 0;
    mrpc_unary_result results[WAITERS];
    mrpc_queue *queue;
    void *tag;
    char address[PROCESS_ADDRESS];
    first_address(how, address);
    pid_t process = start_server_process(how, address);
    f.runtime = new_runtime(how);
    f.channel = new_channel(how, f.runtime, address);
    f.ping = echo_Ping_new(NULL);
    call_and_check(&f, 1);
    assert_int_equal(mrpc_queue_new(&queue, f.runtime, WAITERS, NULL), 0);

    const echo_Ping never = {.action = echo_NEVER};
    for (int i = 0; i < WAITERS; i++) {
        assert_int_equal(echo_Echo_Unary_start(f.channel, &never, NULL, note_end, &ended, NULL), 0);
        assert_int_equal(echo_Echo_Unary_submit(f.channel, &never, NULL, queue, &results[i], &results[i]), 0);
    }
    for (int i = 0; i < 2 * WAITERS; i++) {
        waiters[i].channel = f.channel;
        waiters[i].in_streams = &in_streams;
        assert_int_equal(
            pthread_create(&waiters[i].thread, NULL, i % 2 == 0 ? wait_for_reply : wait_for_message, &waiters[i]), 0);
    }
    wait_until_started(&f, 1 + 4 * WAITERS);
    for (unsigned i = 0; i < 1000 * flow_patience() && atomic_load(&in_streams) < WAITERS; i++)
        (void)mrpc_runtime_poll(f.runtime, 1);
    call_and_check(&f, 2); /* all that was sent before has arrived */
    kill_process(process);

    drive_until(&f, &ended.all);
    assert_int_equal(ended.unavailable, WAITERS);
    for (int i = 0; i < 2 * WAITERS; i++) {
        assert_int_equal(pthread_join(waiters[i].thread, NULL), 0);
        assert_false(waiters[i].early);
        assert_int_equal(waiters[i].code, MRPC_UNAVAILABLE);
    }
    for (int i = 0; i < WAITERS; i++) {
        assert_int_equal(mrpc_queue_next(queue, &tag, 60000), 1);
        assert_int_equal(((mrpc_unary_result *)tag)->status.code, MRPC_UNAVAILABLE);
    }
    assert_int_equal(mrpc_queue_next(queue, &tag, 10), 0);
    assert_int_equal(ended.count, CALLS);
    mrpc_queue_free(queue);
    mrpc_release(f.ping);
    mrpc_channel_close(f.channel);
    mrpc_runtime_unref(f.runtime);
}

/* --- at random moments, while calls flow --- */

enum { ROUNDS = 6, MOMENT_MS = 80 };

/* Every third time the process may be killed before anything has succeeded. */
static bool may_be_early(int round)
{
    return round % 3 == 2;
}

static flow_resources count_and_print(const setup *how)
{
    flow_resources now = flow_count(how);
    printf("# %d descriptors, %ld of the devices\n", now.descriptors, now.devices);
    return now;
}

/* Each call ends once, what the client had for the dead server is given back, and the next server is found. */
static void server_is_killed_at_random_moments(void **state)
{
    const setup *how = *state;
    char address[PROCESS_ADDRESS];
    flow calls;
    flow_resources after_first = {0};
    int mappings = flow_count_mappings();
    uint32_t random = flow_seed();
    first_address(how, address);
    mrpc_runtime *runtime = new_runtime(how);
    mrpc_channel *channel = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t process = start_server_process(how, address);
        if (round == 0) {
            channel = new_channel(how, runtime, address);
            flow_begin(&calls, channel, 0, random);
        }
        if (!may_be_early(round))
            flow_succeed(&calls, 2);
        flow_run(&calls, flow_random(&random, MOMENT_MS));
        kill_process(process);
        flow_settle(&calls);
        if (round == 0)
            after_first = count_and_print(how);
        else
            flow_wait_for(how, runtime, &after_first);
    }
    pid_t process = start_server_process(how, address);
    flow_succeed(&calls, 20);
    flow_end(&calls);
    kill_process(process);
    mrpc_channel_close(channel);
    mrpc_runtime_unref(runtime);
    assert_int_equal(flow_count_mappings(), mappings);
}

/* Waits until each call that the server has accepted has ended. */
static void wait_until_idle(const mrpc_runtime *server)
{
    mrpc_counters now = {.size = sizeof now};
    mrpc_runtime_get_counters(server, &now);
    for (unsigned i = 0; i < 1000 * flow_patience() && now.calls_accepted != now.calls_ended; i++) {
        usleep(1000);
        mrpc_runtime_get_counters(server, &now);
    }
    assert_int_equal(now.calls_accepted, now.calls_ended);
}

/* Each call ends at the server, what it had for the dead client is given back, and it serves others. */
static void client_is_killed_at_random_moments(void **state)
{
    const setup *how = *state, same = {.poller = how->poller};
    char address[PROCESS_ADDRESS];
    flow_resources before;
    int mappings = flow_count_mappings();
    uint32_t random = flow_seed();
    first_address(how, address);
    mrpc_runtime *runtime = new_runtime(&same), *own = new_runtime(how);
    const mrpc_server_options options = {.size = sizeof options, .runtime = runtime, .connection = how->connection};
    echo_server *server = echo_server_start(address, &options);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t handled = atomic_load(&echo_server_seen(server)->handled);
        pid_t process = start_flow_process(how, echo_server_address(server), random);
        for (unsigned i = 0; i < 1000 * flow_patience() && !may_be_early(round) &&
                             atomic_load(&echo_server_seen(server)->handled) == handled;
             i++)
            usleep(1000);
        usleep(1000 * flow_random(&random, MOMENT_MS));
        kill_process(process);
        wait_until_idle(runtime);
        if (round == 0) {
            usleep(500000); /* for the end of the connection itself */
            before = count_and_print(how);
        } else {
            flow_wait_for(how, NULL, &before);
        }
    }
    flow calls;
    mrpc_channel *channel = new_channel(how, own, echo_server_address(server));
    flow_begin(&calls, channel, 0, random);
    flow_succeed(&calls, 20);
    flow_end(&calls);
    mrpc_channel_close(channel);
    mrpc_runtime_unref(own);
    echo_server_stop(server, 1000);
    mrpc_runtime_unref(runtime);
    assert_int_equal(flow_count_mappings(), mappings);
}

/* --- children of fork() --- */

static void child_of_fork_is_told_so(void **state)
{
    fixture f;
    set_up(&f, *state);
    call_and_check(&f, 1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        mrpc_status status = echo_Echo_Unary(f.channel, f.ping, NULL, NULL);
        const mrpc_channel_options options = {.size = sizeof options, .runtime = f.runtime};
        mrpc_channel *another;
        _exit(status.code == MRPC_FAILED_PRECONDITION && mrpc_runtime_poll(f.runtime, 0) == MRPC_EFORKED &&
                      mrpc_channel_new(&another, "tcp://127.0.0.1:1", &options, NULL) == MRPC_EFORKED
                  ? 0
                  : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    call_and_check(&f, 2);
    tear_down(&f);
}

/* --- in one process --- */

static void *stop_server(void *argument)
{
    echo_server_stop(argument, 10000);
    return NULL;
}

static void stopping_lets_calls_finish(void **state)
{
    fixture f;
    pthread_t stopper;
    ends ended = {.count = CALLS - 1};
    set_up(&f, *state);
    call_and_check(&f, 1);
    f.ping->action = echo_LATE;
    assert_int_equal(echo_Echo_Unary_start(f.channel, f.ping, NULL, note_end, &ended, NULL), 0);
    while (atomic_load(&echo_server_seen(f.server)->handled) < 2)
        (void)mrpc_runtime_poll(f.runtime, 1);
    assert_int_equal(pthread_create(&stopper, NULL, stop_server, f.server), 0);
    drive_until(&f, &ended.all);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    assert_int_equal(ended.unavailable, 0);
    f.ping->action = echo_REPLY;
    assert_int_equal(echo_Echo_Unary(f.channel, f.ping, NULL, MRPC_CALL_OPTIONS(.timeout_ms = 2000)).code,
                     MRPC_UNAVAILABLE);
    mrpc_release(f.ping);
    mrpc_channel_close(f.channel);
    mrpc_runtime_unref(f.runtime);
}

static void *call_many(void *argument)
{
    const fixture *f = argument;
    for (uint64_t i = 0; i < 200; i++) {
        const echo_Pong *pong = NULL;
        echo_Ping ping;
        echo_Ping_init(&ping);
        ping.number = i;
        mrpc_status status = echo_Echo_Unary(f->channel, &ping, &pong, NULL);
        bool good = status.code == MRPC_OK && pong->number == i;
        mrpc_release(pong);
        if (!good)
            return argument;
    }
    return NULL;
}

static void threads_block_on_one_channel(void **state)
{
    enum { THREADS = 6 };
    fixture f;
    pthread_t threads[THREADS];
    set_up(&f, *state);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_many, &f), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    tear_down(&f);
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

static int count_mappings(void)
{
    int count = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, "memfd:") != NULL;
    (void)fclose(maps);
    return count;
}

static void everything_is_given_back(void **state)
{
    int descriptors = count_descriptors(), mappings = count_mappings();
    for (int i = 0; i < 5; i++) {
        fixture f;
        set_up(&f, *state);
        call_and_check(&f, 1);
        tear_down(&f);
        assert_int_equal(count_descriptors(), descriptors);
        assert_int_equal(count_mappings(), mappings);
    }
}

int main(int argc, char **argv)
{
    static const named_test tests[] = {
        NAMED_TEST(killed_server_ends_each_call_once_and_its_successor_is_found),
        NAMED_TEST(killed_client_ends_its_calls_at_the_server),
        NAMED_TEST(killed_server_is_reported_to_every_waiting_caller),
        NAMED_TEST(server_is_killed_at_random_moments),
        NAMED_TEST(client_is_killed_at_random_moments),
        NAMED_TEST(child_of_fork_is_told_so),
        NAMED_TEST(stopping_lets_calls_finish),
        NAMED_TEST(threads_block_on_one_channel),
        NAMED_TEST(everything_is_given_back),
    };
    return run_named_tests(tests, sizeof tests / sizeof tests[0], argc, argv);
}
