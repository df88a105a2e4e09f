/* SPDX-License-Identifier: BSD-2-Clause */
/* proto.c - an outside program that wants messages only: encodes, decodes and prints one with libmrpc-proto */
#include <mrpc/json.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "greeter.mrpc.h"

int main(void)
{
    outside_GreetRequest *request = outside_GreetRequest_new(NULL), *again = NULL;
    char bytes[64], *json = NULL;
    size_t size;
    mrpc_error error;
    if (request == NULL || mrpc_string_set(request, &request->name, "you") != 0 ||
        mrpc_list_append(request, &request->numbers, 7) != 0)
        return 1;
    int64_t written = outside_GreetRequest_encode(request, bytes, sizeof bytes);
    if (written < 0 || written > (int64_t)sizeof bytes ||
        outside_GreetRequest_decode(bytes, (size_t)written, NULL, &again, &error) != 0 ||
        mrpc_json_print(&outside_GreetRequest_type, again, NULL, &json, &size, &error) != 0)
        return 1;
    int result = strcmp(json, "{\"name\":\"you\",\"numbers\":[7]}") != 0;
    free(json);
    mrpc_release(again);
    mrpc_release(request);
    return result;
}
