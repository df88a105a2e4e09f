/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rdma.h - what the files of the RDMA transport share; docs/RDMA.md is the place to start reading
 *
 *   rdma        the interface of transport.h, and what is exported   host         libmrpc's own functions
 *   events      the connection manager's events, and what a loop has device       a device as a loop uses it
 *   connect     from an address to a connection                      hub          completions and receive buffers
 *   listen      listening and accepting                              memory       registered memory
 *   connection  life and end of a connection                         send         work requests and credits out
 *   verbs       errors in words                                      receive      completions and credits in
 *   offer       large payloads that the peer reads                   read         those of the peer
 *   choice      the device that the options want
 *
 *     loop ─ mrpc_rdma ─┬─ device ─┬─ hub ─┬─ connection ─ queue pair
 *                       │          │       └─ …
 *                       │          └─ hub: one more when the first is full, or for other sizes of buffers
 *                       └─ device
 */
#ifndef MRPC_TRANSPORTS_RDMA_RDMA_H
#define MRPC_TRANSPORTS_RDMA_RDMA_H

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include "transports/address/address.h"
#include "transports/rdma/protocol.h"
#include "transports/stream/rx.h"
#include "transports/stream/tx.h"
#include "transports/transport.h"

typedef struct mrpc_rdma mrpc_rdma;
typedef struct mrpc_rdma_device mrpc_rdma_device;
typedef struct mrpc_rdma_hub mrpc_rdma_hub;
typedef struct mrpc_rdma_connection mrpc_rdma_connection;
typedef struct mrpc_rdma_listener mrpc_rdma_listener;
typedef struct mrpc_rdma_read mrpc_rdma_read;
typedef struct mrpc_rdma_loan mrpc_rdma_loan;
typedef struct mrpc_rdma_request mrpc_rdma_request;

enum {
    RDMA_SEGMENTS_MAX = 16, /* of one work request */
    RDMA_CHAIN = 16         /* work requests that are posted at once */
};

/* --- verbs.c --- */

/* A verb has failed with an errno: "rdma://1.2.3.4:5: ibv_create_qp: …", and what to do where that is known. ESYS,
 * ENOMEM, EPERM. */
int mrpc_rdma_error(mrpc_error *error, const char *where, const char *verb, int system_errno);

/* --- memory.c: a heap's segments, registered with a device when they are first used --- */

typedef struct mrpc_rdma_registry mrpc_rdma_registry;
struct mrpc_rdma_registry {
    mrpc_rdma_registry *next; /* of the device */
    uint32_t users;           /* connections */
    struct ibv_pd *pd;
    mrpc_heap *heap;
    unsigned access;         /* IBV_ACCESS_…, none of which is remote */
    struct ibv_mr **regions; /* by segment; NULL: not registered yet */
    uint32_t capacity;
    mrpc_counters *counters;
};

/* The key of memory in the registry's heap; *bytes is lowered to those that have it, which lie in one segment. ENOMEM,
 * ESYS. */
MRPC_MUST_CHECK int mrpc_rdma_registry_key(mrpc_rdma_registry *registry, const void *memory, size_t *bytes,
                                           uint32_t *key, mrpc_error *error);
/* The same, as the region that holds the memory. NULL, with *error. */
struct ibv_mr *mrpc_rdma_registry_region(mrpc_rdma_registry *registry, const void *memory, size_t *bytes,
                                         mrpc_error *error);
/* Memory of the heap that has one key, for `bytes` up to 64 KiB. NULL, with *error. */
void *mrpc_rdma_registry_alloc(mrpc_rdma_registry *registry, size_t bytes, uint32_t *key, mrpc_error *error);
void mrpc_rdma_registry_clear(mrpc_rdma_registry *registry);
/* The one that the connections of the device share for a heap of others. NULL: no memory. */
mrpc_rdma_registry *mrpc_rdma_registry_enter(mrpc_rdma_device *device, mrpc_heap *heap);
/* The last user unregisters all. NULL is allowed. */
void mrpc_rdma_registry_leave(mrpc_rdma_device *device, mrpc_rdma_registry *registry);

/* --- device.c --- */

struct mrpc_rdma_device {
    mrpc_rdma_device *next;
    mrpc_rdma *rdma;
    struct ibv_context *verbs;
    struct rdma_cm_id *anchor; /* bound to it, to be told when it is removed */
    bool removed;
    struct ibv_device_attr attributes;
    struct ibv_pd *pd;
    mrpc_heap *heap;             /* of all that the transport sends from and receives into */
    mrpc_rdma_registry registry; /* of that heap */
    mrpc_rdma_registry *others;  /* of heaps that messages are in */
    mrpc_heap *replies;          /* that messages to clients are made in; NULL: nobody has needed it */
    bool has_windows;            /* memory windows that are bound to a queue pair */
    mrpc_buffers buffers;        /* in it */
    mrpc_rdma_hub *hubs;
};

