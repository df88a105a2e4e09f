/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_rdma.c - what only rdma:// has: devices and their choice, lost and cut wires, removed devices, many queue pairs
 *
 * Runs in the virtual machine of make check-rdma: the devices are rxe0 (10.99.0.1, on v0) and rxe1 (10.99.0.2, on v1).
 */
#include "config.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/runtime_flow.h"
#include "tests/unit/runtime_fixture.h"

enum { ROCE_PORT = 4791 };

#define CONNECTION(...)                                                                                                \
    (mrpc_connection_options)                                                                                          \
    {                                                                                                                  \
        .size = sizeof(mrpc_connection_options), __VA_ARGS__                                                           \
    }

/* --- the machine --- */

/* Runs a command of the system, which must succeed. */
static void command(const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    int status = system(text);
    if (status != 0)
        fail_msg("%s: status %d", text, status);
}

/* The first number in what a command prints. */
static long number_of(const char *text)
{
    long number = -1;
    FILE *output = popen(text, "r");
    assert_non_null(output);
    if (fscanf(output, "%ld", &number) != 1)
        number = -1;
    (void)pclose(output);
    return number;
}

static long sent_packets(int device)
{
    char text[128];
    (void)snprintf(text, sizeof text, "cat /sys/class/infiniband/rxe%d/ports/1/hw_counters/sent_pkts", device);
    return number_of(text);
}

/* Waits at most a minute until this process has no more of the devices than that. */
static void wait_for_resources(long most)
{
    long now = flow_count_devices();
    for (int i = 0; i < 120 && now > most; i++) {
        usleep(500000);
        now = flow_count_devices();
    }
    if (now > most)
        fail_msg("%ld resources of the devices are left, %ld are expected", now, most);
}

static unsigned count_descriptors(void)
{
    return (unsigned)number_of("ls /proc/$PPID/fd | wc -l");
}

/* --- calls --- */

static mrpc_status call_once(mrpc_channel *channel, const mrpc_call_options *options)
{
    const echo_Ping ping = {.number = 1};
    return echo_Echo_Unary(channel, &ping, NULL, options);
}

static void expect_status(const mrpc_status *status, mrpc_code code, const char *words)
{
    if (status->code != code || strstr(status->message, words) == NULL)
        fail_msg("%s: %s; expected were %s and \"%s\"", mrpc_code_name(status->code), status->message,
                 mrpc_code_name(code), words);
}

/* A call over a channel of its own. */
static mrpc_status call_with(const char *address, mrpc_connection_options connection)
{
    const setup how = {.connection = connection};
    mrpc_runtime *runtime = new_runtime(&how);
    mrpc_channel *channel = new_channel(&how, runtime, address);
    mrpc_status status = call_once(channel, NULL);
    mrpc_channel_close(channel);
    mrpc_runtime_unref(runtime);
    return status;
}

/* "rdma://HOST" with the port that the server has. */
static const char *at(const echo_server *server, const char *host, char text[128])
{
    (void)snprintf(text, 128, "rdma://%s%s", host, strrchr(echo_server_address(server), ':'));
    return text;
}

/* --- which device --- */

static void the_chosen_device_is_taken(void **state)
{
    (void)state;
    const setup how = {.name = "rdma"};
    char address[128];
    echo_server *server = start_server(&how, "rdma://0.0.0.0:0");
    at(server, "10.99.0.1", address);
    static const char *const choices[] = {"rxe1", "rxe1/1", "rxe1/1/1"};
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        long before = sent_packets(1);
        mrpc_status status = call_with(address, CONNECTION(.rdma_device = choices[i]));
        expect_status(&status, MRPC_OK, "");
        assert_true(sent_packets(1) > before);
    }
    long before = sent_packets(1);
    mrpc_status status = call_with(address, CONNECTION(.rdma_device = "rxe0"));
    expect_status(&status, MRPC_OK, "");
    assert_int_equal(sent_packets(1), before);
    echo_server_stop(server, 1000);
}

