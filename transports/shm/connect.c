/* SPDX-License-Identifier: BSD-2-Clause */
/* connect.c - the life of a connection: reaching the server, greeting, being open, ending */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "heap/internal.h"
#include "transports/shm/connection.h"
#include "transports/shm/packet.h"

#define NS_PER_S UINT64_C(1000000000)
#define RETRY_NS UINT64_C(20000000) /* between attempts while the server's queue is full */

enum {
    HEADROOM =
        192,   /* bytes of a quarter of the ring that a frame can't take: its record's head, rounding, the next mark */
    LOOKS = 16 /* at the ring in one go of the loop */
};

static mrpc_shm_connection *of_timer(mrpc_timer *timer)
{
    return (mrpc_shm_connection *)(void *)((char *)timer - offsetof(mrpc_shm_connection, timer));
}

static mrpc_shm_connection *of_socket(mrpc_watch *watch)
{
    return (mrpc_shm_connection *)(void *)((char *)watch - offsetof(mrpc_shm_connection, socket));
}

static mrpc_shm_connection *of_wake(mrpc_watch *watch)
{
    return (mrpc_shm_connection *)(void *)((char *)watch - offsetof(mrpc_shm_connection, wake));
}

/* --- making and ending --- */

static uint64_t ring_size(uint64_t wanted)
{
    uint64_t size = SHM_DATA_MIN;
    while (size < wanted && size < SHM_DATA_MAX)
        size *= 2;
    return size;
}

mrpc_shm_connection *mrpc_shm_connection_new(const mrpc_transport_setup *setup, const mrpc_shm_address *address)
{
    mrpc_shm_connection *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    const mrpc_connection_options *options = &setup->options;
    c->base.transport = &mrpc_transport_shm;
    c->base.counters = c->counters = setup->counters;
    c->loop = setup->loop;
    c->receive_heap = mrpc_heap_ref(setup->receive_heap);
    c->max_message = options->max_message;
    c->max_unfinished = options->max_unfinished;
    c->references = options->shm_references;
    c->data = ring_size(options->shm_data);
    c->accepts = options->chunk;
    c->copy = options->shm_copy;
    c->address = *address;
    mrpc_shm_backlog_init(&c->backlog, 0, 0);
    c->own_memory.fd = c->peer_memory.fd = c->socket.fd = c->wake.fd = c->peer_wake = -1;
    return c;
}

static void unwatch(mrpc_loop *loop, mrpc_watch *watch, bool *watched)
{
    if (*watched)
        mrpc_loop_remove(loop, watch);
    *watched = false;
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}

static void leave_listener(mrpc_shm_connection *c)
{
    if (c->listener != NULL)
        mrpc_shm_listener_greeted(c);
}

/* Ends everything but the memory, which functions further up the stack may still look at. The peer sees its end of the
 * socket close. */
static void shut(mrpc_shm_connection *c)
{
    if (c->state == SHM_ENDED)
        return;
    c->state = SHM_ENDED;
    leave_listener(c);
    mrpc_loop_stop(c->loop, &c->timer);
    unwatch(c->loop, &c->socket, &c->socket_watched);
    unwatch(c->loop, &c->wake, &c->wake_watched);
    if (c->peer_wake >= 0)
        close(c->peer_wake);
    c->peer_wake = -1;
    mrpc_shm_send_end(c);
    mrpc_shm_lend_close(&c->lend);
}

void mrpc_shm_destroy(mrpc_shm_connection *c)
{
    shut(c);
    mrpc_shm_partials_clear(&c->partials);
    mrpc_shm_borrow_close(c->borrow);
    mrpc_shm_memory_drop(&c->own_memory);
    mrpc_shm_memory_drop(&c->peer_memory);
    mrpc_heap_unref(c->own_heap);
    mrpc_heap_unref(c->receive_heap);
    free(c);
}

