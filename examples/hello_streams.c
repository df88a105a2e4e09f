/* SPDX-License-Identifier: BSD-2-Clause */
/* hello_streams.c - handlers whose requests come one by one, to callbacks */
#include "hello_streams.h"

#include <stdlib.h>

/* --- SayHelloToAll: the reply grows with each name, and is sent after the last --- */

enum { GREETING_LIMIT = 65536 };

static void add_name(void *state, hello_Greeter_SayHelloToAll_call *call, const hello_HelloRequest *request)
{
    hello_HelloReply *reply = state;
    if (reply->text.size > GREETING_LIMIT)
        hello_Greeter_SayHelloToAll_fail(call, MRPC_RESOURCE_EXHAUSTED, "a greeting has at most %d bytes",
                                         GREETING_LIMIT);
    else if (mrpc_string_printf(reply, &reply->text, "%s%s%s", reply->text.data,
                                reply->text.size == 0 ? "Hello, " : " and ", request->name.data) != 0)
        hello_Greeter_SayHelloToAll_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory for the reply");
    mrpc_release(request);
}

static void greet_all(void *state, hello_Greeter_SayHelloToAll_call *call)
{
    hello_HelloReply *reply = hello_HelloReply_copy(state, hello_Greeter_SayHelloToAll_heap(call));
    if (reply == NULL)
        hello_Greeter_SayHelloToAll_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory for the reply");
    else
        hello_Greeter_SayHelloToAll_reply(call, reply);
}

static void all_ended(void *state, hello_Greeter_SayHelloToAll_call *call, const mrpc_status *status)
{
    (void)call, (void)status;
    mrpc_release(state);
}

void hello_to_all(hello_Greeter_SayHelloToAll_call *call, const hello_HelloRequest *request, void *state)
{
    static const hello_Greeter_SayHelloToAll_call_callbacks callbacks = {
        .on_message = add_name, .on_half_close = greet_all, .on_end = all_ended};
    (void)request, (void)state;
    hello_HelloReply *greeting = hello_HelloReply_new(NULL);
    if (greeting != NULL && hello_Greeter_SayHelloToAll_set_callbacks(call, &callbacks, greeting) == 0)
        return;
    mrpc_release(greeting);
    hello_Greeter_SayHelloToAll_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory");
}

/* --- Chat: each name is answered at once; a caller that does not read is not read from either --- */

typedef struct chat {
    hello_HelloReply *waiting; /* a reply that there was no room for; no further request comes before it was sent */
    bool complete;             /* the caller sends no more */
} chat;

/* Sends what waits; and the end, when it is time for it. */
static void go_on(void *state, hello_Greeter_Chat_call *call)
{
    chat *talk = state;
    if (talk->waiting != NULL) {
        if (hello_Greeter_Chat_send(call, talk->waiting) == MRPC_EAGAIN)
            return; /* this runs again when there is room */
        talk->waiting = NULL;
        mrpc_call_resume(hello_Greeter_Chat_untyped(call));
    }
    if (talk->complete)
        hello_Greeter_Chat_reply(call, NULL);
}

static void answer(void *state, hello_Greeter_Chat_call *call, const hello_HelloRequest *request)
{
    chat *talk = state;
    hello_HelloReply *reply = hello_HelloReply_new(hello_Greeter_Chat_heap(call));
    if (reply == NULL || mrpc_string_printf(reply, &reply->text, "Hello, %s", request->name.data) != 0) {
        mrpc_release(reply);
        hello_Greeter_Chat_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory for the reply");
    } else if (hello_Greeter_Chat_send(call, reply) == MRPC_EAGAIN) {
        talk->waiting = reply;
        mrpc_call_pause(hello_Greeter_Chat_untyped(call));
    }
    mrpc_release(request);
}

static void complete(void *state, hello_Greeter_Chat_call *call)
{
    chat *talk = state;
    talk->complete = true;
    go_on(talk, call);
}

static void chat_ended(void *state, hello_Greeter_Chat_call *call, const mrpc_status *status)
{
    (void)call, (void)status;
    chat *talk = state;
    mrpc_release(talk->waiting);
    free(talk);
}

void hello_chat(hello_Greeter_Chat_call *call, const hello_HelloRequest *request, void *state)
{
    static const hello_Greeter_Chat_call_callbacks callbacks = {
        .on_message = answer, .on_half_close = complete, .on_writable = go_on, .on_end = chat_ended};
    (void)request, (void)state;
    chat *talk = calloc(1, sizeof *talk);
    if (talk != NULL && hello_Greeter_Chat_set_callbacks(call, &callbacks, talk) == 0)
        return;
    free(talk);
    hello_Greeter_Chat_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory");
}