/* The device that the connection manager has bound the id to; made at first use. ENOMEM, ESYS. */
MRPC_MUST_CHECK int mrpc_rdma_device_get(mrpc_rdma_device **device, mrpc_rdma *rdma, struct rdma_cm_id *id,
                                         mrpc_error *error);
/* Makes device->replies, where it is not there yet. ENOMEM, ESYS. */
MRPC_MUST_CHECK int mrpc_rdma_device_make_replies(mrpc_rdma_device *device, mrpc_error *error);
/* The device that event->id, the anchor, belongs to has gone; its connections are told by events of their own. */
void mrpc_rdma_device_removed(const struct rdma_cm_event *event);
/* A device is being removed: has librdmacm close it as soon as it is gone and no id is left on it. */
void mrpc_rdma_let_librdmacm_notice(mrpc_rdma *rdma);
void mrpc_rdma_device_free(mrpc_rdma_device *device);
/* Its last hub has gone: it is freed, until a connection needs it again. */
void mrpc_rdma_device_leave(mrpc_rdma_device *device);

/* --- hub.c: a completion queue and a shared receive queue, and the connections that use them --- */

/* A receive buffer. */
typedef struct mrpc_rdma_slot {
    char *data;
    uint32_t key;
    uint32_t next; /* of the free ones, as index + 1 */
} mrpc_rdma_slot;

struct mrpc_rdma_hub {
    mrpc_rdma_hub *next;
    mrpc_rdma_device *device;
    struct ibv_comp_channel *channel;
    mrpc_watch watch;
    mrpc_timer timer;  /* to be freed, when nobody uses it */
    mrpc_timer arming; /* to be armed as soon as the loop runs */
    struct ibv_cq *cq;
    uint32_t capacity;   /* of the completion queue */
    uint32_t used;       /* completions that the connections can have at once */
    uint32_t retired;    /* of those that have ended, until the queue was seen empty */
    struct ibv_srq *srq; /* NULL: each queue pair has receive buffers of its own */
    uint32_t srq_size;
    uint32_t buffer; /* bytes of a receive buffer */
    mrpc_rdma_slot *slots;
    uint32_t slot_count;
    uint32_t free_slot; /* index + 1 */
    uint32_t wanted;    /* receive buffers that should be posted: those that the peers may fill */
    uint32_t posted;
    mrpc_rdma_connection **table; /* by queue pair number */
    uint32_t table_size;          /* a power of two */
    uint32_t count;
    uint32_t next_number;
    mrpc_rdma_connection *touched; /* to be looked at when the completions that are there have been handled */
    bool polling;
    bool armed;  /* the next completion makes an event */
    bool polled; /* by an engine that will arm it before it sleeps */
    bool failed; /* one of its verbs has: it takes no more connections */
};

/* Finds room for a connection whose numbers of work requests are set, making a hub where needed. ENOMEM, ESYS. */
MRPC_MUST_CHECK int mrpc_rdma_hub_reserve(mrpc_rdma_connection *connection, mrpc_rdma_device *device,
                                          mrpc_error *error);
/* The queue pair is there: completions find the connection, and it has receive buffers. ENOMEM, ESYS. */
MRPC_MUST_CHECK int mrpc_rdma_hub_enter(mrpc_rdma_connection *connection, mrpc_error *error);
/* NULL: it has none of that number (any more). */
mrpc_rdma_connection *mrpc_rdma_hub_find(const mrpc_rdma_hub *hub, uint32_t queue_pair);
/* Gives the room back; the queue pair is gone. */
void mrpc_rdma_hub_leave(mrpc_rdma_connection *connection);
/* Handles all completions that are there. True when a frame came. Connections may be freed in it. */
bool mrpc_rdma_hub_poll(mrpc_rdma_hub *hub);
/* Makes sure that the loop is told of the next completion. False: some have come, which were handled. */
bool mrpc_rdma_hub_arm(mrpc_rdma_hub *hub);
/* When the completions that are there have been handled, mrpc_rdma_settle() runs for the connection. */
void mrpc_rdma_hub_touch(mrpc_rdma_connection *connection);
void mrpc_rdma_hub_free(mrpc_rdma_hub *hub);

/* --- events.c --- */

