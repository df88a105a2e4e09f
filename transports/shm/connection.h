/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connection.h - one end of a connection through shared memory, and how its parts share the work
 *
 *   ring       records both ways                     address    names and users
 *   memory     the memfds under them                 packet     the socket: set-up, segments, and the peer's end
 *   backlog    what waits for room in the ring       lend       our heap, as far as the peer reads it
 *   partial    messages that come in chunks          borrow     the peer's heap, as far as we read it
 *   send       begin to flush, waking, sleeping      receive    poll
 *   connect    greeting, opening, ending             listen     listening
 *
 * Going to sleep and waking (arm and signal in send.c). Both sides may sleep in the kernel until their eventfd is
 * written. No wake-up is lost, because the one who goes to sleep says so *before* it looks for the last time, and the
 * one who has news publishes them *before* it looks whether the other one sleeps:
 *
 *     sleeper: sleeping = epoch; fence; is there a record (or room)? then stay awake
 *     waker:   publish the record (or what was consumed); fence; sleeping != 0? then write the eventfd
 *
 * With a sequentially consistent fence between its store and its load, at least one of the two sees the other's store.
 * Each sleep has a number of its own, so that the waker writes once for it, however long the sleeper takes to wake up.
 * tests/sim/wakeup.pml is the model.
 */
#ifndef MRPC_TRANSPORTS_SHM_CONNECTION_H
#define MRPC_TRANSPORTS_SHM_CONNECTION_H

#include "transports/shm/address.h"
#include "transports/shm/backlog.h"
#include "transports/shm/borrow.h"
#include "transports/shm/lend.h"
#include "transports/shm/memory.h"
#include "transports/shm/partial.h"
#include "transports/shm/ring.h"
#include "transports/transport.h"

typedef struct mrpc_shm_connection mrpc_shm_connection;
typedef struct mrpc_shm_listener mrpc_shm_listener;

typedef enum mrpc_shm_state {
    SHM_TRYING,   /* client: to reach the server */
    SHM_GREETING, /* waiting for the peer's HELLO */
    SHM_OPEN,
    SHM_FAILED, /* error is set, `closed` is still to come */
    SHM_ENDED   /* `closed` has come */
} mrpc_shm_state;

enum { SHM_NEWS_DATA = SHM_WANTS_DATA, SHM_NEWS_SPACE = SHM_WANTS_SPACE };

struct mrpc_shm_connection {
    mrpc_connection base;

    /* The path of a small frame. */
    mrpc_shm_in in;
    mrpc_shm_out out;
    mrpc_shm_control *own;
    const mrpc_shm_control *peer;
    uint64_t woken;  /* the peer's sleep for which the eventfd was written */
    uint64_t armed;  /* what own->sleeping is */
    uint64_t epoch;  /* of the last sleep */
    uint32_t news;   /* that the peer may wait for and was not looked at since: SHM_NEWS_… */
    uint32_t direct; /* frames of so many bytes are written into the ring as they are made */
    uint32_t chunk;  /* most payload of a frame to the peer */
    uint32_t depth;  /* of our functions that call events: the struct stays until they have returned */
    mrpc_shm_state state;
    uint64_t told;        /* the value of in.tail at which the peer was last told of room, if it wanted to know */
    bool returns_wait;    /* loans could not be given back for want of room */
    bool was_full;        /* queued() was above the limit, or begin() has answered EAGAIN: `drained` is owed */
    bool hung_up;         /* the peer's end of the socket is gone */
    bool closing;         /* close() was called from within an event */
    bool stays_awake;     /* it would sleep, but more is there; the loop comes back to it */
    bool due;             /* the batch is to be published: flush() was called, or some of it is our own */
    uint32_t polls;       /* that brought something */
    uint64_t unpublished; /* bytes of frames in the batch */
    uint64_t last_words;  /* bytes that were read after the peer's end was gone */

    mrpc_shm_backlog backlog;
    mrpc_send_token *released; /* tokens to be released at the next flush, linked through their `transport` */
    mrpc_shm_lend lend;
    mrpc_shm_borrow *borrow; /* NULL: the peer has not referred to anything yet */
    mrpc_shm_partials partials;

    mrpc_loop *loop;
    mrpc_heap *receive_heap;
    mrpc_heap *own_heap; /* of an accepted connection; made at first use */
    mrpc_counters *counters;
    uint64_t max_message;
    uint64_t max_unfinished;
    uint64_t references; /* bytes that we may lend */
    uint64_t data;       /* bytes of our ring */
    uint64_t key;        /* of our ring */
    uint32_t accepts;    /* most payload of a frame from the peer */
    bool copy;           /* take payloads that are referred to as copies */
    bool accepted;

    mrpc_watch socket; /* .fd -1: none */
    mrpc_watch wake;   /* our eventfd */
    int peer_wake;     /* the peer's eventfd; -1: wake it over the socket */
    bool socket_watched, wake_watched;
    mrpc_shm_memory own_memory, peer_memory;
    mrpc_timer timer; /* connecting again, giving up greeting, reporting a failure */
    mrpc_shm_address address;
    mrpc_error error;

