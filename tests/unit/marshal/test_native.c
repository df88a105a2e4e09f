/* SPDX-License-Identifier: BSD-2-Clause */
/* test_native.c - the native encoding: what is refused on the way out and on the way in, and with what reason */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "everything.mrpc.h"
#include "marshal/gather.h"
#include "tests/unit/marshal/codec_help.h"

static const struct {
    const char *bytes;
    bool valid;
} texts[] = {
    {"\xc3\xa9", true},
    {"\xe2\x82\xac", true},
    {"\xef\xbf\xbf", true},
    {"\xf0\x90\x80\x80", true},
    {"\xf4\x8f\xbf\xbf", true},
    {"\xed\x9f\xbf", true},
    {"\xee\x80\x80", true},
    {"\x80", false},
    {"\xc0\x80", false},
    {"\xc1\xbf", false},
    {"\xc3", false},
    {"\xc3(", false},
    {"\xe0\x9f\xbf", false},
    {"\xed\xa0\x80", false},
    {"\xe2\x82", false},
    {"\xe2(\xa1", false},
    {"\xf0\x8f\xbf\xbf", false},
    {"\xf4\x90\x80\x80", false},
    {"\xf5\x80\x80\x80", false},
    {"\xf0\x9f\x90", false},
    {"\xff", false},
    {"\xf0\x9f\x90(", false},
};

/* --- what is refused on the way out --- */

static void assert_not_marshalled(const mrpc_type *type, const void *message, int error, const char *where,
                                  const char *what)
{
    test_reason reason = {0};
    (void)test_marshal(type, message, &reason);
    assert_int_equal(reason.error, error);
    assert_string_equal(reason.where, where);
    assert_non_null(strstr(reason.what, what));
}

/* The same in the protobuf encoding. */
static void assert_not_sent(const mrpc_type *type, const void *message, int error, const char *where, const char *what)
{
    test_reason reason = {0};
    (void)test_encode(type, message, &reason);
    assert_int_equal(reason.error, error);
    assert_string_equal(reason.where, where);
    assert_non_null(strstr(reason.what, what));
    assert_not_marshalled(type, message, error, where, what);
}

static void size_without_data_is_refused(void **state)
{
    (void)state;
    everything_Plain plain = {.a_string = {NULL, 3}};
    assert_not_sent(&everything_Plain_type, &plain, MRPC_EINVAL, "everything.Plain.a_string", "NULL");
    plain = (everything_Plain){.some_bytes = {NULL, 1}};
    assert_not_sent(&everything_Plain_type, &plain, MRPC_EINVAL, "everything.Plain.some_bytes", "NULL");
    everything_Lists lists = {.doubles = {NULL, 2, 0}};
    assert_not_sent(&everything_Lists_type, &lists, MRPC_EINVAL, "everything.Lists.doubles", "NULL");
    lists = (everything_Lists){.strings = {NULL, 1, 0}};
    assert_not_sent(&everything_Lists_type, &lists, MRPC_EINVAL, "everything.Lists.strings", "NULL");
    lists = (everything_Lists){.bools = {NULL, 1, 0}};
    assert_not_sent(&everything_Lists_type, &lists, MRPC_EINVAL, "everything.Lists.bools", "NULL");
    lists = (everything_Lists){.messages = {NULL, 1, 0}};
    assert_not_sent(&everything_Lists_type, &lists, MRPC_EINVAL, "everything.Lists.messages", "NULL");
}

static void missing_message_is_refused(void **state)
{
    (void)state;
    everything_Plain plain = {0}, *two[] = {&plain, NULL};
    everything_Lists lists = {.messages = {two, 2, 0}};
    assert_not_sent(&everything_Lists_type, &lists, MRPC_EINVAL, "everything.Lists.messages", "NULL");
    everything_OneOf one = {.choice_case = everything_OneOf_choice_message};
    assert_not_sent(&everything_OneOf_type, &one, MRPC_EINVAL, "everything.OneOf.message", "NULL");
}

