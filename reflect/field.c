/* SPDX-License-Identifier: BSD-2-Clause */
/* field.c - fields of any message, see <mrpc/reflect.h> */
#include "config.h"

#include <mrpc/reflect.h>

#include "marshal/fields.h"

/* --- finding --- */

const mrpc_field *mrpc_type_find_field(const mrpc_type *type, uint32_t number)
{
    uint32_t low = 0, high = type->field_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (type->fields[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < type->field_count && type->fields[low].number == number ? &type->fields[low] : NULL;
}

const mrpc_field *mrpc_type_find_field_name(const mrpc_type *type, const char *name)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}

/* --- reading --- */

static bool is_list(const mrpc_field *field)
{
    return field->kind == MRPC_FIELD_LIST || field->kind == MRPC_FIELD_MAP;
}

static const mrpc_any_list *list_of(const mrpc_field *field, const void *message)
{
    return (const void *)mrpc_field_member(field, message);
}

bool mrpc_field_has(const mrpc_field *field, const void *message)
{
    return mrpc_field_present(field, message);
}

size_t mrpc_field_size(const mrpc_field *field, const void *message)
{
    if (!is_list(field))
        return mrpc_field_present(field, message);
    const mrpc_any_list *list = list_of(field, message);
    return mrpc_any_size(list->data, list->size);
}

/* An empty text has data, as those of messages have. */
static void clear_value(const mrpc_field *field, void *value)
{
    memset(value, 0, mrpc_field_width(field));
    if (field->type == MRPC_TYPE_STRING)
        ((mrpc_string *)value)->data = (char *)(uintptr_t)mrpc_empty_text;
}

static void load_value(const mrpc_field *field, const void *from, void *value)
{
    memcpy(value, from, mrpc_field_width(field));
    if (field->type == MRPC_TYPE_STRING && ((mrpc_string *)value)->data == NULL)
        clear_value(field, value);
}

void mrpc_field_get(const mrpc_field *field, const void *message, void *value)
{
    if (!is_list(field) && mrpc_field_present(field, message))
        load_value(field, mrpc_field_member(field, message), value);
    else
        clear_value(field, value);
}

bool mrpc_field_at(const mrpc_field *field, const void *message, size_t index, void *value)
{
    bool is_there = field->kind == MRPC_FIELD_LIST && index < mrpc_field_size(field, message);
    if (is_there)
        load_value(field, list_of(field, message)->data + index * mrpc_field_width(field), value);
    else
        clear_value(field, value);
    return is_there;
}

const void *mrpc_field_entry(const mrpc_field *field, const void *message, size_t index)
{
    if (field->kind != MRPC_FIELD_MAP || index >= mrpc_field_size(field, message))
        return NULL;
    return list_of(field, message)->data + index * field->message->size;
}

/* --- changing --- */

/* What a member or an element becomes: `value`, or a copy of it. */
static int copy_value(const mrpc_field *field, void *owner, const void *value, void *copy)
{
    const mrpc_bytes *bytes = value;
    if (((const mrpc_message *)owner)->arena == NULL)
        return MRPC_EINVAL;
    if (field->type == MRPC_TYPE_STRING)
        return mrpc_string_set_n(owner, copy, (const char *)bytes->data, bytes->size);
    if (field->type == MRPC_TYPE_BYTES)
        return mrpc_bytes_set(owner, copy, bytes->data, bytes->size);
    if (mrpc_field_is_message(field) ? *(const mrpc_any_message *)value == NULL : mrpc_field_is_unnamed(field, value))
        return MRPC_EINVAL;
    memcpy(copy, value, mrpc_field_width(field));
    return 0;
}

int mrpc_field_set(const mrpc_field *field, void *message, const void *value)
{
    mrpc_bytes copy;
    int result = is_list(field) ? MRPC_EINVAL : copy_value(field, message, value, &copy);
    if (result != 0)
        return result;
    memcpy((char *)message + field->offset, &copy, mrpc_field_width(field));
    mrpc_field_mark(field, message);
    return 0;
}

int mrpc_field_add(const mrpc_field *field, void *message, const void *value)
{
    mrpc_bytes copy;
    mrpc_any_list *list = (void *)((char *)message + field->offset);
    size_t width = mrpc_field_width(field);
    int result = field->kind == MRPC_FIELD_LIST ? copy_value(field, message, value, &copy) : MRPC_EINVAL;
    if (result == 0)
        result = mrpc_list_reserve(message, list, width, 1);
    if (result == 0)
        memcpy(list->data + list->size++ * width, &copy, width);
    return result;
}

/* The value is made before the map is touched. */
int mrpc_field_put(const mrpc_field *field, void *message, const void *key, const void *value)
{
    mrpc_bytes copy;
    if (field->kind != MRPC_FIELD_MAP)
        return MRPC_EINVAL;
    const mrpc_field *part = &field->message->fields[1];
    int result = copy_value(part, message, value, &copy);
    if (result == 0 && mrpc_field_is_message(part)) {
        void *own = mrpc_message_copy_in(part->message, *(const mrpc_any_message *)value, message);
        if (own == NULL)
            return MRPC_ENOMEM;
        memcpy(&copy, &own, sizeof own);
    }
    char *entry = result == 0 ? mrpc_map_insert(field->message, message, (char *)message + field->offset, key) : NULL;
    if (entry == NULL)
        return result != 0 ? result : MRPC_ENOMEM;
    memcpy(entry + part->offset, &copy, mrpc_field_width(part));
    return 0;
}

void *mrpc_field_make(const mrpc_field *field, void *message)
{
    char *member = (char *)message + field->offset;
    if (field->kind == MRPC_FIELD_MAP || !mrpc_field_is_message(field))
        return NULL;
    if (field->kind == MRPC_FIELD_LIST)
        return mrpc_message_list_add(message, member, field->message);
    if (mrpc_field_present(field, message))
        return *(mrpc_any_message *)(void *)member;
    void *made = mrpc_message_new_in(field->message, message);
    if (made == NULL)
        return NULL;
    *(mrpc_any_message *)(void *)member = made;
    mrpc_field_mark(field, message);
    return made;
}

void mrpc_field_clear(const mrpc_field *field, void *message)
{
    char *member = (char *)message + field->offset;
    if (is_list(field)) {
        memset(member, 0, sizeof(mrpc_any_list));
        return;
    }
    if (field->kind == MRPC_FIELD_ONEOF) {
        if (mrpc_field_case(field, message) == field->number)
            memset((char *)message + field->presence, 0, sizeof(uint32_t));
        return;
    }
    clear_value(field, member);
    if (field->kind == MRPC_FIELD_OPTIONAL && !mrpc_field_is_message(field))
        *(bool *)((char *)message + field->presence) = false;
}
