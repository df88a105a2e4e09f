/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport_conformance.c - what every transport does, tried on the one that the argument names
 *
 *     transport_conformance tcp-io_uring | tcp-epoll | … [TEST]
 *
 * Both ends of each connection live in this process and on one loop, so that a test can stop either of them at any
 * point.
 */
#include "config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef HAVE_RDMA
#include "tests/unit/rdma_raw.h"
#endif
#include "transports/transport.h"
#include "upgrade/transports.h"

/* --- what is tested --- */

typedef struct variant {
    const char *name;
    mrpc_poller poller;
    const char *address; /* to listen at; %d is the process */
    const char *nobody;  /* where nobody listens */
    const char *malformed[12];
    bool socket; /* an ordinary socket can connect and say what it likes */
    uint32_t rdma_window, rdma_buffer, rdma_segments;
    bool rdma_no_inline, rdma_no_srq;
} variant;

static const variant variants[] = {
#ifdef HAVE_LIBURING
    {.name = "tcp-io_uring",
     .poller = MRPC_POLLER_IO_URING,
     .address = "tcp://127.0.0.1:0",
     .nobody = "tcp://127.0.0.1:1",
     .malformed = {"tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:x", "tcp://127.0.0.1:65536",
                   "tcp://::1:5", "tcp://[::1:5", "tcp://:5", "tcp://a b:5"},
     .socket = true},
#endif
    {.name = "tcp-epoll",
     .poller = MRPC_POLLER_EPOLL,
     .address = "tcp://[::1]:0",
     .nobody = "tcp://[::1]:1",
     .malformed = {"tcp://", "tcp://]:5", "tcp://[]:5", "tcp://1.2.3.4:-5", "tcp://1.2.3.4:+5", "tcp://1.2.3.4:5 "},
     .socket = true},
    {.name = "shm",
     .poller = MRPC_POLLER_EPOLL,
     .address = "shm://conformance-%d",
     .nobody = "shm://conformance-nobody",
     .malformed = {"shm://", "shm://a b", "shm://x?", "shm://x?uid=", "shm://x?uid=root", "shm://x?y=1"}},
    /* Over the devices of tests/rdma/vm.sh. */
    {.name = "rdma",
     .poller = MRPC_POLLER_EPOLL,
     .address = "rdma://10.99.0.1:0",
     .nobody = "rdma://10.99.0.1:1",
     .malformed = {"rdma://", "rdma://10.99.0.1", "rdma://10.99.0.1:x", "rdma://::1:5", "rdma://[::1:5",
                   "rdma://10.99.0.1:65536", "rdma://:5", "rdma://a b:5"},
     .rdma_window = 16,
     .rdma_buffer = 8192,
     .rdma_segments = 8},
    /* With a single credit, and little of everything. */
    {.name = "rdma-least",
     .poller = MRPC_POLLER_EPOLL,
     .address = "rdma://10.99.0.1:0",
     .nobody = "rdma://10.99.0.1:1",
     .rdma_window = 1,
     .rdma_buffer = 1024,
     .rdma_segments = 2,
     .rdma_no_inline = true,
     .rdma_no_srq = true},
    {.name = "sim",
     .poller = MRPC_POLLER_SIMULATED,
     .address = "sim://conformance",
     .nobody = "sim://nobody",
     .malformed = {"sim://", "sim://a b", "sim://x?", "sim://x?delay=5", "sim://x?delay=9-5", "sim://x?short=101",
                   "sim://x?loss=", "sim://x?buffer=0", "sim://x?y=1"}},
    {.name = "sim-short",
     .poller = MRPC_POLLER_SIMULATED,
     .address = "sim://conformance?short=70&delay=0-3000&buffer=20000",
     .nobody = "sim://nobody?refuse=50"},
};

static const variant *tested;

/* --- the rig --- */

typedef struct rig rig;
typedef struct end end;

/* A frame that came. */
typedef struct came {
    mrpc_frame header;
    uint64_t sum; /* of head and extents */
    uint64_t extent_bytes;
    int refused;
} came;

typedef enum moment { NEVER, ON_OPENED, ON_ACCEPTED, ON_RECEIVED, ON_DRAINED, ON_CLOSED } moment;

struct end {
    rig *rig;
    mrpc_connection *connection;
    end *next;
    came *frames;
    size_t count, capacity;
    int opened, closed, drained;
    mrpc_error reason;
    moment close_on;
    int answer; /* of `received` */
    bool echo;  /* each message is sent back */
};

struct rig {
    mrpc_loop *loop;
    mrpc_heap *receive_heap, *send_heap;
    mrpc_counters counters;
    mrpc_transport_setup setup;
    const mrpc_transport *transport;
    mrpc_listener *listener;
    end *accepted; /* the last one first */
    int accepted_count;
    moment close_accepted;
    uint32_t seed;
};

static uint32_t random_number(rig *r)
{
    r->seed = r->seed * 1664525u + 1013904223u;
    return r->seed >> 4;
}

