/* SPDX-License-Identifier: BSD-2-Clause */
/* test_runtime_misc.c - options, descriptors for other loops, metadata, replaced handlers and modules, counters */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
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

#include "runtime/runtime.h"
#include "tests/unit/runtime_fixture.h"

/* --- options --- */

static void check_refused(int result, const mrpc_error *error, const char *word)
{
    assert_int_equal(result, MRPC_EINVAL);
    if (strstr(error->text, word) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error->text, word);
}

static void options_out_of_range_are_named(void **state)
{
    (void)state;
    mrpc_error error;
    mrpc_runtime *runtime;
    mrpc_channel *channel;
    mrpc_server *server;
#define RUNTIME(...)                                                                                                   \
    mrpc_runtime_new(&runtime, &(mrpc_runtime_options){.size = sizeof(mrpc_runtime_options), __VA_ARGS__}, &error)
#define CHANNEL(...)                                                                                                   \
    mrpc_channel_new(&channel, "tcp://127.0.0.1:1",                                                                    \
                     &(mrpc_channel_options){.size = sizeof(mrpc_channel_options), __VA_ARGS__}, &error)
    check_refused(mrpc_runtime_new(&runtime, &(mrpc_runtime_options){0}, &error), &error, "size");
    check_refused(RUNTIME(.spin_us = 1000001), &error, "spin_us");
    check_refused(RUNTIME(.poller = (mrpc_poller)9), &error, "poller");
    check_refused(CHANNEL(.connection.chunk = 100), &error, "chunk");
    check_refused(CHANNEL(.connection.max_message = UINT64_MAX), &error, "max_message");
    check_refused(CHANNEL(.connection.window = UINT64_MAX), &error, "window");
    check_refused(CHANNEL(.connection.max_message = 100000, .connection.max_unfinished = 99999), &error,
                  "max_unfinished is 99999: it must be between 100000 and");
    check_refused(CHANNEL(.connection.unsent = 4095), &error, "unsent");
    check_refused(CHANNEL(.connection.keepalive_s = 32768), &error, "keepalive_s");
    check_refused(CHANNEL(.connection.busy_poll_us = 1000001), &error, "busy_poll_us");
    check_refused(CHANNEL(.connection.send_buffer = UINT32_MAX), &error, "send_buffer");
    check_refused(CHANNEL(.connection.receive_buffer = UINT32_MAX), &error, "receive_buffer");
    check_refused(CHANNEL(.connection.rdma_window = 1025), &error, "rdma_window");
    check_refused(CHANNEL(.connection.rdma_buffer = 1023), &error, "rdma_buffer");
    check_refused(CHANNEL(.connection.rdma_buffer = 32776), &error, "rdma_buffer");
    check_refused(CHANNEL(.connection.rdma_segments = 1), &error, "rdma_segments");
    check_refused(CHANNEL(.connection.rdma_retry = 7), &error, "rdma_retry_forever");
    check_refused(CHANNEL(.connection.rdma_rnr_retry = 7), &error, "rdma_retry_forever");
    check_refused(CHANNEL(.connection.rdma_ack_timeout_us = 7), &error, "rdma_ack_timeout_us");
    check_refused(CHANNEL(.backoff_min_ms = 10, .backoff_max_ms = 5), &error, "backoff");
    check_refused(mrpc_channel_new(&channel, "nonsense", NULL, &error), &error, "tcp://");
    check_refused(mrpc_server_new(&server, &(mrpc_server_options){0}, &error), &error, "size");
    assert_int_equal(mrpc_channel_new(&channel, "carrier://pigeon", NULL, &error), MRPC_ENOTSUP);
    assert_non_null(strstr(error.text, "tcp://"));
    assert_null(channel);
}

static void options_of_a_newer_program_are_refused_when_they_are_used(void **state)
{
    (void)state;
    struct {
        mrpc_runtime_options known;
        uint64_t unknown;
    } newer = {.known.size = sizeof newer};
    mrpc_error error;
    mrpc_runtime *runtime;
    assert_int_equal(mrpc_runtime_new(&runtime, &newer.known, &error), 0);
    mrpc_runtime_unref(runtime);
    newer.unknown = 1;
    assert_int_equal(mrpc_runtime_new(&runtime, &newer.known, &error), MRPC_EINVAL);
    /* And an older program leaves the rest at the defaults. */
    mrpc_runtime_options older = {.size = offsetof(mrpc_runtime_options, spin_us), .spin_us = UINT32_MAX};
    assert_int_equal(mrpc_runtime_new(&runtime, &older, &error), 0);
    mrpc_runtime_unref(runtime);
}

