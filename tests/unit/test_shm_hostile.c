/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_shm_hostile.c - a peer that lies in its greeting, in its ring, in its references, and changes what it has sent
 *
 * The peer is forged by hand: its ring is ordinary memory to the test, which writes into it what it likes. Whatever
 * that is, the server ends that connection with a reason, and serves others on.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "shm_forged.h"
#include "shm_pair.h"
#include "transports/shm/packet.h"

enum { DATA = FORGED_DATA, SEGMENT = 1 << 20 };

static shm_pair pair;
static shm_forged peer;

static void run(int rounds)
{
    shm_pair_run(&pair, rounds);
}

/* A peer that has greeted properly. */
static void forge(void)
{
    shm_forged_open(&peer, pair.name);
    shm_pair_until(&pair, &pair.server.opened, 1);
}

static void forget(void)
{
    shm_forged_close(&peer);
}

static void close_server_end(void)
{
    if (pair.server.connection != NULL)
        mrpc_transport_shm.close(pair.server.connection);
    pair.server.connection = NULL;
    pair.server.opened = pair.server.closed = pair.server.frames = pair.server.refused = 0;
    pair.server.reason.code = 0;
}

static void write_record(uint64_t mark, uint64_t word, const mrpc_frame *frame, const void *payload, size_t size)
{
    shm_forged_record(&peer, mark, word, frame, payload, size);
}

static void send_frame(const mrpc_frame *frame, const void *payload, size_t size)
{
    shm_forged_send(&peer, frame, payload, size);
}

/* The listener still takes proper clients. */
static void assert_still_serving(void)
{
    close_server_end();
    forge();
    send_frame(&(mrpc_frame){.type = FRAME_PING}, NULL, 0);
    shm_pair_until(&pair, &pair.server.frames, 1);
    close_server_end();
    forget();
}

static int setup(void **state)
{
    (void)state;
    memset(&pair, 0, sizeof pair);
    shm_pair_listen(&pair);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    shm_pair_close(&pair);
    return 0;
}

/* --- greetings --- */

typedef struct greeting {
    const char *what;
    mrpc_shm_packet packet;
    int descriptors[2];
    uint32_t count;
    size_t cut; /* bytes of the packet that are left out */
} greeting;

static void check_greeting(const greeting *g)
{
    unsigned before = count_descriptors();
    int fd = shm_forged_dial(pair.name);
    mrpc_shm_packet packet = g->packet, answer;
    int descriptors[SHM_DESCRIPTORS];
    if (g->cut > 0)
        assert_true(send(fd, &packet, sizeof packet - g->cut, 0) > 0);
    else
        assert_int_equal(mrpc_shm_packet_send(fd, &packet, g->descriptors, g->count), 0);
    run(20);
    if (pair.server.opened != 0)
        fail_msg("%s was accepted", g->what);
    int got = mrpc_shm_packet_receive(fd, &answer, descriptors);
    if (got != 0 || answer.kind != SHM_REFUSE || strlen(answer.text) < 10 || answer.code == 0)
        fail_msg("%s: no reason was given", g->what);
    assert_int_equal(descriptors[0], -1);
    assert_int_equal(mrpc_shm_packet_receive(fd, &answer, descriptors), MRPC_ECLOSED);
    close(fd);
    assert_int_equal(count_descriptors(), before);
}

