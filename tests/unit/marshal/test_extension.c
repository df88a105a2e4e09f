/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_extension.c - extensions are read and changed among the unknown fields of a message
 *
 * The rules are those of https://protobuf.dev/programming-guides/proto2#extensions and …/encoding
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/descriptor.h>
#include <mrpc/text.h>

#include "extension_options.mrpc.h"
#include "extensions.mrpc.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/marshal/codec_help.h"

/* The bytes of a string literal, without its NUL. */
#define BYTES(text) text, sizeof(text) - 1

static extensions_Base *new_base(void)
{
    extensions_Base *message = extensions_Base_new(NULL);
    assert_non_null(message);
    return message;
}

/* A message that came with these bytes. */
static extensions_Base *base_from(const char *bytes, size_t size)
{
    return test_decode(&extensions_Base_type, bytes, size, NULL);
}

static void assert_encodes(const mrpc_type *type, const void *message, const char *expected, size_t size)
{
    test_bytes bytes = test_encode(type, message, NULL);
    assert_int_equal(bytes.size, size);
    assert_memory_equal(bytes.data, expected, size);
    test_bytes_free(&bytes);
}

static void assert_view(mrpc_bytes view, const char *expected, size_t size)
{
    assert_int_equal(view.size, size);
    assert_memory_equal(view.data, expected, size);
}

/* --- single values --- */

static void an_absent_extension_reads_as_its_default(void **state)
{
    (void)state;
    extensions_Base message;
    extensions_Base_init(&message);
    assert_false(extensions_an_int32_has(&message));
    assert_int_equal(extensions_an_int32_get(&message), 7);
    assert_int_equal(extensions_low_get(&message), 0);
    assert_true(extensions_a_double_get(&message) == -1.5);
    assert_true(isinf(extensions_a_float_get(&message)));
    assert_true(extensions_an_int64_get(&message) == INT64_MIN);
    assert_true(extensions_a_bool_get(&message));
    assert_int_equal(extensions_closed_get(&message), extensions_CLOSED_FIVE);
    assert_int_equal(extensions_dense_get(&message), everything2_HIGHER);
    assert_view(extensions_a_string_get(&message), BYTES("caf\303\251"));
    assert_view(extensions_some_bytes_get(&message), BYTES("\0\377"));
    assert_view(extensions_plain_string_get(&message), BYTES(""));
}

static void a_value_is_there_once_it_was_set(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    assert_int_equal(extensions_low_set(message, -3), 0);
    assert_int_equal(extensions_a_double_set(message, 2.25), 0);
    assert_int_equal(extensions_a_float_set(message, -0.5f), 0);
    assert_int_equal(extensions_an_int64_set(message, INT64_MIN), 0);
    assert_int_equal(extensions_a_uint64_set(message, UINT64_MAX), 0);
    assert_int_equal(extensions_a_fixed64_set(message, UINT64_MAX - 1), 0);
    assert_int_equal(extensions_a_fixed32_set(message, UINT32_MAX), 0);
    assert_int_equal(extensions_a_bool_set(message, false), 0);
    assert_int_equal(extensions_a_uint32_set(message, 300), 0);
    assert_int_equal(extensions_an_sfixed32_set(message, INT32_MIN), 0);
    assert_int_equal(extensions_an_sfixed64_set(message, -1), 0);
    assert_int_equal(extensions_an_sint32_set(message, INT32_MIN), 0);
    assert_int_equal(extensions_an_sint64_set(message, INT64_MAX), 0);
    assert_int_equal(extensions_closed_set(message, extensions_CLOSED_SIX), 0);
    assert_int_equal(extensions_dense_set(message, everything2_BELOW), 0);
    assert_true(extensions_low_has(message) && extensions_a_bool_has(message) && !extensions_high_has(message));
    assert_int_equal(extensions_low_get(message), -3);
    assert_true(extensions_a_double_get(message) == 2.25 && extensions_a_float_get(message) == -0.5f);
    assert_true(extensions_an_int64_get(message) == INT64_MIN && extensions_a_uint64_get(message) == UINT64_MAX);
    assert_true(extensions_a_fixed64_get(message) == UINT64_MAX - 1);
    assert_true(extensions_a_fixed32_get(message) == UINT32_MAX);
    assert_false(extensions_a_bool_get(message));
    assert_int_equal(extensions_a_uint32_get(message), 300);
    assert_true(extensions_an_sfixed32_get(message) == INT32_MIN && extensions_an_sfixed64_get(message) == -1);
    assert_true(extensions_an_sint32_get(message) == INT32_MIN && extensions_an_sint64_get(message) == INT64_MAX);
    assert_int_equal(extensions_closed_get(message), extensions_CLOSED_SIX);
    assert_int_equal(extensions_dense_get(message), everything2_BELOW);
    mrpc_release(message);
}