/* Bytes of addresses that this process has; threads that have been leave some with malloc. */
static rlim_t addresses(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        _exit(2);
    (void)fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* Asks for a channel, with a runtime of these limits, where one GB of addresses is left. In a child, since what was
 * lowered stays so. */
static void expect_channel(size_t receive, size_t reply, size_t requests, const char *words)
{
    pid_t pid = fork();
    if (pid == 0) {
        const rlim_t most = addresses() + 1000000000;
        const struct rlimit room = {.rlim_cur = most, .rlim_max = most};
        mrpc_runtime_options limits = {.size = sizeof limits, .heap_limit = receive, .reply_heap_limit = reply};
        mrpc_channel_options options = {.size = sizeof options, .heap_limit = requests};
        mrpc_channel *channel;
        mrpc_error error = {0};
        if (setrlimit(RLIMIT_AS, &room) != 0)
            _exit(2);
        int result = mrpc_runtime_new(&options.runtime, &limits, &error);
        if (result == 0)
            result = mrpc_channel_new(&channel, "tcp://127.0.0.1:1", &options, &error);
        _exit(result == 0 ? words != NULL : words == NULL || strstr(error.text, words) == NULL);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void heaps_fit_into_an_address_space_and_errors_name_their_options(void **state)
{
    (void)state;
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    skip(); /* sanitizers take more addresses than the limit */
#endif
    const size_t small = 16 << 20, large = (size_t)2 << 30;
    expect_channel(small, small, small, NULL);
    expect_channel(large, large, small, "mrpc_runtime_options.");
    expect_channel(large, small, small, "mrpc_runtime_options.heap_limit");
    expect_channel(small, large, small, "mrpc_runtime_options.reply_heap_limit");
    expect_channel(small, small, large, "mrpc_channel_options.heap_limit");
}

/* --- the control socket --- */

static mrpc_runtime *runtime_with(const char *control)
{
    mrpc_runtime *runtime;
    mrpc_error error;
    const mrpc_runtime_options options = {.size = sizeof options, .control = control};
    if (mrpc_runtime_new(&runtime, &options, &error) != 0)
        fail_msg("%s", error.text);
    return runtime;
}

static void expect_socket(const char *folder, int number)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%d-%d.sock", folder, (int)getpid(), number);
    assert_int_equal(access(path, F_OK), 0);
}

static void runtimes_of_one_environment_get_along(void **state)
{
    (void)state;
    char folder[] = "/tmp/mrpc-control-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    setenv("MRPC_CONTROL", path, 1);
    mrpc_runtime *first = runtime_with(NULL), *second = runtime_with(NULL), *refused;
    mrpc_error error;
    const mrpc_runtime_options taken = {.size = sizeof taken, .control = path};
    assert_int_equal(mrpc_runtime_new(&refused, &taken, &error), MRPC_EEXIST);
    mrpc_runtime_unref(second);
    assert_int_equal(access(path, F_OK), 0); /* the first one's */
    mrpc_runtime_unref(first);
    assert_int_not_equal(access(path, F_OK), 0);

    setenv("MRPC_CONTROL", folder, 1);
    first = runtime_with(NULL), second = runtime_with(NULL);
    expect_socket(folder, 1);
    expect_socket(folder, 2);
    mrpc_runtime *none = runtime_with("");
    mrpc_runtime_unref(none);
    mrpc_runtime_unref(first);
    mrpc_runtime_unref(second);
    unsetenv("MRPC_CONTROL");
    assert_int_equal(rmdir(folder), 0); /* nothing was left in it */
}

/* --- for programs with a loop of their own --- */

typedef struct outcome {
    _Atomic bool ended;
    mrpc_code code;
} outcome;

static void note_outcome(void *state, const mrpc_status *status, const echo_Pong *reply)
{
    outcome *mine = state;
    mine->code = status->code;
    mrpc_release(reply);
    atomic_store(&mine->ended, true);
}

/* Does nothing unless the descriptor says so. */
static void poll_until(fixture *f, int fd, const _Atomic bool *flag)
{
    while (!atomic_load(flag)) {
        struct pollfd watched = {.fd = fd, .events = POLLIN};
        int ready = poll(&watched, 1, 60000);
        assert_int_equal(ready, 1);
        assert_true(mrpc_runtime_poll(f->runtime, 0) >= 0);
    }
}

static void descriptor_says_when_there_is_something_to_do(void **state)
{
    fixture f;
    if (((const setup *)*state)->thread)
        return; /* that thread does all there is to do, and the descriptor has nothing to say */
    set_up(&f, *state);
    int fd = mrpc_runtime_fd(f.runtime);
    assert_true(fd >= 0);
    for (int i = 0; i < 20; i++) {
        outcome mine = {0};
        f.ping->action = i % 4 == 3 ? echo_LATE : echo_REPLY;
        assert_int_equal(echo_Echo_Unary_start(f.channel, f.ping, NULL, note_outcome, &mine, NULL), 0);
        poll_until(&f, fd, &mine.ended);
        assert_int_equal(mine.code, MRPC_OK);
    }
    tear_down(&f);
}

static void descriptor_becomes_readable_for_timers(void **state)
{
    fixture f;
    outcome mine = {0};
    if (((const setup *)*state)->thread)
        return; /* as above */
    set_up(&f, *state);
    int fd = mrpc_runtime_fd(f.runtime);
    f.ping->action = echo_NEVER;
    assert_int_equal(
        echo_Echo_Unary_start(f.channel, f.ping, MRPC_CALL_OPTIONS(.timeout_ms = 20), note_outcome, &mine, NULL), 0);
    poll_until(&f, fd, &mine.ended);
    assert_int_equal(mine.code, MRPC_DEADLINE_EXCEEDED);
    tear_down(&f);
}

static void queue_descriptor_is_readable_while_there_are_events(void **state)
{
    enum { CALLS = 10 };
    fixture f;
    mrpc_queue *queue;
    mrpc_unary_result results[CALLS];
    set_up(&f, *state);
    assert_int_equal(mrpc_queue_new(&queue, f.runtime, CALLS, NULL), 0);
    struct pollfd watched = {.fd = mrpc_queue_fd(queue), .events = POLLIN};
    assert_true(watched.fd >= 0);
    assert_int_equal(mrpc_queue_fd(queue), watched.fd);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(echo_Echo_Unary_submit(f.channel, f.ping, NULL, queue, &results[i], &results[i]), 0);
    for (int taken = 0; taken < CALLS;) {
        void *tag;
        assert_int_equal(poll(&watched, 1, 60000), 1);
        /* One for each time it was readable: it must stay so while there are more. */
        int result = mrpc_queue_next(queue, &tag, 0);
        assert_true(result >= 0);
        if (result == 0)
            continue;
        assert_int_equal(((mrpc_unary_result *)tag)->status.code, MRPC_OK);
        mrpc_release(((mrpc_unary_result *)tag)->reply);
        taken++;
    }
    mrpc_queue_free(queue);
    tear_down(&f);
}

/* Events come while the one who takes them finds that there are none left. */
static void queue_descriptor_tells_of_each_event(void **state)
{
    enum { AT_ONCE = 4, CALLS = 4000 };
    fixture f;
    mrpc_queue *queue;
    mrpc_unary_result results[AT_ONCE];
    set_up(&f, *state);
    assert_int_equal(mrpc_queue_new(&queue, f.runtime, AT_ONCE, NULL), 0);
    struct pollfd watched = {.fd = mrpc_queue_fd(queue), .events = POLLIN};
    int started = 0;
    for (; started < AT_ONCE; started++)
        assert_int_equal(echo_Echo_Unary_submit(f.channel, f.ping, NULL, queue, &results[started], &results[started]),
                         0);
    for (int taken = 0; taken < CALLS; taken++) {
        void *tag;
        while (mrpc_queue_next(queue, &tag, 0) == 0)
            assert_int_equal(poll(&watched, 1, 60000), 1);
        mrpc_unary_result *result = tag;
        assert_int_equal(result->status.code, MRPC_OK);
        mrpc_release(result->reply);
        if (started++ < CALLS)
            assert_int_equal(echo_Echo_Unary_submit(f.channel, f.ping, NULL, queue, result, result), 0);
    }
    mrpc_queue_free(queue);
    tear_down(&f);
}

static void *wake_soon(void *argument)
{
    usleep(20000);
    mrpc_runtime_wake(argument);
    return NULL;
}

static void waking_ends_a_poll_that_waits(void **state)
{
    fixture f;
    pthread_t thread;
    set_up(&f, *state);
    mrpc_runtime_wake(f.runtime);
    assert_true(mrpc_runtime_poll(f.runtime, -1) >= 0);
    assert_int_equal(pthread_create(&thread, NULL, wake_soon, f.runtime), 0);
    assert_true(mrpc_runtime_poll(f.runtime, -1) >= 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    tear_down(&f);
}

/* --- metadata --- */

static void answer_with_metadata(echo_Echo_Down_call *typed, const echo_Ping *request, void *state)
{
    mrpc_call *call = echo_Echo_Down_untyped(typed);
    (void)state;
    (void)request;
    size_t size = 0;
    const char *value = mrpc_call_get_metadata(call, "question-bin", &size);
    bool good = value != NULL && size == 3 && memcmp(value, "\x00\x01\x02", 3) == 0 &&
                mrpc_call_get_metadata(call, "absent", NULL) == NULL &&
                mrpc_call_get_metadata(call, ":method", NULL) == NULL;
    good = good && mrpc_call_add_metadata(call, &(mrpc_metadata){"header", "one", 3}) == 0;
    good = good && mrpc_call_add_metadata(call, &(mrpc_metadata){"Header", "one", 3}) == MRPC_EINVAL;
    echo_Pong *pong = echo_Pong_new(mrpc_call_heap(call));
    good = good && mrpc_call_send(call, pong) == 0;
    good = good && mrpc_call_add_metadata(call, &(mrpc_metadata){"trailer", "two", 3}) == 0;
    (void)mrpc_call_fail(call, good ? MRPC_NOT_FOUND : MRPC_INTERNAL, "with a trailer");
}

typedef struct seen_metadata {
    bool header, trailer;
    _Atomic bool ended;
    mrpc_code code;
} seen_metadata;

static bool has_value(mrpc_call *call, const char *key, const char *wanted)
{
    size_t size = 0;
    const char *value = mrpc_call_get_metadata(call, key, &size);
    return value != NULL && size == strlen(wanted) && memcmp(value, wanted, size) == 0;
}

static void look_for_header(void *state, mrpc_call *call, const void *message)
{
    ((seen_metadata *)state)->header = has_value(call, "header", "one");
    mrpc_release(message);
}

static void look_for_trailer(void *state, mrpc_call *call, const mrpc_status *status)
{
    seen_metadata *mine = state;
    mine->trailer = has_value(call, "trailer", "two");
    mine->code = status->code;
    atomic_store(&mine->ended, true);
}

static void metadata_travels_both_ways(void **state)
{
    static const mrpc_call_callbacks callbacks = {
        .size = sizeof callbacks, .on_message = look_for_header, .on_end = look_for_trailer};
    fixture f;
    mrpc_call *call;
    set_up(&f, *state);
    const echo_Echo_handlers handlers = {.Down = answer_with_metadata};
    assert_int_equal(mrpc_server_replace(echo_server_mrpc(f.server), &echo_Echo_service, &handlers, NULL, NULL, NULL),
                     0);
    const mrpc_metadata question = {"question-bin", "\x00\x01\x02", 3};
    for (int i = 0; i < 2; i++) { /* by name and by number */
        seen_metadata mine = {0};
        assert_int_equal(mrpc_call_open(f.channel, &echo_Echo_methods[1], f.ping,
                                        MRPC_CALL_OPTIONS(.metadata = &question, .metadata_count = 1), &callbacks,
                                        &mine, &call),
                         0);
        drive_until(&f, &mine.ended);
        assert_int_equal(mine.code, MRPC_NOT_FOUND);
        assert_true(mine.header);
        assert_true(mine.trailer);
    }
    tear_down(&f);
}

static void reply_with_metadata(echo_Echo_Unary_call *typed, const echo_Ping *request, void *state)
{
    mrpc_call *call = echo_Echo_Unary_untyped(typed);
    (void)request;
    (void)state;
    mrpc_metadata_list *asked = mrpc_call_copy_metadata(call);
    bool good = asked != NULL && asked->count == 2 && strcmp(asked->items[0].key, "which") == 0 &&
                strcmp(asked->items[1].key, "which") == 0 && strcmp(asked->items[0].value, "first") == 0 &&
                strcmp(asked->items[1].value, "") == 0 && asked->items[1].size == 0;
    for (size_t i = 0; good && i < asked->count; i++)
        good = mrpc_call_add_metadata(call, &asked->items[i]) == 0;
    mrpc_metadata_list_free(asked);
    if (good)
        (void)echo_Echo_Unary_reply(typed, echo_Pong_new(mrpc_call_heap(call)));
    else
        (void)mrpc_call_fail(call, MRPC_INTERNAL, "the metadata is not what was sent");
}

static void fail_with_metadata(echo_Echo_Unary_call *typed, const echo_Ping *request, void *state)
{
    (void)request;
    (void)state;
    mrpc_call *call = echo_Echo_Unary_untyped(typed);
    (void)mrpc_call_add_metadata(call, &(mrpc_metadata){"why-bin", "\x00\xFF", 2});
    (void)mrpc_call_fail(call, MRPC_NOT_FOUND, "with a trailer");
}

static void check_which(mrpc_metadata_list *list)
{
    assert_non_null(list);
    assert_int_equal(list->count, 2);
    assert_string_equal(list->items[0].key, "which");
    assert_int_equal(list->items[0].size, 5);
    assert_string_equal(list->items[0].value, "first");
    assert_string_equal(list->items[1].key, "which");
    assert_int_equal(list->items[1].size, 0);
    mrpc_metadata_list_free(list);
}

static void note_unary_end(void *state, const mrpc_status *status, const void *reply)
{
    seen_metadata *mine = state;
    mine->code = status->code;
    mrpc_release(reply);
    atomic_store(&mine->ended, true);
}

static void replies_bring_their_metadata_in_all_styles(void **state)
{
    static const mrpc_metadata which[] = {{"which", "first", 5}, {"which", "", 0}};
    const mrpc_method *method = &echo_Echo_methods[0];
    fixture f;
    set_up(&f, *state);
    mrpc_server *server = echo_server_mrpc(f.server);
    const echo_Echo_handlers replying = {.Unary = reply_with_metadata}, failing = {.Unary = fail_with_metadata};
    assert_int_equal(mrpc_server_replace(server, &echo_Echo_service, &replying, NULL, NULL, NULL), 0);

    mrpc_metadata_list *list = (mrpc_metadata_list *)&f; /* it need not be initialised */
    const mrpc_call_options options = {
        .size = sizeof options, .metadata = which, .metadata_count = 2, .received = &list};
    const void *reply;
    mrpc_status status = mrpc_call_unary(f.channel, method, f.ping, &reply, &options);
    assert_string_equal(status.message, "");
    mrpc_release(reply);
    check_which(list);

    seen_metadata mine = {0};
    assert_int_equal(mrpc_call_unary_start(f.channel, method, f.ping, &options, note_unary_end, NULL, &mine, NULL), 0);
    drive_until(&f, &mine.ended);
    assert_int_equal(mine.code, MRPC_OK);
    check_which(list);

    mrpc_queue *queue;
    void *tag;
    mrpc_unary_result result;
    assert_int_equal(mrpc_queue_new(&queue, f.runtime, 1, NULL), 0);
    assert_int_equal(mrpc_call_unary_submit(f.channel, method, f.ping, &options, queue, &mine, &result), 0);
    assert_int_equal(mrpc_queue_next(queue, &tag, 10000), 1);
    mrpc_release(result.reply);
    check_which(list);
    mrpc_queue_free(queue);

    assert_int_equal(mrpc_server_replace(server, &echo_Echo_service, &failing, NULL, NULL, NULL), 0);
    status = mrpc_call_unary(f.channel, method, f.ping, &reply, MRPC_CALL_OPTIONS(.received = &list));
    assert_int_equal(status.code, MRPC_NOT_FOUND);
    assert_non_null(list);
    assert_int_equal(list->count, 1);
    assert_string_equal(list->items[0].key, "why-bin");
    assert_memory_equal(list->items[0].value, "\x00\xFF", 2);
    mrpc_metadata_list_free(list);

    list = (mrpc_metadata_list *)&f;
    status = mrpc_call_unary(f.channel, NULL, f.ping, &reply, MRPC_CALL_OPTIONS(.received = &list));
    assert_int_equal(status.code, MRPC_INVALID_ARGUMENT);
    assert_null(list);
    mrpc_call *stream;
    assert_int_equal(mrpc_call_open(f.channel, &echo_Echo_methods[1], f.ping, MRPC_CALL_OPTIONS(.received = &list),
                                    NULL, NULL, &stream),
                     MRPC_EINVAL);
    tear_down(&f);
}

/* --- handlers that are replaced --- */

static void retire(void *context)
{
    atomic_fetch_add((_Atomic int *)context, 1);
}

static void say_new(echo_Echo_Unary_call *call, const echo_Ping *request, void *state)
{
    (void)state;
    echo_Pong *pong = echo_Pong_new(echo_Echo_Unary_heap(call));
    pong->number = request->number + 1000;
    (void)echo_Echo_Unary_reply(call, pong);
}

static void replaced_handlers_finish_their_calls_and_retire(void **state)
{
    fixture f;
    outcome old = {0};
    _Atomic int retired = 0;
    set_up(&f, *state);
    call_and_check(&f, 1);
    const echo_Ping slow = {.action = echo_NEVER};
    mrpc_call *call;
    assert_int_equal(echo_Echo_Unary_start(f.channel, &slow, NULL, note_outcome, &old, &call), 0);
    for (int i = 0; i < 60000 && atomic_load(&echo_server_seen(f.server)->handled) < 2; i++)
        (void)mrpc_runtime_poll(f.runtime, 1);
    const echo_Echo_handlers handlers = {.Unary = say_new};
    assert_int_equal(mrpc_server_replace(echo_server_mrpc(f.server), &echo_Echo_service, &handlers, NULL, retire,
                                         (void *)(uintptr_t)&retired),
                     0);
    const echo_Pong *pong;
    assert_int_equal(echo_Echo_Unary(f.channel, &(echo_Ping){.number = 5}, &pong, NULL).code, MRPC_OK);
    assert_int_equal(pong->number, 1005);
    mrpc_release(pong);
    assert_int_equal(atomic_load(&retired), 0);
    mrpc_call_cancel(call);
    drive_until(&f, &old.ended);
    for (int i = 0; i < 60000 && atomic_load(&retired) == 0; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&retired), 1);
    tear_down(&f);
}

/* --- handlers that call --- */

static void relayed(void *state, const mrpc_status *status, const echo_Pong *pong)
{
    mrpc_call *call = state;
    echo_Pong *copy = status->code == MRPC_OK ? echo_Pong_new(mrpc_call_heap(call)) : NULL;
    if (copy == NULL) {
        (void)mrpc_call_fail(call, status->code, "%s", status->message);
        return;
    }
    copy->number = pong->number + 1;
    mrpc_release(pong);
    assert_int_equal(mrpc_call_reply(call, copy), 0);
}

/* The state is the channel to the next server. */
static void relay(echo_Echo_Unary_call *call, const echo_Ping *request, void *state)
{
    mrpc_call *untyped = echo_Echo_Unary_untyped(call);
    assert_int_equal(echo_Echo_Unary_start(state, request, NULL, relayed, untyped, NULL), 0);
}

static void *drive_server(void *server)
{
    return mrpc_server_run(server) == 0 ? NULL : server;
}

/* A call goes through two servers on one engine to a third one, and a failure comes back all the way. */
static void handlers_call_other_servers(void **state)
{
    static const echo_Echo_handlers handlers = {.Unary = relay};
    enum { RELAYS = 2, CALLS = 50 };
    fixture f;
    set_up(&f, *state);
    const setup how = {.poller = f.setup->poller, .connection = f.setup->connection};
    mrpc_runtime *runtime = new_runtime(&how);
    mrpc_server *relays[RELAYS];
    mrpc_channel *channels[RELAYS + 1];
    char address[128];
    (void)snprintf(address, sizeof address, "%s", echo_server_address(f.server));
    for (int i = 0; i < RELAYS; i++) {
        mrpc_error error;
        channels[i] = new_channel(&how, runtime, address);
        const mrpc_server_options options = {.size = sizeof options, .runtime = runtime, .connection = how.connection};
        assert_int_equal(mrpc_server_new(&relays[i], &options, &error), 0);
        assert_int_equal(echo_Echo_serve(relays[i], &handlers, channels[i]), 0);
        bool shm = strncmp(f.setup->address, "shm:", 4) == 0;
        (void)snprintf(address, sizeof address, shm ? "%s%d-%d" : "%s", f.setup->address, (int)getpid(), i);
        assert_int_equal(mrpc_server_listen(relays[i], address, &error), 0);
        (void)snprintf(address, sizeof address, "%s", mrpc_server_address(relays[i], 0));
    }
    channels[RELAYS] = new_channel(f.setup, f.runtime, address);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drive_server, relays[0]), 0);
    for (int i = 0; i < CALLS; i++) {
        const echo_Ping ping = {.number = (uint64_t)i, .action = i % 10 == 9 ? echo_FAIL : echo_REPLY};
        const echo_Pong *pong = NULL;
        mrpc_status status = echo_Echo_Unary(channels[RELAYS], &ping, &pong, NULL);
        assert_int_equal(status.code, ping.action == echo_FAIL ? MRPC_ABORTED : MRPC_OK);
        if (pong != NULL)
            assert_int_equal(pong->number, i + RELAYS);
        mrpc_release(pong);
    }
    void *failure;
    mrpc_channel_close(channels[RELAYS]);
    for (int i = RELAYS - 1; i >= 0; i--)
        mrpc_server_stop(relays[i], 1000);
    assert_int_equal(pthread_join(thread, &failure), 0);
    assert_null(failure);
    for (int i = 0; i < RELAYS; i++) {
        mrpc_server_free(relays[i]);
        mrpc_channel_close(channels[i]);
    }
    mrpc_runtime_unref(runtime);
    tear_down(&f);
}

