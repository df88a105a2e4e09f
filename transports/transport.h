/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport.h - what a transport is: frames in, frames out
 *
 * A transport carries frames (frame.h) between two peers, in order, each once, until the connection ends. It knows
 * nothing of methods, deadlines or encodings; it may look at the header of a frame to cut a large one into chunks and
 * to interleave the chunks of different calls. It is built in, or loaded from a shared object (module.h).
 *
 * All functions run on the thread that drives the loop, and so do the events. An event may come from within flush, poll
 * or the loop, never from within begin, commit or connect.
 */
#ifndef MRPC_TRANSPORTS_TRANSPORT_H
#define MRPC_TRANSPORTS_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mrpc/channel.h>
#include <mrpc/error.h>
#include <mrpc/heap.h>
#include <mrpc/marshal.h>

#include "transports/frame.h"
#include "transports/loop/loop.h"

typedef struct mrpc_transport mrpc_transport;

/* One end of a connection. A transport's own struct begins with it. */
typedef struct mrpc_connection mrpc_connection;
/* An address that is listened at; likewise. */
typedef struct mrpc_listener mrpc_listener;

/* Room for one frame in the transport's own memory, so that marshalling writes where the bytes are sent from. */
typedef struct mrpc_space {
    char *data; /* aligned to 8; the frame header begins here */
    size_t capacity;
    void *handle; /* the transport's own */
} mrpc_space;

/* Tells the sender of a frame with extents that the transport does not read them any more. In place until `released`
 * has run. */
typedef struct mrpc_send_token mrpc_send_token;
struct mrpc_send_token {
    void (*released)(mrpc_send_token *token);
    void *transport; /* the transport's own while it has the token */
};

/* A frame that came. */
typedef struct mrpc_incoming {
    /* Of a message that came in chunks: size is that of all of it, at most UINT32_MAX, and MORE is not set. */
    const mrpc_frame *header;
    uint8_t *head; /* mrpc_frame_head() bytes (other types: header->size bytes), aligned to 8 */
    /* Where head and extents lie: the callee owns it from now on. NULL: head is in the transport's buffer, private to
     * this process, valid and writable until the callee returns, and there are no extents. */
    mrpc_arena *arena;
    const mrpc_extent *extents; /* header->extents of them; the array is valid until the callee returns */
    /* 0; or MRPC_ELIMIT (larger than max_message), MRPC_EAGAIN (more than max_unfinished is under way) or MRPC_ENOMEM
     * (the receive heap is full): the message is dropped on arrival; head, arena and extents are NULL; the connection
     * goes on, and the callee ends the call. */
    int refused;
} mrpc_incoming;

/* What happens to a connection. */
typedef struct mrpc_connection_events {
    size_t size;
    /* connect() has succeeded. Not for accepted connections. */
    void (*opened)(mrpc_connection *connection);
    /* A whole frame came (chunks are put together). 0, or MRPC_EPROTO, MRPC_ENOMEM…: the transport then closes with
     * that reason. */
    int (*received)(mrpc_connection *connection, const mrpc_incoming *incoming);
    /* queued() has fallen below half of TRANSPORT_QUEUE_LIMIT after it had been above it, or after an EAGAIN. */
    void (*drained)(mrpc_connection *connection);
    /* The connection has ended or was never made; comes exactly once unless close() was called; only close() may be
     * called after it. Tokens are all released before. */
    void (*closed)(mrpc_connection *connection, const mrpc_error *reason);
} mrpc_connection_events;

struct mrpc_connection {
    const mrpc_transport *transport;
    const mrpc_connection_events *events; /* set by the owner right after connect() or accepted */
    void *owner;                          /* of the one who set events */
    char peer[128];                       /* "tcp://127.0.0.1:40312" */
    mrpc_counters *counters;              /* where the transport counts; from mrpc_transport_setup */
    uint64_t active; /* loop time of about the last frame that came; it may lag behind while poll() brings many */
};

struct mrpc_listener {
    const mrpc_transport *transport;
    void *owner;
    /* A peer has connected. The callee sets events and owner, or closes it. */
    void (*accepted)(mrpc_listener *listener, mrpc_connection *connection);
    char address[128]; /* as it really is, with the port */
};

/* What connect() and listen() are given; copied where kept. */
typedef struct mrpc_transport_setup {
    size_t size;
    mrpc_loop *loop;
    mrpc_heap *receive_heap; /* arenas of large messages come from it */
    mrpc_heap *send_heap; /* where messages are made that may travel by reference; NULL: none. A server's listener: each
                             accepted connection makes its own, see mrpc_transport.heap */
    mrpc_counters *counters;
    mrpc_connection_options options; /* with the defaults filled in */
} mrpc_transport_setup;

/* When queued() exceeds this, the owner should send no more messages until `drained`; begin() answers EAGAIN only at
 * the double. */
