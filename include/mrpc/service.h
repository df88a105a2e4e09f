/* SPDX-License-Identifier: BSD-2-Clause */
/* service.h - the tables that generated code has for services and their methods. Read-only, static. */
#ifndef MRPC_SERVICE_H
#define MRPC_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <mrpc/message.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mrpc_service mrpc_service;
typedef struct mrpc_call mrpc_call;

/* A function of any type, which is given its own type back before it is called. */
typedef void (*mrpc_function)(void);

typedef struct mrpc_method {
    uint32_t table_size;
    uint32_t index;        /* in the service's methods */
    const char *name;      /* "SayHello" */
    const char *full_name; /* "package.Service/Method", as on the wire */
    const mrpc_service *service;
    const mrpc_type *request;
    const mrpc_type *reply;
    uint32_t request_codec; /* indexes of their codecs in the marshal module of the service's file */
    uint32_t reply_codec;
    bool client_streaming;
    bool server_streaming;
    /* Calls a handler of this method as what it is: in SERVICE_handlers it has the types of the method. NULL: handlers
     * are plain mrpc_handler functions. */
    void (*handle)(mrpc_function handler, mrpc_call *call, const void *request, void *state);
} mrpc_method;

struct mrpc_service {
    uint32_t table_size;
    uint32_t method_count;
    const char *name;      /* full name */
    const mrpc_file *file; /* whose marshal module encodes the messages of its methods */
    const mrpc_method *methods;
};

#ifdef __cplusplus
}
#endif

#endif /* MRPC_SERVICE_H */