static void services_are_added_once(void **state)
{
    fixture f;
    set_up(&f, *state);
    const echo_Echo_handlers handlers = {0};
    mrpc_server *server = echo_server_mrpc(f.server);
    assert_int_equal(mrpc_server_add(server, &echo_Echo_service, &handlers, NULL), MRPC_EEXIST);
    assert_int_equal(mrpc_server_add(server, NULL, &handlers, NULL), MRPC_EINVAL);
    mrpc_service other = echo_Echo_service;
    other.name = "echo.Other";
    assert_int_equal(mrpc_server_replace(server, &other, &handlers, NULL, NULL, NULL), MRPC_ENOENT);
    other.name = "echo.Echo";
    other.method_count = 2;
    assert_int_equal(mrpc_server_replace(server, &other, &handlers, NULL, NULL, NULL), MRPC_EINVAL);
    assert_null(mrpc_server_address(server, 1));
    mrpc_error error;
    assert_int_equal(mrpc_server_listen(server, "tcp://", &error), MRPC_EINVAL);
    tear_down(&f);
}

static void free_the_server(echo_Echo_Unary_call *call, const echo_Ping *request, void *state)
{
    (void)request;
    mrpc_server_free(*(mrpc_server **)state);
    assert_int_equal(echo_Echo_Unary_reply(call, echo_Pong_new(echo_Echo_Unary_heap(call))), 0);
}