/* What the transport has for a loop. */
struct mrpc_rdma {
    mrpc_attachment attachment;
    mrpc_loop *loop;
    mrpc_counters *counters;
    struct rdma_event_channel *channel;
    mrpc_watch watch;
    mrpc_timer timer;   /* to look for events once more */
    mrpc_timer looking; /* to have librdmacm see that a device is gone, `looks` times more */
    int looks;
    mrpc_rdma_device *devices;
    mrpc_rdma_connection *connections; /* all of them, also those that only say goodbye */
};

/* ENOMEM, ESYS, ENOTSUP (there is no RDMA on this machine: says what is missing). */
MRPC_MUST_CHECK int mrpc_rdma_get(mrpc_rdma **rdma, const mrpc_transport_setup *setup, mrpc_error *error);

/* --- offer.c: messages whose payloads the peer reads from where they lie --- */

typedef struct mrpc_rdma_offers {
    mrpc_rdma_registry *registry;       /* of the heap that messages are made in; NULL: nothing can be offered */
    uint64_t threshold;                 /* bytes of payload from which a message is offered */
    uint32_t most;                      /* that the peer lets be out at once */
    mrpc_rdma_loan *loans[RDMA_OFFERS]; /* by number; made when first needed */
    mrpc_rdma_loan *first, **last;      /* whose windows are to be bound, or closed */
} mrpc_rdma_offers;

/* Takes the place of a commit. False: the message is to be sent; nothing was changed. */
bool mrpc_rdma_offer(mrpc_rdma_connection *connection, mrpc_space *space, const mrpc_extent *extents,
                     mrpc_send_token *token);
/* The next work request for windows: those of an offer are bound before it is sent. False: there is none. */
bool mrpc_rdma_offer_next(mrpc_rdma_connection *connection, struct ibv_send_wr *post, mrpc_rdma_request *request);
/* The owner of the token does not wait any more; false: it belongs to no offer. The memory stays with the heap until
 * the peer has given it back. */
bool mrpc_rdma_offer_abandon(mrpc_rdma_connection *connection, const mrpc_send_token *token);
/* The same for all of a call. */
void mrpc_rdma_offer_end_call(mrpc_rdma_connection *connection, uint32_t call);
/* The same for all. */
void mrpc_rdma_offer_detach(mrpc_rdma_connection *connection);
/* A RETURN frame. A wrong one ends the connection. */
void mrpc_rdma_offer_returned(mrpc_rdma_connection *connection, const mrpc_incoming *incoming);
/* Its windows are closed: nobody reads it any more. */
void mrpc_rdma_offer_closed(mrpc_rdma_connection *connection, mrpc_rdma_loan *loan);
/* Has all windows closed that are open. False: it takes the end of the queue pair to do that. */
bool mrpc_rdma_offer_withdraw(mrpc_rdma_connection *connection);
/* Closes and frees all windows, before the queue pair goes: Soft-RoCE waits for a minute for those that are bound to
 * it.
 */
void mrpc_rdma_offer_close_windows(mrpc_rdma_connection *connection);
/* The queue pair is gone, and with it every right. */
void mrpc_rdma_offer_clear(mrpc_rdma_connection *connection);

/* --- read.c: reading what the peer offers --- */

typedef struct mrpc_rdma_reads {
    mrpc_rdma_registry *registry; /* of the heap that is read into */
    mrpc_rdma_read *first, **last;
    mrpc_rdma_read *posting; /* the first that is not posted in full; NULL: none */
    uint32_t count;
    uint32_t return_count;
    uint64_t returns[RDMA_OFFERS]; /* numbers to be given back */
} mrpc_rdma_reads;

/* An OFFER frame. A wrong one ends the connection. */
void mrpc_rdma_read_offered(mrpc_rdma_connection *connection, const mrpc_incoming *incoming);
/* True: the frame must not overtake a message of the call that is being read, and was kept; without memory for it, the
 * connection ends. */
bool mrpc_rdma_read_defer(mrpc_rdma_connection *connection, const mrpc_incoming *incoming);
/* The next READ. False: there is none. */
bool mrpc_rdma_read_next(mrpc_rdma_connection *connection, struct ibv_send_wr *post, struct ibv_sge *place,
                         mrpc_rdma_request *request);
/* One is completed. */
void mrpc_rdma_read_done(mrpc_rdma_read *read);
/* Delivers what is complete, in order. True when there was something. */
bool mrpc_rdma_read_deliver(mrpc_rdma_connection *connection);
/* Commits a RETURN frame of what is to be given back. */
void mrpc_rdma_read_give_back(mrpc_rdma_connection *connection);
/* What is being read in the call is not wanted any more. */
void mrpc_rdma_read_end_call(mrpc_rdma_connection *connection, uint32_t call);
bool mrpc_rdma_read_opening(const mrpc_rdma_connection *connection, uint32_t last);
/* The queue pair is gone: nothing is written any more. */
void mrpc_rdma_read_clear(mrpc_rdma_connection *connection);

