/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kv_server.c - the key-value store as a program: kv_server ADDRESS...
 *
 *     kv_server --memory 512 tcp://127.0.0.1:5000 shm://kv
 *
 * With the environment variable MRPC_CONTROL=PATH, mrpcctl -s PATH looks into it and replaces its marshal module while
 * it runs.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "kv_service.h"

enum { DRAIN_MS = 5000, DEFAULT_MEMORY_MIB = 1024 };

static mrpc_server *server; /* for the signal handler */

static void stop(int number)
{
    (void)number;
    mrpc_server_stop(server, DRAIN_MS);
}

static void on_signals(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

static int usage(FILE *out)
{
    fputs("usage: kv_server [--memory MIB] ADDRESS...\n"
          "\n"
          "  ADDRESS       tcp://HOST:PORT (port 0: any that is free) or shm://NAME\n"
          "  --memory MIB  how much the store may hold (default 1024)\n"
          "\n"
          "MRPC_CONTROL=PATH in the environment makes a socket for mrpcctl.\n",
          out);
    return out == stdout ? 0 : 2;
}

/* Scripts read the addresses, with the ports that they really have. */
static int listen_at(char **addresses, mrpc_error *error)
{
    for (size_t i = 0; addresses[i] != NULL; i++) {
        int result = mrpc_server_listen(server, addresses[i], error);
        if (result != 0)
            return result;
        printf("listening at %s\n", mrpc_server_address(server, i));
    }
    return fflush(stdout) == 0 ? 0 : mrpc_error_set(error, MRPC_ESYS, "cannot write to standard output");
}

static int serve(char **addresses, size_t memory)
{
    mrpc_error error = {0};
    int result = MRPC_ENOMEM;
    kv_service *service = kv_service_new(memory);
    if (service == NULL)
        (void)mrpc_error_set(&error, result, "no memory");
    else
        result = mrpc_server_new(&server, NULL, &error);
    if (result != 0)
        goto free_service;
    result = kv_Store_serve(server, &kv_service_handlers, service);
    if (result != 0)
        (void)mrpc_error_set(&error, result, "cannot add the service: %s", mrpc_strerror(result));
    else
        result = listen_at(addresses, &error);
    if (result == 0) {
        on_signals(stop);
        result = mrpc_server_run(server);
        on_signals(SIG_IGN); /* there is no server to be stopped any more */
        if (result != 0)
            (void)mrpc_error_set(&error, result, "the server ended: %s", mrpc_strerror(result));
    }
    mrpc_server_free(server);
free_service:
    kv_service_free(service);
    if (result != 0)
        fprintf(stderr, "kv_server: %s\n", mrpc_error_text(&error));
    return result == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"memory", required_argument, NULL, 'm'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    unsigned long memory = DEFAULT_MEMORY_MIB;
    for (int option; (option = getopt_long(argc, argv, "m:h", options, NULL)) != -1;) {
        char *end = NULL;
        if (option == 'm')
            memory = strtoul(optarg, &end, 10);
        else
            return usage(option == 'h' ? stdout : stderr);
        if (*end != '\0' || memory == 0 || memory > (1UL << 30)) {
            fprintf(stderr, "kv_server: --memory takes a number of MiB, not \"%s\"\n", optarg);
            return 2;
        }
    }
    return optind == argc ? usage(stderr) : serve(argv + optind, (size_t)memory << 20);
}
