/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode_iov.c - a message from the protobuf encoding in several buffers
 *
 * The codec of a type reads bytes that lie side by side, and merges what it reads into a message. So a message is read
 * in parts: all fields that lie whole in one buffer by the codec where they are, and each field that is cut according
 * to its kind. A message that is cut is itself read in parts. Bytes and strings that are cut are copied into the
 * message. Anything else is put together and then read by the codec.
 *
 * The codec makes a message, or adds an element to a list, when it reads the field with a length of zero; what is
 * filled in here is found by the tables of the type. So there is one piece of code that knows of oneofs, lists and
 * presence. What is wrong in the input is put before the codec as well, so that it is refused for the same reason, at
 * the same place, as in one buffer.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <mrpc/reflect.h>

#include "marshal/pieces.h"
#include "marshal/storage.h"
#include "marshal/wire.h"

enum {
    HEAD = 16,   /* bytes of a tag and a length, and one more, or of a tag and a number */
    SMALL = 256, /* bytes that are put together on the stack */
};

typedef struct decoding {
    mrpc_decoder decoder; /* the same for all parts: it knows what is to be finished at the end */
    mrpc_pieces place;
    uint32_t alias;   /* MRPC_DECODE_ALIAS or 0 */
    size_t failed_at; /* on failure, the offset in all bytes */
} decoding;

/* A message that is read in parts. */
typedef struct scope {
    const mrpc_type *type;
    void *message;
    size_t end;     /* its offset in all bytes; of a group, that of what the group is in */
    uint32_t group; /* its number when it is a group, else 0 */
    uint32_t depth; /* of nesting that is still allowed */
} scope;

/* The tag of a field, and its length when it has one. */
typedef struct head {
    uint32_t tag;
    size_t tag_size;
    size_t size; /* of tag and length */
    size_t length;
    bool is_whole; /* the tag, and the length if there is one, is well-formed, and what has that length is there */
} head;

static int read_fields(decoding *d, const scope *s);

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t left_in(const decoding *d, const scope *s)
{
    return s->end - d->place.offset;
}

/* --- through the codec --- */

static int decode_part(decoding *d, const scope *s, const uint8_t *data, size_t size, uint32_t flags)
{
    mrpc_decoder *decoder = &d->decoder;
    decoder->start = decoder->cursor = data;
    decoder->end = data + size;
    decoder->depth = s->depth;
    decoder->flags = (decoder->flags & ~(MRPC_DECODE_ALIAS | MRPC_DECODE_PARTIAL)) | flags;
    int result = mrpc_decode_any(s->type, decoder, s->message);
    if (result != 0)
        d->failed_at = d->place.offset + (size_t)(decoder->cursor - data);
    return result;
}

static int no_memory(decoding *d, const scope *s)
{
    d->decoder.where = s->type->name;
    d->decoder.what = "there is no memory for it";
    d->failed_at = d->place.offset;
    return MRPC_ENOMEM;
}

/* The fields that lie side by side from here on, none of which is cut. */
static size_t whole_fields(const uint8_t *data, size_t size)
{
    mrpc_decoder scan = {.start = data, .end = data + size};
    const uint8_t *at = data, *next = data;
    while (next != NULL && next < scan.end) {
        uint32_t tag = 0;
        at = next;
        next = mrpc_wire_take_tag(&scan, at, scan.end, &tag, "");
        if (next != NULL)
            next = mrpc_wire_skip(&scan, next, scan.end, tag, MRPC_DEPTH_LIMIT, "");
    }
    return (size_t)((next != NULL ? next : at) - data);
}

static int read_whole_fields(decoding *d, const scope *s)
{
    size_t size;
    const uint8_t *window = mrpc_pieces_window(&d->place, &size);
    size = whole_fields(window, lesser(size, left_in(d, s)));
    int result = size == 0 ? 0 : decode_part(d, s, window, size, d->alias | MRPC_DECODE_PARTIAL);
    if (result == 0)
        mrpc_pieces_skip(&d->place, size);
    return result;
}

/* --- what is put together --- */

