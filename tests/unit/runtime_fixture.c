/* SPDX-License-Identifier: BSD-2-Clause */
/* runtime_fixture.c - the handlers of the echo service, a thread that serves them, and what tests begin with */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/runtime_process.h"

struct echo_server {
    mrpc_runtime *runtime;
    mrpc_server *server;
    pthread_t thread;
    echo_seen seen;
};

/* --- messages --- */

void echo_fill(uint8_t *bytes, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((seed + i * 7) % 251);
}

bool echo_check(const uint8_t *bytes, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != (uint8_t)((seed + i * 7) % 251))
            return false;
    return true;
}

/* NULL without memory, which a test may have arranged (failing_alloc.h). */
static echo_Pong *make_pong(mrpc_heap *heap, const echo_Ping *ping)
{
    echo_Pong *pong = echo_Pong_new(heap);
    if (pong == NULL)
        return NULL;
    pong->number = ping->number;
    if (mrpc_string_set_n(pong, &pong->text, ping->text.data, ping->text.size) != 0 ||
        mrpc_bytes_set(pong, &pong->payload, ping->payload.data, ping->payload.size) != 0) {
        mrpc_release(pong);
        return NULL;
    }
    return pong;
}

/* Does nothing when the call has ended already. */
static void fail_without_memory(mrpc_call *call)
{
    (void)mrpc_call_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory in the handler");
}

static void reply_or_fail(mrpc_call *call, echo_Pong *pong)
{
    if (pong == NULL)
        fail_without_memory(call);
    else
        (void)mrpc_call_reply(call, pong);
}

/* --- replies from another thread --- */

typedef struct late {
    mrpc_call *call;
    const echo_Ping *request;
} late;

static void *answer_late(void *argument)
{
    late *work = argument;
    usleep(2000);
    (void)mrpc_call_reply(work->call, make_pong(mrpc_call_heap(work->call), work->request));
    free(work);
    return NULL;
}

static void start_late(mrpc_call *call, const echo_Ping *request)
{
    pthread_t thread;
    late *work = malloc(sizeof *work);
    *work = (late){.call = call, .request = request};
    if (pthread_create(&thread, NULL, answer_late, work) != 0)
        abort();
    (void)pthread_detach(thread);
}

/* --- unary --- */

static void count_end(void *state, mrpc_call *call, const mrpc_status *status)
{
    echo_seen *seen = state;
    (void)call;
    atomic_store(&seen->last_end, (int)status->code);
    if (status->code != MRPC_OK)
        atomic_fetch_add(&seen->cancelled, 1);
}

static void answer(mrpc_call *call, const echo_Ping *request, echo_seen *seen)
{
    static const mrpc_call_callbacks only_end = {.size = sizeof only_end, .on_end = count_end};
    switch (request->action) {
    case echo_FAIL:
        (void)mrpc_call_fail(call, MRPC_ABORTED, "%s", request->text.data);
        break;
    case echo_LATE:
        start_late(call, request);
        break;
    case echo_NEVER:
        (void)mrpc_call_set_callbacks(call, &only_end, seen);
        break;
    default:
        reply_or_fail(call, make_pong(mrpc_call_heap(call), request));
    }
}

static void unary(echo_Echo_Unary_call *call, const echo_Ping *request, void *state)
{
    echo_seen *seen = state;
    atomic_fetch_add(&seen->handled, 1);
    answer(echo_Echo_Unary_untyped(call), request, seen);
}

/* --- streams; the state of one call --- */

typedef struct stream {
    echo_seen *seen;
    const echo_Ping *request; /* Down */
    uint64_t next, sum;
    echo_Pong *blocked; /* Both: a message that there was no window for */
    bool paused, half_closed;
} stream;

static stream *new_stream(echo_seen *seen)
{
    stream *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return NULL;
    fresh->seen = seen;
    atomic_fetch_add(&seen->handled, 1);
    return fresh;
}

/* Has events of the call handled with a new state, or ends it. */
static stream *set_stream(mrpc_call *call, const mrpc_call_callbacks *callbacks, echo_seen *seen)
{
    stream *fresh = new_stream(seen);
    if (fresh == NULL)
        fail_without_memory(call);
    else
        (void)mrpc_call_set_callbacks(call, callbacks, fresh);
    return fresh;
}