static void false_greetings_are_refused_with_a_reason(void **state)
{
    (void)state;
    int good = shm_forged_memfd(SHM_CONTROL + DATA, F_SEAL_SHRINK | F_SEAL_GROW);
    int unsealed = shm_forged_memfd(SHM_CONTROL + DATA, 0),
        can_shrink = shm_forged_memfd(SHM_CONTROL + DATA, F_SEAL_GROW);
    int can_grow = shm_forged_memfd(SHM_CONTROL + DATA, F_SEAL_SHRINK);
    int small = shm_forged_memfd(DATA, F_SEAL_SHRINK | F_SEAL_GROW);
    int wake = eventfd(0, EFD_CLOEXEC), pipes[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    mrpc_shm_packet fine = shm_forged_hello(), kind = fine, chunk = fine, loans = fine, odd = fine, huge = fine,
                    none = fine, zero = fine;
    kind.kind = 77;
    chunk.chunk = 100;
    loans.loans = SHM_LOANS + 1;
    odd.data = DATA + 4096;
    huge.data = UINT64_C(1) << 62;
    none.kind = SHM_SEGMENT;
    zero.data = 0;
    const greeting greetings[] = {
        {"an unknown kind", kind, {good, wake}, 2, 0},
        {"a segment first", none, {good, wake}, 2, 0},
        {"a tiny chunk", chunk, {good, wake}, 2, 0},
        {"too many loans", loans, {good, wake}, 2, 0},
        {"an odd size", odd, {good, wake}, 2, 0},
        {"a huge size", huge, {good, wake}, 2, 0},
        {"no size", zero, {good, wake}, 2, 0},
        {"no descriptors", fine, {0, 0}, 0, 0},
        {"one descriptor", fine, {good, 0}, 1, 0},
        {"an unsealed ring", fine, {unsealed, wake}, 2, 0},
        {"a ring that can shrink", fine, {can_shrink, wake}, 2, 0},
        {"a ring that can grow", fine, {can_grow, wake}, 2, 0},
        {"a ring of another size", fine, {small, wake}, 2, 0},
        {"a pipe for a ring", fine, {pipes[0], wake}, 2, 0},
        {"a device for a ring", fine, {null, wake}, 2, 0},
        {"a pipe to wake", fine, {good, pipes[1]}, 2, 0},
        {"a ring to wake", fine, {good, good}, 2, 0},
        {"half a packet", fine, {0, 0}, 0, 100},
        {"nothing but a byte", fine, {0, 0}, 0, sizeof fine - 1},
    };
    for (size_t i = 0; i < sizeof greetings / sizeof greetings[0]; i++)
        check_greeting(&greetings[i]);
    int all[] = {good, unsealed, can_shrink, can_grow, small, wake, pipes[0], pipes[1], null};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        close(all[i]);
    assert_still_serving();
}

static void a_greeting_of_another_version_is_refused(void **state)
{
    (void)state;
    int fd = shm_forged_dial(pair.name);
    mrpc_shm_packet packet = shm_forged_hello(), answer;
    int descriptors[SHM_DESCRIPTORS];
    packet.magic = SHM_MAGIC;
    packet.version = SHM_VERSION + 1;
    assert_int_equal(send(fd, &packet, sizeof packet, 0), sizeof packet);
    run(20);
    assert_int_equal(mrpc_shm_packet_receive(fd, &answer, descriptors), 0);
    assert_int_equal(answer.kind, SHM_REFUSE);
    assert_non_null(strstr(answer.text, "version"));
    close(fd);
    assert_still_serving();
}

/* With as many descriptors as no packet has. */
static void send_packet(int fd, mrpc_shm_packet *packet, const int *descriptors, size_t count)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(100 * sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    packet->magic = SHM_MAGIC;
    packet->version = SHM_VERSION;
    struct iovec part = {packet, sizeof *packet};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    control.header =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), descriptors, count * sizeof(int));
    assert_int_equal(sendmsg(fd, &message, 0), sizeof *packet);
}

static void surplus_descriptors_are_closed(void **state)
{
    (void)state;
    unsigned before = count_descriptors();
    int fd = shm_forged_dial(pair.name), many[100];
    mrpc_shm_packet packet = shm_forged_hello();
    for (int i = 0; i < 100; i++)
        many[i] = fd;
    send_packet(fd, &packet, many, 100);
    run(20);
    assert_int_equal(pair.server.opened, 0);
    close(fd);
    run(5);
    assert_int_equal(count_descriptors(), before);
    assert_still_serving();
}

/* Here because there are too many of them; with a full table of descriptors the kernel says the same. */
static void descriptors_that_cannot_be_taken_are_a_reason_of_their_own(void **state)
{
    (void)state;
    enum { MANY = 20 };
    int ends[2], many[MANY], descriptors[SHM_DESCRIPTORS];
    mrpc_shm_packet packet = shm_forged_hello();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    for (int i = 0; i < MANY; i++)
        many[i] = ends[0];
    send_packet(ends[0], &packet, many, MANY);
    assert_int_equal(mrpc_shm_packet_receive(ends[1], &packet, descriptors), MRPC_ELIMIT);
    assert_int_equal(descriptors[0], -1);
    close(ends[0]);
    close(ends[1]);
}

