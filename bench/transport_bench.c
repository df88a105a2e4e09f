/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport_bench.c - frames through a transport beside a plain loop of send and recv
 *
 *     transport_bench [MILLISECONDS [ROUNDS [MODE]]]
 *
 * Two processes exchange frames of 32 bytes of header and 64 of payload over loopback TCP (reno): one at a time or 128
 * in flight, and spinning on two cores or sleeping on one. Last, 1 MiB goes one way and a small frame comes back for
 * each. The plain loop moves the same bytes and knows nothing about them. The systems take turns within each round;
 * what is printed is the median over rounds, and the median of the ratios within rounds.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "transports/transport.h"

enum { FRAME = 32 + 64, LARGE = 1 << 20, CHUNK = 65536, MAX_ROUNDS = 101 };

typedef struct mode {
    const char *name;
    bool spin;
    unsigned window; /* frames in flight */
    bool large;
    int server_core;
} mode;

static const mode modes[] = {
    {"spinning, 1 in flight", true, 1, false, 1},
    {"spinning, 128 in flight", true, 128, false, 1},
    {"sleeping on one core, 1 in flight", false, 1, false, 0},
    {"sleeping on one core, 128 in flight", false, 128, false, 0},
    {"sleeping on two cores, 1 MiB, 8 in flight", false, 8, true, 1},
    {"sleeping on one core, 1 MiB, 1 in flight", false, 1, true, 0},
};

/* A system: both sides of it, each in a process of its own. They run until *stop is true, or for ever. */
typedef struct result {
    uint64_t round_trips;
    uint64_t system_calls;
    double seconds;
} result;

typedef struct system_under_test {
    const char *name;
    mrpc_poller poller; /* AUTO: the plain loop */
} system_under_test;

static const system_under_test systems[] = {
    {"plain send and recv", MRPC_POLLER_AUTO},
#ifdef HAVE_LIBURING
    {"transport, io_uring", MRPC_POLLER_IO_URING},
#endif
    {"transport, epoll", MRPC_POLLER_EPOLL},
};

enum { MODES = sizeof modes / sizeof modes[0], SYSTEMS = sizeof systems / sizeof systems[0] };

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

/* How many round trips there are between two looks at the clock, less one. */
static uint64_t clock_mask(const mode *m)
{
    return m->large ? 0 : 63;
}

static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* --- the plain loop --- */

static size_t plain_receive(int fd, char *buffer, size_t size, bool spin, uint64_t *calls)
{
    for (;;) {
        ssize_t n = recv(fd, buffer, size, spin ? MSG_DONTWAIT : 0);
        ++*calls;
        if (n > 0)
            return (size_t)n;
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            exit(0);
    }
}

static void plain_send(int fd, const char *buffer, size_t size, uint64_t *calls)
{
    ++*calls;
    if (send(fd, buffer, size, MSG_NOSIGNAL) != (ssize_t)size)
        exit(0);
}

static void plain_serve_large(int fd, const mode *m)
{
    static char buffer[LARGE];
    uint64_t calls = 0;
    for (;;) {
        for (size_t have = 0; have < LARGE;)
            have += plain_receive(fd, buffer + have, LARGE - have, m->spin, &calls);
        plain_send(fd, buffer, FRAME, &calls);
    }
}

static void plain_serve(int fd, const mode *m)
{
    static char buffer[65536];
    uint64_t calls = 0;
    if (m->large)
        plain_serve_large(fd, m);
    for (size_t have = 0;;) {
        have += plain_receive(fd, buffer + have, sizeof buffer - have, m->spin, &calls);
        size_t whole = have / FRAME * FRAME;
        if (whole == 0)
            continue;
        plain_send(fd, buffer, whole, &calls);
        have -= whole;
        memmove(buffer, buffer + whole, have);
    }
}

static result plain_run(int fd, const mode *m, uint64_t ns)
{
    static char buffer[65536], large[8 * LARGE];
    const char *from = m->large ? large : buffer;
    size_t size = m->large ? LARGE : FRAME;
    result r = {0};
    uint64_t start = now_ns(), end = start + ns;
    plain_send(fd, from, m->window * size, &r.system_calls);
    size_t have = 0;
    do {
        have += plain_receive(fd, buffer, sizeof buffer, m->spin, &r.system_calls);
        size_t frames = have / FRAME;
        if (frames == 0)
            continue;
        plain_send(fd, from, frames * size, &r.system_calls);
        have -= frames * FRAME;
        r.round_trips += frames;
    } while ((r.round_trips & clock_mask(m)) != 0 || now_ns() < end);
    r.seconds = (double)(now_ns() - start) / 1e9;
    return r;
}

/* --- the transport --- */

