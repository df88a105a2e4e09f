/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * protobuf.h - what generated code needs to write and to read the protobuf encoding
 * (https://protobuf.dev/programming-guides/encoding)
 *
 * Encoding (mrpc_wire_put_…) goes from the end to the beginning: fields in descending order, the elements of a list
 * from the last one, and the value of each field before its length and tag. So the length of a sub-message is known
 * when it is written, without a pass for sizes. The finished bytes are then moved to where they belong. Where the
 * gather has room for extents, large fields take no room in the block: they are referenced where they lie. Functions
 * return the new front, or NULL: the buffer was too small, for which encoding begins again with a larger one, or the
 * message cannot be encoded, with the reason in mrpc_gather.
 *
 * Decoding (mrpc_wire_take_…) takes memory from the decoder's arena alone. Every function is given the end of what it
 * may read, and returns what follows, or NULL with the reason in mrpc_decoder. Its time is linear in the input whatever
 * it is, but for maps, whose entries are appended as they come and sorted once at the end.
 *
 * All of it is static, so that a module has no undefined symbols but memcpy and its like. `where` is always the full
 * name of a field or message.
 */
#ifndef MRPC_MARSHAL_PROTOBUF_H
#define MRPC_MARSHAL_PROTOBUF_H

#include <mrpc/marshal.h>
#include <mrpc/marshal/mirror.h>
#include <mrpc/marshal/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a number is held in memory and written. */
typedef enum mrpc_wire_kind {
    MRPC_WIRE_INT32, /* and enums: sign-extended to 64 bits */
    MRPC_WIRE_UINT32,
    MRPC_WIRE_INT64,  /* and uint64 */
    MRPC_WIRE_SINT32, /* zigzag */
    MRPC_WIRE_SINT64,
    MRPC_WIRE_BOOL,
    MRPC_WIRE_FIXED32, /* and sfixed32, float */
    MRPC_WIRE_FIXED64  /* and sfixed64, double */
} mrpc_wire_kind;

enum {
    MRPC_WIRE_VARINT = 0,
    MRPC_WIRE_8 = 1,
    MRPC_WIRE_BYTES = 2,
    MRPC_WIRE_GROUP = 3,
    MRPC_WIRE_END = 4,
    MRPC_WIRE_4 = 5
};

/* Most bytes of a tag and a number, or of a tag and a length, and of what a store of 8 bytes may touch before them. */
enum { MRPC_WIRE_HEAD = 24 };

MRPC_INLINE bool mrpc_wire_is_fixed(mrpc_wire_kind kind)
{
    return kind == MRPC_WIRE_FIXED32 || kind == MRPC_WIRE_FIXED64;
}

/* Bytes of a number in memory. */
MRPC_INLINE size_t mrpc_wire_width(mrpc_wire_kind kind)
{
    if (kind == MRPC_WIRE_BOOL)
        return 1;
    return kind == MRPC_WIRE_INT64 || kind == MRPC_WIRE_SINT64 || kind == MRPC_WIRE_FIXED64 ? 8 : 4;
}

MRPC_INLINE uint32_t mrpc_wire_order4(uint32_t word)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : __builtin_bswap32(word);
}

MRPC_INLINE uint64_t mrpc_wire_order8(uint64_t word)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : __builtin_bswap64(word);
}

/* The number at `from` as the value of a varint or of a fixed field. */
MRPC_INLINE uint64_t mrpc_wire_load(const void *from, mrpc_wire_kind kind)
{
    if (kind == MRPC_WIRE_BOOL)
        return *(const uint8_t *)from != 0;
    if (mrpc_wire_width(kind) == 8) {
        uint64_t word = mrpc_load8(from);
        return kind == MRPC_WIRE_SINT64 ? word << 1 ^ ((uint64_t)0 - (word >> 63)) : word;
    }
    uint32_t word = mrpc_load4(from);
    if (kind == MRPC_WIRE_SINT32)
        return word << 1 ^ ((uint32_t)0 - (word >> 31));
    return kind == MRPC_WIRE_INT32 ? (uint64_t)(int64_t)(int32_t)word : word;
}

/* The reverse; bits that the type has no room for are dropped, as every implementation does. */
MRPC_INLINE void mrpc_wire_store(void *to, uint64_t value, mrpc_wire_kind kind)
{
    if (kind == MRPC_WIRE_BOOL) {
        *(uint8_t *)to = value != 0;
    } else if (mrpc_wire_width(kind) == 8) {
        mrpc_store8(to, kind == MRPC_WIRE_SINT64 ? value >> 1 ^ ((uint64_t)0 - (value & 1)) : value);
    } else {
        uint32_t word = (uint32_t)value;
        if (kind == MRPC_WIRE_SINT32)
            word = word >> 1 ^ ((uint32_t)0 - (word & 1));
        memcpy(to, &word, sizeof word);
    }
}

/* Whether the key of entry `a` comes before that of entry `b`. */
typedef bool mrpc_wire_ascends(const void *a, const void *b);

MRPC_INLINE bool mrpc_wire_text_ascends(const mrpc_string *a, const mrpc_string *b)
{
    size_t shorter = a->size < b->size ? a->size : b->size;
    int order = shorter == 0 ? 0 : memcmp(a->data, b->data, shorter);
    return order == 0 ? a->size < b->size : order < 0;
}

/* --- encode --- */

/* Large bytes, for which there is room at `at`: they are copied when it is known where they belong, at the end. */
typedef struct mrpc_wire_hole {
    uint8_t *at;
    const void *data;
    size_t size;
} mrpc_wire_hole;

enum {
    MRPC_WIRE_HOLES = 8,
    MRPC_WIRE_HOLE_MIN = 2048 /* bytes; less are moved with what is around them */
};

typedef struct mrpc_wire_out {
    uint8_t *start; /* the lowest byte that may be written */
    uint8_t *end;
    mrpc_gather *gather;
    int error; /* 0 with a NULL front: the buffer is too small, `needed` bytes would bring encoding further */
    uint32_t hole_count;
    size_t needed;
    size_t referred;                       /* bytes that are referenced so far */
    size_t refer_min;                      /* so many bytes are referenced; SIZE_MAX: nothing is */
    mrpc_wire_hole holes[MRPC_WIRE_HOLES]; /* the last one first */
} mrpc_wire_out;

typedef uint8_t *mrpc_wire_writer(mrpc_wire_out *out, uint8_t *front, const void *message, uint32_t depth);

MRPC_COLD uint8_t *mrpc_wire_refuse(mrpc_wire_out *out, int error, const char *where, const char *what)
{
    out->error = error;
    out->gather->where = where;
    out->gather->what = what;
    return NULL;
}

MRPC_COLD uint8_t *mrpc_wire_missing(mrpc_wire_out *out, const char *where)
{
    return mrpc_wire_refuse(out, MRPC_EINVAL, where, "is required and absent");
}

MRPC_COLD uint8_t *mrpc_wire_unnamed(mrpc_wire_out *out, const char *where)
{
    return mrpc_wire_refuse(out, MRPC_EINVAL, where, "has a number that its enum does not name");
}

/* There is no room for `bytes` before `front`. */
MRPC_COLD uint8_t *mrpc_wire_full(mrpc_wire_out *out, const uint8_t *front, size_t bytes, const char *where)
{
    size_t used = (size_t)(out->end - front), limit = out->gather->limit - out->referred;
    if (used > limit || bytes > limit - used)
        return mrpc_wire_refuse(out, MRPC_ELIMIT, where, "does not fit: the message is larger than the limit");
    out->needed = used + bytes;
    out->gather->where = where;
    return NULL;
}

MRPC_INLINE size_t mrpc_wire_room(const mrpc_wire_out *out, const uint8_t *front)
{
    return (size_t)(front - out->start);
}

/* The low 56 bits of a value, seven in each byte. */
MRPC_INLINE uint64_t mrpc_wire_spread_bits(uint64_t value)
{
    value = (value & UINT64_C(0x000000000fffffff)) | (value & UINT64_C(0x00fffffff0000000)) << 4;
    value = (value & UINT64_C(0x00003fff00003fff)) | (value & UINT64_C(0x0fffc0000fffc000)) << 2;
    return (value & UINT64_C(0x007f007f007f007f)) | (value & UINT64_C(0x3f803f803f803f80)) << 1;
}

/* Without looking whether there is room; up to 8 bytes before the new front are touched. Without a branch on the
 * length, which no processor predicts when it varies. */
