/* SPDX-License-Identifier: BSD-2-Clause */
/* test_running.c - modules of a server and a client that run in this process are replaced, by C calls, while calls are
 * made; over tcp, or with TEST_TRANSPORT=rdma over that */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <mrpc/mrpc.h>
#include <mrpc/service_module.h>

#include "hello.mrpc.h"
#include "tests/unit/upgrade/build.h"

/* --- a server with a thread of its own, and a channel to it --- */

static mrpc_runtime *server_runtime, *client_runtime;
static mrpc_server *server;
static mrpc_channel *channel;

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : otherwise;
}

static void ok(int result, const mrpc_error *error)
{
    if (result != 0)
        fail_msg("%d %s", result, mrpc_error_text(error));
}

static bool over_rdma(void)
{
    return strcmp(environment("TEST_TRANSPORT", "tcp"), "rdma") == 0;
}

/* The modules that are built here, and the transport, if it is one that is loaded. */
static const char *module_path(void)
{
    static char path[4096];
    (void)snprintf(path, sizeof path, "%s:%s", test_folder(), environment("MRPC_MODULE_PATH", ""));
    return path;
}

static int begin(void **state)
{
    (void)state;
    mrpc_error error = {0};
    mrpc_runtime_options options = {
        .size = sizeof options, .thread = true, .stamps = true, .module_path = module_path()};
    ok(mrpc_runtime_new(&server_runtime, &options, &error), &error);
    options.thread = false;
    ok(mrpc_runtime_new(&client_runtime, &options, &error), &error);
    ok(mrpc_server_new(&server, &(mrpc_server_options){.size = sizeof(mrpc_server_options), .runtime = server_runtime},
                       &error),
       &error);
    return 0;
}

static void connect_client(void)
{
    mrpc_error error = {0};
    ok(mrpc_server_listen(server, over_rdma() ? "rdma://10.99.0.1:0" : "tcp://127.0.0.1:0", &error), &error);
    ok(mrpc_channel_new(&channel, mrpc_server_address(server, 0),
                        &(mrpc_channel_options){.size = sizeof(mrpc_channel_options), .runtime = client_runtime},
                        &error),
       &error);
}

static int end(void **state)
{
    (void)state;
    mrpc_channel_close(channel);
    channel = NULL;
    mrpc_server_free(server);
    mrpc_runtime_unref(client_runtime);
    mrpc_runtime_unref(server_runtime);
    return 0;
}

/* The reply's text, in a buffer that the next call overwrites. */
static const char *greet(const char *name)
{
    static _Thread_local char text[64];
    hello_HelloRequest request;
    hello_HelloRequest_init(&request);
    request.name = (mrpc_string){(char *)name, strlen(name)};
    const hello_HelloReply *reply;
    mrpc_status status = hello_Greeter_SayHello(channel, &request, &reply, MRPC_CALL_OPTIONS(.timeout_ms = 20000));
    if (status.code != MRPC_OK)
        fail_msg("%s: %s", mrpc_code_name(status.code), status.message);
    snprintf(text, sizeof text, "%s", reply->text.data);
    mrpc_release(reply);
    return text;
}

/* --- modules --- */

static const char *build_marshal(const char *name, const char *stamp)
{
    run("%s -O1 -shared -fPIC -fvisibility=hidden -DMRPC_MODULE_SHARED -DMRPC_STAMP='\"%s\"' -I%s/include -o %s/%s "
        "%s/gen/hello.marshal.c",
        environment("CC", "cc"), stamp, environment("top_srcdir", "."), test_folder(), name,
        environment("top_builddir", "."));
    return in_folder(name);
}

static const char *build_service(const char *name, const char *options)
{
    const char *source = environment("top_srcdir", "."), *build = environment("top_builddir", ".");
    run("%s -O1 -shared -fPIC -fvisibility=hidden -DMRPC_MODULE_AT_RUN_TIME %s -I%s/include -I%s/gen -o %s/%s "
        "%s/tests/unit/upgrade/service.c %s/gen/hello.mrpc.c",
        environment("CC", "cc"), options, source, build, test_folder(), name, source, build);
    return in_folder(name);
}

/* Which build is current, by its stamp. */
static void is_current(mrpc_runtime *runtime, const char *stamp, uint32_t version)
{
    mrpc_module_info infos[32];
    size_t count = mrpc_runtime_modules(runtime, infos, 32), currents = 0;
    assert_in_range(count, 1, 32);
    for (size_t i = 0; i < count; i++)
        if (infos[i].current) {
            assert_string_equal(infos[i].stamp, stamp);
            assert_string_equal(infos[i].file, "hello.proto");
            assert_int_equal(infos[i].version, version);
            currents++;
        }
    assert_int_equal(currents, 1);
}

