/* SPDX-License-Identifier: BSD-2-Clause */
/* tables.c - the tables of messages, enums and extensions, as generated code has them, made of their descriptors */
#include "config.h"

#include <stdlib.h>

#include "marshal/fields.h"
#include "reflect/schema.h"

typedef google_protobuf_FieldDescriptorProto field_source;

enum {
    NUMBER_MAX = (1 << 29) - 1,
    SET_NUMBER_MAX = INT32_MAX - 1, /* of extensions: those of a MessageSet are no tags */
    FIELDS_MAX = 1 << 20
};

/* --- one field --- */

static bool is_repeated(const field_source *source)
{
    return source->label == google_protobuf_FieldDescriptorProto_LABEL_REPEATED;
}

static const google_protobuf_MessageOptions *options_of(const schema_symbol *symbol)
{
    return symbol->message != NULL ? symbol->message->options : NULL;
}

static bool is_map_entry(const schema_symbol *symbol)
{
    const google_protobuf_MessageOptions *options = options_of(symbol);
    return options != NULL && options->map_entry;
}

static bool is_message_set(const schema_symbol *symbol)
{
    const google_protobuf_MessageOptions *options = options_of(symbol);
    return options != NULL && options->message_set_wire_format;
}

/* What a name beginning with a dot means; NULL: nothing. */
static const schema_symbol *find_reference(const schema_builder *builder, const mrpc_string *name)
{
    return name->data[0] == '.' ? schema_find(builder->schema, name->data + 1) : NULL;
}

/* Nothing but a map is of its entry's type, which is no message. */
static int make_map(const schema_builder *builder, const field_source *source, mrpc_field *field)
{
    if (field->kind != MRPC_FIELD_LIST || field->type != MRPC_TYPE_MESSAGE || source->extendee.size > 0)
        return schema_refuse(builder, MRPC_EFORMAT, "%s is of %s, which is the entry of a map", source->name.data,
                             source->type_name.data);
    field->kind = MRPC_FIELD_MAP;
    return 0;
}

/* The message or enum that the field is of. */
static int resolve(const schema_builder *builder, const field_source *source, mrpc_field *field)
{
    bool is_enum = field->type == MRPC_TYPE_ENUM;
    if (!is_enum && !mrpc_field_is_message(field))
        return 0;
    const schema_symbol *symbol = find_reference(builder, &source->type_name);
    if (symbol == NULL || (symbol->message == NULL) != is_enum)
        return schema_refuse(builder, MRPC_EFORMAT, "%s is of %s, which is no %s of the set", source->name.data,
                             source->type_name.data, is_enum ? "enum" : "message");
    field->message = symbol->type;
    field->enumeration = symbol->enumeration;
    if (is_enum && !schema_is_proto3(symbol->file))
        field->flags |= MRPC_FIELD_CLOSED;
    return is_map_entry(symbol) ? make_map(builder, source, field) : 0;
}

static uint8_t kind_of(const schema_builder *builder, const field_source *source, const schema_symbol *parent)
{
    bool is_message = source->type == google_protobuf_FieldDescriptorProto_TYPE_MESSAGE ||
                      source->type == google_protobuf_FieldDescriptorProto_TYPE_GROUP;
    if (is_repeated(source))
        return MRPC_FIELD_LIST;
    if (source->has_oneof_index && !source->proto3_optional)
        return MRPC_FIELD_ONEOF;
    bool is_entry = parent != NULL && is_map_entry(parent);
    bool has_presence = !schema_is_proto3(builder->file) || source->proto3_optional || parent == NULL;
    return is_message || (has_presence && !is_entry) ? MRPC_FIELD_OPTIONAL : MRPC_FIELD_IMPLICIT;
}

static bool is_packed(const schema_builder *builder, const field_source *source, const mrpc_field *field)
{
    if (field->kind != MRPC_FIELD_LIST || !mrpc_field_is_plain(field))
        return false;
    return source->options != NULL && source->options->has_packed ? source->options->packed
                                                                  : schema_is_proto3(builder->file);
}

/* The name, and behind its NUL that in JSON. */
static int set_name(const schema_builder *builder, const field_source *source, mrpc_field *field)
{
    size_t size = source->name.size + 1, more = source->json_name.size + 1;
    field->name = source->name.data;
    if (!source->has_json_name)
        return 0;
    char *names = schema_alloc(builder->schema, size + more, 1);
    if (names == NULL)
        return schema_no_memory(builder);
    memcpy(names, source->name.data, size);
    memcpy(names + size, source->json_name.data, more);
    field->name = names;
    field->flags |= MRPC_FIELD_JSON_NAME;
    return 0;
}

