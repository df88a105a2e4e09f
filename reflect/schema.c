/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schema.c - types that are made of a FileDescriptorSet, see <mrpc/reflect.h>
 *
 * First all messages and enums get a name and an empty table, so that fields can refer to any of them; then the tables
 * are filled in, file by file. All of it lies in one arena.
 */
#include "config.h"

#include "marshal/fields.h"
#include "reflect/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mrpc/well_known.h>

/* --- memory and errors --- */

void *schema_alloc(mrpc_schema *schema, size_t count, size_t size)
{
    if (count > SIZE_MAX / 2 / size)
        return NULL;
    void *memory = mrpc_arena_alloc(schema->arena, count * size + 1);
    return memory != NULL ? memset(memory, 0, count * size + 1) : NULL;
}

const char *schema_join(mrpc_schema *schema, const char *scope, const char *name)
{
    size_t size = strlen(scope) + strlen(name) + 2;
    char *joined = scope[0] != '\0' ? schema_alloc(schema, size, 1) : NULL;
    if (joined == NULL)
        return scope[0] == '\0' ? name : NULL;
    (void)snprintf(joined, size, "%s.%s", scope, name);
    return joined;
}

int schema_refuse(const schema_builder *builder, int code, const char *format, ...)
{
    char why[200];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return mrpc_error_set(builder->error, code, "%.100s: %s",
                          builder->file != NULL ? builder->file->name.data : "the schema", why);
}

int schema_no_memory(const schema_builder *builder)
{
    return schema_refuse(builder, MRPC_ENOMEM, "there is no memory for its types");
}

/* --- names --- */

/* Letters, digits and underscores, not beginning with a digit; with `dots`, several of them or none. */
static bool is_name(const mrpc_string *text, bool dots)
{
    bool begins = true;
    for (size_t i = 0; i < text->size; i++) {
        char c = text->data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && (begins || c < '0' || c > '9') && (begins || !dots || c != '.'))
            return false;
        begins = c == '.';
    }
    return !begins || (dots && text->size == 0);
}

static int check_name(const schema_builder *builder, const mrpc_string *name)
{
    return is_name(name, false)
               ? 0
               : schema_refuse(builder, MRPC_EFORMAT, "there is a name that is none: \"%.50s\"", name->data);
}

static int check_names(const schema_builder *builder, const google_protobuf_FieldDescriptorProto_list *fields)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < fields->size; i++)
        result = check_name(builder, &fields->data[i]->name);
    return result;
}

/* --- collecting --- */

/* The symbol comes behind those that are there; there is room for all. */
static schema_symbol *add_symbol(schema_builder *builder, const char *scope, const mrpc_string *name)
{
    mrpc_schema *schema = builder->schema;
    schema_symbol *symbol = &schema->symbols[schema->symbol_count];
    *symbol = (schema_symbol){.file = builder->file, .name = schema_join(schema, scope, name->data)};
    if (symbol->name == NULL)
        return NULL;
    schema->symbol_count++;
    return symbol;
}

static int add_enums(schema_builder *builder, const google_protobuf_EnumDescriptorProto_list *enums, const char *scope)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < enums->size; i++) {
        const google_protobuf_EnumDescriptorProto *source = enums->data[i];
        result = check_name(builder, &source->name);
        for (size_t v = 0; result == 0 && v < source->value.size; v++)
            result = check_name(builder, &source->value.data[v]->name);
        if (result != 0)
            return result;
        schema_symbol *symbol = add_symbol(builder, scope, &source->name);
        mrpc_enum *table = schema_alloc(builder->schema, 1, sizeof *table);
        if (symbol == NULL || table == NULL)
            return schema_no_memory(builder);
        *table = (mrpc_enum){.table_size = sizeof *table, .name = symbol->name};
        symbol->enumeration = table;
        symbol->values = source;
    }
    return result;
}

