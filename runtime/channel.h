/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel.h - the inside of a channel: its connection, calls that wait for one, and the methods that were called on it
 *
 * On the driver, but for what says otherwise.
 */
#ifndef MRPC_RUNTIME_CHANNEL_H
#define MRPC_RUNTIME_CHANNEL_H

#include <mrpc/channel.h>

#include "runtime/call.h"
#include "runtime/session.h"

typedef enum channel_state {
    CHANNEL_IDLE,       /* no connection; the next call makes one */
    CHANNEL_CONNECTING, /* until HELLO has come */
    CHANNEL_READY,
    CHANNEL_BACKOFF, /* the last attempt failed; the next one waits for the timer */
    CHANNEL_CLOSED
} channel_state;

/* What is known of a method: the module that encodes its messages, and its number on the present connection. */
struct mrpc_channel_method {
    const mrpc_method *method;
    mrpc_module_entry *modules;
    uint32_t number; /* on the current connection; 0: not bound yet */
    bool protobuf;
};

struct mrpc_channel {
    mrpc_runtime *runtime;
    const mrpc_transport *transport;
    char *address;
    const char *rest; /* in address: what the transport is given */
    mrpc_heap *heap;
    uint64_t timeout_ns;
    uint64_t connect_timeout_ns, backoff_min_ns, backoff_max_ns;
    uint32_t max_pending;
    mrpc_connection_options connection;
    channel_state state;
    mrpc_session *current;             /* connecting or ready */
    mrpc_session *draining;            /* those that begin no more calls but have some */
    mrpc_call *pending, **pending_end; /* in the order in which they were begun */
    mrpc_call *streams;                /* calls with callbacks, which may have ended and not been told yet */
    uint64_t backoff_ns;
    mrpc_timer backoff_timer;
    mrpc_error last_error;         /* of the last attempt */
    mrpc_waiter *waiters;          /* mrpc_channel_connect() */
    mrpc_channel_method **methods; /* a hash table by address, at most half full */
    uint32_t method_mask, method_count;
    _Atomic uint32_t calls;                 /* that point here; written by the driver */
    const mrpc_method *_Atomic resolved[8]; /* methods whose module is known to be there; any thread */
    mrpc_task close_task;
    mrpc_waiter *closer;
    bool released; /* the application has closed it: freed with the last call */
};

/* The channel's knowledge of a method, NULL with *error: no module, or no memory. */
mrpc_channel_method *mrpc_channel_method_of(mrpc_channel *channel, const mrpc_method *method, mrpc_error *error);

/* Begins a call that was prepared: sends it, or lets it wait for a connection, or ends it. */
void mrpc_channel_start(mrpc_channel *channel, mrpc_call *call);
void mrpc_channel_remove_pending(mrpc_call *call);
/* Takes a unary call that the server has not begun off its connection, and lets it wait for another one. */
void mrpc_channel_requeue(mrpc_call *call);
/* A call that pointed here is about to be freed. */
void mrpc_channel_call_gone(mrpc_channel *channel);

/* --- channel_connect.c: the connection --- */

/* Makes sure that a connection is being made, unless the channel waits before the next attempt. */
void mrpc_channel_need_connection(mrpc_channel *channel);
/* Sends the pending calls that the connection has room for. */
void mrpc_channel_send_pending(mrpc_channel *channel);
/* Closes all connections; calls on them end with `why`. */
void mrpc_channel_disconnect(mrpc_channel *channel, const char *why);

#endif /* MRPC_RUNTIME_CHANNEL_H */
