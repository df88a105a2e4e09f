/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call.h - calls, untyped: what generated stubs and skeletons wrap
 *
 * A call is a stream of messages each way that ends exactly once with a status. Messages are passed as pointers to
 * generated structs of the method's types.
 *
 * Ownership: sending on the client borrows the message until the call ends (unary) or until the send returns or its
 * callback runs (streams); the application must not change it meanwhile. Replying and sending on the server takes the
 * message: the runtime releases it. A received message is const and belongs to the receiver, who releases it with
 * mrpc_release(); request messages passed to a handler are released by the runtime when the call ends, unless
 * mrpc_call_keep() was called.
 */
#ifndef MRPC_CALL_H
#define MRPC_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mrpc/channel.h>
#include <mrpc/error.h>
#include <mrpc/heap.h>
#include <mrpc/queue.h>
#include <mrpc/service.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ASCII or binary (key ends in "-bin") metadata. Keys have the characters a-z, 0-9, '-', '_' and '.'; other values than
 * binary ones are printable ASCII. What comes is checked as what is sent: a call that brings anything else ends with
 * INTERNAL. All of a call's metadata: at most 8 KiB. */
typedef struct mrpc_metadata {
    const char *key;
    const void *value;
    size_t size;
} mrpc_metadata;

/* All metadata of one direction of a call, in the order in which it came; a key may be there several times. Keys end
 * with a NUL, and so do values, not counted in their size. The owner frees it, with all that it points to, with
 * mrpc_metadata_list_free(). */
typedef struct mrpc_metadata_list {
    const mrpc_metadata *items;
    size_t count;
} mrpc_metadata_list;

/* NULL is allowed. */
MRPC_API void mrpc_metadata_list_free(mrpc_metadata_list *list);

/* What is not named in MRPC_CALL_OPTIONS is zero; C++ compilers warn unless the members say so themselves. */
#ifdef __cplusplus
#define MRPC_ZERO = {}
#else
#define MRPC_ZERO
#endif

/* Options of one call. Zero means the default. */
typedef struct mrpc_call_options {
    size_t size MRPC_ZERO;                   /* sizeof(mrpc_call_options) */
    uint64_t timeout_ms MRPC_ZERO;           /* 0: none, or the channel's default */
    uint64_t timeout_ns MRPC_ZERO;           /* added to timeout_ms */
    bool wait_for_ready MRPC_ZERO;           /* wait, within the timeout, for a connection, instead of failing with
                                                UNAVAILABLE while there is none */
    const mrpc_metadata *metadata MRPC_ZERO; /* sent with the call; borrowed until the call is begun */
    size_t metadata_count MRPC_ZERO;
    /* Unary calls: *received is NULL from the beginning, and when the call has ended the headers and trailers that came
     * from the server, for the caller to free; NULL when none came (or no memory was left for them). Set before the
     * callback runs, or the event is in the queue. Streams have mrpc_call_copy_metadata() instead, and refuse it. */
    mrpc_metadata_list **received MRPC_ZERO;
} mrpc_call_options;

/* Options for one call, in place: MRPC_CALL_OPTIONS(.timeout_ms = 500). They last as long as the call of the function
 * that gets them. In C++ members are named in the order above. */
#ifdef __cplusplus
#define MRPC_CALL_OPTIONS(...)                                                                                         \
    (&static_cast<const mrpc_call_options &>(                                                                          \
        __extension__ mrpc_call_options{.size = sizeof(mrpc_call_options), __VA_ARGS__}))
#else
#define MRPC_CALL_OPTIONS(...) (&(const mrpc_call_options){.size = sizeof(mrpc_call_options), __VA_ARGS__})
#endif

/* --- client, unary --- */

/* Sends the request, waits for the end. On MRPC_OK *reply is a message that the caller releases, otherwise NULL.
 * Blocks; drives the runtime. `reply` may be NULL when it is not wanted. `options` may be NULL. */
MRPC_API mrpc_status mrpc_call_unary(mrpc_channel *channel, const mrpc_method *method, const void *request,
                                     const void **reply, const mrpc_call_options *options);

/* Runs exactly once, on the thread that drives the runtime. `reply` is NULL unless status->code is MRPC_OK; the
 * callback releases it. */
typedef void (*mrpc_unary_callback)(void *state, const mrpc_status *status, const void *reply);
/* Calls a callback that takes a reply of a certain type as what it is. */
typedef void (*mrpc_unary_caller)(mrpc_function callback, void *state, const mrpc_status *status, const void *reply);

