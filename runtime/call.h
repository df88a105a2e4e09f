/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call.h - the inside of a call: one state machine for both sides and all styles
 *
 * A call belongs to the driver. Other threads reach it only through its control word and through operations that they
 * submit. What happens to a call (a message came, it ended) only changes its state and queues its task; the task, which
 * runs at the top of a round, is where handlers, callbacks, queues and waiting threads learn of it (deliver.c).
 */
#ifndef MRPC_RUNTIME_CALL_H
#define MRPC_RUNTIME_CALL_H

#include <mrpc/call.h>

#include "runtime/engine.h"
#include "runtime/meta.h"
#include "runtime/pool.h"
#include "runtime/runtime.h"

typedef struct mrpc_session mrpc_session;
typedef struct mrpc_channel_method mrpc_channel_method;
typedef struct mrpc_handlers mrpc_handlers;

/* How the application learns of what happens. */
typedef enum call_style {
    STYLE_BLOCKING_UNARY, /* a unary_wait */
    STYLE_CALLBACK_UNARY,
    STYLE_QUEUE_UNARY,
    STYLE_BLOCKING,  /* client, with receive and finish */
    STYLE_CALLBACKS, /* client */
    STYLE_SERVER
} call_style;

/* Bits of mrpc_call.control, below the generation. */
enum {
    CONTROL_POKED = 1,  /* call->poke is on its way to the driver */
    CONTROL_CANCEL = 2, /* what poke is to do */
    CONTROL_RESUME = 4,
    CONTROL_LAST = 8,      /* the application has sent the last of its direction: reply, fail, close_send */
    CONTROL_LAST_OP = 16,  /* call->last_op is on its way */
    CONTROL_ENDED = 32,    /* nothing more can be sent */
    CONTROL_WRITABLE = 64, /* a sender was told EAGAIN and waits for on_writable */
    CONTROL_SHIFT = 8      /* where the generation begins */
};

/* A message that came and waits for the application. In the arena of the message. */
typedef struct mrpc_received {
    struct mrpc_received *next;
    const void *message;
    uint64_t bytes; /* of the window */
    uint64_t
        held; /* of session->held, until the application takes it; a request is counted up to the end of its call */
} mrpc_received;

/* A message that waits to be sent and is the runtime's own. In the arena of the message. */
typedef struct mrpc_outgoing {
    mrpc_op op;
    struct mrpc_outgoing *next;
    mrpc_call *handle;
    const void *message;
    mrpc_meta *meta;
} mrpc_outgoing;

/* The thread that waits for something of a blocking call. */
typedef struct mrpc_call_wait {
    mrpc_waiter waiter; /* first */
    mrpc_call *handle;
    enum { WAIT_SEND, WAIT_SENT, WAIT_RECEIVE, WAIT_END } what;
    const void *message;
    int result;
    mrpc_status *status;
} mrpc_call_wait;

struct mrpc_call {
    _Atomic uint64_t control;
    mrpc_runtime *runtime;
    mrpc_session *session; /* NULL while it is on none */
    mrpc_channel *channel; /* client */
    const mrpc_method *method;
    mrpc_module_entry *modules;
    mrpc_channel_method *binding; /* client */
    mrpc_handlers *handlers;      /* server: what it began with */
    mrpc_function handler;        /* server */
    uint32_t number;
    uint8_t style;
    bool server;
    bool protobuf;    /* the encoding of both directions */
    bool named;       /* client: opened by name */
    bool exposed;     /* other threads may have a handle */
    bool shared_slot; /* see pool.h */
    bool freed;       /* the slot goes as soon as no operation is on its way */
    bool listed;      /* in the session's table */
    bool pending;     /* client: in the channel's list of those that wait for a connection */
    bool opened;      /* client: the OPEN frame is out */
    bool closing;     /* nothing follows what waits to be sent */
    bool half_closed; /* END is out */
    bool peer_closed; /* END has come */
    bool message_came;
    bool sent_something; /* server: what is added to the metadata now are trailers; of the thread that sends */
    bool replied;        /* server: the application has answered */
    bool ended;          /* code and text are final; nothing is sent or taken any more */
    bool told;           /* the application knows of the end */
    bool half_close_told;
    bool handled;    /* server: the handler has run */
    bool delivering; /* the task runs */
    bool again;      /* and has to run once more */
    bool paused;
    bool blocked;    /* in session->blocked */
    bool wants_room; /* the driver's thread was told EAGAIN */
    bool wait_for_ready;
    bool request_kept;
    bool reply_waits;              /* server: the reply is counted in `held` */
    bool has_callbacks;            /* server: on_end is the last that the handler's side hears */
    _Atomic uint32_t queued_sends; /* messages that other threads left and the driver has not sent */
    _Atomic int64_t send_window;   /* bytes; written by the driver */
    int64_t receive_window;
    uint64_t consumed; /* bytes that the application took and no CREDIT was sent for */
    uint64_t held;     /* bytes of session->held */
    uint64_t deadline; /* on the loop's clock; 0: none */
    mrpc_timer timer;
    mrpc_task task;
    mrpc_op start_op, poke, last_op;
    mrpc_call *next, **place;               /* in the channel's pending list, session->blocked or the pool */
    mrpc_call *stream_next, **stream_place; /* in channel->streams */

