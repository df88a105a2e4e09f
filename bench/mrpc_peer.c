/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mrpc_peer.c - the call of bench.proto by mrpc
 *
 * One call in flight is made with the blocking stub, more with the callback stub. ADDRESS is any that mrpc has; --spin
 * makes both sides wait by polling.
 */
#include "config.h"

#include "bench/measure.h"

#include <stdio.h>
#include <stdlib.h>

#include <mrpc/mrpc.h>

#include "bench.mrpc.h"

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "mrpc_peer: %s: %s\n", what, why);
    exit(1);
}

static mrpc_runtime *make_runtime(const bench_options *options)
{
    mrpc_runtime_options runtime_options = {.size = sizeof runtime_options};
    mrpc_runtime *runtime;
    mrpc_error error;
    if (options->spin)
        runtime_options.spin_us = 1000000;
    else
        runtime_options.no_spin = options->cpu >= 0; /* both sides on one core: spinning keeps the other from running */
    if (mrpc_runtime_new(&runtime, &runtime_options, &error) != 0)
        fail("runtime", mrpc_error_text(&error));
    return runtime;
}

static const mrpc_connection_options connection_options = {
    .size = sizeof(mrpc_connection_options),
    .max_message = UINT64_C(1) << 30,
};

/* Sends back a copy of what came; nothing where the state, the options, says so. */
static void answer(bench_Echo_Call_call *call, const bench_Payload *request, void *state)
{
    const bench_options *options = state;
    bench_Payload *reply = bench_Payload_new(bench_Echo_Call_heap(call));
    if (reply == NULL) {
        bench_Echo_Call_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory for the reply");
        return;
    }
    if (!options->sink && bench_Payload_set_data(reply, request->data.data, request->data.size) != 0) {
        mrpc_release(reply);
        bench_Echo_Call_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory for the reply");
        return;
    }
    bench_Echo_Call_reply(call, reply);
}

static void serve(bench_options *options)
{
    mrpc_server_options server_options = {
        .size = sizeof server_options, .runtime = make_runtime(options), .connection = connection_options};
    mrpc_server *server;
    mrpc_error error;
    if (mrpc_server_new(&server, &server_options, &error) != 0 ||
        mrpc_server_listen(server, options->address, &error) != 0)
        fail(options->address, mrpc_error_text(&error));
    if (bench_Echo_serve(server, &(bench_Echo_handlers){.Call = answer}, options) != 0)
        fail("serve", "no memory");
    mrpc_server_run(server);
}

static void check(const mrpc_status *status, const bench_Payload *reply, uint32_t size)
{
    if (status->code != MRPC_OK)
        fail(mrpc_code_name(status->code), status->message);
    if (reply->data.size != size)
        fail("reply", "has another size than the request");
}

static void call_blocking(mrpc_channel *channel, const bench_Payload *request, bench_run *run,
                          const bench_options *options)
{
    uint64_t since;
    do {
        const bench_Payload *reply;
        since = bench_now();
        mrpc_status status = bench_Echo_Call(channel, request, &reply, NULL);
        check(&status, reply, options->sink ? 0 : (uint32_t)request->data.size);
        mrpc_release(reply);
    } while (bench_count(run, since));
}

/* One of the calls that are kept in flight. */
typedef struct flight {
    mrpc_channel *channel;
    const bench_Payload *request;
    bench_run *run;
    uint32_t size; /* of the reply */
    uint32_t *open;
    uint64_t since;
} flight;

static void start(flight *flown);

static void finished(void *state, const mrpc_status *status, const bench_Payload *reply)
{
    flight *flown = state;
    check(status, reply, flown->size);
    mrpc_release(reply);
    if (bench_count(flown->run, flown->since))
        start(flown);
    else
        --*flown->open;
}

static void start(flight *flown)
{
    flown->since = bench_now();
    if (bench_Echo_Call_start(flown->channel, flown->request, NULL, finished, flown, NULL) != 0)
        fail("start", "refused");
}

static void call_concurrently(mrpc_channel *channel, const bench_Payload *request, bench_run *run,
                              const bench_options *options)
{
    uint32_t open = options->inflight;
    flight *flights = calloc(open, sizeof *flights);
    if (flights == NULL)
        fail("calloc", "no memory");
    for (uint32_t i = 0; i < options->inflight; i++) {
        flights[i] = (flight){.channel = channel,
                              .request = request,
                              .run = run,
                              .size = options->sink ? 0 : (uint32_t)request->data.size,
                              .open = &open};
        start(&flights[i]);
    }
    while (open > 0)
        mrpc_runtime_poll(mrpc_channel_runtime(channel), -1);
    free(flights);
}

static void run_client(const bench_options *options)
{
    static bench_run run;
    mrpc_channel_options channel_options = {
        .size = sizeof channel_options, .runtime = make_runtime(options), .connection = connection_options};
    mrpc_channel *channel;
    mrpc_error error;
    if (mrpc_channel_new(&channel, options->address, &channel_options, &error) != 0 ||
        mrpc_channel_connect(channel, 10000, &error) != 0)
        fail(options->address, mrpc_error_text(&error));
    bench_Payload *request = bench_Payload_new(mrpc_channel_heap(channel));
    if (request == NULL || mrpc_bytes_reserve(request, &request->data, options->size) != 0)
        fail("request", "no memory");
    for (uint32_t i = 0; i < options->size; i++)
        request->data.data[i] = (uint8_t)i;
    bench_begin(&run, options);
    if (options->inflight <= 1)
        call_blocking(channel, request, &run, options);
    else
        call_concurrently(channel, request, &run, options);
    bench_print(&run);
    mrpc_release(request);
    mrpc_channel_close(channel);
    mrpc_runtime_unref(channel_options.runtime);
}

int main(int argc, char **argv)
{
    bench_options options = bench_parse(argc, argv);
    if (options.server)
        serve(&options);
    else
        run_client(&options);
    return 0;
}