/* The types of the file are listed in their order, nested ones after their parent. */
static int add_messages(schema_builder *builder, mrpc_file *file, const mrpc_type **types,
                        const google_protobuf_DescriptorProto_list *messages, const char *scope)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < messages->size; i++) {
        const google_protobuf_DescriptorProto *source = messages->data[i];
        result = check_name(builder, &source->name);
        if (result == 0)
            result = check_names(builder, &source->field);
        if (result == 0)
            result = check_names(builder, &source->extension);
        if (result != 0)
            return result;
        schema_symbol *symbol = add_symbol(builder, scope, &source->name);
        mrpc_type *type = schema_alloc(builder->schema, 1, sizeof *type);
        if (symbol == NULL || type == NULL)
            return schema_no_memory(builder);
        *type = (mrpc_type){.table_size = sizeof *type, .name = symbol->name, .file = file};
        symbol->message = source;
        symbol->type = type;
        types[file->type_count++] = type;
        const char *name = symbol->name;
        result = add_enums(builder, &source->enum_type, name);
        if (result == 0)
            result = add_messages(builder, file, types, &source->nested_type, name);
    }
    return result;
}

static size_t count_messages(const google_protobuf_DescriptorProto_list *messages, size_t *enums)
{
    size_t count = messages->size;
    for (size_t i = 0; i < messages->size; i++) {
        *enums += messages->data[i]->enum_type.size;
        count += count_messages(&messages->data[i]->nested_type, enums);
    }
    return count;
}

/* Of all files. */
static size_t count_symbols(const google_protobuf_FileDescriptorSet *set)
{
    size_t count = 0;
    for (size_t i = 0; i < set->file.size; i++) {
        size_t enums = set->file.data[i]->enum_type.size;
        count += count_messages(&set->file.data[i]->message_type, &enums) + enums;
    }
    return count;
}

/* --- files --- */

static int by_file_name(const void *left, const void *right)
{
    return strcmp((*(const mrpc_file *const *)left)->name, (*(const mrpc_file *const *)right)->name);
}

/* Lists the files by name. */
static int name_files(schema_builder *builder)
{
    mrpc_schema *schema = builder->schema;
    for (size_t i = 0; i < schema->file_count; i++) {
        schema->files[i].name = schema->set->file.data[i]->name.data;
        schema->by_name[i] = &schema->files[i];
    }
    qsort(schema->by_name, schema->file_count, sizeof *schema->by_name, by_file_name);
    for (size_t i = 1; i < schema->file_count; i++) {
        builder->file = schema->set->file.data[schema->by_name[i] - schema->files];
        if (by_file_name(&schema->by_name[i - 1], &schema->by_name[i]) == 0)
            return schema_refuse(builder, MRPC_EFORMAT, "the set has two files with that name");
    }
    return 0;
}

static const mrpc_file *find_file(const mrpc_schema *schema, const char *name)
{
    const mrpc_file key = {.name = name}, *searched = &key;
    const mrpc_file **found =
        bsearch(&searched, schema->by_name, schema->file_count, sizeof *schema->by_name, by_file_name);
    return found != NULL ? *found : NULL;
}

static int add_dependencies(schema_builder *builder, mrpc_file *file)
{
    const mrpc_string_list *names = &builder->file->dependency;
    const mrpc_file **list = schema_alloc(builder->schema, names->size, sizeof *list);
    if (list == NULL)
        return schema_no_memory(builder);
    for (size_t i = 0; i < names->size; i++) {
        list[i] = find_file(builder->schema, names->data[i].data);
        if (list[i] == NULL || list[i] >= file)
            return schema_refuse(builder, MRPC_EFORMAT, "its import %.80s is not before it in the set",
                                 names->data[i].data);
    }
    file->dependencies = list;
    file->dependency_count = names->size;
    return 0;
}

static int add_descriptor(schema_builder *builder, mrpc_file *file)
{
    const mrpc_type *type = &google_protobuf_FileDescriptorProto_type;
    int64_t size = mrpc_message_encode(type, builder->file, NULL, 0);
    uint8_t *bytes = size >= 0 ? schema_alloc(builder->schema, (size_t)size, 1) : NULL;
    if (bytes == NULL || mrpc_message_encode(type, builder->file, bytes, (size_t)size) != size)
        return schema_no_memory(builder);
    file->descriptor = bytes;
    file->descriptor_size = (size_t)size;
    return 0;
}

