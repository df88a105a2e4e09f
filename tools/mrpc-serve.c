/* SPDX-License-Identifier: BSD-2-Clause */
/* mrpc-serve.c - hosts service modules, which can be replaced while it serves */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <mrpc/mrpc.h>
#include <mrpc/service_module.h>

enum { DONE = 0, FAILED = 1, USAGE = 2, DRAIN_MS = 30000, LISTED = 64 };

/* What was asked for, in the order in which it was. */
typedef struct serve_list {
    const char *items[LISTED];
    size_t count;
} serve_list;

typedef struct serve_options {
    serve_list addresses, marshal_modules;
    mrpc_runtime_options runtime;
    uint32_t drain_ms;
} serve_options;

static mrpc_server *server; /* for the signal handler */

static uint32_t drain_ms;

static void stop(int number)
{
    (void)number;
    mrpc_server_stop(server, drain_ms);
}

static void on_signals(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler,
                               .sa_flags = (int)SA_RESETHAND}; /* the second one ends it at once */
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

static int usage(FILE *out)
{
    fputs("usage: mrpc-serve --listen ADDRESS [OPTION...] FILE.so...\n"
          "\n"
          "Serves the service modules FILE.so until it is told to stop by SIGTERM or SIGINT.\n"
          "\n"
          "  -l, --listen ADDRESS     tcp://HOST:PORT or shm://NAME; may be given several times\n"
          "  -c, --control SOCKET     where mrpcctl reaches it (default: the environment variable MRPC_CONTROL)\n"
          "  -m, --module FILE.so     a marshal module to load first; may be given several times\n"
          "  -p, --module-path PATH   folders with marshal modules, separated by ':' (default: MRPC_MODULE_PATH)\n"
          "  -d, --drain MS           how long calls may go on after a signal (default 30000)\n"
          "  -h, --help               this text\n"
          "  -V, --version            the version\n",
          out);
    return out == stdout ? DONE : USAGE;
}

static int complain(const mrpc_error *error)
{
    fprintf(stderr, "mrpc-serve: %s\n", mrpc_error_text(error));
    return error->code;
}

static bool add(serve_list *list, const char *item)
{
    if (list->count == LISTED)
        return false;
    list->items[list->count++] = item;
    return true;
}

/* Those that the services are in need of may also be found in the module path. */
static int load_marshal_modules(mrpc_runtime *runtime, const serve_list *list)
{
    mrpc_error error;
    for (size_t i = 0; i < list->count; i++)
        if (mrpc_runtime_upgrade(runtime, list->items[i], NULL, &error) != 0)
            return complain(&error);
    return 0;
}

static int load_services(char **files)
{
    mrpc_error error;
    for (; *files != NULL; files++)
        if (mrpc_server_load(server, *files, &error) != 0)
            return complain(&error);
    return 0;
}

/* Scripts read the addresses, with the ports that they really have. */
static int listen_at(const serve_list *addresses)
{
    mrpc_error error;
    for (size_t i = 0; i < addresses->count; i++) {
        if (mrpc_server_listen(server, addresses->items[i], &error) != 0)
            return complain(&error);
        printf("listening at %s\n", mrpc_server_address(server, i));
    }
    return fflush(stdout);
}

static int run(void)
{
    mrpc_error error;
    on_signals(stop);
    int result = mrpc_server_run(server);
    on_signals(SIG_DFL); /* there is no server to be stopped any more */
    if (result != 0)
        complain((mrpc_error_set(&error, result, "the server ended: %s", mrpc_strerror(result)), &error));
    return result;
}

static int serve(const serve_options *options, char **files)
{
    mrpc_error error;
    mrpc_runtime *runtime;
    if (mrpc_runtime_new(&runtime, &options->runtime, &error) != 0) {
        complain(&error);
        return FAILED;
    }
    mrpc_server_options server_options = {.size = sizeof server_options, .runtime = runtime};
    int result = mrpc_server_new(&server, &server_options, &error);
    if (result != 0) {
        complain(&error);
        goto drop_runtime;
    }
    drain_ms = options->drain_ms;
    result = load_marshal_modules(runtime, &options->marshal_modules);
    if (result == 0)
        result = load_services(files);
    if (result == 0)
        result = listen_at(&options->addresses);
    if (result == 0)
        result = run();
    mrpc_server_free(server);
drop_runtime:
    mrpc_runtime_unref(runtime);
    return result == 0 ? DONE : FAILED;
}

static bool take_drain(serve_options *options, const char *text)
{
    char *end;
    errno = 0;
    unsigned long milliseconds = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || milliseconds > UINT32_MAX) {
        fprintf(stderr, "mrpc-serve: --drain %s: write a number of milliseconds from 0 to %u\n", text, UINT32_MAX);
        return false;
    }
    options->drain_ms = (uint32_t)milliseconds;
    return true;
}

/* False: there is no such option, too many of it, or its value is wrong. */
static bool take_option(serve_options *options, int option)
{
    switch (option) {
    case 'l':
        return add(&options->addresses, optarg);
    case 'm':
        return add(&options->marshal_modules, optarg);
    case 'c':
        options->runtime.control = optarg;
        return true;
    case 'p':
        options->runtime.module_path = optarg;
        return true;
    case 'd':
        return take_drain(options, optarg);
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"listen", required_argument, NULL, 'l'}, {"control", required_argument, NULL, 'c'},
        {"module", required_argument, NULL, 'm'}, {"module-path", required_argument, NULL, 'p'},
        {"drain", required_argument, NULL, 'd'},  {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {NULL, 0, NULL, 0}};
    serve_options options = {.runtime = {.size = sizeof(mrpc_runtime_options)}, .drain_ms = DRAIN_MS};
    for (int option; (option = getopt_long(argc, argv, "l:c:m:p:d:hV", names, NULL)) != -1;) {
        if (option == 'h')
            return usage(stdout);
        if (option == 'V')
            return puts("mrpc-serve " MRPC_VERSION_STRING) < 0 ? FAILED : DONE;
        if (!take_option(&options, option))
            return usage(stderr);
    }
    if (options.addresses.count == 0 || optind == argc) {
        fputs(options.addresses.count == 0 ? "mrpc-serve: --listen ADDRESS is missing\n"
                                           : "mrpc-serve: a service module is missing\n",
              stderr);
        return usage(stderr);
    }
    return serve(&options, argv + optind);
}
