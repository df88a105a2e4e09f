/* SPDX-License-Identifier: BSD-2-Clause */
/* test_shm_processes.c - two real processes: asleep and awake by turns, killed in the middle, of another user */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "shm_pair.h"

enum { LARGE = 3 << 20 };

static shm_pair pair;

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

/* Runs `play` in a child, which connects to the parent's listener. It has a pair of its own, with the client's end. */
static pid_t start_client_that_keeps(bool keep, void (*play)(shm_pair *))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child != 0)
        return child;
    alarm(60);
    shm_pair mine = {.options = pair.options};
    mrpc_transport_setup client_setup;
    mrpc_connection *connection;
    if (mrpc_loop_new(&mine.loop, MRPC_POLLER_EPOLL, 0, NULL) != 0 ||
        mrpc_heap_new(&mine.client.send_heap, NULL, NULL) != 0)
        _exit(90);
    shm_pair_setup(&mine, &mine.client, &client_setup);
    if (mrpc_transport_shm.connect(&connection, pair.name, &client_setup, NULL) != 0)
        _exit(91);
    shm_end_observe(&mine.client, connection);
    mine.client.keep = keep;
    while (mine.client.opened + mine.client.closed == 0)
        shm_pair_run(&mine, 1);
    play(&mine);
    if (mine.client.connection != NULL)
        mrpc_transport_shm.close(mine.client.connection);
    _exit(0);
}

static pid_t start_client(void (*play)(shm_pair *))
{
    return start_client_that_keeps(false, play);
}

static int status_of(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Sleeps when there is nothing to do, as an engine does. */
static void sleep_until_frames(shm_pair *p, shm_end *end, int wanted, int spins)
{
    while (end->frames < wanted && end->closed == 0) {
        bool some = false;
        for (int i = 0; i <= spins && !some; i++)
            some = mrpc_transport_shm.poll(end->connection);
        mrpc_transport_shm.flush(end->connection);
        if (!some && mrpc_transport_shm.arm(end->connection))
            (void)mrpc_loop_run(p->loop, mrpc_loop_now(p->loop) + UINT64_C(20000000000));
    }
}

/* --- ping-pong with sleeping --- */

enum { ROUNDS = 4000 };

/* How long to spin before the next sleep: so that both sides meet in all ways. */
static int spins(uint32_t round)
{
    return round * 2654435761u >> 28 < 8 ? 0 : (int)(round * 2654435761u >> 22 & 1023);
}

static size_t size_of_round(uint32_t round)
{
    return round % 97 == 0 ? 300000 + round : round % 31 == 0 ? 20000 + round : round % 500;
}

static void ping(shm_pair *mine)
{
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        if (!shm_end_send(&mine->client, i, FRAME_OPEN, size_of_round(i), i, NULL, 0, NULL))
            _exit(1);
        shm_end_flush(&mine->client);
        sleep_until_frames(mine, &mine->client, (int)i, spins(i));
        if (mine->client.head_hash != shm_hash_filled(size_of_round(i), i + 1))
            _exit(2);
    }
}

static void no_wake_up_is_lost_between_processes(void **state)
{
    (void)state;
    pid_t child = start_client(ping);
    shm_pair_until(&pair, &pair.server.opened, 1);
    uint64_t begin = mrpc_loop_now(pair.loop);
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        sleep_until_frames(&pair, &pair.server, (int)i, spins(i * 7));
        assert_int_equal(pair.server.head_hash, shm_hash_filled(size_of_round(i), i));
        assert_true(shm_end_send(&pair.server, i, 0, size_of_round(i), i + 1, NULL, 0, NULL));
        shm_end_flush(&pair.server);
        assert_true(mrpc_loop_now(pair.loop) - begin < UINT64_C(60000000000)); /* a lost wake-up costs 20 s */
    }
    shm_pair_until(&pair, &pair.server.closed, 1);
    assert_int_equal(status_of(child), 0);
    assert_int_equal(pair.server.frames, ROUNDS);
}

static void stream(shm_pair *mine)
{
    for (uint32_t i = 1; i <= 20000; i++) {
        while (!shm_end_send(&mine->client, i, FRAME_OPEN, 1000, i, NULL, 0, NULL))
            shm_pair_run(mine, 1);
        if (i % 50 == 0)
            shm_end_flush(&mine->client);
        if (i % 1000 == 0 && !shm_end_send(&mine->client, i + 100000, FRAME_OPEN, 2 << 20, i, NULL, 0, NULL))
            shm_pair_run(mine, 1);
    }
    while (mrpc_transport_shm.queued(mine->client.connection) > 0) {
        shm_end_flush(&mine->client);
        if (mrpc_transport_shm.arm(mine->client.connection))
            (void)mrpc_loop_run(mine->loop, mrpc_loop_now(mine->loop) + UINT64_C(20000000000));
    }
}

