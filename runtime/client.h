/* SPDX-License-Identifier: BSD-2-Clause */
/* client.h - what a thread that waits for the end of a unary call leaves on its stack */
#ifndef MRPC_RUNTIME_CLIENT_H
#define MRPC_RUNTIME_CLIENT_H

#include "runtime/call.h"

typedef struct mrpc_unary_wait {
    mrpc_waiter waiter; /* first */
    mrpc_channel *channel;
    const mrpc_method *method;
    const void *request;
    const mrpc_call_options *options;
    mrpc_status *status;
    const void *reply;
} mrpc_unary_wait;

#endif /* MRPC_RUNTIME_CLIENT_H */
