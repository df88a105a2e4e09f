/* SPDX-License-Identifier: BSD-2-Clause */
/* test_reflect.c - fields by name and number, and types made at run time: they do what generated ones do */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/json.h>
#include <mrpc/reflect.h>
#include <mrpc/text.h>

#include "everything.mrpc.h"
#include "everything2.mrpc.h"
#include "extensions.mrpc.h"
#include "google/protobuf/descriptor.mrpc.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/marshal/codec_help.h"
#include "tests/unit/marshal/random_message.h"

enum { ROUNDS = 100, DEPTH = 3, TEXT_SIZE = 1 << 20 };

static const mrpc_file *const generated_files[] = {&mrpc_file_everything_5fimport, &mrpc_file_everything,
                                                   &mrpc_file_everything2, &mrpc_file_extensions};

/* --- schemas --- */

static size_t put_varint(char *to, size_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        to[size++] = (char)(value | 0x80);
    to[size++] = (char)value;
    return size;
}

/* A FileDescriptorSet of the files that generated code carries. */
static test_bytes set_of_generated_files(void)
{
    static char set[1 << 16];
    size_t size = 0;
    for (size_t i = 0; i < sizeof generated_files / sizeof *generated_files; i++) {
        const mrpc_file *file = generated_files[i];
        set[size++] = 0x0a;
        size += put_varint(set + size, file->descriptor_size);
        memcpy(set + size, file->descriptor, file->descriptor_size);
        size += file->descriptor_size;
    }
    return test_bytes_copy(set, size);
}

static mrpc_schema *schema_of_generated_files(void)
{
    test_bytes set = set_of_generated_files();
    mrpc_schema *schema;
    mrpc_error error = {0};
    if (mrpc_schema_new(set.data, set.size, &schema, &error) != 0)
        fail_msg("%s", error.text);
    test_bytes_free(&set);
    return schema;
}

static test_bytes set_from_text(const char *text)
{
    void *set;
    mrpc_error error = {0};
    const mrpc_type *type = &google_protobuf_FileDescriptorSet_type;
    if (mrpc_message_from_text(type, text, strlen(text), NULL, NULL, &set, &error) != 0)
        fail_msg("%s", error.text);
    test_bytes bytes = test_encode(type, set, NULL);
    mrpc_release(set);
    return bytes;
}

static mrpc_schema *schema_from_text(const char *text)
{
    test_bytes set = set_from_text(text);
    mrpc_schema *schema;
    mrpc_error error = {0};
    if (mrpc_schema_new(set.data, set.size, &schema, &error) != 0)
        fail_msg("%s", error.text);
    test_bytes_free(&set);
    return schema;
}

/* --- types are as generated --- */

static const mrpc_type *twin(const mrpc_schema *schema, const mrpc_type *type)
{
    const mrpc_type *found = mrpc_schema_find_type(schema, type->name);
    if (found == NULL)
        fail_msg("no %s", type->name);
    return found;
}

static void assert_enum_alike(const mrpc_enum *a, const mrpc_enum *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->value_count, b->value_count);
    for (uint32_t i = 0; i < a->value_count; i++) {
        assert_int_equal(a->values[i].number, b->values[i].number);
        assert_string_equal(a->values[i].name, b->values[i].name);
    }
}

static void assert_field_alike(const mrpc_field *a, const mrpc_field *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->number, b->number);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->flags & ~MRPC_FIELD_JSON_NAME, b->flags & ~MRPC_FIELD_JSON_NAME);
    assert_int_equal(a->message == NULL, b->message == NULL);
    if (a->message != NULL)
        assert_string_equal(a->message->name, b->message->name);
    assert_int_equal(a->enumeration == NULL, b->enumeration == NULL);
    if (a->enumeration != NULL)
        assert_enum_alike(a->enumeration, b->enumeration);
}

static void assert_type_alike(const mrpc_type *a, const mrpc_type *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->field_count, b->field_count);
    for (uint32_t i = 0; i < a->field_count; i++)
        assert_field_alike(&a->fields[i], &b->fields[i]);
}