void mrpc_shm_close(mrpc_connection *connection)
{
    mrpc_shm_connection *c = mrpc_shm_of(connection);
    if (c->depth > 0) {
        c->closing = true;
        shut(c);
        return;
    }
    mrpc_shm_destroy(c);
}

static void timer_expired(mrpc_timer *timer);

void mrpc_shm_fail(mrpc_shm_connection *c, int code, const char *format, ...)
{
    if (c->state >= SHM_FAILED)
        return;
    c->state = SHM_FAILED;
    mrpc_error reason = {.code = code};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason.text, sizeof reason.text, format, arguments);
    va_end(arguments);
    c->error = reason;
    c->timer.expired = timer_expired;
    if (mrpc_loop_start(c->loop, &c->timer, mrpc_loop_now(c->loop)) != 0)
        c->timer.expired = NULL; /* the next flush or poll reports it */
}

static void fail_with(mrpc_shm_connection *c, const mrpc_error *reason)
{
    mrpc_shm_fail(c, reason->code, "%s", reason->text);
    c->error.system_errno = reason->system_errno;
}

void mrpc_shm_report(mrpc_shm_connection *c)
{
    if (c->state != SHM_FAILED)
        return;
    mrpc_error reason = c->error;
    bool known = c->listener == NULL;
    shut(c);
    if (!known)
        c->closing = true; /* nobody else will free it */
    else if (c->base.events != NULL)
        c->base.events->closed(&c->base, &reason);
}

void mrpc_shm_enter(mrpc_shm_connection *c)
{
    c->depth++;
}

/* What the peer wrote before it went is still delivered, but not for ever. */
static void check_end(mrpc_shm_connection *c)
{
    if (c->state == SHM_OPEN && (!mrpc_shm_in_ready(&c->in) || c->last_words > c->in.capacity))
        mrpc_shm_fail(c, MRPC_ECLOSED, "%s: the peer has closed the connection, or has died", c->base.peer);
}

void mrpc_shm_leave(mrpc_shm_connection *c)
{
    if (c->depth == 1) {
        if (MRPC_UNLIKELY(c->hung_up))
            check_end(c);
        mrpc_shm_report(c);
    }
    if (--c->depth == 0 && c->closing)
        mrpc_shm_destroy(c);
}

mrpc_heap *mrpc_shm_heap(mrpc_connection *connection)
{
    mrpc_shm_connection *c = mrpc_shm_of(connection);
    if (c->lend.heap != NULL || !c->accepted || c->state != SHM_OPEN)
        return c->lend.heap;
    mrpc_heap_options options = {.size = sizeof options, .name = "mrpc-shm"};
    if (mrpc_heap_make(&c->own_heap, &options, true, NULL) != 0)
        return NULL;
    c->lend.heap = mrpc_heap_ref(c->own_heap);
    return c->own_heap;
}

/* --- being open --- */

/* Handles what came. Who slept goes to sleep again, because a loop that nobody polls beside relies on it. */
static void look(mrpc_shm_connection *c)
{
    bool slept = c->armed != 0 || c->stays_awake;
    c->stays_awake = false;
    if (c->armed != 0)
        mrpc_shm_stay_awake(c);
    for (int i = 0; i < LOOKS; i++) {
        (void)mrpc_shm_receive(c);
        if (c->state == SHM_OPEN)
            mrpc_shm_push(c);
        if (c->state != SHM_OPEN || !slept || mrpc_shm_arm(&c->base))
            return;
    }
    mrpc_shm_come_back(c); /* others want their turn */
}

static void wake_ready(mrpc_watch *watch, uint32_t events)
{
    (void)events;
    mrpc_shm_connection *c = of_wake(watch);
    mrpc_shm_enter(c);
    if (c->state == SHM_OPEN)
        look(c);
    mrpc_shm_leave(c);
}

