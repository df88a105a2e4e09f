/* SPDX-License-Identifier: BSD-2-Clause */
/* test_runtime_hostile.c - a client that abuses a server, and an honest one of the same server that must not notice */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/meta.h"
#include "tests/unit/runtime_fixture.h"
#include "tests/unit/shm_forged.h"
#include "transports/frame.h"
#include "transports/shm/packet.h"

enum {
    MIB = 1 << 20,
    HEAP = 64 * MIB,
    MESSAGE = 8 * MIB, /* the largest that the server takes */
    UNFINISHED = 64    /* messages that the protocol lets be under way at once */
};

/* HELLO as docs/PROTOCOL.md, section 3, has it. */
typedef struct hello {
    char magic[8];
    uint16_t version, minimum;
    uint32_t features, chunk, calls;
    uint64_t message, window, unfinished, reserved[2];
} hello;

static const hello greeting = {.magic = {'m', 'R', 'P', 'C', '\r', '\n', '\x1a', '\n'},
                               .version = 1,
                               .minimum = 1,
                               .chunk = 65536,
                               .calls = 100,
                               .message = MESSAGE,
                               .window = MIB,
                               .unfinished = MESSAGE};

static mrpc_frame unfinished(uint32_t call)
{
    return (mrpc_frame){.size = 8,
                        .type = FRAME_MESSAGE,
                        .flags = FRAME_OPEN | FRAME_NAMED | FRAME_PROTOBUF | FRAME_MORE,
                        .call = call,
                        .block = MESSAGE - 64};
}

/* --- over tcp --- */

static void say(int fd, const mrpc_frame *frame, const void *payload)
{
    assert_int_equal(write(fd, frame, sizeof *frame), sizeof *frame);
    if (frame->size > 0)
        assert_int_equal(write(fd, payload, frame->size), frame->size);
}

static void say_hello(int fd, const hello *mine)
{
    say(fd, &(mrpc_frame){.type = FRAME_HELLO, .block = sizeof *mine, .size = sizeof *mine}, mine);
}

/* A read with a limit is not taken up again after what io_uring does behind it. */
static ssize_t read_some(int fd, void *bytes, size_t size)
{
    ssize_t got;
    do
        got = read(fd, bytes, size);
    while (got < 0 && errno == EINTR);
    return got;
}

static void hear(int fd, void *bytes, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t now = read_some(fd, (char *)bytes + got, size - got);
        assert_true(now > 0);
        got += (size_t)now;
    }
}

/* Reads up to the frame of that type; returns how many STATUS frames came before it. */
static unsigned hear_frame(int fd, uint8_t type)
{
    char payload[65536];
    mrpc_frame frame;
    for (unsigned refused = 0;; refused += frame.type == FRAME_STATUS) {
        hear(fd, &frame, sizeof frame);
        assert_true(frame.size <= sizeof payload);
        hear(fd, payload, frame.size);
        if (frame.type == type)
            return refused;
        if (frame.type == FRAME_STATUS && memmem(payload, frame.size, "max_unfinished", 14) == NULL)
            fail_msg("the refusal does not name the option");
    }
}

static int dial_tcp(const char *address)
{
    static const struct timeval patience = {.tv_sec = 60}; /* what does not come fails the test */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    struct sockaddr_in where = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
    return fd;
}

static unsigned hoard_over_tcp(int fd)
{
    say_hello(fd, &greeting);
    for (uint32_t call = 1; call <= UNFINISHED; call++) {
        mrpc_frame frame = unfinished(call);
        say(fd, &frame, &(uint64_t){0});
    }
    say(fd, &(mrpc_frame){.type = FRAME_PING}, NULL);
    return hear_frame(fd, FRAME_PONG);
}

/* --- over shared memory --- */

/* From here on the peer wakes the server, whose eventfd comes with the answer. */
static const mrpc_shm_control *answer_of(shm_forged *peer)
{
    struct pollfd wait = {.fd = peer->socket, .events = POLLIN};
    mrpc_shm_packet packet;
    int descriptors[SHM_DESCRIPTORS];
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_int_equal(mrpc_shm_packet_receive(peer->socket, &packet, descriptors), 0);
    void *map = mmap(NULL, SHM_CONTROL, PROT_READ, MAP_SHARED, descriptors[0], 0);
    assert_true(map != MAP_FAILED);
    close(descriptors[0]);
    close(peer->wake);
    peer->wake = descriptors[1];
    return map;
}

static void hoard_over_shm(shm_forged *peer)
{
    const mrpc_shm_control *server = answer_of(peer);
    shm_forged_send(peer, &(mrpc_frame){.type = FRAME_HELLO, .block = sizeof greeting, .size = sizeof greeting},
                    &greeting, sizeof greeting);
    for (uint32_t call = 1; call <= UNFINISHED; call++) {
        mrpc_frame frame = unfinished(call);
        shm_forged_send(peer, &frame, &(uint64_t){0}, sizeof(uint64_t));
    }
    for (int i = 0; i < 10000 && atomic_load(&server->consumed) < peer->head; i++)
        usleep(1000);
    assert_true(atomic_load(&server->consumed) >= peer->head);
    munmap((void *)(uintptr_t)server, SHM_CONTROL);
}