/* Begins a unary call and returns; never blocks and never calls back before it has returned. 0: the callback will run.
 * Errors, after which it won't: ENOMEM, ELIMIT (calls in flight), EINVAL, ECLOSED, EFORKED. `*call` (may be NULL) is
 * valid for mrpc_call_cancel() until the callback has begun. `caller` is for generated code, whose callbacks have types
 * of their own: it calls `callback`; NULL: the runtime does. */
MRPC_API MRPC_MUST_CHECK int mrpc_call_unary_start(mrpc_channel *channel, const mrpc_method *method,
                                                   const void *request, const mrpc_call_options *options,
                                                   mrpc_unary_callback callback, mrpc_unary_caller caller, void *state,
                                                   mrpc_call **call);

/* Where the outcome of a submitted call goes; the caller's memory, valid until the event was taken from the queue. */
typedef struct mrpc_unary_result {
    mrpc_status status;
    const void *reply; /* as for the callback; the taker of the event releases it */
} mrpc_unary_result;

/* Begins a unary call whose end is one event in `queue` with `tag`. Room for it is reserved now, so none is lost.
 * Errors as mrpc_call_unary_start. */
MRPC_API MRPC_MUST_CHECK int mrpc_call_unary_submit(mrpc_channel *channel, const mrpc_method *method,
                                                    const void *request, const mrpc_call_options *options,
                                                    mrpc_queue *queue, void *tag, mrpc_unary_result *result);

/* --- client, streams --- */

/* Call callbacks that take messages and handles of certain types as what they are. */
typedef struct mrpc_callers {
    void (*message)(mrpc_function callback, void *state, mrpc_call *call, const void *message);
    void (*event)(mrpc_function callback, void *state, mrpc_call *call);
    void (*end)(mrpc_function callback, void *state, mrpc_call *call, const mrpc_status *status);
} mrpc_callers;

/* What happens to a call, on the thread that drives. Members may be NULL. */
typedef struct mrpc_call_callbacks {
    size_t size;
    /* A message came; the callee owns it. No more come after it returns until credit is there again: it may call
     * mrpc_call_pause(). */
    void (*on_message)(void *state, mrpc_call *call, const void *message);
    /* The peer sends no more messages. Server side: the end of requests. */
    void (*on_half_close)(void *state, mrpc_call *call);
    /* mrpc_call_send() answered MRPC_EAGAIN before and would succeed now. */
    void (*on_writable)(void *state, mrpc_call *call);
    /* The call has ended; runs exactly once and last. Client: `call` is valid until it returns. Server: the peer
     * cancelled, the deadline passed, or the connection broke, or the reply was handed over. */
    void (*on_end)(void *state, mrpc_call *call, const mrpc_status *status);
    /* For generated code, whose callbacks have types of their own: calls them; static. NULL: the runtime does. */
    const mrpc_callers *callers;
} mrpc_call_callbacks;

/* Begins a call of any kind. `request` is the one message of a method that is not client-streaming: it is borrowed
 * until the function returns and goes out with the opening, and the client has then half-closed (with callbacks the
 * call may end on another thread before the function returns, so that it could not be sent afterwards). NULL for
 * methods that take a stream. `callbacks` is copied. With callbacks NULL the call is driven with the blocking functions
 * below by one thread at a time, and must be ended by mrpc_call_finish(). With callbacks it ends with on_end. Does not
 * block. Errors as mrpc_call_unary_start. */
MRPC_API MRPC_MUST_CHECK int mrpc_call_open(mrpc_channel *channel, const mrpc_method *method, const void *request,
                                            const mrpc_call_options *options, const mrpc_call_callbacks *callbacks,
                                            void *state, mrpc_call **call);

/* Sends a message, either side. Client: borrowed until the function returns. Server: taken, also on failure.
 * A blocking call waits for the window; a call with callbacks, and any server side, answers EAGAIN when the window is
 * used up (the message was not taken then, on neither side), and on_writable follows. Errors: EAGAIN, ECLOSED (the call
 * has ended: mrpc_call_finish() or on_end says why), EINVAL (the message cannot be encoded, or the sender half-closed),
 * ELIMIT (larger than the peer accepts), ENOMEM, EDEADLK. */
MRPC_API MRPC_MUST_CHECK int mrpc_call_send(mrpc_call *call, const void *message);

