/* SPDX-License-Identifier: BSD-2-Clause */
/* hello_server.c - the smallest server: hello_server ADDRESS..., e.g. hello_server tcp://0.0.0.0:5000 shm://hello */
#include <stdio.h>

#include "hello_streams.h"

static void say_hello(hello_Greeter_SayHello_call *call, const hello_HelloRequest *request, void *state)
{
    (void)state;
    hello_HelloReply *reply = hello_HelloReply_new(hello_Greeter_SayHello_heap(call));
    if (reply == NULL || mrpc_string_printf(reply, &reply->text, "Hello, %s", request->name.data) != 0) {
        mrpc_release(reply);
        hello_Greeter_SayHello_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory for the reply");
        return;
    }
    hello_Greeter_SayHello_reply(call, reply); /* takes the reply */
}

/* Three short messages always fit into the window of a stream; see kv_streams.c for replies that may have to wait. */
static void say_hello_in_languages(hello_Greeter_SayHelloInLanguages_call *call, const hello_HelloRequest *request,
                                   void *state)
{
    static const char *const greetings[] = {"Hello", "Hallo", "Bonjour"};
    (void)state;
    for (size_t i = 0; i < sizeof greetings / sizeof greetings[0]; i++) {
        hello_HelloReply *reply = hello_HelloReply_new(hello_Greeter_SayHelloInLanguages_heap(call));
        if (reply == NULL || mrpc_string_printf(reply, &reply->text, "%s, %s", greetings[i], request->name.data) != 0) {
            mrpc_release(reply);
            hello_Greeter_SayHelloInLanguages_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory for the reply");
            return;
        }
        if (hello_Greeter_SayHelloInLanguages_send(call, reply) != 0)
            return; /* the caller has gone */
    }
    hello_Greeter_SayHelloInLanguages_reply(call, NULL);
}

static int complain(const mrpc_error *error)
{
    fprintf(stderr, "hello_server: %s\n", mrpc_error_text(error));
    return 1;
}

static int serve(mrpc_server *server, char **addresses)
{
    static const hello_Greeter_handlers handlers = {.SayHello = say_hello,
                                                    .SayHelloInLanguages = say_hello_in_languages,
                                                    .SayHelloToAll = hello_to_all,
                                                    .Chat = hello_chat};
    mrpc_error error = {0};
    int result = hello_Greeter_serve(server, &handlers, NULL);
    if (result != 0)
        return complain((mrpc_error_set(&error, result, "cannot add the service: %s", mrpc_strerror(result)), &error));
    for (size_t i = 0; addresses[i] != NULL; i++) {
        if (mrpc_server_listen(server, addresses[i], &error) != 0)
            return complain(&error);
        printf("listening at %s\n", mrpc_server_address(server, i));
    }
    fflush(stdout);
    return mrpc_server_run(server) != 0;
}

int main(int argc, char **argv)
{
    mrpc_error error = {0};
    mrpc_server *server;
    if (argc < 2) {
        fputs("usage: hello_server ADDRESS...\n", stderr);
        return 2;
    }
    if (mrpc_server_new(&server, NULL, &error) != 0)
        return complain(&error);
    int result = serve(server, argv + 1);
    mrpc_server_free(server);
    return result;
}