/* --- */

static echo_server *start(const setup *how, const char *address)
{
    mrpc_error error;
    mrpc_server_options options = {
        .size = sizeof options,
        .connection = {.size = sizeof options.connection, .max_message = MESSAGE, .max_unfinished = 2 * MESSAGE}};
    const mrpc_runtime_options limits = {.size = sizeof limits, .poller = how->poller, .heap_limit = HEAP};
    if (mrpc_runtime_new(&options.runtime, &limits, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    echo_server *server = echo_server_start(address, &options);
    mrpc_runtime_unref(options.runtime);
    return server;
}

static void call_with_much(const setup *how, const char *address)
{
    mrpc_runtime *runtime = new_runtime(how);
    fixture f = {.setup = how, .runtime = runtime, .channel = new_channel(how, runtime, address)};
    f.ping = echo_Ping_new(mrpc_channel_heap(f.channel));
    uint8_t *bytes = calloc(1, 4 * MIB);
    assert_int_equal(mrpc_bytes_set(f.ping, &f.ping->payload, bytes, 4 * MIB), 0);
    for (uint64_t i = 0; i < 3; i++)
        call_and_check(&f, i);
    free(bytes);
    mrpc_release(f.ping);
    mrpc_channel_close(f.channel);
    mrpc_runtime_unref(runtime);
}

static void who_hoards_unfinished_messages_takes_no_memory_from_others(void **state)
{
    const setup *how = *state;
    char address[128];
    bool shm = strncmp(how->address, "shm:", 4) == 0;
    (void)snprintf(address, sizeof address, shm ? "%s%d" : "%s", how->address, (int)getpid());
    echo_server *server = start(how, address);
    shm_forged peer;
    int fd = -1;
    if (shm) {
        shm_forged_open(&peer, echo_server_address(server) + strlen("shm://"));
        hoard_over_shm(&peer);
    } else {
        fd = dial_tcp(echo_server_address(server));
        assert_int_equal(hoard_over_tcp(fd), UNFINISHED - 2);
    }
    call_with_much(how, echo_server_address(server));
    if (shm)
        shm_forged_close(&peer);
    else
        close(fd);
    echo_server_stop(server, 1000);
}

/* --- a client that breaks the rules, over tcp --- */

typedef struct rules {
    echo_server *server;
    int fd;
} rules;

enum { open_flags = FRAME_OPEN | FRAME_NAMED | FRAME_PROTOBUF };

static void rules_set_up(rules *r, const mrpc_connection_options *connection)
{
    mrpc_server_options options = {.size = sizeof options, .connection = *connection};
    options.connection.size = sizeof options.connection;
    r->server = echo_server_start("tcp://127.0.0.1:0", &options);
    r->fd = dial_tcp(echo_server_address(r->server));
    say_hello(r->fd, &greeting);
}

static void rules_tear_down(rules *r)
{
    close(r->fd);
    echo_server_stop(r->server, 1000);
}

/* The payload of an OPEN: returns its size. */
static uint32_t write_open(char *payload, const char *method, const void *ping, uint32_t size, uint32_t *meta)
{
    *meta = (uint32_t)mrpc_meta_write(payload, ":method", method, strlen(method), 0);
    memset(payload + *meta, 0, mrpc_pad8(size));
    memcpy(payload + *meta, ping, size);
    return *meta + (uint32_t)mrpc_pad8(size);
}

static void open_call_for(int fd, uint32_t call, const char *method, const char *ping, uint32_t size, uint8_t flags,
                          uint64_t timeout)
{
    char payload[512] __attribute__((aligned(8)));
    uint32_t meta, bytes = write_open(payload, method, ping, size, &meta);
    say(fd,
        &(mrpc_frame){.size = bytes,
                      .type = FRAME_MESSAGE,
                      .flags = open_flags | flags,
                      .call = call,
                      .block = size,
                      .meta = meta,
                      .value = timeout},
        payload);
}

static void open_call(int fd, uint32_t call, const char *method, const char *ping, uint32_t size, uint8_t flags)
{
    open_call_for(fd, call, method, ping, size, flags, 0);
}

static const char reply_ping[2] = {8, 5}; /* Ping { number: 5 } */

/* Reads up to the end of the call: the code of its STATUS, or 0 for a message that ends it well. */
static uint32_t hear_end(int fd, uint32_t call)
{
    char payload[65536];
    mrpc_frame frame;
    do {
        hear(fd, &frame, sizeof frame);
        assert_true(frame.size <= sizeof payload);
        hear(fd, payload, frame.size);
    } while (frame.call != call || (frame.type != FRAME_STATUS && !(frame.flags & FRAME_OK)));
    return frame.type == FRAME_STATUS ? frame.method : 0;
}

/* The server closes the connection, and does so because of what it was sent: nothing else ends it here. */
static void hear_nothing_more(int fd)
{
    char bytes[4096];
    ssize_t got;
    do
        got = read_some(fd, bytes, sizeof bytes);
    while (got > 0);
    assert_true(got == 0 || errno == ECONNRESET);
}

/* As many bytes of a call's first message as make a frame of their own, and the rest. */
static void begin_call(int fd, uint32_t call)
{
    char payload[512] __attribute__((aligned(8)));
    uint32_t meta;
    (void)write_open(payload, "echo.Echo/Unary", reply_ping, sizeof reply_ping, &meta);
    say(fd,
        &(mrpc_frame){.size = meta,
                      .type = FRAME_MESSAGE,
                      .flags = open_flags | FRAME_END | FRAME_MORE,
                      .call = call,
                      .block = sizeof reply_ping,
                      .meta = meta},
        payload);
}

static void complete_call(int fd, uint32_t call)
{
    uint64_t ping = 0;
    memcpy(&ping, reply_ping, sizeof reply_ping);
    say(fd, &(mrpc_frame){.size = 8, .type = FRAME_CHUNK, .call = call}, &ping);
}

static void *stop_slowly(void *argument)
{
    echo_server_stop(argument, 60000);
    return NULL;
}

static void call_under_way_is_served_while_the_server_drains(void **state)
{
    (void)state;
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){0});
    begin_call(r.fd, 1);
    begin_call(r.fd, 3);
    open_call(r.fd, 2, "echo.Echo/Unary", reply_ping, sizeof reply_ping, FRAME_END);
    assert_int_equal(hear_end(r.fd, 2), 0);
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_slowly, r.server), 0);
    hear_frame(r.fd, FRAME_GOAWAY); /* up to 2 */
    usleep(700000);                 /* more than a server lingers that has nothing to do */
    complete_call(r.fd, 3);
    complete_call(r.fd, 1);
    assert_int_equal(hear_end(r.fd, 1), 0);
    close(r.fd);
    assert_int_equal(pthread_join(stopper, NULL), 0);
}

