/* SPDX-License-Identifier: BSD-2-Clause */
/* hello_client.c - the smallest client: hello_client ADDRESS [NAME...], e.g. hello_client tcp://127.0.0.1:5000 world */
#include <stdio.h>

#include "hello.mrpc.h"

static int complain(const mrpc_status *status)
{
    fprintf(stderr, "hello_client: %s: %s\n", mrpc_code_name(status->code), status->message);
    return 1;
}

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
    mrpc_release(reply);
    mrpc_release(request);
    return status.code == MRPC_OK ? 0 : complain(&status);
}

/* Several names go over one stream, each answered as it comes. */
static int chat(mrpc_channel *channel, char **names)
{
    hello_Greeter_Chat_stream *stream;
    int result = hello_Greeter_Chat_open(channel, MRPC_CALL_OPTIONS(.timeout_ms = 5000), &stream);
    if (result != 0) {
        fprintf(stderr, "hello_client: %s\n", mrpc_strerror(result));
        return 1;
    }
    for (; *names != NULL; names++) {
        hello_HelloRequest request; /* on the stack: the name stays where it is */
        hello_HelloRequest_init(&request);
        request.name = (mrpc_string){*names, strlen(*names)};
        const hello_HelloReply *reply;
        if (hello_Greeter_Chat_stream_send(stream, &request) != 0 ||
            hello_Greeter_Chat_stream_receive(stream, &reply) != 1)
            break; /* finish() says why */
        puts(reply->text.data);
        mrpc_release(reply);
    }
    mrpc_status status = hello_Greeter_Chat_stream_finish(stream);
    return status.code == MRPC_OK ? 0 : complain(&status);
}

int main(int argc, char **argv)
{
    mrpc_error error = {0};
    mrpc_channel *channel;
    if (argc < 2) {
        fputs("usage: hello_client ADDRESS [NAME...]\n", stderr);
        return 2;
    }
    if (mrpc_channel_new(&channel, argv[1], NULL, &error) != 0) {
        fprintf(stderr, "hello_client: %s\n", mrpc_error_text(&error));
        return 1;
    }
    int result = argc > 3 ? chat(channel, argv + 2) : greet(channel, argc == 3 ? argv[2] : "world");
    mrpc_channel_close(channel);
    return result;
}
