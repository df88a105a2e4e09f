/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h - copying short runs of bytes and checking UTF-8, inlined into generated codecs
 *
 * Most strings of real messages are shorter than 64 bytes, for which a call to memcpy and a loop over bytes cost
 * several times the copy itself. Everything here works on loads and stores of 1 to 16 bytes that may overlap but never
 * touch a byte outside of the source, and writes whole words of 8 bytes to the destination, the last one padded with
 * zero: what both encodings need.
 */
#ifndef MRPC_MARSHAL_TEXT_H
#define MRPC_MARSHAL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <mrpc/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a generated codec is made fast by; where it is not to be fast, it makes compiling slow and the code large. */
#if defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__)
#define MRPC_INLINE static inline __attribute__((always_inline, unused))
#else
#define MRPC_INLINE static inline __attribute__((unused))
#endif
#define MRPC_OUTLINE static __attribute__((noinline, unused))
#define MRPC_COLD static __attribute__((noinline, cold, unused))

/* Tells the compiler that memory may have changed: what was copied out of a message that its owner may change meanwhile
 * is from here on read from the copy and never again from the message. */
#define MRPC_SNAPSHOT_TAKEN() __asm__ volatile("" ::: "memory")

/* One bit of each byte of a word; the bit is set in every byte of UTF-8 that is not ASCII. */
#define MRPC_HIGH_BITS UINT64_C(0x8080808080808080)

enum { MRPC_SHORT = 64 /* bytes; up to here copying and checking is inlined */ };

/* Where the NUL behind a string of `size` bytes ends when padded to words of 8. */
#define MRPC_PADDED(size) (((size) + 7) & ~(size_t)7)
#define MRPC_TEXT_PADDED(size) (((size) & ~(size_t)7) + 8)

typedef uint64_t mrpc_pair __attribute__((vector_size(16)));