static void call_after_the_clients_goaway_ends_the_connection(void **state)
{
    (void)state;
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){0});
    begin_call(r.fd, 1);
    say(r.fd, &(mrpc_frame){.type = FRAME_GOAWAY, .call = 1}, NULL);
    complete_call(r.fd, 1);
    assert_int_equal(hear_end(r.fd, 1), 0);
    open_call(r.fd, 2, "echo.Echo/Unary", reply_ping, sizeof reply_ping, FRAME_END);
    hear_nothing_more(r.fd);
    rules_tear_down(&r);
}

/* --- handlers that hold on to their calls --- */

enum { HELD = 8 };

typedef struct holder {
    echo_Echo_Unary_call *calls[HELD + 1];
    _Atomic unsigned count;
    _Atomic bool released; /* from now on they answer at once */
} holder;

static void hold(echo_Echo_Unary_call *call, const echo_Ping *request, void *state)
{
    holder *mine = state;
    (void)request;
    if (atomic_load(&mine->released)) {
        (void)echo_Echo_Unary_reply(call, echo_Pong_new(echo_Echo_Unary_heap(call)));
        return;
    }
    unsigned count = atomic_load(&mine->count);
    assert_true(count <= HELD);
    mine->calls[count] = call;
    atomic_store(&mine->count, count + 1);
}

static void cancelled_calls_count_until_their_handlers_are_done(void **state)
{
    (void)state;
    static const echo_Echo_handlers holding = {.Unary = hold};
    holder held = {.count = 0};
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){.max_calls = HELD});
    assert_int_equal(mrpc_server_replace(echo_server_mrpc(r.server), &echo_Echo_service, &holding, &held, NULL, NULL),
                     0);
    uint32_t call = 1;
    for (; call <= HELD; call++)
        open_call(r.fd, call, "echo.Echo/Unary", reply_ping, sizeof reply_ping, FRAME_END);
    while (atomic_load(&held.count) < HELD)
        usleep(1000);
    for (uint32_t cancelled = 1; cancelled <= HELD; cancelled++)
        say(r.fd, &(mrpc_frame){.type = FRAME_CANCEL, .call = cancelled, .method = MRPC_CANCELLED}, NULL);
    open_call(r.fd, call, "echo.Echo/Unary", reply_ping, sizeof reply_ping, FRAME_END);
    assert_int_equal(hear_end(r.fd, call), MRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(atomic_load(&held.count), HELD);
    /* When they are, there is room again. */
    atomic_store(&held.released, true);
    for (unsigned i = 0; i < HELD; i++)
        (void)echo_Echo_Unary_fail(held.calls[i], MRPC_ABORTED, "late");
    uint32_t code;
    do {
        open_call(r.fd, ++call, "echo.Echo/Unary", reply_ping, sizeof reply_ping, FRAME_END);
        code = hear_end(r.fd, call);
        assert_true(code == 0 || code == MRPC_RESOURCE_EXHAUSTED);
    } while (code != 0);
    rules_tear_down(&r);
}

