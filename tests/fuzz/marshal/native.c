/* SPDX-License-Identifier: BSD-2-Clause */
/* native.c - fuzz target: a native block that is accepted is canonical, and its message survives the protobuf encoding
 */
#include "tests/fuzz/marshal/target.h"

static void check_canonical(const mrpc_type *type, const void *message, const uint8_t *original, size_t size)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    REQUIRE(target_codec(type)->marshal(&buffer.gather, message) == 0);
    REQUIRE(buffer.gather.size == size && memcmp(buffer.gather.block, original, size) == 0);
    mrpc_gather_buffer_free(&buffer);
}

/* Unknown fields are bytes like any others in a block, so that they need not make sense as protobuf. */
static void check_protobuf(const mrpc_type *type, const void *message)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    REQUIRE(target_codec(type)->encode(&buffer.gather, message) == 0);
    mrpc_release(target_decode(type, buffer.gather.block, buffer.gather.size));
    mrpc_gather_buffer_free(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const mrpc_type *type = target_type(data[0]);
    char *block = target_copy(data + 1, size - 1);
    mrpc_scatter scatter = {.block = block, .size = size - 1, .depth = MRPC_DEPTH_LIMIT};
    if (target_codec(type)->unmarshal(&scatter) == 0) {
        check_canonical(type, block, data + 1, size - 1);
        check_protobuf(type, block);
    } else {
        REQUIRE(scatter.where != NULL && scatter.what != NULL);
    }
    free(block);
    return 0;
}
