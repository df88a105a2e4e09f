/* SPDX-License-Identifier: BSD-2-Clause */
/* test_round_trip.c - random messages through both encodings, whole, cut off and with changed bytes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "everything.mrpc.h"
#include "everything2.mrpc.h"
#include "marshal/gather.h"
#include "marshal/table.h"
#include "tests/unit/marshal/codec_help.h"
#include "tests/unit/marshal/random_message.h"

enum { ROUNDS = 300, DAMAGED_ROUNDS = 20, EXTENTS = 2048, DEPTH = 4 };

static const mrpc_type *const types[] = {
    &everything_Plain_type,     &everything_Optional_type,  &everything_Lists_type,       &everything_Maps_type,
    &everything_OneOf_type,     &everything_Tree_type,      &everything_Empty_type,       &everything_Everything_type,
    &everything2_Optional_type, &everything2_Required_type, &everything2_Lists_type,      &everything2_Groups_type,
    &everything2_Maps_type,     &everything2_Empty_type,    &everything2_Everything_type,
};

typedef void trial(random_source *source, const mrpc_type *type, void *message);

/* Runs `run` with `rounds` random messages of each type. */
static void with_messages(unsigned rounds, trial *run)
{
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (unsigned round = 0; round < rounds; round++) {
            random_source source;
            random_begin(&source, 1000 * t + round);
            void *message = random_message(&source, types[t], DEPTH);
            run(&source, types[t], message);
            mrpc_release(message);
        }
}

static void assert_same_bytes(const test_bytes *a, const test_bytes *b)
{
    assert_int_equal(a->size, b->size);
    if (a->size != 0)
        assert_memory_equal(a->data, b->data, a->size);
}

/* --- native --- */

static void try_native(random_source *source, const mrpc_type *type, void *message)
{
    (void)source;
    test_bytes copy, block = test_marshal(type, message, NULL);
    assert_int_equal(block.size % 8, 0);
    void *received = test_unmarshal(type, block.data, block.size, &copy, NULL);
    assert_true(mrpc_message_equal(type, message, received));
    test_bytes again = test_marshal(type, received, NULL);
    assert_same_bytes(&block, &again);
    test_bytes_free(&again);
    test_bytes_free(&copy);
    test_bytes_free(&block);
}

static void native_round_trip_gives_an_equal_message(void **state)
{
    (void)state;
    with_messages(ROUNDS, try_native);
}

/* --- native, with references --- */

/* Where the receiver has the payloads: copies, each alone. */
static void place_extents(const mrpc_gather *gather, mrpc_extent *placed)
{
    for (uint32_t i = 0; i < gather->extent_count; i++) {
        assert_true(gather->extents[i].size >= gather->threshold);
        placed[i].size = gather->extents[i].size;
        placed[i].data = test_bytes_copy(gather->extents[i].data, (size_t)gather->extents[i].size).data;
    }
}

static void try_extents(random_source *source, const mrpc_type *type, void *message)
{
    static mrpc_extent extents[EXTENTS], placed[EXTENTS];
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    buffer.gather.extents = extents;
    buffer.gather.extent_capacity = (uint32_t)(random_below(source, 3) == 0 ? 2 : EXTENTS);
    buffer.gather.threshold = (uint32_t)(1 + random_below(source, 100));
    assert_int_equal(codec_of(type)->marshal(&buffer.gather, message), 0);
    place_extents(&buffer.gather, placed);
    mrpc_scatter scatter = {.block = buffer.gather.block,
                            .size = buffer.gather.size,
                            .extents = placed,
                            .extent_count = buffer.gather.extent_count,
                            .depth = MRPC_DEPTH_LIMIT};
    assert_int_equal(codec_of(type)->unmarshal(&scatter), 0);
    assert_true(mrpc_message_equal(type, message, buffer.gather.block));
    for (uint32_t i = 0; i < buffer.gather.extent_count; i++)
        free((void *)(uintptr_t)placed[i].data);
    mrpc_gather_buffer_free(&buffer);
}

static void large_fields_are_referenced_and_come_back_equal(void **state)
{
    (void)state;
    with_messages(ROUNDS, try_extents);
}

/* --- protobuf --- */

