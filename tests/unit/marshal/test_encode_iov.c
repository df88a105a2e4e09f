/* SPDX-License-Identifier: BSD-2-Clause */
/* test_encode_iov.c - messages encoded as lists of pieces: the same bytes, and what is large is where it was */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "everything.mrpc.h"
#include "everything2.mrpc.h"
#include "marshal/gather.h"
#include "marshal/table.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/marshal/codec_help.h"
#include "tests/unit/marshal/random_message.h"

enum { ROUNDS = 200, DEPTH = 4, PIECES = 1024 };

static const mrpc_type *const types[] = {
    &everything_Plain_type,     &everything_Lists_type,      &everything_Maps_type,       &everything_OneOf_type,
    &everything_Tree_type,      &everything_Empty_type,      &everything_Everything_type, &everything2_Optional_type,
    &everything2_Required_type, &everything2_Lists_type,     &everything2_Groups_type,    &everything2_Maps_type,
    &everything2_Empty_type,    &everything2_Everything_type};

/* What the function under test made. */
typedef struct made {
    struct iovec pieces[PIECES];
    size_t count;
    void *buffer;
    size_t size; /* of buffer */
    int64_t result;
} made;

static void encode(made *m, const mrpc_type *type, const void *message, size_t threshold, size_t room)
{
    m->count = room;
    m->result = mrpc_message_encode_iov(type, message, threshold, m->pieces, &m->count, &m->buffer, &m->size);
    assert_in_range(m->count, 0, room);
}

static bool is_in_buffer(const made *m, const struct iovec *piece)
{
    const char *data = piece->iov_base, *buffer = m->buffer;
    return buffer != NULL && data >= buffer && data < buffer + m->size;
}

/* The pieces are `bytes`; none is empty, and what is not in the buffer is large. */
static void assert_pieces(const made *m, const test_bytes *bytes, size_t threshold)
{
    size_t at = 0;
    assert_int_equal(m->result, bytes->size);
    for (size_t i = 0; i < m->count; i++) {
        const struct iovec *piece = &m->pieces[i];
        assert_in_range(piece->iov_len, is_in_buffer(m, piece) ? 1 : threshold, bytes->size - at);
        assert_memory_equal(piece->iov_base, bytes->data + at, piece->iov_len);
        at += piece->iov_len;
    }
    assert_int_equal(at, bytes->size);
}

static size_t referred(const made *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++)
        count += !is_in_buffer(m, &m->pieces[i]);
    return count;
}

static size_t try_random(random_source *source, const mrpc_type *type, const void *message, made *m)
{
    test_bytes bytes = test_encode(type, message, NULL);
    size_t threshold = 1 + random_below(source, 300), room = 1 + random_below(source, PIECES);
    encode(m, type, message, threshold, random_below(source, 2) == 0 ? 1 + room % 12 : room);
    assert_pieces(m, &bytes, threshold);
    test_bytes_free(&bytes);
    return referred(m);
}

static void pieces_are_what_one_buffer_would_hold(void **state)
{
    static made m;
    size_t lists = 0;
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (unsigned round = 0; round < ROUNDS; round++) {
            random_source source;
            random_begin(&source, 1000 * t + round);
            void *message = random_message(&source, types[t], DEPTH);
            lists += try_random(&source, types[t], message, &m) > 1;
            mrpc_release(message);
        }
    assert_in_range(lists, ROUNDS / 2, SIZE_MAX); /* with several large fields: not now and then but often */
    free(m.buffer);
}

/* A type without generated code: its tables alone. */
static mrpc_type table_type(const mrpc_type *type, mrpc_file *file)
{
    mrpc_type copy = *type;
    *file = *type->file;
    file->linked = NULL;
    copy.file = file;
    return copy;
}