/* How many of these bytes the first field has; 0: it is cut or not well-formed. */
static size_t first_field(const uint8_t *data, size_t size)
{
    mrpc_decoder scan = {.start = data, .end = data + size};
    uint32_t tag = 0;
    const uint8_t *at = mrpc_wire_take_tag(&scan, data, scan.end, &tag, "");
    if (at != NULL)
        at = mrpc_wire_skip(&scan, at, scan.end, tag, MRPC_DEPTH_LIMIT, "");
    return at == NULL ? 0 : (size_t)(at - data);
}

/* Reads a field that has so many bytes. With `more`, that is where to begin, and it may have up to as many as are left:
 * all of these are put before the codec when it does not end. */
static int read_together(decoding *d, const scope *s, size_t size, bool more)
{
    uint8_t small[SMALL], *together = size <= SMALL ? small : malloc(size);
    if (together == NULL)
        return no_memory(d, s);
    mrpc_pieces_copy(&d->place, together, size);
    size_t field = first_field(together, size);
    more = more && field == 0 && size < left_in(d, s);
    int result = more ? 0 : decode_part(d, s, together, field != 0 ? field : size, MRPC_DECODE_PARTIAL);
    if (result == 0 && !more)
        mrpc_pieces_skip(&d->place, field != 0 ? field : size);
    if (together != small)
        free(together);
    return more ? read_together(d, s, lesser(2 * size, left_in(d, s)), true) : result;
}

/* --- what is filled in --- */

/* Has the codec read the field as if it were empty. */
static int read_empty(decoding *d, const scope *s, const head *h)
{
    bool is_group = (h->tag & 7) == MRPC_WIRE_GROUP;
    uint8_t bytes[HEAD + HEAD];
    mrpc_pieces_copy(&d->place, bytes, h->tag_size);
    memcpy(bytes + h->tag_size, bytes, h->tag_size);
    if (is_group)
        bytes[h->tag_size] += MRPC_WIRE_END - MRPC_WIRE_GROUP;
    else
        bytes[h->tag_size] = 0;
    int result = decode_part(d, s, bytes, is_group ? 2 * h->tag_size : h->tag_size + 1, MRPC_DECODE_PARTIAL);
    if (result != 0)
        d->failed_at = d->place.offset + h->size;
    return result;
}

/* The value that was read last: the member, or the last element of the list. */
static void *newest(const scope *s, const mrpc_field *field)
{
    char *member = (char *)s->message + field->offset;
    const mrpc_any_list *list = (const void *)member;
    return field->kind == MRPC_FIELD_LIST ? list->data + (list->size - 1) * mrpc_field_width(field) : member;
}

static int read_sub_message(decoding *d, const scope *s, const mrpc_field *field, const head *h)
{
    int result = read_empty(d, s, h);
    if (result != 0)
        return result;
    mrpc_pieces_skip(&d->place, h->size);
    bool is_group = field->type == MRPC_TYPE_GROUP;
    const scope inner = {.type = field->message,
                         .message = *(mrpc_any_message *)newest(s, field),
                         .end = is_group ? s->end : d->place.offset + h->length,
                         .group = is_group ? field->number : 0,
                         .depth = s->depth - 1};
    return read_fields(d, &inner);
}

/* A copy of what is at a place, in the message, with zero up to the end of its last word; NULL: no memory. */
static uint8_t *copy_run(decoding *d, const mrpc_pieces *from, size_t size)
{
    uint8_t *data = mrpc_wire_alloc(&d->decoder, MRPC_TEXT_PADDED(size));
    if (data == NULL)
        return NULL;
    mrpc_store8(data + MRPC_TEXT_PADDED(size) - 8, 0);
    mrpc_pieces_copy(from, data, size);
    return data;
}

static int read_run(decoding *d, const scope *s, const mrpc_field *field, const head *h)
{
    mrpc_pieces at = d->place;
    mrpc_pieces_skip(&at, h->size);
    size_t size;
    bool is_text = field->type == MRPC_TYPE_STRING;
    uint8_t *data = (uint8_t *)(uintptr_t)mrpc_pieces_window(&at, &size);
    if (is_text || d->alias == 0 || size < h->length)
        data = copy_run(d, &at, h->length);
    if (data == NULL)
        return no_memory(d, s);
    if (is_text && (field->flags & MRPC_FIELD_RAW) == 0 && !mrpc_text_valid((const char *)data, h->length))
        return read_together(d, s, h->size + h->length, false);
    int result = read_empty(d, s, h);
    if (result != 0)
        return result;
    mrpc_bytes *value = newest(s, field);
    *value = (mrpc_bytes){.data = data, .size = h->length};
    mrpc_pieces_skip(&d->place, h->size + h->length);
    return 0;
}

