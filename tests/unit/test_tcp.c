/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp.c - what only the TCP transport has: socket options, names, zero-copy sends, descriptors that run out */
#include "config.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "transports/tcp/tcp.h"

typedef struct side {
    mrpc_connection *connection;
    int opened, closed, frames;
    uint64_t last_bytes; /* of extents */
    uint8_t last_byte;
    mrpc_error reason;
} side;

typedef struct rig {
    mrpc_loop *loop;
    mrpc_heap *heap;
    mrpc_counters counters;
    mrpc_transport_setup setup;
    mrpc_listener *listener;
    side *accepted[2048];
    int accepted_count;
} rig;

static void opened(mrpc_connection *connection)
{
    ((side *)connection->owner)->opened++;
}

static int received(mrpc_connection *connection, const mrpc_incoming *incoming)
{
    side *s = connection->owner;
    s->frames++;
    if (incoming->arena != NULL && incoming->header->extents > 0) {
        s->last_bytes = incoming->extents[0].size;
        s->last_byte = ((const uint8_t *)incoming->extents[0].data)[s->last_bytes - 1];
    }
    mrpc_arena_free(incoming->arena);
    return 0;
}

static void drained(mrpc_connection *connection)
{
    (void)connection;
}

static void closed(mrpc_connection *connection, const mrpc_error *reason)
{
    side *s = connection->owner;
    s->closed++;
    s->reason = *reason;
}

static const mrpc_connection_events events = {sizeof events, opened, received, drained, closed};

static side *side_new(mrpc_connection *connection)
{
    side *s = calloc(1, sizeof *s);
    s->connection = connection;
    connection->owner = s;
    connection->events = &events;
    return s;
}

static void side_free(side *s)
{
    if (s->connection != NULL)
        mrpc_transport_tcp.close(s->connection);
    free(s);
}

static void accepted(mrpc_listener *listener, mrpc_connection *connection)
{
    rig *r = listener->owner;
    r->accepted[r->accepted_count++] = side_new(connection);
}