static void take_over(const rules *r, holder *held)
{
    static const echo_Echo_handlers holding = {.Unary = hold};
    assert_int_equal(mrpc_server_replace(echo_server_mrpc(r->server), &echo_Echo_service, &holding, held, NULL, NULL),
                     0);
}

static void await_held(const holder *held)
{
    while (atomic_load(&held->count) == 0)
        usleep(1000);
}

/* The client says nothing of the deadline again. */
static void deadline_is_kept_by_the_server_alone(void **state)
{
    (void)state;
    holder held = {.count = 0};
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){0});
    take_over(&r, &held);
    open_call_for(r.fd, 1, "echo.Echo/Unary", reply_ping, sizeof reply_ping, FRAME_END, 100 * UINT64_C(1000000));
    assert_int_equal(hear_end(r.fd, 1), MRPC_DEADLINE_EXCEEDED);
    if (atomic_load(&held.count) > 0)
        (void)echo_Echo_Unary_fail(held.calls[0], MRPC_ABORTED, "late");
    rules_tear_down(&r);
}

static void second_request_of_a_unary_call_ends_it(void **state)
{
    (void)state;
    holder held = {.count = 0};
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){0});
    take_over(&r, &held);
    open_call(r.fd, 1, "echo.Echo/Unary", reply_ping, sizeof reply_ping, 0);
    await_held(&held);
    say(r.fd, &(mrpc_frame){.type = FRAME_MESSAGE, .flags = FRAME_PROTOBUF, .call = 1}, NULL);
    assert_int_equal(hear_end(r.fd, 1), MRPC_INTERNAL);
    (void)echo_Echo_Unary_fail(held.calls[0], MRPC_ABORTED, "late");
    rules_tear_down(&r);
}

/* --- what a connection may hold --- */

enum { BIG = 300 };

static void refused_for_what_is_held(int fd, uint32_t call)
{
    char payload[65536];
    mrpc_frame frame;
    do {
        hear(fd, &frame, sizeof frame);
        assert_true(frame.size <= sizeof payload);
        hear(fd, payload, frame.size);
    } while (frame.call != call || frame.type != FRAME_STATUS);
    assert_int_equal(frame.method, MRPC_RESOURCE_EXHAUSTED);
    if (memmem(payload, frame.size, "max_held", 8) == NULL)
        fail_msg("the refusal does not name the option: %.*s", (int)frame.size - 16, payload + 16);
}

static void requests_that_handlers_keep_are_bounded(void **state)
{
    (void)state;
    static const echo_Echo_handlers holding = {.Unary = hold};
    static const char ping[BIG] = {0x2a, (char)0xa9, 2}; /* Ping { payload: 297 bytes } */
    holder held = {.count = 0};
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){.max_message = 1024, .max_held = 3 * 1024});
    assert_int_equal(mrpc_server_replace(echo_server_mrpc(r.server), &echo_Echo_service, &holding, &held, NULL, NULL),
                     0);
    uint32_t call = 1;
    for (; call <= HELD; call++)
        open_call(r.fd, call, "echo.Echo/Unary", ping, sizeof ping, FRAME_END);
    refused_for_what_is_held(r.fd, HELD);
    assert_in_range(atomic_load(&held.count), 2, HELD - 1);
    unsigned count = atomic_load(&held.count);
    for (unsigned i = 0; i < count; i++)
        (void)echo_Echo_Unary_fail(held.calls[i], MRPC_ABORTED, "late");
    while (hear_end(r.fd, count) != MRPC_ABORTED)
        ;
    atomic_store(&held.released, true);
    open_call(r.fd, call, "echo.Echo/Unary", ping, sizeof ping, FRAME_END);
    assert_int_equal(hear_end(r.fd, call), 0);
    rules_tear_down(&r);
}

enum { REPLIES = 240, REPLY = 60000 }; /* more than sockets and the transport's queue take */

static void answer_with_much(echo_Echo_Unary_call *call, const echo_Ping *request, void *state)
{
    static const uint8_t bytes[REPLY];
    (void)request;
    (void)state;
    echo_Pong *pong = echo_Pong_new(echo_Echo_Unary_heap(call));
    assert_int_equal(mrpc_bytes_set(pong, &pong->payload, bytes, sizeof bytes), 0);
    (void)echo_Echo_Unary_reply(call, pong);
}