static void server_can_be_freed_in_its_handler(void **state)
{
    const setup *how = *state;
    mrpc_error error;
    mrpc_server *server;
    char address[128];
    bool shm = strncmp(how->address, "shm:", 4) == 0;
    (void)snprintf(address, sizeof address, shm ? "%sfree-%d" : "%s", how->address, (int)getpid());
    mrpc_runtime *runtime = new_runtime(how);
    const mrpc_server_options options = {.size = sizeof options, .runtime = runtime};
    const echo_Echo_handlers handlers = {.Unary = free_the_server};
    assert_int_equal(mrpc_server_new(&server, &options, &error), 0);
    assert_int_equal(echo_Echo_serve(server, &handlers, &server), 0);
    assert_int_equal(mrpc_server_listen(server, address, &error), 0);
    mrpc_channel *channel = new_channel(how, runtime, mrpc_server_address(server, 0));
    const echo_Pong *pong;
    assert_int_equal(echo_Echo_Unary(channel, &(echo_Ping){.number = 1}, &pong, NULL).code, MRPC_OK);
    mrpc_release(pong);
    mrpc_status status = echo_Echo_Unary(channel, &(echo_Ping){.number = 2}, NULL, NULL);
    assert_int_equal(status.code, MRPC_UNAVAILABLE);
    mrpc_channel_close(channel);
    mrpc_runtime_unref(runtime);
}