static void a_peer_that_leaves_while_greeting_leaves_nothing(void **state)
{
    (void)state;
    unsigned before = count_descriptors();
    for (int i = 0; i < 50; i++) {
        int fd = shm_forged_dial(pair.name);
        if (i % 2 == 0)
            run(1);
        close(fd);
        run(2);
    }
    assert_int_equal(count_descriptors(), before);
    assert_still_serving();
}

static void what_was_sealed_cannot_be_changed(void **state)
{
    (void)state;
    mrpc_shm_memory memory;
    assert_int_equal(mrpc_shm_memory_make(&memory, DATA, NULL), 0);
    assert_int_equal(ftruncate(memory.fd, 4096), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(memory.fd, 1 << 24), -1);
    assert_int_equal(fcntl(memory.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    if (fcntl(memory.fd, F_GET_SEALS) & 0x10) { /* F_SEAL_FUTURE_WRITE: the peer can't write either */
        assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0) == MAP_FAILED);
        assert_int_equal(pwrite(memory.fd, "x", 1, 0), -1);
    }
    mrpc_shm_memory_drop(&memory);
}

/* --- records --- */

static void assert_thrown_out(const char *what)
{
    run(20);
    if (pair.server.closed != 1 || pair.server.reason.code != MRPC_EPROTO || strlen(pair.server.reason.text) < 20)
        fail_msg("%s: closed %d times, %s", what, pair.server.closed, mrpc_error_text(&pair.server.reason));
    char byte;
    ssize_t got;
    do /* the server's HELLO, that it has not read all, and its end */
        got = recv(peer.socket, &byte, 1, MSG_DONTWAIT);
    while (got > 0 || (got < 0 && errno == ECONNRESET));
    assert_int_equal(got, 0);
    close_server_end();
    forget();
}

static void impossible_records_end_the_connection(void **state)
{
    (void)state;
    mrpc_frame ping = {.type = FRAME_PING};
    static const struct {
        const char *what;
        uint64_t bytes;
    } sizes[] = {
        {"a record without a frame", 24},
        {"an empty record", 0},
        {"a record beyond the end", DATA + 64},
        {"the largest record that can be named", ((UINT64_C(1) << SHM_BYTES_BITS) - 1) * 8},
        {"a wrap at the start", SHM_WRAP},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        forge();
        write_record(FORGED_KEY, shm_forged_word(sizes[i].bytes, 0), &ping, NULL, 0);
        assert_thrown_out(sizes[i].what);
    }
    assert_still_serving();
}

static void what_is_no_mark_is_no_record(void **state)
{
    (void)state;
    mrpc_frame ping = {.type = FRAME_PING};
    const uint64_t marks[] = {0, FORGED_KEY - SHM_STEP, FORGED_KEY + SHM_STEP, FORGED_KEY ^ 1, UINT64_MAX};
    forge();
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        write_record(marks[i], shm_forged_word(SHM_RECORD_MIN, 0), &ping, NULL, 0);
    run(20);
    assert_int_equal(pair.server.frames + pair.server.closed, 0);
    close_server_end();
    forget();
}

static void a_circle_of_wraps_ends_the_connection(void **state)
{
    (void)state;
    forge();
    mrpc_frame ping = {.type = FRAME_PING};
    send_frame(&ping, NULL, 0);
    shm_pair_until(&pair, &pair.server.frames, 1);
    memcpy(peer.data + 8, &(uint64_t){shm_forged_word(SHM_WRAP, 0)}, 8);
    atomic_store((_Atomic uint64_t *)(void *)peer.data, FORGED_KEY + 2 * SHM_STEP);
    write_record(FORGED_KEY + SHM_STEP, shm_forged_word(SHM_WRAP, 0), &ping, NULL, 0);
    assert_thrown_out("a wrap to a wrap");
}

