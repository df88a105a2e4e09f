/* SPDX-License-Identifier: BSD-2-Clause */
/* table_encode.c - see table.h; like generated code it writes from the end to the beginning */
#include "config.h"

#include "marshal/table.h"
#include "marshal/wire.h"

static uint8_t *put_message(mrpc_wire_out *out, uint8_t *front, const mrpc_type *type, const void *message,
                            uint32_t depth);

static uint8_t *put_sub_message(mrpc_wire_out *out, uint8_t *front, const mrpc_field *field, const void *message,
                                uint32_t depth)
{
    uint8_t *behind = front;
    bool is_group = field->type == MRPC_TYPE_GROUP;
    if (message == NULL)
        return mrpc_wire_refuse(out, MRPC_EINVAL, field->name, "is NULL where a message must be");
    if (depth == 0)
        return mrpc_wire_refuse(out, MRPC_EINVAL, field->name, "is nested deeper than the limit");
    if (is_group)
        front = mrpc_wire_put_tag(out, front, mrpc_field_tag(field, MRPC_WIRE_END), field->name);
    if (front != NULL)
        front = put_message(out, front, field->message, message, depth - 1);
    if (front == NULL)
        return NULL;
    if (is_group)
        return mrpc_wire_put_tag(out, front, mrpc_field_tag(field, MRPC_WIRE_GROUP), field->name);
    return mrpc_wire_put_length(out, front, mrpc_field_tag(field, MRPC_WIRE_BYTES), behind, field->name);
}

/* One value with its tag. */
static uint8_t *put_value(mrpc_wire_out *out, uint8_t *front, const mrpc_field *field, const void *value,
                          uint32_t depth)
{
    uint32_t tag = mrpc_field_tag(field, mrpc_field_wire_type(field));
    if (mrpc_field_is_message(field))
        return put_sub_message(out, front, field, *(const mrpc_any_message *)value, depth);
    if (mrpc_field_is_plain(field))
        return mrpc_field_is_unnamed(field, value)
                   ? mrpc_wire_unnamed(out, field->name)
                   : mrpc_wire_put_number(out, front, tag, value, mrpc_field_wire_kind(field), field->name);
    const mrpc_bytes *bytes = value;
    bool is_text = field->type == MRPC_TYPE_STRING && (field->flags & MRPC_FIELD_RAW) == 0;
    return mrpc_wire_put_run(out, front, tag, bytes->data, bytes->size, is_text, field->name);
}

static uint8_t *put_packed(mrpc_wire_out *out, uint8_t *front, const mrpc_field *field, const mrpc_any_list *list)
{
    for (size_t i = 0; (field->flags & MRPC_FIELD_CLOSED) != 0 && i < list->size; i++)
        if (mrpc_field_is_unnamed(field, list->data + i * sizeof(int32_t)))
            return mrpc_wire_unnamed(out, field->name);
    return mrpc_wire_put_packed(out, front, mrpc_field_tag(field, MRPC_WIRE_BYTES), list, mrpc_field_wire_kind(field),
                                field->name);
}

static uint8_t *put_entry(mrpc_wire_out *out, uint8_t *front, const mrpc_field *field, const char *entry,
                          uint32_t depth)
{
    uint8_t *behind = front;
    const mrpc_field *parts = field->message->fields;
    if (depth == 0)
        return mrpc_wire_refuse(out, MRPC_EINVAL, field->name, "is nested deeper than the limit");
    for (size_t i = 2; front != NULL && i-- > 0;)
        front = put_value(out, front, &parts[i], entry + parts[i].offset, depth - 1);
    return front == NULL
               ? NULL
               : mrpc_wire_put_length(out, front, mrpc_field_tag(field, MRPC_WIRE_BYTES), behind, field->name);
}

static uint8_t *put_list(mrpc_wire_out *out, uint8_t *front, const mrpc_field *field, const void *member,
                         uint32_t depth)
{
    const mrpc_any_list *list = member;
    size_t width = mrpc_field_width(field);
    if (list->data == NULL && list->size != 0)
        return mrpc_wire_refuse(out, MRPC_EINVAL, field->name, "has a size but its pointer is NULL");
    if ((field->flags & MRPC_FIELD_PACKED) != 0)
        return put_packed(out, front, field, list);
    for (size_t i = list->size; front != NULL && i-- > 0;)
        front = field->kind == MRPC_FIELD_MAP ? put_entry(out, front, field, list->data + i * width, depth)
                                              : put_value(out, front, field, list->data + i * width, depth);
    return front;
}

static uint8_t *put_field(mrpc_wire_out *out, uint8_t *front, const mrpc_field *field, const void *message,
                          uint32_t depth)
{
    const char *member = mrpc_field_member(field, message);
    if (field->kind == MRPC_FIELD_LIST || field->kind == MRPC_FIELD_MAP)
        return put_list(out, front, field, member, depth);
    if (mrpc_field_present(field, message))
        return put_value(out, front, field, member, depth);
    return (field->flags & MRPC_FIELD_REQUIRED) != 0 ? mrpc_wire_missing(out, field->name) : front;
}

static uint8_t *put_message(mrpc_wire_out *out, uint8_t *front, const mrpc_type *type, const void *message,
                            uint32_t depth)
{
    front = mrpc_wire_put_unknown(out, front, ((const mrpc_message *)message)->unknown, type->name);
    for (uint32_t i = type->field_count; front != NULL && i-- > 0;)
        front = put_field(out, front, &type->fields[i], message, depth);
    return front;
}

/* The message and its type, for a function that is given one pointer. */
typedef struct subject {
    const mrpc_type *type;
    const void *message;
} subject;

static uint8_t *write_subject(mrpc_wire_out *out, uint8_t *front, const void *context, uint32_t depth)
{
    const subject *what = context;
    return put_message(out, front, what->type, what->message, depth);
}

int mrpc_table_encode(const mrpc_type *type, mrpc_gather *gather, const void *message)
{
    const subject what = {type, message};
    return mrpc_wire_encode(gather, &what, write_subject, type->name);
}