/* --- answers --- */

static void answer_twice(echo_Echo_Unary_call *typed, const echo_Ping *request, void *state)
{
    mrpc_call *call = echo_Echo_Unary_untyped(typed);
    _Atomic int *results = state;
    (void)request;
    echo_Pong *pong = echo_Pong_new(mrpc_call_heap(call)), *again = echo_Pong_new(mrpc_call_heap(call));
    atomic_store(&results[0], mrpc_call_reply(call, pong));
    atomic_store(&results[1], mrpc_call_reply(call, again));
    atomic_store(&results[2], mrpc_call_fail(call, MRPC_ABORTED, "too late"));
    atomic_store(&results[3],
                 mrpc_call_set_callbacks(call, &(mrpc_call_callbacks){.size = sizeof(mrpc_call_callbacks)}, NULL));
}

static void second_answer_is_refused(void **state)
{
    fixture f;
    _Atomic int results[4] = {9, 9, 9, 9};
    set_up(&f, *state);
    const echo_Echo_handlers handlers = {.Unary = answer_twice};
    assert_int_equal(mrpc_server_replace(echo_server_mrpc(f.server), &echo_Echo_service, &handlers,
                                         (void *)(uintptr_t)results, NULL, NULL),
                     0);
    assert_int_equal(echo_Echo_Unary(f.channel, f.ping, NULL, NULL).code, MRPC_OK);
    assert_int_equal(atomic_load(&results[0]), 0);
    assert_int_equal(atomic_load(&results[1]), MRPC_ECLOSED);
    assert_int_equal(atomic_load(&results[2]), MRPC_ECLOSED);
    assert_int_equal(atomic_load(&results[3]), MRPC_EINVAL);
    tear_down(&f);
}