static void case_that_is_no_field_is_refused(void **state)
{
    (void)state;
    everything_OneOf one = {0};
    memset(&one.choice_case, 0x11, sizeof one.choice_case);
    assert_not_sent(&everything_OneOf_type, &one, MRPC_EINVAL, "everything.OneOf.choice", "case");
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t before = 0; before < 140; before += 1 + before / 9) {
            char text[200];
            memset(text, 'a', sizeof text);
            size_t size = strlen(texts[i].bytes);
            memcpy(text + before, texts[i].bytes, size);
            test_bytes exact = test_bytes_copy(text, before + size + before % 3);
            everything_Plain plain = {.a_string = {exact.data, exact.size}};
            if (before % 3 == 0 && strcmp(texts[i].bytes, "\xc3(") != 0 && texts[i].valid == false)
                assert_not_sent(&everything_Plain_type, &plain, MRPC_EINVAL, "everything.Plain.a_string", "UTF-8");
            test_reason reason = {0};
            test_bytes block = test_marshal(&everything_Plain_type, &plain, &reason);
            assert_int_equal(reason.error == 0, texts[i].valid);
            test_bytes_free(&block);
            test_bytes_free(&exact);
        }
}

static void maps_out_of_order_are_refused(void **state)
{
    (void)state;
    everything_Maps_int32s_entry numbers[] = {{-1, 0}, {2, 0}, {2, 0}};
    everything_Maps maps = {.int32s = {numbers, 3, 0}};
    assert_not_marshalled(&everything_Maps_type, &maps, MRPC_EINVAL, "everything.Maps.Int32sEntry", "ascending");
    maps.int32s.size = 2;
    test_bytes block = test_marshal(&everything_Maps_type, &maps, NULL);
    test_bytes_free(&block);

    char a[] = "a", ab[] = "ab";
    everything_Maps_strings_entry strings[] = {{{ab, 2}, {NULL, 0}}, {{a, 1}, {NULL, 0}}};
    maps = (everything_Maps){.strings = {strings, 2, 0}};
    assert_not_marshalled(&everything_Maps_type, &maps, MRPC_EINVAL, "everything.Maps.StringsEntry", "ascending");
    strings[0].key.size = 0;
    block = test_marshal(&everything_Maps_type, &maps, NULL);
    test_bytes_free(&block);
    strings[1].key.size = 0;
    assert_not_marshalled(&everything_Maps_type, &maps, MRPC_EINVAL, "everything.Maps.StringsEntry", "ascending");
}

enum { TOO_DEEP = MRPC_DEPTH_LIMIT + 1 };

static void nesting_is_limited(void **state)
{
    (void)state;
    static everything_Tree trees[TOO_DEEP + 1];
    for (size_t i = 0; i < TOO_DEEP; i++)
        trees[i].left = &trees[i + 1];
    assert_not_sent(&everything_Tree_type, trees, MRPC_EINVAL, "everything.Tree.left", "deep");

    test_bytes copy, block = test_marshal(&everything_Tree_type, &trees[1], NULL);
    assert_non_null(test_unmarshal(&everything_Tree_type, block.data, block.size, &copy, NULL));
    memcpy(copy.data, block.data, block.size);
    mrpc_scatter scatter = {.block = copy.data, .size = block.size, .depth = MRPC_DEPTH_LIMIT - 1};
    assert_int_equal(codec_of(&everything_Tree_type)->unmarshal(&scatter), MRPC_EFORMAT);
    assert_string_equal(scatter.where, "everything.Tree.left");
    assert_non_null(strstr(scatter.what, "deep"));
    test_bytes_free(&copy);
    test_bytes_free(&block);

    test_bytes bytes = test_encode(&everything_Tree_type, &trees[1], NULL);
    void *decoded = test_decode(&everything_Tree_type, bytes.data, bytes.size, NULL);
    assert_true(mrpc_message_equal(&everything_Tree_type, &trees[1], decoded));
    mrpc_release(decoded);
    test_bytes_free(&bytes);
}

