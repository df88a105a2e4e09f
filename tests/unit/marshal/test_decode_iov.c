/* SPDX-License-Identifier: BSD-2-Clause */
/* test_decode_iov.c - messages decoded from several buffers: the same message, or the same refusal, as from one */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "everything.mrpc.h"
#include "everything2.mrpc.h"
#include "heap/arena.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/marshal/codec_help.h"
#include "tests/unit/marshal/random_message.h"

enum { ROUNDS = 40, DEPTH = 4, EVERY_CUT = 400 /* bytes of messages that are cut at every place */ };

static const mrpc_type *const types[] = {
    &everything_Plain_type,     &everything_Optional_type,  &everything_Lists_type,      &everything_Maps_type,
    &everything_OneOf_type,     &everything_Tree_type,      &everything_Empty_type,      &everything_Everything_type,
    &everything2_Optional_type, &everything2_Required_type, &everything2_Lists_type,     &everything2_Groups_type,
    &everything2_Maps_type,     &everything2_Empty_type,    &everything2_Everything_type};

/* Buffers, each with memory of its own that sanitizers watch. */
typedef struct buffers {
    struct iovec *pieces;
    size_t count, capacity;
} buffers;

static void add_piece(buffers *b, const void *data, size_t size)
{
    if (b->count == b->capacity) {
        b->capacity = 2 * b->capacity + 2;
        b->pieces = realloc(b->pieces, b->capacity * sizeof *b->pieces);
        assert_non_null(b->pieces);
    }
    b->pieces[b->count++] = (struct iovec){size == 0 ? NULL : test_bytes_copy(data, size).data, size};
}

static void free_pieces(buffers *b)
{
    for (size_t i = 0; i < b->count; i++)
        free(b->pieces[i].iov_base);
    free(b->pieces);
    *b = (buffers){0};
}

static buffers cut_at(const test_bytes *bytes, size_t at)
{
    buffers b = {0};
    add_piece(&b, bytes->data, at);
    add_piece(&b, bytes->data + at, bytes->size - at);
    return b;
}

static buffers cut_every(const test_bytes *bytes, size_t step)
{
    buffers b = {0};
    for (size_t at = 0; at < bytes->size; at += step)
        add_piece(&b, bytes->data + at, bytes->size - at < step ? bytes->size - at : step);
    return b;
}

static buffers cut_anywhere(const test_bytes *bytes, random_source *source)
{
    static const size_t limits[] = {2, 5, 30, 300, 3000};
    size_t limit = limits[random_below(source, 5)];
    buffers b = {0};
    for (size_t at = 0, size; at < bytes->size; at += size) {
        size = random_below(source, limit);
        size = size < bytes->size - at ? size : bytes->size - at;
        add_piece(&b, bytes->data + at, size);
    }
    return b;
}

/* What is made of all bytes in one buffer. */
typedef struct outcome {
    void *message;
    int result;
    mrpc_error error;
} outcome;

static outcome decode_whole(const mrpc_type *type, const test_bytes *bytes)
{
    outcome o = {0};
    o.result = mrpc_message_decode(type, bytes->data, bytes->size, NULL, &o.message, &o.error);
    return o;
}

/* The same comes of the buffers, which are freed. */
static void assert_same(const mrpc_type *type, const outcome *expected, buffers *b, bool alias)
{
    outcome o = {0};
    o.result = mrpc_message_decode_iov(type, b->pieces, b->count, alias, NULL, &o.message, &o.error);
    assert_int_equal(o.result, expected->result);
    if (o.result == 0)
        assert_true(mrpc_message_equal(type, expected->message, o.message));
    else
        assert_string_equal(mrpc_error_text(&o.error), mrpc_error_text(&expected->error));
    mrpc_release(o.message);
    free_pieces(b);
}

static void try_cuts(const mrpc_type *type, const test_bytes *bytes, random_source *source, bool everywhere)
{
    outcome whole = decode_whole(type, bytes);
    buffers b = cut_every(bytes, 1);
    assert_same(type, &whole, &b, false);
    for (unsigned i = 0; i < 4; i++) {
        b = cut_anywhere(bytes, source);
        assert_same(type, &whole, &b, i % 2 != 0);
    }
    for (size_t at = 0; everywhere && at <= bytes->size; at++) {
        b = cut_at(bytes, at);
        assert_same(type, &whole, &b, at % 2 != 0);
    }
    mrpc_release(whole.message);
}

typedef void trial(const mrpc_type *type, test_bytes *bytes, random_source *source);