static void impossible_choices_are_explained(void **state)
{
    (void)state;
    const setup how = {.name = "rdma"};
    char address[128];
    echo_server *server = start_server(&how, "rdma://0.0.0.0:0");
    at(server, "10.99.0.1", address);
    static const struct {
        const char *device, *source, *words;
    } bad[] = {
        {"rxe7", NULL, "there is no device rxe7; there are rxe"},
        {"", NULL, "is not NAME"},
        {"rxe1/", NULL, "is not NAME"},
        {"rxe1/0", NULL, "is not NAME"},
        {"rxe1/1/x", NULL, "is not NAME"},
        {"rxe1/1/2/3", NULL, "is not NAME"},
        {"rxe1/300", NULL, "is not NAME"},
        {"rxe1/2", NULL, "no IPv4 address in the chosen part of its GID table"},
        {"rxe1/1/0", NULL, "no IPv4 address in the chosen part of its GID table"},
        {"rxe1", "10.99.0.1", "the way goes over device rxe0"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mrpc_status status = call_with(address, CONNECTION(.rdma_device = bad[i].device, .source = bad[i].source));
        expect_status(&status, MRPC_UNAVAILABLE, bad[i].words);
    }
    echo_server_stop(server, 1000);
}

static void a_server_takes_connections_by_its_device_alone(void **state)
{
    (void)state;
    const setup how = {.name = "rdma", .connection = CONNECTION(.rdma_device = "rxe1")};
    char address[128];
    echo_server *server = start_server(&how, "rdma://0.0.0.0:0");
    mrpc_status status = call_with(at(server, "10.99.0.2", address), CONNECTION(.rdma_device = "rxe0"));
    expect_status(&status, MRPC_OK, "");
    status = call_with(at(server, "10.99.0.1", address), CONNECTION(.rdma_device = "rxe1"));
    expect_status(&status, MRPC_UNAVAILABLE, "the peer refuses");
    echo_server_stop(server, 1000);
}

/* --- traffic class --- */

static int open_capture(const char *interface)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(0x0800));
    struct sockaddr_ll place = {
        .sll_family = AF_PACKET, .sll_protocol = htons(0x0800), .sll_ifindex = (int)if_nametoindex(interface)};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&place, sizeof place), 0);
    return fd;
}

/* How many packets of RoCE from that host have come, and how many of them with the traffic class. */
static void count_captured(int fd, const char *source, uint8_t class, int *all, int *with)
{
    uint8_t packet[8192];
    ssize_t size;
    struct in_addr from;
    assert_int_equal(inet_pton(AF_INET, source, &from), 1);
    *all = *with = 0;
    while ((size = recv(fd, packet, sizeof packet, 0)) > 0) {
        size_t header = (packet[0] & 15u) * 4;
        bool roce = size > (ssize_t)header + 8 && packet[9] == 17 &&
                    (packet[header + 2] << 8 | packet[header + 3]) == ROCE_PORT;
        if (!roce || memcmp(packet + 12, &from, sizeof from) != 0)
            continue;
        ++*all;
        *with += packet[1] == class;
    }
}

static void the_traffic_class_is_on_the_packets(void **state)
{
    (void)state;
    enum { CLASS = 0x68 };
    const setup how = {.name = "rdma"};
    int all, with;
    echo_server *server = start_server(&how, "rdma://10.99.0.1:0");
    int fd = open_capture("v0");
    mrpc_status status =
        call_with(echo_server_address(server), CONNECTION(.rdma_device = "rxe1", .rdma_traffic_class = CLASS));
    expect_status(&status, MRPC_OK, "");
    count_captured(fd, "10.99.0.2", CLASS, &all, &with);
    assert_true(with > 0 && all > 0);
    status = call_with(echo_server_address(server), CONNECTION(.rdma_device = "rxe1"));
    expect_status(&status, MRPC_OK, "");
    count_captured(fd, "10.99.0.2", CLASS, &all, &with);
    assert_true(all > 0);
    assert_int_equal(with, 0);
    close(fd);
    echo_server_stop(server, 1000);
}

/* --- calls while something happens to the wire --- */

