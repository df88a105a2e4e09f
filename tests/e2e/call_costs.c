/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_costs.c - what a call costs in steady state, as the library counts and as interpose.so counts from outside
 *
 *   call_costs server ADDRESS
 *   call_costs client ADDRESS SIZE CALLS
 *
 * With CALL_COSTS_SPIN=1 in the environment both wait by polling, and the client warms up for less long: where they
 * share a core with others, each call costs a turn of the scheduler.
 * The client warms up, then makes CALLS calls with SIZE bytes. A call with one byte tells the server to begin (1) or
 * end (2) its own measurement. Each side prints a line of NAME=VALUE, the differences between begin and end. The server
 * answers requests up to 4 KiB with the same bytes and larger ones with none, so that only one direction is large.
 * Each raises SIGUSR1, which it ignores, where it begins and where it ends, for count_atomics.
 */
#include "config.h"

#include "tests/e2e/interpose.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mrpc/mrpc.h>

#include "bench.mrpc.h"

enum { WARM_UP = 2000, WARM_UP_SPINNING = 300, SPIN_US = 100000, BEGIN = 1, END = 2, LARGE = 4096 };

typedef struct costs {
    mrpc_counters counters;
    interpose_counts outside;
} costs;

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "call_costs: %s: %s\n", what, why);
    exit(1);
}

static costs take(const mrpc_runtime *runtime)
{
    costs now = {.counters.size = sizeof now.counters};
    mrpc_runtime_get_counters(runtime, &now.counters);
    if (mrpc_interpose_counts != NULL)
        now.outside = *mrpc_interpose_counts();
    return now;
}

static void print(const char *side, const costs *begin, const costs *end)
{
    printf("%s interposed=%d", side, mrpc_interpose_counts != NULL);
#define PRINT_COUNTER(name, help)                                                                                      \
    printf(" " #name "=%llu", (unsigned long long)(end->counters.name - begin->counters.name));
    MRPC_COUNTER_TABLE(PRINT_COUNTER)
#undef PRINT_COUNTER
    printf(" outside_allocations=%llu outside_frees=%llu outside_locks=%llu outside_large_copies=%llu"
           " outside_allocations_ever=%llu\n",
           (unsigned long long)(end->outside.allocations - begin->outside.allocations),
           (unsigned long long)(end->outside.frees - begin->outside.frees),
           (unsigned long long)(end->outside.locks - begin->outside.locks),
           (unsigned long long)(end->outside.large_copies - begin->outside.large_copies),
           (unsigned long long)end->outside.allocations);
    fflush(stdout);
}

/* What the server's handler knows. */
typedef struct server_state {
    mrpc_server *server;
    costs begin;
} server_state;

static void mark(server_state *state, uint8_t what)
{
    costs now = take(mrpc_server_runtime(state->server));
    if (what == BEGIN)
        state->begin = now;
    if (what == BEGIN || what == END)
        raise(SIGUSR1);
    if (what == END)
        print("server", &state->begin, &now);
    if (what == END + 1)
        mrpc_server_stop(state->server, 1000);
}

static void answer(bench_Echo_Call_call *call, const bench_Payload *request, void *state)
{
    bench_Payload *reply = bench_Payload_new(bench_Echo_Call_heap(call));
    if (request->data.size == 1)
        mark(state, request->data.data[0]);
    if (reply == NULL ||
        (request->data.size <= LARGE && bench_Payload_set_data(reply, request->data.data, request->data.size) != 0)) {
        mrpc_release(reply);
        bench_Echo_Call_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory for the reply");
        return;
    }
    bench_Echo_Call_reply(call, reply);
}

static const mrpc_connection_options connection_options = {.size = sizeof(mrpc_connection_options),
                                                           .max_message = UINT64_C(1) << 28};

static bool spins(void)
{
    const char *value = getenv("CALL_COSTS_SPIN");
    return value != NULL && strcmp(value, "1") == 0;
}

static mrpc_runtime *make_runtime(void)
{
    mrpc_runtime_options options = {.size = sizeof options};
    mrpc_runtime *runtime;
    mrpc_error error;
    if (spins())
        options.spin_us = SPIN_US;
    if (mrpc_runtime_new(&runtime, &options, &error) != 0)
        fail("runtime", mrpc_error_text(&error));
    return runtime;
}

static int serve(const char *address)
{
    server_state state = {.server = NULL};
    mrpc_server_options options = {.size = sizeof options, .runtime = make_runtime(), .connection = connection_options};
    mrpc_error error;
    if (mrpc_server_new(&state.server, &options, &error) != 0 || mrpc_server_listen(state.server, address, &error) != 0)
        fail(address, mrpc_error_text(&error));
    if (bench_Echo_serve(state.server, &(bench_Echo_handlers){.Call = answer}, &state) != 0)
        fail("serve", "no memory");
    int result = mrpc_server_run(state.server);
    mrpc_server_free(state.server);
    mrpc_runtime_unref(options.runtime);
    return result != 0;
}

static void call(mrpc_channel *channel, const bench_Payload *request)
{
    const bench_Payload *reply;
    mrpc_status status = bench_Echo_Call(channel, request, &reply, NULL);
    if (status.code != MRPC_OK)
        fail(mrpc_code_name(status.code), status.message);
    if (request->data.size <= LARGE &&
        (reply->data.size != request->data.size || memcmp(reply->data.data, request->data.data, reply->data.size) != 0))
        fail("reply", "differs from the request");
    mrpc_release(reply);
}

static void tell_server(mrpc_channel *channel, uint8_t what)
{
    bench_Payload message;
    bench_Payload_init(&message);
    message.data = (mrpc_bytes){.data = &what, .size = 1};
    call(channel, &message);
}

static int run_client(const char *address, size_t size, unsigned long calls)
{
    mrpc_channel_options options = {
        .size = sizeof options, .runtime = make_runtime(), .connection = connection_options};
    mrpc_channel *channel;
    mrpc_error error;
    if (mrpc_channel_new(&channel, address, &options, &error) != 0 || mrpc_channel_connect(channel, 10000, &error) != 0)
        fail(address, mrpc_error_text(&error));
    bench_Payload *request = bench_Payload_new(mrpc_channel_heap(channel));
    if (request == NULL || mrpc_bytes_reserve(request, &request->data, size) != 0)
        fail("request", "no memory");
    memset(request->data.data, 'x', size);
    for (unsigned long i = 0; i < (size > LARGE ? 20 : spins() ? WARM_UP_SPINNING : WARM_UP); i++)
        call(channel, request);
    tell_server(channel, BEGIN);
    costs begin = take(mrpc_channel_runtime(channel));
    raise(SIGUSR1);
    for (unsigned long i = 0; i < calls; i++)
        call(channel, request);
    raise(SIGUSR1);
    costs end = take(mrpc_channel_runtime(channel));
    tell_server(channel, END);
    print("client", &begin, &end);
    tell_server(channel, END + 1);
    mrpc_release(request);
    mrpc_channel_close(channel);
    mrpc_runtime_unref(options.runtime);
    return 0;
}

int main(int argc, char **argv)
{
    (void)signal(SIGUSR1, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "server") == 0)
        return serve(argv[2]);
    if (argc == 5 && strcmp(argv[1], "client") == 0)
        return run_client(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
    fprintf(stderr, "usage: call_costs server ADDRESS | call_costs client ADDRESS SIZE CALLS\n");
    return 2;
}