static int watch_fd(mrpc_shm_connection *c, mrpc_watch *watch, void (*ready)(mrpc_watch *, uint32_t), bool *watched)
{
    watch->ready = ready;
    int failure = mrpc_loop_add(c->loop, watch);
    *watched = failure == 0;
    return failure;
}

/* --- greeting --- */

/* What this side writes, and what it is woken by. It counts as asleep until the engine says otherwise. */
static int make_own(mrpc_shm_connection *c, mrpc_error *error)
{
    int failure = mrpc_shm_memory_make(&c->own_memory, c->data, error);
    if (failure != 0)
        return failure;
    c->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake.fd < 0)
        return mrpc_error_system(error, errno, "shm://%s: eventfd", c->address.name);
    c->own = c->own_memory.control;
    if (getrandom(&c->key, sizeof c->key, GRND_NONBLOCK) != sizeof c->key) /* no entropy yet, at boot */
        c->key = mrpc_loop_now(c->loop) * SHM_STEP ^ (uintptr_t)c;
    c->epoch = 1;
    c->armed = SHM_EPOCH | SHM_WANTS_DATA;
    atomic_store_explicit(&c->own->sleeping, c->armed, memory_order_relaxed);
    c->out = (mrpc_shm_out){.data = c->own_memory.data,
                            .capacity = c->data,
                            .mark = c->key,
                            .fd = c->own_memory.fd,
                            .consumed = c->peer == NULL ? NULL : &c->peer->consumed,
                            .committed = SHM_FIRST,
                            .warm = SHM_FIRST,
                            .fast = SHM_FIRST};
    return 0;
}

static int say_hello(mrpc_shm_connection *c, mrpc_error *error)
{
    mrpc_shm_packet packet = {.kind = SHM_HELLO,
                              .data = c->data,
                              .limit = c->max_unfinished,
                              .chunk = c->accepts,
                              .loans = SHM_LOANS,
                              .key = c->key};
    int failure = mrpc_shm_packet_send(c->socket.fd, &packet, (int[]){c->own_memory.fd, c->wake.fd}, 2);
    if (failure == 0 ||
        (failure == MRPC_ECLOSED && !c->accepted)) /* who has closed already says why in its last packet */
        return 0;
    return mrpc_error_system(error, errno, "shm://%s: cannot send the greeting", c->address.name);
}

static int check_hello(const mrpc_shm_connection *c, const mrpc_shm_packet *packet, const int *descriptors,
                       mrpc_error *error)
{
    if (packet->kind != SHM_HELLO || descriptors[0] < 0 || descriptors[1] < 0 || packet->chunk < (32 << 10) ||
        packet->loans > SHM_LOANS)
        return mrpc_error_set(error, MRPC_EPROTO, "%s: the peer's greeting makes no sense", c->base.peer);
    int failure = mrpc_shm_eventfd_check(descriptors[1], error);
    return failure;
}

/* One's own user, and root, could stop this process anyway. From others no eventfd is taken: who shares it could make a
 * write to it block. */
static bool trusts(const struct ucred *who)
{
    return who->uid == geteuid() || who->uid == 0;
}

static int take_hello(mrpc_shm_connection *c, const mrpc_shm_packet *packet, int *descriptors, mrpc_error *error)
{
    struct ucred who;
    int failure = check_hello(c, packet, descriptors, error);
    if (failure == 0)
        failure = mrpc_shm_address_admit(&c->address, c->socket.fd, c->accepted ? "client" : "server", &who, error);
    if (failure == 0)
        failure = mrpc_shm_memory_map(&c->peer_memory, descriptors[0], packet->data, error);
    if (failure != 0)
        return failure;
    c->peer = c->peer_memory.control;
    c->out.consumed = &c->peer->consumed;
    c->in = (mrpc_shm_in){.data = c->peer_memory.data, .capacity = packet->data, .mark = packet->key};
    uint64_t most = c->data / 4 - HEADROOM - sizeof(mrpc_frame);
    c->chunk = packet->chunk < most ? packet->chunk : (uint32_t)most;
    c->chunk &= ~UINT32_C(7);
    mrpc_shm_backlog_init(&c->backlog, c->chunk, packet->limit);
    c->direct = c->chunk + (uint32_t)sizeof(mrpc_frame);
    c->lend.most = packet->loans;
    if (trusts(&who)) {
        c->peer_wake = descriptors[1];
        descriptors[1] = -1;
    }
    return 0;
}