/* The server has looked at all that other connections have sent: it has answered two calls since. */
static void await_server(int fd)
{
    static uint32_t call = 0;
    for (int i = 0; i < 2; i++) {
        open_call(fd, ++call, "echo.Echo/Unary", reply_ping, sizeof reply_ping, FRAME_END);
        assert_int_equal(hear_end(fd, call), 0);
    }
}

static void replies_that_nobody_reads_are_bounded(void **state)
{
    (void)state;
    static const echo_Echo_handlers much = {.Unary = answer_with_much};
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){.max_message = 65536, .max_held = MIB, .send_buffer = 65536});
    assert_int_equal(mrpc_server_replace(echo_server_mrpc(r.server), &echo_Echo_service, &much, NULL, NULL, NULL), 0);
    int another = dial_tcp(echo_server_address(r.server));
    say_hello(another, &greeting);
    uint32_t call = 1;
    for (; call <= REPLIES; call++)
        open_call(r.fd, call, "echo.Echo/Unary", reply_ping, sizeof reply_ping, FRAME_END);
    for (; call <= REPLIES + 2; call++) { /* the first of them may be the one that goes over the bound */
        await_server(another);
        open_call(r.fd, call, "echo.Echo/Unary", reply_ping, sizeof reply_ping, FRAME_END);
    }
    await_server(another);
    refused_for_what_is_held(r.fd, REPLIES + 2);
    uint32_t code;
    do { /* the refusal overtakes the replies; with each of them that is read there is more room */
        open_call(r.fd, call, "echo.Echo/Unary", reply_ping, sizeof reply_ping, FRAME_END);
        code = hear_end(r.fd, call++);
        assert_true(code == 0 || code == MRPC_RESOURCE_EXHAUSTED);
    } while (code != 0);
    close(another);
    rules_tear_down(&r);
}

/* --- text that no application could have sent --- */

/* An item of a meta section (docs/PROTOCOL.md, section 2), in 32 bytes. */
typedef struct meta_item {
    uint16_t key_size, flags;
    uint32_t value_size;
    char text[24];
} meta_item;

static const meta_item bad_items[] = {
    {.key_size = 3, .value_size = 21, .text = "Keyupper case in the key"},
    {.key_size = 3, .value_size = 21, .text = "k\0ya NUL is within there"},
    {.key_size = 3, .value_size = 21, .text = "key\033[2Jclears the screen"},
};

/* A server of one connection in a thread: answers each of the calls with a STATUS that has that item. */
typedef struct fake_server {
    int listener;
    pthread_t thread;
    meta_item items[4];
    size_t count;
} fake_server;

static void *answer_calls(void *argument)
{
    fake_server *fake = argument;
    int fd = accept(fake->listener, NULL, NULL);
    mrpc_frame frame;
    char payload[65536];
    say(fd, &(mrpc_frame){.type = FRAME_HELLO, .block = sizeof greeting, .size = sizeof greeting}, &greeting);
    for (size_t answered = 0; answered < fake->count;) {
        hear(fd, &frame, sizeof frame);
        hear(fd, payload, frame.size);
        if (frame.type != FRAME_MESSAGE)
            continue;
        mrpc_frame status = {.type = FRAME_STATUS,
                             .flags = FRAME_END,
                             .call = frame.call,
                             .method = MRPC_NOT_FOUND,
                             .meta = sizeof(meta_item),
                             .size = sizeof(meta_item)};
        say(fd, &status, &fake->items[answered++]);
    }
    while (read_some(fd, payload, sizeof payload) > 0)
        ;
    close(fd);
    return NULL;
}

static void start_fake(fake_server *fake, char *address, size_t size)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof where;
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&where, sizeof where), 0);
    assert_int_equal(listen(fake->listener, 1), 0);
    assert_int_equal(getsockname(fake->listener, (struct sockaddr *)&where, &length), 0);
    (void)snprintf(address, size, "tcp://127.0.0.1:%d", ntohs(where.sin_port));
    assert_int_equal(pthread_create(&fake->thread, NULL, answer_calls, fake), 0);
}

static void text_of_a_server_is_checked(void **state)
{
    const setup *how = *state;
    static const meta_item message = {
        .key_size = 8, .value_size = 16, .text = ":messagea\xFFz\xC3\xA9\xE2\x82. letters"};
    char address[64];
    fake_server fake = {.items = {message, bad_items[0], bad_items[1], bad_items[2]}, .count = 4};
    start_fake(&fake, address, sizeof address);
    mrpc_runtime *runtime = new_runtime(how);
    mrpc_channel *channel = new_channel(how, runtime, address);
    echo_Ping *ping = echo_Ping_new(mrpc_channel_heap(channel));
    for (size_t i = 0; i < fake.count; i++) {
        mrpc_metadata_list *list;
        mrpc_status status = mrpc_call_unary(channel, &echo_Echo_methods[0], ping, NULL,
                                             MRPC_CALL_OPTIONS(.wait_for_ready = true, .received = &list));
        assert_int_equal(status.code, i == 0 ? MRPC_NOT_FOUND : MRPC_INTERNAL);
        if (i == 0)
            assert_string_equal(status.message, "a?z\xC3\xA9??. letters");
        else
            assert_non_null(strstr(status.message, "metadata of echo.Echo/Unary"));
        assert_null(list);
    }
    mrpc_release(ping);
    mrpc_channel_close(channel);
    assert_int_equal(pthread_join(fake.thread, NULL), 0);
    close(fake.listener);
    mrpc_runtime_unref(runtime);
}