static void a_value_can_be_changed_and_removed(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    assert_int_equal(extensions_a_string_set(message, "a long text that takes some room"), 0);
    assert_int_equal(extensions_low_set(message, 1), 0);
    assert_int_equal(extensions_a_string_set(message, "ab"), 0);
    assert_encodes(&extensions_Base_type, message,
                   BYTES("\x50\x01\xe2\x06\x02"
                         "ab"));
    assert_int_equal(extensions_a_string_set(message, ""), 0);
    assert_true(extensions_a_string_has(message));
    assert_view(extensions_a_string_get(message), BYTES(""));
    extensions_a_string_clear(message);
    assert_false(extensions_a_string_has(message));
    assert_encodes(&extensions_Base_type, message, BYTES("\x50\x01"));
    extensions_low_clear(message);
    extensions_low_clear(message);
    assert_encodes(&extensions_Base_type, message, BYTES(""));
    mrpc_release(message);
}

static void a_value_may_come_from_the_message_itself(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    assert_int_equal(extensions_some_bytes_set(message, BYTES("0123456789")), 0);
    for (int i = 0; i < 3; i++) {
        mrpc_bytes view = extensions_some_bytes_get(message);
        assert_int_equal(extensions_some_bytes_set(message, view.data + 1, view.size - 1), 0);
        assert_int_equal(extensions_bytes_list_add(message, extensions_some_bytes_get(message).data, 2), 0);
    }
    assert_view(extensions_some_bytes_get(message), BYTES("3456789"));
    assert_view(extensions_bytes_list_at(message, 2), BYTES("34"));
    mrpc_release(message);
}

static void the_last_of_several_values_counts(void **state)
{
    (void)state;
    extensions_Base *message = base_from(BYTES("\x50\x01\xe2\x06\x01"
                                               "a\x50\x02\xe2\x06\x01"
                                               "b\x50\x03"));
    assert_int_equal(extensions_low_get(message), 3);
    assert_view(extensions_a_string_get(message), BYTES("b"));
    assert_int_equal(extensions_low_set(message, 4), 0);
    assert_encodes(&extensions_Base_type, message,
                   BYTES("\x50\x04\xe2\x06\x01"
                         "a\xe2\x06\x01"
                         "b"));
    mrpc_release(message);
}

/* An int32 in 4 bytes, a string as a varint, an int32 as a string, which would be packed if it were a list. */
static void another_wire_type_is_another_field(void **state)
{
    (void)state;
    extensions_Base *message = base_from(BYTES("\x55\x01\x02\x03\x04\xe0\x06\x05\x52\x01\x07"));
    assert_false(extensions_low_has(message) || extensions_a_string_has(message));
    assert_int_equal(extensions_low_get(message), 0);
    extensions_low_clear(message);
    extensions_a_string_clear(message);
    assert_int_equal(extensions_low_set(message, 1), 0);
    assert_encodes(&extensions_Base_type, message, BYTES("\x55\x01\x02\x03\x04\x50\x01\xe0\x06\x05\x52\x01\x07"));
    mrpc_release(message);
}

static void a_closed_enum_has_only_numbers_that_it_names(void **state)
{
    (void)state;
    extensions_Base *message = base_from(BYTES("\x88\x07\x06\x88\x07\x07"));
    assert_int_equal(extensions_closed_get(message), extensions_CLOSED_SIX);
    mrpc_release(message);
    message = base_from(BYTES("\x88\x07\x07\xe8\x0c\x05\xe8\x0c\x01\x82\x13\x03\x05\x01\x06"));
    assert_false(extensions_closed_has(message));
    assert_int_equal(extensions_closed_list_size(message), 1);
    assert_int_equal(extensions_tight_closed_size(message), 2);
    assert_int_equal(extensions_tight_closed_at(message, 1), extensions_CLOSED_SIX);
    assert_int_equal(extensions_closed_set(message, 7), MRPC_EINVAL);
    assert_int_equal(extensions_closed_list_add(message, 7), MRPC_EINVAL);
    assert_int_equal(extensions_tight_closed_add(message, 0), MRPC_EINVAL);
    assert_encodes(&extensions_Base_type, message,
                   BYTES("\x88\x07\x07\xe8\x0c\x05\xe8\x0c\x01\x82\x13\x03\x05\x01\x06"));
    mrpc_release(message);
}

/* --- lists --- */

static void lists_are_read_packed_or_not(void **state)
{
    (void)state;
    extensions_Base *message =
        base_from(BYTES("\xc8\x0c\x01\xca\x0c\x03\x02\x80\x01\xc8\x0c\x7f\xea\x12\x01\x08\xe8\x12\x09"
                        "\xfa\x12\x08\1\2\3\4\5\6\7\x08"));
    assert_int_equal(extensions_int32s_size(message), 4);
    const int32_t expected[] = {1, 2, 128, 127};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(extensions_int32s_at(message, i), expected[i]);
    assert_int_equal(extensions_int32s_at(message, 4), 0);
    assert_int_equal(extensions_tight_int32s_at(message, 1), 9);
    assert_true(extensions_tight_fixed64s_at(message, 0) == 0x0807060504030201);
    mrpc_int32_list list = {0};
    assert_int_equal(extensions_int32s_get(message, message, &list, NULL), 0);
    assert_int_equal(list.size, 4);
    assert_memory_equal(list.data, expected, sizeof expected);
    assert_int_equal(extensions_tight_int32s_get(message, message, &list, NULL), 0);
    assert_int_equal(list.size, 6); /* it was appended */
    assert_int_equal(list.data[5], 9);
    mrpc_release(message);
}