static void tables_list_the_same_pieces(void **state)
{
    static made by_code, by_table;
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (unsigned round = 0; round < ROUNDS / 4; round++) {
            random_source source;
            random_begin(&source, 1000 * t + round);
            void *message = random_message(&source, types[t], DEPTH);
            mrpc_file file;
            mrpc_type type = table_type(types[t], &file);
            encode(&by_code, types[t], message, 100, PIECES);
            encode(&by_table, &type, message, 100, PIECES);
            test_bytes bytes = test_encode(types[t], message, NULL);
            assert_pieces(&by_table, &bytes, 100);
            if (types[t] != &everything2_Optional_type) /* extensions, which generated code copies between its fields */
                assert_int_equal(by_code.count, by_table.count);
            test_bytes_free(&bytes);
            mrpc_release(message);
        }
    free(by_code.buffer);
    free(by_table.buffer);
}

/* --- nothing large is copied --- */

static void large_bytes_stay_where_they_are(void **state)
{
    static made m;
    (void)state;
    for (size_t size = 65536; size <= 1048576; size *= 16) {
        everything_OneOf *message = everything_OneOf_new(NULL);
        uint8_t *large = calloc(1, size);
        message->before = 5;
        assert_int_equal(mrpc_string_set(message, &message->between, "between"), 0);
        message->choice_case = everything_OneOf_choice_data;
        message->choice.data = (mrpc_bytes){.data = large, .size = size};
        encode(&m, &everything_OneOf_type, message, 0, PIECES);
        assert_int_equal(m.count, 2); /* data is number 14, the last one */
        assert_ptr_equal(m.pieces[1].iov_base, large);
        assert_int_equal(m.pieces[1].iov_len, size);
        assert_int_equal(m.pieces[0].iov_len, (size_t)m.result - size);
        assert_in_range(m.size, 1, 4096); /* nor is there room for a copy */
        mrpc_release(message);
        free(large);
    }
    free(m.buffer);
}

/* A field that nobody knows, number 1000, with `size` bytes. */
static mrpc_unknown *large_unknown(size_t size)
{
    static const uint8_t head[] = {0xc2, 0x3e, 0xe4, 0x0f}; /* tag; length 2020 */
    mrpc_unknown *unknown = calloc(1, sizeof *unknown + sizeof head + size);
    assert_non_null(unknown);
    assert_int_equal(size, 2020);
    memcpy(unknown->data, head, sizeof head);
    unknown->size = sizeof head + size;
    return unknown;
}

static void text_numbers_and_unknown_fields_are_listed(void **state)
{
    static made m;
    static char text[] =
        "two or three dozen words would be too long for a test, but this is more than threescore bytes";
    static double doubles[100];
    everything_Everything *message = everything_Everything_new(NULL);
    everything_Plain *plain = everything_Everything_make_plain(message);
    everything_Lists *lists = everything_Everything_make_lists(message);
    (void)state;
    plain->a_string = (mrpc_string){.data = text, .size = sizeof text - 1};
    lists->doubles = (mrpc_double_list){.data = doubles, .size = 100};
    mrpc_unknown *outer = large_unknown(2020), *inner = large_unknown(2020);
    message->base.unknown = outer;
    lists->base.unknown = inner;
    encode(&m, &everything_Everything_type, message, 65, PIECES);
    test_bytes bytes = test_encode(&everything_Everything_type, message, NULL);
    assert_pieces(&m, &bytes, 65);
    assert_int_equal(m.count, 8);
    assert_ptr_equal(m.pieces[1].iov_base, text);
    assert_ptr_equal(m.pieces[3].iov_base, doubles);
    assert_ptr_equal(m.pieces[5].iov_base, inner->data + 1); /* a byte before unknown fields is always copied */
    assert_ptr_equal(m.pieces[7].iov_base, outer->data + 1);
    test_bytes_free(&bytes);
    free(m.buffer);
    free(outer);
    free(inner);
    mrpc_release(message);
}

/* --- limits and errors --- */

static everything_Lists *list_of_bytes(size_t count, size_t size)
{
    static uint8_t data[1000];
    everything_Lists *message = everything_Lists_new(NULL);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(everything_Lists_add_bytes_list(message, data, size), 0);
    return message;
}

