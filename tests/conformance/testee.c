/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * testee.c - speaks the protocol of protobuf's conformance runner, which starts it: on stdin a ConformanceRequest
 * behind its size (4 bytes, little-endian), on stdout a ConformanceResponse in the same way, until stdin ends
 * (https://github.com/protocolbuffers/protobuf/tree/main/conformance)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mrpc/json.h>
#include <mrpc/text.h>

#include "conformance.mrpc.h"
#include "google/protobuf/test_messages_proto2.mrpc.h"
#include "google/protobuf/test_messages_proto3.mrpc.h"

enum { REQUEST_MAX = 256 << 20 };

typedef conformance_ConformanceRequest request_message;
typedef conformance_ConformanceResponse response_message;

static const mrpc_type *find_type(const char *name)
{
    static const mrpc_type *const types[] = {&protobuf_test_messages_proto3_TestAllTypesProto3_type,
                                             &protobuf_test_messages_proto2_TestAllTypesProto2_type};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

static void out_of_memory(void)
{
    fputs("testee: no memory\n", stderr);
    exit(1);
}

static void check(int result)
{
    if (result != 0)
        out_of_memory();
}

/* --- writing --- */

static void write_protobuf(const mrpc_type *type, const void *message, response_message *response)
{
    int64_t size = mrpc_message_encode(type, message, NULL, 0);
    if (size < 0) {
        check(conformance_ConformanceResponse_set_serialize_error(response, mrpc_strerror((int)size)));
        return;
    }
    void *bytes = malloc((size_t)size + 1);
    if (bytes == NULL || mrpc_message_encode(type, message, bytes, (size_t)size) != size)
        out_of_memory();
    check(conformance_ConformanceResponse_set_protobuf_payload(response, bytes, (size_t)size));
    free(bytes);
}

static void write_text(const request_message *request, const mrpc_type *type, const void *message,
                       response_message *response)
{
    const mrpc_text_options options = {.size = sizeof options, .hide_unknown = !request->print_unknown_fields};
    size_t size = mrpc_message_text_with(type, message, &options, NULL, 0) + 1;
    char *text = malloc(size);
    if (text == NULL)
        out_of_memory();
    (void)mrpc_message_text_with(type, message, &options, text, size);
    check(conformance_ConformanceResponse_set_text_payload(response, text));
    free(text);
}

static void write_json(const mrpc_type *type, const void *message, response_message *response)
{
    mrpc_error error = {0};
    char *text;
    if (mrpc_json_print(type, message, NULL, &text, NULL, &error) != 0)
        check(conformance_ConformanceResponse_set_serialize_error(response, mrpc_error_text(&error)));
    else
        check(conformance_ConformanceResponse_set_json_payload(response, text));
    free(text);
}

static void write_message(const request_message *request, const mrpc_type *type, const void *message,
                          response_message *response)
{
    switch (request->requested_output_format) {
    case conformance_PROTOBUF:
        write_protobuf(type, message, response);
        break;
    case conformance_JSON:
        write_json(type, message, response);
        break;
    case conformance_TEXT_FORMAT:
        write_text(request, type, message, response);
        break;
    default:
        check(conformance_ConformanceResponse_set_skipped(response, "this format is not written"));
    }
}

/* --- one request --- */

/* 0, or an error; 1: it comes in a format that is not read. */
static int read_message(const request_message *request, const mrpc_type *type, void **message, mrpc_error *error)
{
    const mrpc_bytes *bytes = &request->payload.protobuf_payload;
    const mrpc_string *text = &request->payload.text_payload; /* or json_payload */
    const mrpc_json_options options = {.size = sizeof options,
                                       .ignore_unknown =
                                           request->test_category == conformance_JSON_IGNORE_UNKNOWN_PARSING_TEST};
    switch (request->payload_case) {
    case conformance_ConformanceRequest_payload_protobuf_payload:
        return mrpc_message_decode(type, bytes->data, bytes->size, NULL, message, error);
    case conformance_ConformanceRequest_payload_json_payload:
        return mrpc_json_parse(type, text->data, text->size, &options, NULL, message, error);
    case conformance_ConformanceRequest_payload_text_payload:
        return mrpc_message_from_text(type, text->data, text->size, NULL, NULL, message, error);
    default:
        return 1;
    }
}

static void respond(const request_message *request, response_message *response)
{
    const mrpc_type *type = find_type(request->message_type.data);
    mrpc_error error = {0};
    void *message = NULL;
    if (type == NULL) {
        check(conformance_ConformanceResponse_set_skipped(response, "this message type is not known"));
        return;
    }
    int result = read_message(request, type, &message, &error);
    if (result > 0)
        check(conformance_ConformanceResponse_set_skipped(response, "this format is not read"));
    else if (result < 0)
        check(conformance_ConformanceResponse_set_parse_error(response, mrpc_error_text(&error)));
    else
        write_message(request, type, message, response);
    mrpc_release(message);
}

/* The runner's first request: which tests are known to fail. None. */
static void name_failures(response_message *response)
{
    check(conformance_ConformanceResponse_set_protobuf_payload(response, NULL, 0));
}

static void put_response(const response_message *response)
{
    int64_t size = conformance_ConformanceResponse_encode(response, NULL, 0);
    char *bytes = size < 0 ? NULL : malloc((size_t)size + 4);
    if (bytes == NULL || conformance_ConformanceResponse_encode(response, bytes + 4, (size_t)size) != size)
        out_of_memory();
    for (int i = 0; i < 4; i++)
        bytes[i] = (char)(size >> 8 * i);
    if (fwrite(bytes, 1, (size_t)size + 4, stdout) != (size_t)size + 4 || fflush(stdout) != 0)
        exit(1);
    free(bytes);
}

static void handle(const void *bytes, size_t size)
{
    mrpc_error error = {0};
    void *request;
    response_message *response = conformance_ConformanceResponse_new(NULL);
    if (response == NULL)
        out_of_memory();
    if (mrpc_message_decode(&conformance_ConformanceRequest_type, bytes, size, NULL, &request, &error) != 0) {
        check(conformance_ConformanceResponse_set_runtime_error(response, mrpc_error_text(&error)));
    } else {
        if (strcmp(((request_message *)request)->message_type.data, "conformance.FailureSet") == 0)
            name_failures(response);
        else
            respond(request, response);
        mrpc_release(request);
    }
    put_response(response);
    mrpc_release(response);
}

static size_t take_size(void)
{
    uint8_t bytes[4];
    if (fread(bytes, 1, sizeof bytes, stdin) != sizeof bytes)
        return SIZE_MAX;
    return (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
}

int main(void)
{
    for (size_t size; (size = take_size()) != SIZE_MAX;) {
        void *bytes = size > REQUEST_MAX ? NULL : malloc(size + 1);
        if (bytes == NULL || fread(bytes, 1, size, stdin) != size) {
            fprintf(stderr, "testee: a request of %zu bytes is too large, or ended early\n", size);
            return 1;
        }
        handle(bytes, size);
        free(bytes);
    }
    return 0;
}
