/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service.c - a service module: hello.Greeter, which greets with its stamp; macros make things wrong with it
 *
 * Compiled by the tests at run time, with the system's compiler.
 */
#include <mrpc/service_module.h>

#include <stdlib.h>
#include <sys/stat.h>

#include "hello.mrpc.h"

#ifndef STAMP
#define STAMP "one"
#endif
#ifndef NAME
#define NAME "hello"
#endif
#ifndef ABI
#define ABI MRPC_SERVICE_ABI
#endif
#ifndef FORMAT
#define FORMAT "calls 1"
#endif
#ifndef SERVICES
#define SERVICES 1
#endif

/* The state counts calls, over all builds that hand it on. */
static void say_hello(hello_Greeter_SayHello_call *call, const hello_HelloRequest *request, void *state)
{
    int *calls = state;
    hello_HelloReply *reply = hello_HelloReply_new(hello_Greeter_SayHello_heap(call));
    if (reply == NULL || mrpc_string_printf(reply, &reply->text, "%s %s %d", STAMP, request->name.data,
                                            calls != NULL ? ++*calls : 0) != 0)
        abort();
    hello_Greeter_SayHello_reply(call, reply);
}

/* Stays open until it is cancelled. */
static void say_hello_in_languages(hello_Greeter_SayHelloInLanguages_call *call, const hello_HelloRequest *request,
                                   void *state)
{
    (void)state, (void)request;
    hello_HelloReply *reply = hello_HelloReply_new(hello_Greeter_SayHelloInLanguages_heap(call));
    if (reply == NULL || mrpc_string_set(reply, &reply->text, STAMP) != 0 ||
        hello_Greeter_SayHelloInLanguages_send(call, reply) != 0)
        abort();
}

static void ended(void *state, hello_Greeter_SayHelloInLanguages_call *call, const mrpc_status *status)
{
    (void)state, (void)status;
    hello_Greeter_SayHelloInLanguages_fail(call, MRPC_CANCELLED, "the caller has gone");
}

static void stay_open(hello_Greeter_SayHelloInLanguages_call *call, const hello_HelloRequest *request, void *state)
{
    static const hello_Greeter_SayHelloInLanguages_call_callbacks callbacks = {.on_end = ended};
    if (hello_Greeter_SayHelloInLanguages_set_callbacks(call, &callbacks, state) != 0)
        abort();
    say_hello_in_languages(call, request, state);
}

static int start(mrpc_server *server, void **state, mrpc_error *error)
{
    (void)server;
#ifdef START_FAILS
    return mrpc_error_set(error, MRPC_ENOENT, "there is no moon");
#endif
    *state = calloc(1, sizeof(int));
    return *state != NULL ? 0 : mrpc_error_set(error, MRPC_ENOMEM, "no memory");
}

/* Tells the test that it has run: a folder can be made only once. */
static void stop(void *state)
{
    const char *path = getenv("SERVICE_STOPPED");
    if (path != NULL && mkdir(path, 0700) != 0)
        abort();
    free(state);
}

static const hello_Greeter_handlers handlers = {.SayHello = say_hello, .SayHelloInLanguages = stay_open};
static const mrpc_service_binding services[] = {{&hello_Greeter_service, &handlers}};

MRPC_SERVICE_MODULE_NOTE(NAME, STAMP);

const mrpc_service_module mrpc_service_module_export = {
    sizeof(mrpc_service_module), ABI, NAME, STAMP, FORMAT, start, stop, SERVICES, services};
