/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raw_tcp.c - the limit: a plain loop of send and recv over one TCP connection
 *
 * The server sends back what it receives, in as few system calls. The client keeps --inflight messages under way and
 * sends as many new ones, in one call, as replies came. ADDRESS is a port on 127.0.0.1.
 */
#include "config.h"

#include "bench/measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 20];

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_in address_of(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void no_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* What has come, at least one byte; 0 at the end of the connection. */
static size_t receive(int fd, size_t room, bool spin)
{
    for (;;) {
        ssize_t got = recv(fd, buffer, room, spin ? MSG_DONTWAIT : 0);
        if (got >= 0)
            return (size_t)got;
        if (errno != EAGAIN && errno != EINTR)
            return 0;
    }
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            fail("send");
        if (sent > 0) {
            data += sent;
            size -= (size_t)sent;
        }
    }
}

static void serve(const bench_options *options)
{
    struct sockaddr_in address = address_of(options->address);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0)
        fail("listen");
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        fail("accept");
    no_delay(fd);
    for (size_t got; (got = receive(fd, sizeof buffer, options->spin)) > 0;)
        send_all(fd, buffer, got);
    close(fd);
    close(listener);
}

/* The server may not be there yet: tries for five seconds. */
static int connect_patiently(const struct sockaddr_in *address)
{
    for (int tries = 0; tries < 1000; tries++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0) {
            no_delay(fd);
            return fd;
        }
        close(fd);
        usleep(5000);
    }
    fail("connect");
}

static void run_client(const bench_options *options)
{
    static uint64_t begun[65536];
    struct sockaddr_in address = address_of(options->address);
    size_t size = options->size + 2; /* as much as the protobuf encoding has */
    size_t partial = 0;
    uint64_t next = 0, done = 0;
    bench_run run;
    int fd = connect_patiently(&address);
    char *output = calloc(options->inflight, size);
    if (output == NULL)
        fail("calloc");
    bench_begin(&run, options);
    for (; next < options->inflight; next++)
        begun[next % 65536] = bench_now();
    send_all(fd, output, size * options->inflight);
    for (bool more = true; more;) {
        size_t got = receive(fd, sizeof buffer, options->spin) + partial;
        size_t replies = got / size;
        partial = got % size;
        for (size_t i = 0; i < replies; i++)
            more = bench_count(&run, begun[done++ % 65536]) && more;
        uint64_t now = bench_now();
        for (size_t i = 0; i < replies; i++)
            begun[next++ % 65536] = now;
        if (replies > 0)
            send_all(fd, output, replies * size);
    }
    bench_print(&run);
    free(output);
    close(fd);
}

int main(int argc, char **argv)
{
    bench_options options = bench_parse(argc, argv);
    if (options.server)
        serve(&options);
    else
        run_client(&options);
    return 0;
}