MRPC_INLINE uint64_t mrpc_load8(const void *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

MRPC_INLINE uint32_t mrpc_load4(const void *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

MRPC_INLINE mrpc_pair mrpc_load16(const void *from)
{
    mrpc_pair pair;
    memcpy(&pair, from, sizeof pair);
    return pair;
}

MRPC_INLINE void mrpc_store8(void *to, uint64_t word)
{
    memcpy(to, &word, sizeof word);
}

MRPC_INLINE void mrpc_store16(void *to, mrpc_pair pair)
{
    memcpy(to, &pair, sizeof pair);
}

/* Not 0 when a byte is not ASCII. A number, which compilers keep in a register, where a bool would be made into 0
 * and 1. */
MRPC_INLINE uint64_t mrpc_word_high(uint64_t word)
{
    return word & MRPC_HIGH_BITS;
}

MRPC_INLINE uint64_t mrpc_pair_high(mrpc_pair pair)
{
#ifdef __SSE2__
    return (uint64_t)(unsigned)_mm_movemask_epi8((__m128i)pair);
#else
    return mrpc_word_high(pair[0] | pair[1]);
#endif
}

/* 1 to 7 bytes as the low bytes of a word. */
MRPC_INLINE uint64_t mrpc_load_partial(const char *from, size_t size)
{
    if (size >= 4)
        return mrpc_load4(from) | (uint64_t)mrpc_load4(from + size - 4) << (8 * (size - 4));
    return (uint64_t)(uint8_t)from[0] | (uint64_t)(uint8_t)from[size >> 1] << (8 * (size >> 1)) |
           (uint64_t)(uint8_t)from[size - 1] << (8 * (size - 1));
}

/* Copies 1 to MRPC_SHORT bytes and zero after them: up to MRPC_TEXT_PADDED(size) when `nul` is 1, up to
 * MRPC_PADDED(size) when it is
 * 0. Returns not 0 when a byte is not ASCII. */
MRPC_INLINE uint64_t mrpc_copy_short(char *to, const char *from, size_t size, size_t nul)
{
    if (size < 8) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        uint64_t word = mrpc_load_partial(from, size);
#else
        uint64_t word = 0;
        memcpy(&word, from, size);
#endif
        mrpc_store8(to, word);
        return mrpc_word_high(word);
    }
    mrpc_store8(to + ((size - 1 + nul) & ~(size_t)7), 0);
    if (size < 16) {
        uint64_t first = mrpc_load8(from), last = mrpc_load8(from + size - 8);
        mrpc_store8(to, first);
        mrpc_store8(to + size - 8, last);
        return mrpc_word_high(first | last);
    }
    mrpc_pair first = mrpc_load16(from), last = mrpc_load16(from + size - 16), all = first | last;
    if (size > 32) {
        mrpc_pair second = mrpc_load16(from + 16), third = mrpc_load16(from + size - 32);
        mrpc_store16(to + 16, second);
        mrpc_store16(to + size - 32, third);
        all |= second | third;
    }
    mrpc_store16(to, first);
    mrpc_store16(to + size - 16, last);
    return mrpc_pair_high(all);
}

/* Copies 1 to MRPC_SHORT bytes and writes nothing else. Returns not 0 when one is not ASCII. */
MRPC_INLINE uint64_t mrpc_copy_exact(char *to, const char *from, size_t size)
{
    if (size < 4) {
        uint8_t first = (uint8_t)from[0], middle = (uint8_t)from[size >> 1], last = (uint8_t)from[size - 1];
        to[0] = (char)first;
        to[size >> 1] = (char)middle;
        to[size - 1] = (char)last;
        return (uint64_t)(first | middle | last) & 0x80;
    }
    if (size < 8) {
        uint32_t first = mrpc_load4(from), last = mrpc_load4(from + size - 4);
        memcpy(to, &first, sizeof first);
        memcpy(to + size - 4, &last, sizeof last);
        return mrpc_word_high((uint64_t)first | last);
    }
    if (size < 16) {
        uint64_t first = mrpc_load8(from), last = mrpc_load8(from + size - 8);
        mrpc_store8(to, first);
        mrpc_store8(to + size - 8, last);
        return mrpc_word_high(first | last);
    }
    mrpc_pair first = mrpc_load16(from), last = mrpc_load16(from + size - 16), all = first | last;
    if (size > 32) {
        mrpc_pair second = mrpc_load16(from + 16), third = mrpc_load16(from + size - 32);
        mrpc_store16(to + 16, second);
        mrpc_store16(to + size - 32, third);
        all |= second | third;
    }
    mrpc_store16(to, first);
    mrpc_store16(to + size - 16, last);
    return mrpc_pair_high(all);
}

MRPC_INLINE mrpc_pair mrpc_copy_64(char *to, const char *from)
{
    mrpc_pair first = mrpc_load16(from), second = mrpc_load16(from + 16), third = mrpc_load16(from + 32),
              fourth = mrpc_load16(from + 48);
    mrpc_store16(to, first);
    mrpc_store16(to + 16, second);
    mrpc_store16(to + 32, third);
    mrpc_store16(to + 48, fourth);
    return first | second | third | fourth;
}

/* The same for at least MRPC_SHORT bytes. */
MRPC_OUTLINE uint64_t mrpc_copy_long(char *to, const char *from, size_t size)
{
    mrpc_pair all = mrpc_copy_64(to + size - 64, from + size - 64);
    for (size_t at = 0; size - at > 64; at += 64)
        all |= mrpc_copy_64(to + at, from + at);
    return mrpc_pair_high(all);
}

/* Not 0 when a byte is not ASCII in a text of 1 to MRPC_SHORT - 1 bytes, padded with zero to words. */
MRPC_INLINE uint64_t mrpc_padded_high(const char *text, size_t size)
{
    const char *last = text + (size & ~(size_t)7); /* the word that holds the NUL */
    if (size < 16)
        return mrpc_word_high(mrpc_load8(text) | mrpc_load8(last));
    mrpc_pair all = mrpc_load16(text) | mrpc_load16(last - 8);
    if (size >= 32)
        all |= mrpc_load16(text + 16) | mrpc_load16(last - 24);
    return mrpc_pair_high(all);
}

MRPC_INLINE bool mrpc_text_between(uint8_t byte, uint8_t low, uint8_t high)
{
    return byte >= low && byte <= high;
}

/* The length of the UTF-8 sequence at `text`, of which `room` bytes may be read; 0 when there is none.
 * (RFC 3629, section 4: no overlong forms, no surrogates, nothing above U+10FFFF.) */
MRPC_INLINE size_t mrpc_text_sequence(const uint8_t *text, size_t room)
{
    uint8_t lead = text[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4 || room < 2)
        return 0;
    if (lead < 0xe0)
        return mrpc_text_between(text[1], 0x80, 0xbf) ? 2 : 0;
    if (room < 3 || !mrpc_text_between(text[2], 0x80, 0xbf))
        return 0;
    if (lead < 0xf0)
        return mrpc_text_between(text[1], lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf) ? 3 : 0;
    if (room < 4 || !mrpc_text_between(text[3], 0x80, 0xbf))
        return 0;
    return mrpc_text_between(text[1], lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf) ? 4 : 0;
}

typedef uint8_t mrpc_block __attribute__((vector_size(16)));
typedef int8_t mrpc_mask __attribute__((vector_size(16))); /* -1 in a byte: true */

MRPC_INLINE mrpc_block mrpc_load_block(const char *from)
{
    mrpc_block block;
    memcpy(&block, from, sizeof block);
    return block;
}

MRPC_INLINE uint64_t mrpc_any(mrpc_mask mask)
{
    mrpc_pair pair = (mrpc_pair)mask;
    return pair[0] | pair[1];
}

/* Less than 16 bytes, with zero behind them. */
MRPC_INLINE mrpc_block mrpc_load_some(const char *from, size_t size)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    mrpc_pair pair = {0, 0};
    if (size >= 8)
        pair[0] = mrpc_load8(from);
    if (size > 8)
        pair[1] = mrpc_load8(from + size - 8) >> (8 * (16 - size));
    else if (size > 0 && size < 8)
        pair[0] = mrpc_load_partial(from, size);
    return (mrpc_block)pair;
#else
    mrpc_block block = {0};
    memcpy(&block, from, size);
    return block;
#endif
}