static const echo_Ping *_Atomic kept;

static void keep_request(echo_Echo_Unary_call *typed, const echo_Ping *request, void *state)
{
    mrpc_call *call = echo_Echo_Unary_untyped(typed);
    (void)state;
    mrpc_call_keep(call);
    atomic_store(&kept, request);
    (void)mrpc_call_reply(call, echo_Pong_new(mrpc_call_heap(call)));
}

static void kept_request_outlives_its_call(void **state)
{
    fixture f;
    set_up(&f, *state);
    const echo_Echo_handlers handlers = {.Unary = keep_request};
    assert_int_equal(mrpc_server_replace(echo_server_mrpc(f.server), &echo_Echo_service, &handlers, NULL, NULL, NULL),
                     0);
    f.ping->number = 77;
    assert_int_equal(mrpc_string_set(f.ping, &f.ping->text, "keep me"), 0);
    assert_int_equal(echo_Echo_Unary(f.channel, f.ping, NULL, NULL).code, MRPC_OK);
    const echo_Ping *request = atomic_load(&kept);
    assert_int_equal(request->number, 77);
    assert_string_equal(request->text.data, "keep me");
    mrpc_release(request);
    tear_down(&f);
}

/* --- modules and stamps --- */

static void install(void *argument)
{
    mrpc_runtime *runtime = argument;
    static mrpc_module other;
    other = *echo_Echo_service.file->linked;
    other.stamp = "other build";
    mrpc_module_source retired;
    mrpc_error error;
    const mrpc_module_source source = {.module = &other, .path = "/somewhere/echo.so"};
    mrpc_module_version *version = mrpc_modules_new_version(&source);
    mrpc_module_entry *entry;
    assert_non_null(version);
    if (mrpc_modules_install(runtime, version, &entry, &retired, &error) != 0)
        print_error("%s\n", error.text);
}

