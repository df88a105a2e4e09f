/* SPDX-License-Identifier: BSD-2-Clause */
/* greeter.c - an outside program that calls itself over TCP: exit status 0 when the answer is right */
#include "greeter.mrpc.h"

#include <mrpc/mrpc.h>
#include <mrpc/well_known.h>

#include <stdio.h>
#include <string.h>

/* What the library knows of the well-known types. False: no memory. */
static bool add_well_known(outside_GreetReply *reply, const outside_GreetRequest *request)
{
    google_protobuf_Timestamp *at = outside_GreetReply_make_at(reply);
    google_protobuf_Any *any = outside_GreetReply_make_request(reply);
    return at != NULL && any != NULL && mrpc_timestamp_set(at, (struct timespec){.tv_sec = 1700000000}) == 0 &&
           mrpc_any_pack(any, &outside_GreetRequest_type, request) == 0;
}

/* The request, as it came back. */
static bool is_good(const outside_GreetReply *reply, const outside_GreetRequest *request)
{
    struct timespec at = {0};
    void *back = NULL;
    mrpc_error error;
    if (reply->at == NULL || mrpc_timestamp_get(reply->at, &at) != 0 || at.tv_sec != 1700000000 ||
        reply->request == NULL || mrpc_any_unpack(reply->request, &outside_GreetRequest_type, NULL, &back, &error) != 0)
        return false;
    bool same = outside_GreetRequest_equal(back, request);
    mrpc_release(back);
    return same;
}

static void greet(outside_Greeter_Greet_call *call, const outside_GreetRequest *request, void *state)
{
    (void)state;
    outside_GreetReply *reply = outside_GreetReply_new(outside_Greeter_Greet_heap(call));
    if (reply == NULL || mrpc_string_printf(reply, &reply->text, "Hello, %s", request->name.data) != 0 ||
        !add_well_known(reply, request)) {
        mrpc_release(reply);
        outside_Greeter_Greet_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory for the reply");
        return;
    }
    for (size_t i = 0; i < request->numbers.size; i++)
        reply->sum += request->numbers.data[i];
    outside_Greeter_Greet_reply(call, reply);
}

static int call_greeter(const char *address)
{
    mrpc_error error;
    mrpc_channel *channel;
    if (mrpc_channel_new(&channel, address, NULL, &error) != 0) {
        fprintf(stderr, "greeter: %s\n", mrpc_error_text(&error));
        return 1;
    }
    uint32_t numbers[] = {40, 2};
    outside_GreetRequest request = {.name = {"outside", 7}, .numbers = {numbers, 2, 2}};
    const outside_GreetReply *reply = NULL;
    mrpc_status status = outside_Greeter_Greet(channel, &request, &reply, MRPC_CALL_OPTIONS(.timeout_ms = 30000));
    int failed = status.code != MRPC_OK || reply->sum != 42 || strcmp(reply->text.data, "Hello, outside") != 0 ||
                 !is_good(reply, &request);
    if (failed)
        fprintf(stderr, "greeter: %s %s, text \"%s\"\n", mrpc_code_name(status.code), status.message,
                reply == NULL ? "" : reply->text.data);
    mrpc_release(reply);
    mrpc_channel_close(channel);
    return failed;
}

int main(void)
{
    mrpc_error error;
    mrpc_runtime *runtime;
    mrpc_runtime_options threaded = {.size = sizeof threaded, .thread = true};
    if (mrpc_runtime_new(&runtime, &threaded, &error) != 0) {
        fprintf(stderr, "greeter: %s\n", mrpc_error_text(&error));
        return 1;
    }
    mrpc_server *server;
    mrpc_server_options options = {.size = sizeof options, .runtime = runtime};
    int failed = mrpc_server_new(&server, &options, &error);
    mrpc_runtime_unref(runtime);
    if (failed == 0) {
        failed = outside_Greeter_serve(server, &(outside_Greeter_handlers){.Greet = greet}, NULL) != 0 ||
                 mrpc_server_listen(server, "tcp://127.0.0.1:0", &error) != 0 ||
                 call_greeter(mrpc_server_address(server, 0));
        mrpc_server_free(server);
    }
    return failed != 0;
}
