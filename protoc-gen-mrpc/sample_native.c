/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample_native.c - a sample in the native encoding, as docs/PROTOCOL.md, section 7 has it
 *
 * The block grows at its end only; what points to something gets its offset when that is placed.
 */
#include <string.h>

#include "marshal_parts.h"
#include "sample.h"

enum { STRING_SIZE = 16, POINTER_SIZE = 8 };

/* Zeroed room at the end, padded to 8; its offset. */
static size_t place(output *out, size_t size)
{
    static const char zeros[64];
    size_t offset = out->size, left = (size + 7) / 8 * 8;
    for (; left > 0; left -= left < sizeof zeros ? left : sizeof zeros)
        output_write(out, zeros, left < sizeof zeros ? left : sizeof zeros);
    return offset;
}

static void store(output *out, size_t offset, uint64_t value, size_t size)
{
    for (size_t i = 0; !out->failed && i < size; i++, value >>= 8)
        out->data[offset + i] = (char)value;
}

/* What lies outside of a struct: bytes at the end of the block. */
static void place_run(output *out, size_t member, const char *data, size_t size, size_t nul)
{
    if (size == 0)
        return;
    size_t offset = place(out, size + nul);
    store(out, member, offset, POINTER_SIZE);
    if (!out->failed)
        memcpy(out->data + offset, data, size);
}

static void place_members(const sample *message, output *out, size_t base);

/* Plain values and sizes: what is in the struct itself. */
static void write_inside(const schema_field *field, const sample_value *value, output *out, size_t offset)
{
    if (marshal_width(field) != 0)
        store(out, offset, value->bits, marshal_width(field));
    else if (!marshal_is_message(field))
        store(out, offset + POINTER_SIZE, value->size, POINTER_SIZE);
}

/* What one value points to, and what that points to. */
static void place_outside(const schema_field *field, const sample_value *value, output *out, size_t offset)
{
    if (marshal_is_message(field)) {
        size_t base = place(out, value->message->type->size);
        store(out, offset, base, POINTER_SIZE);
        place_members(value->message, out, base);
    } else if (marshal_width(field) == 0) {
        place_run(out, offset, value->text, value->size, marshal_is_text(field));
    }
}

static size_t element_size(const schema_field *field)
{
    if (field->is_map)
        return field->message->size;
    if (marshal_is_message(field))
        return POINTER_SIZE;
    return marshal_width(field) != 0 ? marshal_width(field) : STRING_SIZE;
}

static void write_entry(const sample *entry, output *out, size_t offset)
{
    for (size_t i = 0; i < 2; i++)
        write_inside(entry->type->fields[i], &entry->fields[i].values[0], out, offset + entry->type->fields[i]->offset);
}

static void place_list(const schema_field *field, const sample_field *list, output *out, size_t member)
{
    size_t element = element_size(field), first = place(out, list->count * element);
    store(out, member, first, POINTER_SIZE);
    store(out, member + POINTER_SIZE, list->count, POINTER_SIZE);
    for (size_t i = 0; i < list->count; i++) {
        if (field->is_map)
            write_entry(list->values[i].message, out, first + i * element);
        else
            write_inside(field, &list->values[i], out, first + i * element);
    }
    for (size_t i = 0; i < list->count; i++) {
        const sample *entry = list->values[i].message;
        for (size_t j = 0; field->is_map && j < 2; j++)
            place_outside(entry->type->fields[j], &entry->fields[j].values[0], out,
                          first + i * element + entry->type->fields[j]->offset);
        if (!field->is_map)
            place_outside(field, &list->values[i], out, first + i * element);
    }
}

static void write_struct(const sample *message, output *out, size_t base)
{
    for (size_t i = 0; i < message->type->field_count; i++) {
        const schema_field *field = message->type->fields[i];
        if (message->fields[i].count == 0 || field->repeated)
            continue;
        write_inside(field, &message->fields[i].values[0], out, base + field->offset);
        if (field->oneof != NULL)
            store(out, base + field->oneof->case_offset, (uint64_t)field->number, 4);
        else if (schema_has_flag(field))
            store(out, base + field->presence_offset, 1, 1);
    }
}

static void place_field(const sample *message, const schema_field *field, output *out, size_t base)
{
    const sample_field *values = &message->fields[field->index];
    if (values->count == 0)
        return;
    if (field->repeated)
        place_list(field, values, out, base + field->offset);
    else
        place_outside(field, &values->values[0], out, base + field->offset);
}

static void place_unknown(const sample *message, output *out, size_t base)
{
    if (message->unknown_size == 0)
        return;
    size_t offset = place(out, 2 * POINTER_SIZE + message->unknown_size);
    store(out, base + POINTER_SIZE, offset, POINTER_SIZE);
    store(out, offset, message->unknown_size, POINTER_SIZE);
    if (!out->failed)
        memcpy(out->data + offset + 2 * POINTER_SIZE, message->unknown, message->unknown_size);
}

/* The struct at `base` is zero so far. */
static void place_members(const sample *message, output *out, size_t base)
{
    write_struct(message, out, base);
    place_unknown(message, out, base);
    for (size_t i = 0; i < message->type->member_count; i++) {
        const schema_member *member = &message->type->members[i];
        if (member->kind == MEMBER_FIELD)
            place_field(message, member->field, out, base);
        for (size_t j = 0; member->kind == MEMBER_UNION && j < member->oneof->field_count; j++)
            place_field(message, member->oneof->fields[j], out, base);
    }
}

void sample_native(const sample *message, output *out)
{
    place_members(message, out, place(out, message->type->size));
}