static void impossible_frames_end_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        mrpc_frame frame;
        size_t size;
    } frames[] = {
        {"a frame larger than its record", {.type = FRAME_MESSAGE, .call = 1, .block = 64, .size = 64}, 0},
        {"an unknown type", {.type = 99}, 0},
        {"type 0", {.type = 0}, 0},
        {"a message smaller than its block", {.type = FRAME_MESSAGE, .call = 1, .block = 64, .size = 8}, 8},
        {"a message larger than its block", {.type = FRAME_MESSAGE, .call = 1, .block = 8, .size = 16}, 16},
        {"more extents than there can be", {.type = FRAME_MESSAGE, .call = 1, .extents = 2000, .size = 32}, 32},
        {"a large meta section", {.type = FRAME_MESSAGE, .call = 1, .meta = 100000, .size = 8}, 8},
        {"references given back that were not out", {.type = FRAME_RETURN, .block = 8, .size = 8}, 8},
        {"a ping with a payload", {.type = FRAME_PING, .size = 8}, 8},
        {"more than the header says",
         {.type = FRAME_MESSAGE, .call = 1, .flags = FRAME_MORE, .block = 8, .size = 16},
         16},
        {"chunks of what is complete",
         {.type = FRAME_MESSAGE, .call = 1, .flags = FRAME_MORE, .block = 8, .size = 8},
         8},
    };
    static const char payload[64];
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        forge();
        send_frame(&frames[i].frame, payload, frames[i].size);
        assert_thrown_out(frames[i].what);
    }
    assert_still_serving();
}

static void lies_about_what_was_read_end_the_connection(void **state)
{
    (void)state;
    forge();
    mrpc_frame ping = {.type = FRAME_PING};
    write_record(FORGED_KEY, shm_forged_word(SHM_RECORD_MIN, 1 << 20), &ping, NULL, 0);
    assert_thrown_out("a record that confirms too much");

    forge();
    atomic_store(&peer.control->consumed, UINT64_C(1) << 40);
    for (int i = 0; i < 300 && pair.server.closed == 0; i++) {
        if (shm_end_send(&pair.server, 1, 0, 2000, 1, NULL, 0, NULL))
            shm_end_flush(&pair.server);
    }
    assert_thrown_out("a control word that confirms too much");
    assert_still_serving();
}

/* What the peer claims to have read lies before what it has confirmed: it counts as old, and as no room either. */
static void claims_of_the_past_keep_nobody_awake(void **state)
{
    (void)state;
    forge();
    atomic_store(&peer.control->consumed, UINT64_MAX);
    assert_true(shm_end_send(&pair.server, 1, 0, 1 << 20, 1, NULL, 0, NULL));
    shm_end_flush(&pair.server);
    (void)mrpc_transport_shm.poll(pair.server.connection);
    assert_true(mrpc_transport_shm.queued(pair.server.connection) > 0);
    assert_true(mrpc_transport_shm.arm(pair.server.connection));
    close_server_end();
    forget();
    assert_still_serving();
}

static void too_many_messages_under_way_end_the_connection(void **state)
{
    (void)state;
    forge();
    static const char payload[8];
    for (uint32_t i = 1; i <= SHM_PARTIALS + 1; i++)
        send_frame(&(mrpc_frame){.type = FRAME_MESSAGE, .call = i, .flags = FRAME_MORE, .block = 1000, .size = 8},
                   payload, 8);
    assert_thrown_out("65 messages in chunks");

    forge();
    for (int i = 0; i < 2; i++)
        send_frame(&(mrpc_frame){.type = FRAME_MESSAGE, .call = 1, .flags = FRAME_MORE, .block = 1000, .size = 8},
                   payload, 8);
    assert_thrown_out("two messages of one call at once");
}

static void a_giant_that_was_announced_takes_no_memory(void **state)
{
    (void)state;
    forge();
    static const char payload[64];
    mrpc_frame frame = {.type = FRAME_MESSAGE, .call = 1, .flags = FRAME_MORE, .block = UINT32_MAX, .size = 64};
    send_frame(&frame, payload, 64);
    shm_pair_until(&pair, &pair.server.frames, 1);
    assert_int_equal(pair.server.refused, MRPC_ELIMIT);
    send_frame(&(mrpc_frame){.type = FRAME_CHUNK, .call = 1, .flags = FRAME_MORE, .size = 64}, payload,
               64); /* skipped */
    send_frame(&(mrpc_frame){.type = FRAME_PING}, NULL, 0);
    shm_pair_until(&pair, &pair.server.frames, 2);
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(pair.server.receive_heap, &stats);
    assert_int_equal(stats.bytes_in_use, 0);
    close_server_end();
    forget();
}

/* --- references --- */

/* A message of one extent: 8 bytes of block, its size, its place. */
typedef struct reference {
    uint64_t block, size;
    mrpc_shm_place place;
} reference;