/* --- connection.c --- */

typedef enum mrpc_rdma_state {
    RDMA_CONNECTING, /* looking up, resolving, asking: `attempt` */
    RDMA_ACCEPTING,  /* the answer is on its way */
    RDMA_OPEN,
    RDMA_LEAVING, /* closed by its owner; the goodbye is on its way */
    RDMA_ENDED
} mrpc_rdma_state;

/* A work request that was posted. */
struct mrpc_rdma_request {
    mrpc_buffer *kept[RDMA_SEGMENTS_MAX];
    uint32_t count;
    bool goodbye;
    mrpc_rdma_read *read; /* of whose work requests it is one */
    mrpc_rdma_loan *loan; /* whose last window it closes */
};

typedef struct mrpc_rdma_attempt mrpc_rdma_attempt;

struct mrpc_rdma_connection {
    mrpc_connection base;
    mrpc_rdma *rdma;
    mrpc_rdma_hub *hub; /* NULL: none yet */
    struct rdma_cm_id *id;
    mrpc_rdma_state state;
    uint32_t depth; /* of functions that work on it: it is freed when the outermost returns */
    bool failed;    /* `reason` is to be reported */
    bool reported;
    bool closing;
    bool entered; /* in the hub's table */
    bool is_touched;
    bool flushed; /* something was flushed that waits for credits */
    mrpc_error reason;

    uint32_t number; /* in the hub, never used again */
    uint32_t *own;   /* without a shared receive queue: indices of the slots that its queue pair has */
    uint32_t queue_pair;
    uint32_t window;   /* receive buffers for the peer */
    uint32_t segments; /* of a work request */
    uint32_t inline_max;
    uint32_t credits;     /* messages that we may send */
    uint32_t peer_window; /* most that `credits` can be */
    uint32_t peer_buffer;
    uint32_t allowed;     /* messages that the peer may still send */
    uint32_t owed;        /* credits that the peer is to be given */
    uint32_t sent, done;  /* work requests: posted and completed, counted up */
    uint32_t unsignalled; /* since the last one with a completion of its own */
    uint32_t queue;       /* work requests that fit, a power of two */
    mrpc_rdma_request *requests;
    mrpc_rdma_header *headers; /* as many, in registered memory */
    uint32_t header_key;

    mrpc_rdma_offers offers;
    mrpc_rdma_reads reads;
    mrpc_stream_tx tx;
    mrpc_stream_rx rx;
    uint32_t chunk; /* of this side */
    mrpc_heap *send_heap;
    mrpc_connection_options options; /* without strings */
    mrpc_timer timer;
    mrpc_rdma_attempt *attempt;
    mrpc_rdma_listener *listener;        /* of one that was not handed over yet */
    mrpc_rdma_connection *next, **place; /* in rdma->connections */
    mrpc_rdma_connection *table_next;
    mrpc_rdma_connection *touched_next;
};

MRPC_MUST_CHECK int mrpc_rdma_connection_new(mrpc_rdma_connection **connection, mrpc_rdma *rdma,
                                             const mrpc_transport_setup *setup, mrpc_error *error);
/* Room in a hub of the device that the id was bound to, and a queue pair with receive buffers behind it. ENOMEM, ESYS.
 */
MRPC_MUST_CHECK int mrpc_rdma_connection_equip(mrpc_rdma_connection *connection, mrpc_error *error);
/* Destroys the queue pair and the id: nothing is read or written any more. */
void mrpc_rdma_connection_strip(mrpc_rdma_connection *connection);
/* Ends and frees it, now or when the outermost leave() is reached; what was flushed still goes out if it can. */
void mrpc_rdma_connection_close(mrpc_rdma_connection *connection);
/* Frees it at once, whatever is under way. */
void mrpc_rdma_connection_free(mrpc_rdma_connection *connection);
void mrpc_rdma_connection_enter(mrpc_rdma_connection *connection);
void mrpc_rdma_connection_leave(mrpc_rdma_connection *connection);
/* `closed` comes when the outermost leave() is reached. The first reason counts. */
void mrpc_rdma_connection_fail(mrpc_rdma_connection *connection, const mrpc_error *reason);
void mrpc_rdma_connection_fail_text(mrpc_rdma_connection *connection, int code, const char *text);
/* The greeting that this side sends, and what the peer's says: EPROTO. */
mrpc_rdma_greeting mrpc_rdma_connection_greeting(const mrpc_rdma_connection *connection);
MRPC_MUST_CHECK int mrpc_rdma_connection_greeted(mrpc_rdma_connection *connection, const void *data, size_t bytes,
                                                 mrpc_error *error);