/* Of a message, or an extension, which has no parent. */
static int fill_field(const schema_builder *builder, const field_source *source, const schema_symbol *parent,
                      mrpc_field *field)
{
    if (source->number < 1 || source->number > (parent != NULL ? NUMBER_MAX : SET_NUMBER_MAX))
        return schema_refuse(builder, MRPC_EFORMAT, "%s has the number %d", source->name.data, (int)source->number);
    if (google_protobuf_FieldDescriptorProto_Type_name(source->type) == NULL || !source->has_type)
        return schema_refuse(builder, MRPC_EFORMAT, "%s has no type", source->name.data);
    field->number = (uint32_t)source->number;
    field->type = (uint8_t)source->type;
    field->kind = kind_of(builder, source, parent);
    int result = set_name(builder, source, field);
    if (result == 0)
        result = resolve(builder, source, field);
    if (source->label == google_protobuf_FieldDescriptorProto_LABEL_REQUIRED)
        field->flags |= MRPC_FIELD_REQUIRED;
    if (field->type == MRPC_TYPE_STRING && !schema_is_proto3(builder->file))
        field->flags |= MRPC_FIELD_RAW;
    if (is_packed(builder, source, field))
        field->flags |= MRPC_FIELD_PACKED;
    return result;
}

/* --- messages --- */

/* A field and the index of its oneof, which are sorted together. */
typedef struct made_field {
    mrpc_field field;
    int32_t oneof;
} made_field;

static int by_number(const void *left, const void *right)
{
    const made_field *a = left, *b = right;
    return (a->field.number > b->field.number) - (a->field.number < b->field.number);
}

static int make_fields(const schema_builder *builder, const schema_symbol *symbol, made_field *made)
{
    const google_protobuf_DescriptorProto *message = symbol->message;
    int result = 0;
    for (size_t i = 0; result == 0 && i < message->field.size; i++) {
        const field_source *source = message->field.data[i];
        result = fill_field(builder, source, symbol, &made[i].field);
        bool is_member = made[i].field.kind == MRPC_FIELD_ONEOF;
        made[i].oneof = is_member ? source->oneof_index : -1;
        if (result == 0 && is_member && (made[i].oneof < 0 || (size_t)made[i].oneof >= message->oneof_decl.size))
            result = schema_refuse(builder, MRPC_EFORMAT, "%s.%s is in a oneof that is not there", symbol->name,
                                   source->name.data);
    }
    if (result != 0)
        return result;
    qsort(made, message->field.size, sizeof *made, by_number);
    for (size_t i = 1; i < message->field.size; i++)
        if (made[i].field.number == made[i - 1].field.number)
            return schema_refuse(builder, MRPC_EFORMAT, "%s has two fields with the number %u", symbol->name,
                                 (unsigned)made[i].field.number);
    return 0;
}

/* A key that can be sorted, and a value that is no list. */
static int check_entry(const schema_builder *builder, const schema_symbol *symbol, const mrpc_type *type)
{
    const mrpc_field *fields = type->fields;
    bool is_pair = type->field_count == 2 && fields[0].number == 1 && fields[1].number == 2 &&
                   fields[0].kind == MRPC_FIELD_IMPLICIT &&
                   (fields[1].kind == MRPC_FIELD_IMPLICIT || fields[1].kind == MRPC_FIELD_OPTIONAL);
    if (!is_pair || fields[0].type == MRPC_TYPE_DOUBLE || fields[0].type == MRPC_TYPE_FLOAT ||
        fields[0].type == MRPC_TYPE_BYTES || fields[0].type == MRPC_TYPE_ENUM)
        return schema_refuse(builder, MRPC_EFORMAT, "%s is no entry of a map", symbol->name);
    return 0;
}

int schema_fill_type(schema_builder *builder, const schema_symbol *symbol)
{
    const google_protobuf_DescriptorProto *message = symbol->message;
    size_t count = message->field.size;
    if (count > FIELDS_MAX || message->oneof_decl.size > FIELDS_MAX)
        return schema_refuse(builder, MRPC_ELIMIT, "%s has more than %d fields", symbol->name, FIELDS_MAX);
    made_field *made = schema_alloc(builder->schema, count, sizeof *made);
    mrpc_field *fields = schema_alloc(builder->schema, count, sizeof *fields);
    int32_t *oneofs = schema_alloc(builder->schema, count, sizeof *oneofs);
    if (made == NULL || fields == NULL || oneofs == NULL)
        return schema_no_memory(builder);
    int result = make_fields(builder, symbol, made);
    for (size_t i = 0; i < count; i++) {
        fields[i] = made[i].field;
        oneofs[i] = made[i].oneof;
    }
    symbol->type->fields = fields;
    symbol->type->field_count = (uint32_t)count;
    if (result == 0 && is_map_entry(symbol))
        result = check_entry(builder, symbol, symbol->type);
    if (result != 0)
        return result;
    return schema_place(builder, symbol->type, fields, oneofs, message->oneof_decl.size, is_map_entry(symbol));
}

