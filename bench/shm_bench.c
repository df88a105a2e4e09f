/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shm_bench.c - frames through the shared-memory transport beside a plain ring
 *
 *     shm_bench [MILLISECONDS [ROUNDS]]
 *
 * Two processes exchange frames of 32 bytes of header and 64 of payload: one at a time or 128 in flight, spinning on
 * two cores, or sleeping on one. Then 1 MiB goes one way and a small frame comes back, by reference and copied. The
 * plain ring moves the same bytes, copies them out once, and knows nothing about them; asleep, it is a plain eventfd.
 * The systems take turns within each round; what is printed is the median over rounds, and the median of the ratios
 * within rounds.
 */
#include "config.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "transports/transport.h"

enum { FRAME = 32 + 64, SLOTS = 1024, LARGE = 1 << 20, MAX_ROUNDS = 101 };

typedef enum bench_payload { SMALL, REFERRED, COPIED } bench_payload;

typedef struct mode {
    const char *name;
    bool spin;
    unsigned window;
    bench_payload payload;
    int server_core;
} mode;

static const mode modes[] = {
    {"spinning, 1 in flight", true, 1, SMALL, 1},
    {"spinning, 128 in flight", true, 128, SMALL, 1},
    {"sleeping on one core, 1 in flight", false, 1, SMALL, 0},
    {"sleeping on one core, 128 in flight", false, 128, SMALL, 0},
    {"spinning, 1 MiB by reference", true, 1, REFERRED, 1},
    {"spinning, 1 MiB copied", true, 1, COPIED, 1},
};

typedef enum bench_kind { PLAIN, NATIVE, PROTOBUF } bench_kind;
static const char *const kinds[] = {"plain ring", "shm, native", "shm, protobuf"};

enum { MODES = sizeof modes / sizeof modes[0], KINDS = 3 };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

/* --- the plain ring: fixed slots, a sequence word in each --- */

typedef struct slot {
    _Alignas(64) _Atomic uint32_t sequence;
    char data[FRAME];
} slot;

typedef struct plain {
    slot slots[2][SLOTS]; /* to the server, to the client */
    char large[LARGE];
    int wake[2];
} plain;

typedef struct plain_end {
    plain *shared;
    slot *in, *out;
    uint32_t received, sent;
    int poller, wake; /* -1: it spins */
    char copy[FRAME];
    char *large;
} plain_end;

static void plain_open(plain_end *end, plain *shared, int side, bool spin)
{
    *end = (plain_end){.shared = shared, .in = shared->slots[side], .out = shared->slots[1 - side], .poller = -1};
    end->large = malloc(LARGE);
    if (end->large == NULL)
        die("malloc");
    memset(end->large, 1, LARGE);
    if (spin)
        return;
    end->poller = epoll_create1(0);
    end->wake = shared->wake[1 - side];
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    if (epoll_ctl(end->poller, EPOLL_CTL_ADD, shared->wake[side], &event) != 0)
        die("epoll_ctl");
}

static void plain_put(plain_end *end)
{
    slot *next = &end->out[end->sent++ % SLOTS];
    memcpy(next->data, end->copy, FRAME);
    atomic_store_explicit(&next->sequence, end->sent, memory_order_release);
}

static void plain_wake(plain_end *end)
{
    if (end->poller >= 0 && write(end->wake, &(uint64_t){1}, 8) != 8)
        die("eventfd");
}

static void plain_sleep(plain_end *end)
{
    struct epoll_event event;
    if (end->poller >= 0)
        (void)epoll_wait(end->poller, &event, 1, -1);
}

/* Takes all that is there; a side that answers does so for each. Returns how many. */
static unsigned plain_take(plain_end *end, bool answers, bench_payload payload)
{
    unsigned count = 0;
    for (slot *next; count < 256; count++) {
        next = &end->in[end->received % SLOTS];
        if (atomic_load_explicit(&next->sequence, memory_order_acquire) != end->received + 1)
            break;
        memcpy(end->copy, next->data, FRAME);
        if (answers && payload == COPIED)
            memcpy(end->large, end->shared->large, LARGE);
        end->received++;
        if (answers)
            plain_put(end);
    }
    return count;
}

static void plain_serve(plain *shared, const mode *m)
{
    plain_end end;
    plain_open(&end, shared, 0, m->spin);
    for (;;) {
        if (plain_take(&end, true, m->payload) > 0)
            plain_wake(&end);
        else
            plain_sleep(&end);
    }
}

