/* SPDX-License-Identifier: BSD-2-Clause */
/* copy.c - deep copies of messages */
#include "config.h"

#include "heap/arena.h"
#include "marshal/fields.h"

/* False, here and below: no memory, or nested too deeply. */
static bool copy_fields(const mrpc_type *type, void *to, const void *from, mrpc_arena *arena, uint32_t depth);

static bool copy_bytes(void *to, const void *from, mrpc_arena *arena)
{
    const mrpc_bytes *source = from;
    mrpc_bytes *target = to;
    size_t size = mrpc_any_size(source->data, source->size);
    *target = (mrpc_bytes){0};
    if (size == 0)
        return true;
    uint8_t *data = mrpc_arena_alloc(arena, size);
    if (data == NULL)
        return false;
    memcpy(data, source->data, size);
    *target = (mrpc_bytes){.data = data, .size = size};
    return true;
}

static bool copy_string(void *to, const void *from, mrpc_arena *arena)
{
    const mrpc_string *source = from;
    mrpc_message owner = {.arena = arena};
    return mrpc_string_set_n(&owner, to, source->data, mrpc_any_size(source->data, source->size)) == 0;
}

static bool copy_unknown(mrpc_message *to, const mrpc_message *from)
{
    if (from->unknown == NULL)
        return true;
    size_t size = sizeof(mrpc_unknown) + from->unknown->size;
    mrpc_unknown *unknown = mrpc_arena_alloc(to->arena, size);
    if (unknown == NULL)
        return false;
    memcpy(unknown, from->unknown, size);
    unknown->capacity = unknown->size;
    to->unknown = unknown;
    return true;
}

static bool copy_message(const mrpc_type *type, void *to, const void *from, mrpc_arena *arena, uint32_t depth)
{
    mrpc_message owner = {.arena = arena};
    const void *source = *(const mrpc_any_message *)from;
    if (source == NULL)
        return true;
    void *copy = depth > 0 ? mrpc_message_new_in(type, &owner) : NULL;
    *(mrpc_any_message *)to = copy;
    return copy != NULL && copy_unknown(copy, source) && copy_fields(type, copy, source, arena, depth - 1);
}

/* One value: a member, or an element of a list. */
static bool copy_value(const mrpc_field *field, void *to, const void *from, mrpc_arena *arena, uint32_t depth)
{
    if (field->kind == MRPC_FIELD_MAP) {
        mrpc_message_init(field->message, to);
        return depth > 0 && copy_fields(field->message, to, from, arena, depth - 1);
    }
    if (mrpc_field_is_message(field))
        return copy_message(field->message, to, from, arena, depth);
    if (field->type == MRPC_TYPE_STRING)
        return copy_string(to, from, arena);
    if (field->type == MRPC_TYPE_BYTES)
        return copy_bytes(to, from, arena);
    memcpy(to, from, mrpc_field_width(field));
    return true;
}

static bool copy_list(const mrpc_field *field, void *to, const void *from, mrpc_arena *arena, uint32_t depth)
{
    const mrpc_any_list *source = from;
    mrpc_any_list *target = to;
    mrpc_message owner = {.arena = arena};
    size_t width = mrpc_field_width(field);
    if (mrpc_list_reserve(&owner, target, width, source->size) != 0)
        return false;
    target->size = source->size;
    if (mrpc_field_is_plain(field)) {
        memcpy(target->data, source->data, source->size * width);
        return true;
    }
    memset(target->data, 0, source->size * width);
    for (size_t i = 0; i < source->size; i++)
        if (!copy_value(field, target->data + i * width, source->data + i * width, arena, depth))
            return false;
    return true;
}

/* Where the presence of a member is told beside it. */
static void copy_presence(const mrpc_field *field, void *to, const void *from)
{
    char *target = (char *)to + field->presence;
    if (field->kind == MRPC_FIELD_ONEOF)
        memcpy(target, (const char *)from + field->presence, sizeof(uint32_t));
    else if (field->kind == MRPC_FIELD_OPTIONAL && !mrpc_field_is_message(field))
        *(bool *)(void *)target = true;
}

/* Into a constructed message or entry. */
static bool copy_fields(const mrpc_type *type, void *to, const void *from, mrpc_arena *arena, uint32_t depth)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const mrpc_field *field = &type->fields[i];
        if (!mrpc_field_present(field, from))
            continue;
        char *target = (char *)to + field->offset;
        const char *source = mrpc_field_member(field, from);
        bool many = field->kind == MRPC_FIELD_LIST || field->kind == MRPC_FIELD_MAP;
        if (!(many ? copy_list : copy_value)(field, target, source, arena, depth))
            return false;
        copy_presence(field, to, from);
    }
    return true;
}

void *mrpc_message_copy_in(const mrpc_type *type, const void *message, void *owner)
{
    mrpc_any_message copy = NULL;
    mrpc_arena *arena = ((mrpc_message *)owner)->arena;
    if (arena == NULL || !copy_message(type, &copy, &message, arena, MRPC_DEPTH_LIMIT + 1))
        return NULL;
    return copy;
}

void *mrpc_message_copy(const mrpc_type *type, const void *message, mrpc_heap *heap)
{
    mrpc_arena *arena = mrpc_arena_new(heap, 0);
    if (arena == NULL)
        return NULL;
    mrpc_message owner = {.arena = arena};
    void *copy = mrpc_message_copy_in(type, message, &owner);
    if (copy == NULL)
        mrpc_arena_free(arena);
    else
        mrpc_arena_set_root(arena, copy);
    return copy;
}