static void a_packed_list_grows_in_its_field(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    for (int32_t i = 0; i < 3; i++)
        assert_int_equal(extensions_tight_int32s_add(message, 127 + i), 0);
    assert_int_equal(extensions_tight_bools_add(message, true), 0);
    assert_int_equal(extensions_tight_closed_add(message, extensions_CLOSED_FIVE), 0);
    assert_encodes(&extensions_Base_type, message,
                   BYTES("\xea\x12\x05\x7f\x80\x01\x81\x01\xf2\x12\x01\x01\x82\x13\x01\x05"));
    mrpc_release(message);
    /* Behind elements of the other form it begins a new one. */
    message = base_from(BYTES("\xea\x12\x01\x08\xe8\x12\x09"));
    assert_int_equal(extensions_tight_int32s_add(message, 10), 0);
    assert_encodes(&extensions_Base_type, message, BYTES("\xea\x12\x01\x08\xe8\x12\x09\xea\x12\x01\x0a"));
    mrpc_release(message);
}

static void a_list_can_be_replaced_as_a_whole(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    mrpc_string_list strings = {0}, again = {0};
    assert_int_equal(extensions_strings_add(message, "gone"), 0);
    assert_int_equal(mrpc_string_list_add(message, &strings, "a", 1), 0);
    assert_int_equal(mrpc_string_list_add(message, &strings, "", 0), 0);
    assert_int_equal(mrpc_string_list_add(message, &strings, "bcd", 3), 0);
    assert_int_equal(extensions_strings_set(message, &strings), 0);
    assert_encodes(&extensions_Base_type, message, BYTES("\xda\x0c\1a\xda\x0c\0\xda\x0c\3bcd"));
    assert_int_equal(extensions_strings_get(message, message, &again, NULL), 0);
    assert_int_equal(again.size, 3);
    assert_string_equal(again.data[0].data, "a");
    assert_string_equal(again.data[1].data, "");
    assert_string_equal(again.data[2].data, "bcd");
    double numbers[] = {1.0, -0.0};
    const mrpc_double_list doubles = {.data = numbers, .size = 2};
    assert_int_equal(extensions_doubles_set(message, &doubles), 0);
    assert_true(extensions_doubles_size(message) == 2 && signbit(extensions_doubles_at(message, 1)));
    const mrpc_string_list nothing = {0};
    assert_int_equal(extensions_strings_set(message, &nothing), 0);
    assert_int_equal(extensions_strings_size(message), 0);
    assert_int_equal(extensions_doubles_size(message), 2);
    const mrpc_double_list torn = {.data = NULL, .size = 2};
    assert_int_equal(extensions_doubles_set(message, &torn), MRPC_EINVAL);
    assert_int_equal(extensions_doubles_size(message), 2);
    mrpc_release(message);
}

/* --- messages and groups --- */

static extensions_Plain *large_message(void *owner, char filling)
{
    char text[5000];
    extensions_Plain *plain = extensions_Plain_new_in(owner);
    memset(text, filling, sizeof text);
    assert_int_equal(mrpc_string_set_n(plain, &plain->text, text, sizeof text), 0);
    plain->has_text = true;
    return plain;
}

static void large_messages_of_a_list_do_not_mix(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    extensions_Plain *plains[] = {large_message(message, 'a'), large_message(message, 'b')}, *value = NULL;
    const extensions_Plain_list list = {.data = plains, .size = 2};
    assert_int_equal(extensions_messages_set(message, &list), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(extensions_messages_at(message, i, message, &value, NULL), 0);
        assert_true(extensions_Plain_equal(value, plains[i]));
    }
    mrpc_release(message);
}

static void a_message_is_made_of_all_its_parts(void **state)
{
    (void)state;
    extensions_Base *message = base_from(BYTES("\xf2\x06\x06\x08\x01\x12\x02"
                                               "ab\x50\x09\xf2\x06\x04\x08\x02\x18\x03"
                                               "\xba\x07\x02\x10\x04\xba\x07\x02\x08\x05"));
    extensions_Plain *value = NULL;
    assert_int_equal(extensions_a_message_get(message, NULL, &value, NULL), 0);
    assert_int_equal(value->number, 2);
    assert_string_equal(value->text.data, "ab");
    assert_int_equal(value->numbers.size, 1);
    mrpc_release(value);
    /* Each part alone would lack something, or does. */
    extensions_Strict *strict = NULL;
    assert_int_equal(extensions_strict_get(message, message, &strict, NULL), 0);
    assert_true(strict->number == 5 && strict->other == 4 && strict->base.arena == message->base.arena);
    assert_int_equal(extensions_a_message_set(message, value = extensions_Plain_new_in(message)), 0);
    assert_encodes(&extensions_Base_type, message, BYTES("\x50\x09\xf2\x06\0\xba\x07\x02\x10\x04\xba\x07\x02\x08\x05"));
    mrpc_release(message);
}

