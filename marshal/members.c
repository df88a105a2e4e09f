/* SPDX-License-Identifier: BSD-2-Clause */
/* members.c - the members of a message that need memory: strings, bytes and lists */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "marshal/fields.h"

#define FIRST_CAPACITY 4 /* elements of a list that had none */

static mrpc_arena *arena_of(void *owner)
{
    return ((mrpc_message *)owner)->arena;
}

/* --- strings --- */

int mrpc_string_set(void *owner, mrpc_string *string, const char *text)
{
    return text != NULL ? mrpc_string_set_n(owner, string, text, strlen(text)) : MRPC_EINVAL;
}

int mrpc_string_set_n(void *owner, mrpc_string *string, const char *text, size_t size)
{
    mrpc_arena *arena = arena_of(owner);
    if (arena == NULL || (text == NULL && size > 0))
        return MRPC_EINVAL;
    if (size == 0) {
        *string = (mrpc_string){.data = (char *)(uintptr_t)mrpc_empty_text};
        return 0;
    }
    if (size == SIZE_MAX)
        return MRPC_ENOMEM;
    char *copy = mrpc_arena_alloc(arena, size + 1);
    if (copy == NULL)
        return MRPC_ENOMEM;
    memcpy(copy, text, size);
    copy[size] = '\0';
    *string = (mrpc_string){.data = copy, .size = size};
    return 0;
}

/* Prints into what is left of the arena's block, where most texts fit, and takes it when they do. */
int mrpc_string_printf(void *owner, mrpc_string *string, const char *format, ...)
{
    mrpc_arena *arena = arena_of(owner);
    if (arena == NULL)
        return MRPC_EINVAL;
    va_list arguments;
    va_start(arguments, format);
    char *printed = arena->cursor;
    int length = vsnprintf(printed, (size_t)(arena->end - printed), format, arguments);
    va_end(arguments);
    if (length < 0)
        return MRPC_EINVAL;
    char *text = mrpc_arena_alloc(arena, (size_t)length + 1);
    if (text == NULL)
        return MRPC_ENOMEM;
    if (text != printed) {
        va_start(arguments, format);
        vsnprintf(text, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    *string = (mrpc_string){.data = text, .size = (size_t)length};
    return 0;
}

/* --- bytes --- */

int mrpc_bytes_set(void *owner, mrpc_bytes *bytes, const void *data, size_t size)
{
    if (data == NULL && size > 0)
        return MRPC_EINVAL;
    int result = mrpc_bytes_reserve(owner, bytes, size);
    if (result == 0 && size > 0)
        memcpy(bytes->data, data, size);
    return result;
}

int mrpc_bytes_reserve(void *owner, mrpc_bytes *bytes, size_t size)
{
    mrpc_arena *arena = arena_of(owner);
    if (arena == NULL)
        return MRPC_EINVAL;
    uint8_t *data = NULL;
    if (size > 0 && (data = mrpc_arena_alloc(arena, size)) == NULL)
        return MRPC_ENOMEM;
    *bytes = (mrpc_bytes){.data = data, .size = size};
    return 0;
}

/* --- lists --- */

static size_t round_up(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

/* A list that was the last thing to be taken from its arena grows where it is. */
static bool extend_in_place(mrpc_arena *arena, const mrpc_any_list *list, size_t element, size_t capacity)
{
    size_t old = round_up(list->capacity * element), new = round_up(capacity * element);
    if (list->capacity == 0 || list->data + old != arena->cursor || new - old > (size_t)(arena->end - arena->cursor))
        return false;
    arena->cursor += new - old;
    return true;
}

/* Twice as many as before, so that adding one at a time costs a constant time each. 0: more than can be. */
static size_t next_capacity(const mrpc_any_list *list, size_t element, size_t extra)
{
    size_t most = SIZE_MAX / 4 / element;
    if (list->size > most || extra > most - list->size)
        return 0;
    size_t needed = list->size + extra, twice = list->capacity <= most / 2 ? 2 * list->capacity : needed;
    size_t capacity = twice > FIRST_CAPACITY ? twice : FIRST_CAPACITY;
    return capacity > needed ? capacity : needed;
}

int mrpc_list_reserve(void *owner, void *any, size_t element, size_t extra)
{
    mrpc_any_list *list = any;
    mrpc_arena *arena = arena_of(owner);
    if (arena == NULL || element == 0)
        return MRPC_EINVAL;
    if (list->size <= list->capacity && extra <= list->capacity - list->size)
        return 0;
    size_t capacity = next_capacity(list, element, extra);
    if (capacity == 0)
        return MRPC_ENOMEM;
    if (!extend_in_place(arena, list, element, capacity)) {
        char *data = mrpc_arena_alloc(arena, capacity * element);
        if (data == NULL)
            return MRPC_ENOMEM;
        if (list->size > 0)
            memcpy(data, list->data, list->size * element);
        list->data = data;
    }
    list->capacity = capacity;
    return 0;
}

int mrpc_string_list_add(void *owner, mrpc_string_list *list, const char *text, size_t size)
{
    mrpc_string copy;
    int result = mrpc_list_reserve(owner, list, sizeof copy, 1);
    if (result == 0)
        result = mrpc_string_set_n(owner, &copy, text, size);
    if (result == 0)
        list->data[list->size++] = copy;
    return result;
}

int mrpc_bytes_list_add(void *owner, mrpc_bytes_list *list, const void *data, size_t size)
{
    mrpc_bytes copy;
    int result = mrpc_list_reserve(owner, list, sizeof copy, 1);
    if (result == 0)
        result = mrpc_bytes_set(owner, &copy, data, size);
    if (result == 0)
        list->data[list->size++] = copy;
    return result;
}

void *mrpc_message_list_add(void *owner, void *any, const mrpc_type *type)
{
    mrpc_any_list *list = any;
    if (mrpc_list_reserve(owner, list, sizeof(void *), 1) != 0)
        return NULL;
    void *message = mrpc_message_new_in(type, owner);
    if (message != NULL)
        ((mrpc_any_message *)(void *)list->data)[list->size++] = message;
    return message;
}
