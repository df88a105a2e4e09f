/* SPDX-License-Identifier: BSD-2-Clause */
/* sample.c - see sample.h: what is in a sample */
#include "sample.h"

#include <string.h>

#include "marshal_parts.h"

enum {
    SAMPLE_DEPTH = 3,    /* messages below the root, one in the other */
    SAMPLE_MESSAGES = 7, /* messages below the root in all; what is more is left out */
    LEAST_VALUES = 16,   /* values in them in all */
    VALUE_SIZE = 32,     /* bytes of a struct that count as one value, even when it is empty */
    MOST_NESTED = 90,    /* messages in each other because they are required; less than MRPC_DEPTH_LIMIT */
    MOST_REQUIRED = 1000 /* such messages in all */
};

typedef struct sampling {
    gen_arena *arena;
    sample_variant variant;
    unsigned seed;           /* goes up by one with each value */
    size_t messages, values; /* that may still be made below the root */
    size_t required;         /* messages that may still be made whatever the rest, because they are required */
    unsigned nested;
} sampling;

/* Lengths around those at which copying changes its way, ASCII and not. */
static const char *const texts[] = {
    "a",
    "seven b",
    "eight by",
    "h\xc3\xa9llo",
    "fifteen bytes..",
    "sixteen bytes...",
    "\xe2\x82\xac 1,00",
    "thirty-one bytes of plain text.",
    "thirty-two bytes of plain text..",
    "\xf0\x9f\x90\xa2 goes home",
    "thirty-three bytes of plain text.",
    "sixty-three bytes, which is the most that is checked in one go.",
    "sixty-four bytes, which is the most that is copied word by word.",
    "sixty-five bytes, from where on memcpy and the long loop are used",
    ("more than a hundred bytes, of which some near the end, namely \xe2\x80\x9chere\xe2\x80\x9d, are not ASCII, and "
     "some are."),
};

static const uint64_t numbers[] = {
    1,
    2,
    127,
    128,
    300,
    16383,
    16384,
    UINT64_C(0x7fffffff),
    UINT64_C(0x80000000),
    UINT64_C(0xffffffff),
    UINT64_C(0x100000000),
    UINT64_C(0x7fffffffffffffff),
    UINT64_C(0x8000000000000000),
    UINT64_MAX,
    UINT64_MAX - 1,
};

/* One of the enum's but the first, and not zero as long as there is another; `other` when an open enum has none. */
static uint64_t enum_number(const schema_enum *enumeration, unsigned seed, uint64_t other)
{
    size_t count = enumeration->value_count;
    for (size_t i = 0; i < count; i++) {
        int32_t number = enumeration->values[(1 + seed % (count > 1 ? count - 1 : 1) + i) % count].number;
        if (number != 0)
            return (uint32_t)number;
    }
    if (enumeration->closed)
        return 0;
    return (uint32_t)other != 0 ? (uint32_t)other : 5;
}

/* A number in the width of the field that is not zero, unless its enum has no other. */
static uint64_t number_for(const schema_field *field, unsigned seed)
{
    uint64_t number = numbers[seed % (sizeof numbers / sizeof *numbers)];
    if (field->type == MRPC_TYPE_BOOL)
        return 1;
    if (field->type == MRPC_TYPE_ENUM)
        return enum_number(field->enumeration, seed, number);
    if (field->type == MRPC_TYPE_DOUBLE)
        return UINT64_C(0x3ff8000000000000) + seed; /* 1.5 and a little */
    if (field->type == MRPC_TYPE_FLOAT)
        return UINT64_C(0x3fc00000) + seed;
    if (marshal_width(field) == 4)
        return (uint32_t)number != 0 ? (uint32_t)number : 5;
    return number;
}

static sample *make_message(sampling *s, const schema_message *type, unsigned depth);

/* Whether there is room for one more message. One that is required is made in any case, but for types that no message
 * can be of because they require themselves. */
static bool may_make(sampling *s, const schema_field *field, unsigned depth)
{
    size_t cost = field->message->size / VALUE_SIZE;
    if (field->presence == PRESENCE_REQUIRED) {
        if (s->required == 0 || s->nested == MOST_NESTED)
            return false;
        s->required--;
        return true;
    }
    if (depth == 0 || s->messages == 0 || cost > s->values)
        return false;
    s->messages--;
    s->values -= cost;
    return true;
}

/* False: it would be a message and there is no room for one. */
static bool make_value(sampling *s, const schema_field *field, unsigned depth, sample_value *value)
{
    unsigned seed = s->seed++;
    if (marshal_is_message(field)) {
        if (!may_make(s, field, depth))
            return false;
        s->nested++;
        value->message = make_message(s, field->message, depth > 0 ? depth - 1 : 0);
        s->nested--;
        return value->message != NULL;
    }
    if (schema_has_flag(field) && s->variant == SAMPLE_OTHER) {
        value->text = ""; /* present and zero, or empty */
        value->bits = schema_is_closed(field) ? (uint32_t)field->enumeration->values[0].number : 0;
        return true;
    }
    if (marshal_width(field) != 0) {
        value->bits = number_for(field, seed);
        return true;
    }
    value->text = texts[seed % (sizeof texts / sizeof *texts)];
    value->size = strlen(value->text);
    return true;
}