static void stream_ended(void *state, mrpc_call *call, const mrpc_status *status)
{
    stream *mine = state;
    count_end(mine->seen, call, status);
    mrpc_release(mine->blocked);
    free(mine);
}

static void send_down(void *state, mrpc_call *call)
{
    stream *mine = state;
    while (mine->next < mine->request->count) {
        echo_Pong *pong = make_pong(mrpc_call_heap(call), mine->request);
        if (pong == NULL) {
            fail_without_memory(call);
            return;
        }
        pong->number = mine->next;
        int result = mrpc_call_send(call, pong);
        if (result == MRPC_EAGAIN)
            mrpc_release(pong);
        else if (result != 0)
            fail_without_memory(call);
        if (result != 0)
            return;
        mine->next++;
    }
    if (mine->request->action == echo_REPLY)
        (void)mrpc_call_reply(call, NULL);
    else if (mine->request->action == echo_FAIL)
        (void)mrpc_call_fail(call, MRPC_ABORTED, "%s", mine->request->text.data);
}

static void down(echo_Echo_Down_call *call, const echo_Ping *request, void *state)
{
    const mrpc_call_callbacks callbacks = {.size = sizeof callbacks, .on_writable = send_down, .on_end = stream_ended};
    stream *mine = set_stream(echo_Echo_Down_untyped(call), &callbacks, state);
    if (mine == NULL)
        return;
    mine->request = request;
    send_down(mine, echo_Echo_Down_untyped(call));
}

static void add_up(void *state, mrpc_call *call, const void *message)
{
    stream *mine = state;
    const echo_Ping *ping = message;
    mine->sum += ping->number;
    if (ping->action == echo_FAIL)
        (void)mrpc_call_fail(call, MRPC_ABORTED, "%s", ping->text.data);
    mrpc_release(message);
}

static void finish_up(void *state, mrpc_call *call)
{
    stream *mine = state;
    echo_Pong *pong = echo_Pong_new(mrpc_call_heap(call));
    if (pong != NULL)
        pong->number = mine->sum;
    reply_or_fail(call, pong);
}

static void up(echo_Echo_Up_call *call, const echo_Ping *request, void *state)
{
    const mrpc_call_callbacks callbacks = {
        .size = sizeof callbacks, .on_message = add_up, .on_half_close = finish_up, .on_end = stream_ended};
    (void)request;
    set_stream(echo_Echo_Up_untyped(call), &callbacks, state);
}

static void try_back(stream *mine, mrpc_call *call)
{
    int result = mrpc_call_send(call, mine->blocked);
    if (result == MRPC_EAGAIN) {
        mrpc_call_pause(call);
        mine->paused = true;
        return;
    }
    mine->blocked = NULL;
    if (result != 0) {
        fail_without_memory(call);
        return;
    }
    if (mine->paused)
        mrpc_call_resume(call);
    mine->paused = false;
    if (mine->half_closed)
        (void)mrpc_call_reply(call, NULL);
}

static void send_back(void *state, mrpc_call *call, const void *message)
{
    stream *mine = state;
    const echo_Ping *ping = message;
    if (ping->action == echo_FAIL) {
        (void)mrpc_call_fail(call, MRPC_ABORTED, "%s", ping->text.data);
    } else {
        mine->blocked = make_pong(mrpc_call_heap(call), ping);
        if (mine->blocked == NULL)
            fail_without_memory(call);
        else
            try_back(mine, call);
    }
    mrpc_release(message);
}

static void writable_back(void *state, mrpc_call *call)
{
    stream *mine = state;
    if (mine->blocked != NULL)
        try_back(mine, call);
}

static void finish_back(void *state, mrpc_call *call)
{
    stream *mine = state;
    mine->half_closed = true;
    if (mine->blocked == NULL)
        (void)mrpc_call_reply(call, NULL);
}

static void both(echo_Echo_Both_call *call, const echo_Ping *request, void *state)
{
    const mrpc_call_callbacks callbacks = {.size = sizeof callbacks,
                                           .on_message = send_back,
                                           .on_half_close = finish_back,
                                           .on_writable = writable_back,
                                           .on_end = stream_ended};
    (void)request;
    set_stream(echo_Echo_Both_untyped(call), &callbacks, state);
}

