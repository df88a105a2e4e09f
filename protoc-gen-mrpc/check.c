/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c - see check.h */
#include "check.h"

#include <string.h>

#include <mrpc/marshal.h>

/* Whether an #include can name what is generated for the file, and a comment the file. */
static bool is_good_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || strchr("\"\\*?", *c) != NULL)
            return false;
    return true;
}

void check_file(const schema_file *file, diagnostics *list)
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

void check_module(const schema_file *file, diagnostics *list)
{
    if (file->module_message_count > MRPC_CODEC_LIMIT)
        diagnostic_error(
            list, file, &file->syntax_location,
            "its messages, and those that they reach in other files, are %zu; a module can have %d: divide "
            "the file",
            file->module_message_count, (int)MRPC_CODEC_LIMIT);
}