typedef struct side {
    mrpc_loop *loop;
    mrpc_connection *connection;
    mrpc_counters counters;
    uint64_t frames;
    bool open;
    bool large; /* what this side sends */
    uint32_t next_call;
} side;

static void released(mrpc_send_token *token)
{
    free(token);
}

static void put_large(side *s)
{
    static const char payload[LARGE];
    static const uint64_t size = LARGE;
    mrpc_space space;
    mrpc_send_token *token = calloc(1, sizeof *token);
    if (token == NULL || mrpc_transport_tcp.begin(s->connection, FRAME, &space) != 0)
        exit(1);
    token->released = released;
    mrpc_frame *frame = (mrpc_frame *)(void *)space.data;
    *frame = (mrpc_frame){.type = FRAME_MESSAGE, .flags = FRAME_OPEN | FRAME_END, .call = ++s->next_call, .extents = 1};
    memcpy(frame + 1, &size, sizeof size);
    mrpc_transport_tcp.commit(s->connection, &space, &(mrpc_extent){payload, size}, token);
}

static void put(side *s, const void *payload)
{
    mrpc_space space;
    if (mrpc_transport_tcp.begin(s->connection, FRAME, &space) != 0)
        exit(1);
    mrpc_frame *frame = (mrpc_frame *)(void *)space.data;
    *frame =
        (mrpc_frame){.type = FRAME_MESSAGE, .flags = FRAME_OPEN | FRAME_END, .call = ++s->next_call | 1, .block = 64};
    memcpy(frame + 1, payload, 64);
    mrpc_transport_tcp.commit(s->connection, &space, NULL, NULL);
}

/* As mrpc's sessions do, so that the transport knows how large a chunk the peer takes. */
static void put_hello(side *s)
{
    mrpc_space space;
    uint32_t chunk = CHUNK;
    if (mrpc_transport_tcp.begin(s->connection, FRAME, &space) != 0)
        exit(1);
    mrpc_frame *frame = (mrpc_frame *)(void *)space.data;
    *frame = (mrpc_frame){.type = FRAME_HELLO, .block = 64};
    memset(frame + 1, 0, 64);
    memcpy((char *)(frame + 1) + 16, &chunk, sizeof chunk);
    mrpc_transport_tcp.commit(s->connection, &space, NULL, NULL);
    mrpc_transport_tcp.flush(s->connection);
}

static void opened(mrpc_connection *connection)
{
    put_hello(connection->owner);
}

static int received(mrpc_connection *connection, const mrpc_incoming *incoming)
{
    side *s = connection->owner;
    static const char zero[64];
    if (incoming->header->type == FRAME_HELLO) {
        s->open = true;
        return 0;
    }
    s->frames++;
    mrpc_arena_free(incoming->arena);
    if (s->large)
        put_large(s);
    else
        put(s, incoming->arena != NULL ? zero : (const char *)incoming->head);
    return 0;
}

static void drained(mrpc_connection *connection)
{
    (void)connection;
}

static void closed(mrpc_connection *connection, const mrpc_error *reason)
{
    (void)connection;
    (void)reason;
    exit(0);
}

static const mrpc_connection_events events = {sizeof events, opened, received, drained, closed};

static void accepted(mrpc_listener *listener, mrpc_connection *connection)
{
    side *s = listener->owner;
    s->connection = connection;
    connection->owner = s;
    connection->events = &events;
    put_hello(s);
}

static mrpc_transport_setup make_setup(side *s, mrpc_poller poller)
{
    mrpc_error error;
    if (mrpc_loop_new(&s->loop, poller, 0, &error) != 0) {
        fprintf(stderr, "%s\n", mrpc_error_text(&error));
        exit(1);
    }
    s->counters.size = sizeof s->counters;
    mrpc_heap *heap;
    mrpc_heap_options options = {.size = sizeof options};
    if (mrpc_heap_new(&heap, &options, NULL) != 0)
        exit(1);
    return (mrpc_transport_setup){
        .size = sizeof(mrpc_transport_setup),
        .loop = s->loop,
        .receive_heap = heap,
        .counters = &s->counters,
        .options = {.size = sizeof(mrpc_connection_options),
                    .max_message = 64 << 20,
                    .max_unfinished = 256 << 20,
                    .chunk = CHUNK,
                    .congestion = "reno"},
    };
}

/* Receives once what is there, spinning or asleep until there is something, and sends what came of it. */
static void turn(side *s, bool spin)
{
    if (spin) {
        while (!mrpc_transport_tcp.poll(s->connection))
            ;
    } else if (mrpc_loop_run(s->loop, UINT64_MAX) < 0) {
        die("mrpc_loop_run");
    }
    mrpc_transport_tcp.flush(s->connection);
}