MRPC_INLINE uint8_t *mrpc_wire_raw_any_varint(uint8_t *front, uint64_t value)
{
    if (MRPC_UNLIKELY(value >> 56 != 0)) {
        *--front = (uint8_t)(value >> 63);
        front += value >> 63 == 0; /* nine bytes */
        *--front = (uint8_t)((value >> 56 & 0x7f) | (value >> 63) << 7);
        mrpc_store8(front - 8, mrpc_wire_order8(mrpc_wire_spread_bits(value) | MRPC_HIGH_BITS));
        return front - 8;
    }
    unsigned last = (63 - (unsigned)__builtin_clzll(value | 1)) / 7; /* the last byte; the others have the high bit */
    uint64_t word = mrpc_wire_spread_bits(value) | (MRPC_HIGH_BITS & ((UINT64_C(1) << 8 * last) - 1));
    mrpc_store8(front - 8, mrpc_wire_order8(word << 8 * (7 - last)));
    return front - 1 - last;
}

/* The same where most values are small. */
MRPC_INLINE uint8_t *mrpc_wire_raw_varint(uint8_t *front, uint64_t value)
{
    if (MRPC_UNLIKELY(value >= 0x80))
        return mrpc_wire_raw_any_varint(front, value);
    *--front = (uint8_t)value;
    return front;
}

/* Likewise; `tag` is a constant. */
MRPC_INLINE uint8_t *mrpc_wire_raw_tag(uint8_t *front, uint32_t tag)
{
    if (tag < 0x80) {
        *--front = (uint8_t)tag;
    } else if (tag < 0x4000) {
        *--front = (uint8_t)(tag >> 7);
        *--front = (uint8_t)(tag | 0x80);
    } else {
        front = mrpc_wire_raw_varint(front, tag);
    }
    return front;
}

MRPC_INLINE uint8_t *mrpc_wire_raw_number(uint8_t *front, uint64_t value, mrpc_wire_kind kind)
{
    if (kind == MRPC_WIRE_FIXED64) {
        mrpc_store8(front -= 8, mrpc_wire_order8(value));
    } else if (kind == MRPC_WIRE_FIXED32) {
        uint32_t word = mrpc_wire_order4((uint32_t)value);
        memcpy(front -= 4, &word, sizeof word);
    } else {
        front = mrpc_wire_raw_varint(front, value);
    }
    return front;
}

/* A number with its tag (0: none) when there are less than MRPC_WIRE_HEAD bytes left, which may still be enough. */
MRPC_COLD uint8_t *mrpc_wire_put_tight(mrpc_wire_out *out, uint8_t *front, uint32_t tag, uint64_t value,
                                       mrpc_wire_kind kind, const char *where)
{
    uint8_t bytes[MRPC_WIRE_HEAD], *first = mrpc_wire_raw_number(bytes + sizeof bytes, value, kind);
    if (tag != 0)
        first = mrpc_wire_raw_varint(first, tag);
    size_t size = (size_t)(bytes + sizeof bytes - first);
    if (size > mrpc_wire_room(out, front))
        return mrpc_wire_full(out, front, size, where);
    memcpy(front - size, first, size);
    return front - size;
}

MRPC_INLINE uint8_t *mrpc_wire_put_value(mrpc_wire_out *out, uint8_t *front, uint32_t tag, uint64_t value,
                                         mrpc_wire_kind kind, const char *where)
{
    if (MRPC_UNLIKELY(mrpc_wire_room(out, front) < MRPC_WIRE_HEAD))
        return mrpc_wire_put_tight(out, front, tag, value, kind, where);
    return mrpc_wire_raw_tag(mrpc_wire_raw_number(front, value, kind), tag);
}

/* The beginning or the end of a group. */
MRPC_INLINE uint8_t *mrpc_wire_put_tag(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const char *where)
{
    if (MRPC_UNLIKELY(mrpc_wire_room(out, front) < MRPC_WIRE_HEAD))
        return mrpc_wire_put_tight(out, front, 0, tag, MRPC_WIRE_INT64, where);
    return mrpc_wire_raw_tag(front, tag);
}

/* A field of type number, with its tag. */
MRPC_INLINE uint8_t *mrpc_wire_put_number(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *number,
                                          mrpc_wire_kind kind, const char *where)
{
    return mrpc_wire_put_value(out, front, tag, mrpc_wire_load(number, kind), kind, where);
}

/* A number without presence: nothing when it is zero. */
MRPC_INLINE uint8_t *mrpc_wire_put_nonzero(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *number,
                                           mrpc_wire_kind kind, const char *where)
{
    uint64_t value = mrpc_wire_load(number, kind);
    return value == 0 ? front : mrpc_wire_put_value(out, front, tag, value, kind, where);
}

/* A number of a closed enum, with its tag when that is not 0. */
MRPC_INLINE uint8_t *mrpc_wire_put_enum(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *number,
                                        mrpc_enum_test *names, const char *where)
{
    uint64_t value = mrpc_wire_load(number, MRPC_WIRE_INT32);
    if (MRPC_UNLIKELY(!names((uint32_t)value)))
        return mrpc_wire_unnamed(out, where);
    if (MRPC_UNLIKELY(mrpc_wire_room(out, front) < MRPC_WIRE_HEAD))
        return mrpc_wire_put_tight(out, front, tag, value, MRPC_WIRE_INT32, where);
    front = mrpc_wire_raw_varint(front, value);
    return tag != 0 ? mrpc_wire_raw_tag(front, tag) : front;
}

/* While a message is encoded, the extents come in pairs, the last bytes of the message first: what the block has behind
 * the referenced bytes, up to those of the pair before, and the referenced bytes. */

/* References bytes, which belong at `front`. Something must be written before them until the next length is. */
MRPC_OUTLINE uint8_t *mrpc_wire_refer(mrpc_wire_out *out, uint8_t *front, const void *data, size_t size, bool text,
                                      const char *where)
{
    mrpc_gather *gather = out->gather;
    mrpc_extent *pair = &gather->extents[gather->extent_count];
    const uint8_t *last = gather->extent_count == 0 ? out->end : (const uint8_t *)pair[-2].data;
    size_t used = (size_t)(out->end - front) + out->referred;
    if (used > gather->limit || size > gather->limit - used)
        return mrpc_wire_refuse(out, MRPC_ELIMIT, where, "does not fit: the message is larger than the limit");
    if (text && !mrpc_text_valid((const char *)data, size))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "is not valid UTF-8");
    pair[0].data = front;
    pair[0].size = (uint64_t)(last - front);
    pair[1].data = data;
    pair[1].size = size;
    gather->extent_count += 2;
    out->referred += size;
    if (gather->extent_capacity - gather->extent_count < 3)
        out->refer_min = SIZE_MAX;
    return front;
}

/* Bytes that were referenced since the front was at `behind`. */
MRPC_OUTLINE size_t mrpc_wire_referred(const mrpc_wire_out *out, const uint8_t *behind)
{
    const mrpc_extent *extents = out->gather->extents;
    size_t bytes = 0;
    for (uint32_t i = out->gather->extent_count; i > 0 && (const uint8_t *)extents[i - 2].data <= behind; i -= 2)
        bytes += (size_t)extents[i - 1].size;
    return bytes;
}

/* The tag and length of what was written, and referenced, between `front` and `behind`. */
MRPC_INLINE uint8_t *mrpc_wire_put_length(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const uint8_t *behind,
                                          const char *where)
{
    size_t size = (size_t)(behind - front);
    if (MRPC_UNLIKELY(out->referred != 0))
        size += mrpc_wire_referred(out, behind);
    return mrpc_wire_put_value(out, front, tag, size, MRPC_WIRE_INT64, where);
}

/* What the inlined code leaves: no data, more than MRPC_SHORT bytes, little room, nothing at all. */
MRPC_OUTLINE uint8_t *mrpc_wire_put_long(mrpc_wire_out *out, uint8_t *front, const void *data, size_t size, bool text,
                                         const char *where)
{
    if (size == 0)
        return front;
    if (data == NULL)
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "has a size but its pointer is NULL");
    if (MRPC_UNLIKELY(size >= out->refer_min))
        return mrpc_wire_refer(out, front, data, size, text, where);
    if (size > mrpc_wire_room(out, front))
        return mrpc_wire_full(out, front, size, where);
    front -= size;
    if (!text || size < MRPC_SHORT)
        memcpy(front, data, size);
    else if (MRPC_LIKELY(mrpc_copy_long((char *)front, (const char *)data, size) == 0))
        return front;
    if (text && !mrpc_text_valid((const char *)front, size))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "is not valid UTF-8");
    return front;
}

/* The same for bytes that stay as they are until the encoding has ended: large ones leave a hole. */
MRPC_OUTLINE uint8_t *mrpc_wire_put_large(mrpc_wire_out *out, uint8_t *front, const void *data, size_t size,
                                          const char *where)
{
    if (size < MRPC_WIRE_HOLE_MIN || data == NULL || size >= out->refer_min || size > mrpc_wire_room(out, front) ||
        out->hole_count == MRPC_WIRE_HOLES)
        return mrpc_wire_put_long(out, front, data, size, false, where);
    mrpc_wire_hole *hole = &out->holes[out->hole_count++];
    hole->at = front - size;
    hole->data = data;
    hole->size = size;
    return hole->at;
}