/* Exactly the limit is allowed, in both encodings, and one word or byte less is not. */
static void size_is_limited(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'x', sizeof text);
    for (size_t size = 0; size < sizeof text; size += 7) {
        everything_Plain plain = {.a_string = {text, size}, .an_int32 = -1};
        test_bytes block = test_marshal(&everything_Plain_type, &plain, NULL),
                   bytes = test_encode(&everything_Plain_type, &plain, NULL);
        mrpc_gather_buffer buffer;
        mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
        buffer.gather.limit = block.size;
        assert_int_equal(codec_of(&everything_Plain_type)->marshal(&buffer.gather, &plain), 0);
        buffer.gather.limit = block.size - 8;
        assert_int_equal(codec_of(&everything_Plain_type)->marshal(&buffer.gather, &plain), MRPC_ELIMIT);
        assert_non_null(strstr(buffer.gather.what, "limit"));
        mrpc_gather_buffer_free(&buffer);
        buffer.gather.limit = bytes.size;
        assert_int_equal(codec_of(&everything_Plain_type)->encode(&buffer.gather, &plain), 0);
        buffer.gather.size = 0;
        buffer.gather.limit = bytes.size - 1;
        assert_int_equal(codec_of(&everything_Plain_type)->encode(&buffer.gather, &plain), MRPC_ELIMIT);
        assert_non_null(strstr(buffer.gather.what, "limit"));
        mrpc_gather_buffer_free(&buffer);
        test_bytes_free(&block);
        test_bytes_free(&bytes);
    }
}

static void sizes_that_cannot_be_are_over_the_limit(void **state)
{
    (void)state;
    double number = 0;
    everything_Plain plain = {.a_string = {(char *)&number, SIZE_MAX}};
    assert_not_sent(&everything_Plain_type, &plain, MRPC_ELIMIT, "everything.Plain.a_string", "limit");
    everything_Lists lists = {.doubles = {&number, SIZE_MAX / 4, 0}};
    assert_not_marshalled(&everything_Lists_type, &lists, MRPC_ELIMIT, "everything.Lists.doubles", "limit");
}

/* --- the block is canonical --- */

/* Whatever was in memory before, the same values give the same block. */
static void garbage_between_values_is_not_sent(void **state)
{
    (void)state;
    everything_Optional clean, dirty;
    memset(&clean, 0, sizeof clean);
    memset(&dirty, 0xa5, sizeof dirty);
    dirty.base.unknown = NULL;
    dirty.a_message = NULL; /* the rest is absent, with values that are not zero */
    for (uint32_t i = 0; i < everything_Optional_type.field_count; i++)
        if (everything_Optional_type.fields[i].presence != 0)
            ((char *)&dirty)[everything_Optional_type.fields[i].presence] = 0;
    clean.has_an_int32 = dirty.has_an_int32 = true;
    clean.an_int32 = dirty.an_int32 = 7;
    test_bytes a = test_marshal(&everything_Optional_type, &clean, NULL),
               b = test_marshal(&everything_Optional_type, &dirty, NULL);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    test_bytes_free(&a);
    test_bytes_free(&b);
}

static void inactive_members_of_a_oneof_are_not_sent(void **state)
{
    (void)state;
    everything_OneOf clean = {.choice_case = everything_OneOf_choice_number}, dirty = clean;
    memset(&dirty.choice, 0x5a, sizeof dirty.choice);
    dirty.choice.number = clean.choice.number = 5;
    memset(&dirty.small, 0x5a, sizeof dirty.small);
    test_bytes a = test_marshal(&everything_OneOf_type, &clean, NULL),
               b = test_marshal(&everything_OneOf_type, &dirty, NULL);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    test_bytes_free(&a);
    test_bytes_free(&b);
}

/* --- what is refused on the way in --- */

