/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_native.c - see marshal_native.h */
#include "marshal_native.h"

#include <stdlib.h>
#include <string.h>

#include "kinds.h"

/* The first 16 bytes of a message are the arena, which is zero, and the pointer to unknown fields. */
enum { UNKNOWN_OFFSET = 8, HEAD_SIZE = 16, CAPACITY_OFFSET = 16 };

const native_direction native_put = {"put", "marshal", "out", "unnamed(out", "missing(out", false};
const native_direction native_take = {
    "take", "unmarshal", "in", "nameless(in, (const char *)m", "lacks(in, (const char *)m", true};

bool native_is_bool(const schema_member *member)
{
    return member->kind == MEMBER_HAS ||
           (member->kind == MEMBER_FIELD && !member->field->repeated && member->field->type == MRPC_TYPE_BOOL);
}

static void mark_bits(const schema_message *message, uint8_t boolean, uint8_t *mask)
{
    if (!message->is_map_entry)
        memset(mask + UNKNOWN_OFFSET, 0xff, HEAD_SIZE - UNKNOWN_OFFSET);
    for (size_t i = 0; i < message->member_count; i++) {
        const schema_member *member = &message->members[i];
        bool is_list = member->kind == MEMBER_FIELD && member->field->repeated;
        memset(mask + member->offset, native_is_bool(member) ? boolean : 0xff,
               is_list ? CAPACITY_OFFSET : member->size);
    }
}

/* The widest word at `offset` that is aligned there in every element of an array of the struct. */
static size_t word_width(size_t offset, size_t size)
{
    size_t width = 8;
    while (offset % width != 0 || size % width != 0)
        width /= 2;
    return width;
}

void native_for_each_word(const schema_message *message, uint8_t boolean, native_word_writer *write, output *out)
{
    uint8_t *mask = calloc(message->size + 1, 1);
    if (mask == NULL) {
        out->failed = true;
        return;
    }
    mark_bits(message, boolean, mask);
    for (size_t offset = 0, width; offset < message->size; offset += width) {
        uint64_t bits = 0;
        width = word_width(offset, message->size);
        for (size_t i = 0; i < width; i++)
            bits |= (uint64_t)mask[offset + i] << (8 * i);
        if (bits != UINT64_MAX >> (64 - 8 * width))
            write(out, offset, 8 * width, bits);
    }
    free(mask);
}

bool native_has_pointer(const schema_field *field)
{
    return field->repeated || marshal_width(field) == 0;
}

void native_write_check(int indent, output *out)
{
    output_printf(out, "%*sif (MRPC_UNLIKELY(cursor == NULL))\n%*sreturn NULL;\n", indent, "", indent + 4, "");
}

/* What follows mrpc_native_put_ or mrpc_native_take_. */
static const char *helper_name(const schema_field *field)
{
    bool list = field->repeated;
    bool must_be = field->oneof != NULL || field->parent->is_map_entry || field->presence == PRESENCE_REQUIRED;
    if (marshal_is_message(field))
        return list ? "messages" : must_be ? "element" : "message";
    if (marshal_is_text(field) && !schema_checks_text(field))
        return list ? "raws" : "raw";
    if (marshal_is_text(field))
        return list ? "strings" : "string";
    if (field->type == MRPC_TYPE_BYTES)
        return list ? "bytes_list" : "numbers";
    if (schema_is_closed(field))
        return "enums";
    return field->type == MRPC_TYPE_BOOL ? "bools" : "numbers";
}

static void write_message_arguments(const native_direction *direction, const schema_field *field, output *out)
{
    if (direction->needs_size)
        output_printf(out, ", sizeof(message_%s)", field->message->c_name);
    output_printf(out, ", depth, %s_%s", direction->function, field->message->c_name);
}

void native_write_named(const native_direction *direction, const schema_field *field, int indent, output *out)
{
    if (!schema_is_closed(field) || field->repeated)
        return;
    output_printf(out, "%*sif (MRPC_UNLIKELY(", indent, "");
    if (schema_has_flag(field) && field->presence != PRESENCE_REQUIRED)
        output_printf(out, "m->has_%s != 0 && ", field->c_name);
    output_printf(out, "!names_%s(", field->enumeration->c_name);
    marshal_write_member(field, out);
    output_printf(out, ")))\n%*sreturn mrpc_native_%s, \"%s\");\n", indent + 4, "", direction->unnamed,
                  field->full_name);
}

void native_write_required(const native_direction *direction, const schema_field *field, output *out)
{
    marshal_write_absence(field, "    if (MRPC_UNLIKELY(", "))\n", out);
    output_printf(out, "        return mrpc_native_%s, \"%s\");\n", direction->missing, field->full_name);
}

void native_write_value(const native_direction *direction, const schema_field *field, int indent, output *out)
{
    if (!native_has_pointer(field))
        return;
    if (field->is_map) {
        output_printf(out, "%*scursor = %s_%s(%s, cursor, (mrpc_span *)&m->%s, depth);\n", indent, "",
                      direction->function, field->message->c_name, direction->state, field->c_name);
        native_write_check(indent, out);
        return;
    }
    output_printf(out, "%*scursor = mrpc_native_%s_%s(%s, cursor, &", indent, "", direction->verb, helper_name(field),
                  direction->state);
    marshal_write_member(field, out);
    if (marshal_is_message(field))
        write_message_arguments(direction, field, out);
    else if (field->type == MRPC_TYPE_BYTES && !field->repeated)
        output_text(out, ", 1");
    else if (schema_is_closed(field))
        output_printf(out, ", names_%s", field->enumeration->c_name);
    else if (marshal_width(field) > 1)
        output_printf(out, ", %zu", marshal_width(field));
    output_printf(out, ", \"%s\");\n", field->full_name);
    native_write_check(indent, out);
}
