/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - one connection and the protocol on it: HELLO, methods, calls, credit, GOAWAY (docs/PROTOCOL.md)
 *
 * A session does no I/O but through the operations of its transport. It belongs to a channel or to a server, and lives
 * until its connection has ended and no call points to it any more. All functions are for the driver.
 */
#ifndef MRPC_RUNTIME_SESSION_H
#define MRPC_RUNTIME_SESSION_H

#include "runtime/call.h"
#include "runtime/table.h"
#include "transports/transport.h"

typedef enum session_state {
    SESSION_OPENING, /* the transport connects */
    SESSION_HELLO,   /* our HELLO is out, the peer's has not come */
    SESSION_READY,
    SESSION_CLOSED
} session_state;

/* What the owner is told. Not from within begin, commit or a call of the owner's own. */
typedef struct mrpc_session_owner {
    void (*ready)(mrpc_session *session);
    /* The connection has ended; calls on it have ended with UNAVAILABLE. The session is no more in the owner's hands.
     */
    void (*lost)(mrpc_session *session, const mrpc_error *reason);
    /* A GOAWAY came: no call can be begun any more. */
    void (*refused)(mrpc_session *session);
    /* A call left the session, so another one may begin, or one will not begin that had been on its way. */
    void (*eased)(mrpc_session *session);
    /* A MESSAGE with OPEN came; server only. As `received` of a transport. */
    int (*opened)(mrpc_session *session, const mrpc_incoming *incoming);
} mrpc_session_owner;

/* A frame that the transport had no room for. */
typedef struct deferred_frame deferred_frame;

struct mrpc_session {
    mrpc_line line; /* first; its connection is NULL when that has ended */
    mrpc_runtime *runtime;
    const mrpc_transport *transport;
    const mrpc_session_owner *owner_events;
    void *owner;                 /* mrpc_channel or mrpc_server */
    mrpc_session *next, **place; /* in the owner's list */
    session_state state;
    bool server;
    bool goaway_sent; /* no call above goaway_last begins any more */
    bool goaway_came; /* server: nor one above peer_last */
    bool stamps;      /* both sides want them */
    bool broken;      /* to be closed with `reason` by the task */
    bool finished;    /* to be closed by the task */
    bool unblock;     /* the task tries again to send what there was no room for */
    mrpc_call_table calls;
    uint32_t last_number; /* highest call number so far */
    uint32_t goaway_last, peer_last;
    uint32_t attached;  /* calls that point here: those in the table, and those whose handlers are not done yet */
    uint32_t max_calls; /* that we accept */
    uint64_t window, max_message, max_unfinished, max_held;
    uint64_t held; /* bytes of messages that its calls have received and not finished with, and of replies that wait */
    uint32_t chunk;
    uint32_t peer_calls;
    uint64_t peer_window, peer_message;
    uint8_t *bound; /* server: by method number, what BIND has said; see bind.c */
    uint32_t bound_count;
    size_t block_hint;  /* bytes that a block is likely to take */
    mrpc_call *blocked; /* calls for whose messages there was no room */
    deferred_frame *deferred, **deferred_end;
    size_t deferred_count;
    mrpc_heap *heap;  /* server: for replies, kept while calls may use it; NULL: the transport has none */
    mrpc_timer timer; /* of the owner: connecting, HELLO, lingering */
    mrpc_task task;
    mrpc_error reason;
    char peer[128];
};

/* Client: begins to connect. Errors: those of the transport's connect; ENOMEM. */
MRPC_MUST_CHECK int mrpc_session_connect(mrpc_session **session, mrpc_runtime *runtime, const mrpc_transport *transport,
                                         const char *rest, const mrpc_transport_setup *setup, mrpc_error *error);
/* Server: takes a connection that was accepted, or closes it (NULL: no memory). */
mrpc_session *mrpc_session_accept(mrpc_runtime *runtime, mrpc_connection *connection,
                                  const mrpc_connection_options *options);
/* The owner sets owner, owner_events after either. */