const echo_Echo_handlers echo_handlers = {.Unary = unary, .Down = down, .Up = up, .Both = both};

/* --- the server --- */

static void *serve(void *argument)
{
    echo_server *server = argument;
    int result = mrpc_server_run(server->server);
    return result == 0 ? NULL : argument;
}

echo_server *echo_server_start(const char *address, const mrpc_server_options *options)
{
    mrpc_error error;
    echo_server *server = calloc(1, sizeof *server);
    assert_non_null(server);
    mrpc_server_options mine = {.size = sizeof mine};
    if (options != NULL)
        mine = *options;
    if (mine.runtime == NULL) {
        if (mrpc_runtime_new(&server->runtime, NULL, &error) != 0)
            fail_msg("%s", mrpc_error_text(&error));
        mine.runtime = server->runtime;
    }
    if (mrpc_server_new(&server->server, &mine, &error) != 0 ||
        echo_Echo_serve(server->server, &echo_handlers, &server->seen) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    /* What a killed process listened at is in use for some milliseconds more while the kernel takes its io_uring apart.
     */
    int result = mrpc_server_listen(server->server, address, &error);
    for (int i = 0; i < 1000 && result == MRPC_EEXIST; i++) {
        usleep(5000);
        result = mrpc_server_listen(server->server, address, &error);
    }
    if (result != 0)
        fail_msg("%s", mrpc_error_text(&error));
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    return server;
}

const char *echo_server_address(const echo_server *server)
{
    return mrpc_server_address(server->server, 0);
}

mrpc_server *echo_server_mrpc(echo_server *server)
{
    return server->server;
}

echo_seen *echo_server_seen(echo_server *server)
{
    return &server->seen;
}

pthread_t echo_server_thread(const echo_server *server)
{
    return server->thread;
}

void echo_server_stop(echo_server *server, uint32_t drain_ms)
{
    void *failure;
    mrpc_server_stop(server->server, drain_ms);
    assert_int_equal(pthread_join(server->thread, &failure), 0);
    assert_null(failure);
    mrpc_server_free(server->server);
    mrpc_runtime_unref(server->runtime);
    free(server);
}

/* --- what tests begin with --- */

const setup every_setup[] = {
    {.name = "tcp, io_uring", .address = "tcp://127.0.0.1:0", .poller = MRPC_POLLER_AUTO},
    {.name = "tcp, epoll", .address = "tcp://127.0.0.1:0", .poller = MRPC_POLLER_EPOLL},
    {.name = "tcp, own thread", .address = "tcp://127.0.0.1:0", .thread = true},
    {.name = "shm", .address = "shm://mrpc-test-"},
    {.name = NULL},
};

/* Over the devices of tests/rdma/vm.sh. */
static const setup rdma_setups[] = {
    {.name = "rdma", .address = "rdma://10.99.0.1:0"},
    {.name = "rdma, epoll, own thread", .address = "rdma://10.99.0.1:0", .poller = MRPC_POLLER_EPOLL, .thread = true},
    {.name = "rdma with least",
     .address = "rdma://10.99.0.1:0",
     .connection = {.size = sizeof(mrpc_connection_options),
                    .rdma_window = 1,
                    .rdma_buffer = 1024,
                    .rdma_segments = 2,
                    .rdma_no_inline = true,
                    .rdma_no_srq = true}},
    {.name = NULL},
};

static bool is_over(const setup *how, const char *scheme)
{
    size_t size = strlen(scheme);
    return strncmp(how->address, scheme, size) == 0 && how->address[size] == ':';
}

/* Those of every_setup with that scheme. */
static const setup *setups_over(const char *scheme)
{
    static setup some[sizeof every_setup / sizeof every_setup[0]];
    size_t count = 0;
    for (const setup *how = every_setup; how->name != NULL; how++)
        if (is_over(how, scheme))
            some[count++] = *how;
    return some;
}

static const setup *setups(void)
{
    const char *transport = getenv("TEST_TRANSPORT");
    if (transport == NULL || *transport == '\0')
        return every_setup;
    return strcmp(transport, "rdma") == 0 ? rdma_setups : setups_over(transport);
}

mrpc_runtime *new_runtime(const setup *how)
{
    mrpc_error error;
    mrpc_runtime *runtime;
    const mrpc_runtime_options options = {.size = sizeof options, .poller = how->poller, .thread = how->thread};
    if (mrpc_runtime_new(&runtime, &options, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    return runtime;
}

mrpc_channel *new_channel(const setup *how, mrpc_runtime *runtime, const char *address)
{
    mrpc_error error;
    mrpc_channel *channel;
    const mrpc_channel_options options = {.size = sizeof options,
                                          .runtime = runtime,
                                          .backoff_min_ms = 10,
                                          .backoff_max_ms = 50,
                                          .connection = how->connection};
    if (mrpc_channel_new(&channel, address, &options, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    return channel;
}

echo_server *start_server(const setup *how, const char *address)
{
    const setup same = {.poller = how->poller};
    mrpc_runtime *runtime = new_runtime(&same);
    const mrpc_server_options options = {.size = sizeof options, .runtime = runtime, .connection = how->connection};
    echo_server *server = echo_server_start(address, &options);
    mrpc_runtime_unref(runtime);
    return server;
}

void set_up(fixture *f, const setup *how)
{
    memset(f, 0, sizeof *f);
    f->setup = how;
    char address[128];
    if (strncmp(how->address, "shm:", 4) == 0)
        (void)snprintf(address, sizeof address, "%s%d", how->address, (int)getpid());
    else
        (void)snprintf(address, sizeof address, "%s", how->address);
    f->server = start_server(how, address);
    f->runtime = new_runtime(how);
    f->channel = new_channel(how, f->runtime, echo_server_address(f->server));
    f->ping = echo_Ping_new(mrpc_channel_heap(f->channel));
    assert_non_null(f->ping);
}

void tear_down(fixture *f)
{
    mrpc_release(f->ping);
    mrpc_channel_close(f->channel);
    mrpc_runtime_unref(f->runtime);
    echo_server_stop(f->server, 1000);
}

void call_and_check(fixture *f, uint64_t number)
{
    const echo_Pong *pong = NULL;
    f->ping->number = number;
    mrpc_status status = echo_Echo_Unary(f->channel, f->ping, &pong, NULL);
    if (status.code != MRPC_OK)
        fail_msg("call %llu: %s: %s", (unsigned long long)number, mrpc_code_name(status.code), status.message);
    assert_int_equal(pong->number, number);
    assert_string_equal(pong->text.data, f->ping->text.data);
    assert_int_equal(pong->payload.size, f->ping->payload.size);
    if (pong->payload.size > 0)
        assert_memory_equal(pong->payload.data, f->ping->payload.data, pong->payload.size);
    mrpc_release(pong);
}

void drive_until(fixture *f, const _Atomic bool *flag)
{
    uint64_t limit = mrpc_runtime_now(f->runtime) + UINT64_C(60000000000);
    while (!atomic_load(flag)) {
        assert_true(mrpc_runtime_poll(f->runtime, 100) >= 0);
        assert_true(mrpc_runtime_now(f->runtime) < limit);
    }
}

void wait_for_cancelled(echo_server *server, uint64_t count)
{
    for (int i = 0; i < 60000 && atomic_load(&echo_server_seen(server)->cancelled) < count; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&echo_server_seen(server)->cancelled), count);
}

enum { TESTS_LIMIT = 256, NAME_LIMIT = 128 };

int run_named_tests(const named_test *tests, size_t count, int argc, char **argv)
{
    be_process(setups(), argc, argv);
    static struct CMUnitTest all[TESTS_LIMIT];
    static char names[TESTS_LIMIT][NAME_LIMIT];
    size_t total = 0;
    for (const setup *how = setups(); how->name != NULL; how++)
        for (size_t i = 0; i < count && total < TESTS_LIMIT; i++) {
            (void)snprintf(names[total], NAME_LIMIT, "%s [%s]", tests[i].name, how->name);
            if (argc > 1 && strstr(names[total], argv[1]) == NULL)
                continue;
            all[total] = (struct CMUnitTest){
                .name = names[total], .test_func = tests[i].run, .initial_state = (void *)(uintptr_t)how};
            total++;
        }
    return _cmocka_run_group_tests("runtime", all, total, NULL, NULL);
}
