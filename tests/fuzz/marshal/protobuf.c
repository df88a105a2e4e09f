/* SPDX-License-Identifier: BSD-2-Clause */
/* protobuf.c - fuzz target: a message that was decoded is the same after a round through either encoding */
#include "tests/fuzz/marshal/target.h"

static void check_encoding(const mrpc_type *type, const void *message)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    REQUIRE(target_codec(type)->encode(&buffer.gather, message) == 0);
    mrpc_message *again = target_decode(type, buffer.gather.block, buffer.gather.size);
    REQUIRE(again != NULL && mrpc_message_equal(type, message, again));
    mrpc_release(again);
    mrpc_gather_buffer_free(&buffer);
}

static void check_native(const mrpc_type *type, const void *message)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    REQUIRE(target_codec(type)->marshal(&buffer.gather, message) == 0);
    char *block = target_copy(buffer.gather.block, buffer.gather.size);
    mrpc_scatter scatter = {.block = block, .size = buffer.gather.size, .depth = MRPC_DEPTH_LIMIT};
    REQUIRE(target_codec(type)->unmarshal(&scatter) == 0);
    REQUIRE(mrpc_message_equal(type, message, block));
    free(block);
    mrpc_gather_buffer_free(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const mrpc_type *type = target_type(data[0]);
    mrpc_message *message = target_decode(type, data + 1, size - 1);
    if (message != NULL) {
        check_encoding(type, message);
        check_native(type, message);
        mrpc_release(message);
    }
    return 0;
}
