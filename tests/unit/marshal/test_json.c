/* SPDX-License-Identifier: BSD-2-Clause */
/* test_json.c - messages to JSON and back; protobuf's conformance runner (tests/conformance/) asks for more */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/json.h>

#include "everything.mrpc.h"
#include "everything2.mrpc.h"
#include "extensions.mrpc.h"
#include "google/protobuf/any.mrpc.h"
#include "google/protobuf/duration.mrpc.h"
#include "google/protobuf/field_mask.mrpc.h"
#include "google/protobuf/struct.mrpc.h"
#include "google/protobuf/timestamp.mrpc.h"
#include "google/protobuf/wrappers.mrpc.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/marshal/random_message.h"

enum { ROUNDS = 100, DEPTH = 4 };

static int parse(const mrpc_type *type, const char *text, void **message, mrpc_error *error)
{
    *error = (mrpc_error){0};
    return mrpc_json_parse(type, text, strlen(text), NULL, NULL, message, error);
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
static char *printed(const mrpc_type *type, const void *message, const mrpc_json_options *options)
{
    mrpc_error error = {0};
    char *text;
    size_t size;
    if (mrpc_json_print(type, message, options, &text, &size, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    assert_int_equal(strlen(text), size);
    return text;
}

/* What is parsed is printed as `expected`. */
static void assert_becomes(const mrpc_type *type, const char *text, const char *expected)
{
    void *message = parsed(type, text);
    char *again = printed(type, message, NULL);
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
            char *text = printed(types[t], message, NULL);
            assert_becomes(types[t], text, text);
            free(text);
            mrpc_release(message);
        }
}

static void values_have_their_forms(void **state)
{
    (void)state;
    assert_becomes(
        &everything_Plain_type,
        " { \"aDouble\" : 1.5e3, \"a_float\": \"-0.5\", \"anInt64\": -9223372036854775808, \"aUint64\": \"5\",\n"
        "   \"anInt32\": 1e2, \"aBool\": true, \"aString\": \"\\u00e4\\ud83d\\ude00\\n\\\"/\\u0001\", "
        "\"someBytes\": \"_-8\", \"aColor\": \"COLOR_RED\" }",
        "{\"aDouble\":1500,\"aFloat\":-0.5,\"anInt64\":\"-9223372036854775808\",\"aUint64\":\"5\",\"anInt32\":100,"
        "\"aBool\":true,\"aString\":\"\xc3\xa4\xf0\x9f\x98\x80\\n\\\"/\\u0001\",\"someBytes\":\"/+8=\","
        "\"aColor\":\"COLOR_RED\"}");
    assert_becomes(&everything_Plain_type, "{\"aDouble\":\"NaN\",\"aFloat\":\"-Infinity\",\"aColor\":77}",
                   "{\"aDouble\":\"NaN\",\"aFloat\":\"-Infinity\",\"aColor\":77}");
    assert_becomes(&everything_Optional_type, "{\"anInt32\":0,\"aString\":\"\",\"aBool\":null,\"aMessage\":{}}",
                   "{\"anInt32\":0,\"aString\":\"\",\"aMessage\":{}}");
    assert_becomes(&everything_Lists_type, "{\"int32s\":[1,\"2\"],\"messages\":[{},{\"aBool\":true}],\"strings\":null}",
                   "{\"int32s\":[1,2],\"messages\":[{},{\"aBool\":true}]}");
    assert_becomes(
        &everything_Maps_type,
        "{\"int32s\":{\"2\":1,\"-1\":2,\"2\":3},\"bools\":{\"true\":false},\"strings\":{\"b\":\"x\",\"a\":\"\"}}",
        "{\"int32s\":{\"-1\":2,\"2\":3},\"bools\":{\"true\":false},\"strings\":{\"a\":\"\",\"b\":\"x\"}}");
    assert_becomes(&extensions_Plain_type, "{\"other-n\xc3\xa4me\\\"1\":5}", "{\"other-n\xc3\xa4me\\\"1\":5}");
    assert_becomes(&extensions_Plain_type, "{\"renamed\":5}", "{\"other-n\xc3\xa4me\\\"1\":5}");
    assert_becomes(&extensions_Base_type,
                   "{\"first\":1,\"[extensions.low]\":-3,\"[extensions.strings]\":[\"a\",\"b\"],"
                   "\"[extensions.a_message]\":{\"number\":7},\"[extensions.closed]\":\"CLOSED_SIX\"}",
                   "{\"first\":1,\"[extensions.low]\":-3,\"[extensions.a_message]\":{\"number\":7},"
                   "\"[extensions.closed]\":\"CLOSED_SIX\",\"[extensions.strings]\":[\"a\",\"b\"]}");
}

static void well_known_types_have_forms_of_their_own(void **state)
{
    (void)state;
    static const struct {
        const mrpc_type *type;
        const char *text, *printed;
    } cases[] = {
        {&google_protobuf_Timestamp_type, "\"1972-01-01T10:00:20.021Z\"", "\"1972-01-01T10:00:20.021Z\""},
        {&google_protobuf_Timestamp_type, "\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00Z\""},
        {&google_protobuf_Timestamp_type, "\"9999-12-31T23:59:59.999999999Z\"", "\"9999-12-31T23:59:59.999999999Z\""},
        {&google_protobuf_Timestamp_type, "\"2000-02-29T01:00:00.5+02:30\"", "\"2000-02-28T22:30:00.500Z\""},
        {&google_protobuf_Duration_type, "\"-1.5s\"", "\"-1.500s\""},
        {&google_protobuf_Duration_type, "\"315576000000s\"", "\"315576000000s\""},
        {&google_protobuf_FieldMask_type, "\"fooBar,baz.quxQuux\"", "\"fooBar,baz.quxQuux\""},
        {&google_protobuf_FieldMask_type, "\"\"", "\"\""},
        {&google_protobuf_Value_type, "[null,1.5,\"s\",true,{\"k\":[]}]", "[null,1.5,\"s\",true,{\"k\":[]}]"},
        {&google_protobuf_Struct_type, "{\"b\":null,\"a\":{}}", "{\"a\":{},\"b\":null}"},
        {&google_protobuf_Int64Value_type, "\"5\"", "\"5\""},
        {&google_protobuf_BytesValue_type, "\"AQI=\"", "\"AQI=\""},
        {&google_protobuf_Any_type, "{\"value\":\"1s\",\"@type\":\"type.googleapis.com/google.protobuf.Duration\"}",
         "{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"1s\"}"},
        {&google_protobuf_Any_type, "{\"anInt32\":5,\"@type\":\"type.googleapis.com/everything.Plain\"}",
         "{\"@type\":\"type.googleapis.com/everything.Plain\",\"anInt32\":5}"},
        {&google_protobuf_Any_type, "{}", "{}"},
    };
    const mrpc_file *const files[] = {&mrpc_file_everything, google_protobuf_Duration_type.file};
    const mrpc_registry registry = {files, 2};
    const mrpc_json_options options = {.size = sizeof options, .registry = &registry};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mrpc_error error = {0};
        void *message;
        if (mrpc_json_parse(cases[i].type, cases[i].text, strlen(cases[i].text), &options, NULL, &message, &error) != 0)
            fail_msg("%s: %s", cases[i].text, mrpc_error_text(&error));
        char *text = printed(cases[i].type, message, &options);
        assert_string_equal(text, cases[i].printed);
        free(text);
        mrpc_release(message);
    }
}

static void options_change_what_is_printed(void **state)
{
    (void)state;
    void *message = parsed(&everything_Optional_type, "{\"aColor\":\"COLOR_RED\",\"aMessage\":{\"anInt32\":1}}");
    static const struct {
        mrpc_json_options options;
        const char *expected;
    } cases[] = {
        {{.print_enum_numbers = true}, "{\"aColor\":1,\"aMessage\":{\"anInt32\":1}}"},
        {{.print_schema_names = true}, "{\"a_color\":\"COLOR_RED\",\"a_message\":{\"an_int32\":1}}"},
        {{.indent = 2}, "{\n  \"aColor\": \"COLOR_RED\",\n  \"aMessage\": {\n    \"anInt32\": 1\n  }\n}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = printed(&everything_Optional_type, message, &cases[i].options);
        assert_string_equal(text, cases[i].expected);
        free(text);
    }
    mrpc_release(message);
    everything_Tree *tree = everything_Tree_new(NULL);
    char *text = printed(&everything_Tree_type, tree, &(mrpc_json_options){.print_absent = true});
    assert_string_equal(text, "{\"name\":\"\",\"children\":[],\"named\":{}}");
    free(text);
    mrpc_release(tree);
}

static void unknown_fields_are_passed_over_if_asked(void **state)
{
    (void)state;
    static const char text[] =
        "{\"nothing\":[{\"a\":[1,null]},\"x\"],\"aColor\":\"BLACK\",\"anInt32\":5,\"[no.such]\":{}}";
    const mrpc_json_options options = {.size = sizeof options, .ignore_unknown = true};
    void *message;
    assert_int_equal(mrpc_json_parse(&everything_Plain_type, text, sizeof text - 1, &options, NULL, &message, NULL), 0);
    assert_int_equal(((everything_Plain *)message)->an_int32, 5);
    mrpc_release(message);
}

static void errors_say_where_and_why(void **state)
{
    static const struct {
        const mrpc_type *type;
        const char *text, *reason;
    } cases[] = {
        {&everything_Plain_type, "", "line 1, column 1: \"{\" is expected"},
        {&everything_Plain_type, "null", "line 1, column 1: \"{\" is expected"},
        {&everything_Plain_type, "{} x", "line 1, column 4: a value is expected, or one of {}[],:"},
        {&everything_Plain_type, "{} {}", "line 1, column 4: the message has ended, but not the text"},
        {&everything_Plain_type, "{\"nothing\":1}", "line 1, column 2: everything.Plain has no field nothing"},
        {&everything_Plain_type, "{\"anInt32\":1,\n \"an_int32\":1}",
         "line 2, column 2: a field of everything.Plain comes twice: an_int32"},
        {&everything_Plain_type, "{\"anInt32\":1,}", "line 1, column 14: a name in quotes is expected"},
        {&everything_Plain_type, "{\"anInt32\" 1}", "line 1, column 12: \":\" is expected"},
        {&everything_Plain_type, "{\"anInt32\":2147483648}",
         "line 1, column 12: an_int32: a whole number is expected that is not out of range"},
        {&everything_Plain_type, "{\"anInt32\":0.5}",
         "line 1, column 12: an_int32: a whole number is expected that is not out of range"},
        {&everything_Plain_type, "{\"anInt32\":\" 1\"}",
         "line 1, column 12: an_int32: a whole number is expected that is not out of range"},
        {&everything_Plain_type, "{\"aUint32\":-1}",
         "line 1, column 12: a_uint32: a whole number is expected that is not out of range"},
        {&everything_Plain_type, "{\"aUint64\":18446744073709551616}",
         "line 1, column 12: a_uint64: a whole number is expected that is not out of range"},
        {&everything_Plain_type, "{\"aDouble\":01}",
         "line 1, column 12: a_double: a number is expected that is not out of range"},
        {&everything_Plain_type, "{\"aDouble\":1e999}",
         "line 1, column 12: a_double: a number is expected that is not out of range"},
        {&everything_Plain_type, "{\"aFloat\":3.5e38}",
         "line 1, column 11: a_float: a number is expected that is not out of range"},
        {&everything_Plain_type, "{\"aBool\":\"true\"}", "line 1, column 10: a_bool: true or false is expected"},
        {&everything_Plain_type, "{\"aColor\":\"BLACK\"}",
         "line 1, column 11: a_color: everything.Color has no value of that name"},
        {&everything_Plain_type, "{\"someBytes\":\"A\"}", "line 1, column 14: some_bytes: base64 is expected"},
        {&everything_Plain_type, "{\"someBytes\":\"A*==\"}", "line 1, column 14: some_bytes: base64 is expected"},
        {&everything_Plain_type, "{\"aString\":5}", "line 1, column 12: a_string: a string is expected"},
        {&everything_Plain_type, "{\"aString\":\"a", "line 1, column 12: a_string: a string that does not end"},
        {&everything_Plain_type, "{\"aString\":\"\xff\"}", "line 1, column 12: a_string: a string that is not UTF-8"},
        {&everything_Plain_type, "{\"aString\":\"\n\"}",
         "line 1, column 12: a_string: a control character in a string, which must be escaped"},
        {&everything_Plain_type, "{\"aString\":\"\\x\"}", "line 1, column 12: a_string: an escape that means nothing"},
        {&everything_Plain_type, "{\"aString\":\"\\ud800x\"}",
         "line 1, column 12: a_string: \\u needs four hexadecimal digits behind it, of a character or of both halves "
         "of a "
         "surrogate pair"},
        {&everything_Lists_type, "{\"int32s\":[1,null]}", "line 1, column 14: int32s: null cannot be in a list"},
        {&everything_Lists_type, "{\"int32s\":1}", "line 1, column 11: int32s: \"[\" is expected"},
        {&everything_Optional_type, "{\"aMessage\":{\"anInt32\":{}}}",
         "line 1, column 24: a_message.an_int32: a whole number is expected that is not out of range"},
        {&everything_OneOf_type, "{\"number\":1,\"flag\":true}",
         "line 1, column 20: flag: a member of its oneof is there already"},
        {&extensions_Strict_type, "{}", "line 1, column 2: the required field number of extensions.Strict is absent"},
        {&google_protobuf_Timestamp_type, "\"2021-02-29T00:00:00Z\"",
         "line 1, column 1: a google.protobuf.Timestamp is expected that is not out of range"},
        {&google_protobuf_Duration_type, "\"315576000001s\"",
         "line 1, column 1: a google.protobuf.Duration is expected that is not out of range"},
        {&google_protobuf_FieldMask_type, "\"foo_bar\"", "line 1, column 1: paths in lowerCamelCase are expected"},
        {&google_protobuf_Any_type, "{\"a\":1}", "line 1, column 1: \"@type\" is expected, with the type's URL"},
        {&google_protobuf_Any_type, "{\"@type\":\"a/everything.Maps.Int32sEntry\",\"key\":1,\"value\":2}",
         "line 1, column 1: no message type a/everything.Maps.Int32sEntry is known"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(cases[i].type, cases[i].text, cases[i].reason);
}

static void what_json_cannot_say_is_refused(void **state)
{
    (void)state;
    mrpc_error error = {0};
    char *text = (char *)&error;
    google_protobuf_Timestamp timestamp;
    google_protobuf_Timestamp_init(&timestamp);
    timestamp.seconds = 253402300800;
    assert_int_equal(mrpc_json_print(&google_protobuf_Timestamp_type, &timestamp, NULL, &text, NULL, &error),
                     MRPC_EFORMAT);
    assert_null(text);
    google_protobuf_Value value;
    google_protobuf_Value_init(&value);
    assert_int_equal(mrpc_json_print(&google_protobuf_Value_type, &value, NULL, &text, NULL, &error), MRPC_EFORMAT);
    everything_Plain plain;
    everything_Plain_init(&plain);
    plain.a_string = (mrpc_string){"\xff", 1};
    assert_int_equal(mrpc_json_print(&everything_Plain_type, &plain, NULL, &text, NULL, &error), MRPC_EFORMAT);
    assert_string_equal(mrpc_error_text(&error), "a string is not UTF-8");
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    static char text[20000];
    mrpc_error error;
    void *message;
    char *end = text;
    for (int i = 0; i < 1000; i++)
        end += sprintf(end, "{\"left\":");
    assert_int_equal(parse(&everything_Tree_type, text, &message, &error), MRPC_EFORMAT);
    assert_non_null(strstr(mrpc_error_text(&error), "nested too deeply"));
    memset(text, '[', 10000);
    text[10000] = '\0';
    assert_int_equal(parse(&google_protobuf_Value_type, text, &message, &error), MRPC_EFORMAT);
    assert_non_null(strstr(mrpc_error_text(&error), "nested too deeply"));
}

/* Each beginning of a text, in memory of its own size. */
static void cut_text_is_not_read_beyond_its_end(void **state)
{
    (void)state;
    static const char text[] = "{\"plain\":{\"aString\":\"\\u00e4\\ud83d\\ude00\",\"aDouble\":-1.5e-3,\"aBool\":true,"
                               "\"someBytes\":\"AQI=\"},\"lists\":{\"int32s\":[1,null";
    for (size_t size = 0; size < sizeof text; size++) {
        char *copy = malloc(size > 0 ? size : 1);
        void *message;
        assert_non_null(copy);
        memcpy(copy, text, size);
        assert_int_equal(mrpc_json_parse(&everything_Everything_type, copy, size, NULL, NULL, &message, NULL),
                         MRPC_EFORMAT);
        free(copy);
    }
}

static void without_memory_it_fails_as_it_should(void **state)
{
    (void)state;
    static const char maps[] = "{\"strings\":{\"b\":\"x\",\"a\":\"\"},\"messages\":{\"c\":{\"aString\":\"text\"}}}";
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        void *message = NULL;
        char *text = NULL;
        mrpc_error error;
        failing_alloc_start(&fail);
        int result = parse(&everything_Maps_type, maps, &message, &error);
        if (result == 0)
            result = mrpc_json_print(&everything_Maps_type, message, NULL, &text, NULL, &error);
        failing_alloc_stop(&fail);
        assert_int_equal(result, fail.hit ? MRPC_ENOMEM : 0);
        free(text);
        mrpc_release(message);
    }
    assert_true(fail.runs > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_comes_back),
        cmocka_unit_test(values_have_their_forms),
        cmocka_unit_test(well_known_types_have_forms_of_their_own),
        cmocka_unit_test(options_change_what_is_printed),
        cmocka_unit_test(unknown_fields_are_passed_over_if_asked),
        cmocka_unit_test(errors_say_where_and_why),
        cmocka_unit_test(what_json_cannot_say_is_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(cut_text_is_not_read_beyond_its_end),
        cmocka_unit_test(without_memory_it_fails_as_it_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
