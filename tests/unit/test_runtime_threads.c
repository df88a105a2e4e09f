/* SPDX-License-Identifier: BSD-2-Clause */
/* test_runtime_threads.c - many threads on one channel, one runtime, one queue, one call */
#include "config.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/runtime_fixture.h"

enum { THREADS = 6, CALLS = 100 };

/* cmocka's assertions are for the thread that runs the test: others count what was wrong. */
typedef struct worker {
    fixture *f;
    pthread_t thread;
    uint64_t index;
    mrpc_queue *queue;
    int wrong;
} worker;

static void run_workers(fixture *f, mrpc_queue *queue, void *(*work)(void *argument))
{
    worker workers[THREADS];
    for (uint64_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){.f = f, .index = i, .queue = queue};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    int wrong = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        wrong += workers[i].wrong;
    }
    assert_int_equal(wrong, 0);
}

static void *call_blocking(void *argument)
{
    worker *mine = argument;
    for (uint64_t i = 0; i < CALLS; i++) {
        const echo_Ping ping = {.number = mine->index * CALLS + i, .action = i % 10 == 9 ? echo_LATE : echo_REPLY};
        const echo_Pong *pong;
        mrpc_status status = echo_Echo_Unary(mine->f->channel, &ping, &pong, NULL);
        mine->wrong += status.code != MRPC_OK || pong->number != ping.number;
        mrpc_release(pong);
    }
    return NULL;
}

static void threads_that_block_hand_the_driving_on(void **state)
{
    fixture f;
    set_up(&f, *state);
    run_workers(&f, NULL, call_blocking);
    tear_down(&f);
}

static void *call_with_deadlines(void *argument)
{
    worker *mine = argument;
    for (uint64_t i = 0; i < 20; i++) {
        const echo_Ping ping = {.action = echo_NEVER};
        mrpc_status status = echo_Echo_Unary(mine->f->channel, &ping, NULL, MRPC_CALL_OPTIONS(.timeout_ms = 1 + i % 3));
        mine->wrong += status.code != MRPC_DEADLINE_EXCEEDED;
    }
    return NULL;
}

static void deadlines_fire_whoever_drives(void **state)
{
    fixture f;
    set_up(&f, *state);
    run_workers(&f, NULL, call_with_deadlines);
    tear_down(&f);
}

/* --- callbacks and cancellation from everywhere --- */

typedef struct outcome {
    _Atomic int ends;
    mrpc_code code;
} outcome;

static void note_end(void *state, const mrpc_status *status, const echo_Pong *reply)
{
    outcome *mine = state;
    mine->code = status->code;
    mrpc_release(reply);
    atomic_fetch_add(&mine->ends, 1);
}

static void *start_and_cancel(void *argument)
{
    worker *mine = argument;
    static const echo_Ping ping = {.action = echo_LATE};
    for (uint64_t i = 0; i < CALLS; i++) {
        outcome result = {0};
        mrpc_call *call;
        mine->wrong += echo_Echo_Unary_start(mine->f->channel, &ping, NULL, note_end, &result, &call) != 0;
        if (i % 3 == 0)
            mrpc_call_cancel(call);
        while (atomic_load(&result.ends) == 0)
            (void)mrpc_runtime_poll(mine->f->runtime, 5);
        if (i % 5 == 0)
            mrpc_call_cancel(call); /* too late */
        mine->wrong += result.code != MRPC_OK && result.code != MRPC_CANCELLED;
        mine->wrong += atomic_load(&result.ends) != 1;
    }
    return NULL;
}

static void calls_are_started_and_cancelled_from_any_thread(void **state)
{
    fixture f;
    set_up(&f, *state);
    run_workers(&f, NULL, start_and_cancel);
    tear_down(&f);
}

/* --- one queue for all --- */

static _Atomic int left_to_take;

static void *submit_and_take(void *argument)
{
    worker *mine = argument;
    mrpc_unary_result *results = calloc(CALLS, sizeof *results);
    static const echo_Ping ping = {.number = 3};
    for (int i = 0; i < CALLS; i++)
        mine->wrong +=
            echo_Echo_Unary_submit(mine->f->channel, &ping, NULL, mine->queue, &results[i], &results[i]) != 0;
    while (atomic_load(&left_to_take) > 0) {
        void *tag;
        int taken = mrpc_queue_next(mine->queue, &tag, 5);
        mine->wrong += taken < 0;
        if (taken != 1)
            continue;
        mrpc_unary_result *result = tag;
        mine->wrong += result->status.code != MRPC_OK || ((const echo_Pong *)result->reply)->number != 3;
        mrpc_release(result->reply);
        atomic_fetch_sub(&left_to_take, 1);
    }
    mine->wrong += atomic_load(&left_to_take) != 0;
    free(results);
    return NULL;
}

static void threads_share_a_queue(void **state)
{
    fixture f;
    mrpc_queue *queue;
    set_up(&f, *state);
    assert_int_equal(mrpc_queue_new(&queue, f.runtime, THREADS * CALLS, NULL), 0);
    atomic_store(&left_to_take, THREADS * CALLS);
    run_workers(&f, queue, submit_and_take);
    mrpc_queue_free(queue);
    tear_down(&f);
}