static void tables_are_those_of_generated_code(void **state)
{
    (void)state;
    mrpc_schema *schema = schema_of_generated_files();
    size_t count;
    const mrpc_file *const *files = mrpc_schema_files(schema, &count);
    assert_int_equal(count, sizeof generated_files / sizeof *generated_files);
    for (size_t i = 0; i < count; i++) {
        const mrpc_file *file = generated_files[i];
        assert_string_equal(file->name, files[i]->name);
        assert_int_equal(file->type_count, files[i]->type_count);
        for (uint32_t t = 0; t < file->type_count; t++)
            assert_type_alike(file->types[t], files[i]->types[t]);
        assert_int_equal(file->extension_count, files[i]->extension_count);
        for (size_t e = 0; e < file->extension_count; e++) {
            assert_field_alike(&file->extensions[e]->field, &files[i]->extensions[e]->field);
            assert_string_equal(file->extensions[e]->extended->name, files[i]->extensions[e]->extended->name);
        }
        assert_int_equal(file->descriptor_size, files[i]->descriptor_size);
        assert_memory_equal(file->descriptor, files[i]->descriptor, file->descriptor_size);
    }
    assert_ptr_equal(mrpc_schema_find_enum(schema, "everything.Color"),
                     mrpc_type_find_field_name(twin(schema, &everything_Plain_type), "a_color")->enumeration);
    assert_null(mrpc_schema_find_type(schema, "everything.Color"));
    assert_null(mrpc_schema_find_enum(schema, "everything.Plain"));
    assert_null(mrpc_schema_find_type(schema, "everything.Nothing"));
    mrpc_schema_free(schema);
}

/* --- messages do what those of generated types do --- */

static char texts[2][TEXT_SIZE];

static void assert_same_json(const mrpc_type *generated, const void *message, const mrpc_type *type, const void *own)
{
    mrpc_error error;
    char *json, *again;
    size_t size, again_size;
    void *parsed;
    int result = mrpc_json_print(generated, message, NULL, &json, &size, &error);
    assert_int_equal(mrpc_json_print(type, own, NULL, &again, &again_size, &error), result);
    if (result != 0) /* a string of proto2 that is not UTF-8 */
        return;
    assert_string_equal(json, again);
    free(again);
    assert_int_equal(mrpc_json_parse(type, json, size, NULL, NULL, &parsed, &error), 0);
    assert_int_equal(mrpc_json_print(type, parsed, NULL, &again, &again_size, &error), 0);
    assert_string_equal(json, again);
    mrpc_release(parsed);
    free(json);
    free(again);
}

static void assert_works_alike(const mrpc_type *generated, const void *message, const mrpc_type *type)
{
    test_bytes bytes = test_encode(generated, message, NULL);
    void *own;
    mrpc_error error = {0};
    if (mrpc_message_decode(type, bytes.data, bytes.size, NULL, &own, &error) != 0)
        fail_msg("%s", error.text);
    char *again = malloc(bytes.size + 1);
    assert_int_equal(mrpc_message_encode(type, own, again, bytes.size), bytes.size);
    assert_memory_equal(again, bytes.data, bytes.size);
    size_t size = mrpc_message_text(generated, message, texts[0], TEXT_SIZE);
    assert_int_equal(mrpc_message_text(type, own, texts[1], TEXT_SIZE), size);
    assert_string_equal(texts[0], texts[1]);
    assert_same_json(generated, message, type, own);
    void *copy = mrpc_message_copy(type, own, NULL);
    assert_true(mrpc_message_equal(type, own, copy));
    mrpc_release(copy);
    mrpc_release(own);
    free(again);
    test_bytes_free(&bytes);
}