/* --- enums --- */

/* By number, then in the order of the schema. */
static int compare_values(const void *left, const void *right, void *context)
{
    const mrpc_enum_value *values = context;
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    if (values[a].number != values[b].number)
        return values[a].number < values[b].number ? -1 : 1;
    return (a > b) - (a < b);
}

int schema_fill_enum(schema_builder *builder, const schema_symbol *symbol)
{
    size_t count = symbol->values->value.size;
    if (count == 0)
        return schema_refuse(builder, MRPC_EFORMAT, "%s has no value", symbol->name);
    size_t *order = schema_alloc(builder->schema, count, sizeof *order);
    mrpc_enum_value *values = schema_alloc(builder->schema, 2 * count, sizeof *values), *sorted = values + count;
    if (order == NULL || values == NULL)
        return schema_no_memory(builder);
    for (size_t i = 0; i < count; i++) {
        const google_protobuf_EnumValueDescriptorProto *source = symbol->values->value.data[i];
        values[i] = (mrpc_enum_value){.name = source->name.data, .number = source->number};
        order[i] = i;
    }
    qsort_r(order, count, sizeof *order, compare_values, values);
    for (size_t i = 0; i < count; i++)
        sorted[i] = values[order[i]];
    symbol->enumeration->values = sorted;
    symbol->enumeration->value_count = (uint32_t)count;
    return 0;
}

/* --- extensions --- */

static int by_extended(const void *left, const void *right)
{
    const mrpc_extension *a = *(const mrpc_extension *const *)left, *b = *(const mrpc_extension *const *)right;
    int order = strcmp(a->extended->name, b->extended->name);
    return order != 0 ? order : (a->field.number > b->field.number) - (a->field.number < b->field.number);
}

/* The extensions of a file, counted and then made. */
typedef struct extension_list {
    schema_builder *builder;
    mrpc_file *file;
    const mrpc_extension **made; /* NULL: they are counted */
    size_t count;
} extension_list;

static int make_extension(const extension_list *list, const field_source *source, const char *scope)
{
    schema_builder *builder = list->builder;
    mrpc_extension *extension = schema_alloc(builder->schema, 1, sizeof *extension);
    const schema_symbol *extended = find_reference(builder, &source->extendee);
    if (extension == NULL)
        return schema_no_memory(builder);
    if (extended == NULL || extended->message == NULL || is_map_entry(extended))
        return schema_refuse(builder, MRPC_EFORMAT, "%s extends %s, which is no message of the set", source->name.data,
                             source->extendee.data);
    int result = fill_field(builder, source, NULL, &extension->field);
    extension->table_size = sizeof *extension;
    extension->extended = extended->type;
    extension->file = list->file;
    extension->field.name = schema_join(builder->schema, scope, source->name.data);
    extension->field.flags &= (uint16_t)~MRPC_FIELD_JSON_NAME;
    extension->field.flags |= is_message_set(extended) ? MRPC_FIELD_IN_SET : 0;
    list->made[list->count] = extension;
    return result == 0 && extension->field.name == NULL ? schema_no_memory(builder) : result;
}

static int add_extensions(extension_list *list, const google_protobuf_FieldDescriptorProto_list *sources,
                          const google_protobuf_DescriptorProto_list *messages, const char *scope)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < sources->size; i++, list->count++)
        if (list->made != NULL)
            result = make_extension(list, sources->data[i], scope);
    for (size_t i = 0; result == 0 && i < messages->size; i++) {
        const google_protobuf_DescriptorProto *message = messages->data[i];
        const char *name = schema_join(list->builder->schema, scope, message->name.data);
        if (name == NULL)
            return schema_no_memory(list->builder);
        result = add_extensions(list, &message->extension, &message->nested_type, name);
    }
    return result;
}

int schema_fill_extensions(schema_builder *builder, mrpc_file *file)
{
    const google_protobuf_FileDescriptorProto *source = builder->file;
    extension_list list = {.builder = builder, .file = file};
    int result = add_extensions(&list, &source->extension, &source->message_type, source->package.data);
    if (result != 0 || list.count == 0)
        return result;
    size_t count = list.count;
    list.made = schema_alloc(builder->schema, count, sizeof *list.made);
    list.count = 0;
    if (list.made == NULL)
        return schema_no_memory(builder);
    result = add_extensions(&list, &source->extension, &source->message_type, source->package.data);
    if (result != 0)
        return result;
    qsort(list.made, count, sizeof *list.made, by_extended);
    file->extensions = list.made;
    file->extension_count = count;
    return 0;
}