typedef struct scene {
    echo_server *server;
    mrpc_runtime *runtime;
    mrpc_channel *channel;
    flow calls;
} scene;

/* A client on rxe1 whose calls to a server on rxe0 flow. */
static void begin(scene *s, uint32_t timeout_ms)
{
    const setup server = {.connection = CONNECTION(.rdma_ack_timeout_us = 100000)};
    const setup client = {.connection = CONNECTION(.rdma_device = "rxe1", .rdma_ack_timeout_us = 100000)};
    *s = (scene){.server = start_server(&server, "rdma://10.99.0.1:0"), .runtime = new_runtime(&client)};
    s->channel = new_channel(&client, s->runtime, echo_server_address(s->server));
    flow_begin(&s->calls, s->channel, timeout_ms, flow_seed());
    flow_succeed(&s->calls, 20);
}

static uint64_t failed(const scene *s)
{
    return s->calls.unavailable + s->calls.late;
}

static void end(scene *s)
{
    flow_end(&s->calls);
    mrpc_channel_close(s->channel);
    mrpc_runtime_unref(s->runtime);
    echo_server_stop(s->server, 1000);
}

/* Whatever a test left: wires and devices as they were. */
static int repair(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        char text[160];
        (void)snprintf(text, sizeof text,
                       "tc qdisc del dev v%d root 2>/dev/null; rdma link add rxe%d type rxe netdev v%d 2>/dev/null", i,
                       i, i);
        (void)!system(text);
    }
    return 0;
}

static void lost_and_late_packets_lose_no_call(void **state)
{
    (void)state;
    static const char *const weather[] = {"loss 2%", "delay 2ms 1ms", "delay 1ms reorder 25% 50%", "duplicate 5%",
                                          "loss 1% delay 1ms 1ms"};
    scene s;
    begin(&s, 0);
    for (size_t i = 0; i < sizeof weather / sizeof weather[0]; i++) {
        command("tc qdisc replace dev v0 root netem %s && tc qdisc replace dev v1 root netem %s", weather[i],
                weather[i]);
        uint64_t good = s.calls.good;
        flow_run(&s.calls, 4000);
        printf("# %s: %d calls\n", weather[i], (int)(s.calls.good - good));
        assert_true(s.calls.good > good);
        command("tc qdisc del dev v0 root && tc qdisc del dev v1 root");
        flow_succeed(&s.calls, FLOW_CALLS);
    }
    end(&s);
    assert_int_equal(failed(&s), 0);
}

/* Whoever waits for a reply that was lost has nothing that could be sent again, and learns of the end by its deadline.
 */
static void a_cut_wire_ends_calls_and_comes_back(void **state)
{
    (void)state;
    scene s;
    begin(&s, 4000);
    for (int i = 0; i < 2; i++) {
        uint64_t before = failed(&s);
        command("tc qdisc replace dev v%d root netem loss 100%%", i);
        flow_run(&s.calls, 8000);
        assert_true(failed(&s) > before);
        command("tc qdisc del dev v%d root", i);
        flow_succeed(&s.calls, FLOW_CALLS);
    }
    end(&s);
}

/* The kernel removes a device when everybody has closed it, which takes a client that is driven. */
static void bring_back(scene *s, int device)
{
    char text[128];
    int status = 1;
    (void)snprintf(text, sizeof text, "rdma link add rxe%d type rxe netdev v%d 2>/dev/null", device, device);
    for (int i = 0; i < 300 && status != 0; i++) {
        flow_run(&s->calls, 100);
        status = system(text);
    }
    assert_int_equal(status, 0);
}

static void a_removed_device_ends_calls_and_comes_back(void **state)
{
    (void)state;
    scene s;
    begin(&s, 10000);
    for (int i = 1; i >= 0; i--) { /* the client's, the server's */
        uint64_t before = failed(&s);
        command("rdma link delete rxe%d &", i);
        flow_run(&s.calls, 3000);
        assert_true(failed(&s) > before);
        bring_back(&s, i);
        flow_succeed(&s.calls, FLOW_CALLS);
    }
    end(&s);
}