static void messages_are_those_of_generated_types(void **state)
{
    (void)state;
    static const mrpc_type *const types[] = {
        &everything_Plain_type,     &everything_Optional_type,  &everything_Lists_type,  &everything_Maps_type,
        &everything_OneOf_type,     &everything_Tree_type,      &everything_Empty_type,  &everything_Everything_type,
        &everything2_Optional_type, &everything2_Required_type, &everything2_Lists_type, &everything2_Groups_type,
        &everything2_Maps_type,     &everything2_Empty_type,
    };
    mrpc_schema *schema = schema_of_generated_files();
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (unsigned round = 0; round < ROUNDS; round++) {
            random_source source;
            random_begin(&source, 1000 * t + round);
            void *message = random_message(&source, types[t], DEPTH);
            assert_works_alike(types[t], message, twin(schema, types[t]));
            mrpc_release(message);
        }
    mrpc_schema_free(schema);
}

static void extensions_have_names(void **state)
{
    (void)state;
    mrpc_schema *schema = schema_of_generated_files();
    const mrpc_type *type = twin(schema, &extensions_Base_type);
    size_t count;
    const mrpc_file *const *files = mrpc_schema_files(schema, &count);
    mrpc_registry registry = {files, count};
    const mrpc_extension *number = mrpc_registry_find_name(&registry, "extensions.low");
    const mrpc_extension *plain = mrpc_registry_find_name(&registry, "extensions.a_message");
    assert_non_null(number);
    void *message = mrpc_message_new(type, NULL), *value;
    int32_t seven = 7, read = 0;
    assert_int_equal(mrpc_extension_set(number, message, &seven), 0);
    mrpc_extension_get(number, message, &read);
    assert_int_equal(read, 7);
    value = mrpc_message_new_in(plain->field.message, message);
    assert_int_equal(mrpc_field_set(mrpc_type_find_field_name(plain->field.message, "number"), value, &seven), 0);
    assert_int_equal(mrpc_extension_set(plain, message, value), 0);
    mrpc_text_options options = {.size = sizeof options, .registry = &registry};
    mrpc_message_text_with(type, message, &options, texts[0], TEXT_SIZE);
    assert_string_equal(texts[0], "[extensions.low]: 7\n[extensions.a_message] {\n  number: 7\n}\n");
    mrpc_release(message);
    mrpc_schema_free(schema);
}

/* --- fields --- */

static const mrpc_field *field_of(const mrpc_type *type, const char *name)
{
    const mrpc_field *field = mrpc_type_find_field_name(type, name);
    assert_non_null(field);
    assert_ptr_equal(mrpc_type_find_field(type, field->number), field);
    return field;
}

static void single_fields_are_set_and_cleared(const mrpc_type *type)
{
    void *message = mrpc_message_new(type, NULL);
    const mrpc_field *number = field_of(type, "an_int32"), *text = field_of(type, "a_string"),
                     *bytes = field_of(type, "some_bytes"), *inner = field_of(type, "a_message");
    int32_t value = 0, seven = 7;
    mrpc_string string = {.data = "abc", .size = 3};
    mrpc_bytes data = {.data = (uint8_t *)"\0\1", .size = 2}, torn = {.data = NULL, .size = 1};
    assert_false(mrpc_field_has(number, message));
    assert_int_equal(mrpc_field_set(number, message, &seven), 0);
    assert_int_equal(mrpc_field_set(text, message, &string), 0);
    assert_int_equal(mrpc_field_set(bytes, message, &data), 0);
    assert_int_equal(mrpc_field_set(bytes, message, &torn), MRPC_EINVAL);
    void *made = mrpc_field_make(inner, message), *none = NULL;
    assert_ptr_equal(mrpc_field_make(inner, message), made);
    assert_int_equal(mrpc_field_set(inner, message, &none), MRPC_EINVAL);
    assert_int_equal(mrpc_field_set(mrpc_type_find_field(inner->message, number->number), made, &seven), 0);
    assert_null(mrpc_field_make(number, message));
    assert_int_equal(mrpc_field_add(number, message, &seven), MRPC_EINVAL);
    mrpc_message_text(type, message, texts[0], TEXT_SIZE);
    assert_string_equal(texts[0], "an_int32: 7\na_string: \"abc\"\nsome_bytes: \"\\000\\001\"\na_message {\n"
                                  "  an_int32: 7\n}\n");
    mrpc_field_get(number, message, &value);
    assert_int_equal(value, 7);
    mrpc_field_get(text, message, &string);
    assert_string_equal(string.data, "abc");
    assert_int_equal(mrpc_field_size(number, message), 1);
    for (uint32_t i = 0; i < type->field_count; i++)
        mrpc_field_clear(&type->fields[i], message);
    assert_int_equal(mrpc_message_text(type, message, texts[0], TEXT_SIZE), 0);
    mrpc_field_get(text, message, &string);
    assert_true(string.size == 0 && string.data[0] == '\0');
    mrpc_field_get(number, message, &value);
    assert_int_equal(value, 0);
    mrpc_release(message);
}