/* Stores `bytes` bytes of `value` at `offset` of a good block and expects the reason. */
static void assert_refused(const mrpc_type *type, const test_bytes *good, size_t offset, uint64_t value, size_t bytes,
                           const char *where, const char *what)
{
    test_bytes copy, bad = test_bytes_copy(good->data, good->size);
    test_reason reason = {0};
    assert_true(offset + bytes <= good->size);
    memcpy(bad.data + offset, &value, bytes);
    assert_null(test_unmarshal(type, bad.data, bad.size, &copy, &reason));
    assert_string_equal(reason.where, where);
    if (strstr(reason.what, what) == NULL)
        fail_msg("the reason is: %s", reason.what);
    test_bytes_free(&bad);
}

static void strings_are_validated(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_Plain_type;
    const size_t data = offsetof(everything_Plain, a_string.data), size = offsetof(everything_Plain, a_string.size),
                 at = sizeof(everything_Plain);
    char text[] = "hello, world";
    everything_Plain plain = {.a_string = {text, 12}};
    test_bytes good = test_marshal(type, &plain, NULL);
    assert_refused(type, &good, data, 0, 8, "everything.Plain.a_string", "no offset");
    assert_refused(type, &good, data, at + 8, 8, "everything.Plain.a_string", "not where the next thing is");
    assert_refused(type, &good, data, 16, 8, "everything.Plain.a_string", "not where the next thing is");
    assert_refused(type, &good, data, MRPC_NATIVE_EXTERNAL, 8, "everything.Plain.a_string",
                   "not where the next thing is");
    assert_refused(type, &good, size, 0, 8, "everything.Plain.a_string", "empty");
    assert_refused(type, &good, size, 16, 8, "everything.Plain.a_string", "beyond the end");
    assert_refused(type, &good, size, UINT64_MAX, 8, "everything.Plain.a_string", "beyond the end");
    assert_refused(type, &good, size, 11, 8, "everything.Plain.a_string", "should be zero");
    assert_refused(type, &good, size, 7, 8, "everything.Plain.a_string", "should be zero");
    assert_refused(type, &good, at + 12, 'x', 1, "everything.Plain.a_string", "should be zero");
    assert_refused(type, &good, at + 15, 1, 1, "everything.Plain.a_string", "should be zero");
    assert_refused(type, &good, at + 3, 0xff, 1, "everything.Plain.a_string", "UTF-8");
    test_bytes_free(&good);
}

static void plain_values_are_validated(void **state)
{
    (void)state;
    everything_Plain plain = {0};
    test_bytes good = test_marshal(&everything_Plain_type, &plain, NULL);
    assert_refused(&everything_Plain_type, &good, 0, 16, 8, "everything.Plain", "arena");
    assert_refused(&everything_Plain_type, &good, 8, 16, 8, "everything.Plain", "unknown");
    assert_refused(&everything_Plain_type, &good, offsetof(everything_Plain, a_bool), 2, 1, "everything.Plain.a_bool",
                   "bool");
    assert_refused(&everything_Plain_type, &good, sizeof plain - 1, 1, 1, "everything.Plain", "padding");
    test_bytes_free(&good);

    everything_Optional optional = {.has_a_double = true};
    good = test_marshal(&everything_Optional_type, &optional, NULL);
    assert_refused(&everything_Optional_type, &good, offsetof(everything_Optional, has_a_bool), 2, 1,
                   "everything.Optional.a_bool", "has_");
    assert_refused(&everything_Optional_type, &good, offsetof(everything_Optional, an_int32), 1, 4,
                   "everything.Optional.an_int32", "absent");
    assert_refused(&everything_Optional_type, &good, offsetof(everything_Optional, a_string.size), 1, 8,
                   "everything.Optional.a_string", "absent");
    test_bytes_free(&good);
}

