/* SPDX-License-Identifier: BSD-2-Clause */
/* extension.c - extensions in JSON: members with the full name in brackets, "[package.name]" */
#include "config.h"

#include "json/parser.h"
#include "json/writer.h"

/* Any value of an extension, as mrpc_extension_set() takes it. */
typedef union any_value {
    uint64_t number;
    mrpc_bytes bytes;
    mrpc_any_list list;
    void *message;
} any_value;

static bool is_list(const mrpc_extension *extension)
{
    return extension->field.kind == MRPC_FIELD_LIST;
}

/* The files whose extensions are known: that of the message that was asked for, that of the message itself, and those
 * of the registry, each once. NULL: there are no more. */
typedef struct known_files {
    const mrpc_file *first, *second;
    const mrpc_registry *registry;
    size_t index;
} known_files;

static const mrpc_file *next_file(known_files *files)
{
    size_t count = files->registry != NULL ? files->registry->file_count : 0;
    while (files->index < count + 2) {
        size_t index = files->index++;
        const mrpc_file *file = index == 0   ? files->first
                                : index == 1 ? files->second
                                             : files->registry->files[index - 2];
        bool again = index > 0 && (file == files->first || (index > 1 && file == files->second));
        if (file != NULL && !again)
            return file;
    }
    return NULL;
}

/* --- printing --- */

static void print_value(mrpc_json_writer *out, const mrpc_extension *extension, const void *message, uint32_t depth)
{
    mrpc_error reason = {0};
    any_value value = {0};
    void *owner = mrpc_message_new(extension->extended, NULL);
    int result = owner == NULL ? mrpc_error_set(&reason, MRPC_ENOMEM, "there is no memory for it") : 0;
    if (result == 0 && is_list(extension))
        result = mrpc_extension_get_list(extension, message, owner, &value.list, &reason);
    else if (result == 0 && mrpc_field_is_message(&extension->field))
        result = mrpc_extension_get_message(extension, message, owner, &value.message, &reason);
    else if (result == 0)
        mrpc_extension_get(extension, message, &value);
    if (result != 0)
        mrpc_json_fail(out, result, "extension %s: %s", extension->field.name, mrpc_error_text(&reason));
    else if (is_list(extension))
        mrpc_json_print_list(out, &extension->field, &value.list, depth);
    else
        mrpc_json_print_value(out, &extension->field, &value, depth);
    mrpc_release(owner);
}

static void print_one(mrpc_json_writer *out, const mrpc_extension *extension, const void *message, bool *first,
                      uint32_t depth)
{
    mrpc_json_next(out, first);
    mrpc_json_put_text(out, "\"[");
    mrpc_json_put_text(out, extension->field.name);
    mrpc_json_put_text(out, out->options.indent > 0 ? "]\": " : "]\":");
    print_value(out, extension, message, depth);
}

void mrpc_json_print_extensions(mrpc_json_writer *out, const mrpc_type *type, const void *message, bool *first,
                                uint32_t depth)
{
    known_files files = {out->file, type->file, out->options.registry, 0};
    const mrpc_file *file;
    if (((const mrpc_message *)message)->unknown == NULL)
        return;
    while ((file = next_file(&files)) != NULL)
        for (size_t i = 0; i < file->extension_count && out->result == 0; i++)
            if (strcmp(file->extensions[i]->extended->name, type->name) == 0 &&
                mrpc_extension_has(file->extensions[i], message))
                print_one(out, file->extensions[i], message, first, depth);
}

/* --- parsing --- */

const mrpc_extension *mrpc_json_find_extension(const mrpc_json_parser *parser, const mrpc_type *type, const char *name)
{
    known_files files = {parser->file, type->file, parser->registry, 0};
    const mrpc_file *file;
    while ((file = next_file(&files)) != NULL) {
        const mrpc_extension *found = mrpc_file_find_extension_name(file, name);
        if (found != NULL && strcmp(found->extended->name, type->name) == 0)
            return found;
    }
    return NULL;
}

int mrpc_json_parse_extension(mrpc_json_parser *parser, const mrpc_extension *extension, void *message, uint32_t depth)
{
    const mrpc_json_place here = {.above = parser->place, .name = extension->field.name};
    const mrpc_field *field = &extension->field;
    any_value value = {0};
    if (parser->lexer.kind == MRPC_JSON_NULL)
        return mrpc_json_skip(parser, depth);
    parser->place = &here;
    if (mrpc_extension_has(extension, message))
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "it comes twice");
    int result = is_list(extension) ? mrpc_json_parse_list(parser, field, message, &value.list, depth)
                                    : mrpc_json_parse_value(parser, field, message, &value, depth);
    if (result == 0)
        result = mrpc_extension_set(extension, message,
                                    mrpc_field_is_message(field) && !is_list(extension) ? value.message : &value);
    else
        result = result > 0 ? 0 : result;
    parser->place = here.above;
    return result == MRPC_ENOMEM ? mrpc_json_no_memory(parser) : result;
}
