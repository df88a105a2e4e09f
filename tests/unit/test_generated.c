/* SPDX-License-Identifier: BSD-2-Clause */
/* test_generated.c - the functions that generated headers have for messages, fields and enums */
#include "everything.mrpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define assert_text(expected, string)                                                                                  \
    do {                                                                                                               \
        assert_int_equal(strlen(expected), (string).size);                                                             \
        assert_string_equal(expected, (string).data);                                                                  \
    } while (0)

static void a_new_message_is_empty_and_readable(void **state)
{
    (void)state;
    everything_Plain *plain = everything_Plain_new(NULL);
    assert_non_null(plain);
    assert_text("", plain->a_string);
    assert_int_equal(0, plain->a_double != 0 || plain->an_sint64 != 0 || plain->a_bool);
    mrpc_release(plain);

    everything_Plain local;
    memset(&local, 0xff, sizeof local);
    everything_Plain_init(&local);
    assert_null(local.base.arena);
    assert_text("", local.a_string);
    assert_int_equal(0, local.an_int32);
}

static void setters_copy_what_they_are_given(void **state)
{
    (void)state;
    everything_Plain *plain = everything_Plain_new(NULL);
    char text[] = "text";
    uint8_t data[] = {0, 1, 2};
    assert_int_equal(0, everything_Plain_set_a_string(plain, text));
    assert_int_equal(0, everything_Plain_set_some_bytes(plain, data, sizeof data));
    text[0] = 'T';
    data[0] = 9;
    assert_text("text", plain->a_string);
    assert_int_equal(3, plain->some_bytes.size);
    assert_memory_equal("\0\1\2", plain->some_bytes.data, 3);
    mrpc_release(plain);
}

static void setters_of_optional_fields_mark_presence(void **state)
{
    (void)state;
    everything_Optional *optional = everything_Optional_new(NULL);
    assert_false(optional->has_an_int32 || optional->has_a_string || optional->has_some_bytes || optional->has_a_color);
    everything_Optional_set_an_int32(optional, 0);
    everything_Optional_set_a_color(optional, everything_COLOR_FAR);
    assert_int_equal(0, everything_Optional_set_a_string(optional, ""));
    assert_int_equal(0, everything_Optional_set_some_bytes(optional, NULL, 0));
    assert_true(optional->has_an_int32 && optional->has_a_string && optional->has_some_bytes && optional->has_a_color);
    assert_int_equal(1000000, optional->a_color);
    assert_false(optional->has_a_bool);
    everything_Plain *plain = everything_Optional_make_a_message(optional);
    assert_ptr_equal(plain, optional->a_message);
    mrpc_release(optional);
}

static void a_setter_that_fails_changes_nothing(void **state)
{
    (void)state;
    everything_Optional local;
    everything_Optional_init(&local);
    assert_int_equal(MRPC_EINVAL, everything_Optional_set_a_string(&local, "x"));
    assert_false(local.has_a_string);
    assert_text("", local.a_string);
    assert_null(everything_Optional_make_a_message(&local));
    assert_null(local.a_message);

    everything_OneOf one;
    everything_OneOf_init(&one);
    everything_OneOf_set_number(&one, 7);
    assert_int_equal(MRPC_EINVAL, everything_OneOf_set_text(&one, "x"));
    assert_null(everything_OneOf_make_message(&one));
    assert_int_equal(everything_OneOf_choice_number, one.choice_case);
    assert_int_equal(7, one.choice.number);

    everything_Maps maps;
    everything_Maps_init(&maps);
    assert_int_equal(MRPC_EINVAL, everything_Maps_put_int32s(&maps, 1, 1));
    assert_int_equal(MRPC_EINVAL, everything_Maps_put_strings(&maps, "a", "b"));
    assert_null(everything_Maps_put_messages(&maps, "a"));
    assert_int_equal(0, maps.int32s.size + maps.strings.size + maps.messages.size);
}

static void a_oneof_holds_what_was_set_last(void **state)
{
    (void)state;
    everything_OneOf *one = everything_OneOf_new(NULL);
    assert_int_equal(everything_OneOf_choice_NOT_SET, one->choice_case);
    assert_int_equal(0, everything_OneOf_set_text(one, "text"));
    assert_int_equal(everything_OneOf_choice_text, one->choice_case);
    assert_text("text", one->choice.text);
    everything_OneOf_set_flag(one, true);
    assert_int_equal(everything_OneOf_choice_flag, one->choice_case);
    assert_true(one->choice.flag);
    everything_Plain *plain = everything_OneOf_make_message(one);
    assert_int_equal(everything_OneOf_choice_message, one->choice_case);
    assert_ptr_equal(plain, one->choice.message);
    assert_int_equal(0, everything_OneOf_set_data(one, "abc", 3));
    assert_int_equal(3, one->choice.data.size);
    everything_OneOf_set_only(one, true);
    everything_OneOf_clear_choice(one);
    assert_int_equal(0, one->choice_case);
    assert_int_equal(everything_OneOf_tiny_only, one->tiny_case);
    mrpc_release(one);
}