static uint64_t messages_of(mrpc_runtime *runtime, const char *stamp)
{
    mrpc_stamp_count stamps[64];
    size_t count = mrpc_runtime_stamps(runtime, stamps, 64);
    for (size_t i = 0; i < count && i < 64; i++)
        if (strcmp(stamps[i].stamp, stamp) == 0)
            return stamps[i].messages;
    return 0;
}

static void say_hello(hello_Greeter_SayHello_call *call, const hello_HelloRequest *request, void *state)
{
    (void)state;
    hello_HelloReply *reply = hello_HelloReply_new(hello_Greeter_SayHello_heap(call));
    assert_non_null(reply);
    assert_int_equal(mrpc_string_set(reply, &reply->text, request->name.data), 0);
    hello_Greeter_SayHello_reply(call, reply);
}

static void serve(void (*handler)(hello_Greeter_SayHello_call *, const hello_HelloRequest *, void *))
{
    assert_int_equal(hello_Greeter_serve(server, &(hello_Greeter_handlers){.SayHello = handler}, NULL), 0);
    connect_client();
}

/* --- marshal modules --- */

static void both_sides_are_upgraded_and_rolled_back(void **state)
{
    (void)state;
    mrpc_error error = {0};
    serve(say_hello);
    assert_string_equal(greet("x"), "x");
    is_current(server_runtime, "", 1);
    mrpc_module_info now = {0};
    ok(mrpc_runtime_upgrade(server_runtime, build_marshal("a.so", "build a"), &now, &error), &error);
    assert_string_equal(now.file, "hello.proto");
    assert_string_equal(now.stamp, "build a");
    assert_int_equal(now.version, 2);
    assert_true(now.current);
    assert_true(now.pause_ns > 0);
    is_current(server_runtime, "build a", 2);
    ok(mrpc_runtime_upgrade(client_runtime, build_marshal("b.so", "build b"), NULL, &error), &error);
    for (int i = 0; i < 10; i++)
        assert_string_equal(greet("y"), "y");
    assert_int_equal(messages_of(client_runtime, "build a"), 10);
    assert_int_equal(messages_of(server_runtime, "build b"), 10);

    ok(mrpc_runtime_rollback(server_runtime, "hello.proto", NULL, &error), &error);
    is_current(server_runtime, "", 1);
    assert_string_equal(greet("z"), "z");
    assert_int_equal(messages_of(client_runtime, "build a"), 10);
    ok(mrpc_runtime_rollback(server_runtime, "hello.proto", NULL, &error), &error);
    is_current(server_runtime, "build a", 2);
    assert_int_equal(mrpc_runtime_rollback(server_runtime, "other.proto", NULL, &error), MRPC_ENOENT);
    assert_non_null(strstr(error.text, "other.proto"));
    assert_int_equal(mrpc_runtime_rollback(client_runtime, "hello.proto", NULL, &error), 0);
}

static void refusal_changes_nothing(void **state)
{
    (void)state;
    mrpc_error error = {0};
    serve(say_hello);
    assert_string_equal(greet("x"), "x");
    assert_int_equal(mrpc_runtime_upgrade(server_runtime, build_module("abi.so", "-DMODULE_ABI=5"), NULL, &error),
                     MRPC_EMISMATCH);
    assert_int_equal(mrpc_runtime_upgrade(server_runtime, in_folder("none.so"), NULL, &error), MRPC_ENOENT);
    assert_int_equal(mrpc_runtime_upgrade(server_runtime, "/dev/null", NULL, &error), MRPC_EINVAL);
    is_current(server_runtime, "", 1);
    assert_string_equal(greet("y"), "y");
}

static mrpc_error inside_error;
static int inside_result;

static void upgrade_inside(hello_Greeter_SayHello_call *call, const hello_HelloRequest *request, void *state)
{
    inside_result = mrpc_runtime_upgrade(server_runtime, in_folder("a.so"), NULL, &inside_error);
    say_hello(call, request, state);
}

static void upgrade_inside_a_handler_is_refused(void **state)
{
    (void)state;
    build_marshal("a.so", "build a");
    serve(upgrade_inside);
    assert_string_equal(greet("x"), "x");
    assert_int_equal(inside_result, MRPC_EDEADLK);
    assert_non_null(strstr(inside_error.text, "another thread"));
}