/* The key of entry `index`: keys ascend with it. */
static sample_value key_for(sampling *s, const schema_field *key, size_t index)
{
    sample_value value = {0};
    if (marshal_is_text(key)) {
        value.text = arena_printf(s->arena, "%s%zu", index == 2 ? "k1" : "k", index);
        value.size = strlen(value.text);
        if (index == 0) {
            value.text = "";
            value.size = 0;
        }
    } else if (key->type == MRPC_TYPE_BOOL) {
        value.bits = index;
    } else {
        value.bits = marshal_is_signed(key) ? (uint64_t)index - 1 : (uint64_t)index * 200;
        if (marshal_width(key) == 4)
            value.bits = (uint32_t)value.bits;
    }
    return value;
}

static sample *new_sample(sampling *s, const schema_message *type)
{
    sample *message = arena_alloc(s->arena, 1, sizeof *message);
    if (message == NULL)
        return NULL;
    message->type = type;
    message->fields = arena_alloc(s->arena, type->field_count + 1, sizeof *message->fields);
    return message->fields != NULL ? message : NULL;
}

/* An entry of a map: its fields are the key and the value. */
static bool make_entry(sampling *s, const schema_field *map, size_t index, unsigned depth, sample_value *value)
{
    sample *entry = new_sample(s, map->message);
    sample_value *parts = arena_alloc(s->arena, 2, sizeof *parts);
    if (entry == NULL || parts == NULL || depth == 0)
        return false;
    parts[0] = key_for(s, map->message->fields[0], index);
    if (!make_value(s, map->message->fields[1], depth - 1, &parts[1]))
        return false;
    entry->fields[0] = (sample_field){&parts[0], 1};
    entry->fields[1] = (sample_field){&parts[1], 1};
    value->message = entry;
    return true;
}

static size_t wanted_count(const sampling *s, const schema_field *field)
{
    if (!field->repeated)
        return 1;
    if (field->is_map)
        return field->message->fields[0]->type == MRPC_TYPE_BOOL ? 2 : 3;
    return marshal_width(field) != 0 ? 1 + (s->seed * 3) % 20 : 1 + s->seed % 3;
}

static void make_field(sampling *s, const schema_field *field, unsigned depth, sample_field *made)
{
    size_t count = wanted_count(s, field);
    made->values = arena_alloc(s->arena, count, sizeof *made->values);
    for (size_t i = 0; made->values != NULL && i < count; i++) {
        bool done = field->is_map ? make_entry(s, field, i, depth, &made->values[i])
                                  : make_value(s, field, depth, &made->values[i]);
        if (!done)
            break;
        made->count++;
    }
}

/* Of a oneof one field is set; of the rest all. */
static bool is_wanted(const sampling *s, const schema_field *field)
{
    const schema_oneof *oneof = field->oneof;
    return oneof == NULL || field == oneof->fields[s->variant == SAMPLE_FULL ? 0 : oneof->field_count - 1];
}

/* A number that the type has no field of. */
static uint32_t unknown_number(const schema_message *type)
{
    uint32_t number = 1;
    for (size_t i = 0; i < type->field_count; i++)
        if ((uint32_t)type->fields[i]->number >= number)
            number = (uint32_t)type->fields[i]->number + 1;
    return number < (UINT32_C(1) << 29) ? number : 0;
}

static void add_unknown(sampling *s, sample *message)
{
    uint32_t tag = unknown_number(message->type) << 3 | 2;
    char *bytes = arena_alloc(s->arena, 16, 1);
    size_t size = 0;
    if (tag >> 3 == 0 || bytes == NULL)
        return;
    for (; tag >= 0x80; tag >>= 7)
        bytes[size++] = (char)(tag | 0x80);
    bytes[size++] = (char)tag;
    memcpy(bytes + size, "\x03new", 4);
    message->unknown = bytes;
    message->unknown_size = size + 4;
}

/* All fields of the root; of messages below it, which have roots of their own, what the number of values allows. So all
 * samples of a module together are as large as its schema, whatever refers to what. NULL: a required message cannot
 * be made. */
static sample *make_message(sampling *s, const schema_message *type, unsigned depth)
{
    bool is_root = s->nested == 0;
    sample *message = new_sample(s, type);
    for (size_t i = 0; message != NULL && i < type->field_count; i++) {
        const schema_field *field = type->fields[i];
        bool is_required = field->presence == PRESENCE_REQUIRED, has_room = is_root || s->values != 0;
        if (is_required || (has_room && s->variant != SAMPLE_EMPTY && is_wanted(s, field)))
            make_field(s, field, depth, &message->fields[i]);
        if (is_required && message->fields[i].count == 0)
            return NULL;
        size_t count = is_root ? 0 : message->fields[i].count;
        s->values -= count < s->values ? count : s->values;
    }
    if (message == NULL)
        return NULL;
    if (s->variant == SAMPLE_OTHER)
        add_unknown(s, message);
    return message;
}

sample *sample_make(const schema_message *type, sample_variant variant, size_t values, gen_arena *arena)
{
    sampling s = {arena, variant, (unsigned)variant * 7, SAMPLE_MESSAGES, LEAST_VALUES + values, MOST_REQUIRED, 0};
    sample *message = make_message(&s, type, SAMPLE_DEPTH);
    return arena->failed ? NULL : message;
}