static void refer(uint64_t size, uint32_t segment, uint32_t loan, uint64_t offset)
{
    reference r = {.size = size, .place = {.segment = segment, .loan = loan, .offset = offset}};
    send_frame(
        &(mrpc_frame){
            .type = FRAME_MESSAGE, .call = 1, .flags = FRAME_OPEN, .block = 8, .extents = 1, .size = sizeof r},
        &r, sizeof r);
}

static void send_segment(int fd, uint32_t number, uint64_t size, uint64_t limit)
{
    mrpc_shm_packet packet = {.kind = SHM_SEGMENT, .segment = number, .data = size, .limit = limit};
    assert_int_equal(mrpc_shm_packet_send(peer.socket, &packet, &fd, fd >= 0), 0);
}

static void forge_with_segment(void)
{
    forge();
    peer.segment = shm_forged_memfd(SEGMENT, F_SEAL_SHRINK | F_SEAL_GROW);
    send_segment(peer.segment, 0, SEGMENT, 4 * SEGMENT);
}

static void false_references_end_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint64_t size;
        uint32_t segment, loan;
        uint64_t offset;
    } references[] = {
        {"a segment that was not sent", 4096, 1, 0, 0},
        {"a segment that can't be", 4096, 4000000, 0, 0},
        {"an offset behind the segment", 4096, 0, 0, SEGMENT},
        {"an offset that wraps", 4096, 0, 0, UINT64_MAX - 100},
        {"an end behind the segment", 4096, 0, 0, SEGMENT - 4095},
        {"an end far behind the heap", 60 << 20, 0, 0, 0},
        {"a loan that can't be", 4096, 0, SHM_LOANS, 0},
        {"nothing", 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++) {
        forge_with_segment();
        refer(references[i].size, references[i].segment, references[i].loan, references[i].offset);
        assert_thrown_out(references[i].what);
    }
    assert_still_serving();
}

static void a_loan_cannot_be_made_twice(void **state)
{
    (void)state;
    forge_with_segment();
    pair.server.keep = true;
    refer(8192, 0, 5, 4096);
    shm_pair_until(&pair, &pair.server.frames, 1);
    assert_int_equal(pair.server.extents_bytes, 8192);
    refer(8192, 0, 5, 4096);
    assert_thrown_out("a loan that is out");
    shm_end_free_kept(&pair.server);
}

static void unfinished_messages_are_bounded(void **state)
{
    (void)state;
    forge();
    static const uint64_t payload[2];
    const mrpc_frame first = {
        .type = FRAME_MESSAGE, .flags = FRAME_OPEN | FRAME_MORE, .block = 15 << 20, .size = sizeof payload};
    for (uint32_t call = 1; call <= 6; call++) {
        mrpc_frame frame = first;
        frame.call = call;
        send_frame(&frame, payload, sizeof payload);
    }
    shm_pair_until(&pair, &pair.server.frames, 2); /* the fifth and the sixth: 4 * 15 MiB leave no room for another */
    assert_int_equal(pair.server.refused, MRPC_EAGAIN);
    assert_int_equal(pair.server.header.call, 6);
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(pair.server.receive_heap, &stats);
    assert_in_range(stats.bytes_in_use, 60 << 20, 64 << 20);
    send_frame(&(mrpc_frame){.type = FRAME_CANCEL, .call = 2}, NULL, 0);
    mrpc_frame frame = first;
    frame.call = 7;
    send_frame(&frame, payload, sizeof payload);
    frame.call = 8;
    send_frame(&frame, payload, sizeof payload);
    shm_pair_until(&pair, &pair.server.frames, 4);
    assert_int_equal(pair.server.refused, MRPC_EAGAIN);
    assert_int_equal(pair.server.header.call, 8);
    close_server_end();
    forget();
    assert_still_serving();
}

/* With its extents: the head alone is small. */
static void extents_of_unfinished_messages_are_bounded(void **state)
{
    (void)state;
    forge();
    struct {
        uint64_t block, size;
        mrpc_shm_place place;
        uint64_t some;
    } payload = {.size = 15 << 20, .place = {.segment = SHM_INLINE}};
    for (uint32_t call = 1; call <= 5; call++)
        send_frame(&(mrpc_frame){.type = FRAME_MESSAGE,
                                 .flags = FRAME_OPEN | FRAME_MORE,
                                 .call = call,
                                 .block = 8,
                                 .extents = 1,
                                 .size = sizeof payload},
                   &payload, sizeof payload);
    shm_pair_until(&pair, &pair.server.frames, 1);
    assert_int_equal(pair.server.refused, MRPC_EAGAIN);
    assert_int_equal(pair.server.header.call, 5);
    close_server_end();
    forget();
    assert_still_serving();
}