/* Hands a frame to the owner, whose turn it is within its call. */
MRPC_MUST_CHECK int mrpc_rdma_connection_hand_over(mrpc_rdma_connection *connection, const mrpc_incoming *incoming);
/* The parameters for the connection manager. */
struct rdma_conn_param mrpc_rdma_connection_parameters(const mrpc_rdma_connection *connection,
                                                       const mrpc_rdma_greeting *greeting);
static inline bool mrpc_rdma_is_open(const mrpc_rdma_connection *connection)
{
    return connection->state == RDMA_OPEN && !connection->failed && !connection->closing;
}

/* --- send.c --- */

/* Sends what was flushed, as far as credits and the send queue go; credits alone if enough are owed. */
void mrpc_rdma_send(mrpc_rdma_connection *connection);
/* Says goodbye. False: that could not be posted. */
bool mrpc_rdma_say_goodbye(mrpc_rdma_connection *connection);
/* The work requests up to number `last` are completed, or none of those after some of them will have an effect. True:
 * the goodbye was one of them. */
bool mrpc_rdma_sends_done(mrpc_rdma_connection *connection, uint32_t last, bool succeeded);

/* --- receive.c --- */

/* Handles one completion of the hub. True when it brought a frame. */
bool mrpc_rdma_complete(mrpc_rdma_hub *hub, const struct ibv_wc *completion);
/* All completions that were there are handled: delivers what was read, and sends what they made possible or necessary.
 * True when a frame was delivered. */
bool mrpc_rdma_settle(mrpc_rdma_connection *connection);

/* --- connect.c --- */

int mrpc_rdma_check(const char *address, mrpc_error *error);
MRPC_MUST_CHECK int mrpc_rdma_attempt_start(mrpc_rdma_connection *connection, const char *address,
                                            const mrpc_transport_setup *setup, mrpc_error *error);
void mrpc_rdma_attempt_event(mrpc_rdma_connection *connection, const struct rdma_cm_event *event);
void mrpc_rdma_attempt_expired(mrpc_rdma_connection *connection);
void mrpc_rdma_attempt_free(mrpc_rdma_connection *connection);

/* --- choice.c --- */

enum { RDMA_ANY = -1 };

/* What the option rdma_device says. */
typedef struct mrpc_rdma_choice {
    char device[64]; /* "": any */
    int port, gid;   /* RDMA_ANY, or a number */
} mrpc_rdma_choice;

/* NULL: anything will do. EINVAL. */
MRPC_MUST_CHECK int mrpc_rdma_choice_parse(mrpc_rdma_choice *choice, const char *text, mrpc_error *error);
/* An address of the family that the chosen device has. ENOENT, ENOMEM, ESYS. */
MRPC_MUST_CHECK int mrpc_rdma_choice_source(const mrpc_rdma_choice *choice, sa_family_t family, mrpc_address *source,
                                            mrpc_error *error);
/* Whether an id that is bound to a device is bound to the chosen one. EINVAL, ENOENT, ENOMEM, ESYS. */
MRPC_MUST_CHECK int mrpc_rdma_choice_check(const mrpc_rdma_choice *choice, struct rdma_cm_id *id, mrpc_error *error);
/* Traffic class and timeout, before the id resolves a route or accepts. ESYS. */
MRPC_MUST_CHECK int mrpc_rdma_set_options(struct rdma_cm_id *id, const mrpc_connection_options *options,
                                          const char *where, mrpc_error *error);

/* --- listen.c --- */

int mrpc_rdma_listen(mrpc_listener **listener, const char *address, const mrpc_transport_setup *setup,
                     mrpc_error *error);
void mrpc_rdma_unlisten(mrpc_listener *listener);
/* Somebody wants to connect to the listener that is the context of event->listen_id. */
void mrpc_rdma_listener_requested(const struct rdma_cm_event *event);
/* The device that event->id, a listener's, belongs to has gone: listens again when it is back. */
void mrpc_rdma_listener_lost(const struct rdma_cm_event *event);
/* The connection is there: hands it over. */
void mrpc_rdma_listener_accepted(mrpc_rdma_connection *connection);

extern const mrpc_transport mrpc_transport_rdma;

#endif /* MRPC_TRANSPORTS_RDMA_RDMA_H */