/* The code of the first STATUS that comes. */
static uint32_t hear_status(int fd)
{
    char payload[65536];
    mrpc_frame frame;
    do {
        hear(fd, &frame, sizeof frame);
        assert_true(frame.size <= sizeof payload);
        hear(fd, payload, frame.size);
    } while (frame.type != FRAME_STATUS);
    return frame.method;
}

/* Opens a call by name, without a message. */
static void open_with_item(int fd, uint32_t call, const meta_item *item)
{
    struct {
        meta_item method, extra;
    } section = {.method = {.key_size = 7, .value_size = 14, .text = ":methodecho.Echo/Both"}, .extra = *item};
    const mrpc_frame frame = {.size = sizeof section,
                              .type = FRAME_MESSAGE,
                              .flags = FRAME_OPEN | FRAME_NAMED | FRAME_PROTOBUF | FRAME_NOMESSAGE,
                              .call = call,
                              .meta = sizeof section};
    say(fd, &frame, &section);
}

static void metadata_of_a_client_is_checked(void **state)
{
    const setup *how = *state;
    echo_server *server = start(how, how->address);
    int fd = dial_tcp(echo_server_address(server));
    say(fd, &(mrpc_frame){.type = FRAME_HELLO, .block = sizeof greeting, .size = sizeof greeting}, &greeting);
    for (uint32_t i = 0; i < sizeof bad_items / sizeof bad_items[0]; i++) {
        open_with_item(fd, i + 1, &bad_items[i]);
        assert_int_equal(hear_status(fd), MRPC_INTERNAL);
    }
    assert_int_equal(echo_server_seen(server)->handled, 0);
    call_with_much(how, echo_server_address(server));
    close(fd);
    echo_server_stop(server, 1000);
}

static void metadata_over_the_limit_is_refused(void **state)
{
    (void)state;
    static char section[5120] __attribute__((aligned(8))), value[5000];
    memset(value, 'a', sizeof value);
    uint32_t method = (uint32_t)mrpc_meta_write(section, ":method", "echo.Echo/Both", 14, 0);
    uint32_t item = (uint32_t)mrpc_meta_write(section + method, "key", value, sizeof value, 0);
    mrpc_frame frame = {.size = method + item,
                        .type = FRAME_MESSAGE,
                        .flags = open_flags | FRAME_NOMESSAGE,
                        .call = 1,
                        .meta = method + item};
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){0});
    say(r.fd, &frame, section);
    frame.flags = FRAME_PROTOBUF | FRAME_NOMESSAGE;
    frame.size = frame.meta = item;
    say(r.fd, &frame, section + method);
    assert_int_equal(hear_status(r.fd), MRPC_RESOURCE_EXHAUSTED);
    rules_tear_down(&r);
}

/* --- what a peer must not do ends its connection --- */

static void silent_peer_is_given_up(void **state)
{
    (void)state;
    const mrpc_server_options options = {.size = sizeof options, .hello_timeout_ms = 50};
    echo_server *server = echo_server_start("tcp://127.0.0.1:0", &options);
    int fd = dial_tcp(echo_server_address(server));
    hear_nothing_more(fd);
    close(fd);
    echo_server_stop(server, 1000);
}

static void hello_with_a_small_chunk_is_refused(void **state)
{
    (void)state;
    hello small = greeting;
    small.chunk = 32768 - 8;
    echo_server *server = echo_server_start("tcp://127.0.0.1:0", NULL);
    int fd = dial_tcp(echo_server_address(server));
    say_hello(fd, &small);
    hear_nothing_more(fd);
    close(fd);
    echo_server_stop(server, 1000);
}

/* Both messages come together, so that the first one cannot have been consumed when the second one is looked at. */
static void messages_beyond_the_window_end_the_connection(void **state)
{
    (void)state;
    struct {
        mrpc_frame frame;
        char ping[8];
    } messages[2];
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){.window = 8});
    open_call(r.fd, 1, "echo.Echo/Up", reply_ping, sizeof reply_ping, 0);
    for (int i = 0; i < 2; i++) {
        messages[i].frame = (mrpc_frame){
            .size = 8, .type = FRAME_MESSAGE, .flags = FRAME_PROTOBUF, .call = 1, .block = sizeof reply_ping};
        memset(messages[i].ping, 0, sizeof messages[i].ping);
        memcpy(messages[i].ping, reply_ping, sizeof reply_ping);
    }
    assert_int_equal(write(r.fd, messages, sizeof messages), sizeof messages);
    hear_nothing_more(r.fd);
    rules_tear_down(&r);
}