static void lists_grow(const mrpc_type *type)
{
    void *message = mrpc_message_new(type, NULL);
    const mrpc_field *numbers = field_of(type, "int32s"), *strings = field_of(type, "strings"),
                     *messages = field_of(type, "messages");
    mrpc_string text = {.data = "x", .size = 1};
    for (int32_t i = 0; i < 20; i++) {
        assert_int_equal(mrpc_field_add(numbers, message, &i), 0);
        assert_int_equal(mrpc_field_add(strings, message, &text), 0);
        assert_non_null(mrpc_field_make(messages, message));
    }
    assert_int_equal(mrpc_field_size(numbers, message), 20);
    assert_int_equal(mrpc_field_size(messages, message), 20);
    for (int32_t i = 0, value = 0; i < 20; i++) {
        assert_true(mrpc_field_at(numbers, message, (size_t)i, &value));
        assert_int_equal(value, i);
    }
    int32_t value = 1;
    assert_false(mrpc_field_at(numbers, message, 20, &value));
    assert_int_equal(value, 0);
    assert_int_equal(mrpc_field_set(numbers, message, &value), MRPC_EINVAL);
    mrpc_field_clear(numbers, message);
    assert_false(mrpc_field_has(numbers, message));
    mrpc_release(message);
}

static void maps_have_entries(const mrpc_type *type, const mrpc_type *plain)
{
    void *message = mrpc_message_new(type, NULL), *value = mrpc_message_new(plain, NULL);
    const mrpc_field *strings = field_of(type, "strings"), *messages = field_of(type, "messages");
    mrpc_string key = {.data = "b", .size = 1}, first = {.data = "a", .size = 1}, read;
    assert_int_equal(mrpc_field_put(strings, message, &key, &key), 0);
    assert_int_equal(mrpc_field_put(strings, message, &first, &key), 0);
    assert_int_equal(mrpc_field_put(strings, message, &first, &first), 0);
    assert_int_equal(mrpc_field_put(messages, message, &key, &value), 0);
    mrpc_release(value);
    assert_int_equal(mrpc_field_size(strings, message), 2);
    const void *entry = mrpc_field_entry(strings, message, 0);
    mrpc_field_get(&strings->message->fields[0], entry, &read);
    assert_string_equal(read.data, "a");
    mrpc_field_get(&strings->message->fields[1], entry, &read);
    assert_string_equal(read.data, "a");
    assert_null(mrpc_field_entry(strings, message, 2));
    assert_null(mrpc_field_make(strings, message));
    assert_int_equal(mrpc_field_put(messages, message, &key, &(void *){NULL}), MRPC_EINVAL);
    mrpc_release(message);
}

static void members_of_oneofs_replace_each_other(const mrpc_type *type)
{
    void *message = mrpc_message_new(type, NULL);
    const mrpc_field *number = field_of(type, "number"), *text = field_of(type, "text"),
                     *inner = field_of(type, "message"), *color = field_of(type, "color");
    uint32_t value = 9;
    mrpc_string string = {.data = "abc", .size = 3};
    assert_int_equal(mrpc_field_set(number, message, &value), 0);
    assert_int_equal(mrpc_field_set(text, message, &string), 0);
    assert_false(mrpc_field_has(number, message));
    assert_non_null(mrpc_field_make(inner, message));
    assert_false(mrpc_field_has(text, message));
    mrpc_field_clear(text, message);
    assert_true(mrpc_field_has(inner, message));
    mrpc_field_clear(inner, message);
    assert_false(mrpc_field_has(inner, message));
    assert_int_equal(mrpc_field_set(color, message, &value), 0); /* an open enum */
    mrpc_release(message);
}

