/* SPDX-License-Identifier: BSD-2-Clause */
/* schema.c - fuzz target: what is taken as a schema gives types that work: a message of each is made, written and read
 */
#include <mrpc/json.h>
#include <mrpc/reflect.h>
#include <mrpc/text.h>

#include "tests/fuzz/marshal/target.h"

/* A field of its type has some value, if it is no message. */
static void give_value(const mrpc_field *field, void *message)
{
    const union {
        uint64_t number;
        mrpc_bytes bytes;
    } value = {.bytes = {.data = (uint8_t *)(uintptr_t) "a", .size = 1}}, one = {.number = 1};
    bool is_text = field->type == MRPC_TYPE_STRING || field->type == MRPC_TYPE_BYTES;
    if (field->type == MRPC_TYPE_MESSAGE || field->type == MRPC_TYPE_GROUP)
        REQUIRE((mrpc_field_make(field, message) == NULL) == (field->kind == MRPC_FIELD_MAP));
    else if (field->kind == MRPC_FIELD_LIST)
        (void)mrpc_field_add(field, message, is_text ? &value : &one);
    else
        (void)mrpc_field_set(field, message, is_text ? &value : &one);
}

static void read_again(const mrpc_type *type, const void *message, int64_t size)
{
    void *again = NULL;
    mrpc_error error;
    char *bytes = malloc((size_t)size + 1);
    REQUIRE(bytes != NULL && mrpc_message_encode(type, message, bytes, (size_t)size) == size);
    REQUIRE(mrpc_message_decode(type, bytes, (size_t)size, NULL, &again, &error) == 0);
    REQUIRE(mrpc_message_equal(type, message, again));
    mrpc_release(again);
    free(bytes);
}

static void use_type(const mrpc_type *type)
{
    char text[1000], *json;
    size_t size;
    mrpc_error error;
    void *message = mrpc_message_new(type, NULL);
    REQUIRE(message != NULL);
    for (uint32_t i = 0; i < type->field_count && i < 100; i++)
        give_value(&type->fields[i], message);
    int64_t bytes = mrpc_message_encode(type, message, NULL, 0);
    if (bytes >= 0) /* else a required field of a message in it lacks */
        read_again(type, message, bytes);
    (void)mrpc_message_text(type, message, text, sizeof text);
    if (mrpc_json_print(type, message, NULL, &json, &size, &error) == 0)
        free(json);
    mrpc_release(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mrpc_schema *schema;
    mrpc_error error = {0};
    size_t count;
    char *set = target_copy(data, size);
    int result = mrpc_schema_new(set, size, &schema, &error);
    free(set);
    if (result != 0) {
        REQUIRE(error.text[0] != '\0');
        return 0;
    }
    const mrpc_file *const *files = mrpc_schema_files(schema, &count);
    for (size_t i = 0; i < count; i++)
        for (uint32_t t = 0; t < files[i]->type_count; t++)
            if (mrpc_schema_find_type(schema, files[i]->types[t]->name) != NULL)
                use_type(files[i]->types[t]);
    mrpc_schema_free(schema);
    return 0;
}