/* --- streams --- */

static void *stream_blocking(void *argument)
{
    worker *mine = argument;
    echo_Echo_Both_stream *stream;
    if (echo_Echo_Both_open(mine->f->channel, NULL, &stream) != 0) {
        mine->wrong++;
        return NULL;
    }
    for (uint64_t i = 0; i < 50; i++) {
        const echo_Pong *pong = NULL;
        mine->wrong += echo_Echo_Both_stream_send(stream, &(echo_Ping){.number = i}) != 0;
        mine->wrong += echo_Echo_Both_stream_receive(stream, &pong) != 1 || pong->number != i;
        mrpc_release(pong);
    }
    mine->wrong += echo_Echo_Both_stream_finish(stream).code != MRPC_OK;
    return NULL;
}

static void threads_have_streams_of_their_own(void **state)
{
    fixture f;
    set_up(&f, *state);
    run_workers(&f, NULL, stream_blocking);
    tear_down(&f);
}

/* Threads that finish one call, all at once; `finished` counts those that were told its outcome. */
typedef struct race {
    echo_Echo_Both_stream *stream;
    pthread_barrier_t start;
    _Atomic int finished, refused;
} race;

static void *finish_one(void *argument)
{
    race *mine = argument;
    (void)pthread_barrier_wait(&mine->start);
    mrpc_status status = echo_Echo_Both_stream_finish(mine->stream);
    atomic_fetch_add(status.code == MRPC_OK ? &mine->finished : &mine->refused, 1);
    return NULL;
}

static void of_threads_that_finish_one_call_one_does(void **state)
{
    fixture f;
    set_up(&f, *state);
    for (int i = 0; i < 50; i++) {
        race mine = {0};
        pthread_t threads[3];
        assert_int_equal(pthread_barrier_init(&mine.start, NULL, 3), 0);
        assert_int_equal(echo_Echo_Both_open(f.channel, NULL, &mine.stream), 0);
        for (int j = 0; j < 3; j++)
            assert_int_equal(pthread_create(&threads[j], NULL, finish_one, &mine), 0);
        for (int j = 0; j < 3; j++)
            assert_int_equal(pthread_join(threads[j], NULL), 0);
        assert_int_equal(atomic_load(&mine.finished), 1);
        assert_int_equal(atomic_load(&mine.refused), 2);
        pthread_barrier_destroy(&mine.start);
    }
    tear_down(&f);
}

/* --- handlers on threads of their own, which call on, within the window of a session --- */

enum { POOL = 3, WINDOW = 4, SERVED = 60 };

typedef struct work {
    mrpc_call *call;
    const echo_Ping *request;
} work;

typedef struct pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    work list[SERVED];
    int count, taken;
    bool stops;
    mrpc_channel *next; /* to the server that the handlers call */
    pthread_t threads[POOL];
    _Atomic int at_once, most, wrong; /* calls of which the handlers are not done */
} pool;

static void hand_over(echo_Echo_Unary_call *call, const echo_Ping *request, void *state)
{
    pool *mine = state;
    int now = atomic_fetch_add(&mine->at_once, 1) + 1;
    if (now > atomic_load(&mine->most))
        atomic_store(&mine->most, now);
    pthread_mutex_lock(&mine->lock);
    mine->list[mine->count++] = (work){.call = echo_Echo_Unary_untyped(call), .request = request};
    pthread_cond_signal(&mine->more);
    pthread_mutex_unlock(&mine->lock);
}

/* False: there is none, and there will be none. */
static bool take_work(pool *mine, work *next)
{
    pthread_mutex_lock(&mine->lock);
    while (mine->taken == mine->count && !mine->stops)
        pthread_cond_wait(&mine->more, &mine->lock);
    bool some = mine->taken < mine->count;
    if (some)
        *next = mine->list[mine->taken++];
    pthread_mutex_unlock(&mine->lock);
    return some;
}

static void *work_in_pool(void *argument)
{
    pool *mine = argument;
    work next;
    while (take_work(mine, &next)) {
        const echo_Pong *pong = NULL;
        echo_Pong *reply = echo_Pong_new(mrpc_call_heap(next.call));
        mrpc_status status = echo_Echo_Unary(mine->next, next.request, &pong, NULL);
        mine->wrong += status.code != MRPC_OK;
        reply->number = pong != NULL ? pong->number + 1 : 0;
        mrpc_release(pong);
        atomic_fetch_sub(&mine->at_once, 1);
        mine->wrong += mrpc_call_reply(next.call, reply) != 0;
    }
    return NULL;
}

typedef struct served {
    _Atomic int ends, wrong;
    _Atomic bool all;
    uint64_t sum;
} served;

static void note_served(void *state, const mrpc_status *status, const echo_Pong *reply)
{
    served *mine = state;
    mine->wrong += status->code != MRPC_OK;
    mine->sum += reply != NULL ? reply->number : 0;
    mrpc_release(reply);
    if (++mine->ends == SERVED)
        atomic_store(&mine->all, true);
}

