/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extension_read.c - what extensions a message has, read from its unknown fields
 *
 * As in decoders of known fields: of several numbers or texts the last one counts, the parts of a message are merged,
 * elements follow each other, lists are packed or not.
 * (https://protobuf.dev/programming-guides/encoding#last-one-wins)
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "marshal/extension.h"
#include "marshal/storage.h"

/* --- fields and elements --- */

bool mrpc_extension_is(const mrpc_extension *extension, mrpc_unknown_field *field)
{
    if ((extension->field.flags & MRPC_FIELD_IN_SET) != 0)
        (void)mrpc_unknown_take_item(field);
    if (field->number != extension->field.number)
        return false;
    bool is_packed =
        field->wire == MRPC_WIRE_BYTES && mrpc_extension_is_list(extension) && mrpc_field_is_plain(&extension->field);
    return is_packed || field->wire == mrpc_field_wire_type(&extension->field);
}

bool mrpc_extension_next_field(const mrpc_extension *extension, mrpc_input *in, mrpc_unknown_field *field)
{
    while (mrpc_unknown_next(in, field))
        if (mrpc_extension_is(extension, field))
            return true;
    return false;
}

/* Whether the extension can have the number. */
static bool is_named(const mrpc_extension *extension, uint64_t number)
{
    return (extension->field.flags & MRPC_FIELD_CLOSED) == 0 ||
           mrpc_enum_name(extension->field.enumeration, (int32_t)(uint32_t)number) != NULL;
}

/* The next number of a packed field; what is not well-formed ends it. */
static bool next_packed(mrpc_elements *walk, uint64_t *number)
{
    mrpc_wire_kind kind = mrpc_field_wire_kind(&walk->extension->field);
    mrpc_decoder decoder = {.start = walk->packed.at, .end = walk->packed.end};
    while (walk->packed.at != walk->packed.end) {
        walk->packed.at = mrpc_wire_take_value(&decoder, walk->packed.at, walk->packed.end, number, kind, "");
        if (walk->packed.at == NULL)
            walk->packed.end = NULL;
        else if (is_named(walk->extension, *number))
            return true;
    }
    return false;
}

bool mrpc_elements_next(mrpc_elements *walk, mrpc_element *element)
{
    bool is_number = mrpc_field_is_plain(&walk->extension->field);
    mrpc_unknown_field field;
    *element = (mrpc_element){0};
    while (!next_packed(walk, &element->number)) {
        if (!mrpc_extension_next_field(walk->extension, &walk->in, &field))
            return false;
        if (is_number && field.wire == MRPC_WIRE_BYTES) {
            walk->packed = field.value;
            continue;
        }
        element->bytes = field.value;
        if (!is_number || (mrpc_unknown_number(&field, &element->number) && is_named(walk->extension, element->number)))
            return true;
    }
    return true;
}

void mrpc_element_store(const mrpc_extension *extension, const mrpc_element *element, void *value)
{
    if (mrpc_field_is_plain(&extension->field))
        mrpc_wire_store(value, element->number, mrpc_field_wire_kind(&extension->field));
    else
        *(mrpc_bytes *)value = (mrpc_bytes){.data = (uint8_t *)(uintptr_t)element->bytes.at,
                                            .size = (size_t)(element->bytes.end - element->bytes.at)};
}

static mrpc_elements elements_of(const mrpc_extension *extension, const void *message)
{
    return (mrpc_elements){.extension = extension, .in = mrpc_unknown_of(message)};
}

/* --- values --- */

bool mrpc_extension_has(const mrpc_extension *extension, const void *message)
{
    mrpc_elements walk = elements_of(extension, message);
    mrpc_element element;
    return mrpc_elements_next(&walk, &element);
}

size_t mrpc_extension_size(const mrpc_extension *extension, const void *message)
{
    mrpc_elements walk = elements_of(extension, message);
    mrpc_element element;
    size_t size = 0;
    while (mrpc_elements_next(&walk, &element))
        size++;
    return mrpc_extension_is_list(extension) || size == 0 ? size : 1;
}

static void store_zero(const mrpc_extension *extension, void *value)
{
    if (mrpc_field_is_plain(&extension->field))
        memset(value, 0, mrpc_field_width(&extension->field));
    else
        *(mrpc_bytes *)value = (mrpc_bytes){.data = (uint8_t *)(uintptr_t)mrpc_empty_text};
}

void mrpc_extension_get(const mrpc_extension *extension, const void *message, void *value)
{
    mrpc_elements walk = elements_of(extension, message);
    mrpc_element element, last = {0};
    bool found = false;
    for (; mrpc_elements_next(&walk, &element); found = true)
        last = element;
    if (found)
        mrpc_element_store(extension, &last, value);
    else if (extension->absent != NULL)
        memcpy(value, extension->absent, mrpc_field_width(&extension->field));
    else
        store_zero(extension, value);
}

/* The element of a list, as it was written. */
static bool find_element(const mrpc_extension *extension, const void *message, size_t index, mrpc_element *element)
{
    mrpc_elements walk = elements_of(extension, message);
    bool found = mrpc_elements_next(&walk, element);
    for (; found && index > 0; index--)
        found = mrpc_elements_next(&walk, element);
    return found;
}

bool mrpc_extension_at(const mrpc_extension *extension, const void *message, size_t index, void *value)
{
    mrpc_element element;
    bool found = find_element(extension, message, index, &element);
    if (found)
        mrpc_element_store(extension, &element, value);
    else
        store_zero(extension, value);
    return found;
}

/* --- messages --- */

static int decode_value(const mrpc_extension *extension, mrpc_input bytes, void *owner, void **value, mrpc_error *error)
{
    const mrpc_type *type = extension->field.message;
    size_t size = (size_t)(bytes.end - bytes.at);
    return owner != NULL ? mrpc_message_decode_in(type, bytes.at, size, owner, value, error)
                         : mrpc_message_decode(type, bytes.at, size, NULL, value, error);
}

/* Parts of a message one behind the other are that message: so each of them may lack what another one has. */
static int decode_parts(const mrpc_extension *extension, mrpc_input in, size_t size, void *owner, void **value,
                        mrpc_error *error)
{
    mrpc_elements walk = {.extension = extension, .in = in};
    mrpc_element part;
    uint8_t *parts = malloc(size + 1), *end = parts;
    if (parts == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "cannot read extension %s: there is no memory for its parts",
                              extension->field.name);
    while (mrpc_elements_next(&walk, &part)) {
        size_t more = (size_t)(part.bytes.end - part.bytes.at);
        memcpy(end, part.bytes.at, more);
        end += more;
    }
    int result = decode_value(extension, (mrpc_input){parts, end}, owner, value, error);
    free(parts);
    return result;
}

int mrpc_extension_merge(const mrpc_extension *extension, mrpc_input in, void *owner, void **value, mrpc_error *error)
{
    mrpc_elements walk = {.extension = extension, .in = in};
    mrpc_element part = {0}, only = {0};
    size_t count = 0, size = 0;
    for (; mrpc_elements_next(&walk, &part); count++) {
        size += (size_t)(part.bytes.end - part.bytes.at);
        only = part;
    }
    *value = NULL;
    if (count < 2)
        return count == 0 ? 0 : decode_value(extension, only.bytes, owner, value, error);
    return decode_parts(extension, in, size, owner, value, error);
}

int mrpc_extension_get_message(const mrpc_extension *extension, const void *message, void *owner, void **value,
                               mrpc_error *error)
{
    return mrpc_extension_merge(extension, mrpc_unknown_of(message), owner, value, error);
}

int mrpc_extension_message_at(const mrpc_extension *extension, const void *message, size_t index, void *owner,
                              void **value, mrpc_error *error)
{
    mrpc_element element;
    *value = NULL;
    if (!find_element(extension, message, index, &element))
        return 0;
    return decode_value(extension, element.bytes, owner, value, error);
}

/* --- lists --- */

/* An element of a list that has memory of its own. */
static int copy_element(const mrpc_extension *extension, const mrpc_element *element, void *owner, void *to,
                        mrpc_error *error)
{
    const void *bytes = element->bytes.at;
    size_t size = (size_t)(element->bytes.end - element->bytes.at);
    if (mrpc_field_is_message(&extension->field)) {
        void *value = NULL;
        int result = decode_value(extension, element->bytes, owner, &value, error);
        *(mrpc_any_message *)to = value;
        return result;
    }
    int result = extension->field.type == MRPC_TYPE_STRING ? mrpc_string_set_n(owner, to, bytes, size)
                                                           : mrpc_bytes_set(owner, to, bytes, size);
    return result == 0 ? 0
                       : mrpc_error_set(error, result, "cannot read extension %s: there is no memory for it",
                                        extension->field.name);
}

/* Room for all elements is there already. */
static int fill_list(mrpc_elements *walk, void *owner, mrpc_any_list *list, mrpc_error *error)
{
    size_t width = mrpc_field_width(&walk->extension->field);
    mrpc_element element;
    int result = 0;
    while (result == 0 && mrpc_elements_next(walk, &element)) {
        char *to = list->data + list->size * width;
        if (mrpc_field_is_plain(&walk->extension->field))
            mrpc_element_store(walk->extension, &element, to);
        else
            result = copy_element(walk->extension, &element, owner, to, error);
        list->size += result == 0;
    }
    return result;
}

int mrpc_extension_get_list(const mrpc_extension *extension, const void *message, void *owner, void *list,
                            mrpc_error *error)
{
    mrpc_any_list *filled = list;
    mrpc_elements walk = elements_of(extension, message);
    size_t before = filled->size, extra = mrpc_extension_size(extension, message);
    int result = mrpc_list_reserve(owner, list, mrpc_field_width(&extension->field), extra);
    if (result != 0)
        return mrpc_error_set(error, result, "cannot read extension %s: %s", extension->field.name,
                              result == MRPC_EINVAL ? "the owner has no arena" : "there is no memory for its elements");
    result = fill_list(&walk, owner, filled, error);
    if (result != 0)
        filled->size = before;
    return result;
}