static int setup(void **state)
{
    rig *r = calloc(1, sizeof *r);
    mrpc_error error;
    if (mrpc_loop_new(&r->loop, MRPC_POLLER_AUTO, 0, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    assert_int_equal(mrpc_heap_new(&r->heap, NULL, NULL), 0);
    r->setup = (mrpc_transport_setup){
        .size = sizeof r->setup,
        .loop = r->loop,
        .receive_heap = r->heap,
        .send_heap = r->heap,
        .counters = &r->counters,
        .options = {.size = sizeof(mrpc_connection_options),
                    .max_message = 64 << 20,
                    .max_unfinished = 256 << 20,
                    .chunk = 65536,
                    .unsent = 256 << 10},
    };
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    rig *r = *state;
    for (int i = 0; i < r->accepted_count; i++)
        side_free(r->accepted[i]);
    if (r->listener != NULL)
        mrpc_transport_tcp.unlisten(r->listener);
    mrpc_loop_free(r->loop);
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(r->heap, &stats);
    assert_int_equal(stats.held, 0);
    assert_int_equal(stats.bytes_in_use, 0);
    mrpc_heap_unref(r->heap);
    free(r);
    return 0;
}

static void start_listening(rig *r, const char *address)
{
    mrpc_error error;
    if (mrpc_transport_tcp.listen(&r->listener, address, &r->setup, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    r->listener->owner = r;
    r->listener->accepted = accepted;
}

static side *start_connecting(rig *r, const char *address)
{
    mrpc_connection *connection;
    mrpc_error error;
    if (mrpc_transport_tcp.connect(&connection, address, &r->setup, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    return side_new(connection);
}

static void run_until(rig *r, const int *count, int wanted)
{
    uint64_t limit = mrpc_loop_now(r->loop) + UINT64_C(30000000000);
    while (*count < wanted) {
        assert_true(mrpc_loop_run(r->loop, limit) >= 0);
        if (mrpc_loop_now(r->loop) >= limit)
            fail_msg("waited in vain");
    }
}

static const char *own_address(const rig *r)
{
    return r->listener->address + strlen("tcp://");
}

static side *make_pair(rig *r, side **server)
{
    int before = r->accepted_count;
    side *client = start_connecting(r, own_address(r));
    run_until(r, &client->opened, 1);
    run_until(r, &r->accepted_count, before + 1);
    *server = r->accepted[before];
    return client;
}

static int fd_of(const side *s)
{
    return ((mrpc_tcp_connection *)s->connection)->watch.fd;
}

/* --- messages that lie in the heap, and a peer that is not ours --- */

typedef struct token {
    mrpc_send_token token;
    int released;
} token;

static void token_released(mrpc_send_token *given)
{
    ((token *)given)->released++;
}

static void put_heap_message(side *s, uint32_t call, const void *data, size_t size, token *t)
{
    mrpc_space space;
    *t = (token){.token = {.released = token_released}};
    assert_int_equal(mrpc_transport_tcp.begin(s->connection, 64, &space), 0);
    mrpc_frame *frame = (mrpc_frame *)(void *)space.data;
    *frame = (mrpc_frame){.type = FRAME_MESSAGE, .flags = FRAME_OPEN, .call = call, .extents = 1};
    memcpy(frame + 1, &(uint64_t){size}, 8);
    mrpc_transport_tcp.commit(s->connection, &space, &(mrpc_extent){data, size}, &t->token);
    mrpc_transport_tcp.flush(s->connection);
}

/* A socket that is connected to the listener, and which the test reads itself. */
static int plain_client(rig *r, side **server)
{
    int before = r->accepted_count, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(strrchr(r->listener->address, ':') + 1)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    run_until(r, &r->accepted_count, before + 1);
    *server = r->accepted[before];
    return fd;
}

/* --- options --- */

static int option_of(const side *s, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd_of(s), level, name, &value, &size), 0);
    return value;
}

static void assert_congestion(const side *s, const char *wanted)
{
    char name[16] = "";
    socklen_t size = sizeof name;
    assert_int_equal(getsockopt(fd_of(s), IPPROTO_TCP, TCP_CONGESTION, name, &size), 0);
    assert_string_equal(name, wanted);
}

static void options_are_set_on_both_sides(void **state)
{
    rig *r = *state;
    r->setup.options.congestion = "reno";
    r->setup.options.send_buffer = 100000;
    r->setup.options.receive_buffer = 120000;
    r->setup.options.keepalive_s = 33;
    r->setup.options.unsent = 77777;
    r->setup.options.source = "127.0.0.2";
    start_listening(r, "127.0.0.1:0");
    side *server, *client = make_pair(r, &server);
    const side *both[] = {client, server};
    for (int i = 0; i < 2; i++) {
        assert_true(option_of(both[i], IPPROTO_TCP, TCP_NODELAY));
        assert_congestion(both[i], "reno");
        assert_int_equal(option_of(both[i], SOL_SOCKET, SO_SNDBUF), 200000); /* the kernel doubles it */
        assert_int_equal(option_of(both[i], SOL_SOCKET, SO_RCVBUF), 240000);
        assert_true(option_of(both[i], SOL_SOCKET, SO_KEEPALIVE));
        assert_int_equal(option_of(both[i], IPPROTO_TCP, TCP_KEEPIDLE), 33);
        assert_int_equal(option_of(both[i], IPPROTO_TCP, TCP_NOTSENT_LOWAT), 77777);
    }
    assert_non_null(strstr(server->connection->peer, "tcp://127.0.0.2:"));
    assert_string_equal(client->connection->peer, r->listener->address);
    side_free(client);
}

static void bad_options_are_errors_that_name_them(void **state)
{
    rig *r = *state;
    static const struct {
        const char *congestion, *source, *named;
    } bad[] = {
        {"no-such", NULL, "congestion"}, {"a-name-that-is-longer-than-any", NULL, "congestion"},
        {NULL, "localhorst", "source"},  {NULL, "192.0.2.77", "source"},
        {NULL, "::1", "source"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mrpc_connection *connection;
        mrpc_error error = {0};
        r->setup.options.congestion = bad[i].congestion;
        r->setup.options.source = bad[i].source;
        int failure = mrpc_transport_tcp.connect(&connection, "127.0.0.1:5", &r->setup, &error);
        if (failure != MRPC_EINVAL || error.code != MRPC_EINVAL || strstr(error.text, bad[i].named) == NULL)
            fail_msg("case %zu: %d, %s", i, failure, error.text);
        if (bad[i].congestion != NULL)
            assert_int_equal(mrpc_transport_tcp.listen(&r->listener, "127.0.0.1:0", &r->setup, &error), MRPC_EINVAL);
    }
    r->listener = NULL;
}

/* Bytes that are sent before a small frame which comes now: what the network has taken does not count. */
static size_t bytes_ahead(const side *s)
{
    int unsent = 0;
    assert_int_equal(ioctl(fd_of(s), SIOCOUTQNSD, &unsent), 0);
    return (size_t)unsent + (size_t)((mrpc_tcp_connection *)s->connection)->tx.piece_bytes;
}

static void a_small_frame_waits_behind_little_of_a_large_one(void **state)
{
    rig *r = *state;
    size_t size = 32 << 20;
    r->setup.options.send_buffer = 16 << 20; /* as the kernel would make it by itself on a long path */
    start_listening(r, "127.0.0.1:0");
    side *server;
    int fd = plain_client(r, &server); /* which does not read */
    char *data = mrpc_heap_alloc(r->heap, size);
    memset(data, 'b', size);
    token t;
    put_heap_message(server, 1, data, size, &t);
    assert_in_range(bytes_ahead(server), 1, 1 << 20);
    mrpc_transport_tcp.close(server->connection);
    server->connection = NULL;
    mrpc_heap_free(r->heap, data);
    close(fd);
}

/* --- addresses --- */

static void address_of_another_host_is_named(void **state)
{
    rig *r = *state;
    mrpc_error error;
    mrpc_listener *listener;
    assert_int_equal(mrpc_transport_tcp.listen(&listener, "192.0.2.1:0", &r->setup, &error), MRPC_EINVAL);
    assert_non_null(strstr(error.text, "192.0.2.1"));
    assert_non_null(strstr(error.text, "0.0.0.0"));
}

static void next_address_of_a_name_is_tried(void **state)
{
    rig *r = *state;
    start_listening(r, "[::1]:0"); /* and localhost is 127.0.0.1 first */
    char address[64];
    snprintf(address, sizeof address, "localhost:%s", strrchr(own_address(r), ':') + 1);
    side *client = start_connecting(r, address);
    run_until(r, &client->opened, 1);
    assert_string_equal(client->connection->peer, r->listener->address);
    side_free(client);
}

/* The one name that every machine knows without asking; the transport itself would not look it up. */
static void look_up_tells_when_it_is_done(void **state)
{
    (void)state;
    mrpc_lookup *lookup;
    mrpc_addresses addresses;
    int failure = -1;
    assert_int_equal(mrpc_lookup_start("tcp", &lookup, "localhost", 5000, NULL), 0);
    struct pollfd polled = {.fd = mrpc_lookup_fd(lookup), .events = POLLIN};
    assert_int_equal(poll(&polled, 1, 30000), 1);
    assert_true(mrpc_lookup_done(lookup, &addresses, &failure));
    assert_int_equal(failure, 0);
    assert_true(addresses.count > 0);
    char text[MRPC_ADDRESS_TEXT];
    mrpc_address_print("tcp", &addresses.list[0], text);
    assert_non_null(strstr(text, ":5000"));
    mrpc_lookup_free(lookup);
}

static void name_that_does_not_exist_is_named(void **state)
{
    rig *r = *state;
    char name[128];
    memset(name, 'x', 80); /* no label is so long: no resolver asks anybody */
    strcpy(name + 80, ":5000");
    side *client = start_connecting(r, name);
    run_until(r, &client->closed, 1);
    assert_int_equal(client->reason.code, MRPC_ENOENT);
    assert_non_null(strstr(client->reason.text, name));
    side_free(client);
}

static void look_up_may_be_given_up(void **state)
{
    rig *r = *state;
    for (int i = 0; i < 20; i++) {
        char name[128];
        memset(name, 'x', 80);
        strcpy(name + 80, ":5000");
        side *client = start_connecting(r, name);
        side_free(client);
    }
}

/* --- zero copy --- */

static void zero_copy_token_is_released_when_the_kernel_is_done(void **state)
{
    rig *r = *state;
    size_t size = 3 << 20;
    r->setup.options.zero_copy = 10000;
    start_listening(r, "127.0.0.1:0");
    side *server, *client = make_pair(r, &server);
    side *ends[] = {client, server};
    for (int i = 0; i < 2; i++) {
        side *from = ends[i], *to = ends[1 - i];
        mrpc_tcp_connection *connection = (mrpc_tcp_connection *)from->connection;
        assert_true(option_of(from, SOL_SOCKET, SO_ZEROCOPY));
        char *data = mrpc_heap_alloc(r->heap, size);
        memset(data, 'z', size);
        token t;
        put_heap_message(from, 1, data, size, &t);
        mrpc_heap_stats stats;
        mrpc_heap_get_stats(r->heap, &stats);
        assert_true(stats.held > 0);
        assert_int_equal(t.released, 0);
        run_until(r, &to->frames, 1);
        assert_int_equal(to->last_bytes, size);
        assert_int_equal(to->last_byte, 'z');
        run_until(r, &t.released, 1);
        assert_int_equal(connection->tx.zero_copy, 0); /* loopback copies, and says so */
        mrpc_heap_free(r->heap, data);
        mrpc_heap_get_stats(r->heap, &stats);
        assert_int_equal(stats.held, 0);
    }
    side_free(client);
}

static void zero_copy_is_not_for_memory_that_cannot_be_held(void **state)
{
    rig *r = *state;
    size_t size = 1 << 20;
    r->setup.options.zero_copy = 10000;
    start_listening(r, "127.0.0.1:0");
    side *server, *client = make_pair(r, &server);
    char *data = malloc(size);
    memset(data, 'm', size);
    token t;
    put_heap_message(client, 1, data, size, &t);
    run_until(r, &server->frames, 1);
    run_until(r, &t.released, 1);
    assert_int_not_equal(((mrpc_tcp_connection *)client->connection)->tx.zero_copy, 0); /* the kernel was never asked */
    free(data);
    side_free(client);
}

static void zero_copy_memory_is_let_go_when_the_connection_ends(void **state)
{
    rig *r = *state;
    size_t size = 8 << 20;
    r->setup.options.zero_copy = 10000;
    start_listening(r, "127.0.0.1:0");
    for (int way = 0; way < 3; way++) {
        side *server, *client = make_pair(r, &server);
        char *data = mrpc_heap_alloc(r->heap, size);
        memset(data, 'q', size);
        token t;
        put_heap_message(client, 1, data, size, &t);
        assert_int_equal(t.released, 0);
        if (way == 0)
            mrpc_transport_tcp.abandon(client->connection, &t.token);
        else if (way == 1)
            mrpc_transport_tcp.close(server->connection);
        if (way == 1) {
            server->connection = NULL;
            run_until(r, &client->closed, 1);
        }
        mrpc_heap_free(r->heap, data); /* held where the kernel still reads */
        side_free(client);
        assert_int_equal(t.released, 1);
    }
}

/* Reads to the end of the stream; fails if it is reset. */
static size_t read_all(rig *r, int fd)
{
    static char bytes[1 << 16];
    size_t total = 0;
    for (ssize_t got; (got = recv(fd, bytes, sizeof bytes, 0)) != 0; total += (size_t)got) {
        if (got < 0)
            fail_msg("recv: %s, after %zu bytes", strerror(errno), total);
        assert_true(mrpc_loop_run(r->loop, 0) >= 0);
    }
    return total;
}

static void what_was_sent_without_a_copy_arrives_though_the_connection_is_closed(void **state)
{
    rig *r = *state;
    size_t size = 8 << 20;
    r->setup.options.zero_copy = 10000;
    start_listening(r, "127.0.0.1:0");
    side *server;
    int fd = plain_client(r, &server);
    char *data = mrpc_heap_alloc(r->heap, size);
    memset(data, 'q', size);
    token t;
    put_heap_message(server, 1, data, size, &t);
    size_t sent = (size_t)r->counters.bytes_sent;
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(r->heap, &stats);
    assert_true(stats.held > 0);
    mrpc_transport_tcp.close(server->connection);
    server->connection = NULL;
    assert_int_equal(t.released, 1);
    mrpc_heap_free(r->heap, data); /* stays until the kernel has read it */
    assert_int_equal(read_all(r, fd), sent);
    for (int i = 0; i < 1000 && stats.held > 0; i++) {
        assert_true(mrpc_loop_run(r->loop, mrpc_loop_now(r->loop) + 10000000) >= 0);
        mrpc_heap_get_stats(r->heap, &stats);
    }
    assert_int_equal(stats.held, 0);
    close(fd);
}

static void a_peer_that_does_not_read_keeps_no_memory_when_the_loop_ends(void **state)
{
    rig *r = *state;
    size_t size = 8 << 20;
    r->setup.options.zero_copy = 10000;
    start_listening(r, "127.0.0.1:0");
    side *server;
    int fd = plain_client(r, &server);
    char *data = mrpc_heap_alloc(r->heap, size);
    memset(data, 'q', size);
    token t;
    put_heap_message(server, 1, data, size, &t);
    mrpc_transport_tcp.close(server->connection);
    server->connection = NULL;
    mrpc_heap_free(r->heap, data);
    close(fd); /* and teardown() looks whether anything is held */
}

/* --- many and too many --- */

/* Takes all descriptors that are left. */
static int take_descriptors(int taken[64])
{
    int count = 0;
    while (count < 64 && (taken[count] = dup(0)) >= 0)
        count++;
    assert_true(count < 64);
    return count;
}

static void running_out_of_descriptors_does_not_spin(void **state)
{
    rig *r = *state;
    start_listening(r, "127.0.0.1:0");
    side *clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = start_connecting(r, own_address(r));
    struct rlimit before, few;
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = (rlim_t)dup(0) + 8;
    close((int)few.rlim_cur - 8);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int taken[64], count = take_descriptors(taken);
    uint64_t until = mrpc_loop_now(r->loop) + 250000000;
    int runs = 0;
    for (; mrpc_loop_now(r->loop) < until; runs++)
        assert_true(mrpc_loop_run(r->loop, until) >= 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    while (count > 0)
        close(taken[--count]);
    assert_int_equal(r->accepted_count, 0);
    assert_true(runs < 30);
    run_until(r, &r->accepted_count, 3);
    for (int i = 0; i < 3; i++)
        side_free(clients[i]);
}

static void idle_connections_hold_no_buffers_and_wake_nobody(void **state)
{
    enum { MANY = 500 };
    rig *r = *state;
    start_listening(r, "127.0.0.1:0");
    static side *clients[MANY];
    side *server;
    for (int i = 0; i < MANY; i++) {
        token t;
        static const char payload[20000];
        clients[i] = make_pair(r, &server);
        put_heap_message(clients[i], 1, payload, sizeof payload, &t);
        run_until(r, &server->frames, 1);
    }
    for (int i = 0; i < 100; i++)
        assert_true(mrpc_loop_run(r->loop, mrpc_loop_now(r->loop) + 1000000) >= 0);
    for (int i = 0; i < MANY; i++) {
        assert_null(((mrpc_tcp_connection *)clients[i]->connection)->tx.first);
        assert_null(((mrpc_tcp_connection *)r->accepted[i]->connection)->rx.buffer);
    }
    mrpc_loop_counters before, after;
    mrpc_loop_get_counters(r->loop, &before);
    uint64_t calls = r->counters.system_calls_receive;
    uint64_t until = mrpc_loop_now(r->loop) + 200000000;
    while (mrpc_loop_now(r->loop) < until)
        assert_true(mrpc_loop_run(r->loop, until) >= 0);
    mrpc_loop_get_counters(r->loop, &after);
    assert_true(after.waits - before.waits < 10);
    assert_int_equal(r->counters.system_calls_receive, calls);
    for (int i = 0; i < MANY; i++)
        side_free(clients[i]);
}

/* Calls in a batch go out in one system call, and the waiting side is entered as often as there are batches. */
static void batch_is_one_system_call(void **state)
{
    rig *r = *state;
    start_listening(r, "127.0.0.1:0");
    side *server, *client = make_pair(r, &server);
    r->counters.system_calls_send = r->counters.bytes_copied_out = r->counters.bytes_copied_in = 0;
    for (int i = 0; i < 128; i++) {
        mrpc_space space;
        assert_int_equal(mrpc_transport_tcp.begin(client->connection, 96, &space), 0);
        memset(space.data, 0, 96);
        *(mrpc_frame *)(void *)space.data =
            (mrpc_frame){.type = FRAME_MESSAGE, .flags = FRAME_OPEN, .call = 1, .block = 64};
        mrpc_transport_tcp.commit(client->connection, &space, NULL, NULL);
    }
    mrpc_transport_tcp.flush(client->connection);
    mrpc_transport_tcp.flush(client->connection);
    assert_int_equal(r->counters.system_calls_send, 1);
    run_until(r, &server->frames, 128);
    assert_int_equal(r->counters.bytes_copied_out, 0);
    assert_int_equal(r->counters.bytes_copied_in, 0);
    side_free(client);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(options_are_set_on_both_sides),
        TEST(bad_options_are_errors_that_name_them),
        TEST(a_small_frame_waits_behind_little_of_a_large_one),
        TEST(address_of_another_host_is_named),
        TEST(next_address_of_a_name_is_tried),
        TEST(look_up_tells_when_it_is_done),
        TEST(name_that_does_not_exist_is_named),
        TEST(look_up_may_be_given_up),
        TEST(zero_copy_token_is_released_when_the_kernel_is_done),
        TEST(zero_copy_is_not_for_memory_that_cannot_be_held),
        TEST(zero_copy_memory_is_let_go_when_the_connection_ends),
        TEST(what_was_sent_without_a_copy_arrives_though_the_connection_is_closed),
        TEST(a_peer_that_does_not_read_keeps_no_memory_when_the_loop_ends),
        TEST(running_out_of_descriptors_does_not_spin),
        TEST(idle_connections_hold_no_buffers_and_wake_nobody),
        TEST(batch_is_one_system_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