/* A server that nobody is connected to has nothing of the device but the id that listens. */
static void an_idle_server_lets_a_removed_device_go_and_finds_it_again(void **state)
{
    (void)state;
    const setup how = {.name = "rdma"};
    echo_server *server = start_server(&how, "rdma://10.99.0.1:0");
    int status = 1;
    command("rdma link delete rxe0 &");
    sleep(1);
    for (unsigned i = 0; i < 2 * flow_patience() && status != 0; i++) {
        status = system("rdma link add rxe0 type rxe netdev v0 2>/dev/null");
        usleep(500000);
    }
    assert_int_equal(status, 0);
    mrpc_runtime *runtime = new_runtime(&how);
    mrpc_channel *channel = new_channel(&how, runtime, echo_server_address(server));
    mrpc_status called = call_once(channel, MRPC_CALL_OPTIONS(.timeout_ms = 60000, .wait_for_ready = true));
    expect_status(&called, MRPC_OK, "");
    mrpc_channel_close(channel);
    mrpc_runtime_unref(runtime);
    echo_server_stop(server, 1000);
}

/* --- what a call costs --- */

static mrpc_counters count(const mrpc_runtime *runtime)
{
    mrpc_counters counters = {.size = sizeof counters};
    mrpc_runtime_get_counters(runtime, &counters);
    return counters;
}

/* Calls one after the other; how much of each the client had to do for them. */
static mrpc_counters cost_of_calls(fixture *f, size_t payload, int calls)
{
    f->ping->payload.size = 0;
    assert_int_equal(mrpc_bytes_reserve(f->ping, &f->ping->payload, payload), 0);
    echo_fill(f->ping->payload.data, payload, 1);
    for (uint64_t i = 0; i < 100; i++) /* until everything is as it stays */
        call_and_check(f, i);
    mrpc_counters before = count(f->runtime), after;
    for (int i = 0; i < calls; i++)
        call_and_check(f, (uint64_t)i);
    after = count(f->runtime);
#define SUBTRACT(name, help) after.name -= before.name;
    MRPC_COUNTER_TABLE(SUBTRACT)
#undef SUBTRACT
    printf("# %zu bytes: %.2f posts, %.2f work requests, %.3f signalled, %.2f bytes copied out, %.2f in, %llu "
           "registrations, %.2f offers, %.2f reads\n",
           payload, (double)after.system_calls_send / calls, (double)after.rdma_requests / calls,
           (double)after.rdma_signalled / calls, (double)after.bytes_copied_out / calls,
           (double)after.bytes_copied_in / calls, (unsigned long long)after.rdma_registrations,
           (double)after.rdma_offers / calls, (double)after.rdma_reads / calls);
    return after;
}

static void calls_cost_few_posts_and_no_registration(void **state)
{
    (void)state;
    enum { CALLS = 320 };
    const setup how = {.name = "rdma", .address = "rdma://10.99.0.1:0"};
    fixture f;
    set_up(&f, &how);
    mrpc_counters small = cost_of_calls(&f, 64, CALLS);
    assert_int_equal(small.system_calls_send, CALLS); /* credits travel with what is sent anyway */
    assert_int_equal(small.rdma_requests, CALLS);
    assert_true(small.rdma_signalled <= CALLS / 8);
    assert_int_equal(small.rdma_registrations, 0);
    assert_int_equal(small.allocations, 0);
    mrpc_counters large = cost_of_calls(&f, 50000, 20);
    assert_true(large.system_calls_send < large.rdma_requests); /* chains */
    assert_int_equal(large.rdma_registrations, 0);
    assert_int_equal(large.rdma_offers + large.rdma_reads, 0);
    tear_down(&f);
}