static uint64_t sum(uint64_t from, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint64_t word;
    for (; size >= 8; size -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        from = (from ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        from ^= from >> 29;
    }
    for (; size > 0; size--)
        from = (from ^ *bytes++) * UINT64_C(0x9E3779B97F4A7C15);
    return from;
}

static void end_close(end *e)
{
    mrpc_connection *connection = e->connection;
    e->connection = NULL;
    if (connection != NULL)
        connection->transport->close(connection);
}

static void at_moment(end *e, moment now)
{
    if (e->close_on == now)
        end_close(e);
}

/* --- sending --- */

typedef struct token {
    mrpc_send_token token;
    int released;
    char *memory; /* scribbled over then */
    size_t size;
} token;

static void token_released(mrpc_send_token *given)
{
    token *t = (token *)given;
    t->released++;
    if (t->memory != NULL)
        memset(t->memory, 0xDD, t->size);
}

typedef struct message {
    mrpc_frame header;
    uint64_t sum;
    token token;
} message;

/* Puts a frame into the transport, without a flush. 0, or what begin said. */
static int put(end *e, const mrpc_frame *header, const void *head, const mrpc_extent *extents, token *t)
{
    const mrpc_transport *transport = e->connection->transport;
    mrpc_space space;
    size_t size = sizeof *header + mrpc_frame_head(header);
    int failure = transport->begin(e->connection, 64, &space);
    if (failure != 0)
        return failure;
    assert_int_equal((uintptr_t)space.data % 8, 0);
    assert_true(space.capacity >= 64);
    memcpy(space.data, header, sizeof *header);
    if (space.capacity < size) {
        failure = transport->extend(e->connection, &space, sizeof *header, size);
        if (failure != 0) {
            transport->abort(e->connection, &space);
            return failure;
        }
    }
    memcpy(space.data + sizeof *header, head, size - sizeof *header);
    transport->commit(e->connection, &space, extents, t != NULL ? &t->token : NULL);
    return 0;
}

static int put_bare(end *e, uint8_t type, uint32_t call, uint64_t value)
{
    return put(e, &(mrpc_frame){.type = type, .call = call, .value = value}, "", NULL, NULL);
}

/* A message of random bytes. */
static int put_message(end *e, message *m, uint32_t call, uint8_t flags, uint32_t block, const size_t *sizes,
                       uint16_t count)
{
    *m = (message){.header = {.type = FRAME_MESSAGE, .flags = flags, .call = call, .block = block, .extents = count}};
    size_t head_size = mrpc_frame_head(&m->header), total = 0;
    char *head = calloc(1, head_size + 8);
    uint32_t random = random_number(e->rig);
    for (uint32_t i = 0; i + 8 <= block; i += 8)
        memcpy(head + i, &(uint64_t){random + i}, 8);
    for (uint16_t i = 0; i < count; i++)
        total += sizes[i];
    m->token = (token){.token = {.released = token_released}, .memory = malloc(total + 1), .size = total};
    for (size_t i = 0; i + 8 <= total; i += 8)
        memcpy(m->token.memory + i, &(uint64_t){random ^ i * 7}, 8);
    memset(m->token.memory + total / 8 * 8, 0x5A, total % 8);
    mrpc_extent extents[16];
    const char *at = m->token.memory;
    for (uint16_t i = 0; i < count; i++) {
        extents[i] = (mrpc_extent){at, sizes[i]};
        memcpy(head + mrpc_pad8(block) + 8u * i, &(uint64_t){sizes[i]}, 8);
        at += sizes[i];
    }
    m->sum = sum(0, head, head_size);
    for (uint16_t i = 0; i < count; i++)
        m->sum = sum(m->sum, extents[i].data, extents[i].size);
    int failure = put(e, &m->header, head, extents, count > 0 ? &m->token : NULL);
    free(head);
    return failure;
}

static void message_free(message *m)
{
    free(m->token.memory);
    m->token.memory = NULL;
}

static void flush(end *e)
{
    e->connection->transport->flush(e->connection);
}

/* --- events --- */

static void opened(mrpc_connection *connection)
{
    end *e = connection->owner;
    e->opened++;
    at_moment(e, ON_OPENED);
}

static void send_back(end *e, const mrpc_incoming *incoming)
{
    mrpc_frame header = *incoming->header;
    header.size = 0;
    assert_int_equal(put(e, &header, incoming->head, NULL, NULL), 0);
    flush(e);
}

static int received(mrpc_connection *connection, const mrpc_incoming *incoming)
{
    end *e = connection->owner;
    assert_int_equal(e->closed, 0);
    if (e->count == e->capacity) {
        e->capacity = e->capacity * 2 + 64;
        e->frames = realloc(e->frames, e->capacity * sizeof *e->frames);
    }
    came *c = &e->frames[e->count++];
    const mrpc_frame *header = incoming->header;
    *c = (came){.header = *header, .refused = incoming->refused};
    if (incoming->refused == 0) {
        assert_int_equal((uintptr_t)incoming->head % 8, 0);
        c->sum = sum(0, incoming->head, header->type == FRAME_MESSAGE ? mrpc_frame_head(header) : header->size);
        for (uint16_t i = 0; i < header->extents; i++) {
            assert_non_null(incoming->arena);
            assert_int_equal((uintptr_t)incoming->extents[i].data % 8, 0);
            c->sum = sum(c->sum, incoming->extents[i].data, incoming->extents[i].size);
            c->extent_bytes += incoming->extents[i].size;
        }
        if (e->echo)
            send_back(e, incoming);
    }
    mrpc_arena_free(incoming->arena);
    at_moment(e, ON_RECEIVED);
    return e->answer;
}

static void drained(mrpc_connection *connection)
{
    end *e = connection->owner;
    e->drained++;
    at_moment(e, ON_DRAINED);
}

static void closed(mrpc_connection *connection, const mrpc_error *reason)
{
    end *e = connection->owner;
    e->closed++;
    e->reason = *reason;
    at_moment(e, ON_CLOSED);
}

static const mrpc_connection_events events = {sizeof events, opened, received, drained, closed};

static void accepted(mrpc_listener *listener, mrpc_connection *connection)
{
    rig *r = listener->owner;
    end *e = calloc(1, sizeof *e);
    e->rig = r;
    e->next = r->accepted;
    e->connection = connection;
    e->close_on = r->close_accepted;
    r->accepted = e;
    r->accepted_count++;
    connection->owner = e;
    connection->events = &events;
    at_moment(e, ON_ACCEPTED);
}

/* --- running --- */

/* When a test that waits for what never comes gives up. Emulated machines need more TEST_PATIENCE (seconds). */
static uint64_t patience(rig *r)
{
    const char *seconds = getenv("TEST_PATIENCE");
    return mrpc_loop_now(r->loop) + UINT64_C(1000000000) * (seconds != NULL ? strtoul(seconds, NULL, 10) : 30);
}

/* Runs the loop until *count reaches `wanted`. */
static void run_until(rig *r, const int *count, int wanted)
{
    uint64_t limit = patience(r);
    while (*count < wanted) {
        assert_true(mrpc_loop_run(r->loop, limit) >= 0);
        if (mrpc_loop_now(r->loop) >= limit)
            fail_msg("waited in vain: %d of %d", *count, wanted);
    }
}

static void run_until_frames(end *e, size_t wanted)
{
    uint64_t limit = patience(e->rig);
    while (e->count < wanted && e->closed == 0) {
        assert_true(mrpc_loop_run(e->rig->loop, limit) >= 0);
        if (mrpc_loop_now(e->rig->loop) >= limit)
            break;
    }
    if (e->count < wanted)
        fail_msg("%zu of %zu frames came; %s", e->count, wanted, mrpc_error_text(&e->reason));
}

/* Runs for a little while: what must not happen would have happened. */
static void run_idle(rig *r)
{
    uint64_t until = mrpc_loop_now(r->loop) + 5000000;
    while (mrpc_loop_now(r->loop) < until)
        assert_true(mrpc_loop_run(r->loop, until) >= 0);
}

static const char *find_transport(const char *address, const mrpc_transport **transport)
{
    const char *rest;
    mrpc_error error;
    if (mrpc_transport_get(address, NULL, transport, &rest, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    return rest;
}

static void start_listening(rig *r)
{
    char address[128];
    snprintf(address, sizeof address, tested->address, (int)getpid());
    mrpc_error error;
    const char *rest = find_transport(address, &r->transport);
    if (r->transport->listen(&r->listener, rest, &r->setup, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    r->listener->owner = r;
    r->listener->accepted = accepted;
}

static end *start_connecting(rig *r, const char *address)
{
    const mrpc_transport *transport;
    const char *rest = find_transport(address, &transport);
    end *e = calloc(1, sizeof *e);
    mrpc_error error;
    e->rig = r;
    if (transport->connect(&e->connection, rest, &r->setup, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    e->connection->owner = e;
    e->connection->events = &events;
    return e;
}

/* A connection, both ends of which are there. */
static end *make_pair(rig *r, end **server)
{
    int before = r->accepted_count;
    end *client = start_connecting(r, r->listener->address);
    run_until(r, &client->opened, 1);
    run_until(r, &r->accepted_count, before + 1);
    *server = r->accepted;
    return client;
}

static void end_free(end *e)
{
    end_close(e);
    free(e->frames);
    free(e);
}

static void free_accepted(rig *r)
{
    while (r->accepted != NULL) {
        end *e = r->accepted;
        r->accepted = e->next;
        end_free(e);
    }
    r->accepted_count = 0;
}

static int setup(void **state)
{
    rig *r = calloc(1, sizeof *r);
    mrpc_error error;
    r->seed = 42;
    if (mrpc_loop_new(&r->loop, tested->poller, 1, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    mrpc_heap_options options = {.size = sizeof options, .limit = 256u << 20};
    assert_int_equal(mrpc_heap_new(&r->receive_heap, &options, NULL), 0);
    assert_int_equal(mrpc_heap_new(&r->send_heap, NULL, NULL), 0);
    r->counters.size = sizeof r->counters;
    r->setup = (mrpc_transport_setup){
        .size = sizeof r->setup,
        .loop = r->loop,
        .receive_heap = r->receive_heap,
        .send_heap = r->send_heap,
        .counters = &r->counters,
        .options = {.size = sizeof(mrpc_connection_options),
                    .max_message = 64u << 20,
                    .max_unfinished = 256u << 20,
                    .max_calls = 4096,
                    .window = 1 << 20,
                    .chunk = 65536,
                    .rdma_window = tested->rdma_window,
                    .rdma_buffer = tested->rdma_buffer,
                    .rdma_segments = tested->rdma_segments,
                    .rdma_no_inline = tested->rdma_no_inline,
                    .rdma_no_srq = tested->rdma_no_srq,
                    .rdma_retry = 6,
                    .rdma_rnr_retry = 6,
                    .shm_data = 4 << 20,
                    .shm_references = 256u << 20},
    };
    start_listening(r);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    rig *r = *state;
    free_accepted(r);
    if (r->listener != NULL)
        r->transport->unlisten(r->listener);
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(r->receive_heap, &stats);
    assert_int_equal(stats.bytes_in_use, 0);
    mrpc_loop_free(r->loop);
    mrpc_heap_unref(r->receive_heap);
    mrpc_heap_unref(r->send_heap);
    free(r);
    return 0;
}

static void assert_same(const came *c, const message *m)
{
    assert_int_equal(c->refused, 0);
    assert_int_equal(c->header.type, m->header.type);
    assert_int_equal(c->header.call, m->header.call);
    assert_int_equal(c->header.flags, m->header.flags);
    assert_int_equal(c->sum, m->sum);
}

static const came *find_call(const end *e, uint32_t call)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->frames[i].header.call == call)
            return &e->frames[i];
    fail_msg("nothing of call %u came", call);
    return NULL;
}

static bool has_come(const end *e, uint8_t type, uint32_t call)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->frames[i].header.type == type && e->frames[i].header.call == call)
            return true;
    return false;
}

/* --- connecting and closing --- */

static void both_ends_are_told_of_a_connection(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    assert_int_equal(client->opened, 1);
    assert_int_equal(server->opened, 0);
    size_t scheme = strlen(r->transport->scheme);
    assert_memory_equal(client->connection->peer, r->transport->scheme, scheme);
    assert_memory_equal(server->connection->peer, r->transport->scheme, scheme);
    assert_memory_equal(r->listener->address, r->transport->scheme, scheme);
    run_idle(r);
    assert_int_equal(client->closed + server->closed, 0);
    end_free(client);
}

static void nobody_there_is_told_once_with_the_reason(void **state)
{
    rig *r = *state;
    end *client = start_connecting(r, tested->nobody);
    assert_int_equal(client->closed, 0);
    run_until(r, &client->closed, 1);
    run_idle(r);
    assert_int_equal(client->closed, 1);
    assert_int_equal(client->opened, 0);
    assert_true(client->reason.code < 0);
    assert_true(strlen(client->reason.text) > 10);
    end_free(client);
}

static void malformed_addresses_are_errors_with_an_example(void **state)
{
    rig *r = *state;
    for (int i = 0; i < 12 && tested->malformed[i] != NULL; i++) {
        const mrpc_transport *transport;
        const char *rest = find_transport(tested->malformed[i], &transport);
        mrpc_connection *connection;
        mrpc_listener *listener;
        mrpc_error error = {0};
        int failure = transport->connect(&connection, rest, &r->setup, &error);
        if (failure != MRPC_EINVAL || error.code != MRPC_EINVAL || strstr(error.text, "://") == NULL)
            fail_msg("connect to \"%s\": %d, %s", tested->malformed[i], failure, error.text);
        failure = transport->listen(&listener, rest, &r->setup, &error);
        if (failure != MRPC_EINVAL || error.code != MRPC_EINVAL || strstr(error.text, "://") == NULL)
            fail_msg("listen at \"%s\": %d, %s", tested->malformed[i], failure, error.text);
    }
}

static void address_in_use_is_an_error_that_names_it(void **state)
{
    rig *r = *state;
    mrpc_listener *second;
    mrpc_error error = {0};
    const mrpc_transport *transport;
    const char *rest = find_transport(r->listener->address, &transport);
    assert_int_equal(transport->listen(&second, rest, &r->setup, &error), MRPC_EEXIST);
    assert_non_null(strstr(error.text, r->listener->address));
}

static void address_is_free_after_unlisten_and_connections_stay(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    char address[128];
    snprintf(address, sizeof address, "%s", r->listener->address);
    r->transport->unlisten(r->listener);
    r->listener = NULL;
    end *late = start_connecting(r, address);
    run_until(r, &late->closed, 1);
    end_free(late);
    const char *rest = find_transport(address, &r->transport);
    assert_int_equal(r->transport->listen(&r->listener, rest, &r->setup, NULL), 0);
    assert_string_equal(r->listener->address, address);
    assert_int_equal(put_bare(client, FRAME_PING, 0, 5), 0);
    flush(client);
    run_until_frames(server, 1);
    end_free(client);
}

static void peer_that_closes_is_noticed_once(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    end_close(client);
    run_until(r, &server->closed, 1);
    assert_true(server->reason.code < 0);
    assert_true(strlen(server->reason.text) > 10);
    run_idle(r);
    assert_int_equal(server->closed, 1);
    assert_int_equal(client->closed, 0);
    end_free(client);

    client = make_pair(r, &server);
    end_close(server);
    run_until(r, &client->closed, 1);
    end_free(client);
}

/* Until nothing is left that close() would lose. */
static void run_until_sent(end *e)
{
    const mrpc_transport *transport = e->connection->transport;
    uint64_t limit = patience(e->rig);
    while (transport->queued(e->connection) > 0) {
        assert_true(mrpc_loop_run(e->rig->loop, limit) >= 0);
        if (mrpc_loop_now(e->rig->loop) >= limit)
            fail_msg("%zu bytes were never sent", transport->queued(e->connection));
    }
}

static void what_was_sent_before_a_close_arrives(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(put_bare(client, FRAME_PING, 0, i), 0);
    flush(client);
    run_until_sent(client);
    end_close(client);
    run_until(r, &server->closed, 1);
    assert_int_equal(server->count, 100);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(server->frames[i].header.value, i);
    end_free(client);
}

static void close_is_allowed_from_within_each_event(void **state)
{
    rig *r = *state;
    end *client = start_connecting(r, r->listener->address);
    client->close_on = ON_OPENED;
    run_until(r, &client->opened, 1);
    run_until(r, &r->accepted_count, 1);
    run_until(r, &r->accepted->closed, 1);
    end_free(client);

    r->close_accepted = ON_ACCEPTED;
    client = start_connecting(r, r->listener->address);
    client->close_on = ON_CLOSED;
    run_until(r, &client->closed, 1);
    end_free(client);

    r->close_accepted = NEVER;
    client = start_connecting(r, tested->nobody);
    client->close_on = ON_CLOSED;
    run_until(r, &client->closed, 1);
    end_free(client);

    end *server;
    client = make_pair(r, &server);
    server->close_on = ON_RECEIVED;
    message many[3];
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(put_message(client, &many[i], i + 1, FRAME_OPEN, 100, &(size_t){300000}, 1), 0);
    flush(client);
    run_until(r, &client->closed, 1);
    assert_int_equal(server->count, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(many[i].token.released, 1);
        message_free(&many[i]);
    }
    end_free(client);
}

static void owner_may_end_the_connection_by_refusing_a_frame(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    server->answer = MRPC_EPROTO;
    assert_int_equal(put_bare(client, FRAME_PING, 0, 1), 0);
    assert_int_equal(put_bare(client, FRAME_PING, 0, 2), 0);
    flush(client);
    run_until(r, &server->closed, 1);
    assert_int_equal(server->reason.code, MRPC_EPROTO);
    assert_int_equal(server->count, 1);
    end_close(server);
    run_until(r, &client->closed, 1);
    end_free(client);
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* What ends may take its time, as a goodbye that has to arrive. */
static void run_until_descriptors(rig *r, int most)
{
    uint64_t limit = patience(r);
    while (count_descriptors() > most && mrpc_loop_now(r->loop) < limit)
        run_idle(r);
    assert_true(count_descriptors() <= most);
}

static void connections_come_and_go_by_the_thousand(void **state)
{
    enum { ROUNDS = 20, AT_ONCE = 100 };
    rig *r = *state;
    end *server, *first = make_pair(r, &server);
    end_free(first);
    run_until(r, &server->closed, 1);
    free_accepted(r);
    run_idle(r);
    int before = count_descriptors();
    for (int round = 0; round < ROUNDS; round++) {
        end *clients[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++)
            clients[i] = start_connecting(r, r->listener->address);
        run_until(r, &r->accepted_count, AT_ONCE);
        for (int i = 0; i < AT_ONCE; i++) {
            run_until(r, &clients[i]->opened, 1);
            assert_int_equal(put_bare(clients[i], FRAME_PING, 0, 1), 0);
            flush(clients[i]);
        }
        for (end *e = r->accepted; e != NULL; e = e->next)
            run_until_frames(e, 1);
        for (int i = 0; i < AT_ONCE; i++)
            if (i % 2 == 0)
                end_close(clients[i]);
        free_accepted(r);
        for (int i = 0; i < AT_ONCE; i++)
            end_free(clients[i]);
    }
    run_until_descriptors(r, before);
}

/* --- small frames --- */

static void small_frames_keep_their_order_both_ways(void **state)
{
    enum { MANY = 3000 };
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    server->echo = true;
    message *messages = calloc(MANY, sizeof *messages);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(put_message(client, &messages[i], i + 1, FRAME_OPEN | FRAME_END, i % 300, NULL, 0), 0);
        if (i % 7 == 0)
            flush(client);
        if (i % 97 == 0)
            assert_true(mrpc_loop_run(r->loop, 0) >= 0);
    }
    flush(client);
    run_until_frames(client, MANY);
    assert_int_equal(server->count, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_same(&server->frames[i], &messages[i]);
        assert_same(&client->frames[i], &messages[i]);
        message_free(&messages[i]);
    }
    free(messages);
    end_free(client);
}

static void nothing_leaves_before_a_flush(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    assert_int_equal(put_bare(client, FRAME_PING, 0, 1), 0);
    assert_int_equal(client->connection->transport->queued(client->connection), sizeof(mrpc_frame));
    run_idle(r);
    assert_int_equal(server->count, 0);
    flush(client);
    assert_int_equal(client->connection->transport->queued(client->connection), 0);
    run_until_frames(server, 1);
    end_free(client);
}

static void aborted_space_sends_nothing(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    const mrpc_transport *transport = client->connection->transport;
    static const size_t sizes[] = {32, 1000, 100000};
    for (int i = 0; i < 3; i++) {
        mrpc_space space;
        assert_int_equal(transport->begin(client->connection, sizes[i], &space), 0);
        assert_true(space.capacity >= sizes[i]);
        memset(space.data, 'x', sizes[i]);
        transport->abort(client->connection, &space);
    }
    assert_int_equal(put_bare(client, FRAME_PING, 0, 7), 0);
    flush(client);
    run_until_frames(server, 1);
    assert_int_equal(server->frames[0].header.value, 7);
    end_free(client);
}

static void polling_receives_without_the_loop(void **state)
{
    rig *r = *state;
    if (r->transport->capabilities & TRANSPORT_SIMULATED)
        return; /* there, time stands still unless the loop runs */
    end *server, *client = make_pair(r, &server);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(put_bare(client, FRAME_PING, 0, i), 0);
        flush(client);
        uint64_t limit = patience(r);
        while (server->count <= i) {
            r->transport->poll(server->connection);
            assert_true(mrpc_loop_now(r->loop) < limit);
        }
        assert_int_equal(server->frames[i].header.value, i);
        assert_true(server->connection->active > 0);
    }
    assert_false(r->transport->poll(server->connection));
    assert_true(r->transport->arm(server->connection));
    /* What polling has left is found by the loop. */
    assert_int_equal(put_bare(client, FRAME_PING, 0, 100), 0);
    flush(client);
    run_until_frames(server, 101);
    end_free(client);
}

static void small_frames_allocate_nothing_in_steady_state(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    uint64_t warm = 0;
    for (int round = 0; round < 100; round++) {
        if (round == 20)
            warm = r->counters.allocations;
        client->count = server->count = 0;
        server->echo = true;
        for (uint32_t i = 0; i < 20; i++) {
            message m;
            assert_int_equal(put_message(client, &m, i + 1, FRAME_OPEN | FRAME_END, 64, NULL, 0), 0);
            message_free(&m);
        }
        flush(client);
        run_until_frames(client, 20);
    }
    assert_int_equal(r->counters.allocations, warm);
    end_free(client);
}

/* --- large messages --- */

static void large_messages_arrive_whole_and_release_their_tokens(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    static const size_t sizes[] = {1, 7, 4096, 5000, 65535, 65536, 70001, 1 << 20, 5 << 20, 20 << 20};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    message messages[COUNT];
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(put_message(client, &messages[i], i + 1, FRAME_OPEN | FRAME_END, 77, &sizes[i], 1), 0);
    flush(client);
    run_until_frames(server, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_same(find_call(server, i + 1), &messages[i]);
        run_until(r, &messages[i].token.released, 1);
        assert_int_equal(find_call(server, i + 1)->extent_bytes, sizes[i]);
        message_free(&messages[i]);
    }
    assert_int_equal(client->connection->transport->queued(client->connection), 0);
    end_free(client);
}

static void messages_of_many_extents_and_large_blocks_arrive(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    size_t sizes[16];
    for (int i = 0; i < 16; i++)
        sizes[i] = (size_t)(i * i * i * 100 + i);
    message extents, block, both;
    assert_int_equal(put_message(client, &extents, 1, FRAME_OPEN | FRAME_STAMP, 8, sizes, 16), 0);
    assert_int_equal(put_message(client, &block, 2, FRAME_OPEN | FRAME_PROTOBUF, 3000000, NULL, 0), 0);
    assert_int_equal(put_message(client, &both, 3, FRAME_OPEN, 200001, sizes, 16), 0);
    flush(client);
    run_until_frames(server, 3);
    assert_same(find_call(server, 1), &extents);
    assert_same(find_call(server, 2), &block);
    assert_same(find_call(server, 3), &both);
    run_until(r, &extents.token.released, 1);
    run_until(r, &both.token.released, 1);
    message_free(&extents);
    message_free(&block);
    message_free(&both);
    end_free(client);
}

static void small_frame_overtakes_a_large_message(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    message large, small;
    assert_int_equal(put_message(client, &large, 1, FRAME_OPEN, 10, &(size_t){40 << 20}, 1), 0);
    flush(client);
    assert_int_equal(put_message(client, &small, 2, FRAME_OPEN, 10, NULL, 0), 0);
    flush(client);
    run_until_frames(server, 2);
    assert_same(&server->frames[0], &small);
    assert_same(&server->frames[1], &large);
    run_until(r, &large.token.released, 1);
    message_free(&large);
    message_free(&small);
    end_free(client);
}

static void messages_of_one_call_keep_their_order(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    message messages[20];
    for (uint32_t i = 0; i < 20; i++) {
        size_t size = i % 3 == 0 ? 500000 : 100;
        assert_int_equal(put_message(client, &messages[i], 1, i == 0 ? FRAME_OPEN : 0, i, &size, i % 2 == 0), 0);
    }
    flush(client);
    run_until_frames(server, 20);
    for (int i = 0; i < 20; i++) {
        assert_same(&server->frames[i], &messages[i]);
        message_free(&messages[i]);
    }
    end_free(client);
}

static void message_over_the_limit_is_refused_alone(void **state)
{
    rig *r = *state;
    r->setup.options.max_message = 1 << 20;
    r->transport->unlisten(r->listener);
    start_listening(r);
    end *server, *client = make_pair(r, &server);
    message large, block, fine;
    assert_int_equal(put_message(client, &large, 1, FRAME_OPEN | FRAME_END, 10, &(size_t){(1 << 20) + 8}, 1), 0);
    assert_int_equal(put_message(client, &block, 2, FRAME_OPEN | FRAME_END, (1 << 20) + 8, NULL, 0), 0);
    assert_int_equal(put_message(client, &fine, 3, FRAME_OPEN | FRAME_END, 10, &(size_t){1000000}, 1), 0);
    flush(client);
    run_until_frames(server, 3);
    assert_int_equal(find_call(server, 1)->refused, MRPC_ELIMIT);
    assert_int_equal(find_call(server, 2)->refused, MRPC_ELIMIT);
    assert_same(find_call(server, 3), &fine);
    run_until(r, &large.token.released, 1);
    message_free(&large);
    message_free(&block);
    message_free(&fine);
    end_free(client);
}

static void full_receive_heap_refuses_a_message_alone(void **state)
{
    rig *r = *state;
    mrpc_heap *small;
    mrpc_heap_options options = {.size = sizeof options, .limit = 4u << 20};
    assert_int_equal(mrpc_heap_new(&small, &options, NULL), 0);
    r->setup.receive_heap = small;
    r->transport->unlisten(r->listener);
    start_listening(r);
    end *server, *client = make_pair(r, &server);
    message large, fine;
    assert_int_equal(put_message(client, &large, 1, FRAME_OPEN | FRAME_END, 10, &(size_t){10 << 20}, 1), 0);
    assert_int_equal(put_message(client, &fine, 2, FRAME_OPEN | FRAME_END, 10, &(size_t){100000}, 1), 0);
    flush(client);
    run_until_frames(server, 2);
    assert_int_equal(find_call(server, 1)->refused, MRPC_ENOMEM);
    assert_same(find_call(server, 2), &fine);
    run_until(r, &large.token.released, 1);
    message_free(&large);
    message_free(&fine);
    end_free(client);
    free_accepted(r);
    r->transport->unlisten(r->listener);
    r->listener = NULL;
    mrpc_heap_unref(small);
}

/* --- tokens, whatever happens --- */

static void put_three(end *client, message messages[3])
{
    static const size_t sizes[] = {9000, 300000, 30 << 20};
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(put_message(client, &messages[i], i + 1, FRAME_OPEN, 10, &sizes[i], 1), 0);
}

static void assert_released(message messages[3])
{
    for (int i = 0; i < 3; i++) {
        assert_int_equal(messages[i].token.released, 1);
        message_free(&messages[i]);
    }
}

static void close_releases_all_tokens_before_it_returns(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    message messages[3];
    put_three(client, messages);
    end_close(client); /* nothing was flushed */
    assert_released(messages);
    end_free(client);

    client = make_pair(r, &server);
    put_three(client, messages);
    flush(client);
    end_close(client);
    assert_released(messages);
    end_free(client);
    run_idle(r);
}

static void end_of_the_peer_releases_all_tokens_before_it_is_told(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    message messages[3];
    put_three(client, messages);
    flush(client);
    end_close(server);
    run_until(r, &client->closed, 1);
    assert_released(messages);
    end_free(client);
}

static void abandoned_message_is_not_read_any_more(void **state)
{
    rig *r = *state;
    for (int turns = 0; turns < 12; turns++) {
        end *server, *client = make_pair(r, &server);
        message doomed, other;
        assert_int_equal(put_message(client, &doomed, 1, FRAME_OPEN | FRAME_END, 10, &(size_t){24 << 20}, 1), 0);
        assert_int_equal(put_message(client, &other, 2, FRAME_OPEN | FRAME_END, 10, &(size_t){2000000}, 1), 0);
        if (turns > 0)
            flush(client);
        for (int i = 1; i < turns; i++)
            assert_true(mrpc_loop_run(r->loop, 0) >= 0);
        if (doomed.token.released == 0)
            client->connection->transport->abandon(client->connection, &doomed.token.token);
        assert_int_equal(doomed.token.released, 1);
        message_free(&doomed); /* a sanitizer sees who reads it */
        assert_int_equal(put_bare(client, FRAME_CANCEL, 1, 0), 0);
        flush(client);
        while (!has_come(server, FRAME_CANCEL, 1) || !has_come(server, FRAME_MESSAGE, 2))
            run_until_frames(server, server->count + 1);
        for (size_t i = 0; i < server->count; i++) {
            const came *c = &server->frames[i];
            if (c->header.call == 2)
                assert_same(c, &other);
            else if (c->header.type == FRAME_MESSAGE)
                assert_same(c, &doomed); /* then it had gone already */
        }
        run_until(r, &other.token.released, 1);
        message_free(&other);
        end_free(client);
        run_until(r, &server->closed, 1);
    }
}

static void answer_that_ends_a_call_drops_what_came_of_its_request(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    message request;
    assert_int_equal(put_message(client, &request, 1, FRAME_OPEN, 10, &(size_t){30 << 20}, 1), 0);
    flush(client);
    for (int i = 0; i < 3; i++)
        assert_true(mrpc_loop_run(r->loop, 0) >= 0);
    if (server->count == 0) {
        assert_int_equal(put_bare(server, FRAME_STATUS, 1, 0), 0);
        flush(server);
    }
    run_until(r, &request.token.released, 1);
    message_free(&request);
    message next;
    assert_int_equal(put_message(client, &next, 2, FRAME_OPEN, 10, &(size_t){100000}, 1), 0);
    flush(client);
    while (server->count == 0 || server->frames[server->count - 1].header.call != 2)
        run_until_frames(server, server->count + 1);
    assert_same(&server->frames[server->count - 1], &next);
    message_free(&next);
    end_free(client);
}

/* --- when the peer does not read --- */

static void sender_is_held_back_and_told_when_to_go_on(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    const mrpc_transport *transport = client->connection->transport;
    uint32_t sent = 0;
    while (transport->queued(client->connection) <= TRANSPORT_QUEUE_LIMIT) {
        message m;
        int failure = put_message(client, &m, sent + 1, FRAME_OPEN | FRAME_END, 8000, NULL, 0);
        message_free(&m);
        if (failure == MRPC_EAGAIN)
            break;
        assert_int_equal(failure, 0);
        sent++;
        flush(client);
        assert_true(sent < 1000000);
    }
    assert_int_equal(client->drained, 0);
    run_until(r, &client->drained, 1);
    assert_true(transport->queued(client->connection) < TRANSPORT_QUEUE_LIMIT / 2);
    run_until_frames(server, sent);
    for (uint32_t i = 0; i < sent; i++)
        assert_int_equal(server->frames[i].header.call, i + 1);
    assert_int_equal(client->drained, 1);
    end_free(client);
}

static void close_from_within_drained(void **state)
{
    rig *r = *state;
    end *server, *client = make_pair(r, &server);
    client->close_on = ON_DRAINED;
    message large;
    assert_int_equal(put_message(client, &large, 1, FRAME_OPEN, 10, &(size_t){20 << 20}, 1), 0);
    flush(client);
    run_until(r, &server->closed, 1);
    assert_int_equal(client->drained, 1);
    assert_int_equal(large.token.released, 1);
    message_free(&large);
    end_free(client);
}

/* --- everything at once --- */

static void random_traffic_arrives_unharmed(void **state)
{
    enum { CONNECTIONS = 4, ROUNDS = 25, EACH = 12 };
    rig *r = *state;
    end *clients[CONNECTIONS], *servers[CONNECTIONS];
    for (int c = 0; c < CONNECTIONS; c++)
        clients[c] = make_pair(r, &servers[c]);
    for (int round = 0; round < ROUNDS; round++) {
        static message messages[2 * CONNECTIONS][EACH];
        for (int e = 0; e < 2 * CONNECTIONS; e++) {
            end *sender = e < CONNECTIONS ? clients[e] : servers[e - CONNECTIONS];
            for (uint32_t i = 0; i < EACH; i++) {
                size_t sizes[5];
                uint16_t count = (uint16_t)(random_number(r) % 6);
                for (uint16_t k = 0; k < count; k++)
                    sizes[k] = random_number(r) % (random_number(r) % 8 == 0 ? 600000 : 10000);
                uint32_t block = random_number(r) % (random_number(r) % 16 == 0 ? 200000 : 3000);
                assert_int_equal(put_message(sender, &messages[e][i], i + 1, FRAME_OPEN, block, sizes, count), 0);
                if (random_number(r) % 4 == 0)
                    flush(sender);
                if (random_number(r) % 8 == 0)
                    assert_true(mrpc_loop_run(r->loop, 0) >= 0);
            }
            flush(sender);
        }
        for (int e = 0; e < 2 * CONNECTIONS; e++) {
            end *receiver = e < CONNECTIONS ? servers[e] : clients[e - CONNECTIONS];
            run_until_frames(receiver, EACH);
            for (uint32_t i = 0; i < EACH; i++) {
                assert_same(find_call(receiver, i + 1), &messages[e][i]);
                if (messages[e][i].header.extents > 0)
                    run_until(r, &messages[e][i].token.released, 1);
                message_free(&messages[e][i]);
            }
            assert_int_equal(receiver->count, EACH);
        }
        for (int c = 0; c < CONNECTIONS; c++)
            clients[c]->count = servers[c]->count = 0;
    }
    for (int c = 0; c < CONNECTIONS; c++)
        end_free(clients[c]);
}

/* --- peers that are not mrpc --- */

/* Over RDMA with the connection manager, and where `socket` is set by an ordinary one. */
typedef struct raw {
    int fd;
#ifdef HAVE_RDMA
    rdma_raw *rdma; /* NULL: it is a socket */
    uint16_t port;
    pthread_t thread;
#endif
} raw;

static bool is_rdma(void)
{
    return tested->rdma_window > 0;
}

/* The stream of frames can be cut anywhere, over RDMA at multiples of 8 bytes. */
static size_t smallest_piece(void)
{
    return is_rdma() ? 8 : 1;
}

#ifdef HAVE_RDMA
/* It blocks until the loop has accepted. */
static void *raw_connect_rdma(void *argument)
{
    raw *peer = argument;
    peer->rdma = rdma_raw_connect("10.99.0.1", peer->port);
    return NULL;
}
#endif

static int raw_socket(const rig *r)
{
    const char *port = strrchr(r->listener->address, ':') + 1;
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port)), .sin6_addr = in6addr_loopback};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = v6.sin6_port, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    bool is_v6 = strchr(r->listener->address, '[') != NULL;
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, is_v6 ? (void *)&v6 : (void *)&v4, is_v6 ? sizeof v6 : sizeof v4), 0);
    return fd;
}