static void a_message_has_one_loan(void **state)
{
    (void)state;
    forge_with_segment();
    struct {
        uint64_t block, sizes[2];
        mrpc_shm_place places[2];
    } two = {.sizes = {4096, 4096}, .places = {{.loan = 1}, {.loan = 2}}};
    send_frame(
        &(mrpc_frame){
            .type = FRAME_MESSAGE, .call = 1, .flags = FRAME_OPEN, .block = 8, .extents = 2, .size = sizeof two},
        &two, sizeof two);
    assert_thrown_out("two loans");
}

static void a_giant_reference_is_refused_and_given_back(void **state)
{
    (void)state;
    forge_with_segment();
    refer(UINT64_MAX - 7, 0, 3, 0);
    shm_pair_until(&pair, &pair.server.frames, 1);
    assert_int_equal(pair.server.refused, MRPC_ELIMIT);
    refer(4096, 0, 3, 0); /* the same number again: it was given back */
    shm_pair_until(&pair, &pair.server.frames, 2);
    assert_int_equal(pair.server.refused, 0);
    close_server_end();
    forget();
}

static void false_segments_end_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint64_t size, limit;
        uint32_t number;
        int seals;
    } segments[] = {
        {"an unsealed segment", SEGMENT, SEGMENT, 0, 0},
        {"a segment that can shrink", SEGMENT, SEGMENT, 0, F_SEAL_GROW},
        {"a segment of another size", 2 * SEGMENT, 2 * SEGMENT, 0, F_SEAL_SHRINK | F_SEAL_GROW},
        {"a segment of an odd size", SEGMENT + 4096, 4 * SEGMENT, 0, F_SEAL_SHRINK | F_SEAL_GROW},
        {"a segment of no size", 0, SEGMENT, 0, F_SEAL_SHRINK | F_SEAL_GROW},
        {"a segment larger than its heap", SEGMENT, SEGMENT / 2, 0, F_SEAL_SHRINK | F_SEAL_GROW},
        {"a segment beyond what is mapped", SEGMENT, UINT64_C(1) << 63, 17 << 10, F_SEAL_SHRINK | F_SEAL_GROW},
        {"a segment outside of its heap", SEGMENT, 2 * SEGMENT, 2, F_SEAL_SHRINK | F_SEAL_GROW},
        {"a segment that can't be", SEGMENT, 2 * SEGMENT, UINT32_MAX, F_SEAL_SHRINK | F_SEAL_GROW},
    };
    for (size_t i = 0; i < sizeof segments / sizeof segments[0]; i++) {
        forge();
        peer.segment = shm_forged_memfd(SEGMENT, segments[i].seals);
        send_segment(peer.segment, segments[i].number, segments[i].size, segments[i].limit);
        assert_thrown_out(segments[i].what);
    }
    forge_with_segment();
    send_segment(peer.segment, 0, SEGMENT, 4 * SEGMENT);
    assert_thrown_out("a segment twice");
    forge();
    send_segment(-1, 0, SEGMENT, 4 * SEGMENT);
    assert_thrown_out("a segment without descriptor");
    forge();
    mrpc_shm_packet packet = shm_forged_hello();
    assert_int_equal(mrpc_shm_packet_send(peer.socket, &packet, (int[]){peer.ring, peer.wake}, 2), 0);
    assert_thrown_out("a second greeting");
    assert_still_serving();
}

static void what_is_lent_may_change_but_not_the_message(void **state)
{
    (void)state;
    forge_with_segment();
    char *map = mmap(NULL, SEGMENT, PROT_READ | PROT_WRITE, MAP_SHARED, peer.segment, 0);
    assert_true(map != MAP_FAILED);
    pair.server.keep = true;
    refer(8192, 0, 0, 0);
    shm_pair_until(&pair, &pair.server.frames, 1);
    memset(map, 'x', 8192);
    assert_int_equal(*(const char *)pair.server.first_extent, 'x');
    assert_int_equal(ftruncate(peer.segment, 0), -1); /* it stays readable */
    munmap(map, SEGMENT);
    close_server_end();
    forget();
    assert_int_equal(*(const char *)pair.server.first_extent, 'x'); /* even after the connection */
    shm_end_free_kept(&pair.server);
}

