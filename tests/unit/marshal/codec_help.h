/* SPDX-License-Identifier: BSD-2-Clause */
/* codec_help.h - calling the codec of a type, with memory that sanitizers watch to the byte */
#ifndef MRPC_CODEC_HELP_H
#define MRPC_CODEC_HELP_H

#include <mrpc/marshal.h>

/* Bytes from malloc, exactly as many as there are. */
typedef struct test_bytes {
    char *data; /* aligned to 8 */
    size_t size;
} test_bytes;

/* The last failure of a helper below. */
typedef struct test_reason {
    int error;
    char where[128], what[128];
    size_t at;
} test_reason;

test_bytes test_bytes_copy(const void *data, size_t size);
void test_bytes_free(test_bytes *bytes);

const mrpc_codec *codec_of(const mrpc_type *type);

/* Each fails the test when it is refused, and when `reason` is NULL; with it the bytes are then empty, and the message
 * NULL. */
test_bytes test_marshal(const mrpc_type *type, const void *message, test_reason *reason);
test_bytes test_encode(const mrpc_type *type, const void *message, test_reason *reason);

/* Unmarshals a copy of `size` bytes. The message lies in *copy, and is not released. */
void *test_unmarshal(const mrpc_type *type, const void *block, size_t size, test_bytes *copy, test_reason *reason);

/* The caller releases the message. */
void *test_decode(const mrpc_type *type, const void *data, size_t size, test_reason *reason);

/* The same by the tables of the type. NULL: it was refused. */
void *test_decode_by_table(const mrpc_type *type, const test_bytes *bytes);

#endif /* MRPC_CODEC_HELP_H */
