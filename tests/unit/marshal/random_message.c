/* SPDX-License-Identifier: BSD-2-Clause */
/* random_message.c - see random_message.h */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "marshal/fields.h"
#include "tests/unit/marshal/random_message.h"

enum { MANY = 400, REQUIRED_DEPTH = 10 };

void random_begin(random_source *source, uint64_t seed)
{
    source->state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

/* splitmix64, https://prng.di.unimi.it/splitmix64.c has its constants */
uint64_t random_next(random_source *source)
{
    uint64_t z = source->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

size_t random_below(random_source *source, size_t limit)
{
    return (size_t)(random_next(source) % limit);
}

/* Small ones, ones with few bits, negative ones, any. */
static uint64_t random_number(random_source *source)
{
    uint64_t number = random_next(source) >> random_below(source, 64);
    return random_below(source, 3) == 0 ? 0 - number : number;
}

static size_t random_size(random_source *source)
{
    switch (random_below(source, 20)) {
    case 0:
        return 0;
    case 1:
        return random_below(source, 3000);
    case 2:
        return 56 + random_below(source, 16);
    default:
        return random_below(source, 40);
    }
}

/* One character in UTF-8; how many bytes it took. */
static size_t random_character(random_source *source, bool ascii, char *to)
{
    uint32_t c = (uint32_t)(random_next(source) >> (ascii ? 57 : 43 + random_below(source, 15)));
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = 0x10ffff;
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)((0xf00 >> size & 0xff) | c);
    return size;
}

static size_t random_text(random_source *source, char *buffer)
{
    size_t size = random_size(source), at = 0;
    bool ascii = random_below(source, 4) != 0;
    while (at < size)
        at += random_character(source, ascii, buffer + at);
    return at;
}

static void random_string(random_source *source, void *owner, mrpc_string *string)
{
    char buffer[4096];
    size_t size = random_text(source, buffer);
    assert_int_equal(mrpc_string_set_n(owner, string, buffer, size), 0);
}

static void random_bytes(random_source *source, void *owner, mrpc_bytes *bytes)
{
    size_t size = random_size(source);
    assert_int_equal(mrpc_bytes_reserve(owner, bytes, size), 0);
    for (size_t i = 0; i < size; i++)
        bytes->data[i] = (uint8_t)random_next(source);
}

static bool is_possible(const mrpc_type *type, unsigned depth)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const mrpc_field *field = &type->fields[i];
        if ((field->flags & MRPC_FIELD_REQUIRED) != 0 && mrpc_field_is_message(field) &&
            (depth == 0 || !is_possible(field->message, depth - 1)))
            return false;
    }
    return true;
}

bool random_possible(const mrpc_type *type)
{
    return is_possible(type, REQUIRED_DEPTH);
}

static void fill_message(random_source *source, const mrpc_type *type, void *message, unsigned depth);
static void fill_required(random_source *source, const mrpc_type *type, void *message);

/* One value, which is no list. */
static bool random_value(random_source *source, const mrpc_field *field, void *owner, void *value, unsigned depth)
{
    if (mrpc_field_is_message(field)) {
        if ((depth == 0 && (field->flags & MRPC_FIELD_REQUIRED) == 0) || !random_possible(field->message))
            return false;
        void *inner = mrpc_message_new_in(field->message, owner);
        assert_non_null(inner);
        if (depth > 0)
            fill_message(source, field->message, inner, depth - 1);
        else
            fill_required(source, field->message, inner);
        memcpy(value, &inner, sizeof inner);
    } else if (field->type == MRPC_TYPE_STRING) {
        random_string(source, owner, value);
    } else if (field->type == MRPC_TYPE_BYTES) {
        random_bytes(source, owner, value);
    } else if ((field->flags & MRPC_FIELD_CLOSED) != 0) {
        const mrpc_enum *enumeration = field->enumeration;
        memcpy(value, &enumeration->values[random_below(source, enumeration->value_count)].number, sizeof(int32_t));
    } else {
        uint64_t number = field->type == MRPC_TYPE_BOOL ? random_below(source, 2) : random_number(source);
        memcpy(value, &number, mrpc_field_width(field));
    }
    return true;
}

