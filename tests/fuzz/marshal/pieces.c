/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pieces.c - fuzz target: bytes in several buffers are decoded as they are in one, and messages encoded as lists of
 * pieces are the same bytes
 *
 * The second byte of an input says where it is cut.
 */
#include "everything2.mrpc.h"
#include "tests/fuzz/marshal/target.h"

enum { PIECES = 4096, LIST = 40 };

static const mrpc_type *any_type(uint8_t selector)
{
    static const mrpc_type *const types[] = {&everything2_Optional_type, &everything2_Required_type,
                                             &everything2_Lists_type,    &everything2_Groups_type,
                                             &everything2_Maps_type,     &everything2_Everything_type};
    return selector < 128 ? target_type(selector) : types[selector % (sizeof types / sizeof *types)];
}

/* Buffers of 0 to `selector` % 64 bytes, each alone. Returns how many. */
static size_t cut(const uint8_t *data, size_t size, uint8_t selector, struct iovec *pieces)
{
    size_t count = 0, at = 0;
    for (uint32_t state = selector; at < size && count < PIECES - 1; count++) {
        state = state * 1103515245 + 12345;
        size_t bytes = (state >> 16) % (1 + selector % 64u);
        bytes = bytes < size - at ? bytes : size - at;
        pieces[count] = (struct iovec){target_copy(data + at, bytes), bytes};
        at += bytes;
    }
    pieces[count++] = (struct iovec){target_copy(data + at, size - at), size - at};
    return count;
}

static void check_encoding(const mrpc_type *type, const void *message)
{
    struct iovec pieces[LIST];
    void *buffer = NULL, *again = NULL;
    size_t count = LIST, size = 0;
    mrpc_error error;
    int64_t bytes = mrpc_message_encode_iov(type, message, 65, pieces, &count, &buffer, &size);
    REQUIRE(bytes >= 0 && bytes == mrpc_message_encode(type, message, NULL, 0));
    REQUIRE(mrpc_message_decode_iov(type, pieces, count, true, NULL, &again, &error) == 0);
    REQUIRE(mrpc_message_equal(type, message, again));
    mrpc_release(again);
    free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct iovec pieces[PIECES];
    void *whole = NULL, *cut_up = NULL;
    mrpc_error first, second;
    if (size < 2)
        return 0;
    const mrpc_type *type = any_type(data[0]);
    size_t count = cut(data + 2, size - 2, data[1], pieces);
    int result = mrpc_message_decode(type, data + 2, size - 2, NULL, &whole, &first);
    REQUIRE(mrpc_message_decode_iov(type, pieces, count, size % 2 != 0, NULL, &cut_up, &second) == result);
    if (result == 0) {
        REQUIRE(mrpc_message_equal(type, whole, cut_up));
        check_encoding(type, cut_up);
    } else {
        REQUIRE(strcmp(mrpc_error_text(&first), mrpc_error_text(&second)) == 0);
    }
    mrpc_release(whole);
    mrpc_release(cut_up);
    while (count > 0)
        free(pieces[--count].iov_base);
    return 0;
}
