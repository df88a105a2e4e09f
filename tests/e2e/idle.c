/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * idle.c - many connections that nobody uses cost next to nothing
 *
 *   idle ADDRESS CONNECTIONS SECONDS
 *
 * A child process serves; this one makes a call on each of many channels, and then both only drive their runtimes.
 * Fails when either has used more than 10 ms of processor time in 10 s.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <mrpc/mrpc.h>

#include "bench.mrpc.h"

enum { ALLOWED_US_PER_SECOND = 1000, SETTLE_MS = 1000 };

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "idle: %s: %s\n", what, why);
    exit(1);
}

static void answer(bench_Echo_Call_call *call, const bench_Payload *request, void *state)
{
    (void)request;
    (void)state;
    bench_Echo_Call_reply(call, bench_Payload_new(bench_Echo_Call_heap(call)));
}

static _Noreturn void serve(const char *address, int ready)
{
    mrpc_server *server;
    mrpc_error error;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mrpc_server_new(&server, NULL, &error) != 0 || mrpc_server_listen(server, address, &error) != 0)
        fail(address, mrpc_error_text(&error));
    if (bench_Echo_serve(server, &(bench_Echo_handlers){.Call = answer}, NULL) != 0)
        fail("serve", "no memory");
    if (dprintf(ready, "%s\n", mrpc_server_address(server, 0)) < 0)
        fail("pipe", "closed");
    exit(mrpc_server_run(server) != 0);
}

/* Waits for the server, which says where it listens. */
static pid_t start_server(const char *address, char *real, int size)
{
    int ends[2];
    if (pipe(ends) != 0)
        fail("pipe", "failed");
    pid_t child = fork();
    if (child == 0)
        serve(address, ends[1]);
    close(ends[1]);
    FILE *input = fdopen(ends[0], "r");
    if (child < 0 || input == NULL || fgets(real, size, input) == NULL)
        fail(address, "the server did not start");
    fclose(input);
    for (char *end = real; *end != '\0'; end++)
        if (*end == '\n')
            *end = '\0';
    return child;
}

static uint64_t cpu_us(pid_t process)
{
    struct timespec used;
    clockid_t clock;
    if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &used) != 0)
        fail("clock", "no processor time of that process");
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static void drive(mrpc_runtime *runtime, uint64_t ms)
{
    uint64_t until = mrpc_runtime_now(runtime) + ms * 1000000, now;
    while ((now = mrpc_runtime_now(runtime)) < until)
        if (mrpc_runtime_poll(runtime, (int)((until - now) / 1000000) + 1) < 0)
            fail("poll", "failed");
}

static mrpc_channel *connect_and_call(mrpc_runtime *runtime, const char *address)
{
    mrpc_channel *channel;
    mrpc_error error;
    bench_Payload request;
    bench_Payload_init(&request);
    if (mrpc_channel_new(&channel, address,
                         &(mrpc_channel_options){.size = sizeof(mrpc_channel_options), .runtime = runtime},
                         &error) != 0)
        fail(address, mrpc_error_text(&error));
    mrpc_status status =
        bench_Echo_Call(channel, &request, NULL, MRPC_CALL_OPTIONS(.timeout_ms = 20000, .wait_for_ready = true));
    if (status.code != MRPC_OK)
        fail(mrpc_code_name(status.code), status.message);
    return channel;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        fail("usage", "idle ADDRESS CONNECTIONS SECONDS");
    unsigned long connections = strtoul(argv[2], NULL, 10), seconds = strtoul(argv[3], NULL, 10);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    char address[256];
    pid_t server = start_server(argv[1], address, sizeof address);
    mrpc_runtime *runtime;
    mrpc_error error;
    if (mrpc_runtime_new(&runtime, NULL, &error) != 0)
        fail("runtime", mrpc_error_text(&error));
    mrpc_channel **channels = calloc(connections, sizeof *channels);
    for (unsigned long i = 0; i < connections; i++)
        channels[i] = connect_and_call(runtime, address);
    drive(runtime, SETTLE_MS);
    uint64_t client_before = cpu_us(getpid()), server_before = cpu_us(server);
    drive(runtime, seconds * 1000);
    uint64_t client_used = cpu_us(getpid()) - client_before, server_used = cpu_us(server) - server_before;
    printf("%s: %lu idle connections for %lu s: %llu us of processor time in the client, %llu us in the server\n",
           argv[1], connections, seconds, (unsigned long long)client_used, (unsigned long long)server_used);
    for (unsigned long i = 0; i < connections; i++)
        mrpc_channel_close(channels[i]);
    free(channels);
    mrpc_runtime_unref(runtime);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    uint64_t allowed = ALLOWED_US_PER_SECOND * seconds;
    return client_used > allowed || server_used > allowed;
}
