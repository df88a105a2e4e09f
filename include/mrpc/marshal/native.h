/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * native.h - what generated code needs to write and to read the native encoding (docs/PROTOCOL.md, section 7)
 *
 * Marshalling (mrpc_native_put_…) copies each struct of the message into the block once, and from then on looks at that
 * copy only: the owner of the message may change it at any moment. Where a pointer was, the copy gets the offset of
 * what follows. When the block is too small the pass is given up, the block is made larger, at least twice as large,
 * and the pass begins again: so nothing moves during a pass, and all passes together cost at most twice the last one.
 *
 * Unmarshalling (mrpc_native_take_…) does the reverse in place: each offset must equal the reader's cursor.
 *
 * Functions that advance return the new cursor, a multiple of 8 from the beginning of the block, or NULL after a
 * failure, of which the reason is then in mrpc_gather or mrpc_scatter. `where` is always the full name of a field or
 * message.
 *
 * All of it is static and inlined, so that a module has no undefined symbols but memcpy and its like.
 */
#ifndef MRPC_MARSHAL_NATIVE_H
#define MRPC_MARSHAL_NATIVE_H

#include <mrpc/marshal.h>
#include <mrpc/marshal/mirror.h>
#include <mrpc/marshal/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- members that are nothing but values --- */

/* Clears the bits of a word of a struct that are not in `mask`: padding, capacities. */
#define MRPC_NATIVE_CLEAR(bits, base, offset, mask) mrpc_native_clear##bits((char *)(base) + (offset), (mask))
/* The bits of a word that are set although they are not in `mask`. */
#define MRPC_NATIVE_STRAY(bits, base, offset, mask)                                                                    \
    ((uint64_t)(*(const mrpc_word##bits *)((const char *)(base) + (offset)) & ~(mask)))

MRPC_INLINE void mrpc_native_clear64(char *at, uint64_t mask)
{
    *(mrpc_word64 *)at = mask == 0 ? 0 : *(mrpc_word64 *)at & mask;
}

MRPC_INLINE void mrpc_native_clear32(char *at, uint32_t mask)
{
    *(mrpc_word32 *)at &= mask;
}

MRPC_INLINE void mrpc_native_clear16(char *at, uint16_t mask)
{
    *(mrpc_word16 *)at = (mrpc_word16)(*(mrpc_word16 *)at & mask);
}

MRPC_INLINE void mrpc_native_clear8(char *at, uint8_t mask)
{
    *(mrpc_word8 *)at = (mrpc_word8)(*(mrpc_word8 *)at & mask);
}

/* All ones when `has` is 1, 0 when it is 0: absent values are zero. */
MRPC_INLINE uint64_t mrpc_native_if(uint8_t has)
{
    return (uint64_t)0 - has;
}

/* Whether `size` bytes are all zero; size is a constant. */
MRPC_INLINE bool mrpc_native_is_zero(const void *at, size_t size)
{
    const char *bytes = (const char *)at;
    uint64_t any = 0;
    for (; size >= 8; size -= 8, bytes += 8)
        any |= mrpc_load8(bytes);
    for (; size > 0; size--, bytes++)
        any |= (uint8_t)*bytes;
    return any == 0;
}

/* Order of text keys: by byte, the shorter first. Both texts are padded with zero to words of 8; a size of 0 reads
 * nothing. */
MRPC_INLINE bool mrpc_native_text_ascends(const char *a, size_t a_size, const char *b, size_t b_size)
{
    if (a_size == 0 || b_size == 0)
        return b_size != 0;
    size_t shorter = a_size < b_size ? a_size : b_size;
    for (size_t at = 0; at <= shorter; at += 8) {
        uint64_t x = __builtin_bswap64(mrpc_load8(a + at)), y = __builtin_bswap64(mrpc_load8(b + at));
        if (x != y)
            return x < y;
    }
    return a_size < b_size;
}

/* --- marshal --- */

typedef struct mrpc_native_out {
    char *base;
    char *end;
    mrpc_gather *gather;
    uint32_t extents;   /* that there is still room for */
    uint32_t threshold; /* bytes */
    int error;          /* 0 with a NULL cursor: the block is too small, `needed` bytes would bring the pass further */
    size_t needed;
} mrpc_native_out;

typedef char *mrpc_native_writer(mrpc_native_out *out, char *cursor, const void *source, uint32_t depth);

MRPC_COLD char *mrpc_native_refuse(mrpc_native_out *out, int error, const char *where, const char *what)
{
    out->error = error;
    out->gather->where = where;
    out->gather->what = what;
    return NULL;
}

/* There is no room for `count` things of `element` bytes at `cursor`. */
MRPC_COLD char *mrpc_native_full(mrpc_native_out *out, const char *cursor, size_t count, size_t element,
                                 const char *where)
{
    size_t used = (size_t)(cursor - out->base), limit = out->gather->limit;
    if (used > limit || count > (limit - used) / element || MRPC_PADDED(count * element) > limit - used)
        return mrpc_native_refuse(out, MRPC_ELIMIT, where, "does not fit: the message is larger than the limit");
    out->needed = used + MRPC_PADDED(count * element);
    out->gather->where = where;
    return NULL;
}

MRPC_COLD char *mrpc_native_no_data(mrpc_native_out *out, const char *where)
{
    return mrpc_native_refuse(out, MRPC_EINVAL, where, "has a size but its pointer is NULL");
}

MRPC_COLD char *mrpc_native_bad_text(mrpc_native_out *out, const char *where)
{
    return mrpc_native_refuse(out, MRPC_EINVAL, where, "is not valid UTF-8");
}

MRPC_COLD char *mrpc_native_too_deep(mrpc_native_out *out, const char *where)
{
    return mrpc_native_refuse(out, MRPC_EINVAL, where, "is nested deeper than the limit");
}

MRPC_COLD char *mrpc_native_bad_order(mrpc_native_out *out, const char *where)
{
    return mrpc_native_refuse(out, MRPC_EINVAL, where, "has keys that are not in ascending order, each once");
}

MRPC_COLD char *mrpc_native_missing(mrpc_native_out *out, const char *where)
{
    return mrpc_native_refuse(out, MRPC_EINVAL, where, "is required and absent");
}

MRPC_COLD char *mrpc_native_unnamed(mrpc_native_out *out, const char *where)
{
    return mrpc_native_refuse(out, MRPC_EINVAL, where, "has a number that its enum does not name");
}

MRPC_INLINE size_t mrpc_native_room(const mrpc_native_out *out, const char *cursor)
{
    return (size_t)(out->end - cursor);
}

/* Whether there may be too little room for a text of MRPC_SHORT bytes. */
MRPC_INLINE bool mrpc_native_is_near_end(const mrpc_native_out *out, const char *cursor)
{
    return (uintptr_t)cursor + MRPC_TEXT_PADDED(MRPC_SHORT) > (uintptr_t)out->end;
}

/* A pointer member that says where the thing at `cursor` is. */
MRPC_INLINE void *mrpc_native_offset(const mrpc_native_out *out, const char *cursor)
{
    return (void *)(uintptr_t)(cursor - out->base);
}

/* Copies a struct; `size` is a constant and a multiple of 8. */
MRPC_INLINE char *mrpc_native_put_struct(mrpc_native_out *out, char *cursor, const void *source, size_t size,
                                         const char *where)
{
    if (MRPC_UNLIKELY(mrpc_native_room(out, cursor) < size))
        return mrpc_native_full(out, cursor, 1, size, where);
    for (size_t at = 0; at < size; at += 128) /* larger constant sizes become calls, or slow string instructions */
        memcpy(cursor + at, (const char *)source + at, size - at < 128 ? size - at : 128);
    MRPC_SNAPSHOT_TAKEN();
    return cursor + size;
}

MRPC_OUTLINE char *mrpc_native_put_unknown_fields(mrpc_native_out *out, char *cursor, mrpc_pointer *unknown,
                                                  const char *where)
{
    const mrpc_unknown *source = (const mrpc_unknown *)*unknown;
    size_t size = *(const volatile size_t *)&source->size;
    *unknown = NULL;
    if (size == 0)
        return cursor;
    if (size > SIZE_MAX / 2 || mrpc_native_room(out, cursor) < sizeof *source + MRPC_PADDED(size))
        return mrpc_native_full(out, cursor, size > SIZE_MAX / 2 ? size : size + sizeof *source, 1, where);
    *unknown = mrpc_native_offset(out, cursor);
    mrpc_store8(cursor, size);
    mrpc_store8(cursor + sizeof size, 0);
    cursor += sizeof *source;
    mrpc_bytes_copy(cursor, source->data, size);
    return cursor + MRPC_PADDED(size);
}

MRPC_INLINE char *mrpc_native_put_unknown(mrpc_native_out *out, char *cursor, void *unknown, const char *where)
{
    if (MRPC_LIKELY(*(mrpc_pointer *)unknown == NULL))
        return cursor;
    return mrpc_native_put_unknown_fields(out, cursor, (mrpc_pointer *)unknown, where);
}

/* The cases that the inlined copy leaves: no data, more than MRPC_SHORT bytes, little room. */
MRPC_OUTLINE char *mrpc_native_put_long_string(mrpc_native_out *out, char *cursor, mrpc_span *string, const char *where)
{
    const char *text = (const char *)string->data;
    size_t size = string->size;
    if (text == NULL)
        return mrpc_native_no_data(out, where);
    if (size >= mrpc_native_room(out, cursor))
        return mrpc_native_full(out, cursor, size == SIZE_MAX ? size : size + 1, 1, where);
    string->data = mrpc_native_offset(out, cursor);
    return mrpc_text_copy(cursor, text, size) ? cursor + MRPC_TEXT_PADDED(size) : mrpc_native_bad_text(out, where);
}

MRPC_INLINE char *mrpc_native_put_string(mrpc_native_out *out, char *cursor, void *member, const char *where)
{
    mrpc_span *string = (mrpc_span *)member;
    const char *text = (const char *)string->data;
    size_t size = string->size;
    if (MRPC_UNLIKELY(size - 1 >= MRPC_SHORT || text == NULL || mrpc_native_is_near_end(out, cursor))) {
        if (size != 0)
            return mrpc_native_put_long_string(out, cursor, string, where);
        string->data = NULL;
        return cursor;
    }
    string->data = mrpc_native_offset(out, cursor);
    if (MRPC_UNLIKELY(!mrpc_text_copy(cursor, text, size)))
        return mrpc_native_bad_text(out, where);
    return cursor + MRPC_TEXT_PADDED(size);
}

/* A string of proto2, which need not be UTF-8. */
MRPC_INLINE char *mrpc_native_put_raw(mrpc_native_out *out, char *cursor, void *member, const char *where)
{
    mrpc_span *string = (mrpc_span *)member;
    const char *text = (const char *)string->data;
    size_t size = string->size;
    if (size == 0) {
        string->data = NULL;
        return cursor;
    }
    if (MRPC_UNLIKELY(text == NULL))
        return mrpc_native_no_data(out, where);
    if (MRPC_UNLIKELY(size >= mrpc_native_room(out, cursor)))
        return mrpc_native_full(out, cursor, size == SIZE_MAX ? size : size + 1, 1, where);
    string->data = mrpc_native_offset(out, cursor);
    mrpc_text_copy_raw(cursor, text, size);
    return cursor + MRPC_TEXT_PADDED(size);
}

/* References `bytes` bytes where they lie; false when the number of extents or the limit does not allow it. */
MRPC_INLINE bool mrpc_native_put_extent(mrpc_native_out *out, mrpc_span *span, size_t bytes)
{
    mrpc_gather *gather = out->gather;
    if (out->extents == 0 || bytes > gather->limit - gather->extent_size)
        return false;
    out->extents--;
    gather->extents[gather->extent_count].data = span->data;
    gather->extents[gather->extent_count].size = bytes;
    gather->extent_size += bytes;
    span->data = (void *)(uintptr_t)(MRPC_NATIVE_EXTERNAL + gather->extent_count++);
    return true;
}

/* Copies `size` elements of `element` bytes and leaves their offset in the span. The elements must not be read from
 * their source again. */
MRPC_INLINE char *mrpc_native_put_array(mrpc_native_out *out, char *cursor, mrpc_span *span, size_t element,
                                        const char *where)
{
    const void *source = span->data;
    size_t size = span->size;
    if (MRPC_UNLIKELY(source == NULL))
        return mrpc_native_no_data(out, where);
    if (MRPC_UNLIKELY(size > mrpc_native_room(out, cursor) / element))
        return mrpc_native_full(out, cursor, size, element, where);
    span->data = mrpc_native_offset(out, cursor);
    mrpc_bytes_copy(cursor, source, size * element);
    MRPC_SNAPSHOT_TAKEN();
    return cursor + MRPC_PADDED(size * element);
}

/* bytes (element 1) and lists of numbers: a reference when they are large, a copy when they are not. */
MRPC_INLINE char *mrpc_native_put_numbers(mrpc_native_out *out, char *cursor, void *member, size_t element,
                                          const char *where)
{
    mrpc_span *span = (mrpc_span *)member;
    size_t size = span->size;
    if (size == 0) {
        span->data = NULL;
        return cursor;
    }
    if (MRPC_UNLIKELY(size >= out->threshold / element) && size < SIZE_MAX / element &&
        size * element >= out->threshold && span->data != NULL && mrpc_native_put_extent(out, span, size * element))
        return cursor;
    return mrpc_native_put_array(out, cursor, span, element, where);
}

MRPC_INLINE char *mrpc_native_put_bools(mrpc_native_out *out, char *cursor, void *member, const char *where)
{
    mrpc_span *span = (mrpc_span *)member;
    size_t size = span->size;
    uint8_t *copy = (uint8_t *)cursor;
    if (size == 0) {
        span->data = NULL;
        return cursor;
    }
    cursor = mrpc_native_put_array(out, cursor, span, 1, where);
    for (size_t i = 0; cursor != NULL && i < size; i++)
        copy[i] = copy[i] != 0;
    return cursor;
}

/* A list of a closed enum: never a reference, for the receiver looks at the values. */
MRPC_INLINE char *mrpc_native_put_enums(mrpc_native_out *out, char *cursor, void *member, mrpc_enum_test *names,
                                        const char *where)
{
    mrpc_span *span = (mrpc_span *)member;
    const mrpc_word32 *copy = (const mrpc_word32 *)(void *)cursor;
    size_t size = span->size;
    if (size == 0) {
        span->data = NULL;
        return cursor;
    }
    cursor = mrpc_native_put_array(out, cursor, span, sizeof *copy, where);
    for (size_t i = 0; cursor != NULL && i < size; i++)
        if (MRPC_UNLIKELY(!names(copy[i])))
            return mrpc_native_unnamed(out, where);
    return cursor;
}

MRPC_INLINE char *mrpc_native_put_strings(mrpc_native_out *out, char *cursor, void *member, const char *where)
{
    mrpc_span *span = (mrpc_span *)member, *items = (mrpc_span *)cursor;
    size_t size = span->size;
    if (size == 0) {
        span->data = NULL;
        return cursor;
    }
    cursor = mrpc_native_put_array(out, cursor, span, sizeof *items, where);
    for (size_t i = 0; cursor != NULL && i < size; i++)
        cursor = mrpc_native_put_string(out, cursor, &items[i], where);
    return cursor;
}

MRPC_INLINE char *mrpc_native_put_raws(mrpc_native_out *out, char *cursor, void *member, const char *where)
{
    mrpc_span *span = (mrpc_span *)member, *items = (mrpc_span *)cursor;
    size_t size = span->size;
    if (size == 0) {
        span->data = NULL;
        return cursor;
    }
    cursor = mrpc_native_put_array(out, cursor, span, sizeof *items, where);
    for (size_t i = 0; cursor != NULL && i < size; i++)
        cursor = mrpc_native_put_raw(out, cursor, &items[i], where);
    return cursor;
}

MRPC_INLINE char *mrpc_native_put_bytes_list(mrpc_native_out *out, char *cursor, void *member, const char *where)
{
    mrpc_span *span = (mrpc_span *)member, *items = (mrpc_span *)cursor;
    size_t size = span->size;
    if (size == 0) {
        span->data = NULL;
        return cursor;
    }
    cursor = mrpc_native_put_array(out, cursor, span, sizeof *items, where);
    for (size_t i = 0; cursor != NULL && i < size; i++)
        cursor = mrpc_native_put_numbers(out, cursor, &items[i], 1, where);
    return cursor;
}

/* A message that must be there: an element of a list, a value of a map. */
MRPC_INLINE char *mrpc_native_put_element(mrpc_native_out *out, char *cursor, void *member, uint32_t depth,
                                          mrpc_native_writer *write, const char *where)
{
    mrpc_pointer *pointer = (mrpc_pointer *)member;
    const void *source = *pointer;
    if (MRPC_UNLIKELY(source == NULL))
        return mrpc_native_refuse(out, MRPC_EINVAL, where, "is NULL where a message must be");
    if (MRPC_UNLIKELY(depth == 0))
        return mrpc_native_too_deep(out, where);
    *pointer = mrpc_native_offset(out, cursor);
    return write(out, cursor, source, depth - 1);
}

MRPC_INLINE char *mrpc_native_put_message(mrpc_native_out *out, char *cursor, void *member, uint32_t depth,
                                          mrpc_native_writer *write, const char *where)
{
    return *(mrpc_pointer *)member == NULL ? cursor : mrpc_native_put_element(out, cursor, member, depth, write, where);
}

MRPC_INLINE char *mrpc_native_put_messages(mrpc_native_out *out, char *cursor, void *member, uint32_t depth,
                                           mrpc_native_writer *write, const char *where)
{
    mrpc_span *span = (mrpc_span *)member;
    mrpc_pointer *items = (mrpc_pointer *)cursor;
    size_t size = span->size;
    if (size == 0) {
        span->data = NULL;
        return cursor;
    }
    cursor = mrpc_native_put_array(out, cursor, span, sizeof *items, where);
    for (size_t i = 0; cursor != NULL && i < size; i++)
        cursor = mrpc_native_put_element(out, cursor, &items[i], depth, write, where);
    return cursor;
}

/* The entries of a map that is not empty; what they point to comes behind them, entry by entry. */
MRPC_INLINE char *mrpc_native_put_entries(mrpc_native_out *out, char *cursor, void *member, size_t element,
                                          uint32_t depth, const char *where)
{
    if (MRPC_UNLIKELY(depth == 0))
        return mrpc_native_too_deep(out, where);
    return mrpc_native_put_array(out, cursor, (mrpc_span *)member, element, where);
}

/* Makes room after a pass that ended early. */
MRPC_COLD int mrpc_native_retry(mrpc_gather *gather, const mrpc_native_out *out)
{
    if (out->error != 0)
        return out->error;
    gather->size = 0;
    return mrpc_gather_more(gather, out->needed);
}

/* Marshals a message into the empty block of `gather`. `threshold` is what the module was built for, 0: whatever the
 * caller says. */
MRPC_INLINE int mrpc_native_marshal(mrpc_gather *gather, const void *message, uint32_t threshold,
                                    mrpc_native_writer *write, const char *where)
{
    bool never = gather->threshold == UINT32_MAX;
    int error = mrpc_gather_begin(gather, where);
    while (error == 0) {
        mrpc_native_out out = {gather->block,
                               gather->block + (gather->capacity & ~(size_t)7),
                               gather,
                               never ? 0 : gather->extent_capacity,
                               threshold == 0 || never ? gather->threshold : threshold,
                               0,
                               0};
        gather->extent_count = 0;
        gather->extent_size = 0;
        char *cursor = write(&out, out.base, message, gather->depth);
        if (MRPC_LIKELY(cursor != NULL)) {
            gather->size = (size_t)(cursor - out.base);
            if (MRPC_LIKELY(gather->size <= gather->limit - gather->extent_size))
                return 0;
            mrpc_native_refuse(&out, MRPC_ELIMIT, where, "is larger than the limit");
        }
        error = mrpc_native_retry(gather, &out);
    }
    return error;
}

/* --- unmarshal --- */

typedef struct mrpc_native_in {
    char *base;
    char *end;
    mrpc_scatter *scatter;
} mrpc_native_in;

typedef char *mrpc_native_reader(mrpc_native_in *in, char *cursor, uint32_t depth);

MRPC_COLD char *mrpc_native_wrong(mrpc_native_in *in, const char *cursor, const char *where, const char *what)
{
    in->scatter->cursor = (size_t)(cursor - in->base);
    in->scatter->where = where;
    in->scatter->what = what;
    return NULL;
}

/* Why an offset, or the size of what it points to, was refused. */
MRPC_COLD char *mrpc_native_misplaced(mrpc_native_in *in, const char *cursor, const mrpc_span *span, const char *where)
{
    uint64_t offset = (uint64_t)(uintptr_t)span->data;
    if (span->size == 0)
        return mrpc_native_wrong(in, cursor, where, "is empty but has an offset");
    if (offset == 0)
        return mrpc_native_wrong(in, cursor, where, "has a size but no offset");
    if (offset != (uint64_t)(cursor - in->base))
        return mrpc_native_wrong(in, cursor, where, "has an offset that is not where the next thing is");
    return mrpc_native_wrong(in, cursor, where, "reaches beyond the end of the message");
}

MRPC_COLD char *mrpc_native_bad_padding(mrpc_native_in *in, const char *cursor, const char *where)
{
    return mrpc_native_wrong(in, cursor, where, "is followed by bytes that should be zero");
}

MRPC_COLD char *mrpc_native_deep(mrpc_native_in *in, const char *cursor, const char *where)
{
    return mrpc_native_wrong(in, cursor, where, "is nested deeper than the limit");
}

MRPC_COLD char *mrpc_native_disorder(mrpc_native_in *in, const char *cursor, const char *where)
{
    return mrpc_native_wrong(in, cursor, where, "has keys that are not in ascending order, each once");
}

MRPC_COLD char *mrpc_native_lacks(mrpc_native_in *in, const char *cursor, const char *where)
{
    return mrpc_native_wrong(in, cursor, where, "is required and absent");
}

MRPC_COLD char *mrpc_native_nameless(mrpc_native_in *in, const char *cursor, const char *where)
{
    return mrpc_native_wrong(in, cursor, where, "has a number that its enum does not name");
}

MRPC_INLINE size_t mrpc_native_left(const mrpc_native_in *in, const char *cursor)
{
    return (size_t)(in->end - cursor);
}

MRPC_INLINE bool mrpc_native_is_here(const mrpc_native_in *in, const char *cursor, const void *pointer)
{
    return (uintptr_t)pointer == (uintptr_t)(cursor - in->base);
}

/* Whether the bytes behind the first `size` are zero up to the next multiple of 8; size is not 0. */
MRPC_INLINE bool mrpc_native_padded(const char *at, size_t size)
{
    return size % 8 == 0 || mrpc_load8(at + (size & ~(size_t)7)) >> (8 * (size % 8)) == 0;
}

MRPC_OUTLINE char *mrpc_native_take_unknown_fields(mrpc_native_in *in, char *cursor, mrpc_pointer *unknown,
                                                   const char *where)
{
    size_t room = mrpc_native_left(in, cursor);
    mrpc_unknown *fields = (mrpc_unknown *)(void *)cursor;
    if (!mrpc_native_is_here(in, cursor, *unknown) || room < sizeof *fields)
        return mrpc_native_wrong(in, cursor, where, "has unknown fields that are not where the next thing is");
    size_t size = (size_t)mrpc_load8(cursor);
    if (size == 0 || mrpc_load8(cursor + 8) != 0 || size > room - sizeof *fields)
        return mrpc_native_wrong(in, cursor, where, "has unknown fields with a size that cannot be");
    *unknown = fields;
    cursor += sizeof *fields;
    return mrpc_native_padded(cursor, size) ? cursor + MRPC_PADDED(size) : mrpc_native_bad_padding(in, cursor, where);
}

MRPC_INLINE char *mrpc_native_take_unknown(mrpc_native_in *in, char *cursor, void *unknown, const char *where)
{
    if (MRPC_LIKELY(*(mrpc_pointer *)unknown == NULL))
        return cursor;
    return mrpc_native_take_unknown_fields(in, cursor, (mrpc_pointer *)unknown, where);
}

/* The cases that the inlined code leaves: nothing at all, MRPC_SHORT bytes or more, other text than ASCII, errors. */
MRPC_OUTLINE char *mrpc_native_take_other_string(mrpc_native_in *in, char *cursor, mrpc_span *string, const char *where)
{
    size_t size = string->size;
    if (size == 0) {
        if (string->data != NULL)
            return mrpc_native_misplaced(in, cursor, string, where);
        string->data = &string->size; /* whose bytes are zero: never NULL, and nothing outside of the message */
        return cursor;
    }
    if (!mrpc_native_is_here(in, cursor, string->data) || size >= mrpc_native_left(in, cursor))
        return mrpc_native_misplaced(in, cursor, string, where);
    if (mrpc_load8(cursor + (size & ~(size_t)7)) >> (8 * size & 63) != 0)
        return mrpc_native_bad_padding(in, cursor, where);
    if (!mrpc_text_valid(cursor, size))
        return mrpc_native_wrong(in, cursor, where, "is not valid UTF-8");
    string->data = cursor;
    return cursor + MRPC_TEXT_PADDED(size);
}

MRPC_INLINE char *mrpc_native_take_string(mrpc_native_in *in, char *cursor, void *member, const char *where)
{
    mrpc_span *string = (mrpc_span *)member;
    size_t size = string->size;
    if (MRPC_LIKELY(size - 1 < MRPC_SHORT - 1 && size < mrpc_native_left(in, cursor))) {
        uint64_t behind = mrpc_load8(cursor + (size & ~(size_t)7)) >> (8 * size & 63);
        uint64_t elsewhere = (uint64_t)(uintptr_t)string->data ^ (uint64_t)(cursor - in->base);
        if (MRPC_LIKELY((behind | elsewhere) == 0 && mrpc_padded_high(cursor, size) == 0)) {
            string->data = cursor;
            return cursor + MRPC_TEXT_PADDED(size);
        }
    }
    return mrpc_native_take_other_string(in, cursor, string, where);
}

/* A string of proto2, which need not be UTF-8. */
MRPC_INLINE char *mrpc_native_take_raw(mrpc_native_in *in, char *cursor, void *member, const char *where)
{
    mrpc_span *string = (mrpc_span *)member;
    size_t size = string->size;
    if (size == 0)
        return mrpc_native_take_other_string(in, cursor, string, where);
    if (MRPC_UNLIKELY(!mrpc_native_is_here(in, cursor, string->data) || size >= mrpc_native_left(in, cursor)))
        return mrpc_native_misplaced(in, cursor, string, where);
    if (MRPC_UNLIKELY(mrpc_load8(cursor + (size & ~(size_t)7)) >> (8 * size & 63) != 0))
        return mrpc_native_bad_padding(in, cursor, where);
    string->data = cursor;
    return cursor + MRPC_TEXT_PADDED(size);
}

/* An array whose elements are looked at afterwards. */
MRPC_INLINE char *mrpc_native_take_array(mrpc_native_in *in, char *cursor, mrpc_span *span, size_t element,
                                         const char *where)
{
    size_t size = span->size;
    if (MRPC_UNLIKELY(!mrpc_native_is_here(in, cursor, span->data) || size > mrpc_native_left(in, cursor) / element))
        return mrpc_native_misplaced(in, cursor, span, where);
    if (element % 8 != 0 && MRPC_UNLIKELY(!mrpc_native_padded(cursor, size * element)))
        return mrpc_native_bad_padding(in, cursor, where);
    span->data = cursor;
    return cursor + MRPC_PADDED(size * element);
}

MRPC_OUTLINE char *mrpc_native_take_extent(mrpc_native_in *in, char *cursor, mrpc_span *span, size_t element,
                                           const char *where)
{
    mrpc_scatter *scatter = in->scatter;
    if (scatter->extent_next >= scatter->extent_count ||
        (uint64_t)(uintptr_t)span->data != MRPC_NATIVE_EXTERNAL + scatter->extent_next)
        return mrpc_native_wrong(in, cursor, where, "refers to an extent that is not the next one");
    const mrpc_extent *extent = &scatter->extents[scatter->extent_next];
    if (span->size > UINT64_MAX / element || extent->size != span->size * element)
        return mrpc_native_wrong(in, cursor, where, "has another size than its extent");
    if ((uintptr_t)extent->data % element != 0)
        return mrpc_native_wrong(in, cursor, where, "has an extent that is not aligned to its elements");
    scatter->extent_next++;
    span->data = (void *)(uintptr_t)extent->data;
    return cursor;
}

MRPC_INLINE char *mrpc_native_take_numbers(mrpc_native_in *in, char *cursor, void *member, size_t element,
                                           const char *where)
{
    mrpc_span *span = (mrpc_span *)member;
    if (span->size == 0)
        return MRPC_LIKELY(span->data == NULL) ? cursor : mrpc_native_misplaced(in, cursor, span, where);
    if (MRPC_UNLIKELY((uint64_t)(uintptr_t)span->data >= MRPC_NATIVE_EXTERNAL))
        return mrpc_native_take_extent(in, cursor, span, element, where);
    return mrpc_native_take_array(in, cursor, span, element, where);
}

MRPC_INLINE char *mrpc_native_take_bools(mrpc_native_in *in, char *cursor, void *member, const char *where)
{
    mrpc_span *span = (mrpc_span *)member;
    if (span->size == 0)
        return MRPC_LIKELY(span->data == NULL) ? cursor : mrpc_native_misplaced(in, cursor, span, where);
    uint64_t all = 0;
    char *next = mrpc_native_take_array(in, cursor, span, 1, where);
    for (const char *at = cursor; next != NULL && at < next; at += 8)
        all |= mrpc_load8(at);
    if (MRPC_UNLIKELY((all & ~UINT64_C(0x0101010101010101)) != 0))
        return mrpc_native_wrong(in, cursor, where, "has a bool that is neither 0 nor 1");
    return next;
}

/* A list of a closed enum. */
MRPC_INLINE char *mrpc_native_take_enums(mrpc_native_in *in, char *cursor, void *member, mrpc_enum_test *names,
                                         const char *where)
{
    mrpc_span *span = (mrpc_span *)member;
    const mrpc_word32 *numbers = (const mrpc_word32 *)(void *)cursor;
    size_t size = span->size;
    if (size == 0)
        return MRPC_LIKELY(span->data == NULL) ? cursor : mrpc_native_misplaced(in, cursor, span, where);
    cursor = mrpc_native_take_array(in, cursor, span, sizeof *numbers, where);
    for (size_t i = 0; cursor != NULL && i < size; i++)
        if (MRPC_UNLIKELY(!names(numbers[i])))
            return mrpc_native_nameless(in, (const char *)&numbers[i], where);
    return cursor;
}

MRPC_INLINE char *mrpc_native_take_strings(mrpc_native_in *in, char *cursor, void *member, const char *where)
{
    mrpc_span *span = (mrpc_span *)member, *items = (mrpc_span *)cursor;
    size_t size = span->size;
    if (size == 0)
        return MRPC_LIKELY(span->data == NULL) ? cursor : mrpc_native_misplaced(in, cursor, span, where);
    cursor = mrpc_native_take_array(in, cursor, span, sizeof *items, where);
    for (size_t i = 0; cursor != NULL && i < size; i++)
        cursor = mrpc_native_take_string(in, cursor, &items[i], where);
    return cursor;
}

MRPC_INLINE char *mrpc_native_take_raws(mrpc_native_in *in, char *cursor, void *member, const char *where)
{
    mrpc_span *span = (mrpc_span *)member, *items = (mrpc_span *)cursor;
    size_t size = span->size;
    if (size == 0)
        return MRPC_LIKELY(span->data == NULL) ? cursor : mrpc_native_misplaced(in, cursor, span, where);
    cursor = mrpc_native_take_array(in, cursor, span, sizeof *items, where);
    for (size_t i = 0; cursor != NULL && i < size; i++)
        cursor = mrpc_native_take_raw(in, cursor, &items[i], where);
    return cursor;
}

MRPC_INLINE char *mrpc_native_take_bytes_list(mrpc_native_in *in, char *cursor, void *member, const char *where)
{
    mrpc_span *span = (mrpc_span *)member, *items = (mrpc_span *)cursor;
    size_t size = span->size;
    if (size == 0)
        return MRPC_LIKELY(span->data == NULL) ? cursor : mrpc_native_misplaced(in, cursor, span, where);
    cursor = mrpc_native_take_array(in, cursor, span, sizeof *items, where);
    for (size_t i = 0; cursor != NULL && i < size; i++)
        cursor = mrpc_native_take_numbers(in, cursor, &items[i], 1, where);
    return cursor;
}

/* A message that must be there. `size` is that of its struct. */
MRPC_INLINE char *mrpc_native_take_element(mrpc_native_in *in, char *cursor, void *member, size_t size, uint32_t depth,
                                           mrpc_native_reader *read, const char *where)
{
    mrpc_pointer *pointer = (mrpc_pointer *)member;
    if (MRPC_UNLIKELY(!mrpc_native_is_here(in, cursor, *pointer)))
        return mrpc_native_wrong(in, cursor, where, "has an offset that is not where the next thing is");
    if (MRPC_UNLIKELY(size > mrpc_native_left(in, cursor)))
        return mrpc_native_wrong(in, cursor, where, "reaches beyond the end of the message");
    if (MRPC_UNLIKELY(depth == 0))
        return mrpc_native_deep(in, cursor, where);
    *pointer = cursor;
    return read(in, cursor, depth - 1);
}

MRPC_INLINE char *mrpc_native_take_message(mrpc_native_in *in, char *cursor, void *member, size_t size, uint32_t depth,
                                           mrpc_native_reader *read, const char *where)
{
    return *(mrpc_pointer *)member == NULL ? cursor
                                           : mrpc_native_take_element(in, cursor, member, size, depth, read, where);
}

MRPC_INLINE char *mrpc_native_take_messages(mrpc_native_in *in, char *cursor, void *member, size_t size, uint32_t depth,
                                            mrpc_native_reader *read, const char *where)
{
    mrpc_span *span = (mrpc_span *)member;
    mrpc_pointer *items = (mrpc_pointer *)cursor;
    size_t count = span->size;
    if (count == 0)
        return MRPC_LIKELY(span->data == NULL) ? cursor : mrpc_native_misplaced(in, cursor, span, where);
    cursor = mrpc_native_take_array(in, cursor, span, sizeof *items, where);
    for (size_t i = 0; cursor != NULL && i < count; i++)
        cursor = mrpc_native_take_element(in, cursor, &items[i], size, depth, read, where);
    return cursor;
}

/* The entries of a map that is not empty. */
MRPC_INLINE char *mrpc_native_take_entries(mrpc_native_in *in, char *cursor, void *member, size_t element,
                                           uint32_t depth, const char *where)
{
    if (MRPC_UNLIKELY(depth == 0))
        return mrpc_native_deep(in, cursor, where);
    return mrpc_native_take_array(in, cursor, (mrpc_span *)member, element, where);
}

/* Validates the block of `scatter` as a message whose struct has `size` bytes. */
MRPC_INLINE int mrpc_native_unmarshal(mrpc_scatter *scatter, size_t size, mrpc_native_reader *read, const char *where)
{
    mrpc_native_in in = {scatter->block, scatter->block + scatter->size, scatter};
    scatter->extent_next = 0;
    if (MRPC_UNLIKELY(scatter->size < size || scatter->size % 8 != 0 || (uintptr_t)scatter->block % 8 != 0)) {
        mrpc_native_wrong(&in, in.base, where, "is not in whole words, or shorter than its struct");
        return MRPC_EFORMAT;
    }
    char *cursor = read(&in, in.base, scatter->depth);
    if (MRPC_UNLIKELY(cursor == NULL))
        return MRPC_EFORMAT;
    scatter->cursor = (size_t)(cursor - in.base);
    if (MRPC_LIKELY(cursor == in.end && scatter->extent_next == scatter->extent_count))
        return 0;
    mrpc_native_wrong(&in, cursor, where, "is followed by bytes or extents that nothing refers to");
    return MRPC_EFORMAT;
}

#ifdef __cplusplus
}
#endif

#endif /* MRPC_MARSHAL_NATIVE_H */