static void an_absent_message_is_null(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    extensions_Plain *value = (extensions_Plain *)message;
    assert_int_equal(extensions_a_message_get(message, NULL, &value, NULL), 0);
    assert_null(value);
    value = (extensions_Plain *)message;
    assert_int_equal(extensions_messages_at(message, 0, NULL, &value, NULL), 0);
    assert_null(value);
    mrpc_release(message);
}

static void a_message_that_cannot_be_read_says_why(void **state)
{
    (void)state;
    extensions_Base *message =
        base_from(BYTES("\xba\x07\x02\x10\x04\xf2\x06\x02\x08\x80\xf2\x0c\x02\x08\x01\xf2\x0c\x01\x08"));
    extensions_Base stray;
    extensions_Strict *strict = NULL;
    extensions_Plain *value = NULL;
    extensions_Plain_list list = {0};
    mrpc_error error = {0};
    extensions_Base_init(&stray);
    assert_int_equal(extensions_strict_get(message, NULL, &strict, &error), MRPC_EFORMAT);
    assert_non_null(strstr(mrpc_error_text(&error), "extensions.Strict.number is required and absent"));
    assert_null(strict);
    assert_int_equal(extensions_a_message_get(message, message, &value, &error), MRPC_EFORMAT);
    assert_non_null(strstr(mrpc_error_text(&error), "extensions.Plain.number has a varint"));
    assert_int_equal(extensions_messages_at(message, 0, &stray, &value, &error), MRPC_EINVAL);
    assert_non_null(strstr(mrpc_error_text(&error), "no arena"));
    assert_int_equal(extensions_messages_at(message, 0, message, &value, &error), 0);
    assert_int_equal(value->number, 1);
    assert_int_equal(extensions_messages_get(message, &stray, &list, &error), MRPC_EINVAL);
    assert_int_equal(extensions_messages_get(message, message, &list, &error), MRPC_EFORMAT);
    assert_int_equal(list.size, 0);
    mrpc_release(message);
}

static void an_incomplete_message_is_not_put_in(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    extensions_Strict strict;
    extensions_Strict_init(&strict);
    assert_int_equal(extensions_strict_set(message, &strict), MRPC_EINVAL);
    assert_int_equal(extensions_strict_set(message, NULL), MRPC_EINVAL);
    assert_false(extensions_strict_has(message));
    extensions_Strict_set_number(&strict, 3);
    assert_int_equal(extensions_strict_set(message, &strict), 0);
    assert_encodes(&extensions_Base_type, message, BYTES("\xba\x07\x02\x08\x03"));
    mrpc_release(message);
}

static void groups_are_read_and_written(void **state)
{
    (void)state;
    static const char bytes[] = "\xeb\x06\x08\x05\x13\x0a\x01x\x14\xec\x06\xfb\x0c\xfc\x0c\xfb\x0c\x08\x02\xfc\x0c";
    extensions_Base *message = base_from(BYTES(bytes)), *other = new_base();
    extensions_A_group *group = NULL;
    extensions_Many_list many = {0};
    assert_int_equal(extensions_a_group_get(message, message, &group, NULL), 0);
    assert_true(group->number == 5 && group->inner.size == 1);
    assert_string_equal(group->inner.data[0]->text.data, "x");
    assert_int_equal(extensions_many_get(message, message, &many, NULL), 0);
    assert_true(many.size == 2 && !many.data[0]->has_number && many.data[1]->number == 2);
    assert_int_equal(extensions_many_set(other, &many), 0);
    assert_int_equal(extensions_a_group_set(other, group), 0);
    assert_encodes(&extensions_Base_type, other, BYTES(bytes));
    mrpc_release(message);
    mrpc_release(other);
}

static void lists_of_messages_take_copies(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    extensions_Plain *value = extensions_Plain_new(NULL);
    for (int32_t i = 0; i < 3; i++) {
        extensions_Plain_set_number(value, i);
        assert_int_equal(extensions_messages_add(message, value), 0);
    }
    mrpc_release(value);
    assert_int_equal(extensions_messages_size(message), 3);
    assert_int_equal(extensions_messages_at(message, 2, NULL, &value, NULL), 0);
    assert_int_equal(value->number, 2);
    mrpc_release(value);
    mrpc_release(message);
}

/* --- where they are --- */

/* Those in ranges below a field stand before it, in the order in which they came, unless they are set. */
static void extensions_are_written_where_their_numbers_belong(void **state)
{
    (void)state;
    static const char sorted[] = "\x08\x01\x50\x02\x58\x03\xa0\x06\x04\xa2\x1f\x01m\xf8\xff\xff\xff\x0f\x05";
    extensions_Base *message = base_from(BYTES("\xb0\x09\x07\xc2\x0c\x01x\x08\x01\xa2\x1f\x01m\x58\x03\x10\x04"));
    assert_int_equal(extensions_high_set(message, 5), 0);
    assert_int_equal(extensions_low_set(message, 2), 0);
    assert_encodes(
        &extensions_Base_type, message,
        BYTES("\x08\x01\x50\x02\xb0\x09\x07\xc2\x0c\x01x\x58\x03\xa2\x1f\x01m\x10\x04\xf8\xff\xff\xff\x0f\x05"));
    mrpc_release(message);
    message = base_from(BYTES(sorted));
    assert_encodes(&extensions_Base_type, message, BYTES(sorted));
    mrpc_release(message);
}