static void try_protobuf(random_source *source, const mrpc_type *type, void *message)
{
    (void)source;
    test_bytes bytes = test_encode(type, message, NULL), block = test_marshal(type, message, NULL);
    void *decoded = test_decode(type, bytes.data, bytes.size, NULL);
    assert_true(mrpc_message_equal(type, message, decoded));
    test_bytes again = test_encode(type, decoded, NULL), native = test_marshal(type, decoded, NULL);
    assert_same_bytes(&bytes, &again);
    assert_same_bytes(&block, &native);
    test_bytes_free(&bytes);
    test_bytes_free(&again);
    test_bytes_free(&block);
    test_bytes_free(&native);
    mrpc_release(decoded);
}

static void protobuf_round_trip_gives_an_equal_message(void **state)
{
    (void)state;
    with_messages(ROUNDS, try_protobuf);
}

/* --- by tables --- */

/* Both refuse the bytes, or both make the same message of them. */
static void assert_decoded_alike(const mrpc_type *type, const test_bytes *bytes)
{
    test_reason reason;
    void *generated = test_decode(type, bytes->data, bytes->size, &reason), *table = test_decode_by_table(type, bytes);
    if ((generated == NULL) != (table == NULL))
        fail_msg("%s: only one refuses it; generated code: %s %s", type->name, reason.where, reason.what);
    if (generated != NULL && !mrpc_message_equal(type, generated, table)) {
        static char texts[2][10000];
        mrpc_message_text(type, generated, texts[0], sizeof texts[0]);
        mrpc_message_text(type, table, texts[1], sizeof texts[1]);
        fail_msg("%s: generated code makes\n%s\ntables make\n%s", type->name, texts[0], texts[1]);
    }
    mrpc_release(generated);
    mrpc_release(table);
}

static void try_tables(random_source *source, const mrpc_type *type, void *message)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    test_bytes bytes = test_encode(type, message, NULL);
    assert_int_equal(mrpc_table_encode(type, &buffer.gather, message), 0);
    assert_int_equal(buffer.gather.size, bytes.size);
    assert_true(bytes.size == 0 || memcmp(buffer.gather.block, bytes.data, bytes.size) == 0);
    mrpc_gather_buffer_free(&buffer);
    assert_decoded_alike(type, &bytes);
    for (unsigned i = 0; i < DAMAGED_ROUNDS && bytes.size > 0; i++) {
        char *damaged = &bytes.data[random_below(source, bytes.size)], before = *damaged;
        *damaged = (char)random_next(source);
        assert_decoded_alike(type, &bytes);
        *damaged = before;
    }
    test_bytes_free(&bytes);
}

static void tables_do_what_generated_code_does(void **state)
{
    (void)state;
    with_messages(ROUNDS, try_tables);
}

/* The message that is in the block encodes to the same bytes as the one that it was made from. */
static void try_both(random_source *source, const mrpc_type *type, void *message)
{
    (void)source;
    test_bytes copy, block = test_marshal(type, message, NULL), bytes = test_encode(type, message, NULL);
    void *received = test_unmarshal(type, block.data, block.size, &copy, NULL);
    test_bytes again = test_encode(type, received, NULL);
    assert_same_bytes(&bytes, &again);
    test_bytes_free(&copy);
    test_bytes_free(&block);
    test_bytes_free(&bytes);
    test_bytes_free(&again);
}

static void received_message_can_be_encoded(void **state)
{
    (void)state;
    with_messages(ROUNDS / 3, try_both);
}

/* --- for storage --- */

static void try_storage(random_source *source, const mrpc_type *type, void *message)
{
    (void)source;
    mrpc_error error;
    void *decoded;
    test_bytes bytes = test_encode(type, message, NULL);
    assert_int_equal(mrpc_message_encode(type, message, NULL, 0), bytes.size);
    test_bytes buffer = test_bytes_copy(bytes.data, bytes.size);
    memset(buffer.data, 0, buffer.size);
    assert_int_equal(mrpc_message_encode(type, message, buffer.data, buffer.size), bytes.size);
    assert_same_bytes(&bytes, &buffer);
    if (bytes.size != 0)
        assert_int_equal(mrpc_message_encode(type, message, buffer.data, buffer.size - 1), bytes.size);
    assert_int_equal(mrpc_message_decode(type, bytes.data, bytes.size, NULL, &decoded, &error), 0);
    assert_true(mrpc_message_equal(type, message, decoded));
    mrpc_release(decoded);
    test_bytes_free(&bytes);
    test_bytes_free(&buffer);
}

