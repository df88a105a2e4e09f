/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extension_write.c - changing the extensions of a message, in its unknown fields
 *
 * What is to be put in is first written elsewhere, since it may come from the very fields that move. Then there is made
 * room, of which a failure leaves everything as it was; what follows cannot fail. Fields stand in the order of their
 * numbers as far as they did before, so that the message is written as other implementations write it.
 */
#include "config.h"

#include <string.h>

#include "heap/arena.h"
#include "marshal/extension.h"
#include "marshal/gather.h"
#include "marshal/storage.h"

enum { FIRST_BYTES = 256 /* of a field that is written without memory from elsewhere */ };

/* --- writing fields --- */

/* What the writers below write; they go from the end to the beginning, see <mrpc/marshal/protobuf.h>. */
typedef struct writing {
    const mrpc_extension *extension;
    const void *value;          /* as mrpc_extension_set() is given it */
    mrpc_input before;          /* elements of a packed list that come before it */
    mrpc_gather_buffer message; /* where messages are encoded, one after another */
} writing;

static uint32_t tag_of(const mrpc_extension *extension, uint32_t wire)
{
    return extension->field.number << 3 | wire;
}

static uint8_t *put_input(mrpc_wire_out *out, uint8_t *front, mrpc_input input, const char *where)
{
    return mrpc_wire_put_long(out, front, input.at, (size_t)(input.end - input.at), false, where);
}

/* Bytes that the next message of a list replaces. */
static uint8_t *put_encoded(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const mrpc_bytes *bytes,
                            const char *where)
{
    uint8_t *behind = front;
    front = mrpc_wire_put_long(out, front, bytes->data, bytes->size, false, where);
    return front == NULL ? NULL : mrpc_wire_put_length(out, front, tag, behind, where);
}

/* A field of a MessageSet: a group 1 { 2: number 3: bytes }. */
static uint8_t *put_item(mrpc_wire_out *out, uint8_t *front, const mrpc_extension *extension, const mrpc_bytes *bytes)
{
    const char *where = extension->field.name;
    front = mrpc_wire_put_tag(out, front, 1 << 3 | MRPC_WIRE_END, where);
    if (front != NULL)
        front = put_encoded(out, front, 3 << 3 | MRPC_WIRE_BYTES, bytes, where);
    if (front != NULL)
        front = mrpc_wire_put_number(out, front, 2 << 3 | MRPC_WIRE_VARINT, &extension->field.number, MRPC_WIRE_UINT32,
                                     where);
    return front == NULL ? NULL : mrpc_wire_put_tag(out, front, 1 << 3 | MRPC_WIRE_GROUP, where);
}

static uint8_t *put_group(mrpc_wire_out *out, uint8_t *front, const mrpc_extension *extension, const mrpc_bytes *bytes)
{
    const char *where = extension->field.name;
    front = mrpc_wire_put_tag(out, front, tag_of(extension, MRPC_WIRE_END), where);
    if (front != NULL)
        front = mrpc_wire_put_long(out, front, bytes->data, bytes->size, false, where);
    return front == NULL ? NULL : mrpc_wire_put_tag(out, front, tag_of(extension, MRPC_WIRE_GROUP), where);
}

static uint8_t *put_message(mrpc_wire_out *out, uint8_t *front, writing *w, const void *message)
{
    const mrpc_extension *extension = w->extension;
    mrpc_gather *gather = &w->message.gather;
    if (message == NULL)
        return mrpc_wire_refuse(out, MRPC_EINVAL, extension->field.name, "is NULL where a message must be");
    gather->size = 0;
    int result = mrpc_encode_any(extension->field.message, gather, message);
    if (result != 0)
        return mrpc_wire_refuse(out, result, gather->where, gather->what);
    const mrpc_bytes bytes = {.data = (uint8_t *)gather->block, .size = gather->size};
    if ((extension->field.flags & MRPC_FIELD_IN_SET) != 0)
        return put_item(out, front, extension, &bytes);
    if (extension->field.type == MRPC_TYPE_GROUP)
        return put_group(out, front, extension, &bytes);
    return put_encoded(out, front, tag_of(extension, MRPC_WIRE_BYTES), &bytes, extension->field.name);
}

