/* SPDX-License-Identifier: BSD-2-Clause */
/* kinds.c - see kinds.h */
#include "kinds.h"

#include <stdlib.h>

/* A message has presence whatever the schema says. Keys and scalar values of maps have none: an entry has both. */
mrpc_field_kind schema_kind(const schema_field *field)
{
    if (field->is_map)
        return MRPC_FIELD_MAP;
    if (field->repeated)
        return MRPC_FIELD_LIST;
    if (field->oneof != NULL)
        return MRPC_FIELD_ONEOF;
    if (field->message != NULL)
        return MRPC_FIELD_OPTIONAL;
    return field->presence == PRESENCE_IMPLICIT || field->parent->is_map_entry ? MRPC_FIELD_IMPLICIT
                                                                               : MRPC_FIELD_OPTIONAL;
}

static int by_number(const void *a, const void *b)
{
    int32_t left = (*(const schema_field *const *)a)->number, right = (*(const schema_field *const *)b)->number;
    return (left > right) - (left < right);
}

void schema_sort_fields(const schema_message *message, const schema_field **sorted)
{
    for (size_t i = 0; i < message->field_count; i++)
        sorted[i] = message->fields[i];
    qsort(sorted, message->field_count, sizeof *sorted, by_number);
}

/* Both lie in one array, so that the lower address is the one that the schema has first. */
static int by_value(const void *a, const void *b)
{
    const schema_enum_value *left = *(const schema_enum_value *const *)a, *right = *(const schema_enum_value *const *)b;
    if (left->number != right->number)
        return left->number > right->number ? 1 : -1;
    return (left > right) - (left < right);
}

void schema_sort_values(const schema_enum *enumeration, const schema_enum_value **sorted)
{
    for (size_t i = 0; i < enumeration->value_count; i++)
        sorted[i] = &enumeration->values[i];
    qsort(sorted, enumeration->value_count, sizeof *sorted, by_value);
}