/* The sender has to wait for room again and again, and the receiver for frames. */
static void no_wake_up_is_lost_for_want_of_room(void **state)
{
    (void)state;
    pair.options.shm_data = 0;
    pid_t child = start_client(stream);
    shm_pair_until(&pair, &pair.server.opened, 1);
    sleep_until_frames(&pair, &pair.server, 20000, 0);
    assert_in_range(pair.server.frames, 20000, 20020);
    shm_pair_until(&pair, &pair.server.closed, 1);
    assert_int_equal(status_of(child), 0);
}

/* --- death --- */

static void lend_and_wait(shm_pair *mine)
{
    char *data = mrpc_heap_alloc(mine->client.send_heap, LARGE);
    if (data == NULL)
        _exit(1);
    shm_fill(data, LARGE, 1);
    mrpc_extent extent = {data, LARGE};
    for (uint32_t i = 1; i <= 10; i++)
        (void)shm_end_send(&mine->client, i, FRAME_OPEN, 64, i, &extent, 1, NULL);
    (void)shm_end_send(&mine->client, 11, FRAME_OPEN, 30 << 20, 11, NULL, 0, NULL); /* in the middle of it */
    shm_end_flush(&mine->client);
    for (;;)
        pause();
}

static void a_peer_that_is_killed_leaves_its_messages_readable(void **state)
{
    (void)state;
    pair.server.keep = true;
    pid_t child = start_client(lend_and_wait);
    shm_pair_until(&pair, &pair.server.frames, 10);
    kill(child, SIGKILL);
    assert_true(WIFSIGNALED(status_of(child)));
    shm_pair_until(&pair, &pair.server.closed, 1);
    assert_int_equal(pair.server.reason.code, MRPC_ECLOSED);
    assert_int_equal(pair.server.frames, 10);
    assert_int_equal(shm_hash(SHM_HASH_START, pair.server.first_extent, LARGE), shm_hash_filled(LARGE, 1));
    mrpc_transport_shm.close(pair.server.connection);
    pair.server.connection = NULL;
    assert_int_equal(shm_hash(SHM_HASH_START, pair.server.first_extent, LARGE), shm_hash_filled(LARGE, 1));
    assert_true(count_mappings("memfd:mrpc") > 0);
    shm_end_free_kept(&pair.server);
    assert_int_equal(count_mappings("memfd:mrpc"), 0); /* neither rings nor its heap */
}

static void wait_for_ever(shm_pair *mine)
{
    for (;;)
        shm_pair_run(mine, 1);
}

static void what_a_dead_peer_held_comes_back(void **state)
{
    (void)state;
    pid_t child = start_client_that_keeps(true, wait_for_ever);
    shm_pair_until(&pair, &pair.server.opened, 1);
    mrpc_heap *heap = mrpc_transport_shm.heap(pair.server.connection);
    assert_non_null(heap);
    mrpc_extent extent = {mrpc_heap_alloc(heap, LARGE), LARGE};
    assert_non_null(extent.data);
    memset((void *)(uintptr_t)extent.data, 1, LARGE);
    for (uint32_t i = 1; i <= 10; i++)
        assert_true(shm_end_send(&pair.server, i, 0, 64, i, &extent, 1, NULL));
    mrpc_heap_free(heap, (void *)(uintptr_t)extent.data);
    shm_pair_run(&pair, 50);
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(heap, &stats);
    assert_int_equal(stats.held, 1);
    mrpc_heap_ref(heap);
    kill(child, SIGKILL);
    shm_pair_until(&pair, &pair.server.closed, 1);
    mrpc_heap_get_stats(heap, &stats);
    assert_int_equal(stats.held, 0);
    assert_int_equal(stats.bytes_in_use, 0);
    mrpc_heap_unref(heap);
    (void)status_of(child);
}

/* --- names and users --- */

static void a_name_is_free_when_its_server_was_killed(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    char name[64];
    snprintf(name, sizeof name, "test-killed-%d", (int)getpid());
    pid_t child = fork();
    if (child == 0) {
        shm_pair other = {.options = pair.options};
        mrpc_transport_setup other_setup;
        mrpc_listener *listener;
        if (mrpc_loop_new(&other.loop, MRPC_POLLER_EPOLL, 0, NULL) != 0)
            _exit(1);
        shm_pair_setup(&other, &other.server, &other_setup);
        char result = (char)mrpc_transport_shm.listen(&listener, name, &other_setup, NULL);
        (void)!write(pipes[1], &result, 1);
        for (;;)
            pause();
    }
    char result;
    assert_int_equal(read(pipes[0], &result, 1), 1);
    assert_int_equal(result, 0);
    mrpc_transport_setup mine;
    mrpc_listener *listener;
    shm_pair_setup(&pair, &pair.server, &mine);
    assert_int_equal(mrpc_transport_shm.listen(&listener, name, &mine, NULL), MRPC_EEXIST);
    kill(child, SIGKILL);
    (void)status_of(child);
    assert_int_equal(mrpc_transport_shm.listen(&listener, name, &mine, NULL), 0);
    mrpc_transport_shm.unlisten(listener);
    close(pipes[0]);
    close(pipes[1]);
}