/* A number; `tag` is 0 in a packed list. */
static uint8_t *put_number(mrpc_wire_out *out, uint8_t *front, const mrpc_extension *extension, uint32_t tag,
                           const void *value)
{
    const char *where = extension->field.name;
    mrpc_wire_kind kind = mrpc_field_wire_kind(&extension->field);
    if (mrpc_field_is_unnamed(&extension->field, value))
        return mrpc_wire_unnamed(out, where);
    if (tag == 0)
        return mrpc_wire_put_tight(out, front, 0, mrpc_wire_load(value, kind), kind, where);
    return mrpc_wire_put_number(out, front, tag, value, kind, where);
}

static uint8_t *put_value(mrpc_wire_out *out, uint8_t *front, writing *w, const void *value)
{
    const mrpc_extension *extension = w->extension;
    if (mrpc_field_is_message(&extension->field))
        return put_message(out, front, w, value);
    if (mrpc_field_is_plain(&extension->field))
        return put_number(out, front, extension, tag_of(extension, mrpc_field_wire_type(&extension->field)), value);
    return mrpc_wire_put_bytes(out, front, tag_of(extension, MRPC_WIRE_BYTES), value, extension->field.name);
}

static uint8_t *write_value(mrpc_wire_out *out, uint8_t *front, const void *context, uint32_t depth)
{
    writing *w = *(writing *const *)context;
    (void)depth;
    return put_value(out, front, w, w->value);
}

/* An element of an array as mrpc_extension_add() would be given it. */
static const void *element_at(const mrpc_extension *extension, const mrpc_any_list *list, size_t index)
{
    const void *element = list->data + index * mrpc_field_width(&extension->field);
    return mrpc_field_is_message(&extension->field) ? *(const mrpc_any_message *)element : element;
}

static uint8_t *write_list(mrpc_wire_out *out, uint8_t *front, const void *context, uint32_t depth)
{
    writing *w = *(writing *const *)context;
    const mrpc_any_list *list = w->value;
    (void)depth;
    for (size_t i = mrpc_any_size(list->data, list->size); front != NULL && i-- > 0;)
        front = put_value(out, front, w, element_at(w->extension, list, i));
    return front;
}

static uint8_t *write_packed(mrpc_wire_out *out, uint8_t *front, const void *context, uint32_t depth)
{
    writing *w = *(writing *const *)context;
    const mrpc_any_list *list = w->value;
    const uint8_t *behind = front;
    (void)depth;
    for (size_t i = mrpc_any_size(list->data, list->size); front != NULL && i-- > 0;)
        front = put_number(out, front, w->extension, 0, element_at(w->extension, list, i));
    if (front != NULL)
        front = put_input(out, front, w->before, w->extension->field.name);
    if (front == NULL || front == behind)
        return front;
    return mrpc_wire_put_length(out, front, tag_of(w->extension, MRPC_WIRE_BYTES), behind, w->extension->field.name);
}

/* --- making room --- */

/* Room for `extra` more bytes; the fields may move. */
static int reserve(mrpc_message *message, size_t extra)
{
    mrpc_unknown *unknown = message->unknown;
    size_t old = unknown != NULL ? unknown->size : 0;
    if (message->arena == NULL)
        return MRPC_EINVAL;
    if (unknown != NULL && unknown->capacity >= old && extra <= unknown->capacity - old)
        return 0;
    if (old > SIZE_MAX / 4 || extra > SIZE_MAX / 4)
        return MRPC_ELIMIT;
    size_t capacity = MRPC_PADDED(2 * old + extra + 32);
    mrpc_unknown *larger = mrpc_arena_alloc(message->arena, sizeof *larger + capacity);
    if (larger == NULL)
        return MRPC_ENOMEM;
    if (old != 0)
        memcpy(larger->data, unknown->data, old);
    larger->size = old;
    larger->capacity = capacity;
    message->unknown = larger;
    return 0;
}

/* Puts bytes in place of those from `at` to `behind`, for which there is room. */
static void replace(mrpc_unknown *unknown, const uint8_t *at, const uint8_t *behind, const void *bytes, size_t size)
{
    size_t offset = (size_t)(at - unknown->data), removed = (size_t)(behind - at);
    uint8_t *place = unknown->data + offset;
    memmove(place + size, place + removed, unknown->size - offset - removed);
    if (size != 0)
        memcpy(place, bytes, size);
    unknown->size = unknown->size - removed + size;
}

/* Before the first field with a greater number, or before what is not well-formed. */
static const uint8_t *place_of(const mrpc_extension *extension, const mrpc_message *message)
{
    mrpc_input in = mrpc_unknown_of(message);
    mrpc_unknown_field field;
    while (mrpc_unknown_next(&in, &field)) {
        if ((extension->field.flags & MRPC_FIELD_IN_SET) != 0)
            (void)mrpc_unknown_take_item(&field);
        if (field.number > extension->field.number)
            return field.start;
    }
    return in.at;
}