static void extensions_go_where_their_message_goes(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    assert_int_equal(extensions_low_set(message, 1), 0);
    assert_int_equal(extensions_strings_add(message, "text"), 0);
    extensions_Base *copy = extensions_Base_copy(message, NULL);
    assert_true(extensions_Base_equal(message, copy));
    assert_int_equal(extensions_low_set(copy, 2), 0);
    assert_false(extensions_Base_equal(message, copy));
    assert_int_equal(extensions_low_get(message), 1);
    test_bytes block = test_marshal(&extensions_Base_type, copy, NULL), place;
    const extensions_Base *received = test_unmarshal(&extensions_Base_type, block.data, block.size, &place, NULL);
    assert_int_equal(extensions_low_get(received), 2);
    assert_view(extensions_strings_at(received, 0), BYTES("text"));
    test_bytes_free(&block);
    test_bytes_free(&place);
    mrpc_release(copy);
    mrpc_release(message);
}

static void a_message_without_an_arena_cannot_be_given_any(void **state)
{
    (void)state;
    extensions_Base message;
    extensions_Base_init(&message);
    assert_int_equal(extensions_low_set(&message, 1), MRPC_EINVAL);
    assert_int_equal(extensions_int32s_add(&message, 1), MRPC_EINVAL);
    assert_int_equal(extensions_tight_int32s_add(&message, 1), MRPC_EINVAL);
    extensions_low_clear(&message);
    assert_null(message.base.unknown);
}

/* A native message brings any bytes as its unknown fields. */
static void bytes_that_are_not_well_formed_end_the_search(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    static const char bytes[] = "\x50\x01\xc8\x0c\x02\x0f\x50\x03";
    mrpc_unknown *unknown = (mrpc_unknown *)malloc(sizeof *unknown + sizeof bytes - 1);
    *unknown = (mrpc_unknown){.size = sizeof bytes - 1};
    memcpy(unknown->data, BYTES(bytes));
    message->base.unknown = unknown;
    assert_int_equal(extensions_low_get(message), 1);
    assert_int_equal(extensions_int32s_add(message, 4), 0);
    assert_int_equal(extensions_low_set(message, 5), 0);
    assert_encodes(&extensions_Base_type, message, BYTES("\x50\x05\xc8\x0c\x02\xc8\x0c\x04\x0f\x50\x03"));
    extensions_low_clear(message);
    extensions_int32s_clear(message);
    assert_encodes(&extensions_Base_type, message, BYTES("\x0f\x50\x03"));
    free(unknown);
    mrpc_release(message);
}

/* What a packed field has beyond its last whole element is no element. */
static void a_packed_field_that_is_cut_off_ends_with_what_is_whole(void **state)
{
    (void)state;
    extensions_Base *message =
        base_from(BYTES("\xea\x12\x03\x01\x02\x80\xfa\x12\x09\1\2\3\4\5\6\7\x08\x09\xe8\x12\x03"));
    assert_int_equal(extensions_tight_int32s_size(message), 3);
    assert_int_equal(extensions_tight_int32s_at(message, 2), 3);
    assert_int_equal(extensions_tight_fixed64s_size(message), 1);
    mrpc_release(message);
}

/* --- MessageSet --- */

static void assert_is_in_set(const char *bytes, size_t size, int32_t expected)
{
    extensions_Set *set = test_decode(&extensions_Set_type, bytes, size, NULL);
    extensions_InSet *value = NULL;
    assert_true(extensions_InSet_message_set_extension_has(set));
    assert_int_equal(extensions_InSet_message_set_extension_get(set, set, &value, NULL), 0);
    assert_int_equal(value->number, expected);
    assert_encodes(&extensions_Set_type, set, bytes, size);
    mrpc_release(set);
}

static void a_message_set_is_read_in_any_order(void **state)
{
    (void)state;
    assert_is_in_set(BYTES("\x0b\x10\xe8\x07\x1a\x02\x08\x05\x0c"), 5);
    assert_is_in_set(BYTES("\x0b\x1a\x02\x08\x06\x10\xe8\x07\x0c"), 6);
    /* With more in the group, which counts nothing, and as a field of its own. */
    assert_is_in_set(BYTES("\x0b\x20\x01\x10\xe8\x07\x1a\x02\x08\x07\x10\x01\x1a\x02\x08\x08\x0c"), 7);
    assert_is_in_set(BYTES("\xc2\x3e\x02\x08\x09"), 9);
    /* The parts of one message. */
    assert_is_in_set(BYTES("\x0b\x10\xe8\x07\x1a\x02\x08\x01\x0c\xc2\x3e\0\x0b\x10\xe8\x07\x1a\x02\x08\x02\x0c"), 2);
}

