/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imports.c - see imports.h
 *
 * An import is needed for a type of its own, be it one that is only extended, for one of a file that it imports
 * publicly, or because it is a public import itself: whoever imports this file may use its types. One that only options
 * need is not: nothing may be generated for it.
 */
#include "imports.h"

static bool provides(const schema_file *import, const schema_file *owner)
{
    for (size_t i = 0; i < import->provided_count; i++)
        if (import->provided[i] == owner)
            return true;
    return false;
}

static bool field_uses(const schema_field *field, const schema_file *import)
{
    return (field->message != NULL && provides(import, field->message->file)) ||
           (field->enumeration != NULL && provides(import, field->enumeration->file));
}

static bool message_uses(const schema_message *message, const schema_file *import)
{
    for (size_t i = 0; i < message->field_count; i++)
        if (field_uses(message->fields[i], import))
            return true;
    return false;
}

static bool extension_uses(const schema_extension *extension, const schema_file *import)
{
    return field_uses(extension->field, import) || provides(import, extension->field->parent->file);
}

static bool service_uses(const schema_service *service, const schema_file *import)
{
    for (size_t i = 0; i < service->method_count; i++)
        if (provides(import, service->methods[i].request->file) || provides(import, service->methods[i].reply->file))
            return true;
    return false;
}

static bool file_uses(const schema_file *file, const schema_file *import)
{
    for (size_t i = 0; i < file->all_message_count; i++)
        if (message_uses(file->all_messages[i], import))
            return true;
    for (size_t i = 0; i < file->extension_count; i++)
        if (extension_uses(&file->extensions[i], import))
            return true;
    for (size_t i = 0; i < file->service_count; i++)
        if (service_uses(&file->services[i], import))
            return true;
    return false;
}

/* Adds what the import provides, each file once. */
static void provide(schema_file *file, const schema_file *import)
{
    for (size_t i = 0; i < import->provided_count; i++)
        if (!provides(file, import->provided[i]))
            file->provided[file->provided_count++] = import->provided[i];
}

static int list_provided(schema_file *file, gen_arena *arena)
{
    size_t most = 1;
    for (size_t i = 0; i < file->dependency_count; i++)
        most += file->public_dependency[i] ? file->dependencies[i]->provided_count : 0;
    file->provided = arena_alloc(arena, most, sizeof(schema_file *));
    if (file->provided == NULL)
        return MRPC_ENOMEM;
    file->provided[0] = file;
    file->provided_count = 1;
    for (size_t i = 0; i < file->dependency_count; i++)
        if (file->public_dependency[i])
            provide(file, file->dependencies[i]);
    return 0;
}

int imports_assign(schema_file *file, gen_arena *arena)
{
    int result = list_provided(file, arena);
    if (result != 0)
        return result;
    file->dependency_needed = arena_alloc(arena, file->dependency_count + 1, sizeof(bool));
    if (file->dependency_needed == NULL)
        return MRPC_ENOMEM;
    for (size_t i = 0; i < file->dependency_count; i++)
        file->dependency_needed[i] = file->public_dependency[i] || file_uses(file, file->dependencies[i]);
    return 0;
}