/* --- floods and noise --- */

static void a_flood_of_wake_ups_is_only_a_nuisance(void **state)
{
    (void)state;
    forge();
    for (int i = 0; i < 3000; i++) {
        (void)!send(peer.socket, "w", 1, MSG_DONTWAIT);
        (void)!write(peer.wake, &(uint64_t){1}, 8);
        if (i % 64 == 0)
            run(1);
    }
    send_frame(&(mrpc_frame){.type = FRAME_PING}, NULL, 0);
    shm_pair_until(&pair, &pair.server.frames, 1);
    assert_int_equal(pair.server.closed, 0);
    close_server_end();
    forget();
}

/* The peer's eventfd is not read by anyone: a full counter must not keep the server from going on. */
static void a_full_eventfd_does_not_block(void **state)
{
    (void)state;
    forge();
    assert_true(write(peer.wake, &(uint64_t){UINT64_MAX - 2}, 8) == 8);
    (void)!write(peer.wake, &(uint64_t){1}, 8);
    atomic_store(&peer.control->sleeping, SHM_EPOCH | SHM_WANTS_DATA);
    for (int i = 0; i < 10; i++) {
        assert_true(shm_end_send(&pair.server, 1, 0, 10, 1, NULL, 0, NULL));
        shm_end_flush(&pair.server);
        atomic_fetch_add(&peer.control->sleeping, SHM_EPOCH);
    }
    assert_int_equal(pair.server.closed, 0);
    close_server_end();
    forget();
}

static uint32_t random_word(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Frames that are nearly right. */
static void random_frames_do_no_harm(void **state)
{
    (void)state;
    static char payload[2048];
    uint32_t seed = 7;
    int thrown_out = 0;
    for (int round = 0; round < 300; round++) {
        forge_with_segment();
        for (int i = 0; i < 40 && pair.server.closed == 0; i++) {
            size_t size = random_word(&seed) % 64 * 8;
            for (size_t k = 0; k < size; k += 4)
                memcpy(payload + k,
                       &(uint32_t){random_word(&seed) % 5 == 0 ? random_word(&seed) : random_word(&seed) % 3}, 4);
            mrpc_frame frame = {
                .type = (uint8_t)(random_word(&seed) % 13), .size = (uint32_t)size, .call = random_word(&seed) % 4};
            if (random_word(&seed) % 2 == 0)
                frame.type = random_word(&seed) % 3 == 0 ? FRAME_CHUNK : FRAME_MESSAGE;
            frame.flags = (uint8_t)random_word(&seed);
            frame.extents = (uint16_t)(random_word(&seed) % 4 == 0 ? random_word(&seed) : random_word(&seed) % 3);
            frame.block = (uint32_t)(random_word(&seed) % 3 == 0 ? random_word(&seed) : size);
            frame.meta = random_word(&seed) % 3 == 0 ? random_word(&seed) % 100 : 0;
            send_frame(&frame, payload, size);
            run(1);
        }
        thrown_out += pair.server.closed;
        close_server_end();
        forget();
    }
    assert_true(thrown_out > 100);
    assert_still_serving();
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(pair.server.receive_heap, &stats);
    assert_int_equal(stats.bytes_in_use, 0);
}

/* Writes to the place of the current record, all but its mark, until it is killed. */
static _Noreturn void scribble(void)
{
    uint32_t seed = 3;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        uint32_t at = 8 + random_word(&seed) % 200 / 4 * 4;
        uint32_t word = random_word(&seed) % 3 == 0 ? random_word(&seed) : random_word(&seed) % 70;
        __atomic_store_n((uint32_t *)(void *)(peer.data + at), word, __ATOMIC_RELAXED);
    }
}

