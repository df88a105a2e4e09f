/* SPDX-License-Identifier: BSD-2-Clause */
/* test_runtime_hostile.c - a client that abuses a server, and an honest one of the same server that must not notice */
#include "config.h"

#include <arpa/inet.h>
#include <poll.h>
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

static void hear(int fd, void *bytes, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t now = read(fd, (char *)bytes + got, size - got);
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
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in where = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
    return fd;
}

static unsigned hoard_over_tcp(int fd)
{
    say(fd, &(mrpc_frame){.type = FRAME_HELLO, .block = sizeof greeting, .size = sizeof greeting}, &greeting);
    for (uint32_t call = 1; call <= UNFINISHED; call++) {
        mrpc_frame frame = unfinished(call);
        say(fd, &frame, &(uint64_t){0});
    }
    say(fd, &(mrpc_frame){.type = FRAME_PING}, NULL);
    return hear_frame(fd, FRAME_PONG);
}

/* --- over shared memory --- */

static const mrpc_shm_control *answer_of(const shm_forged *peer)
{
    struct pollfd wait = {.fd = peer->socket, .events = POLLIN};
    mrpc_shm_packet packet;
    int descriptors[SHM_DESCRIPTORS];
    assert_int_equal(poll(&wait, 1, 10000), 1);
    assert_int_equal(mrpc_shm_packet_receive(peer->socket, &packet, descriptors), 0);
    void *map = mmap(NULL, SHM_CONTROL, PROT_READ, MAP_SHARED, descriptors[0], 0);
    assert_true(map != MAP_FAILED);
    close(descriptors[0]);
    close(descriptors[1]);
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

static const named_test tests[] = {
    NAMED_TEST(who_hoards_unfinished_messages_takes_no_memory_from_others),
};

int main(int argc, char **argv)
{
    return run_named_tests(tests, sizeof tests / sizeof tests[0], argc, argv);
}
