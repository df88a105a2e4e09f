/* SPDX-License-Identifier: BSD-2-Clause */
/* test_fast_paths.c - what codecs do many at a time gives what it gives one at a time: UTF-8, varints, large bytes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "everything.mrpc.h"
#include "mrpc/marshal/text.h"
#include "tests/unit/marshal/codec_help.h"

enum { TEXTS = 100000, LISTS = 300, LIST_MAX = 60, LARGE_LISTS = 40, SEED = 20261127 };

static uint64_t state_of_random = SEED;

/* xorshift64 (G. Marsaglia) */
static uint64_t random64(void)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return state_of_random;
}

static size_t below(size_t limit)
{
    return (size_t)(random64() % limit);
}

/* --- UTF-8 --- */

/* A character of one to four bytes, cut off where there is no more room. */
static size_t put_character(char *to, size_t room)
{
    static const uint32_t first[] = {0, 0x80, 0x800, 0x10000}, behind[] = {0x80, 0x800, 0x10000, 0x110000};
    static const uint8_t leads[] = {0, 0xc0, 0xe0, 0xf0};
    size_t more = below(4), size = more + 1 < room ? more + 1 : room;
    uint32_t number = first[more] + (uint32_t)below(behind[more] - first[more]);
    to[0] = (char)(leads[more] | number >> 6 * more);
    for (size_t i = 1; i < size; i++)
        to[i] = (char)(0x80 | (number >> 6 * (more - i) & 0x3f));
    return size;
}

static bool is_valid_by_character(const char *text, size_t size)
{
    for (size_t at = 0, length; at < size; at += length) {
        length = mrpc_text_sequence((const uint8_t *)text + at, size - at);
        if (length == 0)
            return false;
    }
    return true;
}

static void text_is_validated_as_by_character(void **state)
{
    (void)state;
    unsigned valid = 0;
    for (unsigned i = 0; i < TEXTS; i++) {
        size_t size = below(100), ascii = below(3) * 40;
        char *text = malloc(size + 1);
        memset(text, 'a', size);
        for (size_t at = ascii; at < size;)
            at += put_character(text + at, size - at);
        if (size > 0 && below(3) == 0)
            text[below(size)] = (char)random64();
        bool expected = is_valid_by_character(text, size);
        if (mrpc_text_valid(text, size) != expected)
            fail_msg("text %u of %zu bytes is %s", i, size, expected ? "valid" : "not valid");
        valid += expected;
        free(text);
    }
    assert_true(valid > TEXTS / 10 && valid < TEXTS - TEXTS / 10);
}

static void every_sequence_of_three_bytes_is_judged_as_by_character(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < 1 << 24; number++) {
        char text[] = {(char)(number >> 16), (char)(number >> 8), (char)number};
        if (mrpc_text_valid(text, 3) != is_valid_by_character(text, 3))
            fail_msg("%06x", number);
    }
}

/* --- varints --- */

static size_t put_varint(char *to, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        to[size++] = (char)(value | 0x80);
    to[size++] = (char)value;
    return size;
}

/* Runs of small numbers and numbers of all lengths. */
static uint64_t random_number(size_t i)
{
    return i / 16 % 2 == 0 ? random64() % 128 : random64() >> below(64);
}

static void packed_numbers_are_those_of_a_plain_encoder(void **state)
{
    (void)state;
    for (unsigned list = 0; list < LISTS; list++) {
        char packed[LIST_MAX * 10], field[LIST_MAX * 10 + 12] = {0x22}; /* uint64s */
        uint64_t numbers[LIST_MAX];
        size_t count = 1 + below(LIST_MAX), size = 0;
        for (size_t i = 0; i < count; i++)
            size += put_varint(packed + size, numbers[i] = random_number(i));
        size_t head = 1 + put_varint(field + 1, size);
        memcpy(field + head, packed, size);
        everything_Lists *lists = test_decode(&everything_Lists_type, field, head + size, NULL);
        assert_int_equal(lists->uint64s.size, count);
        assert_memory_equal(lists->uint64s.data, numbers, count * sizeof numbers[0]);
        test_bytes again = test_encode(&everything_Lists_type, lists, NULL);
        assert_int_equal(again.size, head + size);
        assert_memory_equal(again.data, field, head + size);
        test_bytes_free(&again);
        mrpc_release(lists);
    }
}

