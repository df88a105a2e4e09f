/* SPDX-License-Identifier: BSD-2-Clause */
/* fields.h - how the generic functions see a member of any message, by what the tables say of it */
#ifndef MRPC_MARSHAL_FIELDS_H
#define MRPC_MARSHAL_FIELDS_H

#include <string.h>

#include <mrpc/marshal.h>
#include <mrpc/message.h>

/* The three members that lists and maps have, whatever their elements are. */
typedef struct __attribute__((may_alias)) mrpc_any_list {
    char *data;
    size_t size;
    size_t capacity;
} mrpc_any_list;

/* A member that points to a message, whatever its type is. */
typedef void *__attribute__((may_alias)) mrpc_any_message;

static inline bool mrpc_field_is_message(const mrpc_field *field)
{
    return field->type == MRPC_TYPE_MESSAGE || field->type == MRPC_TYPE_GROUP;
}

/* Whether it is the type of a map's entries, which have no head as messages have. */
static inline bool mrpc_type_is_entry(const mrpc_type *type)
{
    return type->field_count > 0 && (type->fields[0].offset == 0 || type->fields[type->field_count - 1].offset == 0);
}

/* Whether a value is nothing but its bytes in the struct: a number, a bool or an enum. */
static inline bool mrpc_field_is_plain(const mrpc_field *field)
{
    return field->kind != MRPC_FIELD_MAP && !mrpc_field_is_message(field) && field->type != MRPC_TYPE_STRING &&
           field->type != MRPC_TYPE_BYTES;
}

/* Bytes that one value of the field takes: the member itself, or an element of a list. Of a map, an entry. */
static inline size_t mrpc_field_width(const mrpc_field *field)
{
    if (field->kind == MRPC_FIELD_MAP)
        return field->message->size;
    switch ((mrpc_field_type)field->type) {
    case MRPC_TYPE_BOOL:
        return sizeof(bool);
    case MRPC_TYPE_FLOAT:
    case MRPC_TYPE_INT32:
    case MRPC_TYPE_UINT32:
    case MRPC_TYPE_SINT32:
    case MRPC_TYPE_FIXED32:
    case MRPC_TYPE_SFIXED32:
    case MRPC_TYPE_ENUM:
        return sizeof(uint32_t);
    case MRPC_TYPE_DOUBLE:
    case MRPC_TYPE_INT64:
    case MRPC_TYPE_UINT64:
    case MRPC_TYPE_SINT64:
    case MRPC_TYPE_FIXED64:
    case MRPC_TYPE_SFIXED64:
        return sizeof(uint64_t);
    case MRPC_TYPE_STRING:
    case MRPC_TYPE_BYTES:
        return sizeof(mrpc_string);
    case MRPC_TYPE_MESSAGE:
    case MRPC_TYPE_GROUP:
        break;
    }
    return sizeof(void *);
}

_Static_assert(sizeof(mrpc_string) == sizeof(mrpc_bytes), "strings and bytes are held in the same way");

static inline const char *mrpc_field_member(const mrpc_field *field, const void *message)
{
    return (const char *)message + field->offset;
}

static inline uint32_t mrpc_field_case(const mrpc_field *field, const void *message)
{
    uint32_t number;
    memcpy(&number, (const char *)message + field->presence, sizeof number);
    return number;
}

/* A bool in memory that somebody else may have written: anything but zero is true. */
static inline bool mrpc_any_bool(const void *from)
{
    return *(const uint8_t *)from != 0;
}

static inline size_t mrpc_any_size(const void *data, size_t size)
{
    return data != NULL ? size : 0;
}

/* Whether a value without presence of its own differs from the zero of its type. */
static inline bool mrpc_field_is_set(const mrpc_field *field, const void *value)
{
    static const char zero[sizeof(uint64_t)];
    if (field->type == MRPC_TYPE_STRING || field->type == MRPC_TYPE_BYTES) {
        const mrpc_bytes *bytes = value;
        return mrpc_any_size(bytes->data, bytes->size) > 0;
    }
    return memcmp(value, zero, mrpc_field_width(field)) != 0;
}

/* Whether the message has the field: a list or a map that is not empty, any other as its kind says. */
static inline bool mrpc_field_present(const mrpc_field *field, const void *message)
{
    const char *value = mrpc_field_member(field, message);
    switch ((mrpc_field_kind)field->kind) {
    case MRPC_FIELD_IMPLICIT:
        return mrpc_field_is_set(field, value);
    case MRPC_FIELD_OPTIONAL:
        if (mrpc_field_is_message(field))
            return *(const mrpc_any_message *)(const void *)value != NULL;
        return mrpc_any_bool((const char *)message + field->presence);
    case MRPC_FIELD_ONEOF:
        return mrpc_field_case(field, message) == field->number;
    case MRPC_FIELD_LIST:
    case MRPC_FIELD_MAP:
        break;
    }
    const mrpc_any_list *list = (const void *)value;
    return mrpc_any_size(list->data, list->size) > 0;
}

/* Whether a number may not be in the field, since its enum is closed and does not name it. */
static inline bool mrpc_field_is_unnamed(const mrpc_field *field, const void *number)
{
    int32_t value;
    if ((field->flags & MRPC_FIELD_CLOSED) == 0)
        return false;
    memcpy(&value, number, sizeof value);
    return mrpc_enum_name(field->enumeration, value) == NULL;
}

/* Has the message say that it has a field which is no list. */
static inline void mrpc_field_mark(const mrpc_field *field, void *message)
{
    if (field->kind == MRPC_FIELD_ONEOF)
        memcpy((char *)message + field->presence, &field->number, sizeof field->number);
    else if (field->kind == MRPC_FIELD_OPTIONAL && !mrpc_field_is_message(field))
        *(bool *)((char *)message + field->presence) = true;
}

/* The strings of a message that was not constructed may be NULL; any may be NULL when it is empty. */
static inline mrpc_bytes mrpc_any_text(const void *string)
{
    const mrpc_bytes *bytes = string;
    return (mrpc_bytes){.data = bytes->data, .size = mrpc_any_size(bytes->data, bytes->size)};
}

/* "" in memory that is never written. */
extern const char mrpc_empty_text[1];

#endif /* MRPC_MARSHAL_FIELDS_H */
