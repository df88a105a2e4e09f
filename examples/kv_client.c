/* SPDX-License-Identifier: BSD-2-Clause */
/* kv_client.c - the key-value store from the command line: kv_client ADDRESS COMMAND [ARGUMENT...] */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kv.mrpc.h"
#include "kv_load.h"

#define OPTIONS MRPC_CALL_OPTIONS(.timeout_ms = 10000)

static mrpc_bytes bytes_of(const char *text)
{
    return (mrpc_bytes){(uint8_t *)text, strlen(text)};
}

static int complain(const mrpc_status *status)
{
    fprintf(stderr, "kv_client: %s: %s\n", mrpc_code_name(status->code), status->message);
    return 1;
}

static int complain_code(int code)
{
    fprintf(stderr, "kv_client: %s\n", mrpc_strerror(code));
    return 1;
}

static void print_entry(const kv_Entry *entry)
{
    printf("%.*s\t%" PRIu64 "\t", (int)entry->key.size, (const char *)entry->key.data, entry->version);
    fwrite(entry->value.data, 1, entry->value.size, stdout);
    putchar('\n');
}

/* --- commands; arguments[0] is the first one, and NULL ends them --- */

static int get(mrpc_channel *channel, char **arguments)
{
    kv_GetRequest request;
    kv_GetRequest_init(&request);
    request.key = bytes_of(arguments[0]);
    const kv_GetReply *reply;
    mrpc_status status = kv_Store_Get(channel, &request, &reply, OPTIONS);
    if (status.code != MRPC_OK)
        return complain(&status);
    bool found = reply->found;
    fwrite(reply->value.data, 1, reply->value.size, stdout);
    mrpc_release(reply);
    if (!found)
        fprintf(stderr, "kv_client: there is no key %s\n", arguments[0]);
    return found ? 0 : 1;
}

static int put(mrpc_channel *channel, char **arguments)
{
    kv_PutRequest request;
    kv_PutRequest_init(&request);
    request.key = bytes_of(arguments[0]);
    request.value = bytes_of(arguments[1]);
    const kv_PutReply *reply;
    mrpc_status status = kv_Store_Put(channel, &request, &reply, OPTIONS);
    if (status.code != MRPC_OK)
        return complain(&status);
    printf("version %" PRIu64 "\n", reply->version);
    mrpc_release(reply);
    return 0;
}

static int delete (mrpc_channel *channel, char **arguments)
{
    kv_DeleteRequest request;
    kv_DeleteRequest_init(&request);
    request.key = bytes_of(arguments[0]);
    const kv_DeleteReply *reply;
    mrpc_status status = kv_Store_Delete(channel, &request, &reply, OPTIONS);
    if (status.code != MRPC_OK)
        return complain(&status);
    puts(reply->found ? "deleted" : "was not there");
    mrpc_release(reply);
    return 0;
}

static int range(mrpc_channel *channel, char **arguments)
{
    kv_RangeRequest request;
    kv_RangeRequest_init(&request);
    if (arguments[0] != NULL)
        request.from = bytes_of(arguments[0]);
    if (arguments[0] != NULL && arguments[1] != NULL)
        request.to = bytes_of(arguments[1]);
    kv_Store_Range_stream *stream;
    int result = kv_Store_Range_open(channel, &request, NULL, &stream);
    if (result != 0)
        return complain_code(result);
    const kv_Entry *entry;
    for (; kv_Store_Range_stream_receive(stream, &entry) == 1; mrpc_release(entry))
        print_entry(entry);
    mrpc_status status = kv_Store_Range_stream_finish(stream);
    return status.code == MRPC_OK ? 0 : complain(&status);
}

static void print_event(const kv_WatchEvent *event)
{
    switch (event->kind_case) {
    case kv_WatchEvent_kind_put:
        printf("put\t");
        print_entry(event->kind.put);
        break;
    case kv_WatchEvent_kind_deleted:
        printf("deleted\t%.*s\t%" PRIu64 "\n", (int)event->kind.deleted.size, (const char *)event->kind.deleted.data,
               event->revision);
        break;
    case kv_WatchEvent_kind_current:
        printf("current\t%" PRIu64 "\n", event->revision);
        break;
    case kv_WatchEvent_kind_NOT_SET:
        break;
    }
    fflush(stdout);
}

