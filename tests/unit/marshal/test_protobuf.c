/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_protobuf.c - decoding what other implementations may write, and what none should
 *
 * The rules are those of https://protobuf.dev/programming-guides/encoding
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "everything.mrpc.h"
#include "tests/unit/marshal/codec_help.h"

/* The bytes of a string literal, without its NUL. */
#define BYTES(text) text, sizeof(text) - 1

static void assert_refused(const mrpc_type *type, const char *bytes, size_t size, const char *where, const char *what)
{
    test_reason reason = {0};
    void *message = test_decode(type, bytes, size, &reason);
    assert_null(message);
    assert_string_equal(reason.where, where);
    if (strstr(reason.what, what) == NULL)
        fail_msg("the reason is: %s", reason.what);
}

/* Decoded, and encoded again, it is `expected`. */
static void assert_becomes(const mrpc_type *type, const char *bytes, size_t size, const char *expected,
                           size_t expected_size)
{
    void *message = test_decode(type, bytes, size, NULL);
    test_bytes encoded = test_encode(type, message, NULL);
    assert_int_equal(encoded.size, expected_size);
    assert_memory_equal(encoded.data, expected, expected_size);
    test_bytes_free(&encoded);
    mrpc_release(message);
}

static void numbers_are_read_in_any_length(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_Plain_type;
    assert_becomes(type, BYTES("\x28\x05"), BYTES("\x28\x05"));
    assert_becomes(type, BYTES("\x28\x85\x80\x80\x00"), BYTES("\x28\x05"));
    assert_becomes(type, BYTES("\x28\x85\x80\x80\x80\x80\x80\x80\x80\x80\x00"), BYTES("\x28\x05"));
    assert_becomes(type, BYTES("\xa8\x80\x00\x05"), BYTES("\x28\x05")); /* the tag */
    assert_becomes(type, BYTES("\x28\xff\xff\xff\xff\x0f"),
                   BYTES("\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));      /* -1 */
    assert_becomes(type, BYTES("\x28\x80\x80\x80\x80\x10\x28\x00"), BYTES("")); /* 64 bits into 32, then 0 */
    assert_becomes(type, BYTES("\x40\x80\x02"), BYTES("\x40\x01"));             /* a bool */
    assert_becomes(type, BYTES("\x88\x01\x03"), BYTES("\x88\x01\x03"));
    assert_refused(type, BYTES("\x28"), "everything.Plain.an_int32", "cut off");
    assert_refused(type, BYTES("\x28\x80"), "everything.Plain.an_int32", "cut off");
    assert_refused(type, BYTES("\x28\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"), "everything.Plain.an_int32",
                   "too long");
    assert_refused(type, BYTES("\x28\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), "everything.Plain.an_int32",
                   "too long");
    assert_refused(type, BYTES("\x31\x00\x00\x00\x00\x00\x00\x00"), "everything.Plain.a_fixed64", "cut off");
    assert_refused(type, BYTES("\x3d\x00\x00\x00"), "everything.Plain.a_fixed32", "cut off");
}

static void tags_are_validated(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_Plain_type;
    assert_refused(type, BYTES("\x00\x00"), "everything.Plain", "number 0");
    assert_refused(type, BYTES("\x03"), "everything.Plain", "number 0");
    assert_refused(type, BYTES("\x06"), "everything.Plain", "number 0");
    assert_refused(type, BYTES("\x2e\x00"), "everything.Plain", "wire type");
    assert_refused(type, BYTES("\x2f\x00"), "everything.Plain", "wire type");
    assert_refused(type, BYTES("\x2c"), "everything.Plain", "wire type"); /* the end of a group */
    assert_refused(type, BYTES("\xa8"), "everything.Plain", "tag");
    assert_refused(type, BYTES("\xa8\x80\x80\x80\x80\x00\x05"), "everything.Plain", "tag");
    assert_refused(type, BYTES("\xa8\x80\x80\x80\x10\x05"), "everything.Plain", "tag");
}

static void lengths_are_validated(void **state)
{
    (void)state;
    assert_refused(&everything_Plain_type, BYTES("\x4a\x02x"), "everything.Plain.a_string", "length");
    assert_refused(&everything_Plain_type, BYTES("\x62\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"),
                   "everything.Plain.some_bytes", "length");
    assert_refused(&everything_Plain_type, BYTES("\xa2\x06\x02x"), "everything.Plain", "length");
    assert_refused(&everything_Lists_type, BYTES("\x3a\x03\x01\x02\x03"), "everything.Lists.fixed32s", "multiple");
    assert_refused(&everything_Lists_type, BYTES("\x2a\x02\x01\x80\x01"), "everything.Lists.int32s", "cut off");
    assert_refused(&everything_Everything_type, BYTES("\x0a\x02\x28\x80\x01"), "everything.Plain.an_int32", "cut off");
}

static void text_must_be_utf8(void **state)
{
    (void)state;
    assert_refused(&everything_Plain_type, BYTES("\x4a\x01\xff"), "everything.Plain.a_string", "UTF-8");
    assert_refused(&everything_Lists_type, BYTES("\x4a\x02\xc3("), "everything.Lists.strings", "UTF-8");
    assert_refused(&everything_Maps_type, BYTES("\x72\x03\x0a\x01\xff"), "everything.Maps.StringsEntry.key", "UTF-8");
    assert_becomes(&everything_Plain_type, BYTES("\x62\x01\xff"), BYTES("\x62\x01\xff"));
}

static void lists_are_read_packed_and_loose(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_Lists_type;
    assert_becomes(type, BYTES("\x28\x01\x2a\x02\x02\x03\x28\x04"), BYTES("\x2a\x04\x01\x02\x03\x04"));
    assert_becomes(type, BYTES("\xfa\x01\x02\x02\x03\xf8\x01\x04"), BYTES("\xf8\x01\x02\xf8\x01\x03\xf8\x01\x04"));
    assert_becomes(type, BYTES("\x2a\x00"), BYTES(""));
    assert_becomes(type, BYTES("\x3d\x01\x00\x00\x00\x3a\x04\x02\x00\x00\x00"),
                   BYTES("\x3a\x08\x01\x00\x00\x00\x02\x00\x00\x00"));
}

static void the_last_value_wins_and_messages_merge(void **state)
{
    (void)state;
    assert_becomes(&everything_Plain_type, BYTES("\x4a\x01x\x4a\x02yz"), BYTES("\x4a\x02yz"));
    assert_becomes(&everything_Everything_type, BYTES("\x0a\x02\x28\x01\x0a\x05\x4a\x01x\x28\x02"),
                   BYTES("\x0a\x05\x28\x02\x4a\x01x"));
    /* The same member of a oneof merges, another one replaces. */
    assert_becomes(&everything_OneOf_type, BYTES("\x2a\x02\x28\x01\x2a\x03\x4a\x01x"),
                   BYTES("\x2a\x05\x28\x01\x4a\x01x"));
    assert_becomes(&everything_OneOf_type, BYTES("\x2a\x02\x28\x01\x10\x07\x2a\x03\x4a\x01x"),
                   BYTES("\x2a\x03\x4a\x01x"));
    assert_becomes(&everything_OneOf_type, BYTES("\x10\x07\x1a\x01x"), BYTES("\x1a\x01x"));
    assert_becomes(&everything_OneOf_type, BYTES("\x10\x00"), BYTES("\x10\x00"));
}

static void presence_is_kept(void **state)
{
    (void)state;
    assert_becomes(&everything_Optional_type, BYTES("\x28\x00\x4a\x00"), BYTES("\x28\x00\x4a\x00"));
    assert_becomes(&everything_Plain_type, BYTES("\x28\x00\x4a\x00"), BYTES(""));
    assert_becomes(&everything_Plain_type, BYTES("\x15\x00\x00\x00\x80"),
                   BYTES("\x15\x00\x00\x00\x80")); /* minus zero is not zero */
}

static void entries_of_maps_may_be_incomplete_or_repeated(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_Maps_type;
    assert_becomes(type, BYTES("\x0a\x00"), BYTES("\x0a\x04\x08\x00\x10\x00"));
    assert_becomes(type, BYTES("\x72\x00"), BYTES("\x72\x04\x0a\x00\x12\x00"));
    assert_becomes(type, BYTES("\x8a\x01\x03\x0a\x01k"), BYTES("\x8a\x01\x05\x0a\x01k\x12\x00"));
    /* In any order, with fields that are not known, which are dropped; the last one of a key wins. */
    assert_becomes(type, BYTES("\x0a\x04\x10\x05\x08\x02\x0a\x04\x08\x01\x10\x07\x0a\x06\x08\x02\x18\x01\x10\x06"),
                   BYTES("\x0a\x04\x08\x01\x10\x07\x0a\x04\x08\x02\x10\x06"));
    assert_becomes(type, BYTES("\x0a\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x01\x0a\x04\x08\x00\x10\x02"),
                   BYTES("\x0a\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x01\x0a\x04\x08\x00\x10\x02"));
    assert_becomes(type, BYTES("\x6a\x04\x08\x01\x10\x01\x6a\x02\x10\x01\x6a\x04\x08\x01\x10\x00"),
                   BYTES("\x6a\x04\x08\x00\x10\x01\x6a\x04\x08\x01\x10\x00"));
    /* A value replaces, it does not merge. */
    assert_becomes(type, BYTES("\x8a\x01\x07\x0a\x01k\x12\x02\x28\x01\x8a\x01\x08\x0a\x01k\x12\x03\x4a\x01x"),
                   BYTES("\x8a\x01\x08\x0a\x01k\x12\x03\x4a\x01x"));
    assert_refused(type, BYTES("\x0a\x02\x08\x80\x01"), "everything.Maps.Int32sEntry.key", "cut off");
}

/* A map below another message that comes in pieces is sorted as a whole. */
static void maps_of_merged_messages_are_sorted(void **state)
{
    (void)state;
    assert_becomes(&everything_Everything_type,
                   BYTES("\x22\x06\x0a\x04\x08\x05\x10\x01\x22\x0c\x0a\x04\x08\x03\x10\x02\x0a\x04\x08\x05\x10\x03"),
                   BYTES("\x22\x0c\x0a\x04\x08\x03\x10\x02\x0a\x04\x08\x05\x10\x03"));
    assert_becomes(&everything_Tree_type,
                   BYTES("\x22\x05\x0a\x01\x62\x12\x00\x22\x0f\x0a\x01\x61\x12\x0a\x22\x03\x0a\x01z\x22\x03\x0a\x01y"),
                   BYTES("\x22\x13\x0a\x01\x61\x12\x0e\x22\x05\x0a\x01y\x12\x00\x22\x05\x0a\x01z\x12\x00\x22\x05\x0a"
                         "\x01\x62\x12\x00"));
}

static void unknown_fields_are_kept(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_Newer_type;
    /* A varint, 8 bytes, a run, 4 bytes and a group with a group in it; then a field that is known, of another wire
     * type. */
    static const char bytes[] = "\xf8\x3f\x96\x01\xf9\x3f"
                                "12345678\xfa\x3f\x02"
                                "ab\xfd\x3f"
                                "1234\xfb\x3f\x0b\x08\x01\x0c\x10\x02\xfc\x3f\x2a\x01z";
    assert_becomes(type, BYTES("\x28\x01"), BYTES("\x28\x01"));
    assert_becomes(type, BYTES(bytes), BYTES(bytes));
    test_bytes between = {malloc(2 * sizeof bytes), 2 * (sizeof bytes - 1) + 2};
    assert_non_null(between.data);
    memcpy(between.data, bytes, sizeof bytes - 1);
    memcpy(between.data + sizeof bytes - 1, "\x28\x01", 2);
    memcpy(between.data + sizeof bytes + 1, bytes, sizeof bytes - 1);
    void *message = test_decode(type, between.data, between.size, NULL);
    test_bytes encoded = test_encode(type, message, NULL);
    assert_int_equal(encoded.size, between.size);
    assert_memory_equal(encoded.data, "\x28\x01", 2);
    assert_memory_equal(encoded.data + 2, bytes, sizeof bytes - 1);
    assert_memory_equal(encoded.data + sizeof bytes + 1, bytes, sizeof bytes - 1);
    test_bytes_free(&between);
    test_bytes_free(&encoded);
    mrpc_release(message);
}

static void groups_must_end(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_Empty_type;
    assert_becomes(type, BYTES("\x0b\x0c"), BYTES("\x0b\x0c"));
    assert_refused(type, BYTES("\x0b"), "everything.Empty", "does not end");
    assert_refused(type, BYTES("\x0b\x14"), "everything.Empty", "another number");
    assert_refused(type, BYTES("\x0b\x13\x0c"), "everything.Empty", "another number");
    assert_refused(type, BYTES("\x0b\x00\x0c"), "everything.Empty", "number 0");
    char deep[2 * (MRPC_DEPTH_LIMIT + 1)];
    memset(deep, 0x0b, sizeof deep / 2);
    memset(deep + sizeof deep / 2, 0x0c, sizeof deep / 2);
    assert_refused(type, deep, sizeof deep, "everything.Empty", "deep");
    assert_becomes(type, deep + 1, sizeof deep - 2, deep + 1, sizeof deep - 2);
}

/* `count` messages, each in the field `tag` of the one before. */
static test_bytes nested(char tag, size_t count)
{
    char *end = malloc(4 * count + 1), *at = end + 4 * count;
    assert_non_null(end);
    test_bytes bytes = {end, 0};
    for (; count > 0; count--) {
        size_t size = bytes.size;
        *--at = size < 0x80 ? (char)size : (char)(size >> 7);
        if (size >= 0x80)
            *--at = (char)(size | 0x80);
        *--at = tag;
        bytes.size += size < 0x80 ? 2 : 3;
    }
    memmove(bytes.data, at, bytes.size);
    return bytes;
}

static void nesting_is_limited(void **state)
{
    (void)state;
    test_bytes deep = nested('\x12', MRPC_DEPTH_LIMIT), deeper = nested('\x12', MRPC_DEPTH_LIMIT + 1);
    assert_becomes(&everything_Tree_type, deep.data, deep.size, deep.data, deep.size);
    assert_refused(&everything_Tree_type, deeper.data, deeper.size, "everything.Tree.left", "deep");
    test_bytes_free(&deep);
    test_bytes_free(&deeper);
    /* An entry of a map counts as a message: of Maps in Maps there may be half as many. */
    test_bytes bytes = {malloc(16384), 0};
    char *at = bytes.data + 16384;
    for (size_t i = 0; i < MRPC_DEPTH_LIMIT / 2; i++) {
        for (const char *tags = "\x12\x92"; *tags != 0; tags++) {
            size_t size = bytes.size;
            *--at = size < 0x80 ? (char)size : (char)(size >> 7);
            if (size >= 0x80)
                *--at = (char)(size | 0x80);
            bytes.size += size < 0x80 ? 1 : 2;
            if (*tags == '\x92') {
                *--at = 0x01;
                bytes.size++;
            }
            *--at = *tags;
            bytes.size++;
        }
    }
    test_reason reason = {0};
    void *message = test_decode(&everything_Maps_type, at, bytes.size, NULL);
    test_bytes native = test_marshal(&everything_Maps_type, message, NULL),
               again = test_encode(&everything_Maps_type, message, NULL);
    test_bytes_free(&native);
    test_bytes_free(&again);
    everything_Maps outer = {0};
    everything_Maps_maps_entry entry = {.value = message};
    outer.maps.data = &entry;
    outer.maps.size = 1;
    (void)test_marshal(&everything_Maps_type, &outer, &reason);
    assert_int_equal(reason.error, MRPC_EINVAL);
    reason = (test_reason){0};
    (void)test_encode(&everything_Maps_type, &outer, &reason);
    assert_int_equal(reason.error, MRPC_EINVAL);
    mrpc_release(message);
    test_bytes_free(&bytes);
}

/* A message that was zeroed and never constructed is completed: no string of it is NULL. */
static void zeroed_message_is_completed(void **state)
{
    (void)state;
    mrpc_arena *arena = mrpc_arena_new(NULL, 0);
    everything_Plain plain = {.base = {.arena = arena}};
    const uint8_t nothing[1] = {0};
    mrpc_decoder decoder = {
        .start = nothing, .cursor = nothing, .end = nothing, .arena = arena, .grow = mrpc_arena_grow};
    assert_int_equal(codec_of(&everything_Plain_type)->decode(&decoder, &plain), 0);
    assert_string_equal(plain.a_string.data, "");
    mrpc_arena_free(arena);
}

/* --- time and memory stay in proportion to the input --- */

enum { HOSTILE = 200000 };

/* Decodes `count` times `part`, in which the last `digits` bytes before its end count down, and says how much memory it
 * took. */
static void decode_repeated(const mrpc_type *type, const char *part, size_t size, size_t digits_at, bool count_down)
{
    test_bytes bytes = {malloc(HOSTILE * size), HOSTILE * size};
    assert_non_null(bytes.data);
    for (size_t i = 0; i < HOSTILE; i++) {
        memcpy(bytes.data + i * size, part, size);
        uint32_t number = (uint32_t)(HOSTILE - i);
        for (size_t d = 0; count_down && d < 3; d++, number >>= 7)
            bytes.data[i * size + digits_at + d] = (char)(number | (d < 2 ? 0x80 : 0));
    }
    mrpc_message *message = test_decode(type, bytes.data, bytes.size, NULL);
    assert_true(mrpc_arena_bytes(message->arena) < 64 * bytes.size + 65536);
    mrpc_release(message);
    test_bytes_free(&bytes);
}

static void hostile_input_takes_linear_time(void **state)
{
    (void)state;
    decode_repeated(&everything_Maps_type, BYTES("\x0a\x06\x08\x80\x80\x00\x10\x01"), 3, true); /* keys go down */
    decode_repeated(&everything_Everything_type, BYTES("\x22\x08\x0a\x06\x08\x80\x80\x00\x10\x01"), 5,
                    true);                                                                 /* in pieces */
    decode_repeated(&everything_Everything_type, BYTES("\x0a\x03\x98\x06\x07"), 0, false); /* unknown, in pieces */
    decode_repeated(&everything_Everything_type, BYTES("\x1a\x03\x2a\x01\x07"), 0, false); /* packed, in pieces */
    decode_repeated(&everything_Maps_type, BYTES("\x0a\x00"), 0, false);                   /* one key */
    decode_repeated(&everything_OneOf_type, BYTES("\x2a\x00\x10\x07"), 0, false);          /* back and forth */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_in_any_length),
        cmocka_unit_test(tags_are_validated),
        cmocka_unit_test(lengths_are_validated),
        cmocka_unit_test(text_must_be_utf8),
        cmocka_unit_test(lists_are_read_packed_and_loose),
        cmocka_unit_test(the_last_value_wins_and_messages_merge),
        cmocka_unit_test(presence_is_kept),
        cmocka_unit_test(entries_of_maps_may_be_incomplete_or_repeated),
        cmocka_unit_test(maps_of_merged_messages_are_sorted),
        cmocka_unit_test(unknown_fields_are_kept),
        cmocka_unit_test(groups_must_end),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(zeroed_message_is_completed),
        cmocka_unit_test(hostile_input_takes_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