static void credit_without_end_ends_the_connection(void **state)
{
    (void)state;
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){0});
    open_call(r.fd, 1, "echo.Echo/Both", reply_ping, sizeof reply_ping, 0);
    say(r.fd, &(mrpc_frame){.type = FRAME_CREDIT, .call = 1, .value = INT64_MAX}, NULL);
    hear_nothing_more(r.fd);
    rules_tear_down(&r);
}

/* Call 1 is a stream that is open; its client goes on with that frame, of which all payload is `payload`. */
static const struct {
    const char *what;
    mrpc_frame frame;
    uint64_t payload;
} breaches[] = {
    {"credit for a call that never was", {.type = FRAME_CREDIT, .call = 7, .value = 1}, 0},
    {"a message of a call that never was", {.type = FRAME_MESSAGE, .flags = FRAME_PROTOBUF, .call = 7}, 0},
    {"a status from a client", {.type = FRAME_STATUS, .call = 1}, 0},
    {"a binding from a client", {.type = FRAME_BIND, .call = 1, .method = 1}, 0},
    {"a message in the other encoding", {.type = FRAME_MESSAGE, .call = 1}, 0},
    {"a second HELLO", {.type = FRAME_HELLO, .size = 64, .block = 64}, 0},
    {"a call that begins twice", {.type = FRAME_MESSAGE, .flags = open_flags | FRAME_NOMESSAGE, .call = 1}, 0},
    {"a method that was not bound",
     {.type = FRAME_MESSAGE, .flags = FRAME_OPEN | FRAME_PROTOBUF | FRAME_NOMESSAGE, .call = 2, .method = 77},
     0},
    {"an item of metadata beyond its section",
     {.type = FRAME_MESSAGE, .flags = FRAME_PROTOBUF | FRAME_NOMESSAGE, .call = 1, .size = 8, .meta = 8},
     0xffff},
};

static void breaches_of_the_protocol_end_the_connection(void **state)
{
    (void)state;
    rules r;
    for (size_t i = 0; i < sizeof breaches / sizeof breaches[0]; i++) {
        char payload[64] = {0};
        memcpy(payload, &breaches[i].payload, sizeof breaches[i].payload);
        print_message("%s\n", breaches[i].what);
        rules_set_up(&r, &(mrpc_connection_options){0});
        open_call(r.fd, 1, "echo.Echo/Both", reply_ping, sizeof reply_ping, 0);
        say(r.fd, &breaches[i].frame, payload);
        hear_nothing_more(r.fd);
        rules_tear_down(&r);
    }
}

static void message_after_the_last_ends_the_connection(void **state)
{
    (void)state;
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){0});
    open_call(r.fd, 1, "echo.Echo/Both", reply_ping, sizeof reply_ping, 0);
    const mrpc_frame last = {.type = FRAME_MESSAGE, .flags = FRAME_PROTOBUF | FRAME_END, .call = 1};
    const mrpc_frame frames[2] = {last, last};
    assert_int_equal(write(r.fd, frames, sizeof frames), sizeof frames);
    hear_nothing_more(r.fd);
    rules_tear_down(&r);
}

/* The method is bound to the protobuf encoding: its OPEN named no fingerprints. */
static void native_call_of_a_method_of_protobuf_ends_the_connection(void **state)
{
    (void)state;
    rules r;
    mrpc_frame frame;
    char payload[65536];
    rules_set_up(&r, &(mrpc_connection_options){0});
    open_call(r.fd, 1, "echo.Echo/Both", reply_ping, sizeof reply_ping, 0);
    do {
        hear(r.fd, &frame, sizeof frame);
        hear(r.fd, payload, frame.size);
    } while (frame.type != FRAME_BIND);
    assert_true(frame.flags & FRAME_PROTOBUF);
    say(r.fd,
        &(mrpc_frame){.type = FRAME_MESSAGE, .flags = FRAME_OPEN | FRAME_NOMESSAGE, .call = 2, .method = frame.method},
        NULL);
    hear_nothing_more(r.fd);
    rules_tear_down(&r);
}

/* Answers that are not read pile up in the socket, the transport's queue, and behind it: up to a bound. */
static void pings_without_end_end_the_connection(void **state)
{
    (void)state;
    enum { AT_ONCE = 2048, BYTES_MOST = 1 << 30 };
    static mrpc_frame pings[AT_ONCE];
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){0});
    for (size_t i = 0; i < AT_ONCE; i++)
        pings[i] = (mrpc_frame){.type = FRAME_PING, .value = i};
    size_t said = 0;
    ssize_t now = 0;
    while (said < BYTES_MOST && (now = send(r.fd, pings, sizeof pings, MSG_NOSIGNAL)) > 0)
        said += (size_t)now;
    assert_true(now < 0 && (errno == ECONNRESET || errno == EPIPE));
    rules_tear_down(&r);
}