static void unknown_fields_are_validated(void **state)
{
    (void)state;
    static mrpc_unknown unknown = {.size = 5, .data = {0x80, 0x80, 0xc0, 0x01, 0x07}};
    everything_Empty empty = {.base = {.unknown = &unknown}};
    test_bytes good = test_marshal(&everything_Empty_type, &empty, NULL);
    assert_int_equal(good.size, 16 + 16 + 8);
    assert_refused(&everything_Empty_type, &good, 8, 24, 8, "everything.Empty", "unknown");
    assert_refused(&everything_Empty_type, &good, 16, 0, 8, "everything.Empty", "size");
    assert_refused(&everything_Empty_type, &good, 16, 9, 8, "everything.Empty", "size");
    assert_refused(&everything_Empty_type, &good, 16, UINT64_MAX, 8, "everything.Empty", "size");
    assert_refused(&everything_Empty_type, &good, 24, 1, 8, "everything.Empty", "size");
    assert_refused(&everything_Empty_type, &good, 39, 1, 1, "everything.Empty", "should be zero");
    test_bytes_free(&good);
}

static void lists_are_validated(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_Lists_type;
    everything_Plain plain = {0}, *two[] = {&plain, &plain};
    bool bools[] = {true, false, true};
    int32_t numbers[] = {1, 2, 3};
    everything_Lists lists = {.bools = {bools, 3, 0}, .messages = {two, 2, 0}, .int32s = {numbers, 3, 0}};
    test_bytes good = test_marshal(type, &lists, NULL);
    size_t int32s = sizeof lists, bools_at = int32s + 16, messages = bools_at + 8;
    assert_refused(type, &good, offsetof(everything_Lists, int32s.capacity), 3, 8, "everything.Lists.int32s",
                   "capacity");
    assert_refused(type, &good, offsetof(everything_Lists, int32s.size), UINT64_C(1) << 62, 8,
                   "everything.Lists.int32s", "beyond the end");
    assert_refused(type, &good, offsetof(everything_Lists, int32s.data), int32s + 4, 8, "everything.Lists.int32s",
                   "next thing");
    assert_refused(type, &good, offsetof(everything_Lists, int32s.data), 0, 8, "everything.Lists.int32s", "no offset");
    assert_refused(type, &good, offsetof(everything_Lists, int32s.data), MRPC_NATIVE_EXTERNAL, 8,
                   "everything.Lists.int32s", "extent");
    assert_refused(type, &good, offsetof(everything_Lists, doubles.data), int32s, 8, "everything.Lists.doubles",
                   "empty");
    assert_refused(type, &good, int32s + 12, 1, 4, "everything.Lists.int32s", "should be zero");
    assert_refused(type, &good, bools_at, 2, 1, "everything.Lists.bools", "neither");
    assert_refused(type, &good, bools_at + 3, 1, 1, "everything.Lists.bools", "should be zero");
    assert_refused(type, &good, offsetof(everything_Lists, bools.data), MRPC_NATIVE_EXTERNAL, 8,
                   "everything.Lists.bools", "next thing");
    assert_refused(type, &good, messages, 0, 8, "everything.Lists.messages", "next thing");
    assert_refused(type, &good, messages + 8, messages + 16, 8, "everything.Lists.messages", "next thing"); /* shared */
    assert_refused(type, &good, messages + 8, 0, 8, "everything.Lists.messages", "next thing");
    assert_refused(type, &good, offsetof(everything_Lists, messages.size), 1, 8, "everything.Lists.messages",
                   "next thing");
    assert_refused(type, &good, offsetof(everything_Lists, messages.size), UINT64_MAX / 8 + 2, 8,
                   "everything.Lists.messages", "beyond");
    test_bytes_free(&good);
}

