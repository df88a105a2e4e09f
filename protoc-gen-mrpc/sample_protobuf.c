/* SPDX-License-Identifier: BSD-2-Clause */
/* sample_protobuf.c - a sample in the protobuf encoding, fields by number, each length known before it is written */
#include <stdlib.h>

#include "kinds.h"
#include "marshal_parts.h"
#include "sample.h"

static void put_varint(output *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        output_write(out, (const char[]){(char)(value | 0x80)}, 1);
    output_write(out, (const char[]){(char)value}, 1);
}

static void put_fixed(output *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++, value >>= 8)
        output_write(out, (const char[]){(char)value}, 1);
}

/* What the encoding guide says of each type. */
static void put_number(output *out, const schema_field *field, uint64_t bits)
{
    switch (field->type) {
    case MRPC_TYPE_FIXED64:
    case MRPC_TYPE_SFIXED64:
    case MRPC_TYPE_DOUBLE:
        put_fixed(out, bits, 8);
        break;
    case MRPC_TYPE_FIXED32:
    case MRPC_TYPE_SFIXED32:
    case MRPC_TYPE_FLOAT:
        put_fixed(out, bits, 4);
        break;
    case MRPC_TYPE_SINT32:
        put_varint(out, (int32_t)bits < 0 ? 2 * (uint64_t)(-1 - (int64_t)(int32_t)bits) + 1 : 2 * bits);
        break;
    case MRPC_TYPE_SINT64:
        put_varint(out, (int64_t)bits < 0 ? 2 * ~bits + 1 : 2 * bits);
        break;
    case MRPC_TYPE_INT32:
    case MRPC_TYPE_ENUM:
        put_varint(out, (uint64_t)(int64_t)(int32_t)bits);
        break;
    default:
        put_varint(out, bits);
    }
}

static void put_run(output *out, const char *data, size_t size)
{
    put_varint(out, size);
    output_write(out, data, size);
}

/* A message without its length, as a group has it. */
static void put_group(output *out, const schema_field *field, const sample_value *value)
{
    sample_protobuf(value->message, out);
    put_varint(out, (uint64_t)field->number << 3 | 4);
}

/* One value behind its tag. */
static void put_value(output *out, const schema_field *field, const sample_value *value)
{
    if (marshal_width(field) != 0) {
        put_number(out, field, value->bits);
    } else if (field->type == MRPC_TYPE_GROUP) {
        put_group(out, field, value);
    } else if (!marshal_is_message(field)) {
        put_run(out, value->text, value->size);
    } else {
        output inner = {0};
        sample_protobuf(value->message, &inner);
        put_run(out, output_string(&inner), inner.size);
        out->failed |= inner.failed;
        output_free(&inner);
    }
}

static void put_field(output *out, const schema_field *field, const sample_field *values)
{
    uint64_t number = (uint64_t)field->number << 3;
    if (values->count == 0)
        return;
    if (!field->packed) {
        for (size_t i = 0; i < values->count; i++) {
            put_varint(out, number | marshal_wire_type(field));
            put_value(out, field, &values->values[i]);
        }
        return;
    }
    output inner = {0};
    for (size_t i = 0; i < values->count; i++)
        put_number(&inner, field, values->values[i].bits);
    put_varint(out, number | 2);
    put_run(out, output_string(&inner), inner.size);
    out->failed |= inner.failed;
    output_free(&inner);
}

void sample_protobuf(const sample *message, output *out)
{
    const schema_message *type = message->type;
    const schema_field **sorted = calloc(type->field_count + 1, sizeof(schema_field *));
    if (sorted == NULL) {
        out->failed = true;
        return;
    }
    schema_sort_fields(type, sorted);
    for (size_t i = 0; i < type->field_count; i++)
        put_field(out, sorted[i], &message->fields[sorted[i]->index]);
    output_write(out, message->unknown_size != 0 ? message->unknown : "", message->unknown_size);
    free(sorted);
}
