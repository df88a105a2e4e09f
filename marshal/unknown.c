/* SPDX-License-Identifier: BSD-2-Clause */
/* unknown.c - see unknown.h; what a field is, the decoder's helpers say: this file asks them where each one ends */
#include "config.h"

#include "marshal/unknown.h"

#include <mrpc/marshal/protobuf.h>

/* The numbers of a MessageSet's group and of what is in it. */
enum { ITEM = 1, ITEM_TYPE = 2, ITEM_MESSAGE = 3 };

mrpc_input mrpc_unknown_of(const void *message)
{
    const mrpc_unknown *unknown = ((const mrpc_message *)message)->unknown;
    if (unknown == NULL)
        return (mrpc_input){NULL, NULL};
    return (mrpc_input){unknown->data, unknown->data + unknown->size};
}

/* Where the tag stands that ends a group, which is known to be well-formed. Tags may be longer than they need be, so
 * that it cannot be found from the end. */
static const uint8_t *group_end(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end)
{
    for (uint32_t open = 1;;) {
        const uint8_t *start = at;
        uint32_t tag = 0;
        at = mrpc_wire_take_tag(decoder, at, end, &tag, "");
        if ((tag & 7) == MRPC_WIRE_GROUP)
            open++;
        else if ((tag & 7) != MRPC_WIRE_END)
            at = mrpc_wire_skip_plain(decoder, at, end, tag, "");
        else if (--open == 0)
            return start;
    }
}

bool mrpc_unknown_next(mrpc_input *in, mrpc_unknown_field *field)
{
    mrpc_decoder decoder = {.start = in->at, .end = in->end};
    uint32_t tag = 0;
    if (in->at == in->end)
        return false;
    const uint8_t *value = mrpc_wire_take_tag(&decoder, in->at, in->end, &tag, "");
    if (value == NULL)
        return false;
    const uint8_t *behind = mrpc_wire_skip(&decoder, value, in->end, tag, MRPC_DEPTH_LIMIT, ""), *end = behind;
    if (behind == NULL)
        return false;
    if ((tag & 7) == MRPC_WIRE_BYTES)
        value = mrpc_wire_take_length(&decoder, value, in->end, &end, "");
    else if ((tag & 7) == MRPC_WIRE_GROUP)
        end = group_end(&decoder, value, behind);
    *field = (mrpc_unknown_field){
        .number = tag >> 3, .wire = tag & 7, .start = in->at, .value = {value, end}, .behind = behind};
    in->at = behind;
    return true;
}

bool mrpc_unknown_number(const mrpc_unknown_field *field, uint64_t *number)
{
    mrpc_decoder decoder = {.start = field->value.at, .end = field->value.end};
    mrpc_wire_kind kind = field->wire == MRPC_WIRE_8   ? MRPC_WIRE_FIXED64
                          : field->wire == MRPC_WIRE_4 ? MRPC_WIRE_FIXED32
                                                       : MRPC_WIRE_INT64;
    return field->wire != MRPC_WIRE_BYTES && field->wire != MRPC_WIRE_GROUP &&
           mrpc_wire_take_value(&decoder, field->value.at, field->value.end, number, kind, "") != NULL;
}

bool mrpc_unknown_take_item(mrpc_unknown_field *field)
{
    mrpc_input in = field->value, message = {NULL, NULL};
    mrpc_unknown_field part;
    uint64_t type = 0;
    if (field->number != ITEM || field->wire != MRPC_WIRE_GROUP)
        return false;
    while (mrpc_unknown_next(&in, &part)) {
        if (part.number == ITEM_TYPE && part.wire == MRPC_WIRE_VARINT && type == 0)
            (void)mrpc_unknown_number(&part, &type);
        else if (part.number == ITEM_MESSAGE && part.wire == MRPC_WIRE_BYTES && message.at == NULL)
            message = part.value;
    }
    if ((uint32_t)type == 0 || message.at == NULL)
        return false;
    field->number = (uint32_t)type;
    field->wire = MRPC_WIRE_BYTES;
    field->value = message;
    return true;
}
