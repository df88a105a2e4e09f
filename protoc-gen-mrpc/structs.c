/* SPDX-License-Identifier: BSD-2-Clause */
/* structs.c - the types in FILE.mrpc.h: enums, structs, lists, maps, and the tables that describe them */
#include "generator.h"

#include <inttypes.h>

/* An int32_t and not a C enum, because an open enum may hold any number and has one size everywhere. INT32_MIN cannot
 * be written as a single constant. */
static void write_enum(const schema_enum *enumeration, output *out)
{
    generate_comment(out, 0, &enumeration->location, enumeration->deprecated);
    output_fill(out, "typedef int32_t $E$;\nenum {\n", "E", enumeration->c_name, NULL);
    for (size_t i = 0; i < enumeration->value_count; i++) {
        const schema_enum_value *value = &enumeration->values[i];
        generate_comment(out, 4, &value->location, false);
        if (value->number == INT32_MIN)
            output_printf(out, "    %s = -INT32_C(2147483647) - 1", value->c_name);
        else
            output_printf(out, "    %s = %" PRId32, value->c_name, value->number);
        output_text(out, i + 1 < enumeration->value_count ? ",\n" : "\n");
    }
    output_text(out, "};\n\n");
}

static void write_enums(schema_enum *const *enums, size_t count, output *out)
{
    for (size_t i = 0; i < count; i++)
        write_enum(enums[i], out);
}

/* Names all structs before any is defined, so that they can refer to each other. */
static void write_forward(const schema_message *message, output *out)
{
    output_fill(out, "typedef struct $T$ $T$;\n", "T", message->c_name, NULL);
    if (message->is_map_entry)
        return;
    output_fill(out,
                "typedef struct $T$_list {\n    $T$ **data;\n    size_t size;\n    size_t capacity;\n} $T$_list;\n",
                "T", message->c_name, NULL);
}

/* Beside the struct and not inside, so that a function can take one. */
static void write_map_types(const schema_message *message, output *out)
{
    for (size_t i = 0; i < message->field_count; i++)
        if (message->fields[i]->is_map)
            output_fill(
                out,
                "typedef struct $M$ {\n    $E$ *data; /* by key */\n    size_t size;\n    size_t capacity;\n} $M$;\n",
                "M", message->fields[i]->c_type, "E", message->fields[i]->c_element, NULL);
}

/* The values of a oneof's case are the numbers of its fields. */
static void write_case(const schema_message *message, const schema_oneof *oneof, output *out)
{
    output_fill(out, "typedef enum $T$_$O$_case {\n    $T$_$O$_NOT_SET = 0", "T", message->c_name, "O", oneof->c_name,
                NULL);
    for (size_t i = 0; i < oneof->field_count; i++)
        output_printf(out, ",\n    %s_%s_%s = %" PRId32, message->c_name, oneof->c_name, oneof->fields[i]->c_name,
                      oneof->fields[i]->number);
    output_fill(out, "\n} $T$_$O$_case;\n\n", "T", message->c_name, "O", oneof->c_name, NULL);
}

static void write_value(output *out, int indent, const schema_field *field)
{
    generate_comment(out, indent, &field->location, field->deprecated);
    output_printf(out, "%*s", indent, "");
    output_declare(out, field->c_type, field->c_name);
    output_text(out, ";\n");
}

static void write_union(const schema_oneof *oneof, output *out)
{
    generate_comment(out, 4, &oneof->location, false);
    output_text(out, "    union {\n");
    for (size_t i = 0; i < oneof->field_count; i++)
        write_value(out, 8, oneof->fields[i]);
    output_printf(out, "    } %s;\n", oneof->c_name);
}

static void write_member(const schema_message *message, const schema_member *member, output *out)
{
    switch (member->kind) {
    case MEMBER_FIELD:
        write_value(out, 4, member->field);
        break;
    case MEMBER_HAS:
        output_printf(out, "    bool has_%s;\n", member->field->c_name);
        break;
    case MEMBER_UNION:
        write_union(member->oneof, out);
        break;
    case MEMBER_CASE:
        output_fill(out, "    $T$_$O$_case $O$_case;\n", "T", message->c_name, "O", member->oneof->c_name, NULL);
        break;
    }
}

/* Entries of maps have no head: they are no messages of their own, and there are many of them. */
static void write_struct(const schema_message *message, output *out)
{
    for (size_t i = 0; i < message->oneof_count; i++)
        write_case(message, message->oneofs[i], out);
    generate_comment(out, 0, &message->location, message->deprecated);
    output_printf(out, "struct %s {\n", message->c_name);
    if (!message->is_map_entry)
        output_text(out, "    mrpc_message base;\n");
    for (size_t i = 0; i < message->member_count; i++)
        write_member(message, &message->members[i], out);
    output_text(out, "};\n\n");
}

static void write_tables(const schema_message *message, output *out)
{
    output_printf(out, "extern const mrpc_type %s_type;\n", message->c_name);
    for (size_t i = 0; i < message->enum_count; i++)
        output_printf(out, "extern const mrpc_enum %s_enum;\n", message->enums[i]->c_name);
}

/* Names of structs first, then what refers to them by pointer, then enums, whose types are members; so no order of the
 * schema can be wrong. */
void generate_structs(const schema_file *file, output *out)
{
    for (size_t i = 0; i < file->all_message_count; i++)
        write_forward(file->all_messages[i], out);
    for (size_t i = 0; i < file->all_message_count; i++)
        write_map_types(file->all_messages[i], out);
    if (file->all_message_count != 0)
        output_text(out, "\n");
    write_enums(file->enums, file->enum_count, out);
    for (size_t i = 0; i < file->all_message_count; i++)
        write_enums(file->all_messages[i]->enums, file->all_messages[i]->enum_count, out);
    for (size_t i = 0; i < file->all_message_count; i++)
        write_struct(file->all_messages[i], out);
    for (size_t i = 0; i < file->enum_count; i++)
        output_printf(out, "extern const mrpc_enum %s_enum;\n", file->enums[i]->c_name);
    for (size_t i = 0; i < file->all_message_count; i++)
        write_tables(file->all_messages[i], out);
    if (file->all_message_count + file->enum_count != 0)
        output_text(out, "\n");
}