static void maps_are_validated(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_Maps_type;
    char a[] = "a", b[] = "b";
    everything_Maps_bools_entry bools[] = {{false, true}, {true, false}};
    everything_Maps_strings_entry strings[] = {{{a, 1}, {NULL, 0}}, {{b, 1}, {NULL, 0}}};
    everything_Maps maps = {.bools = {bools, 2, 0}, .strings = {strings, 2, 0}};
    test_bytes good = test_marshal(type, &maps, NULL);
    size_t bools_at = sizeof maps, strings_at = bools_at + 8, keys = strings_at + sizeof strings;
    assert_refused(type, &good, bools_at, 1, 1, "everything.Maps.BoolsEntry", "ascending");
    assert_refused(type, &good, bools_at + 1, 2, 1, "everything.Maps.BoolsEntry.value", "neither");
    assert_refused(type, &good, bools_at + 2, 3, 1, "everything.Maps.BoolsEntry.key", "neither");
    assert_refused(type, &good, bools_at + 4, 1, 1, "everything.Maps.BoolsEntry", "should be zero");
    assert_refused(type, &good, keys, 'b', 1, "everything.Maps.StringsEntry", "ascending");
    assert_refused(type, &good, keys, 'c', 1, "everything.Maps.StringsEntry", "ascending");
    assert_refused(type, &good, strings_at, 0, 8, "everything.Maps.StringsEntry.key", "no offset");
    assert_refused(type, &good, offsetof(everything_Maps, strings.size), UINT64_MAX / 32 + 1, 8,
                   "everything.Maps.StringsEntry", "beyond");
    test_bytes_free(&good);
}

static void oneofs_are_validated(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_OneOf_type;
    const size_t choice = offsetof(everything_OneOf, choice), its_case = offsetof(everything_OneOf, choice_case);
    everything_OneOf one = {.choice_case = everything_OneOf_choice_flag, .choice = {.flag = true}};
    test_bytes good = test_marshal(type, &one, NULL);
    assert_refused(type, &good, its_case, 0, 4, "everything.OneOf.choice", "no case");
    assert_refused(type, &good, its_case, 1, 4, "everything.OneOf.choice", "none of its fields");
    assert_refused(type, &good, its_case, UINT32_MAX, 4, "everything.OneOf.choice", "none of its fields");
    assert_refused(type, &good, its_case, everything_OneOf_choice_message, 4, "everything.OneOf.message", "next thing");
    assert_refused(type, &good, its_case, everything_OneOf_choice_text, 4, "everything.OneOf.text", "empty");
    assert_refused(type, &good, choice, 2, 1, "everything.OneOf.flag", "neither");
    assert_refused(type, &good, choice + 1, 1, 1, "everything.OneOf.flag", "should be zero");
    assert_refused(type, &good, choice + 15, 1, 1, "everything.OneOf.flag", "should be zero");
    test_bytes_free(&good);
    one = (everything_OneOf){.choice_case = everything_OneOf_choice_message};
    good = test_marshal(type, &(everything_OneOf){0}, NULL);
    assert_refused(type, &good, its_case, everything_OneOf_choice_message, 4, "everything.OneOf.message", "next thing");
    test_bytes_free(&good);
}

static void what_nothing_refers_to_is_refused(void **state)
{
    (void)state;
    test_reason reason = {0};
    test_bytes copy;
    char block[sizeof(everything_Empty) + 8] = {0};
    assert_null(test_unmarshal(&everything_Empty_type, block, sizeof block, &copy, &reason));
    assert_non_null(strstr(reason.what, "nothing refers"));
    assert_null(test_unmarshal(&everything_Empty_type, block, sizeof block - 4, &copy, &reason));
    assert_non_null(test_unmarshal(&everything_Empty_type, block, sizeof block - 8, &copy, NULL));
    test_bytes_free(&copy);
}

/* --- extents --- */

static int unmarshal_with(const test_bytes *block, const mrpc_extent *extents, uint32_t count, const char **what)
{
    test_bytes copy = test_bytes_copy(block->data, block->size);
    mrpc_scatter scatter = {
        .block = copy.data, .size = copy.size, .extents = extents, .extent_count = count, .depth = MRPC_DEPTH_LIMIT};
    int result = codec_of(&everything_Lists_type)->unmarshal(&scatter);
    *what = scatter.what;
    test_bytes_free(&copy);
    return result;
}