static int add_file(schema_builder *builder, mrpc_file *file)
{
    const google_protobuf_FileDescriptorProto *source = builder->file;
    size_t enums = 0;
    const mrpc_type **types =
        schema_alloc(builder->schema, count_messages(&source->message_type, &enums), sizeof *types);
    if (types == NULL)
        return schema_no_memory(builder);
    *file = (mrpc_file){.table_size = sizeof *file, .name = source->name.data, .types = types};
    if (!schema_is_proto3(source) && source->syntax.size > 0 && strcmp(source->syntax.data, "proto2") != 0)
        return schema_refuse(builder, MRPC_ENOTSUP, "its syntax is \"%.20s\"; proto2 and proto3 are known",
                             source->syntax.data);
    if (!is_name(&source->package, true))
        return schema_refuse(builder, MRPC_EFORMAT, "its package is no name: \"%.50s\"", source->package.data);
    int result = add_dependencies(builder, file);
    if (result == 0)
        result = check_names(builder, &source->extension);
    if (result == 0)
        result = add_enums(builder, &source->enum_type, source->package.data);
    if (result == 0)
        result = add_messages(builder, file, types, &source->message_type, source->package.data);
    return result == 0 ? add_descriptor(builder, file) : result;
}

static int add_files(schema_builder *builder)
{
    mrpc_schema *schema = builder->schema;
    const google_protobuf_FileDescriptorProto_list *files = &schema->set->file;
    schema->file_count = files->size;
    schema->files = schema_alloc(schema, files->size, sizeof *schema->files);
    schema->by_name = schema_alloc(schema, files->size, sizeof *schema->by_name);
    schema->file_list = schema_alloc(schema, files->size, sizeof(mrpc_file *));
    schema->symbols = schema_alloc(schema, count_symbols(schema->set), sizeof *schema->symbols);
    if (schema->files == NULL || schema->file_list == NULL || schema->by_name == NULL || schema->symbols == NULL)
        return schema_no_memory(builder);
    int result = name_files(builder);
    for (size_t i = 0; result == 0 && i < files->size; i++) {
        builder->file = files->data[i];
        schema->file_list[i] = &schema->files[i];
        result = add_file(builder, &schema->files[i]);
    }
    return result;
}

/* --- finding --- */

static int by_name(const void *left, const void *right)
{
    return strcmp(((const schema_symbol *)left)->name, ((const schema_symbol *)right)->name);
}

static int sort_symbols(schema_builder *builder)
{
    mrpc_schema *schema = builder->schema;
    qsort(schema->symbols, schema->symbol_count, sizeof *schema->symbols, by_name);
    for (size_t i = 1; i < schema->symbol_count; i++) {
        builder->file = schema->symbols[i].file;
        if (strcmp(schema->symbols[i].name, schema->symbols[i - 1].name) == 0)
            return schema_refuse(builder, MRPC_EFORMAT, "there are two types with the name %s",
                                 schema->symbols[i].name);
    }
    return 0;
}

const schema_symbol *schema_find(const mrpc_schema *schema, const char *name)
{
    const schema_symbol key = {.name = name};
    return bsearch(&key, schema->symbols, schema->symbol_count, sizeof key, by_name);
}

const mrpc_type *mrpc_schema_find_type(const mrpc_schema *schema, const char *full_name)
{
    const schema_symbol *symbol = schema_find(schema, full_name);
    return symbol != NULL && symbol->message != NULL && !mrpc_type_is_entry(symbol->type) ? symbol->type : NULL;
}

const mrpc_enum *mrpc_schema_find_enum(const mrpc_schema *schema, const char *full_name)
{
    const schema_symbol *symbol = schema_find(schema, full_name);
    return symbol != NULL ? symbol->enumeration : NULL;
}

const mrpc_file *const *mrpc_schema_files(const mrpc_schema *schema, size_t *count)
{
    *count = schema->file_count;
    return schema->file_list;
}

/* --- all of it --- */