static void raw_connect(rig *r, raw *peer)
{
    int before = r->accepted_count;
    *peer = (raw){.fd = -1};
#ifdef HAVE_RDMA
    if (is_rdma()) {
        peer->port = (uint16_t)atoi(strrchr(r->listener->address, ':') + 1);
        assert_int_equal(pthread_create(&peer->thread, NULL, raw_connect_rdma, peer), 0);
        run_until(r, &r->accepted_count, before + 1);
        assert_int_equal(pthread_join(peer->thread, NULL), 0);
        assert_non_null(peer->rdma);
        return;
    }
#endif
    peer->fd = raw_socket(r);
    run_until(r, &r->accepted_count, before + 1);
}

static void raw_send(rig *r, raw *peer, const void *bytes, size_t size)
{
#ifdef HAVE_RDMA
    uint64_t limit = patience(r);
    if (is_rdma()) {
        while (!rdma_raw_send(peer->rdma, bytes, size)) {
            assert_true(mrpc_loop_run(r->loop, 0) >= 0);
            assert_true(mrpc_loop_now(r->loop) < limit);
        }
        return;
    }
#endif
    (void)r;
    assert_int_equal(send(peer->fd, bytes, size, 0), size);
}

static void raw_close(raw *peer)
{
#ifdef HAVE_RDMA
    if (is_rdma()) {
        rdma_raw_close(peer->rdma, true);
        return;
    }
#endif
    close(peer->fd);
}