/* The client sends no more messages; saying so again does nothing. 0, or ECLOSED (the call has ended), EINVAL (of a
 * server's side), EFORKED. */
MRPC_API int mrpc_call_close_send(mrpc_call *call);

/* Waits for the next message: 1 and *message (the caller releases it), or 0 when no more comes (mrpc_call_finish() says
 * why). Errors: EDEADLK, EINVAL (not a call that blocks, or it was finished), EFORKED. */
MRPC_API MRPC_MUST_CHECK int mrpc_call_receive(mrpc_call *call, const void **message);

/* Half-closes, drops messages that were not received, waits for the end, and frees the call. NULL is allowed (status
 * INVALID_ARGUMENT). */
MRPC_API mrpc_status mrpc_call_finish(mrpc_call *call);

/* Ends the call with CANCELLED, and tells the peer. From any thread, while the call is valid; does nothing when it has
 * ended. */
MRPC_API void mrpc_call_cancel(mrpc_call *call);

/* --- server --- */

/* A handler runs on the thread that drives. It answers now or later, from any thread, exactly once per call, with reply
 * or fail or (streams) end. Until then `call` is valid; afterwards only for handlers that set callbacks, until on_end
 * has returned. Unary and server-streaming methods: `request` is the message, valid until the call ends. Otherwise
 * NULL; set callbacks for messages. */
typedef void (*mrpc_handler)(mrpc_call *call, const void *request, void *state);

/* Ends the call with OK and, when it is not NULL, a last message, which is taken. 0, or: ECLOSED (it ended before:
 * cancelled, deadline, connection lost), EINVAL or ELIMIT (the message could not be encoded: the call has ended with
 * INTERNAL or RESOURCE_EXHAUSTED instead). */
MRPC_API int mrpc_call_reply(mrpc_call *call, void *message);

/* Ends the call with a status other than OK; the text, which may be NULL, is cut to what a status holds. 0, or ECLOSED
 * (it ended before), EINVAL (a client's side). From any thread. */
MRPC_API int mrpc_call_fail(mrpc_call *call, mrpc_code code, const char *format, ...) MRPC_PRINTF(3, 4);

/* Sets what happens on later events of a server-side call. `callbacks` is copied. Within the handler only, so that
 * nothing is missed, and before it answers. 0, or EINVAL (otherwise, or callbacks.size is wrong). */
MRPC_API int mrpc_call_set_callbacks(mrpc_call *call, const mrpc_call_callbacks *callbacks, void *state);

/* The request of the handler stays valid after the end of the call, until mrpc_release(). From any thread; waits for
 * the one that drives. Does nothing when the call has ended. */
MRPC_API void mrpc_call_keep(mrpc_call *call);

/* --- both sides --- */

/* Stops and restarts taking messages, so that the peer's window fills up. */
MRPC_API void mrpc_call_pause(mrpc_call *call);
MRPC_API void mrpc_call_resume(mrpc_call *call);

/* The heap from which messages of this call are best made: large fields in it travel without a copy where the transport
 * can. Valid as long as the call; owned by the runtime. */
MRPC_API mrpc_heap *mrpc_call_heap(mrpc_call *call);

/* ns until the deadline, 0 when it has passed, UINT64_MAX without one. */
MRPC_API uint64_t mrpc_call_time_left(const mrpc_call *call);

MRPC_API const mrpc_method *mrpc_call_method(const mrpc_call *call);

/* Whether the call has ended meanwhile, for handlers that work long. */
MRPC_API bool mrpc_call_is_cancelled(const mrpc_call *call);

/* The first value that the peer sent with a key, or NULL; valid until the call ends. Client: of the headers and
 * trailers. */
MRPC_API const void *mrpc_call_get_metadata(const mrpc_call *call, const char *key, size_t *size);
/* All that get_metadata() looks into, as it is now, for the caller to free; NULL when none came or memory is exhausted.
 */
MRPC_API MRPC_MUST_CHECK mrpc_metadata_list *mrpc_call_copy_metadata(const mrpc_call *call);
/* Server: adds a header (before the first message) or trailer for the client. EINVAL, ELIMIT, ECLOSED, ENOMEM. */
MRPC_API int mrpc_call_add_metadata(mrpc_call *call, const mrpc_metadata *metadata);

/* The peer's address or name, for logs: "tcp://127.0.0.1:40312", "shm://name (pid 12, uid 0)"; valid until the call
 * ends. */
MRPC_API const char *mrpc_call_peer(const mrpc_call *call);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_CALL_H */
