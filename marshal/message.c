/* SPDX-License-Identifier: BSD-2-Clause */
/* message.c - making and ending messages of any type */
#include "config.h"

#include <string.h>

#include "heap/arena.h"
#include "marshal/fields.h"

#define TEXT_ROOM 384 /* bytes for strings and the like that a new message's arena has ready beside a large struct */

const char mrpc_empty_text[1] = "";

/* Also of entries of maps, which are no messages. */
void mrpc_message_init(const mrpc_type *type, void *message)
{
    memset(message, 0, type->size);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const mrpc_field *field = &type->fields[i];
        if (field->type != MRPC_TYPE_STRING || field->kind > MRPC_FIELD_OPTIONAL)
            continue;
        mrpc_string *string = (void *)((char *)message + field->offset);
        string->data = (char *)(uintptr_t)mrpc_empty_text;
    }
}

static void *new_in_arena(const mrpc_type *type, mrpc_arena *arena)
{
    mrpc_message *message = mrpc_arena_alloc(arena, type->size);
    if (message == NULL)
        return NULL;
    mrpc_message_init(type, message);
    message->arena = arena;
    return message;
}

void *mrpc_message_new(const mrpc_type *type, mrpc_heap *heap)
{
    mrpc_arena *arena = mrpc_arena_new(heap, type->size > 256 ? type->size + TEXT_ROOM : 0);
    if (arena == NULL)
        return NULL;
    void *message = new_in_arena(type, arena);
    if (message == NULL)
        mrpc_arena_free(arena);
    else
        mrpc_arena_set_root(arena, message);
    return message;
}

void *mrpc_message_new_in(const mrpc_type *type, void *owner)
{
    mrpc_arena *arena = ((mrpc_message *)owner)->arena;
    return arena != NULL ? new_in_arena(type, arena) : NULL;
}

void mrpc_release(const void *message)
{
    mrpc_arena *arena = message != NULL ? ((const mrpc_message *)message)->arena : NULL;
    if (arena == NULL)
        return;
    const void *root = mrpc_arena_root(arena);
    if (root == NULL || root == message)
        mrpc_arena_free(arena);
}

const mrpc_type *mrpc_file_find_type(const mrpc_file *file, const char *full_name)
{
    for (uint32_t i = 0; i < file->type_count; i++)
        if (strcmp(file->types[i]->name, full_name) == 0)
            return mrpc_type_is_entry(file->types[i]) ? NULL : file->types[i];
    return NULL;
}