static void opened(mrpc_shm_connection *c)
{
    c->state = SHM_OPEN;
    mrpc_loop_stop(c->loop, &c->timer);
    if (watch_fd(c, &c->wake, wake_ready, &c->wake_watched) != 0) {
        mrpc_shm_fail(c, MRPC_ENOMEM, "%s: no memory to watch the connection", c->base.peer);
        return;
    }
    if (c->accepted)
        mrpc_shm_listener_greeted(c);
    else
        c->base.events->opened(&c->base);
    if (c->state == SHM_OPEN && mrpc_shm_read_socket(c)) /* the peer may have gone again: there is no second edge */
        look(c);
}

static int answer(mrpc_shm_connection *c, mrpc_error *error)
{
    int failure = make_own(c, error);
    return failure != 0 ? failure : say_hello(c, error);
}

static void refuse(mrpc_shm_connection *c, const mrpc_error *reason)
{
    mrpc_shm_packet packet = {.kind = SHM_REFUSE, .code = (uint32_t)-reason->code};
    snprintf(packet.text, sizeof packet.text, "%.*s", SHM_TEXT - 1, reason->text);
    if (c->accepted)
        (void)mrpc_shm_packet_send(c->socket.fd, &packet, NULL, 0);
    fail_with(c, reason);
}

static void refused(mrpc_shm_connection *c, const mrpc_shm_packet *packet)
{
    int code = packet->code > 0 && packet->code <= -MRPC_EFORKED ? -(int)packet->code : MRPC_EPROTO;
    mrpc_shm_fail(c, code, "%s: the server refuses: %s", c->base.peer, packet->text);
}

static void take_greeting(mrpc_shm_connection *c, const mrpc_shm_packet *packet, int *descriptors)
{
    mrpc_error error;
    if (packet->kind == SHM_REFUSE && !c->accepted) {
        refused(c, packet);
        return;
    }
    int failure = take_hello(c, packet, descriptors, &error);
    if (failure == 0 && c->accepted)
        failure = answer(c, &error);
    if (failure != 0)
        refuse(c, &error);
    else
        opened(c);
}

