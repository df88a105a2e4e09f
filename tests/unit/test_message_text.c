/* SPDX-License-Identifier: BSD-2-Clause */
/* test_message_text.c - messages in the text format */
#include "config.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <mrpc/text.h>
#include "tests/unit/message_types.h"

static char text[50000];

static const char *print(const Everything *message)
{
    size_t length = mrpc_message_text(&Everything_type, message, text, sizeof text);
    assert_true(length < sizeof text);
    assert_int_equal(strlen(text), length);
    return text;
}

static Everything *new_message(void)
{
    Everything *message = mrpc_message_new(&Everything_type, NULL);
    assert_non_null(message);
    return message;
}

static void an_empty_message_has_no_text(void **state)
{
    (void)state;
    Everything message = {.a_bool = false};
    assert_string_equal(print(&message), "");
}

static void each_field_has_a_line(void **state)
{
    (void)state;
    Everything *message = new_message();
    message->an_int32 = -5;
    message->a_bool = true;
    message->a_color = 1;
    message->has_maybe_int32 = true;
    message->colors = (mrpc_int32_list){.data = (int32_t[]){0, 7}, .size = 2};
    assert_int_equal(mrpc_string_set(message, &message->a_string, "text"), 0);
    assert_string_equal(print(message),
                        "an_int32: -5\na_bool: true\na_string: \"text\"\na_color: GREEN\nmaybe_int32: 0\n"
                        "colors: RED\ncolors: 7\n");
    mrpc_release(message);
}

static void messages_and_map_entries_are_blocks(void **state)
{
    (void)state;
    Everything *message = new_message();
    message->child = mrpc_message_new_in(&Everything_type, message);
    message->child->leaf = mrpc_message_new_in(&Leaf_type, message);
    message->child->leaf->number = 1;
    message->choice_case = CHOSEN_BYTES;
    assert_non_null(mrpc_message_list_add(message, &message->leaves, &Leaf_type));
    assert_non_null(mrpc_map_insert(&by_int32_type, message, &message->by_int32, &(int32_t){0}));
    assert_non_null(mrpc_map_insert(&by_bool_type, message, &message->by_bool, &(bool){false}));
    assert_string_equal(print(message), "child {\n  leaf {\n    number: 1\n  }\n}\n"
                                        "chosen_bytes: \"\"\n"
                                        "leaves {\n}\n"
                                        "by_int32 {\n  key: 0\n  value {\n  }\n}\n"
                                        "by_bool {\n  key: false\n  value: \"\"\n}\n");
    mrpc_release(message);
}

/* A message that was never constructed, or that its owner damages: what points nowhere is empty. */
static void null_pointers_are_empty(void **state)
{
    (void)state;
    Leaf *none[] = {NULL};
    by_string entry = {.value = 3};
    Everything message = {.a_string = {.size = 9},
                          .has_maybe_string = true,
                          .int32s = {.size = 4},
                          .leaves = {.data = none, .size = 1},
                          .by_string = {.data = &entry, .size = 1}};
    assert_string_equal(print(&message), "maybe_string: \"\"\nleaves {\n}\nby_string {\n  key: \"\"\n  value: 3\n}\n");
}