enum { TRANSPORT_QUEUE_LIMIT = 4 << 20 };

enum {
    TRANSPORT_BY_REFERENCE = 1, /* extents in heap() travel by reference */
    TRANSPORT_LOCAL = 2,        /* the peer is on this host */
    TRANSPORT_SIMULATED = 4     /* needs a simulated loop */
};

struct mrpc_transport {
    size_t size;
    const char *scheme; /* "tcp" */
    uint32_t capabilities;

    /* Says, without asking anybody, whether what follows SCHEME:// is an address that can be connected to. EINVAL. */
    int (*check)(const char *address, mrpc_error *error);
    /* Begins to connect to what follows SCHEME:// . Numeric addresses and names in /etc/hosts or DNS: resolving must
     * not block the loop for long (documented per transport). The owner sets events before it lets the loop run.
     * Errors: EINVAL, ENOMEM, ESYS. Failure to reach the peer comes as `closed`. */
    int (*connect)(mrpc_connection **connection, const char *address, const mrpc_transport_setup *setup,
                   mrpc_error *error);
    /* Listens. Errors: EINVAL, EEXIST (the address is in use), EPERM, ESYS. */
    int (*listen)(mrpc_listener **listener, const char *address, const mrpc_transport_setup *setup, mrpc_error *error);
    void (*unlisten)(mrpc_listener *listener);

    /* Gives room for a frame of up to `capacity` bytes with header. Only one space at a time on a connection; it ends
     * with commit or abort. ENOMEM, EAGAIN (no room now: try after `drained`), ECLOSED (after `closed`). */
    int (*begin)(mrpc_connection *connection, size_t capacity, mrpc_space *space);
    /* Makes the space larger and keeps its first `used` bytes; data may move. ENOMEM, EAGAIN. */
    int (*extend)(mrpc_connection *connection, mrpc_space *space, size_t used, size_t capacity);
    /* Takes the frame: header and head are in the space, header->size is not set yet (the transport sets it). The head
     * is mrpc_frame_head(header) bytes whatever the type, so other frames with a payload set `meta` (STATUS, BIND) or
     * `block` (HELLO, RETURN) to its size. Frames of a call keep their order, except that CREDIT and CANCEL overtake a
     * message that is being cut into chunks. The extents (padded on the way) follow; the array is read before commit
     * returns, the bytes until `token` is released (token may be NULL without extents). The bytes leave at the next
     * flush. Nothing fails here that could not be reported by `closed`. */
    void (*commit)(mrpc_connection *connection, mrpc_space *space, const mrpc_extent *extents, mrpc_send_token *token);
    void (*abort)(mrpc_connection *connection, mrpc_space *space);
    /* The owner's memory behind the token is about to go: the transport stops reading it at once (what had to follow in
     * a frame that is already under way is copied first; the rest of the message is left out) and releases the token
     * before it returns. The call that the frame belonged to is being cancelled, and the owner sends nothing but CANCEL
     * or STATUS in it afterwards. */
    void (*abandon)(mrpc_connection *connection, mrpc_send_token *token);
    /* Sends all that is committed, as far as it goes without blocking; the rest follows by itself. */
    void (*flush)(mrpc_connection *connection);
    /* Bytes that are committed and not yet sent. */
    size_t (*queued)(const mrpc_connection *connection);
    /* Whether a message that begins a call, of a number up to `last`, has come in part. */
    bool (*opening)(const mrpc_connection *connection, uint32_t last);

    /* Receives what is there without asking the loop: for spinning. True when a frame came. */
    bool (*poll)(mrpc_connection *connection);
    /* The engine is about to sleep in the loop: make sure that the peer wakes it. False: something is there already,
     * poll again. */
    bool (*arm)(mrpc_connection *connection);

    /* The heap whose memory travels by reference on this connection, or NULL. */
    mrpc_heap *(*heap)(mrpc_connection *connection);

    /* Ends the connection and frees it. What queued() counts is lost; what was sent still reaches the peer, if the loop
     * runs on or the kernel needs nothing more for it. Releases all tokens. Also allowed from within an event of the
     * connection. `closed` does not come. */
    void (*close)(mrpc_connection *connection);
};

/* The transports that are built in. */
extern const mrpc_transport mrpc_transport_tcp, mrpc_transport_shm, mrpc_transport_sim;

/* Finds the transport of "SCHEME://rest" and where the rest begins. Errors: EINVAL (not an address; says what one looks
 * like), ENOTSUP (unknown scheme; lists the known ones). */
MRPC_MUST_CHECK int mrpc_transport_find(const char *address, const mrpc_transport **transport, const char **rest,
                                        mrpc_error *error);

/* From now on mrpc_transport_find() finds this one, too, which stays for as long as the process. One thread at a time.
 */
void mrpc_transport_add(const mrpc_transport *transport);

#endif /* MRPC_TRANSPORTS_TRANSPORT_H */