static void with_messages(unsigned rounds, trial *run)
{
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (unsigned round = 0; round < rounds; round++) {
            random_source source;
            random_begin(&source, 1000 * t + round);
            void *message = random_message(&source, types[t], DEPTH);
            test_bytes bytes = test_encode(types[t], message, NULL);
            run(types[t], &bytes, &source);
            test_bytes_free(&bytes);
            mrpc_release(message);
        }
}

static void try_message(const mrpc_type *type, test_bytes *bytes, random_source *source)
{
    try_cuts(type, bytes, source, bytes->size <= EVERY_CUT);
}

static void cuts_anywhere_make_no_difference(void **state)
{
    (void)state;
    with_messages(ROUNDS, try_message);
}

static void try_by_table(const mrpc_type *type, test_bytes *bytes, random_source *source)
{
    mrpc_file file = *type->file;
    mrpc_type copy = *type;
    file.linked = NULL;
    copy.file = &file;
    try_cuts(&copy, bytes, source, bytes->size <= EVERY_CUT / 2);
}

static void nor_do_they_for_tables(void **state)
{
    (void)state;
    with_messages(ROUNDS / 3, try_by_table);
}

static void try_damaged(const mrpc_type *type, test_bytes *bytes, random_source *source)
{
    for (unsigned i = 0; i < 40 && bytes->size != 0; i++) {
        char *at = &bytes->data[random_below(source, bytes->size)], before = *at;
        size_t size = bytes->size;
        *at = (char)(random_below(source, 2) == 0 ? random_next(source)
                                                  : (unsigned char)*at ^ 1u << random_below(source, 8));
        if (i % 4 == 0)
            bytes->size = random_below(source, size);
        try_cuts(type, bytes, source, size <= EVERY_CUT / 10);
        bytes->size = size;
        *at = before;
    }
}

static void damaged_input_is_refused_for_the_same_reason(void **state)
{
    (void)state;
    with_messages(ROUNDS / 3, try_damaged);
}

/* --- what random messages have too seldom --- */

#define BYTES(text)                                                                                                    \
    {                                                                                                                  \
        (char *)(uintptr_t)(text), sizeof(text) - 1                                                                    \
    }

static void broken_groups_are_refused_for_the_same_reason(void **state)
{
    /* everything2.Groups: single = 1 is a group, with the group inner = 3 in it; 20 is not known */
    static const test_bytes inputs[] = {
        BYTES("\x0b\x08\x05\x1b\x0a\x01x\x1c\x0c"),        /* well-formed */
        BYTES("\x0b\x08\x05\x1b\x0a\x01x\x0c\x1c"),        /* ends crossed */
        BYTES("\x0b\x08\x05\x1b\x0a\x01x\x1c"),            /* not ended */
        BYTES("\x0b\x1b"),                                 /* neither is */
        BYTES("\x0c"),                                     /* not begun */
        BYTES("\x0b\x0c\x0c"),                             /* ended twice */
        BYTES("\x22\x01\x0b"),                             /* beyond the end of what it is in, not known there */
        BYTES("\x22\x02\x1b\x1c\x0c"),                     /* the same, known */
        BYTES("\xa3\x01\x08\x05\xa3\x01\xa4\x01\xa4\x01"), /* not known, in itself */
        BYTES("\xa3\x01\x08\x05\xa3\x01\xa4\x01\xac\x01"), /* the same, ended as another */
        BYTES("\xa3\x01\x08\x05\xa3\x01\xa4\x01"),         /* the same, not ended */
        BYTES("\x0b\xa3\x01\x0c\xa4\x01"),                 /* the end of one within the other */
        BYTES("\x07\x00"),                                 /* no such wire type */
        BYTES("\x0b\x07\x0c"),
        BYTES("\x00\x01"), /* number 0 */
        BYTES("\x0b\x03\x04\x0c"),
    };
    random_source source;
    (void)state;
    random_begin(&source, 1);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        try_cuts(&everything2_Groups_type, &inputs[i], &source, true);
}

/* everything.Tree: left = 2, `levels` times in itself. */
static test_bytes nested(size_t levels)
{
    test_bytes bytes = {calloc(1, 4 * levels + 1), 0};
    assert_non_null(bytes.data);
    for (size_t i = levels; i-- > 0;) {
        char *at = bytes.data + 4 * levels - bytes.size;
        size_t length = bytes.size;
        if (length >= 0x80)
            *--at = (char)(length >> 7);
        *--at = (char)(length >= 0x80 ? length | 0x80 : length);
        *--at = 0x12;
        bytes.size = (size_t)(bytes.data + 4 * levels - at);
    }
    memmove(bytes.data, bytes.data + 4 * levels - bytes.size, bytes.size);
    return bytes;
}