static void child_of_fork_is_refused(void **state)
{
    (void)state;
    mrpc_error error = {0};
    build_marshal("a.so", "build a");
    serve(say_hello);
    assert_string_equal(greet("x"), "x");
    pid_t pid = fork();
    if (pid == 0)
        _exit(mrpc_runtime_upgrade(client_runtime, in_folder("a.so"), NULL, &error) == MRPC_EFORKED ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static _Atomic bool calls_go_on;
static _Atomic uint64_t calls_made;

static void *call_again_and_again(void *argument)
{
    (void)argument;
    while (calls_go_on) {
        assert_string_equal(greet("somebody"), "somebody");
        calls_made++;
    }
    return NULL;
}

/* Calls go on between two swaps, so that every build really handles some. */
static void wait_for_calls(void)
{
    uint64_t wanted = calls_made + 20;
    while (calls_made < wanted)
        usleep(1000);
}

static void many_swaps_under_load_lose_nothing(void **state)
{
    (void)state;
    enum { CALLERS = 3, SWAPS = 12 };
    mrpc_error error = {0};
    pthread_t callers[CALLERS];
    static const char *const stamps[] = {"build 0", "build 1", "build 2"};
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.so", i);
        build_marshal(name, stamps[i]);
    }
    serve(say_hello);
    assert_string_equal(greet("x"), "x");
    calls_go_on = true;
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, call_again_and_again, NULL), 0);
    for (int i = 0; i < SWAPS; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.so", i / 2 % 3);
        ok(mrpc_runtime_upgrade(i % 2 == 0 ? server_runtime : client_runtime, in_folder(name), NULL, &error), &error);
        wait_for_calls();
    }
    calls_go_on = false;
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    mrpc_counters counters = {.size = sizeof counters};
    mrpc_runtime_get_counters(client_runtime, &counters);
    assert_int_equal(counters.calls_failed, 0);
    assert_int_equal(counters.module_swaps, SWAPS / 2);
    for (int i = 0; i < 3; i++) {
        assert_true(messages_of(client_runtime, stamps[i]) > 0);
        assert_true(messages_of(server_runtime, stamps[i]) > 0);
    }
}

/* --- service modules --- */

static int mapped(const char *name)
{
    char line[512];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL)
        found |= strstr(line, name) != NULL;
    fclose(maps);
    return found;
}

static void wait_until_unmapped(const char *name)
{
    for (int i = 0; i < 1000 && mapped(name); i++)
        usleep(10000);
    assert_false(mapped(name));
}

static void service_is_replaced_with_its_state(void **state)
{
    (void)state;
    mrpc_error error = {0};
    build_marshal("hello.marshal.so", "found");
    ok(mrpc_server_load(server, build_service("one.so", "-DSTAMP='\"one\"'"), &error), &error);
    connect_client();
    assert_string_equal(greet("x"), "one x 1");
    ok(mrpc_server_load(server, build_service("two.so", "-DSTAMP='\"two\"'"), &error), &error);
    assert_string_equal(greet("x"), "two x 2");
    wait_until_unmapped("mrpc:one.so");
    mrpc_module_info now = {0};
    ok(mrpc_runtime_upgrade(server_runtime, build_service("three.so", "-DSTAMP='\"three\"' -DFORMAT='\"calls 2\"'"),
                            &now, &error),
       &error);
    assert_string_equal(now.stamp, "three");
    assert_int_equal(now.version, 3);
    assert_true(now.pause_ns > 0);
    assert_string_equal(greet("x"), "three x 1"); /* another format: another state */
    wait_until_unmapped("mrpc:two.so");
    ok(mrpc_runtime_rollback(server_runtime, "hello", NULL, &error), &error);
    assert_string_equal(greet("x"), "two x 1");
    wait_until_unmapped("mrpc:three.so");
}