/* Goes without a word, whatever is under way. */
static void raw_reset(raw *peer)
{
#ifdef HAVE_RDMA
    if (is_rdma()) {
        rdma_raw_close(peer->rdma, false);
        return;
    }
#endif
    struct linger now = {1, 0};
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(peer->fd);
}

static void half_a_frame_is_named_when_the_peer_goes(void **state)
{
    rig *r = *state;
    static const mrpc_frame small = {.type = FRAME_MESSAGE, .call = 1, .block = 100, .size = 104};
    static const mrpc_frame large = {.type = FRAME_MESSAGE, .call = 1, .block = 40000, .size = 40000};
    static const char zero[1000];
    for (int i = 0; i < 3; i++) {
        raw peer;
        raw_connect(r, &peer);
        end *server = r->accepted;
        raw_send(r, &peer, i == 2 ? &large : &small, i == 0 ? smallest_piece() : sizeof small);
        if (i > 0)
            raw_send(r, &peer, zero, 48);
        run_idle(r);
        assert_int_equal(server->closed, 0);
        raw_close(&peer);
        run_until(r, &server->closed, 1);
        assert_int_equal(server->count, 0);
        assert_non_null(strstr(server->reason.text, "middle"));
    }
}

static void frames_in_smallest_pieces_are_put_together(void **state)
{
    rig *r = *state;
    raw peer;
    raw_connect(r, &peer);
    end *server = r->accepted;
    for (uint64_t value = 0; value < 5; value++) {
        mrpc_frame ping = {.type = FRAME_PING, .value = value};
        for (size_t i = 0; i < sizeof ping; i += smallest_piece()) {
            raw_send(r, &peer, (char *)&ping + i, smallest_piece());
            assert_true(mrpc_loop_run(r->loop, 0) >= 0);
        }
    }
    run_until_frames(server, 5);
    for (uint64_t value = 0; value < 5; value++)
        assert_int_equal(server->frames[value].header.value, value);
    raw_close(&peer);
}