static void nesting_is_limited_wherever_it_is_cut(void **state)
{
    random_source source;
    (void)state;
    random_begin(&source, 1);
    for (size_t levels = 99; levels <= 300; levels += levels < 102 ? 1 : 198) {
        test_bytes bytes = nested(levels);
        outcome whole = decode_whole(&everything_Tree_type, &bytes);
        assert_int_equal(whole.result, levels <= 100 ? 0 : MRPC_EFORMAT);
        mrpc_release(whole.message);
        try_cuts(&everything_Tree_type, &bytes, &source, true);
        memset(bytes.data, 0x0b, levels); /* everything2.Groups, not known: groups in groups that do not end */
        try_cuts(&everything2_Empty_type, &bytes, &source, true);
        test_bytes_free(&bytes);
    }
}

static void long_text_must_be_utf8_across_a_cut(void **state)
{
    everything_Plain *message = everything_Plain_new(NULL);
    char text[301] = {0};
    random_source source;
    (void)state;
    random_begin(&source, 1);
    for (size_t i = 0; i < 300; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    assert_int_equal(everything_Plain_set_a_string(message, text), 0);
    test_bytes bytes = test_encode(&everything_Plain_type, message, NULL);
    try_cuts(&everything_Plain_type, &bytes, &source, true);
    bytes.data[200] = 'x';
    assert_int_equal(decode_whole(&everything_Plain_type, &bytes).result, MRPC_EFORMAT);
    try_cuts(&everything_Plain_type, &bytes, &source, true);
    test_bytes_free(&bytes);
    mrpc_release(message);
}

static void nothing_is_an_empty_message(void **state)
{
    struct iovec none[2] = {{NULL, 0}, {NULL, 0}};
    (void)state;
    for (size_t count = 0; count <= 2; count++) {
        void *message = NULL;
        mrpc_error error;
        assert_int_equal(mrpc_message_decode_iov(&everything_Plain_type, count == 0 ? NULL : none, count, false, NULL,
                                                 &message, &error),
                         0);
        assert_true(mrpc_message_equal(&everything_Plain_type, message, &(everything_Plain){0}));
        mrpc_release(message);
        assert_int_equal(
            mrpc_message_decode_iov(&everything2_Required_type, none, count, false, NULL, &message, &error),
            MRPC_EFORMAT);
        assert_non_null(strstr(mrpc_error_text(&error), "is required and absent, at byte 0 of 0"));
    }
}

/* --- what is copied --- */

enum { LARGE = 1 << 20 };

/* everything.Everything with large bytes as elements of a list, two levels down, and as a member of a oneof. */
static everything_Everything *large_message(uint8_t *data)
{
    everything_Everything *message = everything_Everything_new(NULL);
    everything_Lists *lists = everything_Everything_make_lists(message);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(everything_Lists_add_bytes_list(lists, "", 0), 0);
        lists->bytes_list.data[i] = (mrpc_bytes){.data = data, .size = LARGE};
    }
    return message;
}

static void large_bytes_are_where_they_came(void **state)
{
    uint8_t *data = calloc(1, LARGE);
    everything_Everything *message = large_message(data), *decoded = NULL;
    struct iovec pieces[16];
    size_t count = 16, size = 0;
    void *buffer = NULL, *made = NULL;
    mrpc_error error;
    (void)state;
    assert_in_range(mrpc_message_encode_iov(&everything_Everything_type, message, 0, pieces, &count, &buffer, &size),
                    2 * LARGE, 2 * LARGE + 100);
    assert_int_equal(count, 4);
    assert_int_equal(mrpc_message_decode_iov(&everything_Everything_type, pieces, count, true, NULL, &made, &error), 0);
    decoded = made;
    assert_int_equal(decoded->lists->bytes_list.size, 2);
    assert_ptr_equal(decoded->lists->bytes_list.data[0].data, data);
    assert_ptr_equal(decoded->lists->bytes_list.data[1].data, data);
    assert_true(mrpc_message_equal(&everything_Everything_type, message, decoded));
    assert_in_range(mrpc_arena_bytes(decoded->base.arena), 1, 8192);
    mrpc_release(decoded);
    mrpc_release(message);
    free(buffer);
    free(data);
}