static void strings_are_escaped_but_stay_readable(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed;
    } cases[] = {
        {"a\"b\\c'd", "a\\\"b\\\\c'd"},
        {"tab\tline\nreturn\r", "tab\\tline\\nreturn\\r"},
        {"\x1b[2J\x01\x7f", "\\033[2J\\001\\177"},
        {"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"},
        {"\xC2\x9B"
         "31m",
         "\\302\\23331m"},                                       /* U+009B begins a sequence as ESC [ does */
        {"\xC3", "\\303"},                                       /* cut off */
        {"\xC0\x80 \xED\xA0\x80", "\\300\\200 \\355\\240\\200"}, /* not UTF-8 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Everything *message = new_message();
        char expected[200];
        snprintf(expected, sizeof expected, "a_string: \"%s\"\n", cases[i].printed);
        assert_int_equal(mrpc_string_set(message, &message->a_string, cases[i].text), 0);
        assert_string_equal(print(message), expected);
        mrpc_release(message);
    }
}

static void bytes_are_escaped_wholly(void **state)
{
    (void)state;
    Everything *message = new_message();
    assert_int_equal(mrpc_bytes_set(message, &message->some_bytes, "a\0\xC3\xA9\xFF", 5), 0);
    assert_string_equal(print(message), "some_bytes: \"a\\000\\303\\251\\377\"\n");
    mrpc_release(message);
}

static void expect_double(double value, const char *printed)
{
    char expected[100];
    Everything message = {.a_double = value};
    snprintf(expected, sizeof expected, "a_double: %s\n", printed);
    assert_string_equal(print(&message), expected);
}

static void numbers_have_as_few_digits_as_give_them_back(void **state)
{
    (void)state;
    expect_double(0.1, "0.1");
    expect_double(1.0, "1");
    expect_double(-0.0, "-0");
    expect_double(1e300, "1e+300");
    expect_double(0.1 + 0.2, "0.30000000000000004");
    expect_double((double)INFINITY, "inf");
    expect_double(-(double)INFINITY, "-inf");
    expect_double((double)NAN, "nan");
    expect_double(DBL_MAX, "1.7976931348623157e+308");
    Everything message = {.a_float = 0.1f};
    assert_string_equal(print(&message), "a_float: 0.1\n");
    message.a_float = 16777216.0f;
    assert_string_equal(print(&message), "a_float: 16777216\n");
    message.a_float = (float)INFINITY;
    assert_string_equal(print(&message), "a_float: inf\n");
}

static void the_locale_does_not_change_the_decimal_point(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "ps_AF.UTF-8"};
    const char *locale = NULL;
    for (size_t i = 0; locale == NULL && i < sizeof names / sizeof names[0]; i++)
        locale = setlocale(LC_NUMERIC, names[i]);
    if (locale == NULL) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
    expect_double(0.5, "0.5");
    setlocale(LC_NUMERIC, "C");
}

/* Whatever the size of the buffer, as much as fits is there, and nothing is written behind it. */
static void text_is_cut_at_the_end_of_the_buffer(void **state)
{
    (void)state;
    Everything *message = everything_new(NULL);
    assert_non_null(message);
    size_t length = strlen(print(message));
    for (size_t size = 1; size <= length + 1; size += size < 50 || size > length - 50 ? 1 : 97) {
        char *cut = malloc(size);
        assert_non_null(cut);
        assert_int_equal(mrpc_message_text(&Everything_type, message, cut, size), length);
        assert_int_equal(strlen(cut), size - 1);
        assert_memory_equal(cut, text, size - 1);
        free(cut);
    }
    assert_int_equal(mrpc_message_text(&Everything_type, message, NULL, 0), length);
    mrpc_release(message);
}

/* --- unknown fields --- */

static const char *print_unknown(const char *bytes, size_t size)
{
    Everything *message = new_message();
    mrpc_unknown *unknown = mrpc_arena_alloc(message->base.arena, sizeof *unknown + size);
    unknown->size = size;
    unknown->capacity = 0;
    memcpy(unknown->data, bytes, size);
    message->base.unknown = unknown;
    print(message);
    mrpc_release(message);
    return text;
}

static void unknown_fields_are_shown_by_number(void **state)
{
    (void)state;
    static const char bytes[] = "\xa0\x06\x96\x01"                         /* 100: varint */
                                "\xad\x06\x0a\x00\x00\x00"                 /* 101: 4 bytes */
                                "\xb1\x06\x01\x00\x00\x00\x00\x00\x00\x80" /* 102: 8 bytes */
                                "\xba\x06\x03"
                                "ab\x01"                    /* 103: bytes */
                                "\xc3\x06\x08\x05\xc4\x06"; /* 104: a group with 1: 5 */
    assert_string_equal(print_unknown(bytes, sizeof bytes - 1),
                        "100: 150\n101: 0x0000000a\n102: 0x8000000000000001\n103: \"ab\\001\"\n104 {\n  1: 5\n}\n");
}

/* As text formats of other implementations do; at 10 levels that is over, so that it takes no more than linear time. */
static void unknown_bytes_that_could_be_a_message_are_shown_as_one(void **state)
{
    (void)state;
    assert_string_equal(print_unknown("\xa2\x06\x04\x0a\x02\x08\x05", 7), "100 {\n  1 {\n    1: 5\n  }\n}\n");
    assert_string_equal(print_unknown("\xa2\x06\x00", 3), "100: \"\"\n");
    char deep[2 * 40];
    for (size_t i = 0; i < 40; i++) {
        deep[2 * i] = 0x0a;
        deep[2 * i + 1] = (char)(sizeof deep - 2 * (i + 1));
    }
    assert_non_null(strstr(print_unknown(deep, sizeof deep), "\n                    1: \"\\n"));
}

static void unknown_fields_can_be_left_out(void **state)
{
    (void)state;
    Everything *message = new_message();
    mrpc_unknown *unknown = mrpc_arena_alloc(message->base.arena, sizeof *unknown + 2);
    *unknown = (mrpc_unknown){.size = 2};
    memcpy(unknown->data, "\x78\x01", 2);
    message->base.unknown = unknown;
    const mrpc_text_options options = {.size = sizeof options, .hide_unknown = true};
    assert_int_equal(mrpc_message_text_with(&Everything_type, message, &options, text, sizeof text), 0);
    assert_int_equal(mrpc_message_text_with(&Everything_type, message, NULL, text, sizeof text), strlen("15: 1\n"));
    mrpc_release(message);
}

/* Bytes that no decoder would have let through are not followed beyond their end. */
static void malformed_unknown_fields_are_called_that(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\xa0", 1},         /* half a tag */
        {"\xa0\x06", 2},     /* no value */
        {"\xa0\x06\x80", 3}, /* half a value */
        {"\xba\x06\x05"
         "abc",
         6},                                                      /* too short */
        {"\xba\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* much too short */
        {"\xb1\x06\x01", 3},                                      /* 8 bytes, one is there */
        {"\xc4\x06", 2},                                          /* the end of no group */
        {"\xc3\x06", 2},                                          /* a group without end */
        {"\x07", 1},                                              /* no such wire type */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_non_null(
            strstr(print_unknown(cases[i].bytes, cases[i].size), "# unknown fields that are not well-formed\n"));
    char deep[1000];
    memset(deep, 0x0b, sizeof deep);
    assert_non_null(strstr(print_unknown(deep, sizeof deep), "not well-formed"));
}

/* --- against protoc --- */

static const char schema[] =
    "syntax = \"proto3\"; package test;\n"
    "enum Color { option allow_alias = true; RED = 0; GREEN = 1; ALSO_GREEN = 1; BLUE = 5; NEGATIVE = -3; }\n"
    "message Leaf { int32 number = 1; string name = 2; }\n"
    "message Everything {\n"
    "  double a_double = 1; float a_float = 2; int64 an_int64 = 3; uint64 a_uint64 = 4; int32 an_int32 = 5;\n"
    "  fixed64 a_fixed64 = 6; fixed32 a_fixed32 = 7; bool a_bool = 8; string a_string = 9; bytes some_bytes = 10;\n"
    "  uint32 a_uint32 = 11; Color a_color = 12; sfixed32 an_sfixed32 = 13; sfixed64 an_sfixed64 = 14;\n"
    "  sint32 an_sint32 = 15; sint64 an_sint64 = 16;\n"
    "  optional int32 maybe_int32 = 17; optional string maybe_string = 18; optional bytes maybe_bytes = 19;\n"
    "  Leaf leaf = 20; Everything child = 21;\n"
    "  oneof choice { double chosen_double = 22; string chosen_string = 23; bytes chosen_bytes = 24; Leaf chosen_leaf "
    "= 25; }\n"
    "  repeated int32 int32s = 30; repeated double doubles = 31; repeated bool bools = 32; repeated string strings = "
    "33;\n"
    "  repeated bytes byteses = 34; repeated Leaf leaves = 35; repeated Color colors = 36;\n"
    "  map<string, int32> by_string = 40; map<int32, Leaf> by_int32 = 41; map<bool, string> by_bool = 42;\n"
    "  map<int64, bytes> by_int64 = 43; map<uint32, double> by_uint32 = 44; map<fixed64, Color> by_fixed64 = 45;\n"
    "}\n";

static void write_file(const char *folder, const char *name, const char *content)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
    assert_int_equal(fclose(file), 0);
}

static void remove_file(const char *folder, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

/* What protoc reads from the text, it prints in the same way. (But for a string that is not ASCII: it would escape
 * that.) */
static void protoc_reads_the_text_and_prints_the_same(void **state)
{
    (void)state;
    const char *protoc = getenv("PROTOC");
    if (protoc == NULL || protoc[0] == '\0') {
        print_message("there is no protoc\n");
        skip();
    }
    char folder[] = "/tmp/mrpc-test-text-XXXXXX", command[1000];
    assert_non_null(mkdtemp(folder));
    Everything *message = everything_new(NULL);
    assert_int_equal(mrpc_string_set(message, &message->a_string, "plain"), 0);
    write_file(folder, "test.proto", schema);
    write_file(folder, "text", print(message));
    snprintf(command, sizeof command,
             "cd %s && %s --encode=test.Everything --deterministic_output test.proto < text > bytes && "
             "%s --decode=test.Everything test.proto < bytes > again && cmp text again",
             folder, protoc, protoc);
    int result = system(command);
    remove_file(folder, "test.proto");
    remove_file(folder, "text");
    remove_file(folder, "bytes");
    remove_file(folder, "again");
    assert_int_equal(rmdir(folder), 0);
    mrpc_release(message);
    assert_int_equal(result, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_message_has_no_text),
        cmocka_unit_test(each_field_has_a_line),
        cmocka_unit_test(messages_and_map_entries_are_blocks),
        cmocka_unit_test(null_pointers_are_empty),
        cmocka_unit_test(strings_are_escaped_but_stay_readable),
        cmocka_unit_test(bytes_are_escaped_wholly),
        cmocka_unit_test(numbers_have_as_few_digits_as_give_them_back),
        cmocka_unit_test(the_locale_does_not_change_the_decimal_point),
        cmocka_unit_test(text_is_cut_at_the_end_of_the_buffer),
        cmocka_unit_test(unknown_fields_are_shown_by_number),
        cmocka_unit_test(unknown_bytes_that_could_be_a_message_are_shown_as_one),
        cmocka_unit_test(unknown_fields_can_be_left_out),
        cmocka_unit_test(malformed_unknown_fields_are_called_that),
        cmocka_unit_test(protoc_reads_the_text_and_prints_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