static void what_is_no_item_of_a_message_set_is_kept(void **state)
{
    (void)state;
    static const char bytes[] =
        "\x0b\x10\xe8\x07\x0c\x0b\x1a\x02\x08\x05\x0c\x0b\x10\0\x1a\0\x0c\x0b\x0c\x13\x10\xe8\x07\x1a\0\x14";
    extensions_Set *set = test_decode(&extensions_Set_type, BYTES(bytes), NULL);
    assert_false(extensions_InSet_message_set_extension_has(set));
    assert_encodes(&extensions_Set_type, set, BYTES(bytes));
    mrpc_release(set);
}

static void a_message_set_is_written_as_such(void **state)
{
    (void)state;
    extensions_Set *set = extensions_Set_new(NULL);
    extensions_HighInSet *high = extensions_HighInSet_new_in(set), *again = NULL;
    extensions_InSet *low = extensions_InSet_new_in(set);
    assert_int_equal(extensions_HighInSet_set_text(high, "top"), 0);
    extensions_InSet_set_number(low, 1);
    assert_int_equal(extensions_HighInSet_message_set_extension_set(set, high), 0);
    assert_int_equal(extensions_InSet_message_set_extension_set(set, low), 0);
    assert_int_equal(extensions_InSet_message_set_extension_set(set, low), 0);
    assert_encodes(&extensions_Set_type, set,
                   BYTES("\x0b\x10\xe8\x07\x1a\x02\x08\x01\x0c\x0b\x10\xfe\xff\xff\xff\x07\x1a\x05\x0a\x03top\x0c"));
    assert_int_equal(extensions_HighInSet_message_set_extension_get(set, NULL, &again, NULL), 0);
    assert_true(extensions_HighInSet_equal(high, again));
    mrpc_release(again);
    extensions_InSet_message_set_extension_clear(set);
    assert_false(extensions_InSet_message_set_extension_has(set));
    assert_true(extensions_HighInSet_message_set_extension_has(set));
    mrpc_release(set);
}

/* --- finding them, and their text --- */

static void extensions_are_found_by_number_and_by_name(void **state)
{
    (void)state;
    const mrpc_file *file = &mrpc_file_extensions;
    for (size_t i = 0; i < file->extension_count; i++) {
        const mrpc_extension *extension = file->extensions[i];
        assert_ptr_equal(mrpc_file_find_extension(file, extension->extended, extension->field.number), extension);
        assert_ptr_equal(mrpc_file_find_extension_name(file, extension->field.name), extension);
    }
    assert_null(mrpc_file_find_extension(file, &extensions_Base_type, 13));
    assert_null(mrpc_file_find_extension(file, &extensions_Plain_type, 10));
    assert_null(mrpc_file_find_extension_name(file, "extensions.lo"));
    assert_ptr_equal(mrpc_file_find_extension_name(file, "extensions.InSet"), &extensions_InSet_message_set_extension);
    assert_null(mrpc_file_find_extension_name(file, "extensions.Strict")); /* it is declared elsewhere */
    const mrpc_file *const files[] = {&mrpc_file_everything2, file};
    const mrpc_registry registry = {files, 2};
    assert_ptr_equal(mrpc_registry_find(&registry, &everything2_Optional_type, 1000), &extensions_Scope_base);
    assert_ptr_equal(mrpc_registry_find_name(&registry, "extensions.Scope.base"), &extensions_Scope_base);
    assert_null(mrpc_registry_find(NULL, &everything2_Optional_type, 1000));
    mrpc_file older = *file; /* made by a generator that knew of no extensions */
    older.table_size = offsetof(mrpc_file, extensions);
    assert_null(mrpc_file_find_extension(&older, &extensions_Base_type, 10));
    assert_null(mrpc_file_find_extension_name(&older, "extensions.low"));
    assert_null(mrpc_registry_find_name(&registry, "extensions.Base"));
}

static void assert_text(const mrpc_type *type, const void *message, const mrpc_registry *registry, const char *expected)
{
    char text[2000];
    const mrpc_text_options options = {.size = sizeof options, .registry = registry};
    assert_true(mrpc_message_text_with(type, message, &options, text, sizeof text) < sizeof text);
    assert_string_equal(text, expected);
}

static void extensions_have_their_names_in_text(void **state)
{
    (void)state;
    extensions_Base *message =
        base_from(BYTES("\x08\x01\xda\x0c\x01"
                        "a\x50\x05\x50\x06\xd0\x09\x07\xca\x0c\x02\x01\x02\x88\x07\x06\xda\x0c\x01"
                        "b"
                        "\xf2\x06\x04\x08\x01\x22\x00\x88\x07\x09\xeb\x06\x08\x05\xec\x06"));
    assert_text(&extensions_Base_type, message, NULL,
                "first: 1\n"
                "[extensions.low]: 6\n"
                "[extensions.a_group] {\n"
                "  number: 5\n"
                "}\n"
                "[extensions.a_message] {\n"
                "  number: 1\n"
                "  base {\n"
                "  }\n"
                "}\n"
                "[extensions.closed]: CLOSED_SIX\n"
                "[extensions.int32s]: 1\n"
                "[extensions.int32s]: 2\n"
                "[extensions.strings]: \"a\"\n"
                "[extensions.strings]: \"b\"\n"
                "154: 7\n");
    mrpc_release(message);
}

