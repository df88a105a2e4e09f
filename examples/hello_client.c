/* SPDX-License-Identifier: BSD-2-Clause */
/* hello_client.c - the smallest client: hello_client ADDRESS [NAME], e.g. hello_client tcp://127.0.0.1:5000 world */
#include <stdio.h>

#include "hello.mrpc.h"

static int greet(mrpc_channel *channel, const char *name)
{
    hello_HelloRequest *request = hello_HelloRequest_new(mrpc_channel_heap(channel));
    if (request == NULL || mrpc_string_set(request, &request->name, name) != 0) {
        mrpc_release(request);
        fputs("hello_client: no memory\n", stderr);
        return 1;
    }
    const hello_HelloReply *reply;
    mrpc_status status = hello_Greeter_SayHello(channel, request, &reply, MRPC_CALL_OPTIONS(.timeout_ms = 5000));
    if (status.code == MRPC_OK)
        puts(reply->text.data);
    else
        fprintf(stderr, "hello_client: %s: %s\n", mrpc_code_name(status.code), status.message);
    mrpc_release(reply);
    mrpc_release(request);
    return status.code != MRPC_OK;
}

int main(int argc, char **argv)
{
    mrpc_error error = {0};
    mrpc_channel *channel;
    if (argc < 2 || argc > 3) {
        fputs("usage: hello_client ADDRESS [NAME]\n", stderr);
        return 2;
    }
    if (mrpc_channel_new(&channel, argv[1], NULL, &error) != 0) {
        fprintf(stderr, "hello_client: %s\n", mrpc_error_text(&error));
        return 1;
    }
    int result = greet(channel, argc == 3 ? argv[2] : "world");
    mrpc_channel_close(channel);
    return result;
}