static void what_finds_no_place_in_the_list_is_copied(void **state)
{
    static made m;
    everything_Lists *message = list_of_bytes(600, 100);
    test_bytes bytes = test_encode(&everything_Lists_type, message, NULL);
    (void)state;
    for (size_t room = 1; room < 10; room++) {
        encode(&m, &everything_Lists_type, message, 100, room);
        assert_pieces(&m, &bytes, 100);
        assert_int_equal(m.count, room < 3 ? 1 : (room - 1) / 2 * 2);
    }
    encode(&m, &everything_Lists_type, message, 100, PIECES);
    assert_pieces(&m, &bytes, 100);
    assert_int_equal(referred(&m), 511);
    test_bytes_free(&bytes);
    mrpc_release(message);
    free(m.buffer);
}

static void buffer_is_used_again(void **state)
{
    static made m;
    everything_Lists *message = list_of_bytes(600, 50);
    (void)state;
    encode(&m, &everything_Lists_type, message, 0, 8);
    void *buffer = m.buffer;
    size_t size = m.size;
    encode(&m, &everything_Lists_type, message, 0, 8);
    assert_ptr_equal(m.buffer, buffer);
    assert_int_equal(m.size, size);
    mrpc_release(message);
    message = list_of_bytes(0, 0);
    encode(&m, &everything_Lists_type, message, 0, 8);
    assert_int_equal(m.result, 0);
    assert_int_equal(m.count, 0);
    mrpc_release(message);
    free(m.buffer);
}

static void assert_refused(everything_Lists *message, size_t room, int error)
{
    static made m;
    encode(&m, &everything_Lists_type, message, 100, room);
    assert_int_equal(m.result, error);
    assert_int_equal(m.count, 0);
    free(m.buffer);
    m.buffer = NULL;
    mrpc_release(message);
}

static void what_cannot_be_encoded_is_refused(void **state)
{
    (void)state;
    assert_refused(list_of_bytes(1, 10), 0, MRPC_EINVAL);
    static char text[200];
    memset(text, 'x', sizeof text);
    everything_Lists *message = list_of_bytes(0, 0);
    assert_int_equal(everything_Lists_add_strings(message, ""), 0);
    message->strings.data[0] = (mrpc_string){.data = text, .size = sizeof text};
    text[150] = (char)0xff;
    assert_refused(message, 8, MRPC_EINVAL);
    message = list_of_bytes(1, 200); /* more than 2 GiB, by its size alone */
    message->bytes_list.data[0].size = (size_t)INT32_MAX;
    assert_refused(message, 8, MRPC_ELIMIT);
    message = list_of_bytes(2, 200); /* sizes that wrap around when they are added */
    message->bytes_list.data[0].size = SIZE_MAX - 100;
    assert_refused(message, 8, MRPC_ELIMIT);
    message = list_of_bytes(2, 200); /* each fits */
    message->bytes_list.data[0].size = message->bytes_list.data[1].size = (size_t)INT32_MAX / 2;
    assert_refused(message, 8, MRPC_ELIMIT);
}

static void each_allocation_may_fail(void **state)
{
    static made m;
    everything_Lists *message = list_of_bytes(600, 90);
    struct failing_alloc fail;
    (void)state;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        m = (made){0};
        failing_alloc_start(&fail);
        encode(&m, &everything_Lists_type, message, 90, 100);
        failing_alloc_stop(&fail);
        assert_true(fail.hit ? m.result == MRPC_ENOMEM && m.count == 0 : m.result > 0);
        free(m.buffer);
    }
    assert_true(fail.runs > 1);
    mrpc_release(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_what_one_buffer_would_hold),
        cmocka_unit_test(tables_list_the_same_pieces),
        cmocka_unit_test(large_bytes_stay_where_they_are),
        cmocka_unit_test(text_numbers_and_unknown_fields_are_listed),
        cmocka_unit_test(what_finds_no_place_in_the_list_is_copied),
        cmocka_unit_test(buffer_is_used_again),
        cmocka_unit_test(what_cannot_be_encoded_is_refused),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
