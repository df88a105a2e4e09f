/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table_decode.c - see table.h
 *
 * Entries of maps are appended as they come; when all has been read, one pass over the message sorts the maps and looks
 * for required fields.
 */
#include "config.h"

#include <mrpc/reflect.h>

#include "marshal/map.h"
#include "marshal/table.h"
#include "marshal/wire.h"

/* The field that is read: it began at `start`, its tag ended at `at`, and it ends before `end`. */
typedef struct reading {
    mrpc_decoder *decoder;
    const uint8_t *start, *at, *end;
    uint32_t tag;
    uint32_t depth;
} reading;

static const uint8_t *read_fields(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end, const mrpc_type *type,
                                  void *message, uint32_t group, uint32_t depth);

/* Fields mostly come in their order: `next` is tried first. */
static const mrpc_field *find_field(const mrpc_type *type, uint32_t number, uint32_t *next)
{
    if (*next < type->field_count && type->fields[*next].number == number)
        return &type->fields[(*next)++];
    const mrpc_field *field = mrpc_type_find_field(type, number);
    if (field != NULL)
        *next = (uint32_t)(field - type->fields) + 1;
    return field;
}

/* --- single values --- */

static const uint8_t *keep(const reading *r, const uint8_t *at, mrpc_message *message, const char *where)
{
    return mrpc_wire_keep(r->decoder, r->start, at, message, where);
}

/* A number; *named is false when its closed enum does not have it. */
static const uint8_t *take_number(const reading *r, const mrpc_field *field, void *to, bool *named)
{
    mrpc_wire_kind kind = mrpc_field_wire_kind(field);
    const uint8_t *at = mrpc_wire_take_number(r->decoder, r->at, r->end, to, kind, field->name);
    *named = at != NULL && !mrpc_field_is_unnamed(field, to);
    return at;
}

/* Merges into the message that `member` points to, which is made when there is none. */
static const uint8_t *take_message(const reading *r, const mrpc_field *field, void *owner, mrpc_any_message *member)
{
    const uint8_t *behind = r->end, *at = r->at;
    bool is_group = field->type == MRPC_TYPE_GROUP;
    if (!is_group)
        at = mrpc_wire_take_length(r->decoder, at, r->end, &behind, field->name);
    if (at == NULL)
        return NULL;
    if (r->depth == 0)
        return mrpc_wire_too_deep(r->decoder, at, field->name);
    if (*member == NULL && (*member = mrpc_message_new_in(field->message, owner)) == NULL)
        return mrpc_wire_no_memory(r->decoder, at, field->name);
    return read_fields(r->decoder, at, behind, field->message, *member, is_group ? field->number : 0, r->depth - 1);
}

/* A value that is no plain number. */
static const uint8_t *take_value(const reading *r, const mrpc_field *field, void *owner, void *to)
{
    if (mrpc_field_is_message(field))
        return take_message(r, field, owner, to);
    if (field->type == MRPC_TYPE_BYTES)
        return mrpc_wire_take_bytes(r->decoder, r->at, r->end, to, field->name);
    return mrpc_wire_take_text(r->decoder, r->at, r->end, to, (field->flags & MRPC_FIELD_RAW) != 0, field->name);
}

static const uint8_t *take_single(const reading *r, const mrpc_field *field, mrpc_message *message)
{
    uint64_t number = 0;
    char *member = (char *)message + field->offset;
    bool named = true;
    const uint8_t *at;
    if (mrpc_field_is_plain(field)) {
        at = take_number(r, field, &number, &named);
        if (at == NULL || !named)
            return at != NULL ? keep(r, at, message, field->name) : NULL;
        memcpy(member, &number, mrpc_field_width(field));
    } else {
        if (field->kind == MRPC_FIELD_ONEOF && mrpc_field_case(field, message) != field->number)
            memset(member, 0, mrpc_field_width(field));
        at = take_value(r, field, message, member);
    }
    if (at != NULL)
        mrpc_field_mark(field, message);
    return at;
}

/* --- lists --- */

static char *list_room(const reading *r, const mrpc_field *field, mrpc_any_list *list)
{
    size_t width = mrpc_field_width(field);
    char *room = mrpc_wire_list_room(r->decoder, (mrpc_list *)(void *)list, width);
    if (room != NULL)
        memset(room, 0, width);
    return room;
}