/* A string or bytes, with length and tag. */
MRPC_INLINE uint8_t *mrpc_wire_put_run(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *data, size_t size,
                                       bool text, const char *where)
{
    if (MRPC_LIKELY(size - 1 < MRPC_SHORT && data != NULL &&
                    mrpc_wire_room(out, front) >= MRPC_SHORT + MRPC_WIRE_HEAD)) {
        front -= size;
        uint64_t high = mrpc_copy_exact((char *)front, (const char *)data, size);
        if (text && MRPC_UNLIKELY(high != 0) && !mrpc_text_valid((const char *)front, size))
            return mrpc_wire_refuse(out, MRPC_EINVAL, where, "is not valid UTF-8");
        *--front = (uint8_t)size;
        return mrpc_wire_raw_tag(front, tag);
    }
    uint8_t *behind = front;
    front = text ? mrpc_wire_put_long(out, front, data, size, true, where)
                 : mrpc_wire_put_large(out, front, data, size, where);
    return front == NULL ? NULL : mrpc_wire_put_length(out, front, tag, behind, where);
}

MRPC_INLINE uint8_t *mrpc_wire_put_string(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const mrpc_string *string,
                                          const char *where)
{
    return mrpc_wire_put_run(out, front, tag, string->data, string->size, true, where);
}

/* A string of proto2, which need not be UTF-8. */
MRPC_INLINE uint8_t *mrpc_wire_put_raw(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const mrpc_string *string,
                                       const char *where)
{
    return mrpc_wire_put_run(out, front, tag, string->data, string->size, false, where);
}

MRPC_INLINE uint8_t *mrpc_wire_put_bytes(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const mrpc_bytes *bytes,
                                         const char *where)
{
    return mrpc_wire_put_run(out, front, tag, bytes->data, bytes->size, false, where);
}

MRPC_INLINE uint8_t *mrpc_wire_put_strings(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *list,
                                           const char *where)
{
    const mrpc_string_list *strings = (const mrpc_string_list *)list;
    if (MRPC_UNLIKELY(strings->data == NULL && strings->size != 0))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "has a size but its pointer is NULL");
    for (size_t i = strings->size; front != NULL && i-- > 0;)
        front = mrpc_wire_put_string(out, front, tag, &strings->data[i], where);
    return front;
}

MRPC_INLINE uint8_t *mrpc_wire_put_raws(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *list,
                                        const char *where)
{
    const mrpc_string_list *strings = (const mrpc_string_list *)list;
    if (MRPC_UNLIKELY(strings->data == NULL && strings->size != 0))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "has a size but its pointer is NULL");
    for (size_t i = strings->size; front != NULL && i-- > 0;)
        front = mrpc_wire_put_raw(out, front, tag, &strings->data[i], where);
    return front;
}

MRPC_INLINE uint8_t *mrpc_wire_put_bytes_list(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *list,
                                              const char *where)
{
    const mrpc_bytes_list *items = (const mrpc_bytes_list *)list;
    if (MRPC_UNLIKELY(items->data == NULL && items->size != 0))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "has a size but its pointer is NULL");
    for (size_t i = items->size; front != NULL && i-- > 0;)
        front = mrpc_wire_put_bytes(out, front, tag, &items->data[i], where);
    return front;
}

/* The numbers of a list one behind the other, each with `tag` when that is not 0. */
MRPC_INLINE uint8_t *mrpc_wire_put_numbers(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *list,
                                           mrpc_wire_kind kind, const char *where)
{
    const mrpc_list *numbers = (const mrpc_list *)list;
    if (MRPC_UNLIKELY(numbers->data == NULL && numbers->size != 0))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "has a size but its pointer is NULL");
    for (size_t i = numbers->size; front != NULL && i-- > 0;) {
        uint64_t value = mrpc_wire_load((const char *)numbers->data + i * mrpc_wire_width(kind), kind);
        if (MRPC_UNLIKELY(mrpc_wire_room(out, front) < MRPC_WIRE_HEAD)) {
            front = mrpc_wire_put_tight(out, front, tag, value, kind, where);
            continue;
        }
        front = mrpc_wire_is_fixed(kind) ? mrpc_wire_raw_number(front, value, kind)
                                         : mrpc_wire_raw_any_varint(front, value);
        if (tag != 0)
            front = mrpc_wire_raw_tag(front, tag);
    }
    return front;
}

/* A packed list. */
MRPC_INLINE uint8_t *mrpc_wire_put_packed(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *list,
                                          mrpc_wire_kind kind, const char *where)
{
    const mrpc_list *numbers = (const mrpc_list *)list;
    uint8_t *behind = front;
    if (numbers->size == 0)
        return front;
    if (mrpc_wire_is_fixed(kind) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && numbers->size <= SIZE_MAX / 8)
        front = mrpc_wire_put_large(out, front, numbers->data, numbers->size * mrpc_wire_width(kind), where);
    else
        front = mrpc_wire_put_numbers(out, front, 0, list, kind, where);
    return front == NULL ? NULL : mrpc_wire_put_length(out, front, tag, behind, where);
}

/* The numbers of a list of a closed enum, each with `tag` when that is not 0. */
MRPC_INLINE uint8_t *mrpc_wire_put_enums(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *list,
                                         mrpc_enum_test *names, const char *where)
{
    const mrpc_list *numbers = (const mrpc_list *)list;
    if (MRPC_UNLIKELY(numbers->data == NULL && numbers->size != 0))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "has a size but its pointer is NULL");
    for (size_t i = numbers->size; front != NULL && i-- > 0;)
        front = mrpc_wire_put_enum(out, front, tag, (const char *)numbers->data + 4 * i, names, where);
    return front;
}

MRPC_INLINE uint8_t *mrpc_wire_put_packed_enums(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *list,
                                                mrpc_enum_test *names, const char *where)
{
    uint8_t *behind = front;
    if (((const mrpc_list *)list)->size == 0)
        return front;
    front = mrpc_wire_put_enums(out, front, 0, list, names, where);
    return front == NULL ? NULL : mrpc_wire_put_length(out, front, tag, behind, where);
}

/* A message that must be there. */
MRPC_INLINE uint8_t *mrpc_wire_put_element(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *message,
                                           uint32_t depth, mrpc_wire_writer *write, const char *where)
{
    uint8_t *behind = front;
    if (MRPC_UNLIKELY(message == NULL))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "is NULL where a message must be");
    if (MRPC_UNLIKELY(depth == 0))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "is nested deeper than the limit");
    front = write(out, front, message, depth - 1);
    return front == NULL ? NULL : mrpc_wire_put_length(out, front, tag, behind, where);
}

MRPC_INLINE uint8_t *mrpc_wire_put_message(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *message,
                                           uint32_t depth, mrpc_wire_writer *write, const char *where)
{
    return message == NULL ? front : mrpc_wire_put_element(out, front, tag, message, depth, write, where);
}

MRPC_INLINE uint8_t *mrpc_wire_put_messages(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *list,
                                            uint32_t depth, mrpc_wire_writer *write, const char *where)
{
    const mrpc_list *messages = (const mrpc_list *)list;
    if (MRPC_UNLIKELY(messages->data == NULL && messages->size != 0))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "has a size but its pointer is NULL");
    for (size_t i = messages->size; front != NULL && i-- > 0;) {
        const void *message;
        memcpy(&message, (const char *)messages->data + i * sizeof message, sizeof message);
        front = mrpc_wire_put_element(out, front, tag, message, depth, write, where);
    }
    return front;
}

/* A group that must be there; `tag` is that of its beginning. */
MRPC_INLINE uint8_t *mrpc_wire_put_group_element(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *message,
                                                 uint32_t depth, mrpc_wire_writer *write, const char *where)
{
    if (MRPC_UNLIKELY(message == NULL))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "is NULL where a message must be");
    if (MRPC_UNLIKELY(depth == 0))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "is nested deeper than the limit");
    front = mrpc_wire_put_tag(out, front, tag - MRPC_WIRE_GROUP + MRPC_WIRE_END, where);
    if (front != NULL)
        front = write(out, front, message, depth - 1);
    return front == NULL ? NULL : mrpc_wire_put_tag(out, front, tag, where);
}

MRPC_INLINE uint8_t *mrpc_wire_put_group(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *message,
                                         uint32_t depth, mrpc_wire_writer *write, const char *where)
{
    return message == NULL ? front : mrpc_wire_put_group_element(out, front, tag, message, depth, write, where);
}