static void extents_are_validated(void **state)
{
    (void)state;
    double numbers[] = {1, 2, 3, 4, 5}, more[] = {6, 7, 8, 9, 10};
    everything_Lists lists = {.doubles = {numbers, 5, 0}, .fixed64s = {(uint64_t *)(void *)more, 5, 0}};
    mrpc_extent extents[4] = {{0}}, bad[3];
    mrpc_gather_buffer buffer;
    const char *what;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    buffer.gather.extents = extents;
    buffer.gather.extent_capacity = 4;
    buffer.gather.threshold = 40;
    assert_int_equal(codec_of(&everything_Lists_type)->marshal(&buffer.gather, &lists), 0);
    assert_int_equal(buffer.gather.extent_count, 2);
    assert_ptr_equal(extents[0].data, numbers); /* not copied */
    assert_int_equal(buffer.gather.extent_size, 80);
    test_bytes block = {buffer.gather.block, buffer.gather.size};
    assert_int_equal(unmarshal_with(&block, extents, 2, &what), 0);
    assert_int_equal(unmarshal_with(&block, extents, 1, &what), MRPC_EFORMAT);
    assert_int_equal(unmarshal_with(&block, extents, 3, &what), MRPC_EFORMAT);
    memcpy(bad, extents, sizeof bad);
    bad[1].size = 32;
    assert_int_equal(unmarshal_with(&block, bad, 2, &what), MRPC_EFORMAT);
    assert_non_null(strstr(what, "size"));
    bad[1].size = 40;
    bad[1].data = (const char *)more + 4;
    assert_int_equal(unmarshal_with(&block, bad, 2, &what), MRPC_EFORMAT);
    assert_non_null(strstr(what, "aligned"));
    const uint64_t second = MRPC_NATIVE_EXTERNAL + 1;
    memcpy(block.data + offsetof(everything_Lists, doubles.data), &second, sizeof second);
    assert_int_equal(unmarshal_with(&block, extents, 2, &what), MRPC_EFORMAT);
    assert_non_null(strstr(what, "next one"));
    mrpc_gather_buffer_free(&buffer);
}

static void extents_count_against_the_limit(void **state)
{
    (void)state;
    static double numbers[100];
    everything_Lists lists = {.doubles = {numbers, 100, 0}};
    mrpc_extent extents[1];
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
    buffer.gather.extents = extents;
    buffer.gather.extent_capacity = 1;
    buffer.gather.threshold = 100;
    buffer.gather.limit = sizeof lists + sizeof numbers;
    assert_int_equal(codec_of(&everything_Lists_type)->marshal(&buffer.gather, &lists), 0);
    buffer.gather.limit--;
    assert_int_equal(codec_of(&everything_Lists_type)->marshal(&buffer.gather, &lists), MRPC_ELIMIT);
    mrpc_gather_buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_without_data_is_refused),
        cmocka_unit_test(missing_message_is_refused),
        cmocka_unit_test(case_that_is_no_field_is_refused),
        cmocka_unit_test(text_that_is_not_utf8_is_refused),
        cmocka_unit_test(maps_out_of_order_are_refused),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(size_is_limited),
        cmocka_unit_test(sizes_that_cannot_be_are_over_the_limit),
        cmocka_unit_test(garbage_between_values_is_not_sent),
        cmocka_unit_test(inactive_members_of_a_oneof_are_not_sent),
        cmocka_unit_test(strings_are_validated),
        cmocka_unit_test(plain_values_are_validated),
        cmocka_unit_test(unknown_fields_are_validated),
        cmocka_unit_test(lists_are_validated),
        cmocka_unit_test(maps_are_validated),
        cmocka_unit_test(oneofs_are_validated),
        cmocka_unit_test(what_nothing_refers_to_is_refused),
        cmocka_unit_test(extents_are_validated),
        cmocka_unit_test(extents_count_against_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
