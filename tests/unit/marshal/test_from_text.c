/* SPDX-License-Identifier: BSD-2-Clause */
/* test_from_text.c - messages from protobuf's text format */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/text.h>

#include "everything.mrpc.h"
#include "everything2.mrpc.h"
#include "extensions.mrpc.h"
#include "google/protobuf/any.mrpc.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/marshal/random_message.h"

enum { ROUNDS = 100, DEPTH = 4 };

static int parse(const mrpc_type *type, const char *text, void **message, mrpc_error *error)
{
    *error = (mrpc_error){0};
    return mrpc_message_from_text(type, text, strlen(text), NULL, NULL, message, error);
}

static void *parsed(const mrpc_type *type, const char *text)
{
    mrpc_error error;
    void *message;
    if (parse(type, text, &message, &error) != 0)
        fail_msg("\"%s\": %s", text, mrpc_error_text(&error));
    return message;
}

/* The text that is printed, which the caller frees. */
static char *printed(const mrpc_type *type, const void *message)
{
    const mrpc_text_options options = {.size = sizeof options, .hide_unknown = true};
    size_t size = mrpc_message_text_with(type, message, &options, NULL, 0) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    (void)mrpc_message_text_with(type, message, &options, text, size);
    return text;
}

/* What is parsed is printed as `expected`. */
static void assert_becomes(const mrpc_type *type, const char *text, const char *expected)
{
    void *message = parsed(type, text);
    char *again = printed(type, message);
    assert_string_equal(again, expected);
    free(again);
    mrpc_release(message);
}

static void assert_refused(const mrpc_type *type, const char *text, const char *reason)
{
    mrpc_error error;
    void *message = &error;
    if (parse(type, text, &message, &error) != MRPC_EFORMAT)
        fail_msg("\"%s\" was not refused", text);
    assert_null(message);
    assert_string_equal(mrpc_error_text(&error), reason);
}

/* --- what is printed comes back --- */

static void what_is_printed_comes_back(void **state)
{
    static const mrpc_type *const types[] = {
        &everything_Plain_type,      &everything_Optional_type, &everything_Lists_type,   &everything_Maps_type,
        &everything_OneOf_type,      &everything_Tree_type,     &everything_Empty_type,   &everything_Everything_type,
        &everything2_Optional_type,  &everything2_Lists_type,   &everything2_Groups_type, &everything2_Maps_type,
        &everything2_Everything_type};
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (unsigned round = 0; round < ROUNDS; round++) {
            random_source source;
            random_begin(&source, 1000 * t + round);
            void *message = random_message(&source, types[t], DEPTH);
            char *text = printed(types[t], message);
            assert_becomes(types[t], text, text);
            free(text);
            mrpc_release(message);
        }
}

static void extensions_come_back(void **state)
{
    (void)state;
    static const char text[] = "first: 1\n"
                               "middle: \"m\"\n"
                               "[extensions.low]: -3\n"
                               "[extensions.Scope.scope] {\n  text: \"in\"\n}\n"
                               "[extensions.Scope.numbers]: 1\n"
                               "[extensions.Scope.numbers]: 2\n"
                               "[extensions.closed]: CLOSED_SIX\n"
                               "[extensions.strings]: \"a\"\n"
                               "[extensions.strings]: \"b\"\n"
                               "[extensions.messages] {\n  number: 7\n}\n"
                               "[extensions.tight_int32s]: 4\n"
                               "[extensions.tight_int32s]: 5\n";
    assert_becomes(&extensions_Base_type, text, text);
    static const char set[] = "set {\n  [extensions.InSet] {\n    number: 5\n  }\n}\n";
    assert_becomes(&extensions_WithSet_type, set, set);
}

/* --- ways to write it --- */