MRPC_INLINE uint8_t *mrpc_wire_put_groups(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *list,
                                          uint32_t depth, mrpc_wire_writer *write, const char *where)
{
    const mrpc_list *messages = (const mrpc_list *)list;
    if (MRPC_UNLIKELY(messages->data == NULL && messages->size != 0))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "has a size but its pointer is NULL");
    for (size_t i = messages->size; front != NULL && i-- > 0;) {
        const void *message;
        memcpy(&message, (const char *)messages->data + i * sizeof message, sizeof message);
        front = mrpc_wire_put_group_element(out, front, tag, message, depth, write, where);
    }
    return front;
}

/* The entries of a map, each of `element` bytes. */
MRPC_INLINE uint8_t *mrpc_wire_put_entries(mrpc_wire_out *out, uint8_t *front, uint32_t tag, const void *map,
                                           size_t element, uint32_t depth, mrpc_wire_writer *write, const char *where)
{
    const mrpc_list *entries = (const mrpc_list *)map;
    if (MRPC_UNLIKELY(entries->data == NULL && entries->size != 0))
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "has a size but its pointer is NULL");
    for (size_t i = entries->size; front != NULL && i-- > 0;)
        front = mrpc_wire_put_element(out, front, tag, (const char *)entries->data + i * element, depth, write, where);
    return front;
}

/* When they are referenced, the first byte is copied all the same: unlike other fields they have no tag before them,
 * and mrpc_wire_referred() could not tell them from a part of the field before them. */
MRPC_OUTLINE uint8_t *mrpc_wire_put_kept(mrpc_wire_out *out, uint8_t *front, const mrpc_unknown *unknown,
                                         const char *where)
{
    size_t first = unknown->size >= out->refer_min;
    front = mrpc_wire_put_large(out, front, unknown->data + first, unknown->size - first, where);
    return first == 0 || front == NULL ? front : mrpc_wire_put_long(out, front, unknown->data, first, false, where);
}

MRPC_INLINE uint8_t *mrpc_wire_put_unknown(mrpc_wire_out *out, uint8_t *front, const mrpc_unknown *unknown,
                                           const char *where)
{
    return MRPC_LIKELY(unknown == NULL) ? front : mrpc_wire_put_kept(out, front, unknown, where);
}

/* Moves what was written from `front` on to the beginning, and fills the holes. */
MRPC_INLINE void mrpc_wire_settle(mrpc_wire_out *out, const uint8_t *front)
{
    uint8_t *to = out->start;
    while (MRPC_UNLIKELY(out->hole_count > 0)) {
        const mrpc_wire_hole *hole = &out->holes[--out->hole_count];
        size_t before = (size_t)(hole->at - front);
        memmove(to, front, before);
        memcpy(to + before, hole->data, hole->size);
        to += before + hole->size;
        front = hole->at + hole->size;
    }
    memmove(to, front, (size_t)(out->end - front));
}

/* Turns the pairs into all parts of the message in their order; the block is about to move from `front` to its place.
 */
MRPC_OUTLINE void mrpc_wire_settle_extents(mrpc_wire_out *out, const uint8_t *front)
{
    mrpc_gather *gather = out->gather;
    mrpc_extent *extents = gather->extents;
    uint32_t last = gather->extent_count;
    extents[last].data = front;
    extents[last].size = (uint64_t)((const uint8_t *)extents[last - 2].data - front);
    for (uint32_t i = 0; i < last - i; i++) {
        mrpc_extent part = extents[i];
        extents[i] = extents[last - i];
        extents[last - i] = part;
    }
    for (uint32_t i = 0; i <= last; i += 2)
        extents[i].data = out->start + ((const uint8_t *)extents[i].data - front);
    gather->extent_count = last + (extents[last].size != 0);
    gather->extent_size = out->referred;
}

/* Appends a message to the block of `gather`. */
MRPC_INLINE int mrpc_wire_encode(mrpc_gather *gather, const void *message, mrpc_wire_writer *write, const char *where)
{
    int error = mrpc_gather_begin(gather, where);
    while (error == 0) {
        mrpc_wire_out out;
        out.start = (uint8_t *)gather->block + gather->size;
        out.end = (uint8_t *)gather->block + gather->capacity;
        out.gather = gather;
        out.error = 0;
        out.hole_count = 0;
        out.needed = 0;
        out.referred = 0;
        out.refer_min = SIZE_MAX;
        if (MRPC_UNLIKELY(gather->extent_capacity >= 3)) {
            out.refer_min = gather->threshold > MRPC_SHORT ? gather->threshold : MRPC_SHORT + 1;
            gather->extent_count = 0;
        }
        uint8_t *front = write(&out, out.end, message, gather->depth);
        if (MRPC_LIKELY(front != NULL)) {
            size_t size = (size_t)(out.end - front);
            if (MRPC_UNLIKELY(gather->size > gather->limit || size + out.referred > gather->limit - gather->size)) {
                mrpc_wire_refuse(&out, MRPC_ELIMIT, where, "is larger than the limit");
                return out.error;
            }
            if (MRPC_UNLIKELY(out.referred != 0))
                mrpc_wire_settle_extents(&out, front);
            mrpc_wire_settle(&out, front);
            gather->size += size;
            return 0;
        }
        error = out.error != 0 ? out.error : mrpc_gather_more(gather, gather->size + out.needed);
    }
    return error;
}

/* --- decode --- */

/* mrpc_decoder.flags while a codec runs */
enum {
    MRPC_WIRE_UNSORTED = 1, /* a map has entries that did not come in ascending order */
    MRPC_WIRE_NO_MEMORY = 2,
    MRPC_WIRE_INCOMPLETE = 4 /* a message lacked a required field when it was read so far */
};

enum { MRPC_WIRE_ALIAS_MIN = 64 }; /* bytes; fewer are copied, even if they could stay where they are */

/* In the depth that the reader of a message is given: it is a group, and ends with a tag. */
#define MRPC_WIRE_GROUPED (UINT32_C(1) << 31)

typedef void mrpc_wire_starter(void *message);
typedef bool mrpc_wire_finisher(mrpc_decoder *decoder, void *message, uint32_t depth);
typedef bool mrpc_wire_completer(mrpc_decoder *decoder, void *entry);
typedef const uint8_t *mrpc_wire_reader(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end, void *message,
                                        uint32_t depth);

MRPC_COLD const uint8_t *mrpc_wire_wrong(mrpc_decoder *decoder, const uint8_t *at, const char *where, const char *what)
{
    decoder->cursor = at;
    decoder->where = where;
    decoder->what = what;
    return NULL;
}

MRPC_COLD const uint8_t *mrpc_wire_no_memory(mrpc_decoder *decoder, const uint8_t *at, const char *where)
{
    decoder->flags |= MRPC_WIRE_NO_MEMORY;
    return mrpc_wire_wrong(decoder, at, where, "there is no memory for it");
}

MRPC_COLD const uint8_t *mrpc_wire_too_deep(mrpc_decoder *decoder, const uint8_t *at, const char *where)
{
    return mrpc_wire_wrong(decoder, at, where, "is nested deeper than the limit");
}

/* Uninitialised memory of `bytes`, a multiple of 8. */
MRPC_INLINE void *mrpc_wire_alloc(mrpc_decoder *decoder, size_t bytes)
{
    mrpc_arena *arena = decoder->arena;
    char *memory = arena->cursor;
    if (MRPC_UNLIKELY(bytes > (size_t)(arena->end - memory)))
        return decoder->grow(arena, bytes);
    arena->cursor = memory + bytes;
    return memory;
}