/* --- a field --- */

static head peek(const decoding *d, const scope *s)
{
    uint8_t bytes[HEAD];
    size_t left = left_in(d, s), size = lesser(left, HEAD);
    mrpc_pieces_copy(&d->place, bytes, size);
    mrpc_decoder scan = {.start = bytes, .end = bytes + size};
    uint64_t length = 0;
    head h = {0};
    const uint8_t *at = mrpc_wire_take_tag(&scan, bytes, scan.end, &h.tag, "");
    h.tag_size = at == NULL ? 0 : (size_t)(at - bytes);
    if (at != NULL && (h.tag & 7) == MRPC_WIRE_BYTES)
        at = mrpc_wire_take_varint(&scan, at, scan.end, &length, "");
    if (at == NULL)
        return h;
    h.size = (size_t)(at - bytes);
    h.length = (size_t)length;
    h.is_whole = length <= left - h.size;
    return h;
}

/* A field that does not lie whole in one buffer, or is not well-formed. */
static int read_cut_field(decoding *d, const scope *s, const head *h)
{
    uint32_t wire = h->tag & 7;
    const mrpc_field *field = mrpc_type_find_field(s->type, h->tag >> 3);
    if (!h->is_whole)
        return read_together(d, s, lesser(HEAD, left_in(d, s)), false);
    if (field != NULL && (field->kind == MRPC_FIELD_MAP || wire != mrpc_field_wire_type(field)))
        field = NULL;
    if (field != NULL && mrpc_field_is_message(field))
        return read_sub_message(d, s, field, h);
    if (field != NULL && wire == MRPC_WIRE_BYTES && h->length >= MRPC_WIRE_ALIAS_MIN)
        return read_run(d, s, field, h);
    if (wire == MRPC_WIRE_BYTES)
        return read_together(d, s, h->size + h->length, false);
    return read_together(d, s, lesser(HEAD, left_in(d, s)), wire == MRPC_WIRE_GROUP);
}

static int not_ended(decoding *d, const scope *s)
{
    d->decoder.where = s->type->name;
    d->decoder.what = "is a group that does not end";
    d->failed_at = d->place.offset;
    return MRPC_EFORMAT;
}

static int read_fields(decoding *d, const scope *s)
{
    int result = 0;
    while (result == 0 && left_in(d, s) != 0) {
        result = read_whole_fields(d, s);
        if (result != 0 || left_in(d, s) == 0)
            break;
        head h = peek(d, s);
        if (s->group != 0 && h.tag == (s->group << 3 | MRPC_WIRE_END)) {
            mrpc_pieces_skip(&d->place, h.tag_size);
            return 0;
        }
        result = read_cut_field(d, s, &h);
    }
    return result == 0 && s->group != 0 ? not_ended(d, s) : result;
}

/* --- all of it --- */

static int read_all(decoding *d, const scope *root)
{
    size_t size;
    const uint8_t *window = mrpc_pieces_window(&d->place, &size);
    if (size == root->end)
        return decode_part(d, root, window, size, d->alias);
    int result = read_fields(d, root);
    return result == 0 ? decode_part(d, root, window, 0, 0) : result;
}

int mrpc_message_decode_iov(const mrpc_type *type, const struct iovec *pieces, size_t count, bool alias,
                            mrpc_heap *heap, void **message, mrpc_error *error)
{
    decoding d = {.place = mrpc_pieces_begin(pieces, count), .alias = alias ? MRPC_DECODE_ALIAS : 0};
    size_t size = d.place.left;
    mrpc_message *made = mrpc_storage_new(type, size, alias, heap, error);
    if (made == NULL)
        return MRPC_ENOMEM;
    d.decoder.arena = made->arena;
    d.decoder.grow = mrpc_arena_grow;
    const scope root = {.type = type, .message = made, .end = size, .depth = MRPC_DEPTH_LIMIT};
    int result = read_all(&d, &root);
    if (result == 0) {
        *message = made;
        return 0;
    }
    mrpc_arena_free(made->arena);
    return mrpc_storage_explain(&d.decoder, type, result, d.failed_at, size, error);
}