/* How many allocations it takes. */
static unsigned allocations(const mrpc_type *type, const struct iovec *pieces, size_t count)
{
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        void *decoded = NULL;
        mrpc_error error;
        failing_alloc_start(&fail);
        int result = mrpc_message_decode_iov(type, pieces, count, false, NULL, &decoded, &error);
        failing_alloc_stop(&fail);
        assert_int_equal(result, fail.hit ? MRPC_ENOMEM : 0);
        mrpc_release(decoded);
    }
    return fail.runs;
}

/* Nothing is put together elsewhere: what is allocated is the arena of the message, as for one buffer. */
static void assert_copied_once(const mrpc_type *type, const void *message)
{
    test_bytes bytes = test_encode(type, message, NULL);
    buffers b = cut_every(&bytes, 1000);
    struct iovec whole = {bytes.data, bytes.size};
    assert_int_equal(allocations(type, b.pieces, b.count), allocations(type, &whole, 1));
    free_pieces(&b);
    test_bytes_free(&bytes);
}

static void cut_bytes_and_text_are_copied_once_into_the_message(void **state)
{
    char *data = calloc(1, LARGE);
    everything_Everything *message = large_message((uint8_t *)data);
    everything_Plain text = {.a_string = {.data = data, .size = LARGE}};
    everything2_Optional raw = {.has_a_string = true, .a_string = {.data = data, .size = LARGE}};
    (void)state;
    assert_copied_once(&everything_Everything_type, message);
    assert_copied_once(&everything_Plain_type, &text);
    data[5] = (char)0xff; /* no UTF-8, which it need not be in proto2 */
    assert_copied_once(&everything2_Optional_type, &raw);
    mrpc_release(message);
    free(data);
}

static void cut_text_has_a_nul_behind_it(void **state)
{
    char data[201];
    (void)state;
    memset(data, 'x', sizeof data);
    for (size_t size = 64; size < 200; size++) {
        everything_Plain text = {.a_string = {.data = data, .size = size}};
        test_bytes bytes = test_encode(&everything_Plain_type, &text, NULL);
        buffers b = cut_every(&bytes, 50);
        void *decoded = NULL;
        mrpc_error error;
        assert_int_equal(
            mrpc_message_decode_iov(&everything_Plain_type, b.pieces, b.count, false, NULL, &decoded, &error), 0);
        assert_int_equal(strlen(((everything_Plain *)decoded)->a_string.data), size);
        mrpc_release(decoded);
        free_pieces(&b);
        test_bytes_free(&bytes);
    }
}

/* --- no memory --- */

static void each_allocation_may_fail(void **state)
{
    static const size_t steps[] = {1, 100, 3000};
    random_source source;
    test_bytes bytes = {0};
    (void)state;
    random_begin(&source, 7);
    while (bytes.size < 20000) {
        test_bytes_free(&bytes);
        void *message = random_message(&source, &everything_Everything_type, 5);
        bytes = test_encode(&everything_Everything_type, message, NULL);
        mrpc_release(message);
    }
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct failing_alloc fail;
        buffers b = cut_every(&bytes, steps[i]);
        failing_alloc_begin(&fail);
        while (failing_alloc_next(&fail)) {
            void *decoded = NULL;
            mrpc_error error = {0};
            failing_alloc_start(&fail);
            int result =
                mrpc_message_decode_iov(&everything_Everything_type, b.pieces, b.count, true, NULL, &decoded, &error);
            failing_alloc_stop(&fail);
            assert_int_equal(result, fail.hit ? MRPC_ENOMEM : 0);
            assert_int_equal(decoded == NULL, fail.hit);
            assert_true(!fail.hit || strstr(mrpc_error_text(&error), "no memory") != NULL);
            mrpc_release(decoded);
        }
        assert_true(fail.runs > 2);
        free_pieces(&b);
    }
    test_bytes_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_anywhere_make_no_difference),
        cmocka_unit_test(nor_do_they_for_tables),
        cmocka_unit_test(damaged_input_is_refused_for_the_same_reason),
        cmocka_unit_test(broken_groups_are_refused_for_the_same_reason),
        cmocka_unit_test(nesting_is_limited_wherever_it_is_cut),
        cmocka_unit_test(long_text_must_be_utf8_across_a_cut),
        cmocka_unit_test(nothing_is_an_empty_message),
        cmocka_unit_test(large_bytes_are_where_they_came),
        cmocka_unit_test(cut_bytes_and_text_are_copied_once_into_the_message),
        cmocka_unit_test(cut_text_has_a_nul_behind_it),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