static void fields_are_read_and_changed(void **state)
{
    (void)state;
    mrpc_schema *schema = schema_of_generated_files();
    single_fields_are_set_and_cleared(&everything_Optional_type);
    single_fields_are_set_and_cleared(twin(schema, &everything_Optional_type));
    lists_grow(&everything_Lists_type);
    lists_grow(twin(schema, &everything_Lists_type));
    maps_have_entries(&everything_Maps_type, &everything_Plain_type);
    maps_have_entries(twin(schema, &everything_Maps_type), twin(schema, &everything_Plain_type));
    members_of_oneofs_replace_each_other(&everything_OneOf_type);
    members_of_oneofs_replace_each_other(twin(schema, &everything_OneOf_type));
    everything2_Optional message;
    everything2_Optional_init(&message);
    int32_t number = 123456;
    assert_int_equal(mrpc_field_set(field_of(&everything2_Optional_type, "sparse"), &message, &number), MRPC_EINVAL);
    mrpc_schema_free(schema);
}

/* --- schemas that are none --- */

static void assert_no_schema(const char *text, int code, const char *why)
{
    test_bytes set = set_from_text(text);
    mrpc_schema *schema = (mrpc_schema *)&set;
    mrpc_error error = {0};
    int result = mrpc_schema_new(set.data, set.size, &schema, &error);
    if (result != code || strstr(error.text, why) == NULL)
        fail_msg("%s\ngives %d, %s", text, result, error.text);
    assert_null(schema);
    test_bytes_free(&set);
}

#define MESSAGE(fields) "file { name: \"a.proto\" package: \"p\" message_type { name: \"M\" " fields " } }"
#define FIELD(rest) "field { name: \"f\" number: 1 label: LABEL_OPTIONAL " rest " }"
#define LIST(rest) "field { name: \"f\" number: 1 label: LABEL_REPEATED " rest " }"
#define ENTRY(key, value)                                                                                              \
    "nested_type { name: \"E\" options { map_entry: true } "                                                           \
    "field { name: \"key\" number: 1 label: LABEL_OPTIONAL type: " key " } "                                           \
    "field { name: \"value\" number: 2 label: LABEL_OPTIONAL type: " value " } }"

