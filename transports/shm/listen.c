/* SPDX-License-Identifier: BSD-2-Clause */
/* listen.c - servers: accepting, and the connections that are still greeting */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "transports/shm/connection.h"
#include "transports/shm/packet.h"

enum {
    BACKLOG = 1024,
    BATCH = 64,      /* accepted in one go */
    GREETING = 1024, /* at most at once: who connects and says nothing must not take all descriptors */
    BIND_TRIES = 25,
    BIND_PAUSE_US = 10000
};

#define PAUSE_NS UINT64_C(50000000) /* when there are no descriptors, and between batches that were full */

struct mrpc_shm_listener {
    mrpc_listener base;
    mrpc_transport_setup setup;
    mrpc_shm_address address;
    mrpc_watch socket;
    mrpc_timer timer; /* to accept again */
    mrpc_shm_connection *greeting;
    uint32_t greeting_count;
};

static void add(mrpc_shm_listener *listener, mrpc_shm_connection *c)
{
    c->listener = listener;
    c->next = listener->greeting;
    c->place = &listener->greeting;
    if (c->next != NULL)
        c->next->place = &c->next;
    listener->greeting = c;
    listener->greeting_count++;
}

static void take_out(mrpc_shm_connection *c)
{
    *c->place = c->next;
    if (c->next != NULL)
        c->next->place = c->place;
    c->listener->greeting_count--;
    c->listener = NULL;
}

void mrpc_shm_listener_greeted(mrpc_shm_connection *c)
{
    mrpc_shm_listener *listener = c->listener;
    take_out(c);
    if (c->state == SHM_OPEN)
        listener->base.accepted(&listener->base, &c->base);
}

/* Says why not, as far as the socket takes it. Closes the socket. */
static void turn_away(int socket, const mrpc_error *reason)
{
    mrpc_shm_packet packet = {.kind = SHM_REFUSE, .code = (uint32_t)-reason->code};
    snprintf(packet.text, sizeof packet.text, "%.*s", SHM_TEXT - 1, reason->text);
    (void)mrpc_shm_packet_send(socket, &packet, NULL, 0);
    close(socket);
}

static void admit(mrpc_shm_listener *listener, int socket)
{
    mrpc_error error;
    struct ucred who;
    int failure = mrpc_shm_address_admit(&listener->address, socket, "client", &who, &error);
    if (failure == 0 && listener->greeting_count >= GREETING)
        failure = mrpc_error_set(&error, MRPC_ELIMIT, "%s: too many clients are connecting", listener->base.address);
    mrpc_shm_connection *c = failure == 0 ? mrpc_shm_connection_new(&listener->setup, &listener->address) : NULL;
    if (failure == 0 && c == NULL)
        failure = mrpc_error_set(&error, MRPC_ENOMEM, "%s: no memory for a connection", listener->base.address);
    if (failure != 0) {
        turn_away(socket, &error);
        return;
    }
    if (mrpc_shm_accept(c, socket, &who, &error) != 0)
        mrpc_shm_destroy(c);
    else
        add(listener, c);
}

static void pause_accepting(mrpc_shm_listener *listener, uint64_t time)
{
    /* If there is no memory for the timer, the next client that comes makes the socket ready again. */
    (void)!mrpc_loop_start(listener->setup.loop, &listener->timer, mrpc_loop_now(listener->setup.loop) + time);
}

static void accept_clients(mrpc_shm_listener *listener)
{
    for (int i = 0; i < BATCH; i++) {
        int socket = accept4(listener->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket >= 0) {
            admit(listener, socket);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (errno != EINTR && errno != ECONNABORTED) { /* no descriptors, no memory: clients wait in the queue */
            pause_accepting(listener, PAUSE_NS);
            return;
        }
    }
    pause_accepting(listener, 0);
}

static void socket_ready(mrpc_watch *watch, uint32_t events)
{
    (void)events;
    accept_clients((mrpc_shm_listener *)(void *)((char *)watch - offsetof(mrpc_shm_listener, socket)));
}

static void timer_expired(mrpc_timer *timer)
{
    accept_clients((mrpc_shm_listener *)(void *)((char *)timer - offsetof(mrpc_shm_listener, timer)));
}

/* When a process is killed, the kernel lets go of what its io_uring refers to a little later, in a worker of its own. A
 * server that is started again at once must not fail for that: ask for a quarter of a second before the name counts as
 * taken. */
static int bind_patiently(int fd, const struct sockaddr_un *where, socklen_t length)
{
    int result = bind(fd, (const struct sockaddr *)where, length);
    for (int tries = 0; tries < BIND_TRIES && result != 0 && errno == EADDRINUSE; tries++) {
        (void)usleep(BIND_PAUSE_US);
        result = bind(fd, (const struct sockaddr *)where, length);
    }
    return result;
}

static int bind_name(mrpc_shm_listener *listener, mrpc_error *error)
{
    struct sockaddr_un where;
    socklen_t length = mrpc_shm_address_socket(&listener->address, &where);
    if (bind_patiently(listener->socket.fd, &where, length) != 0)
        return errno == EADDRINUSE ? mrpc_error_set(error, MRPC_EEXIST,
                                                    "%s: another server has this name; stop it, or take another name",
                                                    listener->base.address)
                                   : mrpc_error_system(error, errno, "%s: bind", listener->base.address);
    if (listen(listener->socket.fd, BACKLOG) != 0)
        return mrpc_error_system(error, errno, "%s: listen", listener->base.address);
    return 0;
}

static int open_socket(mrpc_shm_listener *listener, mrpc_error *error)
{
    listener->socket =
        (mrpc_watch){.ready = socket_ready, .fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (listener->socket.fd < 0)
        return mrpc_error_system(error, errno, "%s: socket", listener->base.address);
    int failure = bind_name(listener, error);
    if (failure == 0 && mrpc_loop_add(listener->setup.loop, &listener->socket) != 0)
        failure = mrpc_error_set(error, MRPC_ESYS,
                                 "%s: the event loop cannot watch the socket; a simulated one has no descriptors",
                                 listener->base.address);
    if (failure != 0)
        close(listener->socket.fd);
    return failure;
}

int mrpc_shm_listen(mrpc_listener **result, const char *address, const mrpc_transport_setup *setup, mrpc_error *error)
{
    mrpc_shm_address parsed;
    int failure = mrpc_shm_address_parse(&parsed, address, error);
    if (failure != 0)
        return failure;
    mrpc_shm_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "shm://%s: no memory for a listener", parsed.name);
    listener->base.transport = &mrpc_transport_shm;
    listener->setup = *setup;
    listener->address = parsed;
    listener->timer.expired = timer_expired;
    snprintf(listener->base.address, sizeof listener->base.address, "shm://%s", parsed.name);
    failure = open_socket(listener, error);
    if (failure != 0) {
        free(listener);
        return failure;
    }
    *result = &listener->base;
    return 0;
}

void mrpc_shm_unlisten(mrpc_listener *base)
{
    mrpc_shm_listener *listener = (mrpc_shm_listener *)(void *)base;
    while (listener->greeting != NULL)
        mrpc_shm_close(&listener->greeting->base);
    mrpc_loop_stop(listener->setup.loop, &listener->timer);
    mrpc_loop_remove(listener->setup.loop, &listener->socket);
    close(listener->socket.fd);
    free(listener);
}