static void modules_are_replaced_and_rolled_back(void **state)
{
    fixture f;
    mrpc_module_info infos[4];
    mrpc_error error;
    set_up(&f, *state);
    for (uint64_t i = 0; i < 10; i++)
        call_and_check(&f, i);
    assert_int_equal(mrpc_runtime_modules(f.runtime, infos, 4), 1);
    assert_true(infos[0].current);
    assert_int_equal(infos[0].version, 1);
    assert_int_equal(infos[0].messages, 20);
    assert_int_equal(mrpc_engine_run_exclusive(&f.runtime->engine, install, f.runtime), 0);
    for (uint64_t i = 0; i < 5; i++)
        call_and_check(&f, i);
    assert_int_equal(mrpc_runtime_modules(f.runtime, infos, 4), 2);
    assert_int_equal(infos[0].version, 2);
    assert_int_equal(infos[0].messages, 10);
    assert_string_equal(infos[0].stamp, "other build");
    assert_string_equal(infos[0].path, "/somewhere/echo.so");
    assert_int_equal(infos[1].messages, 20);
    assert_int_equal(mrpc_runtime_rollback(f.runtime, "echo.proto", NULL, &error), 0);
    call_and_check(&f, 1);
    assert_int_equal(mrpc_runtime_modules(f.runtime, infos, 4), 2);
    assert_int_equal(infos[0].version, 1);
    assert_int_equal(infos[0].messages, 22);
    assert_int_equal(mrpc_runtime_rollback(f.runtime, "nothing.proto", NULL, &error), MRPC_ENOENT);
    mrpc_counters counters = {.size = sizeof counters};
    mrpc_runtime_get_counters(f.runtime, &counters);
    assert_int_equal(counters.module_swaps, 2);
    tear_down(&f);
}

