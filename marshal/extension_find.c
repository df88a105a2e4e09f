/* SPDX-License-Identifier: BSD-2-Clause */
/* extension_find.c - extensions by the message that they extend and their number, or by name */
#include "config.h"

#include <string.h>

#include "marshal/extension.h"

/* Below, at or above 0 as the extension comes before, is, or comes behind the one that is looked for. */
static int compare(const mrpc_extension *extension, const mrpc_type *extended, uint32_t number)
{
    int order = strcmp(extension->extended->name, extended->name);
    if (order != 0)
        return order;
    return (extension->field.number > number) - (extension->field.number < number);
}

/* The table of an earlier generator ends before it could say. */
static size_t count_of(const mrpc_file *file)
{
    size_t needed = offsetof(mrpc_file, extension_count) + sizeof file->extension_count;
    return file->table_size >= needed ? file->extension_count : 0;
}

const mrpc_extension *mrpc_file_find_extension(const mrpc_file *file, const mrpc_type *extended, uint32_t number)
{
    size_t low = 0, high = count_of(file);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(file->extensions[middle], extended, number);
        if (order == 0)
            return file->extensions[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *mrpc_extension_name(const mrpc_extension *extension)
{
    const char *name = extension->field.name;
    if ((extension->field.flags & MRPC_FIELD_IN_SET) == 0)
        return name;
    const char *message = extension->field.message->name;
    size_t size = strlen(message);
    bool own = strncmp(name, message, size) == 0 && name[size] == '.' && strchr(name + size + 1, '.') == NULL;
    return own ? message : name;
}

static bool is_called(const mrpc_extension *extension, const char *name)
{
    return strcmp(extension->field.name, name) == 0 || strcmp(mrpc_extension_name(extension), name) == 0;
}

const mrpc_extension *mrpc_file_find_extension_name(const mrpc_file *file, const char *full_name)
{
    for (size_t i = 0, count = count_of(file); i < count; i++)
        if (is_called(file->extensions[i], full_name))
            return file->extensions[i];
    return NULL;
}

const mrpc_extension *mrpc_registry_find(const mrpc_registry *registry, const mrpc_type *extended, uint32_t number)
{
    const mrpc_extension *found = NULL;
    for (size_t i = 0; registry != NULL && found == NULL && i < registry->file_count; i++)
        found = mrpc_file_find_extension(registry->files[i], extended, number);
    return found;
}

const mrpc_extension *mrpc_registry_find_name(const mrpc_registry *registry, const char *full_name)
{
    const mrpc_extension *found = NULL;
    for (size_t i = 0; registry != NULL && found == NULL && i < registry->file_count; i++)
        found = mrpc_file_find_extension_name(registry->files[i], full_name);
    return found;
}

/* --- messages by name --- */

/* `file` may be NULL. */
static const mrpc_type *find_in_file_and_imports(const mrpc_file *file, const char *name)
{
    const mrpc_type *found = file != NULL ? mrpc_file_find_type(file, name) : NULL;
    for (size_t i = 0; file != NULL && found == NULL && i < file->dependency_count; i++)
        if (file->dependencies[i] != NULL)
            found = mrpc_file_find_type(file->dependencies[i], name);
    return found;
}

const mrpc_type *mrpc_find_message_type(const mrpc_file *file, const mrpc_registry *registry, const char *name)
{
    const mrpc_type *found = find_in_file_and_imports(file, name);
    for (size_t i = 0; registry != NULL && found == NULL && i < registry->file_count; i++)
        found = find_in_file_and_imports(registry->files[i], name);
    return found;
}