static void there_is_more_than_one_way_to_write_it(void **state)
{
    (void)state;
    static const char *const lists[] = {"int32s: 1 int32s: 2", "int32s: [1, 2]", "int32s: [1] int32s: [] int32s: 2;",
                                        "# first\nint32s:1,int32s:2 # last"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        assert_becomes(&everything_Lists_type, lists[i], "int32s: 1\nint32s: 2\n");
    assert_becomes(&everything_Lists_type, "messages [{an_int32: 1}, <an_int32: 2>] messages: {}",
                   "messages {\n  an_int32: 1\n}\nmessages {\n  an_int32: 2\n}\nmessages {\n}\n");
    assert_becomes(&everything_Plain_type, "a_string: 'one' \"two\"\n'\\x41\\101\\u00e4\\U0001f600\\n\\?'",
                   "a_string: \"onetwoAA\xc3\xa4\xf0\x9f\x98\x80\\n?\"\n");
    assert_becomes(&everything_Plain_type, "an_int64: -0x10 a_uint64: 017 a_bool: t a_color: 1",
                   "an_int64: -16\na_uint64: 15\na_bool: true\na_color: COLOR_RED\n");
    assert_becomes(&everything_Plain_type, "a_double: 1.5e3f a_float: -.5", "a_double: 1500\na_float: -0.5\n");
    assert_becomes(&everything_Plain_type, "a_double: -Infinity a_float: 1e39", "a_double: -inf\na_float: inf\n");
    assert_becomes(&everything_Plain_type, "a_float: 3.4028235e+38", "a_float: 3.40282347e+38\n");
    assert_becomes(&everything_Plain_type, "", "");
}

static void groups_have_the_name_of_their_message(void **state)
{
    (void)state;
    assert_becomes(&extensions_Base_type, "[extensions.a_group] { number: 1 Inner { text: 'x' } inner {} }",
                   "[extensions.a_group] {\n  number: 1\n  Inner {\n    text: \"x\"\n  }\n  Inner {\n  }\n}\n");
}

static void strings_of_proto2_need_not_be_utf8(void **state)
{
    (void)state;
    assert_becomes(&everything2_Optional_type, "a_string: '\\xff\\xc3'", "a_string: \"\\377\\303\"\n");
    assert_becomes(&everything2_Lists_type, "strings: ['\\x80', 'b']", "strings: \"\\200\"\nstrings: \"b\"\n");
}

static void maps_take_entries_in_any_order(void **state)
{
    (void)state;
    assert_becomes(
        &everything_Maps_type,
        "int32s { key: 2 value: 5 } int32s { value: 1, key: -1 } int32s {} int32s { key: 2 value: 6 }",
        "int32s {\n  key: -1\n  value: 1\n}\nint32s {\n  key: 0\n  value: 0\n}\nint32s {\n  key: 2\n  value: 6\n}\n");
    assert_becomes(
        &everything_Maps_type, "messages [{ key: 'b' }, { key: 'a' value { an_int32: 1 } }]",
        "messages {\n  key: \"a\"\n  value {\n    an_int32: 1\n  }\n}\nmessages {\n  key: \"b\"\n  value {\n  }\n}\n");
}

/* In quadratic time this would take minutes. */
static void many_entries_in_the_worst_order_take_linear_time(void **state)
{
    (void)state;
    enum { ENTRIES = 300000 };
    char *text = malloc(ENTRIES * 32), *end = text;
    assert_non_null(text);
    for (int i = ENTRIES; i > 0; i--)
        end += sprintf(end, "int32s{key:%d value:%d}", i, i);
    everything_Maps *maps = parsed(&everything_Maps_type, text);
    assert_int_equal(maps->int32s.size, ENTRIES);
    assert_int_equal(maps->int32s.data[ENTRIES - 1].value, ENTRIES);
    end = text;
    for (int i = 0; i < ENTRIES; i++)
        end += sprintf(end, "[extensions.int32s]:%d", i);
    extensions_Base *base = parsed(&extensions_Base_type, text);
    assert_int_equal(extensions_int32s_size(base), ENTRIES);
    mrpc_release(base);
    mrpc_release(maps);
    free(text);
}

static void message_in_an_any_is_encoded(void **state)
{
    (void)state;
    static const char text[] = "[type.googleapis.com/everything.Plain] { an_int32: 5 }";
    const mrpc_file *const files[] = {&mrpc_file_everything};
    const mrpc_registry registry = {files, 1};
    const mrpc_text_options options = {.size = sizeof options, .registry = &registry};
    mrpc_error error;
    void *message;
    assert_int_equal(
        mrpc_message_from_text(&google_protobuf_Any_type, text, sizeof text - 1, &options, NULL, &message, &error), 0);
    google_protobuf_Any *any = message;
    assert_string_equal(any->type_url.data, "type.googleapis.com/everything.Plain");
    assert_int_equal(any->value.size, 2);
    assert_memory_equal(any->value.data, "\x28\x05", 2);
    mrpc_release(any);
    assert_refused(
        &google_protobuf_Any_type, text,
        "line 1, column 40: type.googleapis.com/everything.Plain: no message type everything.Plain is known");
}

/* --- what is refused --- */

static void errors_say_where_and_why(void **state)
{
    static const struct {
        const mrpc_type *type;
        const char *text, *reason;
    } cases[] = {
        {&everything_Plain_type, "nothing: 1", "line 1, column 1: everything.Plain has no field nothing"},
        {&everything_Plain_type, "an_int32: 1\n  an_int32: 2",
         "line 2, column 3: an_int32: it is there already, and can have one value only"},
        {&everything_Plain_type, "an_int32 1", "line 1, column 10: an_int32: \":\" is expected"},
        {&everything_Plain_type, "an_int32: x", "line 1, column 11: an_int32: a whole number is expected"},
        {&everything_Plain_type, "an_int32: 1.5", "line 1, column 11: an_int32: a whole number is expected"},
        {&everything_Plain_type, "an_int32: 2147483648", "line 1, column 11: an_int32: the number is out of range"},
        {&everything_Plain_type, "an_int32: -2147483649", "line 1, column 12: an_int32: the number is out of range"},
        {&everything_Plain_type, "a_uint32: -1", "line 1, column 12: a_uint32: the number is out of range"},
        {&everything_Plain_type, "a_double: 0x1", "line 1, column 11: a_double: a number is expected"},
        {&everything_Plain_type, "a_double: 1e", "line 1, column 11: a_double: a number is expected"},
        {&everything_Plain_type, "a_bool: 2", "line 1, column 9: a_bool: true or false is expected"},
        {&everything_Plain_type, "a_color: BLACK",
         "line 1, column 10: a_color: everything.Color has no value of that name"},
        {&extensions_Base_type, "[extensions.closed]: 7",
         "line 1, column 22: extensions.closed: extensions.Closed has no value of that number"},
        {&everything_Plain_type, "a_string: 5", "line 1, column 11: a_string: a string in quotes is expected"},
        {&everything_Plain_type, "a_string: 'a\nb'",
         "line 1, column 11: a_string: a string that does not end on its line"},
        {&everything_Plain_type, "a_string: '\\ud800'",
         "line 1, column 11: a_string: there is no character of that number"},
        {&everything_Plain_type, "a_string: '\\q'", "line 1, column 11: a_string: an escape that means nothing"},
        {&everything_Plain_type, "a_string: '\\777'", "line 1, column 11: a_string: an octal escape above \\377"},
        {&everything_Plain_type, "a_string: 'x' '\\xff'", "line 1, column 11: a_string: the string is not UTF-8"},
        {&everything_Lists_type, "int32s: [1 2]", "line 1, column 12: int32s: \"]\" is expected"},
        {&everything_Optional_type, "a_message { an_int32: }",
         "line 1, column 23: a_message.an_int32: a whole number is expected"},
        {&everything_Optional_type, "a_message {", "line 1, column 12: a_message: the name of a field is expected"},
        {&everything_Optional_type, "a_message < }", "line 1, column 13: a_message: the name of a field is expected"},
        {&everything_OneOf_type, "number: 1 flag: true",
         "line 1, column 11: flag: a member of its oneof is there already"},
        {&everything_Maps_type, "int32s { keys: 1 }", "line 1, column 10: int32s: key or value is expected"},
        {&extensions_Strict_type, "other: 1",
         "line 1, column 9: the required field number of extensions.Strict is absent"},
        {&extensions_Base_type, "[extensions.strict] { }",
         "line 1, column 23: extensions.strict: the required field number of extensions.Strict is absent"},
        {&extensions_Base_type, "[extensions.low]: 1 [extensions.low]: 2",
         "line 1, column 37: extensions.low: it is there already, and can have one value only"},
        {&extensions_Plain_type, "[extensions.low]: 1",
         "line 1, column 1: extensions.Plain has no extension extensions.low that is known"},
        {&extensions_Base_type, "[extensions",
         "line 1, column 12: the name of an extension or a type is expected, and \"]\""},
        {&everything_Plain_type, "}", "line 1, column 1: the name of a field is expected"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(cases[i].type, cases[i].text, cases[i].reason);
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    char text[5 * 200 + 1] = "";
    mrpc_error error;
    void *message;
    for (int i = 0; i < 100; i++)
        strcat(text, "left{");
    for (int i = 0; i < 100; i++)
        strcat(text, "}");
    mrpc_release(parsed(&everything_Tree_type, text));
    text[0] = '\0';
    for (int i = 0; i < 200; i++)
        strcat(text, "left{");
    assert_int_equal(parse(&everything_Tree_type, text, &message, &error), MRPC_EFORMAT);
    assert_non_null(strstr(mrpc_error_text(&error), "nested too deeply"));
}

/* Each beginning of a text, in memory of its own size. */
static void cut_text_is_not_read_beyond_its_end(void **state)
{
    (void)state;
    static const char text[] =
        "plain { a_string: \"\\u00e4\\101\\x4\" a_double: -1.5e-3 a_color: COLOR_RED some_bytes: '\\\\' } "
        "lists { int32s: [0x1, 2] } # end";
    unsigned taken = 0;
    for (size_t size = 0; size < sizeof text; size++) {
        char *copy = malloc(size > 0 ? size : 1);
        void *message;
        mrpc_error error;
        memcpy(copy, text, size);
        int result = mrpc_message_from_text(&everything_Everything_type, copy, size, NULL, NULL, &message, &error);
        assert_true(result == 0 || result == MRPC_EFORMAT);
        taken += result == 0;
        mrpc_release(message);
        free(copy);
    }
    assert_true(taken > 2 && taken < sizeof text / 2);
}

static void without_memory_it_fails_as_it_should(void **state)
{
    (void)state;
    static const char text[] =
        "first: 1 [extensions.strings]: ['a', 'b'] [extensions.a_message] { number: 1 numbers: [1, 2, 3, 4, 5] }";
    static const char maps[] = "strings { key: 'b' value: 'x' } strings { key: 'a' } messages { key: 'c' }";
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        void *first = NULL, *second = NULL;
        mrpc_error error;
        failing_alloc_start(&fail);
        int result = parse(&extensions_Base_type, text, &first, &error);
        if (result == 0)
            result = parse(&everything_Maps_type, maps, &second, &error);
        failing_alloc_stop(&fail);
        assert_int_equal(result, fail.hit ? MRPC_ENOMEM : 0);
        mrpc_release(first);
        mrpc_release(second);
    }
    assert_true(fail.runs > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_comes_back),
        cmocka_unit_test(extensions_come_back),
        cmocka_unit_test(there_is_more_than_one_way_to_write_it),
        cmocka_unit_test(groups_have_the_name_of_their_message),
        cmocka_unit_test(strings_of_proto2_need_not_be_utf8),
        cmocka_unit_test(maps_take_entries_in_any_order),
        cmocka_unit_test(many_entries_in_the_worst_order_take_linear_time),
        cmocka_unit_test(message_in_an_any_is_encoded),
        cmocka_unit_test(errors_say_where_and_why),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(cut_text_is_not_read_beyond_its_end),
        cmocka_unit_test(without_memory_it_fails_as_it_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