/* Not 0 where a byte cannot follow the three that are before it in UTF-8 (RFC 3629, section 4): `at` are 16 bytes,
 * before1 the same text beginning one byte earlier, and so on. What a sequence lacks is missed by the byte behind it.
 */
MRPC_INLINE mrpc_mask mrpc_text_wrong(mrpc_block at, mrpc_block before1, mrpc_block before2, mrpc_block before3)
{
    mrpc_mask continues = (mrpc_mask)((at & 0xc0) == 0x80);
    mrpc_mask must_continue =
        (mrpc_mask)(before1 >= 0xc0) | (mrpc_mask)(before2 >= 0xe0) | (mrpc_mask)(before3 >= 0xf0);
    mrpc_mask never = (mrpc_mask)((at & 0xfe) == 0xc0) | (mrpc_mask)(at >= 0xf5);
    mrpc_mask too_long = ((mrpc_mask)(before1 == 0xe0) & (mrpc_mask)(at < 0xa0)) |
                         ((mrpc_mask)(before1 == 0xf0) & (mrpc_mask)(at < 0x90));
    mrpc_mask too_large = ((mrpc_mask)(before1 == 0xed) & (mrpc_mask)(at >= 0xa0)) |
                          ((mrpc_mask)(before1 == 0xf4) & (mrpc_mask)(at >= 0x90));
    return (continues ^ must_continue) | never | too_long | too_large;
}

/* The block with `by` zeros before it, which is a constant, and as many bytes less at its end. */
#ifdef __SSE2__
#define MRPC_LATER(block, by) ((mrpc_block)_mm_slli_si128((__m128i)(block), by))
#else
#define MRPC_LATER(block, by) mrpc_later(block, by)
MRPC_INLINE mrpc_block mrpc_later(mrpc_block block, size_t by)
{
    char bytes[2 * sizeof block] = {0};
    memcpy(bytes + by, &block, sizeof block);
    return mrpc_load_block(bytes);
}
#endif