static void lists_grow_by_adding(void **state)
{
    (void)state;
    everything_Lists *lists = everything_Lists_new(NULL);
    for (int32_t i = 0; i < 1000; i++)
        assert_int_equal(0, everything_Lists_add_int32s(lists, i));
    assert_int_equal(0, everything_Lists_add_bools(lists, true));
    assert_int_equal(0, everything_Lists_add_colors(lists, everything_COLOR_BELOW));
    assert_int_equal(0, everything_Lists_add_doubles(lists, 0.5));
    assert_int_equal(0, everything_Lists_add_strings(lists, "one"));
    assert_int_equal(0, everything_Lists_add_strings(lists, ""));
    assert_int_equal(0, everything_Lists_add_bytes_list(lists, "\0", 1));
    everything_Plain *plain = everything_Lists_add_messages(lists);
    assert_int_equal(1000, lists->int32s.size);
    assert_int_equal(999, lists->int32s.data[999]);
    assert_int_equal(-3, lists->colors.data[0]);
    assert_text("one", lists->strings.data[0]);
    assert_text("", lists->strings.data[1]);
    assert_int_equal(1, lists->bytes_list.data[0].size);
    assert_ptr_equal(plain, lists->messages.data[0]);
    assert_text("", plain->a_string);
    mrpc_release(lists);
}

static void maps_by_number_are_sorted(void **state)
{
    (void)state;
    everything_Maps *maps = everything_Maps_new(NULL);
    for (int32_t i = 0; i < 100; i++)
        assert_int_equal(0, everything_Maps_put_int32s(maps, i * 37 % 101 - 50, i));
    assert_int_equal(0, everything_Maps_put_int32s(maps, -50, 77));
    assert_int_equal(100, maps->int32s.size);
    for (size_t i = 1; i < maps->int32s.size; i++)
        assert_true(maps->int32s.data[i - 1].key < maps->int32s.data[i].key);
    assert_int_equal(77, *everything_Maps_get_int32s(maps, -50));
    assert_null(everything_Maps_get_int32s(maps, 51));
    assert_true(everything_Maps_remove_int32s(maps, -50));
    assert_false(everything_Maps_remove_int32s(maps, -50));
    assert_null(everything_Maps_get_int32s(maps, -50));
    assert_int_equal(0, everything_Maps_put_bools(maps, true, false));
    assert_int_equal(0, everything_Maps_put_bools(maps, false, true));
    assert_false(maps->bools.data[0].key);
    assert_int_equal(0, everything_Maps_put_uint64s(maps, UINT64_MAX, 1));
    assert_int_equal(0, everything_Maps_put_uint64s(maps, 1, 2));
    assert_int_equal(1, maps->uint64s.data[0].key);
    mrpc_release(maps);
}

static void maps_by_text_hold_everything(void **state)
{
    (void)state;
    everything_Maps *maps = everything_Maps_new(NULL);
    assert_int_equal(0, everything_Maps_put_strings(maps, "key", "value"));
    assert_int_equal(0, everything_Maps_put_strings(maps, "", "empty"));
    assert_int_equal(0, everything_Maps_put_strings(maps, "key", "other"));
    assert_int_equal(2, maps->strings.size);
    assert_text("other", *everything_Maps_get_strings(maps, "key"));
    assert_text("", maps->strings.data[0].key);
    assert_int_equal(0, everything_Maps_put_bytes_values(maps, "b", "\0\1", 2));
    assert_int_equal(2, everything_Maps_get_bytes_values(maps, "b")->size);
    assert_int_equal(0, everything_Maps_put_colors(maps, "red", everything_COLOR_RED));
    assert_int_equal(1, *everything_Maps_get_colors(maps, "red"));
    everything_Plain *plain = everything_Maps_put_messages(maps, "m");
    plain->an_int32 = 5;
    assert_ptr_equal(plain, everything_Maps_put_messages(maps, "m"));
    assert_int_equal(5, everything_Maps_get_messages(maps, "m")->an_int32);
    assert_null(everything_Maps_get_messages(maps, "n"));
    everything_Maps *inner = everything_Maps_put_maps(maps, INT64_MIN);
    assert_int_equal(0, everything_Maps_put_int32s(inner, 1, 2));
    assert_int_equal(2, *everything_Maps_get_int32s(everything_Maps_get_maps(maps, INT64_MIN), 1));
    assert_true(everything_Maps_remove_messages(maps, "m"));
    mrpc_release(maps);
}