static void transport_serve(int ready, const mode *m, mrpc_poller poller)
{
    side s = {0};
    mrpc_transport_setup setup = make_setup(&s, poller);
    mrpc_listener *listener;
    mrpc_error error;
    if (mrpc_transport_tcp.listen(&listener, "127.0.0.1:0", &setup, &error) != 0) {
        fprintf(stderr, "%s\n", mrpc_error_text(&error));
        exit(1);
    }
    listener->owner = &s;
    listener->accepted = accepted;
    if (write(ready, listener->address, sizeof listener->address) < 0)
        die("write");
    while (s.connection == NULL)
        if (mrpc_loop_run(s.loop, UINT64_MAX) < 0)
            die("mrpc_loop_run");
    for (;;)
        turn(&s, m->spin);
}

static result transport_run(const char *address, const mode *m, mrpc_poller poller, uint64_t ns)
{
    static const char zero[64];
    side s = {0};
    mrpc_transport_setup setup = make_setup(&s, poller);
    if (mrpc_transport_tcp.connect(&s.connection, address + strlen("tcp://"), &setup, NULL) != 0)
        die("connect");
    s.connection->owner = &s;
    s.connection->events = &events;
    while (!s.open)
        if (mrpc_loop_run(s.loop, UINT64_MAX) < 0)
            die("mrpc_loop_run");
    uint64_t start = now_ns(), end = start + ns;
    s.large = m->large;
    for (unsigned i = 0; i < m->window; i++) {
        if (m->large)
            put_large(&s);
        else
            put(&s, zero);
    }
    mrpc_transport_tcp.flush(s.connection);
    do
        turn(&s, m->spin);
    while ((s.frames & clock_mask(m)) != 0 || now_ns() < end);
    mrpc_loop_counters waits;
    mrpc_loop_get_counters(s.loop, &waits);
    result r = {
        .round_trips = s.frames,
        .system_calls = s.counters.system_calls_send + s.counters.system_calls_receive + waits.waits,
        .seconds = (double)(now_ns() - start) / 1e9,
    };
    mrpc_transport_tcp.close(s.connection);
    mrpc_loop_free(s.loop);
    return r;
}

/* --- one measurement --- */

static int listen_plain(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    socklen_t size = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    if (bind(fd, (struct sockaddr *)address, size) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)address, &size) != 0)
        die("listen");
    return fd;
}

static result measure_plain(const mode *m, uint64_t ns)
{
    struct sockaddr_in address;
    int listener = listen_plain(&address), one = 1;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(m->server_core);
        plain_serve(accept(listener, NULL, NULL), m);
    }
    close(listener);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    result r = plain_run(fd, m, ns);
    close(fd);
    waitpid(child, NULL, 0);
    return r;
}

static result measure_transport(const mode *m, mrpc_poller poller, uint64_t ns)
{
    int ready[2];
    char address[128];
    if (pipe(ready) != 0)
        die("pipe");
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(m->server_core);
        transport_serve(ready[1], m, poller);
    }
    if (read(ready[0], address, sizeof address) != sizeof address)
        die("read");
    close(ready[0]);
    close(ready[1]);
    result r = transport_run(address, m, poller, ns);
    waitpid(child, NULL, 0);
    return r;
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

static void print_mode(const mode *m, uint64_t ns, int rounds)
{
    static double rates[SYSTEMS][MAX_ROUNDS], ratios[SYSTEMS][MAX_ROUNDS], calls[SYSTEMS];
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < SYSTEMS; i++) {
            result r = i == 0 ? measure_plain(m, ns) : measure_transport(m, systems[i].poller, ns);
            rates[i][round] = (double)r.round_trips / r.seconds;
            ratios[i][round] = rates[0][round] / rates[i][round];
            calls[i] = (double)r.system_calls / (double)r.round_trips;
        }
    }
    printf("%s\n", m->name);
    for (size_t i = 0; i < SYSTEMS; i++) {
        double rate = median(rates[i], rounds);
        printf("  %-22s %12.0f frames/s %8.2f us/round trip %7.2f system calls/frame   time ratio %.2f\n",
               systems[i].name, rate, 1e6 * m->window / rate, calls[i], median(ratios[i], rounds));
    }
}

int main(int argc, char **argv)
{
    long ms = argc > 1 ? strtol(argv[1], NULL, 10) : 200, rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 9;
    if (ms < 1 || rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: %s [MILLISECONDS [ROUNDS [MODE]]]\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    pin(0);
    long only = argc > 3 ? strtol(argv[3], NULL, 10) : -1;
    for (size_t i = 0; i < MODES; i++)
        if (only < 0 || (size_t)only == i)
            print_mode(&modes[i], (uint64_t)ms * 1000000u, (int)rounds);
    return 0;
}