/* The same for the first 16 bytes of a text. */
MRPC_INLINE mrpc_mask mrpc_text_wrong_first(mrpc_block at)
{
    return mrpc_text_wrong(at, MRPC_LATER(at, 1), MRPC_LATER(at, 2), MRPC_LATER(at, 3));
}

/* Whether a sequence has not ended where a text does. */
MRPC_INLINE bool mrpc_text_unfinished(const char *text, size_t size)
{
    return (uint8_t)text[size - 1] >= 0xc0 || (size > 1 && (uint8_t)text[size - 2] >= 0xe0) ||
           (size > 2 && (uint8_t)text[size - 3] >= 0xf0);
}

/* How many bytes from `text` on are ASCII, counted in blocks of 64; at most `size`. */
MRPC_INLINE size_t mrpc_text_ascii(const char *text, size_t size)
{
    size_t at = 0;
    while (size - at >= 64 && mrpc_pair_high(mrpc_load16(text + at) | mrpc_load16(text + at + 16) |
                                             mrpc_load16(text + at + 32) | mrpc_load16(text + at + 48)) == 0)
        at += 64;
    return at;
}

/* Whether all of the text is UTF-8. */
MRPC_OUTLINE bool mrpc_text_valid(const char *text, size_t size)
{
    size_t ascii = mrpc_text_ascii(text, size);
    text += ascii;
    size -= ascii;
    if (size < 16)
        return size == 0 ||
               (!mrpc_text_unfinished(text, size) && mrpc_any(mrpc_text_wrong_first(mrpc_load_some(text, size))) == 0);
    mrpc_mask wrong = mrpc_text_wrong_first(mrpc_load_block(text));
    size_t at = 16;
    for (; size - at >= 16; at += 16)
        if (mrpc_pair_high(mrpc_load16(text + at) | mrpc_load16(text + at - 3)) != 0)
            wrong |= mrpc_text_wrong(mrpc_load_block(text + at), mrpc_load_block(text + at - 1),
                                     mrpc_load_block(text + at - 2), mrpc_load_block(text + at - 3));
    size_t left = size - at;
    if (left != 0)
        wrong |= mrpc_text_wrong(mrpc_load_some(text + at, left), mrpc_load_some(text + at - 1, left),
                                 mrpc_load_some(text + at - 2, left), mrpc_load_some(text + at - 3, left));
    return mrpc_any(wrong) == 0 && !mrpc_text_unfinished(text, size);
}

/* Copies text of any size but 0, with zero after it up to MRPC_TEXT_PADDED(size); false: it is not UTF-8. */
MRPC_INLINE bool mrpc_text_copy(char *to, const char *from, size_t size)
{
    if (MRPC_LIKELY(size <= MRPC_SHORT)) {
        if (MRPC_LIKELY(mrpc_copy_short(to, from, size, 1) == 0))
            return true;
    } else {
        mrpc_store8(to + (size & ~(size_t)7), 0);
        if (MRPC_LIKELY(mrpc_copy_long(to, from, size) == 0))
            return true;
    }
    MRPC_SNAPSHOT_TAKEN();
    return mrpc_text_valid(to, size);
}

/* The same for text that may be anything. */
MRPC_INLINE void mrpc_text_copy_raw(char *to, const char *from, size_t size)
{
    if (MRPC_LIKELY(size <= MRPC_SHORT)) {
        (void)mrpc_copy_short(to, from, size, 1);
        return;
    }
    mrpc_store8(to + (size & ~(size_t)7), 0);
    memcpy(to, from, size);
}

/* Copies bytes of any size but 0, with zero after them up to MRPC_PADDED(size). */
MRPC_INLINE void mrpc_bytes_copy(char *to, const void *from, size_t size)
{
    if (MRPC_LIKELY(size <= MRPC_SHORT)) {
        (void)mrpc_copy_short(to, (const char *)from, size, 0);
        return;
    }
    mrpc_store8(to + ((size - 1) & ~(size_t)7), 0);
    memcpy(to, from, size);
}

#ifdef __cplusplus
}
#endif

#endif /* MRPC_MARSHAL_TEXT_H */