static void plain_send(plain_end *end, const mode *m)
{
    if (m->payload == COPIED)
        memcpy(end->shared->large, end->large, LARGE);
    plain_put(end);
}

static double plain_run(plain *shared, const mode *m, uint64_t duration)
{
    plain_end end;
    plain_open(&end, shared, 1, m->spin);
    uint64_t count = 0, begin = now_ns(), now = begin;
    for (unsigned i = 0; i < m->window; i++)
        plain_send(&end, m);
    plain_wake(&end);
    while (now - begin < duration) {
        for (int i = 0; i < 64; i++) {
            unsigned got = plain_take(&end, false, m->payload);
            for (unsigned k = 0; k < got; k++)
                plain_send(&end, m);
            count += got;
            if (got > 0)
                plain_wake(&end);
            else
                plain_sleep(&end);
        }
        now = now_ns();
    }
    free(end.large);
    return (double)count * 1e9 / (double)(now - begin);
}

/* --- the transport --- */

typedef struct end {
    mrpc_loop *loop;
    mrpc_connection *connection;
    mrpc_counters counters;
    mrpc_transport_setup setup;
    const mode *mode;
    bool answers, opened, closed;
    uint8_t flags;
    uint64_t received;
    mrpc_extent extent;
} end;

static void send_frame(end *e, bool large)
{
    mrpc_space space;
    if (e->connection->transport->begin(e->connection, FRAME + 64, &space) != 0)
        die("begin");
    mrpc_frame *header = (mrpc_frame *)(void *)space.data;
    *header = (mrpc_frame){.type = FRAME_MESSAGE, .flags = e->flags, .call = 1, .block = 64};
    memset(header + 1, 1, 64);
    if (large) {
        header->extents = 1;
        header->flags = FRAME_OPEN;
        memcpy(space.data + FRAME, &e->extent.size, 8);
    }
    e->connection->transport->commit(e->connection, &space, large ? &e->extent : NULL, NULL);
}

static void opened(mrpc_connection *connection)
{
    ((end *)connection->owner)->opened = true;
}

static int received(mrpc_connection *connection, const mrpc_incoming *incoming)
{
    end *e = connection->owner;
    e->received++;
    if (e->answers)
        send_frame(e, false);
    mrpc_arena_free(incoming->arena);
    return 0;
}

static void drained(mrpc_connection *connection)
{
    (void)connection;
}

static void closed(mrpc_connection *connection, const mrpc_error *reason)
{
    (void)reason;
    ((end *)connection->owner)->closed = true;
}

static const mrpc_connection_events events = {sizeof events, opened, received, drained, closed};

static void accepted(mrpc_listener *listener, mrpc_connection *connection)
{
    end *e = listener->owner;
    e->connection = connection;
    connection->owner = e;
    connection->events = &events;
}

static void open_end(end *e, const mode *m, bench_kind kind, bool answers)
{
    mrpc_error error;
    mrpc_heap *receive, *send;
    mrpc_heap_options options = {.size = sizeof options};
    *e = (end){.mode = m, .answers = answers, .flags = FRAME_OPEN | (kind == PROTOBUF ? FRAME_PROTOBUF : 0)};
    if (mrpc_loop_new(&e->loop, MRPC_POLLER_EPOLL, 0, &error) != 0 || mrpc_heap_new(&receive, &options, &error) != 0 ||
        mrpc_heap_new(&send, NULL, &error) != 0) {
        fprintf(stderr, "shm_bench: %s\n", mrpc_error_text(&error));
        exit(1);
    }
    e->setup = (mrpc_transport_setup){.size = sizeof e->setup,
                                      .loop = e->loop,
                                      .receive_heap = receive,
                                      .send_heap = send,
                                      .counters = &e->counters,
                                      .options = {.size = sizeof e->setup.options,
                                                  .max_message = 64 << 20,
                                                  .max_unfinished = 256 << 20,
                                                  .chunk = 65536,
                                                  .shm_data = 4 << 20,
                                                  .shm_references = 256 << 20}};
    e->extent = (mrpc_extent){m->payload == COPIED ? malloc(LARGE) : mrpc_heap_alloc(send, LARGE), LARGE};
    if (e->extent.data == NULL)
        die("no memory");
    memset((void *)(uintptr_t)e->extent.data, 1, LARGE);
}

/* What an engine does: polls, flushes, and sleeps when it may. True: something came. */
static bool turn(end *e)
{
    bool some = e->connection->transport->poll(e->connection);
    if (some)
        e->connection->transport->flush(e->connection);
    else if (!e->mode->spin && e->connection->transport->arm(e->connection))
        (void)mrpc_loop_run(e->loop, UINT64_MAX);
    if (!some && !e->mode->spin) /* answers to what the loop has brought */
        e->connection->transport->flush(e->connection);
    return some;
}