static void enums_have_names(void **state)
{
    (void)state;
    everything_Color color = everything_COLOR_NONE;
    assert_string_equal("COLOR_BELOW", everything_Color_name(everything_COLOR_BELOW));
    assert_null(everything_Color_name(3));
    assert_true(everything_Color_parse("COLOR_FAR", &color));
    assert_int_equal(everything_COLOR_FAR, color);
    assert_false(everything_Color_parse("COLOR_", &color));
    assert_int_equal(everything_COLOR_FAR, color);
    assert_string_equal("SOME", everything_Everything_Nested_Deep_name(everything_Everything_Nested_SOME));
}

/* A message with something of each kind in it. */
static everything_Everything *make_everything(void)
{
    everything_Everything *all = everything_Everything_new(NULL);
    assert_non_null(all);
    everything_Plain *plain = everything_Everything_make_plain(all);
    plain->an_int32 = -1;
    assert_int_equal(0, everything_Plain_set_a_string(plain, "Grüße"));
    everything_Optional_set_a_bool(everything_Everything_make_optional(all), false);
    assert_int_equal(0, everything_Lists_add_strings(everything_Everything_make_lists(all), "element"));
    assert_int_equal(0, everything_Maps_put_strings(everything_Everything_make_maps(all), "key", "value"));
    assert_int_equal(0, everything_OneOf_set_text(everything_Everything_make_one(all), "chosen"));
    everything_Tree *tree = everything_Everything_make_tree(all);
    assert_int_equal(0, everything_Tree_set_name(everything_Tree_make_left(tree), "left"));
    everything_Everything_make_nested(all)->deep = everything_Everything_Nested_SOME;
    everything_Everything_make_plain(everything_Everything_add_more(all))->a_bool = true;
    return all;
}

static void a_copy_is_equal_and_apart(void **state)
{
    (void)state;
    everything_Everything *all = make_everything();
    everything_Everything *copy = everything_Everything_copy(all, NULL);
    assert_true(everything_Everything_equal(all, copy));
    assert_int_equal(0, everything_Tree_set_name(copy->tree->left, "other"));
    assert_false(everything_Everything_equal(all, copy));
    assert_text("left", all->tree->left->name);
    everything_Everything *inside = everything_Everything_copy_in(all, copy);
    mrpc_release(all);
    assert_text("left", inside->tree->left->name);
    mrpc_release(copy);
}

static void what_was_encoded_is_decoded(void **state)
{
    (void)state;
    everything_Everything *all = make_everything(), *back = NULL;
    uint8_t bytes[1024];
    mrpc_error error;
    int64_t size = everything_Everything_encode(all, bytes, sizeof bytes);
    assert_true(size > 0 && size <= (int64_t)sizeof bytes);
    assert_int_equal(size, everything_Everything_encode(all, NULL, 0));
    assert_int_equal(0, everything_Everything_decode(bytes, (size_t)size, NULL, &back, &error));
    assert_true(everything_Everything_equal(all, back));
    mrpc_release(back);
    back = all;
    assert_int_equal(MRPC_EFORMAT, everything_Everything_decode(bytes, (size_t)size - 1, NULL, &back, &error));
    assert_null(back);
    assert_int_not_equal(0, strlen(mrpc_error_text(&error)));
    mrpc_release(all);
}

static void a_message_can_be_read_as_text(void **state)
{
    (void)state;
    everything_OneOf *one = everything_OneOf_new(NULL);
    one->before = 3;
    assert_int_equal(0, everything_OneOf_set_text(one, "a \"word\""));
    char text[256];
    size_t size = everything_OneOf_text(one, text, sizeof text);
    assert_int_equal(strlen(text), size);
    assert_string_equal("before: 3\ntext: \"a \\\"word\\\"\"\n", text);
    assert_int_equal(size, everything_OneOf_text(one, text, 4));
    assert_string_equal("bef", text);
    mrpc_release(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_message_is_empty_and_readable),
        cmocka_unit_test(setters_copy_what_they_are_given),
        cmocka_unit_test(setters_of_optional_fields_mark_presence),
        cmocka_unit_test(a_setter_that_fails_changes_nothing),
        cmocka_unit_test(a_oneof_holds_what_was_set_last),
        cmocka_unit_test(lists_grow_by_adding),
        cmocka_unit_test(maps_by_number_are_sorted),
        cmocka_unit_test(maps_by_text_hold_everything),
        cmocka_unit_test(enums_have_names),
        cmocka_unit_test(a_copy_is_equal_and_apart),
        cmocka_unit_test(what_was_encoded_is_decoded),
        cmocka_unit_test(a_message_can_be_read_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