static void malformed_frame_ends_its_connection_and_no_other(void **state)
{
    rig *r = *state;
    static const mrpc_frame bad[] = {
        {.type = 0},
        {.type = 77, .size = 8},
        {.type = FRAME_MESSAGE, .call = 1, .size = UINT32_MAX},
        {.type = FRAME_MESSAGE, .call = 1, .size = 12, .block = 12},
        {.type = FRAME_STATUS, .call = 1, .size = 8},
        {.type = FRAME_RETURN},
    };
    end *good_server, *good = make_pair(r, &good_server);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        raw peer;
        raw_connect(r, &peer);
        end *server = r->accepted;
        raw_send(r, &peer, &bad[i], sizeof bad[i]);
        run_until(r, &server->closed, 1);
        assert_int_equal(server->reason.code, MRPC_EPROTO);
        assert_non_null(strstr(server->reason.text, server->connection->peer));
        raw_reset(&peer); /* nobody is there to say goodbye to */
    }
    assert_int_equal(put_bare(good, FRAME_PING, 0, 3), 0);
    flush(good);
    run_until_frames(good_server, 1);
    end_free(good);
}

static void reset_by_the_peer_is_noticed(void **state)
{
    rig *r = *state;
    raw peer;
    raw_connect(r, &peer);
    end *server = r->accepted;
    message m;
    assert_int_equal(put_message(server, &m, 1, FRAME_OPEN, 10, &(size_t){30 << 20}, 1), 0);
    flush(server);
    raw_reset(&peer);
    run_until(r, &server->closed, 1);
    assert_int_equal(m.token.released, 1);
    message_free(&m);
}