static void large_payloads_are_read_from_where_they_lie(void **state)
{
    (void)state;
    enum { CALLS = 20, SIZE = 3000000, COPIES = 4096 /* bytes that are copied each way at most, whatever the size */ };
    const setup how = {.name = "rdma", .address = "rdma://10.99.0.1:0", .connection = CONNECTION(.rdma_read = 65536)};
    fixture f;
    set_up(&f, &how);
    mrpc_counters cost = cost_of_calls(&f, SIZE, CALLS);
    assert_int_equal(cost.rdma_offers, CALLS);            /* the requests */
    assert_true(cost.rdma_reads >= CALLS * (SIZE >> 20)); /* of the replies, some of which lie in two segments */
    assert_true(cost.bytes_copied_out <= CALLS * COPIES);
    assert_true(cost.bytes_copied_in <= CALLS * COPIES);
    assert_int_equal(cost.rdma_registrations, 0);
    assert_int_equal(cost.allocations, 0);
    tear_down(&f);
}

static void messages_are_read_only_from_the_threshold_on(void **state)
{
    (void)state;
    const setup how = {.name = "rdma", .address = "rdma://10.99.0.1:0", .connection = CONNECTION(.rdma_read = 2 << 20)};
    fixture f;
    set_up(&f, &how);
    mrpc_counters cost = cost_of_calls(&f, 1 << 20, 5);
    assert_int_equal(cost.rdma_offers + cost.rdma_reads, 0);
    tear_down(&f);
}

/* --- many of them --- */

static void a_thousand_queue_pairs_three_times_over(void **state)
{
    (void)state;
    enum { PAIRS = 1000, TIMES = 3, LISTENING = 2 /* an id and a protection domain */ };
    const setup how = {.connection = CONNECTION(.rdma_window = 4, .rdma_buffer = 1024)};
    static mrpc_channel *channels[PAIRS];
    long found = flow_count_devices();
    echo_server *server = start_server(&how, "rdma://10.99.0.1:0");
    mrpc_runtime *runtime = new_runtime(&how);
    unsigned descriptors = 0;
    for (int times = 0; times <= TIMES; times++) {
        time_t began = time(NULL);
        int count = times == 0 ? 1 : PAIRS; /* the first one leaves what stays open: devices and event channels */
        for (int i = 0; i < count; i++)
            channels[i] = new_channel(&how, runtime, echo_server_address(server));
        for (int i = 0; i < count; i++) {
            mrpc_status status = call_once(channels[i], MRPC_CALL_OPTIONS(.timeout_ms = 60000));
            expect_status(&status, MRPC_OK, "");
        }
        long most = flow_count_devices();
        assert_true(most >= found + 2 * count); /* a queue pair each, on both sides */
        for (int i = 0; i < count; i++)
            mrpc_channel_close(channels[i]);
        for (int i = 0; i < 20; i++) /* goodbyes, and what is given back some time later */
            (void)mrpc_runtime_poll(runtime, 50);
        wait_for_resources(found + LISTENING);
        if (times > 0)
            assert_int_equal(count_descriptors(), descriptors);
        descriptors = count_descriptors();
        printf("# %d queue pairs on each side, %ld resources at most, %ld s\n", count, most,
               (long)(time(NULL) - began));
    }
    mrpc_runtime_unref(runtime);
    echo_server_stop(server, 1000);
    wait_for_resources(found);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chosen_device_is_taken),
        cmocka_unit_test(impossible_choices_are_explained),
        cmocka_unit_test(a_server_takes_connections_by_its_device_alone),
        cmocka_unit_test(the_traffic_class_is_on_the_packets),
        cmocka_unit_test(calls_cost_few_posts_and_no_registration),
        cmocka_unit_test(large_payloads_are_read_from_where_they_lie),
        cmocka_unit_test(messages_are_read_only_from_the_threshold_on),
        cmocka_unit_test_teardown(lost_and_late_packets_lose_no_call, repair),
        cmocka_unit_test_teardown(a_cut_wire_ends_calls_and_comes_back, repair),
        cmocka_unit_test_teardown(a_removed_device_ends_calls_and_comes_back, repair),
        cmocka_unit_test_teardown(an_idle_server_lets_a_removed_device_go_and_finds_it_again, repair),
        cmocka_unit_test(a_thousand_queue_pairs_three_times_over),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
