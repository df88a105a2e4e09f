/* SPDX-License-Identifier: BSD-2-Clause */
/* schema.h - how a schema is made: schema.c collects names, tables.c makes the tables, layout.c places the members */
#ifndef MRPC_REFLECT_SCHEMA_H
#define MRPC_REFLECT_SCHEMA_H

#include <string.h>

#include <google/protobuf/descriptor.mrpc.h>
#include <mrpc/extension.h>
#include <mrpc/reflect.h>

/* A message or an enum; what is not const is filled in by tables.c. */
typedef struct schema_symbol {
    const char *name; /* full name */
    const google_protobuf_FileDescriptorProto *file;
    const google_protobuf_DescriptorProto *message; /* NULL: it is an enum */
    mrpc_type *type;
    mrpc_enum *enumeration;
    const google_protobuf_EnumDescriptorProto *values;
} schema_symbol;

struct mrpc_schema {
    mrpc_arena *arena;                      /* of all tables, and of this struct */
    google_protobuf_FileDescriptorSet *set; /* whose names the tables have */
    mrpc_file *files;
    const mrpc_file **file_list; /* in the order of the set */
    const mrpc_file **by_name;
    size_t file_count;
    schema_symbol *symbols; /* by name */
    size_t symbol_count;
};

/* While a schema is made. */
typedef struct schema_builder {
    mrpc_schema *schema;
    const google_protobuf_FileDescriptorProto *file; /* that is looked at */
    mrpc_error *error;
} schema_builder;

/* Zeroed memory that lives as long as the schema; NULL: there is none. */
void *schema_alloc(mrpc_schema *schema, size_t count, size_t size);
/* "SCOPE.NAME", or NAME in an empty scope. NULL: no memory. */
const char *schema_join(mrpc_schema *schema, const char *scope, const char *name);

/* Fails with the name of the file. Returns `code`. */
int schema_refuse(const schema_builder *builder, int code, const char *format, ...) MRPC_PRINTF(3, 4);
int schema_no_memory(const schema_builder *builder);

const schema_symbol *schema_find(const mrpc_schema *schema, const char *name);
static inline bool schema_is_proto3(const google_protobuf_FileDescriptorProto *file)
{
    return strcmp(file->syntax.data, "proto3") == 0;
}

/* Fills in the table of a message or of an enum; all symbols are there. */
MRPC_MUST_CHECK int schema_fill_type(schema_builder *builder, const schema_symbol *symbol);
MRPC_MUST_CHECK int schema_fill_enum(schema_builder *builder, const schema_symbol *symbol);
/* Fills in the extensions of the file. */
MRPC_MUST_CHECK int schema_fill_extensions(schema_builder *builder, mrpc_file *file);

/* Places the members of a type whose fields are known, and sets its size. `oneofs`: the index of each field's oneof, or
 * -1; `oneof_count` is one more than the highest. */
MRPC_MUST_CHECK int schema_place(schema_builder *builder, mrpc_type *type, mrpc_field *fields, const int32_t *oneofs,
                                 size_t oneof_count, bool is_entry);

#endif /* MRPC_REFLECT_SCHEMA_H */