static const uint8_t *add_value(const reading *r, const mrpc_field *field, mrpc_message *message, mrpc_any_list *list)
{
    bool named = true;
    char *room = list_room(r, field, list);
    if (room == NULL)
        return mrpc_wire_no_memory(r->decoder, r->at, field->name);
    const uint8_t *at =
        mrpc_field_is_plain(field) ? take_number(r, field, room, &named) : take_value(r, field, message, room);
    list->size += at != NULL && named;
    return at != NULL && !named ? keep(r, at, message, field->name) : at;
}

/* A packed list of a closed enum: what it does not name becomes unknown, each with a tag of its own. */
static const uint8_t *add_packed_enums(const reading *r, const mrpc_field *field, mrpc_message *message,
                                       mrpc_any_list *list)
{
    const uint8_t *behind = NULL, *at = mrpc_wire_take_length(r->decoder, r->at, r->end, &behind, field->name);
    while (at != NULL && at < behind) {
        uint8_t bytes[MRPC_WIRE_HEAD], *first = bytes + sizeof bytes;
        uint64_t value = 0;
        char *room = list_room(r, field, list);
        if (room == NULL)
            return mrpc_wire_no_memory(r->decoder, at, field->name);
        at = mrpc_wire_take_varint(r->decoder, at, behind, &value, field->name);
        if (at == NULL)
            return NULL;
        mrpc_wire_store(room, value, MRPC_WIRE_INT32);
        if (!mrpc_field_is_unnamed(field, room)) {
            list->size++;
            continue;
        }
        first = mrpc_wire_raw_varint(mrpc_wire_raw_varint(first, value), mrpc_field_tag(field, MRPC_WIRE_VARINT));
        if (mrpc_wire_keep(r->decoder, first, bytes + sizeof bytes, message, field->name) == NULL)
            return NULL;
    }
    return at;
}

static const uint8_t *add_packed(const reading *r, const mrpc_field *field, mrpc_message *message, mrpc_any_list *list)
{
    if ((field->flags & MRPC_FIELD_CLOSED) != 0)
        return add_packed_enums(r, field, message, list);
    return mrpc_wire_add_packed(r->decoder, r->at, r->end, list, mrpc_field_wire_kind(field), field->name);
}

/* --- maps --- */

/* An entry is a message of two fields without a head: what is unknown in it is lost, as everywhere. */
static const uint8_t *read_entry(const reading *r, const mrpc_field *field, mrpc_message *message, char *entry,
                                 const uint8_t *at, const uint8_t *behind, bool *named)
{
    while (at != NULL && at < behind) {
        reading part = {.decoder = r->decoder, .start = at, .end = behind, .depth = r->depth - 1};
        uint32_t next = 0;
        part.at = mrpc_wire_take_tag(r->decoder, at, behind, &part.tag, field->name);
        if (part.at == NULL)
            return NULL;
        const mrpc_field *known = find_field(field->message, part.tag >> 3, &next);
        if (known == NULL || mrpc_field_wire_type(known) != (part.tag & 7))
            at = mrpc_wire_skip(r->decoder, part.at, behind, part.tag, part.depth, field->name);
        else if (mrpc_field_is_plain(known))
            at = take_number(&part, known, entry + known->offset, named);
        else
            at = take_value(&part, known, message, entry + known->offset);
    }
    return at;
}

static const uint8_t *add_entry(const reading *r, const mrpc_field *field, mrpc_message *message, mrpc_any_list *map)
{
    const mrpc_field *value = &field->message->fields[1];
    const uint8_t *behind = NULL, *at = mrpc_wire_take_length(r->decoder, r->at, r->end, &behind, field->name);
    bool named = true;
    if (at == NULL)
        return NULL;
    if (r->depth == 0)
        return mrpc_wire_too_deep(r->decoder, at, field->name);
    char *entry = list_room(r, field, map);
    if (entry == NULL)
        return mrpc_wire_no_memory(r->decoder, at, field->name);
    mrpc_message_init(field->message, entry);
    at = read_entry(r, field, message, entry, at, behind, &named);
    if (at == NULL)
        return NULL;
    if (!named)
        return keep(r, at, message, field->name);
    mrpc_any_message *made = (void *)(entry + value->offset);
    if (mrpc_field_is_message(value) && *made == NULL && (*made = mrpc_message_new_in(value->message, message)) == NULL)
        return mrpc_wire_no_memory(r->decoder, at, field->name);
    map->size++;
    return at;
}

/* --- messages --- */