static void random_list(random_source *source, const mrpc_field *field, void *owner, mrpc_any_list *list,
                        unsigned depth)
{
    size_t width = mrpc_field_width(field), count = random_below(source, mrpc_field_is_message(field) ? 3 : 6);
    if (mrpc_field_is_plain(field) && random_below(source, 10) == 0)
        count = random_below(source, MANY);
    assert_int_equal(mrpc_list_reserve(owner, list, width, count), 0);
    for (size_t i = 0; i < count; i++) {
        memset(list->data + list->size * width, 0, width);
        if (random_value(source, field, owner, list->data + list->size * width, depth))
            list->size++;
    }
}

static void random_map(random_source *source, const mrpc_field *field, void *owner, void *map, unsigned depth)
{
    const mrpc_field *key = &field->message->fields[0], *value = &field->message->fields[1];
    for (size_t count = depth > 0 ? random_below(source, 5) : 0; count > 0; count--) {
        char buffer[4096];
        uint64_t number = key->type == MRPC_TYPE_BOOL ? random_below(source, 2) : random_number(source);
        mrpc_string text = {.data = buffer};
        if (key->type == MRPC_TYPE_STRING)
            text.size = random_text(source, buffer);
        char *entry = mrpc_map_insert(field->message, owner, map,
                                      key->type == MRPC_TYPE_STRING ? (void *)&text : (void *)&number);
        assert_non_null(entry);
        if (!mrpc_field_is_message(value))
            assert_true(random_value(source, value, owner, entry + value->offset, depth));
        else if (depth > 1)
            fill_message(source, value->message, *(void **)(void *)(entry + value->offset), depth - 2);
        else
            fill_required(source, value->message, *(void **)(void *)(entry + value->offset));
    }
}

/* A field that no test schema has. */
static void add_unknown(random_source *source, mrpc_message *message)
{
    static const uint8_t varint[] = {0x80, 0x80, 0xc0, 0x01, 0x07},
                         group[] = {0x83, 0x80, 0xc0, 0x01, 0x08, 0x01, 0x84, 0x80, 0xc0, 0x01};
    size_t count = 1 + random_below(source, 3), size = 0;
    mrpc_bytes room = {0};
    assert_int_equal(mrpc_bytes_reserve(message, &room, sizeof(mrpc_unknown) + count * sizeof group), 0);
    message->unknown = (void *)room.data;
    for (size_t i = 0; i < count; i++) {
        bool is_group = random_below(source, 2) != 0;
        memcpy(message->unknown->data + size, is_group ? group : varint, is_group ? sizeof group : sizeof varint);
        size += is_group ? sizeof group : sizeof varint;
    }
    message->unknown->size = size;
    message->unknown->capacity = random_below(source, 2) != 0 ? 0 : count * sizeof group;
}

static void fill_field(random_source *source, const mrpc_field *field, void *message, unsigned depth)
{
    char *member = (char *)message + field->offset;
    switch ((mrpc_field_kind)field->kind) {
    case MRPC_FIELD_LIST:
        random_list(source, field, message, (mrpc_any_list *)(void *)member, depth);
        break;
    case MRPC_FIELD_MAP:
        random_map(source, field, message, member, depth);
        break;
    case MRPC_FIELD_ONEOF:
        memset(member, 0, mrpc_field_width(field));
        if (random_value(source, field, message, member, depth))
            memcpy((char *)message + field->presence, &field->number, sizeof field->number);
        else
            memset((char *)message + field->presence, 0, sizeof field->number);
        break;
    case MRPC_FIELD_OPTIONAL:
        if (random_value(source, field, message, member, depth) && !mrpc_field_is_message(field))
            *((char *)message + field->presence) = 1;
        break;
    case MRPC_FIELD_IMPLICIT:
        (void)random_value(source, field, message, member, depth);
        break;
    }
}

static void fill_message(random_source *source, const mrpc_type *type, void *message, unsigned depth)
{
    size_t most = 1 + random_below(source, 4);
    for (uint32_t i = 0; i < type->field_count; i++)
        if (random_below(source, 5) < most || (type->fields[i].flags & MRPC_FIELD_REQUIRED) != 0)
            fill_field(source, &type->fields[i], message, depth);
    if (random_below(source, 12) == 0)
        add_unknown(source, message);
}

/* What a message must have, and nothing else. */
static void fill_required(random_source *source, const mrpc_type *type, void *message)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if ((type->fields[i].flags & MRPC_FIELD_REQUIRED) != 0)
            fill_field(source, &type->fields[i], message, 0);
}

void *random_message(random_source *source, const mrpc_type *type, unsigned depth)
{
    void *message = mrpc_message_new(type, NULL);
    assert_non_null(message);
    fill_message(source, type, message, depth);
    return message;
}