    mrpc_shm_listener *listener; /* while greeting */
    mrpc_shm_connection *next, **place;
};

enum {
    SHM_WINDOW = 256 << 10, /* bytes of the ring that chunks may take, so that small frames find it short */
    SHM_GREETING_S = 10     /* for the peer to send its HELLO */
};

/* --- send.c --- */

int mrpc_shm_begin(mrpc_connection *connection, size_t capacity, mrpc_space *space);
int mrpc_shm_extend(mrpc_connection *connection, mrpc_space *space, size_t used, size_t capacity);
void mrpc_shm_commit(mrpc_connection *connection, mrpc_space *space, const mrpc_extent *extents,
                     mrpc_send_token *token);
void mrpc_shm_abort(mrpc_connection *connection, mrpc_space *space);
void mrpc_shm_abandon(mrpc_connection *connection, mrpc_send_token *token);
void mrpc_shm_flush(mrpc_connection *connection);
size_t mrpc_shm_queued(const mrpc_connection *connection);
bool mrpc_shm_opening(const mrpc_connection *connection, uint32_t last);
bool mrpc_shm_arm(mrpc_connection *connection);

/* Sends what there is room for: loans that are given back, the backlog, the batch; wakes the peer. Tells the owner when
 * it may go on. Nothing of the connection may be touched afterwards unless the caller counts in `depth`. */
void mrpc_shm_push(mrpc_shm_connection *c);
/* There is something to do that no peer will wake us for: the loop runs us again, and then we may sleep. */
void mrpc_shm_come_back(mrpc_shm_connection *c);
/* Leaves out what was not sent in a call; its tokens are released at the next push. */
void mrpc_shm_drop_call(mrpc_shm_connection *c, uint32_t call);
/* Releases all tokens, and forgets what was to be sent. */
void mrpc_shm_send_end(mrpc_shm_connection *c);

/* --- receive.c --- */

bool mrpc_shm_poll(mrpc_connection *connection);
/* Handles records until there are none, or many were handled. True when there was one. */
bool mrpc_shm_receive(mrpc_shm_connection *c);
/* Reads the socket: segments, and the peer's end. Sets hung_up. False: the connection has failed. */
bool mrpc_shm_read_socket(mrpc_shm_connection *c);

/* --- connect.c --- */

int mrpc_shm_connect(mrpc_connection **connection, const char *address, const mrpc_transport_setup *setup,
                     mrpc_error *error);
void mrpc_shm_close(mrpc_connection *connection);
mrpc_heap *mrpc_shm_heap(mrpc_connection *connection);

/* A connection without any parts. NULL: no memory. */
mrpc_shm_connection *mrpc_shm_connection_new(const mrpc_transport_setup *setup, const mrpc_shm_address *address);
/* A server's end on a socket that was accepted, which it takes; waits for the client's HELLO. Errors: ENOMEM, ESYS. */
int mrpc_shm_accept(mrpc_shm_connection *c, int socket, const struct ucred *who, mrpc_error *error);
/* The connection cannot go on: `closed` comes from the loop or the next flush or poll. The first reason counts. */
void mrpc_shm_fail(mrpc_shm_connection *c, int code, const char *format, ...) MRPC_PRINTF(3, 4);
/* Calls `closed` if the connection has failed and nobody was told. */
void mrpc_shm_report(mrpc_shm_connection *c);
/* Brackets around all that may call events. leave() frees the connection if it was closed meanwhile. */
void mrpc_shm_enter(mrpc_shm_connection *c);
void mrpc_shm_leave(mrpc_shm_connection *c);
/* Frees what a connection that nobody knows yet has. */
void mrpc_shm_destroy(mrpc_shm_connection *c);

/* --- listen.c --- */

int mrpc_shm_listen(mrpc_listener **listener, const char *address, const mrpc_transport_setup *setup,
                    mrpc_error *error);
void mrpc_shm_unlisten(mrpc_listener *listener);
/* A connection has done greeting, or has failed to. */
void mrpc_shm_listener_greeted(mrpc_shm_connection *c);

static inline mrpc_shm_connection *mrpc_shm_of(const mrpc_connection *connection)
{
    return (mrpc_shm_connection *)(uintptr_t)connection;
}

static inline void mrpc_shm_stay_awake(mrpc_shm_connection *c)
{
    c->armed = 0;
    atomic_store_explicit(&c->own->sleeping, 0, memory_order_relaxed);
}

/* A full barrier between this side's words and the peer's. */
static inline void mrpc_shm_fence(void)
{
#if defined(__SANITIZE_THREAD__)
    /* ThreadSanitizer knows no fences; the words themselves are atomic. */
    static _Atomic uint32_t barrier;
    atomic_fetch_add(&barrier, 1);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

#endif /* MRPC_TRANSPORTS_SHM_CONNECTION_H */