static void transport_serve(const char *name, const mode *m, bench_kind kind, int ready)
{
    end e;
    mrpc_error error;
    mrpc_listener *listener;
    open_end(&e, m, kind, true);
    if (mrpc_transport_shm.listen(&listener, name, &e.setup, &error) != 0) {
        fprintf(stderr, "shm_bench: %s\n", error.text);
        exit(1);
    }
    listener->owner = &e;
    listener->accepted = accepted;
    if (write(ready, "r", 1) != 1)
        die("pipe");
    while (e.connection == NULL)
        (void)mrpc_loop_run(e.loop, UINT64_MAX);
    while (!e.closed)
        (void)turn(&e);
}

static double transport_run(const char *name, const mode *m, bench_kind kind, uint64_t duration)
{
    end e;
    mrpc_error error;
    open_end(&e, m, kind, false);
    if (mrpc_transport_shm.connect(&e.connection, name, &e.setup, &error) != 0) {
        fprintf(stderr, "shm_bench: %s\n", error.text);
        exit(1);
    }
    e.connection->owner = &e;
    e.connection->events = &events;
    while (!e.opened && !e.closed)
        (void)mrpc_loop_run(e.loop, UINT64_MAX);
    bool large = m->payload != SMALL;
    uint64_t sent = 0, begin = now_ns(), now = begin;
    for (; sent < m->window; sent++)
        send_frame(&e, large);
    e.connection->transport->flush(e.connection);
    while (now - begin < duration && !e.closed) {
        for (int i = 0; i < 64; i++) {
            (void)turn(&e);
            bool any = sent < e.received + m->window;
            for (; sent < e.received + m->window; sent++)
                send_frame(&e, large);
            if (any)
                e.connection->transport->flush(e.connection);
        }
        now = now_ns();
    }
    double rate = (double)e.received * 1e9 / (double)(now - begin);
    e.connection->transport->close(e.connection);
    return rate;
}

/* --- rounds --- */

static double measure(const mode *m, bench_kind kind, uint64_t duration)
{
    static int number;
    char name[64];
    snprintf(name, sizeof name, "bench-%d-%d", (int)getpid(), number++);
    plain *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ready[2];
    if (shared == MAP_FAILED || pipe(ready) != 0)
        die("mmap, pipe");
    for (int i = 0; i < 2; i++)
        shared->wake[i] = eventfd(0, EFD_NONBLOCK);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(m->server_core);
        if (kind == PLAIN) {
            if (write(ready[1], "r", 1) != 1)
                die("pipe");
            plain_serve(shared, m);
        }
        transport_serve(name, m, kind, ready[1]);
        _exit(0);
    }
    pin(0);
    char byte;
    if (read(ready[0], &byte, 1) != 1)
        die("pipe");
    double rate = kind == PLAIN ? plain_run(shared, m, duration) : transport_run(name, m, kind, duration);
    kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    for (int i = 0; i < 2; i++) {
        close(shared->wake[i]);
        close(ready[i]);
    }
    munmap(shared, sizeof *shared);
    return rate;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

int main(int argc, char **argv)
{
    uint64_t duration = (argc > 1 ? strtoull(argv[1], NULL, 10) : 200) * 1000000u;
    int rounds = argc > 2 ? atoi(argv[2]) : 7;
    if (rounds < 1 || rounds > MAX_ROUNDS || duration == 0) {
        fprintf(stderr, "usage: shm_bench [MILLISECONDS [ROUNDS]]\n");
        return 2;
    }
    for (int i = 0; i < MODES; i++) {
        double rates[KINDS][MAX_ROUNDS], ratios[KINDS][MAX_ROUNDS];
        for (int round = 0; round < rounds; round++)
            for (int k = 0; k < KINDS; k++) {
                rates[k][round] = measure(&modes[i], (bench_kind)k, duration);
                ratios[k][round] = rates[0][round] / rates[k][round];
            }
        printf("%s\n", modes[i].name);
        for (int k = 0; k < KINDS; k++) {
            double rate = median(rates[k], rounds);
            printf("  %-14s %12.0f round trips/s  %9.1f ns each  %5.2f x the plain one\n", kinds[k], rate, 1e9 / rate,
                   median(ratios[k], rounds));
        }
        fflush(stdout);
    }
    return 0;
}
