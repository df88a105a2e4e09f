/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unknown.c - fuzz target: any bytes as unknown fields, as a native message may bring them, read and changed through
 * extensions
 */
#include "extensions.mrpc.h"
#include "marshal/fields.h"
#include "marshal/unknown.h"
#include "tests/fuzz/marshal/target.h"

/* A message in an arena, with the bytes in memory of their own. */
static mrpc_message *make(const mrpc_type *type, const uint8_t *data, size_t size)
{
    mrpc_message *message = mrpc_message_new(type, NULL);
    mrpc_unknown *unknown = malloc(sizeof *unknown + size);
    REQUIRE(message != NULL && unknown != NULL);
    *unknown = (mrpc_unknown){.size = size};
    if (size != 0)
        memcpy(unknown->data, data, size);
    message->unknown = unknown;
    return message;
}

static void end(mrpc_message *message, mrpc_unknown *unknown)
{
    free(unknown);
    mrpc_release(message);
}

/* Fields follow each other without a gap, and each lies within its own bounds. */
static void check_walk(const mrpc_message *message)
{
    mrpc_input in = mrpc_unknown_of(message);
    const uint8_t *at = in.at, *last = in.end;
    mrpc_unknown_field field;
    while (mrpc_unknown_next(&in, &field)) {
        REQUIRE(field.number != 0 && field.start == at && field.behind == in.at && field.behind > at);
        REQUIRE(field.value.at > at && field.value.end >= field.value.at && field.value.end <= field.behind);
        at = field.behind;
        mrpc_unknown_field item = field;
        if (mrpc_unknown_take_item(&item))
            REQUIRE(item.value.at > field.start && item.value.end < field.behind && item.number != 0);
    }
    REQUIRE(in.at == at && in.end == last);
}

/* A list says the same as its elements do. */
static void check_list(const mrpc_extension *extension, const mrpc_message *message, mrpc_message *owner)
{
    mrpc_int64_list list = {0}; /* or any other */
    size_t size = mrpc_extension_size(extension, message);
    if (mrpc_extension_get_list(extension, message, owner, &list, NULL) == 0)
        REQUIRE(list.size == size);
    else
        REQUIRE(mrpc_field_is_message(&extension->field) && list.size == 0);
    uint64_t value[2];
    if (!mrpc_field_is_message(&extension->field)) {
        REQUIRE(size == 0 || mrpc_extension_at(extension, message, size - 1, value));
        REQUIRE(!mrpc_extension_at(extension, message, size, value));
    }
    REQUIRE(mrpc_extension_set(extension, owner, &list) == 0);
    REQUIRE(mrpc_extension_size(extension, owner) == list.size);
}

static void check_message(const mrpc_extension *extension, const mrpc_message *message, mrpc_message *owner)
{
    void *value = NULL, *again = NULL;
    int result = mrpc_extension_get_message(extension, message, owner, &value, NULL);
    REQUIRE(result == 0 || value == NULL);
    if (value == NULL)
        return;
    REQUIRE(mrpc_extension_set(extension, owner, value) == 0);
    REQUIRE(mrpc_extension_get_message(extension, owner, NULL, &again, NULL) == 0);
    REQUIRE(mrpc_message_equal(extension->field.message, value, again));
    mrpc_release(again);
}

static void check_value(const mrpc_extension *extension, const mrpc_message *message, mrpc_message *owner)
{
    uint64_t value[2] = {0}, again[2] = {0};
    mrpc_extension_get(extension, message, value);
    if (!mrpc_extension_has(extension, message))
        return;
    REQUIRE(mrpc_extension_set(extension, owner, value) == 0);
    mrpc_extension_get(extension, owner, again);
    if (mrpc_field_is_plain(&extension->field)) {
        REQUIRE(memcmp(value, again, sizeof value) == 0);
        return;
    }
    mrpc_bytes left = mrpc_any_text(value), right = mrpc_any_text(again);
    REQUIRE(left.size == right.size && (left.size == 0 || memcmp(left.data, right.data, left.size) == 0));
}

/* What is read from one message and put into another is the same there. */
static void check_extension(const mrpc_extension *extension, const mrpc_message *message)
{
    mrpc_message *owner = mrpc_message_new(extension->extended, NULL);
    REQUIRE(owner != NULL);
    REQUIRE(mrpc_extension_has(extension, message) == (mrpc_extension_size(extension, message) != 0));
    if (extension->field.kind == MRPC_FIELD_LIST)
        check_list(extension, message, owner);
    else if (mrpc_field_is_message(&extension->field))
        check_message(extension, message, owner);
    else
        check_value(extension, message, owner);
    mrpc_release(owner);
}

/* One in the place of what was there, and none in the end; other fields stay. */
static void check_changes(const mrpc_extension *extension, mrpc_message *message)
{
    static const uint64_t zero[3];
    size_t before = message->unknown->size;
    bool refused = (extension->field.flags & MRPC_FIELD_CLOSED) != 0;
    int result = mrpc_field_is_message(&extension->field)   ? 0
                 : extension->field.kind == MRPC_FIELD_LIST ? mrpc_extension_add(extension, message, zero)
                                                            : mrpc_extension_set(extension, message, zero);
    REQUIRE(result == 0 || (refused && result == MRPC_EINVAL));
    if (result != 0)
        REQUIRE(message->unknown->size == before);
    mrpc_extension_clear(extension, message);
    REQUIRE(!mrpc_extension_has(extension, message) && message->unknown->size <= before);
    check_walk(message);
}

/* Sifted into ranges and written, the bytes are as many as they were. */
static void check_encoding(const mrpc_type *type, const mrpc_message *message)
{
    int64_t size = mrpc_message_encode(type, message, NULL, 0);
    REQUIRE(size == (int64_t)message->unknown->size);
    REQUIRE(mrpc_message_text(type, message, NULL, 0) > 0 || size == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const mrpc_type *type = data[0] % 2 != 0 ? &extensions_Set_type : &extensions_Base_type;
    mrpc_message *message = make(type, data + 1, size - 1);
    mrpc_unknown *unknown = message->unknown;
    check_walk(message);
    check_encoding(type, message);
    for (size_t i = 0; i < mrpc_file_extensions.extension_count; i++)
        if (mrpc_file_extensions.extensions[i]->extended == type)
            check_extension(mrpc_file_extensions.extensions[i], message);
    for (size_t i = 0; i < mrpc_file_extensions.extension_count; i++)
        if (mrpc_file_extensions.extensions[i]->extended == type)
            check_changes(mrpc_file_extensions.extensions[i], message);
    end(message, unknown);
    return 0;
}
