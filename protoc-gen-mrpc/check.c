/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c - see check.h */
#include "check.h"

#include <string.h>

#include <mrpc/marshal.h>

static bool is_proto2(const schema_file *file)
{
    return strcmp(file->syntax, "proto3") != 0;
}

/* A proto3 file may use messages of a proto2 one. */
static void check_field(const schema_field *field, diagnostics *list)
{
    const schema_message *type = field->is_map ? field->message->fields[1]->message : field->message;
    const schema_file *from = type != NULL ? type->file : NULL;
    if (from != NULL && from != field->parent->file && is_proto2(from))
        diagnostic_error(list, field->parent->file, &field->location,
                         "%s has type %s from %s, which is proto2; this version of mrpc supports proto3 only",
                         field->full_name, type->full_name, from->name);
}

static void check_message(const schema_message *message, diagnostics *list)
{
    for (size_t i = 0; !message->is_map_entry && i < message->field_count; i++)
        check_field(message->fields[i], list);
    for (size_t i = 0; i < message->message_count; i++)
        check_message(message->messages[i], list);
}

static void check_method_type(const schema_method *method, const schema_message *type, diagnostics *list)
{
    if (type->file != method->file && is_proto2(type->file))
        diagnostic_error(list, method->file, &method->location,
                         "%s uses %s from %s, which is proto2; this version of mrpc supports proto3 only",
                         method->full_name, type->full_name, type->file->name);
}

static void check_service(const schema_service *service, diagnostics *list)
{
    for (size_t i = 0; i < service->method_count; i++) {
        check_method_type(&service->methods[i], service->methods[i].request, list);
        if (service->methods[i].reply != service->methods[i].request)
            check_method_type(&service->methods[i], service->methods[i].reply, list);
    }
}

/* Who imports this file would need code for the other. */
static void check_imports(const schema_file *file, diagnostics *list)
{
    for (size_t i = 0; i < file->dependency_count; i++)
        if (file->public_dependency[i] && is_proto2(file->dependencies[i]))
            diagnostic_error(list, file, &file->dependency_locations[i],
                             "%s is imported publicly and is proto2; this version of mrpc supports proto3 only",
                             file->dependencies[i]->name);
}

/* Whether an #include can name what is generated for the file, and a comment the file. */
static bool is_good_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || strchr("\"\\*?", *c) != NULL)
            return false;
    return true;
}

static void check_names(const schema_file *file, diagnostics *list)
{
    if (!is_good_name(file->name))
        diagnostic_error(
            list, file, &file->syntax_location,
            "the file's name has a quote, backslash, asterisk, question mark or control character; rename it");
    if (strlen(file->name) >= sizeof((mrpc_module_note *)NULL)->file)
        diagnostic_error(
            list, file, &file->syntax_location,
            "the file's name has %zu characters, of which the note of a module can hold %zu; give protoc a "
            "shorter path with -I",
            strlen(file->name), sizeof((mrpc_module_note *)NULL)->file - 1);
    for (size_t i = 0; i < file->dependency_count; i++)
        if (!is_good_name(file->dependencies[i]->name))
            diagnostic_error(
                list, file, &file->dependency_locations[i],
                "the name of this import has a quote, backslash, asterisk, question mark or control character; "
                "rename the file");
}

void check_file(const schema_file *file, diagnostics *list)
{
    if (is_proto2(file)) {
        diagnostic_error(list, file, &file->syntax_location,
                         "%s is not supported by this version of mrpc; write syntax = \"proto3\";",
                         file->syntax_location.line != 0 ? file->syntax
                                                         : "a file without a syntax statement is proto2, which");
        return;
    }
    check_names(file, list);
    check_imports(file, list);
    for (size_t i = 0; i < file->message_count; i++)
        check_message(file->messages[i], list);
    for (size_t i = 0; i < file->service_count; i++)
        check_service(&file->services[i], list);
}

void check_module(const schema_file *file, diagnostics *list)
{
    if (file->module_message_count > MRPC_CODEC_LIMIT)
        diagnostic_error(
            list, file, &file->syntax_location,
            "its messages, and those that they reach in other files, are %zu; a module can have %d: divide "
            "the file",
            file->module_message_count, (int)MRPC_CODEC_LIMIT);
}