static void unknown_addresses_name_what_there_is(void **state)
{
    (void)state;
    static const char *const none[] = {"", "localhost:5", "://x", "tcp", "tcp:127.0.0.1:5"};
    const mrpc_transport *transport;
    const char *rest;
    mrpc_error error;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_int_equal(mrpc_transport_find(none[i], &transport, &rest, &error), MRPC_EINVAL);
        assert_non_null(strstr(error.text, "tcp://127.0.0.1:5000"));
    }
    assert_int_equal(mrpc_transport_find(NULL, &transport, &rest, &error), MRPC_EINVAL);
    assert_int_equal(mrpc_transport_find("carrier-pigeon://x", &transport, &rest, &error), MRPC_ENOTSUP);
    assert_non_null(strstr(error.text, "tcp://"));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static int try_all(void)
{
    static const struct CMUnitTest all[] = {
        TEST(both_ends_are_told_of_a_connection),
        TEST(nobody_there_is_told_once_with_the_reason),
        TEST(malformed_addresses_are_errors_with_an_example),
        TEST(address_in_use_is_an_error_that_names_it),
        TEST(address_is_free_after_unlisten_and_connections_stay),
        TEST(peer_that_closes_is_noticed_once),
        TEST(what_was_sent_before_a_close_arrives),
        TEST(close_is_allowed_from_within_each_event),
        TEST(owner_may_end_the_connection_by_refusing_a_frame),
        TEST(connections_come_and_go_by_the_thousand),
        TEST(small_frames_keep_their_order_both_ways),
        TEST(nothing_leaves_before_a_flush),
        TEST(aborted_space_sends_nothing),
        TEST(polling_receives_without_the_loop),
        TEST(small_frames_allocate_nothing_in_steady_state),
        TEST(large_messages_arrive_whole_and_release_their_tokens),
        TEST(messages_of_many_extents_and_large_blocks_arrive),
        TEST(small_frame_overtakes_a_large_message),
        TEST(messages_of_one_call_keep_their_order),
        TEST(message_over_the_limit_is_refused_alone),
        TEST(full_receive_heap_refuses_a_message_alone),
        TEST(close_releases_all_tokens_before_it_returns),
        TEST(end_of_the_peer_releases_all_tokens_before_it_is_told),
        TEST(abandoned_message_is_not_read_any_more),
        TEST(answer_that_ends_a_call_drops_what_came_of_its_request),
        TEST(sender_is_held_back_and_told_when_to_go_on),
        TEST(close_from_within_drained),
        TEST(random_traffic_arrives_unharmed),
        cmocka_unit_test(unknown_addresses_name_what_there_is),
    };
    static const struct CMUnitTest with_raw_peers[] = {
        TEST(half_a_frame_is_named_when_the_peer_goes),
        TEST(frames_in_smallest_pieces_are_put_together),
        TEST(malformed_frame_ends_its_connection_and_no_other),
        TEST(reset_by_the_peer_is_noticed),
    };
    int failed = cmocka_run_group_tests_name(tested->name, all, NULL, NULL);
    if (tested->socket || is_rdma())
        failed += cmocka_run_group_tests_name(tested->name, with_raw_peers, NULL, NULL);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc > 2)
        cmocka_set_test_filter(argv[2]);
    for (size_t i = 0; argc > 1 && i < sizeof variants / sizeof variants[0]; i++)
        if (strcmp(argv[1], variants[i].name) == 0)
            tested = &variants[i];
    if (tested != NULL)
        return try_all();
    fprintf(stderr, "usage: %s TRANSPORT [TEST], TRANSPORT one of:", argv[0]);
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        fprintf(stderr, " %s", variants[i].name);
    fprintf(stderr, "\n");
    return 2;
}
