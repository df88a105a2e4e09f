/* SPDX-License-Identifier: BSD-2-Clause */
/* protobuf_c.c - see protobuf_c.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <protobuf-c/protobuf-c.h>

#include "marshal/fields.h"
#include "tests/differential/protobuf_c.h"

enum { DEPTH = 3 };

static const mrpc_type *find_type(const compared_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->file_count; i++) {
        const mrpc_type *type = mrpc_file_find_type(schema->files[i], name);
        if (type != NULL)
            return type;
    }
    return NULL;
}

/* Unpacks the bytes and packs the message again. */
static test_bytes repack(const protobuf_c_type *with, const test_bytes *bytes)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(with, NULL, bytes->size, (const uint8_t *)bytes->data);
    if (message == NULL)
        fail_msg("%s: protobuf-c refuses what was written", with->name);
    size_t size = protobuf_c_message_get_packed_size(message);
    test_bytes packed = {malloc(size + 1), size};
    assert_non_null(packed.data);
    assert_int_equal(protobuf_c_message_pack(message, (uint8_t *)packed.data), size);
    protobuf_c_message_free_unpacked(message, NULL);
    return packed;
}

static void *decode(const mrpc_type *type, const test_bytes *bytes)
{
    void *message;
    mrpc_error error;
    if (mrpc_message_decode(type, bytes->data, bytes->size, NULL, &message, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    return message;
}

/* Written here, read and written by protobuf-c, and read here again. In the entry of a map it leaves a key or value out
 * that is zero. */
static void compare_message(const mrpc_type *type, const protobuf_c_type *with, const test_bytes *bytes, bool has_maps)
{
    void *message = decode(type, bytes);
    test_bytes ours = test_encode(type, message, NULL), theirs = repack(with, &ours);
    if (!has_maps)
        compare_bytes(type, "protobuf-c writes it otherwise", &ours, &theirs);
    void *again = decode(type, &theirs);
    assert_true(mrpc_message_equal(type, message, again));
    mrpc_release(message);
    mrpc_release(again);
    test_bytes_free(&ours);
    test_bytes_free(&theirs);
}

static bool find_maps(const compared_schema *schema)
{
    for (size_t f = 0; f < schema->file_count; f++)
        for (uint32_t i = 0; i < schema->files[f]->type_count; i++)
            if (mrpc_type_is_entry(schema->files[f]->types[i]))
                return true;
    return false;
}

size_t compare_protobuf_c(const compared_schema *schema, const protobuf_c_type *const *types, random_source *source,
                          unsigned rounds)
{
    size_t compared = 0;
    bool has_maps = find_maps(schema);
    for (; *types != NULL; types++) {
        const mrpc_type *type = find_type(schema, (*types)->name);
        if (type == NULL)
            continue; /* the entry of a map, which is a message to protobuf-c */
        for (unsigned round = 0; round < rounds; round++, compared++) {
            test_bytes bytes = peer_random(schema->peer, type->name, source, DEPTH);
            compare_message(type, *types, &bytes, has_maps);
            test_bytes_free(&bytes);
        }
    }
    return compared;
}