/* Ends the connection at once; calls on it end with UNAVAILABLE and the text. `lost` does not come. */
void mrpc_session_close(mrpc_session *session, const char *why);
/* The same once what was committed has been flushed: from within events. */
void mrpc_session_close_soon(mrpc_session *session);
/* Ends it from within an event; `lost` comes. Returns `code`. */
int mrpc_session_break(mrpc_session *session, int code, const char *format, ...) MRPC_PRINTF(3, 4);
/* Tells the peer that no more calls are accepted. */
void mrpc_session_send_goaway(mrpc_session *session);

/* Puts the call into the table under its number and counts it as attached. ENOMEM. */
MRPC_MUST_CHECK int mrpc_session_attach(mrpc_session *session, mrpc_call *call);
/* Takes it out of the table; it stays attached. */
void mrpc_session_unlist(mrpc_session *session, mrpc_call *call);
void mrpc_session_detach(mrpc_session *session, mrpc_call *call);
/* Counts bytes of a message that the attached call holds; what is left of them is counted out when it is detached. */
static inline void mrpc_session_hold(mrpc_call *call, uint64_t bytes)
{
    call->held += bytes;
    call->session->held += bytes;
}
static inline void mrpc_session_let_go(mrpc_call *call, uint64_t bytes)
{
    call->held -= bytes;
    call->session->held -= bytes;
}
/* Server: whether so many bytes more are within max_held, whose text is for the peer. */
bool mrpc_session_may_hold(const mrpc_session *session, uint64_t bytes);
#define MRPC_SESSION_HELD                                                                                              \
    "the connection's calls hold %llu bytes of messages that came and of replies that were not taken: raise "          \
    "connection.max_held on the server"

/* A frame without extents. Never fails: what finds no room waits; when there is no memory for that either, the session
 * breaks. */
void mrpc_session_control(mrpc_session *session, const mrpc_frame *header, const void *payload, size_t size);
/* The call's STATUS, with its text and trailers. */
void mrpc_session_send_status(mrpc_session *session, mrpc_call *call);
/* The STATUS of a call that is refused before it is one. */
void mrpc_session_refuse(mrpc_session *session, uint32_t number, mrpc_code code, const char *format, ...)
    MRPC_PRINTF(4, 5);
/* The call waits for room on the connection; mrpc_call_output() is called then. */
void mrpc_session_block(mrpc_session *session, mrpc_call *call);
void mrpc_session_unblock_call(mrpc_call *call);

/* --- message_out.c --- */

typedef enum message_hold {
    HOLD_COPY,     /* the message is the caller's again when the function returns */
    HOLD_BORROWED, /* it stays in place until call->token was released (call->token_out) */
    HOLD_TAKEN     /* it is released when the transport has read it */
} message_hold;

/* Sends a MESSAGE frame; `message` may be NULL (NOMESSAGE). Errors, after which nothing was sent and the message is
 * still the caller's: EAGAIN (see mrpc_session_block), EINVAL, ELIMIT, ENOMEM. `meta`: the application's items, may be
 * NULL. */
MRPC_MUST_CHECK int mrpc_session_send_message(mrpc_session *session, mrpc_call *call, const void *message,
                                              unsigned flags, const mrpc_meta *meta, message_hold hold,
                                              mrpc_error *error);
/* The sender stops waiting for call->token. */
void mrpc_session_abandon(mrpc_call *call);

/* --- message_in.c --- */

/* Makes a message of what came, in an arena of its own. Takes incoming->arena in any case. Errors: EFORMAT, ENOMEM,
 * with a text. */
MRPC_MUST_CHECK int mrpc_message_receive(mrpc_call *call, const mrpc_incoming *incoming, mrpc_received **received,
                                         mrpc_error *error);
/* Bytes of a MESSAGE as the window counts them. */
uint64_t mrpc_incoming_bytes(const mrpc_incoming *incoming);

/* --- bind.c --- */

enum { BOUND_NATIVE = 1, BOUND_PROTOBUF = 2 };

/* Server: remembers how a method is bound on this connection and tells the client. ENOMEM. */
MRPC_MUST_CHECK int mrpc_session_bind(mrpc_session *session, uint32_t call, uint32_t number, bool protobuf);

#endif /* MRPC_RUNTIME_SESSION_H */