/* The low seven bits of each of eight bytes, put together. */
MRPC_INLINE uint64_t mrpc_wire_gather_bits(uint64_t word)
{
    word = (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
    word = (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
    return (word & UINT64_C(0x000000000fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
}

/* A varint of more than one byte; NULL: cut off, longer than 10 bytes or more than 64 bits. */
MRPC_OUTLINE const uint8_t *mrpc_wire_long_varint(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    if (MRPC_LIKELY(end - at >= 8)) {
        uint64_t word = mrpc_wire_order8(mrpc_load8(at)), last = ~word & MRPC_HIGH_BITS;
        if (MRPC_LIKELY(last != 0)) {
            *value = mrpc_wire_gather_bits(word & (last ^ (last - 1)));
            return at + ((unsigned)__builtin_ctzll(last) + 1) / 8;
        }
        if (MRPC_LIKELY(end - at >= 10)) {
            *value = mrpc_wire_gather_bits(word & ~MRPC_HIGH_BITS) | (uint64_t)at[8] << 56;
            if (at[8] < 0x80)
                return at + 9;
            *value = (*value & ~(UINT64_C(1) << 63)) | (uint64_t)at[9] << 63;
            return at[9] > 1 ? NULL : at + 10;
        }
    }
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64 && at < end; shift += 7) {
        uint64_t byte = *at++;
        result |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return shift == 63 && byte > 1 ? NULL : at;
        }
    }
    return NULL;
}

MRPC_INLINE const uint8_t *mrpc_wire_take_varint(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                 uint64_t *value, const char *where)
{
    if (MRPC_LIKELY(at < end && *at < 0x80)) {
        *value = *at;
        return at + 1;
    }
    const uint8_t *next = mrpc_wire_long_varint(at, end, value);
    return MRPC_LIKELY(next != NULL) ? next
                                     : mrpc_wire_wrong(decoder, at, where, "has a varint that is cut off or too long");
}

/* A tag, of which the caller knows that at < end. */
MRPC_INLINE const uint8_t *mrpc_wire_take_tag(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                              uint32_t *tag, const char *where)
{
    if (MRPC_LIKELY(*at < 0x80)) {
        *tag = *at;
        return at + 1;
    }
    uint64_t value = 0;
    const uint8_t *next = mrpc_wire_long_varint(at, end, &value);
    if (MRPC_UNLIKELY(next == NULL || next - at > 5 || value > UINT32_MAX))
        return mrpc_wire_wrong(decoder, at, where, "has a tag that is cut off or too long");
    *tag = (uint32_t)value;
    return next;
}

/* A length; *behind is where what has this length ends. */
MRPC_INLINE const uint8_t *mrpc_wire_take_length(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                 const uint8_t **behind, const char *where)
{
    uint64_t length = 0;
    const uint8_t *next = mrpc_wire_take_varint(decoder, at, end, &length, where);
    if (MRPC_UNLIKELY(next == NULL))
        return NULL;
    if (MRPC_UNLIKELY(length > (uint64_t)(end - next)))
        return mrpc_wire_wrong(decoder, at, where, "has a length beyond the end of what it is in");
    *behind = next + length;
    return next;
}

MRPC_INLINE const uint8_t *mrpc_wire_take_value(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                uint64_t *value, mrpc_wire_kind kind, const char *where)
{
    if (!mrpc_wire_is_fixed(kind))
        return mrpc_wire_take_varint(decoder, at, end, value, where);
    size_t size = mrpc_wire_width(kind);
    if (MRPC_UNLIKELY((size_t)(end - at) < size))
        return mrpc_wire_wrong(decoder, at, where, "is cut off");
    *value = size == 8 ? mrpc_wire_order8(mrpc_load8(at)) : mrpc_wire_order4(mrpc_load4(at));
    return at + size;
}

MRPC_INLINE const uint8_t *mrpc_wire_take_number(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                 void *number, mrpc_wire_kind kind, const char *where)
{
    uint64_t value = 0;
    at = mrpc_wire_take_value(decoder, at, end, &value, kind, where);
    if (MRPC_LIKELY(at != NULL))
        mrpc_wire_store(number, value, kind);
    return at;
}

MRPC_INLINE const uint8_t *mrpc_wire_take_text(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                               mrpc_string *string, bool raw, const char *where)
{
    const uint8_t *behind = NULL;
    at = mrpc_wire_take_length(decoder, at, end, &behind, where);
    if (MRPC_UNLIKELY(at == NULL))
        return NULL;
    size_t size = (size_t)(behind - at);
    char *data = (char *)mrpc_wire_alloc(decoder, MRPC_TEXT_PADDED(size));
    if (MRPC_UNLIKELY(data == NULL))
        return mrpc_wire_no_memory(decoder, at, where);
    if (size == 0)
        mrpc_store8(data, 0);
    else if (raw)
        mrpc_text_copy_raw(data, (const char *)at, size);
    else if (MRPC_UNLIKELY(!mrpc_text_copy(data, (const char *)at, size)))
        return mrpc_wire_wrong(decoder, at, where, "is not valid UTF-8");
    string->data = data;
    string->size = size;
    return behind;
}

MRPC_INLINE const uint8_t *mrpc_wire_take_string(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                 mrpc_string *string, const char *where)
{
    return mrpc_wire_take_text(decoder, at, end, string, false, where);
}

/* A string of proto2, which need not be UTF-8. */
MRPC_INLINE const uint8_t *mrpc_wire_take_raw(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                              mrpc_string *string, const char *where)
{
    return mrpc_wire_take_text(decoder, at, end, string, true, where);
}

MRPC_INLINE const uint8_t *mrpc_wire_take_bytes(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                mrpc_bytes *bytes, const char *where)
{
    const uint8_t *behind = NULL;
    at = mrpc_wire_take_length(decoder, at, end, &behind, where);
    if (MRPC_UNLIKELY(at == NULL))
        return NULL;
    size_t size = (size_t)(behind - at);
    char *data = NULL;
    if (size >= MRPC_WIRE_ALIAS_MIN && (decoder->flags & MRPC_DECODE_ALIAS) != 0) {
        data = (char *)(uintptr_t)at;
    } else if (size != 0) {
        data = (char *)mrpc_wire_alloc(decoder, MRPC_PADDED(size));
        if (MRPC_UNLIKELY(data == NULL))
            return mrpc_wire_no_memory(decoder, at, where);
        mrpc_bytes_copy(data, at, size);
    }
    bytes->data = (uint8_t *)data;
    bytes->size = size;
    return behind;
}

/* Makes room for at least `extra` more elements, and at least as many as there are, so that appending costs linear
 * time. */
MRPC_OUTLINE bool mrpc_wire_list_grow(mrpc_decoder *decoder, mrpc_list *list, size_t element, size_t extra)
{
    size_t capacity = list->size + (extra > list->size ? extra : list->size);
    if (capacity < 4)
        capacity = 4;
    if (capacity > SIZE_MAX / 2 / element)
        return false;
    char *data = (char *)mrpc_wire_alloc(decoder, MRPC_PADDED(capacity * element));
    if (data == NULL)
        return false;
    if (list->size != 0)
        memcpy(data, list->data, list->size * element);
    list->data = data;
    list->capacity = capacity;
    return true;
}

/* Room for one more element, which is not counted yet; NULL: no memory. */
MRPC_INLINE char *mrpc_wire_list_room(mrpc_decoder *decoder, mrpc_list *list, size_t element)
{
    if (MRPC_UNLIKELY(list->size >= list->capacity) && !mrpc_wire_list_grow(decoder, list, element, 1))
        return NULL;
    return (char *)list->data + list->size * element;
}

MRPC_INLINE const uint8_t *mrpc_wire_add_string(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                void *list, const char *where)
{
    mrpc_string *room = (mrpc_string *)(void *)mrpc_wire_list_room(decoder, (mrpc_list *)list, sizeof *room);
    if (MRPC_UNLIKELY(room == NULL))
        return mrpc_wire_no_memory(decoder, at, where);
    at = mrpc_wire_take_string(decoder, at, end, room, where);
    ((mrpc_list *)list)->size += at != NULL;
    return at;
}

MRPC_INLINE const uint8_t *mrpc_wire_add_raw(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end, void *list,
                                             const char *where)
{
    mrpc_string *room = (mrpc_string *)(void *)mrpc_wire_list_room(decoder, (mrpc_list *)list, sizeof *room);
    if (MRPC_UNLIKELY(room == NULL))
        return mrpc_wire_no_memory(decoder, at, where);
    at = mrpc_wire_take_raw(decoder, at, end, room, where);
    ((mrpc_list *)list)->size += at != NULL;
    return at;
}

MRPC_INLINE const uint8_t *mrpc_wire_add_bytes(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end, void *list,
                                               const char *where)
{
    mrpc_bytes *room = (mrpc_bytes *)(void *)mrpc_wire_list_room(decoder, (mrpc_list *)list, sizeof *room);
    if (MRPC_UNLIKELY(room == NULL))
        return mrpc_wire_no_memory(decoder, at, where);
    at = mrpc_wire_take_bytes(decoder, at, end, room, where);
    ((mrpc_list *)list)->size += at != NULL;
    return at;
}

MRPC_INLINE const uint8_t *mrpc_wire_add_number(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                void *list, mrpc_wire_kind kind, const char *where)
{
    char *room = mrpc_wire_list_room(decoder, (mrpc_list *)list, mrpc_wire_width(kind));
    if (MRPC_UNLIKELY(room == NULL))
        return mrpc_wire_no_memory(decoder, at, where);
    at = mrpc_wire_take_number(decoder, at, end, room, kind, where);
    ((mrpc_list *)list)->size += at != NULL;
    return at;
}

/* How many varints end in [at, end). */
MRPC_INLINE size_t mrpc_wire_count_varints(const uint8_t *at, const uint8_t *end)
{
    size_t count = 0;
    for (; end - at >= 8; at += 8)
        count += (size_t)(((~mrpc_load8(at) & MRPC_HIGH_BITS) >> 7) * UINT64_C(0x0101010101010101) >> 56);
    for (; at < end; at++)
        count += *at < 0x80;
    return count;
}

/* The first bytes of a word, up to the one whose high bit is the lowest of `last`. */
MRPC_INLINE uint64_t mrpc_wire_upto(uint64_t word, uint64_t last)
{
    return word & (last ^ (last - 1));
}

/* How many bytes those are. */
MRPC_INLINE unsigned mrpc_wire_upto_size(uint64_t last)
{
    return ((unsigned)__builtin_ctzll(last) + 1) / 8;
}

/* Stores the varints of [at, end), one behind the other. Small numbers come eight at a time; others two at a time,
 * without a branch on their length, which no processor predicts when it varies. */
MRPC_INLINE const uint8_t *mrpc_wire_take_varints(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                  char *to, mrpc_wire_kind kind, const char *where)
{
    const size_t width = mrpc_wire_width(kind);
    for (; at < end; to += width) {
        uint64_t word = end - at >= 8 ? mrpc_wire_order8(mrpc_load8(at)) : ~UINT64_C(0), value = 0;
        uint64_t first = ~word & MRPC_HIGH_BITS, second = first & (first - 1); /* where varints end */
        if (first == MRPC_HIGH_BITS) {
            for (unsigned i = 0; i < 7; i++, to += width)
                mrpc_wire_store(to, at[i], kind);
            value = at[7];
            at += 8;
        } else if (MRPC_LIKELY(second != 0)) {
            mrpc_wire_store(to, mrpc_wire_gather_bits(mrpc_wire_upto(word, first)), kind);
            value = mrpc_wire_gather_bits(mrpc_wire_upto(word, second) >> (8 * mrpc_wire_upto_size(first)));
            at += mrpc_wire_upto_size(second);
            to += width;
        } else {
            at = mrpc_wire_take_varint(decoder, at, end, &value, where);
            if (MRPC_UNLIKELY(at == NULL))
                return NULL;
        }
        mrpc_wire_store(to, value, kind);
    }
    return at;
}

/* Stores the fixed-size numbers of [at, end). */
MRPC_INLINE void mrpc_wire_take_fixed(const uint8_t *at, const uint8_t *end, char *to, mrpc_wire_kind kind)
{
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
        memcpy(to, at, (size_t)(end - at));
    else if (kind == MRPC_WIRE_FIXED64)
        for (; at < end; at += 8, to += 8)
            mrpc_wire_store(to, mrpc_wire_order8(mrpc_load8(at)), kind);
    else
        for (; at < end; at += 4, to += 4)
            mrpc_wire_store(to, mrpc_wire_order4(mrpc_load4(at)), kind);
}

/* Appends the numbers of a packed field. */
MRPC_INLINE const uint8_t *mrpc_wire_add_packed(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                void *member, mrpc_wire_kind kind, const char *where)
{
    mrpc_list *list = (mrpc_list *)member;
    size_t width = mrpc_wire_width(kind);
    const uint8_t *behind = NULL;
    at = mrpc_wire_take_length(decoder, at, end, &behind, where);
    if (MRPC_UNLIKELY(at == NULL || at == behind))
        return at;
    if (mrpc_wire_is_fixed(kind) && MRPC_UNLIKELY((size_t)(behind - at) % width != 0))
        return mrpc_wire_wrong(decoder, at, where, "has a length that is no multiple of its elements");
    size_t count = mrpc_wire_is_fixed(kind) ? (size_t)(behind - at) / width : mrpc_wire_count_varints(at, behind);
    if (MRPC_UNLIKELY(count == 0))
        return mrpc_wire_wrong(decoder, at, where, "has a varint that is cut off or too long");
    if (count > list->capacity - list->size && !mrpc_wire_list_grow(decoder, list, width, count))
        return mrpc_wire_no_memory(decoder, at, where);
    char *to = (char *)list->data + list->size * width;
    if (mrpc_wire_is_fixed(kind))
        mrpc_wire_take_fixed(at, behind, to, kind);
    else if (MRPC_UNLIKELY(mrpc_wire_take_varints(decoder, at, behind, to, kind, where) == NULL))
        return NULL;
    list->size += count;
    return behind;
}

/* A new message of `size` bytes, a multiple of 8. */
MRPC_INLINE void *mrpc_wire_new(mrpc_decoder *decoder, size_t size, mrpc_wire_starter *start)
{
    mrpc_message *message = (mrpc_message *)mrpc_wire_alloc(decoder, size);
    if (MRPC_UNLIKELY(message == NULL))
        return NULL;
    memset((void *)message, 0, size);
    message->arena = decoder->arena;
    start(message);
    return message;
}

/* Merges a sub-message into *member, which is made when it is NULL. */
MRPC_INLINE const uint8_t *mrpc_wire_take_message(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                  void *member, size_t size, uint32_t depth, mrpc_wire_starter *start,
                                                  mrpc_wire_reader *read, const char *where)
{
    void *message;
    const uint8_t *behind = NULL;
    at = mrpc_wire_take_length(decoder, at, end, &behind, where);
    if (MRPC_UNLIKELY(at == NULL))
        return NULL;
    if (MRPC_UNLIKELY(depth == 0))
        return mrpc_wire_too_deep(decoder, at, where);
    memcpy(&message, member, sizeof message);
    if (message == NULL) {
        message = mrpc_wire_new(decoder, size, start);
        if (MRPC_UNLIKELY(message == NULL))
            return mrpc_wire_no_memory(decoder, at, where);
        memcpy(member, &message, sizeof message);
    }
    return read(decoder, at, behind, message, depth - 1);
}

MRPC_INLINE const uint8_t *mrpc_wire_add_message(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                 void *list, size_t size, uint32_t depth, mrpc_wire_starter *start,
                                                 mrpc_wire_reader *read, const char *where)
{
    char *room = mrpc_wire_list_room(decoder, (mrpc_list *)list, sizeof(void *));
    if (MRPC_UNLIKELY(room == NULL))
        return mrpc_wire_no_memory(decoder, at, where);
    memset(room, 0, sizeof(void *));
    at = mrpc_wire_take_message(decoder, at, end, room, size, depth, start, read, where);
    ((mrpc_list *)list)->size += at != NULL;
    return at;
}

/* Merges a group into *member, which is made when it is NULL. */
MRPC_INLINE const uint8_t *mrpc_wire_take_group(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                void *member, size_t size, uint32_t depth, mrpc_wire_starter *start,
                                                mrpc_wire_reader *read, const char *where)
{
    void *message;
    if (MRPC_UNLIKELY(depth == 0))
        return mrpc_wire_too_deep(decoder, at, where);
    memcpy(&message, member, sizeof message);
    if (message == NULL) {
        message = mrpc_wire_new(decoder, size, start);
        if (MRPC_UNLIKELY(message == NULL))
            return mrpc_wire_no_memory(decoder, at, where);
        memcpy(member, &message, sizeof message);
    }
    return read(decoder, at, end, message, (depth - 1) | MRPC_WIRE_GROUPED);
}

MRPC_INLINE const uint8_t *mrpc_wire_add_group(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end, void *list,
                                               size_t size, uint32_t depth, mrpc_wire_starter *start,
                                               mrpc_wire_reader *read, const char *where)
{
    char *room = mrpc_wire_list_room(decoder, (mrpc_list *)list, sizeof(void *));
    if (MRPC_UNLIKELY(room == NULL))
        return mrpc_wire_no_memory(decoder, at, where);
    memset(room, 0, sizeof(void *));
    at = mrpc_wire_take_group(decoder, at, end, room, size, depth, start, read, where);
    ((mrpc_list *)list)->size += at != NULL;
    return at;
}

/* Reads an entry of `element` bytes behind the last one of a map, which does not count it yet. `complete` gives it the
 * key and the value that the input left out. */
MRPC_INLINE const uint8_t *mrpc_wire_read_entry(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                mrpc_list *list, size_t element, uint32_t depth, mrpc_wire_reader *read,
                                                mrpc_wire_completer *complete, const char *where)
{
    const uint8_t *behind = NULL;
    at = mrpc_wire_take_length(decoder, at, end, &behind, where);
    if (MRPC_UNLIKELY(at == NULL))
        return NULL;
    if (MRPC_UNLIKELY(depth == 0))
        return mrpc_wire_too_deep(decoder, at, where);
    char *entry = mrpc_wire_list_room(decoder, list, element);
    if (MRPC_UNLIKELY(entry == NULL))
        return mrpc_wire_no_memory(decoder, at, where);
    memset(entry, 0, element);
    at = read(decoder, at, behind, entry, depth - 1);
    if (MRPC_UNLIKELY(at == NULL))
        return NULL;
    if (MRPC_UNLIKELY(!complete(decoder, entry)))
        return mrpc_wire_no_memory(decoder, at, where);
    return at;
}

/* Counts the entry that was read. */
MRPC_INLINE void mrpc_wire_count_entry(mrpc_decoder *decoder, mrpc_list *list, size_t element,
                                       mrpc_wire_ascends *ascends)
{
    const char *entry = (const char *)list->data + list->size * element;
    if (list->size != 0 && !ascends(entry - element, entry))
        decoder->flags |= MRPC_WIRE_UNSORTED;
    list->size++;
}

MRPC_INLINE const uint8_t *mrpc_wire_add_entry(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end, void *map,
                                               size_t element, uint32_t depth, mrpc_wire_reader *read,
                                               mrpc_wire_completer *complete, mrpc_wire_ascends *ascends,
                                               const char *where)
{
    mrpc_list *list = (mrpc_list *)map;
    at = mrpc_wire_read_entry(decoder, at, end, list, element, depth, read, complete, where);
    if (MRPC_LIKELY(at != NULL))
        mrpc_wire_count_entry(decoder, list, element, ascends);
    return at;
}

/* An empty text of an entry that the input left out; entries move, so it cannot point into itself. */
MRPC_INLINE bool mrpc_wire_complete_string(mrpc_decoder *decoder, mrpc_string *string)
{
    if (MRPC_LIKELY(string->data != NULL))
        return true;
    string->data = (char *)mrpc_wire_alloc(decoder, 8);
    if (string->data == NULL)
        return false;
    mrpc_store8(string->data, 0);
    return true;
}

MRPC_INLINE bool mrpc_wire_complete_message(mrpc_decoder *decoder, void *member, size_t size, mrpc_wire_starter *start)
{
    void *message;
    memcpy(&message, member, sizeof message);
    if (MRPC_LIKELY(message != NULL))
        return true;
    message = mrpc_wire_new(decoder, size, start);
    memcpy(member, &message, sizeof message);
    return message != NULL;
}

/* The end of a group that is not known, from behind its first tag. Groups in it are counted, not recursed into. */
MRPC_OUTLINE const uint8_t *mrpc_wire_skip_group(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                 uint32_t first, uint32_t depth, const char *where);

/* The end of a field that is not known, from behind its tag. */
MRPC_INLINE const uint8_t *mrpc_wire_skip_plain(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                uint32_t tag, const char *where)
{
    uint64_t value = 0;
    const uint8_t *behind = NULL;
    if (MRPC_UNLIKELY(tag >> 3 == 0))
        return mrpc_wire_wrong(decoder, at, where, "has a field with the number 0");
    switch (tag & 7) {
    case MRPC_WIRE_VARINT:
        return mrpc_wire_take_varint(decoder, at, end, &value, where);
    case MRPC_WIRE_8:
        return mrpc_wire_take_value(decoder, at, end, &value, MRPC_WIRE_FIXED64, where);
    case MRPC_WIRE_4:
        return mrpc_wire_take_value(decoder, at, end, &value, MRPC_WIRE_FIXED32, where);
    case MRPC_WIRE_BYTES:
        return mrpc_wire_take_length(decoder, at, end, &behind, where) == NULL ? NULL : behind;
    default:
        return mrpc_wire_wrong(decoder, at, where, "has a field with a wire type that cannot be there");
    }
}

MRPC_OUTLINE const uint8_t *mrpc_wire_skip_group(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                 uint32_t first, uint32_t depth, const char *where)
{
    uint32_t open[MRPC_DEPTH_LIMIT], count = 0;
    if (depth > MRPC_DEPTH_LIMIT)
        depth = MRPC_DEPTH_LIMIT;
    for (uint32_t tag = first;;) {
        if ((tag & 7) == MRPC_WIRE_GROUP && tag >> 3 != 0) {
            if (count == depth)
                return mrpc_wire_too_deep(decoder, at, where);
            open[count++] = tag >> 3;
        } else if ((tag & 7) == MRPC_WIRE_END) {
            if (open[count - 1] != tag >> 3)
                return mrpc_wire_wrong(decoder, at, where,
                                       "has a group that ends with another number than it began with");
            if (--count == 0)
                return at;
        } else {
            at = mrpc_wire_skip_plain(decoder, at, end, tag, where);
        }
        if (at == NULL)
            return NULL;
        if (at == end)
            return mrpc_wire_wrong(decoder, at, where, "has a group that does not end");
        at = mrpc_wire_take_tag(decoder, at, end, &tag, where);
        if (at == NULL)
            return NULL;
    }
}

/* Skips a field that is not known. */
MRPC_OUTLINE const uint8_t *mrpc_wire_skip(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end, uint32_t tag,
                                           uint32_t depth, const char *where)
{
    if ((tag & 7) == MRPC_WIRE_GROUP && tag >> 3 != 0)
        return mrpc_wire_skip_group(decoder, at, end, tag, depth, where);
    return mrpc_wire_skip_plain(decoder, at, end, tag, where);
}

/* Numbers from `start` up to, but not including, `end`. */
typedef struct mrpc_wire_range {
    uint32_t start, end;
} mrpc_wire_range;

MRPC_INLINE bool mrpc_wire_is_in(uint32_t number, const mrpc_wire_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (number >= ranges[i].start && number < ranges[i].end)
            return true;
    return false;
}

/* Copies the unknown fields whose numbers are in one of the ranges, or those that are in none, to `to`, where there is
 * room for `room` bytes; NULL: it only counts. What is not well-formed is in none. Returns the bytes that they have, or
 * SIZE_MAX when there was too little room. */
MRPC_OUTLINE size_t mrpc_wire_sift(const mrpc_unknown *unknown, const mrpc_wire_range *ranges, size_t count, bool in,
                                   uint8_t *to, size_t room, const char *where)
{
    const uint8_t *at = unknown->data, *end = at + unknown->size;
    mrpc_decoder decoder = {at, end, at, NULL, NULL, 0, 0, NULL, NULL, NULL};
    size_t size = 0;
    while (at < end) {
        uint32_t tag = 0;
        const uint8_t *behind = mrpc_wire_take_tag(&decoder, at, end, &tag, where);
        if (behind != NULL)
            behind = mrpc_wire_skip(&decoder, behind, end, tag, MRPC_DEPTH_LIMIT, where);
        bool taken = (behind != NULL && mrpc_wire_is_in(tag >> 3, ranges, count)) == in;
        size_t bytes = (size_t)((behind != NULL ? behind : end) - at);
        if (taken && to != NULL && bytes > room - size)
            return SIZE_MAX;
        if (taken && to != NULL)
            memcpy(to + size, at, bytes);
        size += taken ? bytes : 0;
        at += bytes;
    }
    return size;
}

/* Writes the unknown fields that are extensions in one of the ranges, or, with `in` false, those that are in none:
 * other implementations write extensions where their numbers belong among the fields. */
MRPC_OUTLINE uint8_t *mrpc_wire_put_sifted(mrpc_wire_out *out, uint8_t *front, const mrpc_unknown *unknown,
                                           const mrpc_wire_range *ranges, size_t count, bool in, const char *where)
{
    size_t size = mrpc_wire_sift(unknown, ranges, count, in, NULL, 0, where);
    if (size > mrpc_wire_room(out, front))
        return mrpc_wire_full(out, front, size, where);
    front -= size;
    if (mrpc_wire_sift(unknown, ranges, count, in, front, size, where) != size)
        return mrpc_wire_refuse(out, MRPC_EINVAL, where, "has unknown fields that change while it is written");
    return front;
}

MRPC_INLINE uint8_t *mrpc_wire_put_part(mrpc_wire_out *out, uint8_t *front, const mrpc_unknown *unknown,
                                        const mrpc_wire_range *ranges, size_t count, bool in, const char *where)
{
    return MRPC_LIKELY(unknown == NULL) ? front : mrpc_wire_put_sifted(out, front, unknown, ranges, count, in, where);
}

/* Adds the bytes from `field` to `at` to the unknown fields of the message. */
MRPC_OUTLINE const uint8_t *mrpc_wire_keep(mrpc_decoder *decoder, const uint8_t *field, const uint8_t *at,
                                           mrpc_message *message, const char *where)
{
    mrpc_unknown *unknown = message->unknown;
    size_t old = unknown == NULL ? 0 : unknown->size, extra = (size_t)(at - field);
    if (unknown == NULL || unknown->capacity < old || extra > unknown->capacity - old) {
        size_t capacity = MRPC_PADDED(2 * old + extra + 32);
        mrpc_unknown *larger = (mrpc_unknown *)mrpc_wire_alloc(decoder, sizeof *larger + capacity);
        if (larger == NULL)
            return mrpc_wire_no_memory(decoder, field, where);
        larger->capacity = capacity;
        if (old != 0)
            memcpy(larger->data, unknown->data, old);
        message->unknown = unknown = larger;
    }
    memcpy(unknown->data + old, field, extra);
    unknown->size = old + extra;
    return at;
}

/* Keeps a field that is not known; it began at `field`, its tag ended at `at`. */
MRPC_OUTLINE const uint8_t *mrpc_wire_take_unknown(mrpc_decoder *decoder, const uint8_t *field, const uint8_t *at,
                                                   const uint8_t *end, uint32_t tag, mrpc_message *message,
                                                   uint32_t depth, const char *where)
{
    at = mrpc_wire_skip(decoder, at, end, tag, depth, where);
    return at == NULL ? NULL : mrpc_wire_keep(decoder, field, at, message, where);
}

/* A number of a closed enum. One that the enum does not name becomes an unknown field, and *named false. */
MRPC_INLINE const uint8_t *mrpc_wire_take_enum(mrpc_decoder *decoder, const uint8_t *field, const uint8_t *at,
                                               const uint8_t *end, void *number, mrpc_message *message,
                                               mrpc_enum_test *names, bool *named, const char *where)
{
    uint64_t value = 0;
    at = mrpc_wire_take_varint(decoder, at, end, &value, where);
    *named = at != NULL && names((uint32_t)value);
    if (MRPC_LIKELY(*named))
        mrpc_wire_store(number, value, MRPC_WIRE_INT32);
    else if (at != NULL)
        at = mrpc_wire_keep(decoder, field, at, message, where);
    return at;
}

/* Appends such a number to a list, or to the unknown fields. */
MRPC_INLINE const uint8_t *mrpc_wire_add_enum(mrpc_decoder *decoder, const uint8_t *field, const uint8_t *at,
                                              const uint8_t *end, void *list, mrpc_message *message,
                                              mrpc_enum_test *names, const char *where)
{
    bool named = false;
    char *room = mrpc_wire_list_room(decoder, (mrpc_list *)list, sizeof(uint32_t));
    if (MRPC_UNLIKELY(room == NULL))
        return mrpc_wire_no_memory(decoder, at, where);
    at = mrpc_wire_take_enum(decoder, field, at, end, room, message, names, &named, where);
    ((mrpc_list *)list)->size += named;
    return at;
}

/* The same for a packed list. What becomes unknown gets `tag`, that of a number which is not packed. */
MRPC_INLINE const uint8_t *mrpc_wire_add_packed_enums(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end,
                                                      uint32_t tag, void *list, mrpc_message *message,
                                                      mrpc_enum_test *names, const char *where)
{
    mrpc_list *numbers = (mrpc_list *)list;
    const uint8_t *behind = NULL;
    at = mrpc_wire_take_length(decoder, at, end, &behind, where);
    if (MRPC_UNLIKELY(at == NULL))
        return NULL;
    size_t count = mrpc_wire_count_varints(at, behind);
    if (count > numbers->capacity - numbers->size && !mrpc_wire_list_grow(decoder, numbers, sizeof tag, count))
        return mrpc_wire_no_memory(decoder, at, where);
    while (at < behind) {
        uint8_t bytes[MRPC_WIRE_HEAD], *first = bytes + sizeof bytes;
        uint64_t value = 0;
        at = mrpc_wire_take_varint(decoder, at, behind, &value, where);
        if (MRPC_UNLIKELY(at == NULL))
            return NULL;
        if (MRPC_LIKELY(names((uint32_t)value))) {
            mrpc_wire_store((char *)numbers->data + numbers->size++ * sizeof tag, value, MRPC_WIRE_INT32);
            continue;
        }
        first = mrpc_wire_raw_varint(mrpc_wire_raw_varint(first, value), tag);
        if (mrpc_wire_keep(decoder, first, bytes + sizeof bytes, message, where) == NULL)
            return NULL;
    }
    return behind;
}

/* Appends an entry whose value is of a closed enum; all of it becomes an unknown field when the enum does not name the
 * value, which lies `offset` bytes in the entry. */
MRPC_INLINE const uint8_t *mrpc_wire_add_enum_entry(mrpc_decoder *decoder, const uint8_t *field, const uint8_t *at,
                                                    const uint8_t *end, void *map, size_t element, uint32_t depth,
                                                    mrpc_wire_reader *read, mrpc_wire_completer *complete,
                                                    mrpc_wire_ascends *ascends, size_t offset, mrpc_message *message,
                                                    mrpc_enum_test *names, const char *where)
{
    mrpc_list *list = (mrpc_list *)map;
    at = mrpc_wire_read_entry(decoder, at, end, list, element, depth, read, complete, where);
    if (MRPC_UNLIKELY(at == NULL))
        return NULL;
    if (!names(mrpc_load4((const char *)list->data + list->size * element + offset)))
        return mrpc_wire_keep(decoder, field, at, message, where);
    mrpc_wire_count_entry(decoder, list, element, ascends);
    return at;
}

/* A required field that did not come: false. */
MRPC_COLD bool mrpc_wire_lacks(mrpc_decoder *decoder, const char *where)
{
    return mrpc_wire_wrong(decoder, decoder->end, where, "is required and absent") != NULL;
}

/* One round of a merge sort: merges runs of `run` entries from one array to the other. Equal keys keep their order. */
MRPC_INLINE void mrpc_wire_merge_runs(const char *from, char *to, size_t size, size_t element, size_t run,
                                      mrpc_wire_ascends *ascends)
{
    for (size_t left = 0; left < size; left += 2 * run) {
        size_t middle = size - left < run ? size : left + run, end = size - left < 2 * run ? size : left + 2 * run;
        for (size_t a = left, b = middle, out = left; out < end; out++) {
            bool second = a == middle || (b < end && ascends(from + b * element, from + a * element));
            memcpy(to + out * element, from + (second ? b++ : a++) * element, element);
        }
    }
}

/* Sorts the entries of a map that did not come in order; of entries with the same key the last one stays. */
MRPC_OUTLINE bool mrpc_wire_sort(mrpc_decoder *decoder, void *map, size_t element, mrpc_wire_ascends *ascends,
                                 const char *where)
{
    mrpc_list *list = (mrpc_list *)map;
    char *from = (char *)list->data;
    size_t sorted = 1, kept = 0;
    while (sorted < list->size && ascends(from + (sorted - 1) * element, from + sorted * element))
        sorted++;
    if (sorted >= list->size)
        return true;
    char *to = (char *)mrpc_wire_alloc(decoder, MRPC_PADDED(list->size * element));
    if (to == NULL)
        return mrpc_wire_no_memory(decoder, decoder->end, where) != NULL;
    for (size_t run = 1; run < list->size; run *= 2) {
        mrpc_wire_merge_runs(from, to, list->size, element, run, ascends);
        char *other = from;
        from = to;
        to = other;
    }
    for (size_t i = 1; i < list->size; i++) {
        kept += ascends(from + kept * element, from + i * element);
        if (kept != i)
            memcpy(from + kept * element, from + i * element, element);
    }
    if (from != list->data)
        list->capacity = list->size;
    list->data = from;
    list->size = kept + 1;
    return true;
}

/* Looks through one sub-message, which may be NULL. */
MRPC_INLINE bool mrpc_wire_finish(mrpc_decoder *decoder, void *message, uint32_t depth, mrpc_wire_finisher *finish,
                                  const char *where)
{
    if (message == NULL)
        return true;
    if (MRPC_UNLIKELY(depth == 0))
        return mrpc_wire_too_deep(decoder, decoder->end, where) != NULL;
    return finish(decoder, message, depth - 1);
}

/* Gives a string that has no data yet an empty one: its own size, which is zero. */
MRPC_INLINE void mrpc_wire_start_string(mrpc_string *string)
{
    if (string->data == NULL)
        string->data = (char *)&string->size;
}

/* Decodes all of the input into `message`. `finish` (NULL for types without maps and required fields) sorts the maps
 * of the message and of those below it and looks for required fields; false: it failed. */
MRPC_INLINE int mrpc_wire_decode(mrpc_decoder *decoder, void *message, mrpc_wire_starter *start, mrpc_wire_reader *read,
                                 mrpc_wire_finisher *finish)
{
    start(message);
    const uint8_t *at = read(decoder, decoder->cursor, decoder->end, message, decoder->depth);
    if (at != NULL && MRPC_UNLIKELY((decoder->flags & (MRPC_WIRE_UNSORTED | MRPC_WIRE_INCOMPLETE)) != 0) &&
        finish != NULL && (decoder->flags & MRPC_DECODE_PARTIAL) == 0 && !finish(decoder, message, decoder->depth))
        at = NULL;
    if (MRPC_LIKELY(at != NULL)) {
        decoder->cursor = at;
        return 0;
    }
    return (decoder->flags & MRPC_WIRE_NO_MEMORY) != 0 ? MRPC_ENOMEM : MRPC_EFORMAT;
}

#ifdef __cplusplus
}
#endif

#endif /* MRPC_MARSHAL_PROTOBUF_H */