/* A stream keeps the build that it began with until it ends. */
static void call_pins_its_version(void **state)
{
    (void)state;
    mrpc_error error = {0};
    build_marshal("hello.marshal.so", "found");
    ok(mrpc_server_load(server, build_service("one.so", "-DSTAMP='\"one\"'"), &error), &error);
    connect_client();
    hello_HelloRequest request;
    hello_HelloRequest_init(&request);
    hello_Greeter_SayHelloInLanguages_stream *stream;
    assert_int_equal(hello_Greeter_SayHelloInLanguages_open(channel, &request, NULL, &stream), 0);
    const hello_HelloReply *reply;
    assert_int_equal(hello_Greeter_SayHelloInLanguages_stream_receive(stream, &reply), 1);
    assert_string_equal(reply->text.data, "one");
    mrpc_release(reply);

    ok(mrpc_server_load(server, build_service("two.so", "-DSTAMP='\"two\"'"), &error), &error);
    assert_string_equal(greet("x"), "two x 1");
    assert_true(mapped("mrpc:one.so"));
    hello_Greeter_SayHelloInLanguages_stream_cancel(stream);
    assert_int_equal(hello_Greeter_SayHelloInLanguages_stream_finish(stream).code, MRPC_CANCELLED);
    assert_string_equal(greet("x"), "two x 2"); /* so that the cancellation is sent while somebody drives */
    wait_until_unmapped("mrpc:one.so");
}

static void state_ends_once_and_with_the_server(void **state)
{
    (void)state;
    mrpc_error error = {0};
    build_marshal("hello.marshal.so", "found");
    assert_int_equal(setenv("SERVICE_STOPPED", in_folder("stopped"), 1), 0);
    ok(mrpc_server_load(server, build_service("one.so", "-DSTAMP='\"one\"'"), &error), &error);
    ok(mrpc_server_load(server, build_service("two.so", "-DSTAMP='\"two\"'"), &error), &error);
    connect_client();
    assert_string_equal(greet("x"), "two x 1");
    struct stat status;
    assert_int_equal(stat(in_folder("stopped"), &status), -1);
    mrpc_channel_close(channel);
    channel = NULL;
    mrpc_server_free(server);
    server = NULL;
    for (int i = 0; i < 1000 && stat(in_folder("stopped"), &status) != 0; i++)
        usleep(10000);
    assert_int_equal(stat(in_folder("stopped"), &status), 0);
    assert_int_equal(rmdir(in_folder("stopped")), 0);
    assert_int_equal(unsetenv("SERVICE_STOPPED"), 0);
    wait_until_unmapped("mrpc:two.so");
}

static void is_refused(const char *path, int code, const char *words)
{
    mrpc_error error = {0};
    int result = mrpc_server_load(server, path, &error);
    if (result != code || strstr(error.text, words) == NULL)
        fail_msg("%d \"%s\" instead of %d \"%s\"", result, mrpc_error_text(&error), code, words);
}

static void bad_service_modules_are_refused(void **state)
{
    (void)state;
    mrpc_error error = {0};
    run("rm -f %s/hello.marshal.so", test_folder());
    is_refused(build_service("one.so", ""), MRPC_ENOENT, "hello.marshal.so");
    build_marshal("hello.marshal.so", "found");
    is_refused(build_marshal("marshal.so", "x"), MRPC_EMODULE, "not a service module");
    is_refused(build_service("abi.so", "-DABI=7"), MRPC_EMODULE, "do not agree on the ABI");
    is_refused(build_service("count.so", "-DSERVICES=100"), MRPC_EMODULE, "100 services");
    is_refused(build_service("start.so", "-DSTART_FAILS"), MRPC_EMODULE, "there is no moon");
    ok(mrpc_server_load(server, in_folder("one.so"), &error), &error);
    is_refused(build_service("other.so", "-DNAME='\"other\"'"), MRPC_EEXIST, "hello.Greeter already");
    is_refused(build_service("start.so", "-DSTART_FAILS -DFORMAT='\"calls 2\"'"), MRPC_EMODULE, "there is no moon");
    connect_client();
    assert_string_equal(greet("x"), "one x 1");
    assert_int_equal(mrpc_runtime_upgrade(server_runtime, in_folder("other.so"), NULL, &error), MRPC_ENOENT);
    assert_int_equal(mrpc_runtime_rollback(server_runtime, "hello", NULL, &error), MRPC_ENOENT);
    assert_string_equal(greet("x"), "one x 2");
}

static int prepare(void **state)
{
    (void)state;
    use_built_helper();
    return 0;
}

static int clean(void **state)
{
    (void)state;
    remove_folder();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    umask(022);
    const struct CMUnitTest tests[] = {
        TEST(both_sides_are_upgraded_and_rolled_back),
        TEST(refusal_changes_nothing),
        TEST(upgrade_inside_a_handler_is_refused),
        TEST(child_of_fork_is_refused),
        TEST(many_swaps_under_load_lose_nothing),
        TEST(service_is_replaced_with_its_state),
        TEST(call_pins_its_version),
        TEST(state_ends_once_and_with_the_server),
        TEST(bad_service_modules_are_refused),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