/* While the server looks, another process changes what it looks at. */
static void memory_that_changes_under_the_reader_does_no_harm(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        forge_with_segment();
        pid_t scribbler = fork();
        assert_true(scribbler >= 0);
        if (scribbler == 0)
            scribble();
        reference r = {.size = 4096};
        write_record(FORGED_KEY, shm_forged_word(256, 0),
                     &(mrpc_frame){.type = FRAME_MESSAGE, .call = 1, .block = 8, .extents = 1, .size = sizeof r}, &r,
                     sizeof r);
        for (int i = 0; i < 10; i++)
            (void)mrpc_transport_shm.poll(pair.server.connection);
        kill(scribbler, SIGKILL);
        assert_int_equal(waitpid(scribbler, NULL, 0), scribbler);
        close_server_end();
        forget();
    }
    assert_still_serving();
}

/* --- a forged server --- */

static void clients_refuse_what_servers_refuse(void **state)
{
    (void)state;
    mrpc_shm_address address;
    struct sockaddr_un where;
    assert_int_equal(mrpc_shm_address_parse(&address, "test-forged-server", NULL), 0);
    socklen_t length = mrpc_shm_address_socket(&address, &where);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&where, length), 0);
    assert_int_equal(listen(listener, 5), 0);
    for (int kind = 0; kind < 4; kind++) {
        mrpc_transport_setup client_setup;
        mrpc_connection *connection;
        memset(&pair.client.reason, 0, sizeof pair.client.reason);
        pair.client.closed = 0;
        shm_pair_setup(&pair, &pair.client, &client_setup);
        assert_int_equal(mrpc_transport_shm.connect(&connection, address.name, &client_setup, NULL), 0);
        shm_end_observe(&pair.client, connection);
        int fd = accept(listener, NULL, NULL);
        mrpc_shm_packet packet = kind == 3
                                     ? (mrpc_shm_packet){.kind = SHM_REFUSE, .code = 8, .text = "we are closed today"}
                                     : shm_forged_hello();
        int ring = shm_forged_memfd(SHM_CONTROL + DATA, kind == 0 ? 0 : F_SEAL_SHRINK | F_SEAL_GROW);
        if (kind == 1)
            packet.data *= 2;
        if (kind == 2)
            packet.kind = 9;
        assert_int_equal(mrpc_shm_packet_send(fd, &packet, (int[]){ring, fd}, kind == 3 ? 0 : 2), 0);
        shm_pair_until(&pair, &pair.client.closed, 1);
        assert_int_equal(pair.client.reason.code, kind == 3 ? MRPC_EPERM : MRPC_EPROTO);
        if (kind == 3)
            assert_non_null(strstr(pair.client.reason.text, "we are closed today"));
        mrpc_transport_shm.close(connection);
        pair.client.connection = NULL;
        close(ring);
        close(fd);
    }
    close(listener);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(false_greetings_are_refused_with_a_reason),
        WITH_SERVER(a_greeting_of_another_version_is_refused),
        WITH_SERVER(surplus_descriptors_are_closed),
        WITH_SERVER(descriptors_that_cannot_be_taken_are_a_reason_of_their_own),
        WITH_SERVER(a_peer_that_leaves_while_greeting_leaves_nothing),
        WITH_SERVER(what_was_sealed_cannot_be_changed),
        WITH_SERVER(impossible_records_end_the_connection),
        WITH_SERVER(what_is_no_mark_is_no_record),
        WITH_SERVER(a_circle_of_wraps_ends_the_connection),
        WITH_SERVER(impossible_frames_end_the_connection),
        WITH_SERVER(lies_about_what_was_read_end_the_connection),
        WITH_SERVER(claims_of_the_past_keep_nobody_awake),
        WITH_SERVER(too_many_messages_under_way_end_the_connection),
        WITH_SERVER(a_giant_that_was_announced_takes_no_memory),
        WITH_SERVER(false_references_end_the_connection),
        WITH_SERVER(a_loan_cannot_be_made_twice),
        WITH_SERVER(unfinished_messages_are_bounded),
        WITH_SERVER(extents_of_unfinished_messages_are_bounded),
        WITH_SERVER(a_message_has_one_loan),
        WITH_SERVER(a_giant_reference_is_refused_and_given_back),
        WITH_SERVER(false_segments_end_the_connection),
        WITH_SERVER(what_is_lent_may_change_but_not_the_message),
        WITH_SERVER(a_flood_of_wake_ups_is_only_a_nuisance),
        WITH_SERVER(a_full_eventfd_does_not_block),
        WITH_SERVER(random_frames_do_no_harm),
        WITH_SERVER(memory_that_changes_under_the_reader_does_no_harm),
        WITH_SERVER(clients_refuse_what_servers_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