/* The flags of the BIND that answers an OPEN by name with these fingerprints. */
static unsigned hear_binding(int fd, uint32_t call, const mrpc_fingerprint *request, const mrpc_fingerprint *reply)
{
    char payload[65536] __attribute__((aligned(8)));
    size_t meta = mrpc_meta_write(payload, ":method", "echo.Echo/Unary", 15, 0);
    meta += mrpc_meta_write(payload + meta, ":request", request, sizeof *request, 0);
    meta += mrpc_meta_write(payload + meta, ":reply", reply, sizeof *reply, 0);
    memset(payload + meta, 0, 8);
    mrpc_frame frame = {.size = (uint32_t)meta + 8,
                        .type = FRAME_MESSAGE,
                        .flags = open_flags | FRAME_END,
                        .call = call,
                        .block = sizeof reply_ping,
                        .meta = (uint32_t)meta};
    memcpy(payload + meta, reply_ping, sizeof reply_ping);
    say(fd, &frame, payload);
    do {
        hear(fd, &frame, sizeof frame);
        hear(fd, payload, frame.size);
    } while (frame.type != FRAME_BIND || frame.call != call);
    return frame.flags;
}

static void both_fingerprints_decide_the_encoding(void **state)
{
    (void)state;
    const mrpc_method *method = &echo_Echo_methods[0];
    mrpc_fingerprint other = {0};
    rules r;
    rules_set_up(&r, &(mrpc_connection_options){0});
    assert_int_equal(hear_binding(r.fd, 1, &method->request->fingerprint, &method->reply->fingerprint) & FRAME_PROTOBUF,
                     0);
    assert_int_not_equal(hear_binding(r.fd, 2, &method->request->fingerprint, &other) & FRAME_PROTOBUF, 0);
    assert_int_not_equal(hear_binding(r.fd, 3, &other, &method->reply->fingerprint) & FRAME_PROTOBUF, 0);
    rules_tear_down(&r);
}

static void stopped_server_listens_no_more(void **state)
{
    (void)state;
    mrpc_error error;
    mrpc_server *server;
    assert_int_equal(mrpc_server_new(&server, NULL, &error), 0);
    assert_int_equal(mrpc_server_listen(server, "tcp://127.0.0.1:0", &error), 0);
    mrpc_server_stop(server, 0);
    assert_int_equal(mrpc_server_run(server), 0);
    assert_int_equal(mrpc_server_listen(server, "tcp://127.0.0.1:0", &error), MRPC_EINVAL);
    assert_non_null(strstr(error.text, "stopped"));
    mrpc_server_free(server);
}

static const named_test tests[] = {
    NAMED_TEST(who_hoards_unfinished_messages_takes_no_memory_from_others),
};

/* What they send is looked at behind the transports, so one of these is enough. */
static const struct CMUnitTest rule_tests[] = {
    {"text_of_a_server_is_checked", text_of_a_server_is_checked, NULL, NULL, (void *)&every_setup[0]},
    {"metadata_of_a_client_is_checked", metadata_of_a_client_is_checked, NULL, NULL, (void *)&every_setup[0]},
    cmocka_unit_test(call_under_way_is_served_while_the_server_drains),
    cmocka_unit_test(call_after_the_clients_goaway_ends_the_connection),
    cmocka_unit_test(cancelled_calls_count_until_their_handlers_are_done),
    cmocka_unit_test(metadata_over_the_limit_is_refused),
    cmocka_unit_test(silent_peer_is_given_up),
    cmocka_unit_test(hello_with_a_small_chunk_is_refused),
    cmocka_unit_test(messages_beyond_the_window_end_the_connection),
    cmocka_unit_test(credit_without_end_ends_the_connection),
    cmocka_unit_test(breaches_of_the_protocol_end_the_connection),
    cmocka_unit_test(message_after_the_last_ends_the_connection),
    cmocka_unit_test(native_call_of_a_method_of_protobuf_ends_the_connection),
    cmocka_unit_test(deadline_is_kept_by_the_server_alone),
    cmocka_unit_test(second_request_of_a_unary_call_ends_it),
    cmocka_unit_test(pings_without_end_end_the_connection),
    cmocka_unit_test(both_fingerprints_decide_the_encoding),
    cmocka_unit_test(stopped_server_listens_no_more),
    cmocka_unit_test(requests_that_handlers_keep_are_bounded),
    cmocka_unit_test(replies_that_nobody_reads_are_bounded),
};

int main(int argc, char **argv)
{
    return run_named_tests(tests, sizeof tests / sizeof tests[0], argc, argv) +
           cmocka_run_group_tests(rule_tests, NULL, NULL);
}