/* NULL with *fits false: the wire type is another one than the field's. */
static const uint8_t *read_field(const reading *r, const mrpc_field *field, mrpc_message *message, bool *fits)
{
    mrpc_any_list *list = (void *)((char *)message + field->offset);
    uint32_t wire = r->tag & 7;
    bool is_list = field->kind == MRPC_FIELD_LIST;
    *fits = true;
    if (is_list && mrpc_field_is_plain(field) && wire == MRPC_WIRE_BYTES)
        return add_packed(r, field, message, list);
    *fits = wire == (field->kind == MRPC_FIELD_MAP ? (uint32_t)MRPC_WIRE_BYTES : mrpc_field_wire_type(field));
    if (!*fits)
        return NULL;
    if (field->kind == MRPC_FIELD_MAP)
        return add_entry(r, field, message, list);
    return is_list ? add_value(r, field, message, list) : take_single(r, field, message);
}

/* Fields up to `end`, or to the end of the group with that number. */
static const uint8_t *read_fields(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end, const mrpc_type *type,
                                  void *message, uint32_t group, uint32_t depth)
{
    uint32_t next = 0;
    while (at < end) {
        reading r = {.decoder = decoder, .start = at, .end = end, .depth = depth};
        bool fits = false;
        r.at = mrpc_wire_take_tag(decoder, at, end, &r.tag, type->name);
        if (r.at == NULL)
            return NULL;
        if ((r.tag & 7) == MRPC_WIRE_END && group != 0 && r.tag >> 3 == group)
            return r.at;
        if (r.tag >> 3 == 0)
            return mrpc_wire_wrong(decoder, at, type->name, "has a field with number 0");
        const mrpc_field *field = find_field(type, r.tag >> 3, &next);
        if (field != NULL)
            at = read_field(&r, field, message, &fits);
        if (!fits)
            at = mrpc_wire_take_unknown(decoder, r.start, r.at, end, r.tag, message, depth, type->name);
        if (at == NULL)
            return NULL;
    }
    return group == 0 ? at : mrpc_wire_wrong(decoder, at, type->name, "is a group that does not end");
}

/* --- what is seen to at the end --- */

static bool finish(mrpc_decoder *decoder, const mrpc_type *type, void *message);

static bool finish_elements(mrpc_decoder *decoder, const mrpc_field *field, mrpc_any_list *list)
{
    bool is_map = field->kind == MRPC_FIELD_MAP;
    const mrpc_field *value = is_map ? &field->message->fields[1] : field;
    if (is_map && mrpc_map_sort(field->message, list) != 0)
        return mrpc_wire_no_memory(decoder, decoder->end, field->name) != NULL;
    size_t width = mrpc_field_width(field), offset = is_map ? value->offset : 0;
    if (!mrpc_field_is_message(value))
        return true;
    for (size_t i = 0; i < list->size; i++)
        if (!finish(decoder, value->message, *(mrpc_any_message *)(void *)(list->data + i * width + offset)))
            return false;
    return true;
}

/* No deeper than what was read. */
static bool finish(mrpc_decoder *decoder, const mrpc_type *type, void *message)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const mrpc_field *field = &type->fields[i];
        char *member = (char *)message + field->offset;
        if (!mrpc_field_present(field, message)) {
            if ((field->flags & MRPC_FIELD_REQUIRED) != 0)
                return mrpc_wire_lacks(decoder, field->name);
        } else if (field->kind == MRPC_FIELD_LIST || field->kind == MRPC_FIELD_MAP) {
            if (!finish_elements(decoder, field, (void *)member))
                return false;
        } else if (mrpc_field_is_message(field)) {
            if (!finish(decoder, field->message, *(mrpc_any_message *)(void *)member))
                return false;
        }
    }
    return true;
}

/* As mrpc_message_init(), for a message that may have been decoded into before. */
static void start(const mrpc_type *type, void *message)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const mrpc_field *field = &type->fields[i];
        mrpc_string *string = (void *)((char *)message + field->offset);
        if (field->type == MRPC_TYPE_STRING && field->kind <= MRPC_FIELD_OPTIONAL && string->data == NULL)
            string->data = (char *)(uintptr_t)mrpc_empty_text;
    }
}

int mrpc_table_decode(const mrpc_type *type, mrpc_decoder *decoder, void *message)
{
    start(type, message);
    const uint8_t *at = read_fields(decoder, decoder->cursor, decoder->end, type, message, 0, decoder->depth);
    if (at != NULL && ((decoder->flags & MRPC_DECODE_PARTIAL) != 0 || finish(decoder, type, message))) {
        decoder->cursor = at;
        return 0;
    }
    return (decoder->flags & MRPC_WIRE_NO_MEMORY) != 0 ? MRPC_ENOMEM : MRPC_EFORMAT;
}
