/* SPDX-License-Identifier: BSD-2-Clause */
/* codec_help.c - see codec_help.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "marshal/gather.h"
#include "marshal/table.h"
#include "tests/unit/marshal/codec_help.h"

test_bytes test_bytes_copy(const void *data, size_t size)
{
    test_bytes bytes = {.data = malloc(size != 0 ? size : 1), .size = size};
    assert_non_null(bytes.data);
    if (size != 0)
        memcpy(bytes.data, data, size);
    return bytes;
}

void test_bytes_free(test_bytes *bytes)
{
    free(bytes->data);
    *bytes = (test_bytes){0};
}

const mrpc_codec *codec_of(const mrpc_type *type)
{
    assert_non_null(type->file->linked);
    const mrpc_codec *codec = &type->file->linked->codecs[type->codec];
    assert_string_equal(codec->name, type->name);
    assert_int_equal(codec->size, type->size);
    return codec;
}

static void take_reason(test_reason *reason, int error, const char *where, const char *what, size_t at)
{
    assert_non_null(where);
    assert_non_null(what);
    if (reason == NULL)
        fail_msg("%s %s, at %zu (%d)", where, what, at, error);
    *reason = (test_reason){.error = error, .at = at};
    (void)snprintf(reason->where, sizeof reason->where, "%s", where);
    (void)snprintf(reason->what, sizeof reason->what, "%s", what);
}

static test_bytes finish(mrpc_gather_buffer *buffer, int error, test_reason *reason)
{
    test_bytes bytes = {0};
    if (error == 0)
        bytes = test_bytes_copy(buffer->gather.block, buffer->gather.size);
    else
        take_reason(reason, error, buffer->gather.where, buffer->gather.what, 0);
    mrpc_gather_buffer_free(buffer);
    return bytes;
}

test_bytes test_marshal(const mrpc_type *type, const void *message, test_reason *reason)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    return finish(&buffer, codec_of(type)->marshal(&buffer.gather, message), reason);
}

test_bytes test_encode(const mrpc_type *type, const void *message, test_reason *reason)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    return finish(&buffer, codec_of(type)->encode(&buffer.gather, message), reason);
}

void *test_unmarshal(const mrpc_type *type, const void *block, size_t size, test_bytes *copy, test_reason *reason)
{
    *copy = test_bytes_copy(block, size);
    mrpc_scatter scatter = {.block = copy->data, .size = size, .depth = MRPC_DEPTH_LIMIT};
    int error = codec_of(type)->unmarshal(&scatter);
    if (error == 0)
        return copy->data;
    assert_int_equal(error, MRPC_EFORMAT);
    take_reason(reason, error, scatter.where, scatter.what, scatter.cursor);
    test_bytes_free(copy);
    return NULL;
}

void *test_decode(const mrpc_type *type, const void *data, size_t size, test_reason *reason)
{
    test_bytes copy = test_bytes_copy(data, size);
    mrpc_message *message = mrpc_message_new(type, NULL);
    assert_non_null(message);
    const uint8_t *start = (const uint8_t *)copy.data;
    mrpc_decoder decoder = {.start = start,
                            .cursor = start,
                            .end = start + size,
                            .arena = message->arena,
                            .grow = mrpc_arena_grow,
                            .depth = MRPC_DEPTH_LIMIT};
    int error = codec_of(type)->decode(&decoder, message);
    assert_in_range(decoder.cursor - start, 0, size);
    if (error != 0) {
        assert_int_equal(error, MRPC_EFORMAT);
        take_reason(reason, error, decoder.where, decoder.what, (size_t)(decoder.cursor - start));
        mrpc_release(message);
        message = NULL;
    }
    test_bytes_free(&copy);
    return message;
}

void *test_decode_by_table(const mrpc_type *type, const test_bytes *bytes)
{
    mrpc_message *message = mrpc_message_new(type, NULL);
    assert_non_null(message);
    const uint8_t *start = (const uint8_t *)bytes->data;
    mrpc_decoder decoder = {.start = start,
                            .cursor = start,
                            .end = start + bytes->size,
                            .arena = message->arena,
                            .grow = mrpc_arena_grow,
                            .depth = MRPC_DEPTH_LIMIT};
    if (mrpc_table_decode(type, &decoder, message) == 0)
        return message;
    mrpc_release(message);
    return NULL;
}
