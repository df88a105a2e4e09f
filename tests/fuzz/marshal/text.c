/* SPDX-License-Identifier: BSD-2-Clause */
/* text.c - fuzz target: text that is parsed is printed as text that is parsed to the same message */
#include <mrpc/text.h>

#include "tests/fuzz/marshal/target.h"

static char *print(const mrpc_type *type, const void *message, size_t *size)
{
    *size = mrpc_message_text(type, message, NULL, 0);
    char *text = malloc(*size + 1);
    REQUIRE(text != NULL && mrpc_message_text(type, message, text, *size + 1) == *size);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const mrpc_type *type = target_type(data[0]);
    char *text = target_copy(data + 1, size - 1);
    void *message, *again;
    mrpc_error error = {0};
    if (mrpc_message_from_text(type, text, size - 1, NULL, NULL, &message, &error) == 0) {
        size_t length;
        char *printed = print(type, message, &length);
        REQUIRE(mrpc_message_from_text(type, printed, length, NULL, NULL, &again, &error) == 0);
        REQUIRE(mrpc_message_equal(type, message, again));
        free(printed);
        mrpc_release(again);
        mrpc_release(message);
    } else {
        REQUIRE(error.code == MRPC_EFORMAT && strncmp(error.text, "line ", 5) == 0);
    }
    free(text);
    return 0;
}