/* What cannot be read is printed as any unknown field. */
static void what_is_no_value_is_printed_by_its_number(void **state)
{
    (void)state;
    extensions_Base *message = base_from(BYTES("\x88\x07\x07\xba\x07\x02\x10\x01\x52\x01x\x50\x01"));
    assert_text(&extensions_Base_type, message, NULL, "[extensions.low]: 1\n113: 7\n119 {\n  2: 1\n}\n10: \"x\"\n");
    mrpc_release(message);
}

static void a_registry_names_extensions_of_other_files(void **state)
{
    (void)state;
    const mrpc_file *const files[] = {&mrpc_file_extensions};
    const mrpc_registry registry = {files, 1};
    everything2_Optional *message = test_decode(&everything2_Optional_type, BYTES("\xc2\x3e\x02\x50\x01"), NULL);
    assert_text(&everything2_Optional_type, message, NULL, "1000 {\n  10: 1\n}\n");
    assert_text(&everything2_Optional_type, message, &registry,
                "[extensions.Scope.base] {\n  [extensions.low]: 1\n}\n");
    mrpc_release(message);
}

static void a_message_set_has_the_names_of_messages_in_text(void **state)
{
    (void)state;
    extensions_WithSet *message = test_decode(
        &extensions_WithSet_type,
        BYTES("\x0a\x17\x0b\x10\xe8\x07\x1a\x02\x08\x05\x0c\x0b\x1a\x02\x08\x06\x10\x04\x0c\x0b\x10\x05\x1a\0\x0c"),
        NULL);
    assert_text(&extensions_WithSet_type, message, NULL,
                "set {\n"
                "  [extensions.strict_in_set] {\n"
                "    number: 6\n"
                "  }\n"
                "  [extensions.InSet] {\n"
                "    number: 5\n"
                "  }\n"
                "  1 {\n"
                "    2: 5\n"
                "    3: \"\"\n"
                "  }\n"
                "}\n");
    mrpc_release(message);
}

/* A message in an extension of a message in an extension, and so on: each is decoded only when it is printed. */
static void text_of_nested_extensions_has_an_end(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    for (int i = 0; i < MRPC_DEPTH_LIMIT; i++) {
        extensions_Plain *plain = extensions_Plain_new_in(message);
        extensions_Base *outer = new_base();
        plain->base_ = message;
        assert_int_equal(extensions_a_message_set(outer, plain), 0);
        mrpc_release(message);
        message = outer;
    }
    char *text = malloc(100000);
    assert_true(extensions_Base_text(message, text, 100000) < 100000);
    assert_non_null(strstr(text, "# nested too deeply\n"));
    free(text);
    mrpc_release(message);
}

/* --- options --- */

static void options_of_ones_own_are_read_at_run_time(void **state)
{
    (void)state;
    google_protobuf_FileDescriptorProto *file = NULL;
    assert_int_equal(mrpc_file_descriptor(&mrpc_file_extension_5foptions, NULL, &file, NULL), 0);
    const google_protobuf_DescriptorProto *message = mrpc_type_descriptor(&extension_options_Options_type, file);
    const google_protobuf_FieldOptions *options = message->field.data[0]->options;
    assert_int_equal(extension_options_closed_option_get(message->options), extensions_CLOSED_FIVE);
    assert_view(extension_options_unit_get(options), BYTES("m/s"));
    assert_int_equal(extension_options_limits_size(options), 2);
    assert_int_equal(extension_options_limits_at(options, 1), -4);
    extensions_Plain *about = NULL;
    assert_int_equal(extension_options_about_get(options, NULL, &about, NULL), 0);
    assert_string_equal(about->text.data, "about");
    assert_true(about->number == 5 && about->numbers.size == 2);
    mrpc_release(about);
    assert_null(message->field.data[1]->options);
    mrpc_release(file);
}

/* --- no memory --- */

static void a_failure_leaves_the_message_as_it_was(void **state)
{
    (void)state;
    static char large[20000];
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        extensions_Base *message = new_base();
        extensions_Plain *value = extensions_Plain_new(NULL);
        assert_int_equal(extensions_low_set(message, 1), 0);
        assert_int_equal(extensions_some_bytes_set(message, "old", 3), 0);
        assert_int_equal(mrpc_string_set_n(value, &value->text, large, sizeof large), 0);
        value->has_text = true;
        failing_alloc_start(&fail);
        int result = extensions_some_bytes_set(message, large, sizeof large);
        bool kept = result != 0;
        if (result == 0)
            result = extensions_messages_add(message, value);
        failing_alloc_stop(&fail);
        assert_int_equal(result, fail.hit ? MRPC_ENOMEM : 0);
        assert_int_equal(extensions_some_bytes_get(message).size, kept ? 3 : sizeof large);
        assert_int_equal(extensions_messages_size(message), result == 0);
        assert_int_equal(extensions_low_get(message), 1);
        mrpc_release(value);
        mrpc_release(message);
    }
    assert_true(fail.runs > 3);
}