static void greet(mrpc_shm_connection *c)
{
    mrpc_shm_packet packet;
    int descriptors[SHM_DESCRIPTORS];
    int failure = mrpc_shm_packet_receive(c->socket.fd, &packet, descriptors);
    if (failure == MRPC_EAGAIN)
        return;
    if (failure == MRPC_EPROTO || failure == MRPC_ENOENT)
        refuse(c, &(mrpc_error){.code = MRPC_EPROTO, .text = "shm: the greeting is not one of this version of mrpc"});
    else if (failure == MRPC_ELIMIT)
        refuse(c, &(mrpc_error){.code = MRPC_ELIMIT, .text = "shm: " SHM_NOT_TAKEN});
    else if (failure != 0)
        mrpc_shm_fail(c, MRPC_ECLOSED, "%s: the peer went away before it had greeted", c->base.peer);
    else
        take_greeting(c, &packet, descriptors);
    for (int i = 0; i < SHM_DESCRIPTORS; i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
}

static void socket_ready(mrpc_watch *watch, uint32_t events)
{
    (void)events;
    mrpc_shm_connection *c = of_socket(watch);
    mrpc_shm_enter(c);
    if (c->state == SHM_GREETING)
        greet(c);
    else if (c->state == SHM_OPEN && mrpc_shm_read_socket(c))
        look(c);
    mrpc_shm_leave(c);
}

/* --- the client's side --- */

static void start_timer(mrpc_shm_connection *c, uint64_t after)
{
    c->timer.expired = timer_expired;
    if (mrpc_loop_start(c->loop, &c->timer, mrpc_loop_now(c->loop) + after) != 0)
        mrpc_shm_fail(c, MRPC_ENOMEM, "%s: no memory for a timer", c->base.peer);
}

/* The socket is connected. */
static void greet_server(mrpc_shm_connection *c)
{
    mrpc_error error;
    struct ucred who;
    c->state = SHM_GREETING;
    int failure = mrpc_shm_address_admit(&c->address, c->socket.fd, "server", &who, &error);
    if (failure == 0)
        failure = answer(c, &error);
    if (failure == 0 && watch_fd(c, &c->socket, socket_ready, &c->socket_watched) != 0)
        failure = mrpc_error_set(&error, MRPC_ENOMEM, "%s: no memory to watch the connection", c->base.peer);
    if (failure != 0)
        fail_with(c, &error);
}

static void try_to_connect(mrpc_shm_connection *c)
{
    struct sockaddr_un where;
    socklen_t length = mrpc_shm_address_socket(&c->address, &where);
    if (connect(c->socket.fd, (const struct sockaddr *)&where, length) == 0) {
        greet_server(c);
    } else if (errno == EAGAIN) { /* its queue is full */
        start_timer(c, RETRY_NS);
    } else {
        mrpc_error error;
        int reason = errno;
        (void)mrpc_error_system(&error, reason, "%s: no server listens there that this process can reach",
                                c->base.peer);
        fail_with(c, &error);
    }
}

static void timer_expired(mrpc_timer *timer)
{
    mrpc_shm_connection *c = of_timer(timer);
    mrpc_shm_enter(c);
    if (c->state == SHM_TRYING)
        try_to_connect(c);
    else if (c->state == SHM_GREETING)
        mrpc_shm_fail(c, MRPC_ETIMEDOUT, "%s: the peer did not greet within %d s", c->base.peer, SHM_GREETING_S);
    mrpc_shm_leave(c);
}

int mrpc_shm_connect(mrpc_connection **connection, const char *address, const mrpc_transport_setup *setup,
                     mrpc_error *error)
{
    mrpc_shm_address parsed;
    int failure = mrpc_shm_address_parse(&parsed, address, error);
    if (failure != 0)
        return failure;
    mrpc_shm_connection *c = mrpc_shm_connection_new(setup, &parsed);
    if (c == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "shm://%s: no memory for a connection", parsed.name);
    snprintf(c->base.peer, sizeof c->base.peer, "shm://%s", parsed.name);
    mrpc_shm_lend_open(&c->lend, setup->send_heap, c->references, 0);
    c->socket.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->socket.fd < 0) {
        failure = mrpc_error_system(error, errno, "shm://%s: socket", parsed.name);
        mrpc_shm_destroy(c);
        return failure;
    }
    try_to_connect(c); /* what it meets is told from the loop, when the caller has set events */
    *connection = &c->base;
    return 0;
}

/* --- the server's side --- */

int mrpc_shm_accept(mrpc_shm_connection *c, int socket, const struct ucred *who, mrpc_error *error)
{
    c->socket.fd = socket;
    c->accepted = true;
    c->state = SHM_GREETING;
    snprintf(c->base.peer, sizeof c->base.peer, "shm://%s (process %d, user %u)", c->address.name, (int)who->pid,
             (unsigned)who->uid);
    mrpc_shm_lend_open(&c->lend, NULL, c->references, 0);
    start_timer(c, SHM_GREETING_S * NS_PER_S);
    if (watch_fd(c, &c->socket, socket_ready, &c->socket_watched) != 0)
        return mrpc_error_set(error, MRPC_ENOMEM, "%s: no memory to watch the connection", c->base.peer);
    return 0;
}
