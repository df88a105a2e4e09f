/* SPDX-License-Identifier: BSD-2-Clause */
/* json.c - fuzz target: JSON that is parsed is printed as JSON that is parsed to the same message */
#include <mrpc/json.h>

#include "tests/fuzz/marshal/target.h"

static void check_round(const mrpc_type *type, const void *message)
{
    char *text;
    void *again;
    size_t size;
    mrpc_error error = {0};
    REQUIRE(mrpc_json_print(type, message, NULL, &text, &size, &error) == 0);
    REQUIRE(mrpc_json_parse(type, text, size, NULL, NULL, &again, &error) == 0);
    REQUIRE(mrpc_message_equal(type, message, again));
    mrpc_release(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const mrpc_type *type = target_type(data[0]);
    char *text = target_copy(data + 1, size - 1);
    void *message;
    mrpc_error error = {0};
    if (mrpc_json_parse(type, text, size - 1, NULL, NULL, &message, &error) == 0) {
        check_round(type, message);
        mrpc_release(message);
    } else {
        REQUIRE(error.code == MRPC_EFORMAT && strncmp(error.text, "line ", 5) == 0);
    }
    free(text);
    return 0;
}
