/* SPDX-License-Identifier: BSD-2-Clause */
/* kinds.h - small questions about the schema that several generators ask */
#ifndef MRPC_GEN_KINDS_H
#define MRPC_GEN_KINDS_H

#include "schema.h"

/* How the field is held in its struct. */
mrpc_field_kind schema_kind(const schema_field *field);

/* The fields by number, in `sorted`, which has room for field_count of them. */
void schema_sort_fields(const schema_message *message, const schema_field **sorted);

/* The values by number, then in the order of the schema, in `sorted`, which has room for value_count of them. */
void schema_sort_values(const schema_enum *enumeration, const schema_enum_value **sorted);

#endif /* MRPC_GEN_KINDS_H */