/* Until it is interrupted or the server ends it. */
static int watch(mrpc_channel *channel, char **arguments)
{
    kv_WatchRequest request;
    kv_WatchRequest_init(&request);
    if (arguments[0] != NULL)
        request.prefix = bytes_of(arguments[0]);
    request.send_existing = true;
    kv_Store_Watch_stream *stream;
    int result = kv_Store_Watch_open(channel, &request, NULL, &stream);
    if (result != 0)
        return complain_code(result);
    const kv_WatchEvent *event;
    for (; kv_Store_Watch_stream_receive(stream, &event) == 1; mrpc_release(event))
        print_event(event);
    mrpc_status status = kv_Store_Watch_stream_finish(stream);
    return status.code == MRPC_OK ? 0 : complain(&status);
}

/* compare-and-swap KEY VERSION VALUE */
static int swap(mrpc_channel *channel, char **arguments)
{
    kv_CompareAndSwapRequest request;
    kv_CompareAndSwapRequest_init(&request);
    request.key = bytes_of(arguments[0]);
    request.expected = strtoull(arguments[1], NULL, 10);
    request.value = bytes_of(arguments[2]);
    request.has_value = true;
    const kv_CompareAndSwapReply *reply;
    mrpc_status status = kv_Store_CompareAndSwap(channel, &request, &reply, OPTIONS);
    if (status.code != MRPC_OK)
        return complain(&status);
    bool swapped = reply->swapped;
    printf("%s, version %" PRIu64 "\n", swapped ? "swapped" : "not swapped", reply->version);
    mrpc_release(reply);
    return swapped ? 0 : 1;
}

typedef struct client_command {
    const char *name, *arguments;
    int least, most;
    int (*run)(mrpc_channel *channel, char **arguments);
} client_command;

static const client_command commands[] = {
    {"get", "KEY", 1, 1, get},
    {"put", "KEY VALUE", 2, 2, put},
    {"delete", "KEY", 1, 1, delete},
    {"swap", "KEY VERSION VALUE", 3, 3, swap},
    {"range", "[FROM [TO]]", 0, 2, range},
    {"watch", "[PREFIX]", 0, 1, watch},
};

static int usage(FILE *out)
{
    fputs("usage: kv_client ADDRESS COMMAND [ARGUMENT...]\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(out, "  %-6s %s\n", commands[i].name, commands[i].arguments);
    fputs(
        "  load   [--seconds N] [--workers N] [--connections N] [--folder DIR] [--swaps FILE] [--report FILE]\n"
        "\n"
        "load works on the server with the files below DIR (default /usr/include) and checks every answer. Keys that\n"
        "begin with load/ are its own meanwhile, so a server takes one load at a time. kv_load.h says more.\n",
        out);
    return out == stdout ? 0 : 2;
}

static int run_command(const char *address, const client_command *command, char **arguments)
{
    mrpc_error error = {0};
    mrpc_channel *channel;
    if (mrpc_channel_new(&channel, address, NULL, &error) != 0) {
        fprintf(stderr, "kv_client: %s\n", mrpc_error_text(&error));
        return 1;
    }
    int result = command->run(channel, arguments);
    mrpc_channel_close(channel);
    return result;
}

static int run_load(kv_load_options *load, int argc, char **argv)
{
    static const struct option options[] = {{"seconds", required_argument, NULL, 's'},
                                            {"workers", required_argument, NULL, 'w'},
                                            {"connections", required_argument, NULL, 'c'},
                                            {"folder", required_argument, NULL, 'f'},
                                            {"swaps", required_argument, NULL, 'S'},
                                            {"report", required_argument, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "s:w:c:f:", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            load->seconds = strtod(optarg, NULL);
            break;
        case 'w':
            load->workers = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'c':
            load->connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'f':
            load->folder = optarg;
            break;
        case 'S':
            load->swaps = optarg;
            break;
        case 'r':
            load->report = optarg;
            break;
        default:
            return usage(stderr);
        }
    }
    bool sound = load->seconds > 0 && load->seconds <= 3600 && load->workers >= 1 && load->workers <= 100 &&
                 load->connections >= 1 && load->connections <= 100;
    return sound && optind == argc ? kv_load_run(load) : usage(stderr);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (argc < 3)
        return usage(stderr);
    if (strcmp(argv[2], "load") == 0) {
        kv_load_options load = {
            .address = argv[1], .folder = "/usr/include", .seconds = 5, .workers = 4, .connections = 2};
        return run_load(&load, argc - 2, argv + 2);
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[2], commands[i].name) == 0 && argc - 3 >= commands[i].least && argc - 3 <= commands[i].most)
            return run_command(argv[1], &commands[i], argv + 3);
    return usage(stderr);
}