static void reading_says_that_there_is_no_memory(void **state)
{
    (void)state;
    static char large[20000];
    extensions_Base *message = new_base();
    extensions_Plain *value = extensions_Plain_new(NULL), *read = NULL;
    assert_int_equal(extensions_Plain_set_text(value, "text"), 0);
    assert_int_equal(extensions_a_message_set(message, value), 0);
    assert_int_equal(extensions_strings_add(message, "text"), 0);
    assert_int_equal(extensions_bytes_list_add(message, large, sizeof large), 0);
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        extensions_Base *owner = new_base();
        mrpc_bytes_list list = {0};
        mrpc_error error = {0};
        failing_alloc_start(&fail);
        int result = extensions_a_message_get(message, NULL, &read, &error);
        if (result == 0)
            result = extensions_bytes_list_get(message, owner, &list, &error);
        failing_alloc_stop(&fail);
        assert_int_equal(result, fail.hit ? MRPC_ENOMEM : 0);
        assert_true(!fail.hit || strstr(mrpc_error_text(&error), "no memory") != NULL);
        mrpc_release(read);
        mrpc_release(owner);
    }
    assert_true(fail.runs > 2);
    mrpc_release(value);
    mrpc_release(message);
}

/* Without memory to sort them, extensions are printed as they came. */
static void text_needs_no_memory(void **state)
{
    (void)state;
    extensions_Base *message = new_base();
    extensions_Plain value;
    extensions_Plain_init(&value);
    assert_int_equal(extensions_low_set(message, 1), 0);
    assert_int_equal(extensions_a_message_set(message, &value), 0);
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        char text[200];
        failing_alloc_start(&fail);
        extensions_Base_text(message, text, sizeof text);
        failing_alloc_stop(&fail);
        if (!fail.hit)
            assert_string_equal(text, "[extensions.low]: 1\n[extensions.a_message] {\n}\n");
        else if (fail.runs <= 2)
            assert_string_equal(text, "10: 1\n110: \"\"\n");
        else
            assert_string_equal(text, "[extensions.low]: 1\n110: \"\"\n");
    }
    assert_true(fail.runs > 2);
    mrpc_release(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absent_extension_reads_as_its_default),
        cmocka_unit_test(a_value_is_there_once_it_was_set),
        cmocka_unit_test(a_value_can_be_changed_and_removed),
        cmocka_unit_test(a_value_may_come_from_the_message_itself),
        cmocka_unit_test(the_last_of_several_values_counts),
        cmocka_unit_test(another_wire_type_is_another_field),
        cmocka_unit_test(a_closed_enum_has_only_numbers_that_it_names),
        cmocka_unit_test(lists_are_read_packed_or_not),
        cmocka_unit_test(a_packed_list_grows_in_its_field),
        cmocka_unit_test(a_list_can_be_replaced_as_a_whole),
        cmocka_unit_test(large_messages_of_a_list_do_not_mix),
        cmocka_unit_test(a_message_is_made_of_all_its_parts),
        cmocka_unit_test(an_absent_message_is_null),
        cmocka_unit_test(a_message_that_cannot_be_read_says_why),
        cmocka_unit_test(an_incomplete_message_is_not_put_in),
        cmocka_unit_test(groups_are_read_and_written),
        cmocka_unit_test(lists_of_messages_take_copies),
        cmocka_unit_test(extensions_are_written_where_their_numbers_belong),
        cmocka_unit_test(extensions_go_where_their_message_goes),
        cmocka_unit_test(a_message_without_an_arena_cannot_be_given_any),
        cmocka_unit_test(bytes_that_are_not_well_formed_end_the_search),
        cmocka_unit_test(a_packed_field_that_is_cut_off_ends_with_what_is_whole),
        cmocka_unit_test(a_message_set_is_read_in_any_order),
        cmocka_unit_test(what_is_no_item_of_a_message_set_is_kept),
        cmocka_unit_test(a_message_set_is_written_as_such),
        cmocka_unit_test(extensions_are_found_by_number_and_by_name),
        cmocka_unit_test(extensions_have_their_names_in_text),
        cmocka_unit_test(what_is_no_value_is_printed_by_its_number),
        cmocka_unit_test(a_registry_names_extensions_of_other_files),
        cmocka_unit_test(a_message_set_has_the_names_of_messages_in_text),
        cmocka_unit_test(text_of_nested_extensions_has_an_end),
        cmocka_unit_test(options_of_ones_own_are_read_at_run_time),
        cmocka_unit_test(a_failure_leaves_the_message_as_it_was),
        cmocka_unit_test(reading_says_that_there_is_no_memory),
        cmocka_unit_test(text_needs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