/* The last field that has elements of the list; false: there is none. */
static bool last_field(const mrpc_extension *extension, const mrpc_message *message, mrpc_unknown_field *last)
{
    mrpc_input in = mrpc_unknown_of(message);
    mrpc_unknown_field field;
    bool found = false;
    for (; mrpc_extension_next_field(extension, &in, &field); found = true)
        *last = field;
    return found;
}

/* --- changing --- */

void mrpc_extension_clear(const mrpc_extension *extension, void *any)
{
    mrpc_message *message = any;
    mrpc_input in = mrpc_unknown_of(message);
    mrpc_unknown_field field;
    if (message->unknown == NULL)
        return;
    uint8_t *kept = message->unknown->data;
    const uint8_t *end = in.end;
    while (mrpc_unknown_next(&in, &field)) {
        size_t size = (size_t)(field.behind - field.start);
        if (mrpc_extension_is(extension, &field))
            continue;
        if (kept != field.start)
            memmove(kept, field.start, size);
        kept += size;
    }
    memmove(kept, in.at, (size_t)(end - in.at));
    message->unknown->size = (size_t)(kept - message->unknown->data) + (size_t)(end - in.at);
}

/* Puts what was written in place of `old`, or, when that is NULL, where its number belongs; `all`: of all that was
 * there before. */
static int insert(const mrpc_extension *extension, mrpc_message *message, const mrpc_gather *gather,
                  const mrpc_unknown_field *old, bool all)
{
    const uint8_t *data = message->unknown != NULL ? message->unknown->data : NULL;
    int result = reserve(message, gather->size);
    if (result != 0)
        return result;
    if (all)
        mrpc_extension_clear(extension, message);
    const uint8_t *place = old != NULL ? message->unknown->data + (old->start - data) : place_of(extension, message);
    const uint8_t *behind = old != NULL ? place + (old->behind - old->start) : place;
    replace(message->unknown, place, behind, gather->block, gather->size);
    return 0;
}

/* Writes with `write` and inserts as insert(). */
static int put(writing *w, mrpc_message *message, mrpc_wire_writer *write, const mrpc_unknown_field *old, bool all)
{
    uint64_t first[FIRST_BYTES / sizeof(uint64_t)], first_message[FIRST_BYTES / sizeof(uint64_t)];
    mrpc_gather_buffer buffer;
    if (message->arena == NULL)
        return MRPC_EINVAL;
    mrpc_gather_buffer_init(&buffer, NULL, first, sizeof first);
    mrpc_gather_buffer_init(&w->message, NULL, first_message, sizeof first_message);
    int result = mrpc_wire_encode(&buffer.gather, &w, write, w->extension->field.name);
    if (result == 0)
        result = insert(w->extension, message, &buffer.gather, old, all);
    mrpc_gather_buffer_free(&w->message);
    mrpc_gather_buffer_free(&buffer);
    return result;
}

static bool is_packed(const mrpc_extension *extension)
{
    return (extension->field.flags & MRPC_FIELD_PACKED) != 0;
}

int mrpc_extension_set(const mrpc_extension *extension, void *message, const void *value)
{
    writing w = {.extension = extension, .value = value};
    if (!mrpc_extension_is_list(extension))
        return put(&w, message, write_value, NULL, true);
    const mrpc_any_list *list = value;
    if (list->data == NULL && list->size != 0)
        return MRPC_EINVAL;
    return put(&w, message, is_packed(extension) ? write_packed : write_list, NULL, true);
}

/* Of a packed list that is there, the last field becomes one element longer. */
static int add_packed(const mrpc_extension *extension, mrpc_message *message, const void *value)
{
    const mrpc_any_list one = {.data = (char *)(uintptr_t)value, .size = 1};
    writing w = {.extension = extension, .value = &one};
    mrpc_unknown_field last;
    if (!last_field(extension, message, &last) || last.wire != MRPC_WIRE_BYTES)
        return put(&w, message, write_packed, NULL, false);
    w.before = last.value;
    return put(&w, message, write_packed, &last, false);
}

int mrpc_extension_add(const mrpc_extension *extension, void *message, const void *value)
{
    if (is_packed(extension))
        return add_packed(extension, message, value);
    writing w = {.extension = extension, .value = value};
    return put(&w, message, write_value, NULL, false);
}