static mrpc_runtime *new_stamping_runtime(const setup *how)
{
    mrpc_error error;
    mrpc_runtime *runtime;
    const mrpc_runtime_options options = {.size = sizeof options, .poller = how->poller, .stamps = true};
    if (mrpc_runtime_new(&runtime, &options, &error) != 0)
        fail_msg("%s", error.text);
    return runtime;
}

static void stamps_say_which_build_wrote_a_message(void **state)
{
    const setup *how = *state;
    fixture f;
    mrpc_stamp_count stamps[4];
    set_up(&f, how); /* the server does not want stamps: then none are sent */
    mrpc_runtime *runtime = new_stamping_runtime(how), *server_runtime = new_stamping_runtime(how);
    mrpc_channel *channel = new_channel(how, runtime, echo_server_address(f.server));
    assert_int_equal(echo_Echo_Unary(channel, f.ping, NULL, NULL).code, MRPC_OK);
    assert_int_equal(mrpc_runtime_stamps(runtime, stamps, 4), 0);
    mrpc_channel_close(channel);
    char address[128];
    (void)snprintf(address, sizeof address, "%s",
                   strncmp(how->address, "shm", 3) == 0 ? "shm://mrpc-test-stamps" : how->address);
    echo_server *server = echo_server_start(
        address, &(mrpc_server_options){.size = sizeof(mrpc_server_options), .runtime = server_runtime});
    channel = new_channel(how, runtime, echo_server_address(server));
    for (int i = 0; i < 10; i++)
        assert_int_equal(echo_Echo_Unary(channel, f.ping, NULL, NULL).code, MRPC_OK);
    assert_int_equal(mrpc_runtime_stamps(runtime, stamps, 4), 1);
    assert_int_equal(stamps[0].messages, 10);
    assert_string_equal(stamps[0].stamp, echo_Echo_service.file->linked->stamp);
    assert_int_equal(mrpc_runtime_stamps(server_runtime, stamps, 4), 1);
    assert_int_equal(stamps[0].messages, 10);
    mrpc_channel_close(channel);
    mrpc_runtime_unref(runtime);
    echo_server_stop(server, 1000);
    mrpc_runtime_unref(server_runtime);
    tear_down(&f);
}

/* --- what a call costs --- */

static void steady_state_allocates_nothing(void **state)
{
    fixture f;
    set_up(&f, *state);
    for (uint64_t i = 0; i < 50; i++)
        call_and_check(&f, i);
    mrpc_counters before = {.size = sizeof before}, after = {.size = sizeof after};
    mrpc_runtime_get_counters(f.runtime, &before);
    for (uint64_t i = 0; i < 200; i++)
        call_and_check(&f, i);
    mrpc_runtime_get_counters(f.runtime, &after);
    assert_int_equal(after.allocations, before.allocations);
    assert_int_equal(after.calls_started - before.calls_started, 200);
    assert_int_equal(after.calls_ended - before.calls_ended, 200);
    assert_int_equal(after.messages_sent - before.messages_sent, 200);
    assert_int_equal(after.messages_received - before.messages_received, 200);
    tear_down(&f);
}

int main(int argc, char **argv)
{
    static const named_test tests[] = {
        NAMED_TEST(options_out_of_range_are_named),
        NAMED_TEST(options_of_a_newer_program_are_refused_when_they_are_used),
        NAMED_TEST(heaps_fit_into_an_address_space_and_errors_name_their_options),
        NAMED_TEST(runtimes_of_one_environment_get_along),
        NAMED_TEST(descriptor_says_when_there_is_something_to_do),
        NAMED_TEST(descriptor_becomes_readable_for_timers),
        NAMED_TEST(queue_descriptor_is_readable_while_there_are_events),
        NAMED_TEST(queue_descriptor_tells_of_each_event),
        NAMED_TEST(waking_ends_a_poll_that_waits),
        NAMED_TEST(metadata_travels_both_ways),
        NAMED_TEST(replies_bring_their_metadata_in_all_styles),
        NAMED_TEST(replaced_handlers_finish_their_calls_and_retire),
        NAMED_TEST(handlers_call_other_servers),
        NAMED_TEST(services_are_added_once),
        NAMED_TEST(server_can_be_freed_in_its_handler),
        NAMED_TEST(second_answer_is_refused),
        NAMED_TEST(kept_request_outlives_its_call),
        NAMED_TEST(modules_are_replaced_and_rolled_back),
        NAMED_TEST(stamps_say_which_build_wrote_a_message),
        NAMED_TEST(steady_state_allocates_nothing),
    };
    return run_named_tests(tests, sizeof tests / sizeof tests[0], argc, argv);
}
