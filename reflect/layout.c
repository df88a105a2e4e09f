/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout.c - where the members of a type lie that is made at run time
 *
 * As in generated structs: those of 8 bytes before those of 4 and of 1, so that there is no padding between them.
 */
#include "config.h"

#include "marshal/fields.h"
#include "reflect/schema.h"

/* Where a oneof has its union and its case. */
typedef struct union_place {
    size_t size;
    uint32_t offset, chosen;
} union_place;

static size_t member_size(const mrpc_field *field)
{
    bool is_list = field->kind == MRPC_FIELD_LIST || field->kind == MRPC_FIELD_MAP;
    return is_list ? sizeof(mrpc_any_list) : mrpc_field_width(field);
}

static bool has_flag(const mrpc_field *field)
{
    return field->kind == MRPC_FIELD_OPTIONAL && !mrpc_field_is_message(field);
}

static uint32_t take(size_t *end, size_t size)
{
    size_t offset = *end;
    *end += size;
    return (uint32_t)offset;
}

static void measure_unions(union_place *unions, const mrpc_type *type, const int32_t *oneofs)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        size_t size = member_size(&type->fields[i]);
        if (oneofs[i] >= 0 && size > unions[oneofs[i]].size)
            unions[oneofs[i]].size = (size + 7) & ~(size_t)7;
    }
}

static void place_members(size_t *end, mrpc_field *fields, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        size_t own = member_size(&fields[i]);
        if (fields[i].kind != MRPC_FIELD_ONEOF && (own < 8 ? own : 8) == size)
            fields[i].offset = take(end, own);
    }
}

int schema_place(schema_builder *builder, mrpc_type *type, mrpc_field *fields, const int32_t *oneofs,
                 size_t oneof_count, bool is_entry)
{
    size_t end = is_entry ? 0 : sizeof(mrpc_message), count = type->field_count;
    union_place *unions = schema_alloc(builder->schema, oneof_count, sizeof *unions);
    if (unions == NULL)
        return schema_no_memory(builder);
    measure_unions(unions, type, oneofs);
    place_members(&end, fields, count, 8);
    for (size_t i = 0; i < oneof_count; i++)
        unions[i].offset = take(&end, unions[i].size);
    place_members(&end, fields, count, 4);
    for (size_t i = 0; i < oneof_count; i++)
        unions[i].chosen = take(&end, sizeof(uint32_t));
    place_members(&end, fields, count, 1);
    for (size_t i = 0; i < count; i++) {
        if (has_flag(&fields[i]))
            fields[i].presence = take(&end, 1);
        if (oneofs[i] >= 0) {
            fields[i].offset = unions[oneofs[i]].offset;
            fields[i].presence = unions[oneofs[i]].chosen;
        }
    }
    type->size = (uint32_t)((end + 7) & ~(size_t)7);
    return 0;
}