/* A list of `size` bytes whose last varint has no end, or is too long. */
static void assert_packed_is_refused(const char *bytes, size_t size)
{
    char field[64] = {0x22, (char)size};
    test_reason reason = {0};
    memcpy(field + 2, bytes, size);
    assert_null(test_decode(&everything_Lists_type, field, size + 2, &reason));
    assert_string_equal(reason.where, "everything.Lists.uint64s");
    assert_non_null(strstr(reason.what, "varint"));
}

static void packed_numbers_must_end(void **state)
{
    (void)state;
    char bytes[32];
    for (size_t size = 1; size <= 20; size++) {
        memset(bytes, 1, sizeof bytes);
        bytes[size - 1] = (char)0x80;
        assert_packed_is_refused(bytes, size);
    }
    memset(bytes, 0x80, sizeof bytes);
    bytes[9] = 2; /* more than 64 bits */
    assert_packed_is_refused(bytes, 10);
    bytes[9] = (char)0x81;
    bytes[10] = 0; /* eleven bytes */
    assert_packed_is_refused(bytes, 11);
    assert_packed_is_refused(bytes, 30);
}

/* --- large bytes --- */

static void fill_large(everything_Lists *lists)
{
    size_t count = 1 + below(15);
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[5000];
        size_t size = below(3) == 0 ? below(20) : 1500 + below(sizeof bytes - 1500);
        for (size_t at = 0; at < size; at++)
            bytes[at] = (uint8_t)random64();
        assert_int_equal(mrpc_bytes_list_add(lists, &lists->bytes_list, bytes, size), 0);
    }
    for (size_t i = below(3000); i > 0; i--)
        assert_int_equal(mrpc_list_append(lists, &lists->doubles, (double)i), 0);
}

static void large_bytes_come_to_where_they_belong(void **state)
{
    (void)state;
    for (unsigned list = 0; list < LARGE_LISTS; list++) {
        everything_Lists *lists = everything_Lists_new(NULL);
        fill_large(lists);
        test_bytes encoded = test_encode(&everything_Lists_type, lists, NULL);
        void *decoded = test_decode(&everything_Lists_type, encoded.data, encoded.size, NULL);
        assert_true(mrpc_message_equal(&everything_Lists_type, lists, decoded));
        mrpc_release(decoded);
        test_bytes_free(&encoded);
        mrpc_release(lists);
    }
}

static void large_bytes_may_stay_where_they_are(void **state)
{
    (void)state;
    everything_Plain *plain = everything_Plain_new(NULL);
    mrpc_error error;
    void *decoded = NULL, *copied = NULL;
    assert_int_equal(mrpc_bytes_reserve(plain, &plain->some_bytes, 3000), 0);
    memset(plain->some_bytes.data, 7, 3000);
    assert_int_equal(mrpc_string_set(plain, &plain->a_string, "a text"), 0);
    test_bytes encoded = test_encode(&everything_Plain_type, plain, NULL);
    assert_int_equal(
        mrpc_message_decode_alias(&everything_Plain_type, encoded.data, encoded.size, NULL, &decoded, &error), 0);
    assert_true(mrpc_message_equal(&everything_Plain_type, plain, decoded));
    const everything_Plain *alias = decoded;
    const char *data = (const char *)alias->some_bytes.data;
    assert_true(data > encoded.data && data + 3000 <= encoded.data + encoded.size);
    assert_false(alias->a_string.data > encoded.data && alias->a_string.data < encoded.data + encoded.size);
    assert_true(mrpc_arena_bytes(alias->base.arena) < 3000);
    assert_int_equal(mrpc_message_decode(&everything_Plain_type, encoded.data, encoded.size, NULL, &copied, &error), 0);
    test_bytes_free(&encoded);
    assert_true(mrpc_message_equal(&everything_Plain_type, plain, copied));
    mrpc_release(copied);
    mrpc_release(decoded);
    mrpc_release(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_validated_as_by_character),
        cmocka_unit_test(every_sequence_of_three_bytes_is_judged_as_by_character),
        cmocka_unit_test(packed_numbers_are_those_of_a_plain_encoder),
        cmocka_unit_test(packed_numbers_must_end),
        cmocka_unit_test(large_bytes_come_to_where_they_belong),
        cmocka_unit_test(large_bytes_may_stay_where_they_are),
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