    /* sending */
    const void *last;     /* unary request (borrowed), reply (taken), or a copy of a stream's only request */
    bool last_owned;      /* release it when it was sent */
    mrpc_meta *meta_out;  /* what the application adds; of the calling thread until it is handed over */
    mrpc_meta *meta_last; /* goes with `last`, or with the opening, or with the status */
    struct {              /* what another thread answered, until last_op has run */
        void *message;
        mrpc_meta *meta;
        char *text; /* from malloc */
        mrpc_code code;
    } answer;
    mrpc_outgoing *outbox, **outbox_end;
    mrpc_send_token token; /* of the one borrowed message with extents */
    bool token_out;

    /* receiving */
    mrpc_received *inbox, **inbox_end;
    const void *request; /* server: what the handler was given */
    mrpc_meta *meta_in;

    /* the application's side */
    mrpc_call_wait *wait;
    struct mrpc_unary_wait *unary_wait;
    mrpc_unary_callback unary_callback;
    mrpc_unary_caller unary_caller;
    mrpc_queue *queue;
    void *tag;
    mrpc_unary_result *result;
    mrpc_metadata_list **received; /* unary: where the application wants what came; may be NULL */
    mrpc_call_callbacks callbacks;
    void *state;
    mrpc_heap *heap; /* for the application's messages */

    mrpc_code code;
    char text[256];
};

_Static_assert(sizeof(struct mrpc_call) <= CALL_ALIGN, "a slot has room for a call");

/* --- handles (call.c) --- */

/* What the application is given: the address with the low bits of the generation. */
mrpc_call *mrpc_call_handle(mrpc_call *call);
/* The slot behind a handle. */
static inline mrpc_call *mrpc_call_slot(const mrpc_call *handle)
{
    return (mrpc_call *)((uintptr_t)handle & ~(uintptr_t)(CALL_ALIGN - 1));
}
/* Whether it was given to a server's handler. */
bool mrpc_call_handle_is_server(const mrpc_call *handle);
/* Whether the handle's call still has its slot, as far as another thread can know; false for NULL. */
bool mrpc_call_is_usable(const mrpc_call *handle);
/* Whether it has. On the driver. */
bool mrpc_call_is_current(const mrpc_call *handle);
/* Sets bits of the control word unless the generation has passed or one of `unless` is set. Says what was there before
 * in *before. Any thread. */
bool mrpc_call_mark(const mrpc_call *handle, uint64_t set, uint64_t unless, uint64_t *before);
/* Ends the generation while the call goes on without its application: the handle is void. False: it is already, or an
 * operation is on its way or was carried out that a later look at the control word must find. On the driver. */
bool mrpc_call_retire_handle(const mrpc_call *handle);

/* --- the state machine (call.c); on the driver --- */

/* Ends the call: takes it off its connection or out of the channel's list, tells the peer unless `by_peer`, and queues
 * the task. Does nothing when it has ended. The text is cut to fit. */
void mrpc_call_end(mrpc_call *call, bool by_peer, mrpc_code code, const char *format, ...) MRPC_PRINTF(4, 5);
/* The call has ended, but its application has not taken all messages and shall not any more. */
void mrpc_call_abandon_delivery(mrpc_call *call);
/* Starts the timer of call->deadline; false: the call has ended instead. */
bool mrpc_call_start_timer(mrpc_call *call);
/* The answer of another thread, or its half-close, is carried out: by the driver, through call->last_op. */
void mrpc_call_submit_last(mrpc_call *call);
void mrpc_call_take_last(mrpc_call *call);
/* Frees the call when it has ended and its application needs it no more. */
void mrpc_call_finished(mrpc_call *call);
/* A message came. */
void mrpc_call_add_received(mrpc_call *call, mrpc_received *received);
void mrpc_call_drop_received(mrpc_call *call);
/* The application took `received`: grants the peer credit for it. */
void mrpc_call_consumed(mrpc_call *call, uint64_t bytes);
void mrpc_call_wake_task(mrpc_call *call);

/* --- what waits to be sent (output.c) --- */

/* Sends what the call has to send and can. */
void mrpc_call_output(mrpc_call *call);
/* Sends a message now: 0, EAGAIN (no room or no window), EINVAL, ELIMIT, ENOMEM. ECLOSED. Client: the
 * caller keeps the message. Server: taken unless EAGAIN. */
MRPC_MUST_CHECK int mrpc_call_send_now(mrpc_call *call, const void *message, mrpc_meta **meta);
/* Puts a message of the runtime's own behind those that wait. */
void mrpc_call_add_outgoing(mrpc_call *call, mrpc_outgoing *outgoing);
void mrpc_call_drop_outgoing(mrpc_call *call);
void mrpc_call_drop_last(mrpc_call *call);
bool mrpc_call_has_room(const mrpc_call *call);
/* For a call whose sender waits for room: sees to it that it hears of it. Credit comes by itself. */
void mrpc_call_await_room(mrpc_call *call);

/* --- deliver.c --- */
void mrpc_call_deliver(mrpc_engine *engine, mrpc_task *task);

/* The codec of what this side sends or receives, counted. */
static inline const mrpc_codec *mrpc_call_codec(mrpc_call *call, bool sending)
{
    bool request = sending != call->server;
    return mrpc_modules_codec(call->modules, request ? call->method->request_codec : call->method->reply_codec);
}

#endif /* MRPC_RUNTIME_CALL_H */
