/* SPDX-License-Identifier: BSD-2-Clause */
/* test_peer.c - libprotobuf and mrpc read and write the same bytes, and refuse the same */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/json.h>

#include "everything.mrpc.h"
#include "everything2.mrpc.h"
#include "tests/unit/marshal/codec_help.h"
#include "tests/unit/marshal/peer.h"
#include "tests/unit/marshal/random_message.h"

enum { ROUNDS = 300, DAMAGED = 60 };

static const mrpc_type *const types[] = {
    &everything_Plain_type,     &everything_Optional_type,  &everything_Lists_type,       &everything_Maps_type,
    &everything_OneOf_type,     &everything_Tree_type,      &everything_Empty_type,       &everything_Everything_type,
    &everything2_Optional_type, &everything2_Required_type, &everything2_Lists_type,      &everything2_Groups_type,
    &everything2_Maps_type,     &everything2_Empty_type,    &everything2_Everything_type,
};

static test_bytes peer(const mrpc_type *type, const test_bytes *bytes)
{
    test_bytes again = {0};
    if (!peer_round_trip(type->name, bytes->data, bytes->size, &again.data, &again.size))
        again.data = NULL;
    return again;
}

static void assert_same_bytes(const test_bytes *a, const test_bytes *b)
{
    assert_int_equal(a->size, b->size);
    if (a->size != 0)
        assert_memory_equal(a->data, b->data, a->size);
}

static void both_write_the_same_bytes(void **state)
{
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (unsigned round = 0; round < ROUNDS; round++) {
            random_source source;
            random_begin(&source, 77000 * t + round);
            void *message = random_message(&source, types[t], 4);
            test_bytes ours = test_encode(types[t], message, NULL), theirs = peer(types[t], &ours);
            assert_non_null(theirs.data);
            assert_same_bytes(&ours, &theirs);
            test_bytes_free(&ours);
            test_bytes_free(&theirs);
            mrpc_release(message);
        }
}

/* What becomes of JSON here; the bytes of the message. */
static test_bytes read_json(const mrpc_type *type, const char *json)
{
    mrpc_error error;
    void *parsed;
    if (mrpc_json_parse(type, json, strlen(json), NULL, NULL, &parsed, &error) != 0)
        fail_msg("%s: %s in %s", type->name, mrpc_error_text(&error), json);
    test_bytes bytes = test_encode(type, parsed, NULL);
    mrpc_release(parsed);
    return bytes;
}

static void assert_json_alike(const mrpc_type *type, const char *ours, const char *theirs, const test_bytes *expected)
{
    test_bytes read = {0}, own = read_json(type, ours), other = read_json(type, theirs);
    if (!peer_from_json(type->name, ours, &read.data, &read.size))
        fail_msg("%s: libprotobuf refuses %s", type->name, ours);
    assert_same_bytes(&read, expected);
    assert_same_bytes(&own, expected);
    assert_same_bytes(&other, expected);
    test_bytes_free(&read);
    test_bytes_free(&own);
    test_bytes_free(&other);
}

/* Each reads the JSON of the other, to the same message. False: libprotobuf has no JSON for it, as for text that is not
 * UTF-8, or does not read its own. */
static bool compare_json(const mrpc_type *type, const void *message)
{
    char *ours = NULL;
    size_t size;
    mrpc_error error;
    test_bytes bytes = test_encode(type, message, NULL), expected = {0};
    char *theirs = peer_to_json(type->name, bytes.data, bytes.size);
    bool compared = theirs != NULL && peer_from_json(type->name, theirs, &expected.data, &expected.size) &&
                    mrpc_json_print(type, message, NULL, &ours, &size, &error) == 0;
    if (compared)
        assert_json_alike(type, ours, theirs, &expected);
    free(ours);
    free(theirs);
    test_bytes_free(&bytes);
    test_bytes_free(&expected);
    return compared;
}

