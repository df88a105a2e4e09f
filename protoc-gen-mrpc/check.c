/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c - see check.h */
#include "check.h"

#include <string.h>

#include <mrpc/marshal.h>

/* Options of one's own need no code: they stay in the descriptor. */
static void check_extensions(const schema_file *file, diagnostics *list)
{
    for (size_t i = 0; i < file->extension_count; i++)
        if (!file->extensions[i].is_option)
            diagnostic_error(list, file, &file->extensions[i].location,
                             "%s extends %s; this version of mrpc supports extensions of options only",
                             file->extensions[i].full_name, file->extensions[i].extendee);
}

static void check_message(const schema_message *message, diagnostics *list)
{
    if (message->is_message_set)
        diagnostic_error(list, message->file, &message->location,
                         "%s has the option message_set_wire_format, which this version of mrpc does not support",
                         message->full_name);
    for (size_t i = 0; i < message->message_count; i++)
        check_message(message->messages[i], list);
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
    check_names(file, list);
    check_extensions(file, list);
    for (size_t i = 0; i < file->message_count; i++)
        check_message(file->messages[i], list);
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
