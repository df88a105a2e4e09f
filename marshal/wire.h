/* SPDX-License-Identifier: BSD-2-Clause */
/* wire.h - how a field is written in the protobuf encoding, by what the tables say of it */
#ifndef MRPC_MARSHAL_WIRE_H
#define MRPC_MARSHAL_WIRE_H

#include <mrpc/marshal/protobuf.h>

#include "marshal/fields.h"

/* How a number, bool or enum is written. */
static inline mrpc_wire_kind mrpc_field_wire_kind(const mrpc_field *field)
{
    switch ((mrpc_field_type)field->type) {
    case MRPC_TYPE_INT32:
    case MRPC_TYPE_ENUM:
        return MRPC_WIRE_INT32;
    case MRPC_TYPE_UINT32:
        return MRPC_WIRE_UINT32;
    case MRPC_TYPE_SINT32:
        return MRPC_WIRE_SINT32;
    case MRPC_TYPE_SINT64:
        return MRPC_WIRE_SINT64;
    case MRPC_TYPE_BOOL:
        return MRPC_WIRE_BOOL;
    case MRPC_TYPE_FLOAT:
    case MRPC_TYPE_FIXED32:
    case MRPC_TYPE_SFIXED32:
        return MRPC_WIRE_FIXED32;
    case MRPC_TYPE_DOUBLE:
    case MRPC_TYPE_FIXED64:
    case MRPC_TYPE_SFIXED64:
        return MRPC_WIRE_FIXED64;
    default:
        return MRPC_WIRE_INT64;
    }
}

/* The wire type of one value. */
static inline uint32_t mrpc_field_wire_type(const mrpc_field *field)
{
    if (field->type == MRPC_TYPE_GROUP)
        return MRPC_WIRE_GROUP;
    if (!mrpc_field_is_plain(field))
        return MRPC_WIRE_BYTES;
    mrpc_wire_kind kind = mrpc_field_wire_kind(field);
    return kind == MRPC_WIRE_FIXED64 ? MRPC_WIRE_8 : kind == MRPC_WIRE_FIXED32 ? MRPC_WIRE_4 : MRPC_WIRE_VARINT;
}

static inline uint32_t mrpc_field_tag(const mrpc_field *field, uint32_t wire_type)
{
    return field->number << 3 | wire_type;
}

#endif /* MRPC_MARSHAL_WIRE_H */