static void each_reads_the_json_of_the_other(void **state)
{
    (void)state;
    /* Without those that have groups, of which libprotobuf's JSON parser makes messages. */
    static const mrpc_type *const json_types[] = {
        &everything_Plain_type,      &everything_Optional_type,  &everything_Lists_type,
        &everything_Maps_type,       &everything_OneOf_type,     &everything_Tree_type,
        &everything_Everything_type, &everything2_Optional_type, &everything2_Lists_type,
    };
    unsigned compared = 0;
    for (size_t t = 0; t < sizeof json_types / sizeof *json_types; t++)
        for (unsigned round = 0; round < ROUNDS / 3; round++) {
            random_source source;
            random_begin(&source, 33000 * t + round);
            void *message = random_message(&source, json_types[t], 4);
            compared += compare_json(json_types[t], message);
            mrpc_release(message);
        }
    print_message("%u compared\n", compared);
    assert_true(compared > ROUNDS);
}

/* libprotobuf drops the bits of a varint beyond the 64th, and of a tag beyond the 32nd, which mrpc refuses. */
static bool is_only_stricter(const test_reason *reason)
{
    return strstr(reason->what, "cut off or too long") != NULL;
}

/* What one accepts the other does, and both understand the same. */
static void compare(const mrpc_type *type, const test_bytes *bytes)
{
    test_reason reason = {0};
    test_bytes theirs = peer(type, bytes);
    void *message = test_decode(type, bytes->data, bytes->size, &reason);
    if (message == NULL) {
        if (theirs.data != NULL && !is_only_stricter(&reason))
            fail_msg("libprotobuf accepts what is refused here: %s %s", reason.where, reason.what);
    } else {
        assert_non_null(theirs.data);
        test_bytes ours = test_encode(type, message, NULL), both = peer(type, &ours);
        assert_same_bytes(&both, &theirs); /* unknown fields are written by libprotobuf in the shortest form */
        test_bytes_free(&ours);
        test_bytes_free(&both);
        mrpc_release(message);
    }
    test_bytes_free(&theirs);
}

static void both_refuse_the_same_bytes(void **state)
{
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (unsigned round = 0; round < ROUNDS / 10; round++) {
            random_source source;
            random_begin(&source, 99000 * t + round);
            void *message = random_message(&source, types[t], 4);
            test_bytes good = test_encode(types[t], message, NULL);
            for (unsigned i = 0; i < DAMAGED && good.size != 0; i++) {
                test_bytes bad = test_bytes_copy(good.data, good.size);
                for (size_t changes = 1 + random_below(&source, 3); changes > 0; changes--)
                    bad.data[random_below(&source, bad.size)] = (char)random_next(&source);
                if (random_below(&source, 4) == 0)
                    bad.size = random_below(&source, bad.size);
                compare(types[t], &bad);
                test_bytes_free(&bad);
            }
            test_bytes_free(&good);
            mrpc_release(message);
        }
}

/* Two messages one behind the other are one in which the second is merged into the first: the last value, both lists,
 * merged messages, entries of maps by key, the last member of a oneof, all unknown fields. */
static void both_merge_in_the_same_way(void **state)
{
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (unsigned round = 0; round < ROUNDS / 3; round++) {
            random_source source;
            random_begin(&source, 55000 * t + round);
            void *first = random_message(&source, types[t], 4), *second = random_message(&source, types[t], 4);
            test_bytes front = test_encode(types[t], first, NULL), back = test_encode(types[t], second, NULL),
                       both = {malloc(front.size + back.size + 1), front.size + back.size};
            assert_non_null(both.data);
            if (front.size != 0)
                memcpy(both.data, front.data, front.size);
            if (back.size != 0)
                memcpy(both.data + front.size, back.data, back.size);
            compare(types[t], &both);
            test_bytes_free(&both);
            test_bytes_free(&front);
            test_bytes_free(&back);
            mrpc_release(first);
            mrpc_release(second);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_write_the_same_bytes),
        cmocka_unit_test(each_reads_the_json_of_the_other),
        cmocka_unit_test(both_refuse_the_same_bytes),
        cmocka_unit_test(both_merge_in_the_same_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