static void handlers_run_on_worker_threads_and_call_on_within_the_window(void **state)
{
    static const echo_Echo_handlers handlers = {.Unary = hand_over};
    fixture f;
    served result = {0};
    pool mine = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};
    char address[128];
    set_up(&f, *state);
    setup few = *f.setup;
    few.thread = false;
    few.connection.size = sizeof few.connection;
    few.connection.max_calls = WINDOW;
    bool shm = strncmp(few.address, "shm:", 4) == 0;
    (void)snprintf(address, sizeof address, shm ? "%s%d-pool" : "%s", few.address, (int)getpid());
    echo_server *server = start_server(&few, address);
    mrpc_runtime *between = new_runtime(&few);
    mine.next = new_channel(f.setup, between, echo_server_address(f.server));
    assert_int_equal(mrpc_server_replace(echo_server_mrpc(server), &echo_Echo_service, &handlers, &mine, NULL, NULL),
                     0);
    for (int i = 0; i < POOL; i++)
        assert_int_equal(pthread_create(&mine.threads[i], NULL, work_in_pool, &mine), 0);

    mrpc_channel *channel = new_channel(&few, f.runtime, echo_server_address(server));
    echo_Ping pings[SERVED];
    for (uint64_t i = 0; i < SERVED; i++) {
        pings[i] = (echo_Ping){.number = i};
        assert_int_equal(echo_Echo_Unary_start(channel, &pings[i], NULL, note_served, &result, NULL), 0);
    }
    drive_until(&f, &result.all);
    assert_int_equal(result.ends, SERVED);
    assert_int_equal(result.wrong, 0);
    assert_int_equal(result.sum, SERVED * (SERVED - 1) / 2 + SERVED);
    assert_int_equal(mine.wrong, 0);
    assert_int_equal(mine.most, WINDOW);

    pthread_mutex_lock(&mine.lock);
    mine.stops = true;
    pthread_cond_broadcast(&mine.more);
    pthread_mutex_unlock(&mine.lock);
    for (int i = 0; i < POOL; i++)
        assert_int_equal(pthread_join(mine.threads[i], NULL), 0);
    mrpc_channel_close(channel);
    mrpc_channel_close(mine.next);
    mrpc_runtime_unref(between);
    echo_server_stop(server, 1000);
    tear_down(&f);
}

/* --- everybody looks --- */

static void *look_around(void *argument)
{
    worker *mine = argument;
    for (int i = 0; i < 50; i++) {
        mrpc_counters counters = {.size = sizeof counters};
        mrpc_module_info infos[4];
        mrpc_runtime_get_counters(mine->f->runtime, &counters);
        mine->wrong += counters.calls_ended > counters.calls_started;
        mine->wrong += mrpc_runtime_modules(mine->f->runtime, infos, 4) > 1;
        mine->wrong += mrpc_runtime_now(mine->f->runtime) == 0;
        mrpc_runtime_wake(mine->f->runtime);
        const echo_Ping ping = {.number = 1};
        mine->wrong += echo_Echo_Unary(mine->f->channel, &ping, NULL, NULL).code != MRPC_OK;
    }
    return NULL;
}

static void counters_are_read_while_calls_flow(void **state)
{
    fixture f;
    set_up(&f, *state);
    run_workers(&f, NULL, look_around);
    tear_down(&f);
}

/* Each with a channel of its own that comes and goes. */
static void *open_and_close(void *argument)
{
    worker *mine = argument;
    for (int i = 0; i < 10; i++) {
        mrpc_channel *channel;
        const mrpc_channel_options options = {.size = sizeof options, .runtime = mine->f->runtime};
        mrpc_error error;
        if (mrpc_channel_new(&channel, echo_server_address(mine->f->server), &options, &error) != 0) {
            print_error("%s\n", error.text);
            mine->wrong++;
            continue;
        }
        const echo_Ping ping = {.number = 1};
        mrpc_status status = echo_Echo_Unary(channel, &ping, NULL, NULL);
        if (status.code != MRPC_OK)
            print_error("%s: %s\n", mrpc_code_name(status.code), status.message);
        mine->wrong += status.code != MRPC_OK;
        mrpc_channel_close(channel);
    }
    return NULL;
}

static void channels_come_and_go_on_one_runtime(void **state)
{
    fixture f;
    set_up(&f, *state);
    run_workers(&f, NULL, open_and_close);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    static const named_test tests[] = {
        NAMED_TEST(threads_that_block_hand_the_driving_on),
        NAMED_TEST(deadlines_fire_whoever_drives),
        NAMED_TEST(calls_are_started_and_cancelled_from_any_thread),
        NAMED_TEST(threads_share_a_queue),
        NAMED_TEST(of_threads_that_finish_one_call_one_does),
        NAMED_TEST(threads_have_streams_of_their_own),
        NAMED_TEST(handlers_run_on_worker_threads_and_call_on_within_the_window),
        NAMED_TEST(counters_are_read_while_calls_flow),
        NAMED_TEST(channels_come_and_go_on_one_runtime),
    };
    return run_named_tests(tests, sizeof tests / sizeof tests[0], argc, argv);
}