static void what_is_no_schema_is_refused(void **state)
{
    (void)state;
    assert_no_schema("file { name: \"a.proto\" dependency: \"b.proto\" }", MRPC_EFORMAT, "import b.proto");
    assert_no_schema("file { name: \"a.proto\" } file { name: \"a.proto\" }", MRPC_EFORMAT, "two files");
    assert_no_schema("file { name: \"a.proto\" syntax: \"editions\" }", MRPC_ENOTSUP, "editions");
    assert_no_schema("file { name: \"a.proto\" package: \"a..b\" }", MRPC_EFORMAT, "package");
    assert_no_schema("file { name: \"a.proto\" message_type { name: \"M\" } enum_type { name: \"M\" value { name: "
                     "\"A\" number: 0 } } }",
                     MRPC_EFORMAT, "two types with the name M");
    assert_no_schema("file { name: \"a.proto\" enum_type { name: \"E\" } }", MRPC_EFORMAT, "no value");
    assert_no_schema("file { name: \"a.proto\" message_type { name: \"a b\" } }", MRPC_EFORMAT, "a b");
    assert_no_schema(MESSAGE(FIELD("type: TYPE_MESSAGE type_name: \".p.N\"")), MRPC_EFORMAT, ".p.N");
    assert_no_schema(MESSAGE(FIELD("type: TYPE_ENUM type_name: \".p.M\"")), MRPC_EFORMAT, "no enum");
    assert_no_schema(MESSAGE(FIELD("type_name: \".p.M\"")), MRPC_EFORMAT, "no type");
    assert_no_schema(MESSAGE(FIELD("type: TYPE_INT32") FIELD("type: TYPE_INT32")), MRPC_EFORMAT, "number 1");
    assert_no_schema(MESSAGE("field { name: \"f\" number: 0 label: LABEL_OPTIONAL type: TYPE_INT32 }"), MRPC_EFORMAT,
                     "number 0");
    assert_no_schema(MESSAGE(FIELD("type: TYPE_INT32 oneof_index: 0")), MRPC_EFORMAT, "oneof");
    assert_no_schema(MESSAGE(FIELD("type: TYPE_INT32 oneof_index: -1") "oneof_decl { name: \"o\" }"), MRPC_EFORMAT,
                     "oneof");
    assert_no_schema(MESSAGE(FIELD("type: TYPE_MESSAGE type_name: \".p.M.E\"") ENTRY("TYPE_INT32", "TYPE_INT32")),
                     MRPC_EFORMAT, "entry of a map");
    assert_no_schema(MESSAGE(LIST("type: TYPE_GROUP type_name: \".p.M.E\"") ENTRY("TYPE_INT32", "TYPE_INT32")),
                     MRPC_EFORMAT, "entry of a map");
    assert_no_schema(MESSAGE(LIST("type: TYPE_MESSAGE type_name: \".p.M.E\"") ENTRY("TYPE_BYTES", "TYPE_INT32")),
                     MRPC_EFORMAT, "no entry");
    assert_no_schema(
        MESSAGE("extension { name: \"x\" number: 2 label: LABEL_OPTIONAL type: TYPE_INT32 extendee: \".p.M.E\" "
                "}" ENTRY("TYPE_INT32", "TYPE_INT32")),
        MRPC_EFORMAT, "extends .p.M.E");
    assert_no_schema(
        "file { name: \"google/protobuf/timestamp.proto\" package: \"google.protobuf\" message_type { name: "
        "\"Timestamp\" } }",
        MRPC_EFORMAT, "well-known");
    mrpc_schema *schema;
    mrpc_error error = {0};
    assert_int_equal(mrpc_schema_new("\x0a\x05\x0a", 3, &schema, &error), MRPC_EFORMAT);
    mrpc_schema_free(NULL);
}

static void entries_of_maps_are_no_messages(void **state)
{
    (void)state;
    mrpc_schema *schema =
        schema_from_text(MESSAGE(LIST("type: TYPE_MESSAGE type_name: \".p.M.E\"") ENTRY("TYPE_BOOL", "TYPE_DOUBLE")));
    size_t count;
    const mrpc_file *const *files = mrpc_schema_files(schema, &count);
    assert_non_null(mrpc_schema_find_type(schema, "p.M"));
    assert_null(mrpc_schema_find_type(schema, "p.M.E"));
    assert_null(mrpc_file_find_type(files[0], "p.M.E"));
    assert_null(mrpc_file_find_type(&mrpc_file_everything, "everything.Maps.Int32sEntry"));
    assert_non_null(mrpc_file_find_type(&mrpc_file_everything, "everything.Maps"));
    mrpc_schema_free(schema);
}

static void each_allocation_of_a_schema_may_fail(void **state)
{
    (void)state;
    test_bytes set = set_of_generated_files();
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        mrpc_schema *schema = NULL;
        mrpc_error error = {0};
        failing_alloc_start(&fail);
        int result = mrpc_schema_new(set.data, set.size, &schema, &error);
        failing_alloc_stop(&fail);
        assert_int_equal(result, fail.hit ? MRPC_ENOMEM : 0);
        assert_int_equal(schema == NULL, fail.hit);
        mrpc_schema_free(schema);
    }
    assert_true(fail.runs > 10);
    test_bytes_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_those_of_generated_code),
        cmocka_unit_test(messages_are_those_of_generated_types),
        cmocka_unit_test(extensions_have_names),
        cmocka_unit_test(fields_are_read_and_changed),
        cmocka_unit_test(what_is_no_schema_is_refused),
        cmocka_unit_test(entries_of_maps_are_no_messages),
        cmocka_unit_test(each_allocation_of_a_schema_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