static void storage_functions_write_and_read_the_same(void **state)
{
    (void)state;
    with_messages(ROUNDS / 3, try_storage);
}

/* --- damaged input --- */

/* A block that is accepted is canonical: marshalled again it gives the same bytes. */
static void check_block(const mrpc_type *type, const char *block, size_t size)
{
    test_reason reason;
    test_bytes copy;
    void *received = test_unmarshal(type, block, size, &copy, &reason);
    if (received == NULL)
        return;
    test_bytes again = test_marshal(type, received, NULL), original = {(char *)(uintptr_t)block, size};
    assert_same_bytes(&original, &again);
    test_bytes_free(&again);
    test_bytes_free(&copy);
}

/* Bytes that are accepted give a message that both encodings can carry. */
static void check_protobuf(const mrpc_type *type, const char *bytes, size_t size)
{
    test_reason reason;
    void *decoded = test_decode(type, bytes, size, &reason);
    if (decoded == NULL)
        return;
    try_native(NULL, type, decoded);
    try_protobuf(NULL, type, decoded);
    mrpc_release(decoded);
}

static void try_cut(random_source *source, const mrpc_type *type, void *message)
{
    (void)source;
    test_bytes block = test_marshal(type, message, NULL), bytes = test_encode(type, message, NULL);
    test_reason reason;
    test_bytes copy;
    size_t step = block.size > 4096 ? 56 : 8;
    for (size_t size = 0; size < block.size; size += step)
        assert_null(test_unmarshal(type, block.data, size, &copy, &reason));
    assert_null(test_unmarshal(type, block.data, block.size - 1, &copy, &reason));
    for (size_t size = 0; size<bytes.size; size += bytes.size> 1024 ? 17 : 1)
        check_protobuf(type, bytes.data, size);
    test_bytes_free(&block);
    test_bytes_free(&bytes);
}

static void input_that_is_cut_off_is_refused(void **state)
{
    (void)state;
    with_messages(DAMAGED_ROUNDS, try_cut);
}

static void damage(random_source *source, test_bytes *bytes)
{
    static const uint8_t favourites[] = {0, 1, 2, 7, 8, 0x7f, 0x80, 0xff};
    uint8_t *at = (uint8_t *)bytes->data + random_below(source, bytes->size);
    switch (random_below(source, 3)) {
    case 0:
        *at = favourites[random_below(source, sizeof favourites)];
        break;
    case 1:
        *at = (uint8_t)(*at ^ 1u << random_below(source, 8));
        break;
    default:
        *at = (uint8_t)random_next(source);
    }
}

static void try_changed(random_source *source, const mrpc_type *type, void *message)
{
    test_bytes block = test_marshal(type, message, NULL), bytes = test_encode(type, message, NULL);
    for (unsigned i = 0; i < 200; i++) {
        test_bytes bad = test_bytes_copy(block.data, block.size);
        damage(source, &bad);
        check_block(type, bad.data, bad.size);
        test_bytes_free(&bad);
    }
    for (unsigned i = 0; i < 50 && bytes.size != 0; i++) {
        test_bytes bad = test_bytes_copy(bytes.data, bytes.size);
        damage(source, &bad);
        check_protobuf(type, bad.data, bad.size);
        test_bytes_free(&bad);
    }
    test_bytes_free(&block);
    test_bytes_free(&bytes);
}

static void changed_input_is_refused_or_a_proper_message(void **state)
{
    (void)state;
    with_messages(DAMAGED_ROUNDS, try_changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_round_trip_gives_an_equal_message),
        cmocka_unit_test(large_fields_are_referenced_and_come_back_equal),
        cmocka_unit_test(protobuf_round_trip_gives_an_equal_message),
        cmocka_unit_test(received_message_can_be_encoded),
        cmocka_unit_test(tables_do_what_generated_code_does),
        cmocka_unit_test(storage_functions_write_and_read_the_same),
        cmocka_unit_test(input_that_is_cut_off_is_refused),
        cmocka_unit_test(changed_input_is_refused_or_a_proper_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
