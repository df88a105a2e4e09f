/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_parts.c - see marshal_parts.h: small questions that all parts ask */
#include "marshal_parts.h"

const char *marshal_mirror_word(const schema_message *message)
{
    return message->is_map_entry ? "entry" : "message";
}

bool marshal_is_text(const schema_field *field)
{
    return field->type == MRPC_TYPE_STRING;
}

bool marshal_is_message(const schema_field *field)
{
    return schema_is_message(field);
}

size_t marshal_width(const schema_field *field)
{
    switch (field->type) {
    case MRPC_TYPE_STRING:
    case MRPC_TYPE_BYTES:
    case MRPC_TYPE_MESSAGE:
    case MRPC_TYPE_GROUP:
        return 0;
    case MRPC_TYPE_BOOL:
        return 1;
    case MRPC_TYPE_DOUBLE:
    case MRPC_TYPE_INT64:
    case MRPC_TYPE_UINT64:
    case MRPC_TYPE_FIXED64:
    case MRPC_TYPE_SFIXED64:
    case MRPC_TYPE_SINT64:
        return 8;
    default:
        return 4;
    }
}

const char *marshal_wire_kind(const schema_field *field)
{
    switch (field->type) {
    case MRPC_TYPE_BOOL:
        return "MRPC_WIRE_BOOL";
    case MRPC_TYPE_UINT32:
        return "MRPC_WIRE_UINT32";
    case MRPC_TYPE_INT64:
    case MRPC_TYPE_UINT64:
        return "MRPC_WIRE_INT64";
    case MRPC_TYPE_SINT32:
        return "MRPC_WIRE_SINT32";
    case MRPC_TYPE_SINT64:
        return "MRPC_WIRE_SINT64";
    case MRPC_TYPE_FIXED32:
    case MRPC_TYPE_SFIXED32:
    case MRPC_TYPE_FLOAT:
        return "MRPC_WIRE_FIXED32";
    case MRPC_TYPE_FIXED64:
    case MRPC_TYPE_SFIXED64:
    case MRPC_TYPE_DOUBLE:
        return "MRPC_WIRE_FIXED64";
    default:
        return "MRPC_WIRE_INT32";
    }
}

uint32_t marshal_wire_type(const schema_field *field)
{
    switch (field->type) {
    case MRPC_TYPE_STRING:
    case MRPC_TYPE_BYTES:
    case MRPC_TYPE_MESSAGE:
        return 2;
    case MRPC_TYPE_GROUP:
        return 3;
    case MRPC_TYPE_FIXED32:
    case MRPC_TYPE_SFIXED32:
    case MRPC_TYPE_FLOAT:
        return 5;
    case MRPC_TYPE_FIXED64:
    case MRPC_TYPE_SFIXED64:
    case MRPC_TYPE_DOUBLE:
        return 1;
    default:
        return 0;
    }
}

uint32_t marshal_tag(const schema_field *field)
{
    return (uint32_t)field->number << 3 | (field->packed ? 2 : marshal_wire_type(field));
}

bool marshal_is_signed(const schema_field *field)
{
    switch (field->type) {
    case MRPC_TYPE_INT32:
    case MRPC_TYPE_SINT32:
    case MRPC_TYPE_SFIXED32:
    case MRPC_TYPE_INT64:
    case MRPC_TYPE_SINT64:
    case MRPC_TYPE_SFIXED64:
        return true;
    default:
        return false;
    }
}

bool marshal_uses_depth(const schema_message *message)
{
    for (size_t i = 0; i < message->field_count; i++)
        if (marshal_is_message(message->fields[i]))
            return true;
    return false;
}

bool marshal_needs_finish(const schema_message *message)
{
    return message->reaches_map || message->reaches_required;
}

void marshal_write_member(const schema_field *field, output *out)
{
    if (field->oneof != NULL)
        output_printf(out, "m->%s.%s", field->oneof->c_name, field->c_name);
    else
        output_printf(out, "m->%s", field->c_name);
}

void marshal_write_absence(const schema_field *field, const char *before, const char *behind, output *out)
{
    if (marshal_is_message(field))
        output_printf(out, "%sm->%s == NULL%s", before, field->c_name, behind);
    else
        output_printf(out, "%sm->has_%s == 0%s", before, field->c_name, behind);
}

void marshal_write_ascends(const schema_field *key, const char *before, const char *behind, output *out)
{
    const char *type = "";
    if (marshal_is_signed(key))
        type = marshal_width(key) == 8 ? "(int64_t)" : "(int32_t)";
    output_printf(out, "%s%s%s < %s%s%s", type, before, key->c_name, type, behind, key->c_name);
}