enum { NOBODY = 65534 };

static void report_refusal(shm_pair *mine)
{
    const mrpc_error *reason = &mine->client.reason;
    bool told = mine->client.closed == 1 && reason->code == MRPC_EPERM && strstr(reason->text, "65534") != NULL;
    _exit(told ? 7 : mine->client.opened == 1 ? 8 : 9);
}

static pid_t start_as_nobody(void (*play)(shm_pair *))
{
    pid_t child = fork();
    if (child != 0)
        return child;
    if (setuid(NOBODY) != 0)
        _exit(99);
    pid_t inner = start_client(play); /* of this user */
    int status = status_of(inner);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
}

/* Only root can be two users. */
static void other_users_are_refused_unless_the_address_names_them(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return;
    pid_t child = start_as_nobody(report_refusal);
    int status;
    while (waitpid(child, &status, WNOHANG) == 0)
        shm_pair_run(&pair, 1);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(pair.server.opened, 0);

    mrpc_transport_shm.unlisten(pair.listener);
    char open_name[96];
    snprintf(open_name, sizeof open_name, "%s?uid=%d", pair.name, NOBODY);
    mrpc_transport_setup open_setup;
    shm_pair_setup(&pair, &pair.server, &open_setup);
    assert_int_equal(mrpc_transport_shm.listen(&pair.listener, open_name, &open_setup, NULL), 0);
    pair.listener->owner = &pair;
    pair.listener->accepted = shm_pair_accepted;
    child = start_as_nobody(report_refusal);
    while (waitpid(child, &status, WNOHANG) == 0)
        shm_pair_run(&pair, 1);
    assert_int_equal(WEXITSTATUS(status), 8);
    assert_int_equal(pair.server.opened, 1);
    assert_int_equal(mrpc_shm_of(pair.server.connection)->peer_wake, -1); /* who is not trusted is woken otherwise */
}

/* --- a machine without memory --- */

static void each_failing_allocation_is_survived(void **state)
{
    (void)state;
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    unsigned descriptors = count_descriptors(), rings = count_mappings("memfd:mrpc-ring");
    while (failing_alloc_next(&fail)) {
        shm_pair other = {0};
        shm_pair_open(&other);
        mrpc_extent extent = {mrpc_heap_alloc(other.client.send_heap, 100000), 100000};
        mrpc_extent outside = {calloc(1, 100000), 100000};
        memset((void *)(uintptr_t)extent.data, 1, extent.size);
        failing_alloc_start(&fail);
        mrpc_transport_setup again;
        mrpc_connection *connection;
        shm_end second = {.receive_heap = mrpc_heap_ref(other.client.receive_heap)};
        shm_pair_setup(&other, &second, &again);
        if (mrpc_transport_shm.connect(&connection, other.name, &again, NULL) == 0)
            shm_end_observe(&second, connection);
        for (int i = 0; i < 30; i++) {
            mrpc_space space;
            if (i < 4 && other.client.closed == 0 &&
                mrpc_transport_shm.begin(other.client.connection, i == 1 ? 200000 : 200, &space) == 0) {
                mrpc_frame header = {
                    .type = FRAME_MESSAGE, .call = (uint32_t)i + 1, .flags = FRAME_OPEN, .extents = i > 1};
                header.block = i == 1 ? 150000 : 8;
                memset(space.data, 0, space.capacity);
                memcpy(space.data, &header, sizeof header);
                const mrpc_extent *used = i == 2 ? &extent : &outside;
                memcpy(space.data + sizeof header + 8, &used->size, 8);
                mrpc_transport_shm.commit(other.client.connection, &space, used, NULL);
            }
            shm_pair_run(&other, 1);
        }
        failing_alloc_stop(&fail);
        for (int i = 0; i < 20; i++)
            shm_pair_run(&other, 1);
        if (second.connection != NULL)
            mrpc_transport_shm.close(second.connection);
        mrpc_heap_unref(second.receive_heap);
        mrpc_heap_free(other.client.send_heap, (void *)(uintptr_t)extent.data);
        free((void *)(uintptr_t)outside.data);
        if (!fail.hit)
            assert_int_equal(other.server.frames, 4);
        shm_pair_close(&other);
        assert_int_equal(count_descriptors(), descriptors);
        assert_int_equal(count_mappings("memfd:mrpc-ring"), rings);
    }
    assert_true(fail.runs > 10);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(no_wake_up_is_lost_between_processes),
        WITH_SERVER(no_wake_up_is_lost_for_want_of_room),
        WITH_SERVER(a_peer_that_is_killed_leaves_its_messages_readable),
        WITH_SERVER(what_a_dead_peer_held_comes_back),
        WITH_SERVER(a_name_is_free_when_its_server_was_killed),
        WITH_SERVER(other_users_are_refused_unless_the_address_names_them),
        WITH_SERVER(each_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