static int fill_types(schema_builder *builder)
{
    const mrpc_schema *schema = builder->schema;
    int result = 0;
    for (size_t i = 0; result == 0 && i < schema->symbol_count; i++) {
        const schema_symbol *symbol = &schema->symbols[i];
        builder->file = symbol->file;
        result = symbol->message != NULL ? schema_fill_type(builder, symbol) : schema_fill_enum(builder, symbol);
    }
    for (size_t i = 0; result == 0 && i < schema->file_count; i++) {
        builder->file = schema->set->file.data[i];
        result = schema_fill_extensions(builder, &schema->files[i]);
    }
    return result;
}

/* --- the well-known types --- */

/* The types that have a form of their own in JSON and text, whose fields are therefore known. */
static const mrpc_type *const known_types[] = {
    &google_protobuf_Any_type,         &google_protobuf_BoolValue_type,   &google_protobuf_BytesValue_type,
    &google_protobuf_DoubleValue_type, &google_protobuf_Duration_type,    &google_protobuf_FieldMask_type,
    &google_protobuf_FloatValue_type,  &google_protobuf_Int32Value_type,  &google_protobuf_Int64Value_type,
    &google_protobuf_ListValue_type,   &google_protobuf_StringValue_type, &google_protobuf_Struct_type,
    &google_protobuf_Timestamp_type,   &google_protobuf_UInt32Value_type, &google_protobuf_UInt64Value_type,
    &google_protobuf_Value_type,
};

static bool has_same_fields(const mrpc_type *type, const mrpc_type *known)
{
    if (type->field_count != known->field_count)
        return false;
    for (uint32_t i = 0; i < known->field_count; i++) {
        const mrpc_field *a = &type->fields[i], *b = &known->fields[i];
        if (a->number != b->number || a->type != b->type || a->kind != b->kind || strcmp(a->name, b->name) != 0 ||
            (a->kind == MRPC_FIELD_MAP && !has_same_fields(a->message, b->message)) ||
            (b->kind != MRPC_FIELD_MAP && b->message != NULL && strcmp(a->message->name, b->message->name) != 0))
            return false;
    }
    return true;
}

static int check_known_types(schema_builder *builder)
{
    for (size_t i = 0; i < sizeof known_types / sizeof known_types[0]; i++) {
        const mrpc_type *known = known_types[i], *own;
        const schema_symbol *symbol = schema_find(builder->schema, known->name);
        own = symbol != NULL ? symbol->type : NULL;
        if (symbol == NULL)
            continue;
        builder->file = symbol->file;
        if (own == NULL || !has_same_fields(own, known))
            return schema_refuse(builder, MRPC_EFORMAT, "its %s is not the well-known type of that name", known->name);
    }
    return 0;
}

static int build(schema_builder *builder, const void *set, size_t size)
{
    int result = google_protobuf_FileDescriptorSet_decode(set, size, NULL, &builder->schema->set, builder->error);
    if (result == 0)
        result = add_files(builder);
    if (result == 0)
        result = sort_symbols(builder);
    if (result == 0)
        result = fill_types(builder);
    return result == 0 ? check_known_types(builder) : result;
}

int mrpc_schema_new(const void *set, size_t size, mrpc_schema **made, mrpc_error *error)
{
    mrpc_error ignored;
    schema_builder builder = {.error = error != NULL ? error : &ignored};
    mrpc_arena *arena = mrpc_arena_new(NULL, 4096);
    mrpc_schema *schema = arena != NULL ? mrpc_arena_alloc(arena, sizeof *schema) : NULL;
    *made = NULL;
    if (schema == NULL) {
        mrpc_arena_free(arena);
        return schema_no_memory(&builder);
    }
    *schema = (mrpc_schema){.arena = arena};
    builder.schema = schema;
    int result = build(&builder, set, size);
    if (result == 0)
        *made = schema;
    else
        mrpc_schema_free(schema);
    return result;
}

void mrpc_schema_free(mrpc_schema *schema)
{
    if (schema == NULL)
        return;
    mrpc_release(schema->set);
    mrpc_arena_free(schema->arena);
}
