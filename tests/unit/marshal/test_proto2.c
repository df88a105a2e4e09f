/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_proto2.c - what proto2 has and proto3 has not: defaults, required fields, closed enums, groups, text of any
 * bytes
 *
 * The rules are those of https://protobuf.dev/programming-guides/proto2 and …/encoding
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "everything2.mrpc.h"
#include "tests/unit/marshal/codec_help.h"

/* The bytes of a string literal, without its NUL. */
#define BYTES(text) text, sizeof(text) - 1

static void assert_bytes(const test_bytes *bytes, const char *expected, size_t size)
{
    assert_int_equal(bytes->size, size);
    assert_memory_equal(bytes->data, expected, size);
}

static void assert_reason(const test_reason *reason, const char *where, const char *what)
{
    assert_string_equal(reason->where, where);
    if (strstr(reason->what, what) == NULL)
        fail_msg("the reason is: %s", reason->what);
}

static void assert_refused(const mrpc_type *type, const char *bytes, size_t size, const char *where, const char *what)
{
    test_reason reason = {0};
    assert_null(test_decode(type, bytes, size, &reason));
    assert_reason(&reason, where, what);
}

/* Decoded, and encoded again, it is `expected`; and it goes through the native encoding. */
static void assert_becomes(const mrpc_type *type, const char *bytes, size_t size, const char *expected,
                           size_t expected_size)
{
    void *message = test_decode(type, bytes, size, NULL);
    test_bytes encoded = test_encode(type, message, NULL), copy, block = test_marshal(type, message, NULL);
    assert_bytes(&encoded, expected, expected_size);
    assert_true(mrpc_message_equal(type, message, test_unmarshal(type, block.data, block.size, &copy, NULL)));
    test_bytes_free(&encoded);
    test_bytes_free(&block);
    test_bytes_free(&copy);
    mrpc_release(message);
}

/* Neither encoding takes the message, for the same reason. */
static void assert_unsendable(const mrpc_type *type, const void *message, const char *where, const char *what)
{
    test_reason reason = {0};
    assert_null(test_encode(type, message, &reason).data);
    assert_int_equal(reason.error, MRPC_EINVAL);
    assert_reason(&reason, where, what);
    assert_null(test_marshal(type, message, &reason).data);
    assert_int_equal(reason.error, MRPC_EINVAL);
    assert_reason(&reason, where, what);
}

/* --- defaults --- */

static void an_absent_field_reads_as_its_default(void **state)
{
    (void)state;
    everything2_Optional message;
    everything2_Optional_init(&message);
    assert_true(isinf(everything2_Optional_get_a_double(&message)) && everything2_Optional_get_a_double(&message) < 0);
    assert_true(isnan(everything2_Optional_get_a_float(&message)));
    assert_true(everything2_Optional_get_an_int64(&message) == INT64_MIN);
    assert_true(everything2_Optional_get_a_uint64(&message) == UINT64_MAX);
    assert_true(everything2_Optional_get_an_int32(&message) == INT32_MIN);
    assert_true(everything2_Optional_get_a_uint32(&message) == UINT32_MAX);
    assert_int_equal(everything2_Optional_get_an_sint32(&message), -1);
    assert_int_equal(everything2_Optional_get_a_fixed64(&message), 0);
    assert_true(everything2_Optional_get_a_bool(&message));
    mrpc_string text = everything2_Optional_get_a_string(&message);
    assert_int_equal(text.size, sizeof "caf\303\251\000 \"quoted\"\n" - 1);
    assert_memory_equal(text.data, "caf\303\251\000 \"quoted\"\n", text.size + 1);
    mrpc_bytes bytes = everything2_Optional_get_some_bytes(&message);
    assert_int_equal(bytes.size, 3);
    assert_memory_equal(bytes.data, "\000\377\\", 3);
    assert_int_equal(everything2_Optional_get_sparse(&message), everything2_SPARSE_MOST);
    assert_int_equal(everything2_Optional_get_dense(&message), everything2_BELOW); /* the first, not zero */
    assert_int_equal(everything2_Optional_get_nonzero(&message), everything2_FIRST);
}

static void a_present_field_reads_as_what_it_is(void **state)
{
    (void)state;
    everything2_Optional *message = everything2_Optional_new(NULL);
    everything2_Optional_set_an_int32(message, 0);
    assert_int_equal(everything2_Optional_set_a_string(message, ""), 0);
    assert_int_equal(everything2_Optional_get_an_int32(message), 0);
    assert_int_equal(everything2_Optional_get_a_string(message).size, 0);
    message->has_an_int32 = false;
    assert_true(everything2_Optional_get_an_int32(message) == INT32_MIN);
    mrpc_release(message);
}

static void a_oneof_reads_as_the_default_of_what_it_is_not(void **state)
{
    (void)state;
    everything2_Groups *message = everything2_Groups_new(NULL);
    assert_int_equal(everything2_Groups_get_dense(message), everything2_BELOW);
    assert_int_equal(everything2_Groups_set_text(message, "x"), 0);
    assert_string_equal(everything2_Groups_get_text(message).data, "x");
    everything2_Groups_set_dense(message, everything2_HIGHER);
    assert_string_equal(everything2_Groups_get_text(message).data, "");
    assert_int_equal(everything2_Groups_get_dense(message), 1);
    mrpc_release(message);
}

static void a_value_that_is_the_default_is_sent_when_it_is_present(void **state)
{
    (void)state;
    assert_becomes(&everything2_Optional_type, BYTES("\x40\x01\x88\x01\x01"), BYTES("\x40\x01\x88\x01\x01"));
    assert_becomes(&everything2_Optional_type, BYTES("\x4a\x00"), BYTES("\x4a\x00"));
}

/* --- required fields --- */

#define COMPLETE                                                                                                       \
    "\x08\x00\x12\x00\x1a\x00\x20\x00\x28\x03\x32\x09\x09\x00\x00\x00\x00\x00\x00\x00\x00\x3b\x09\x00\x00\x00\x00\x00" \
    "\x00\x00\x00\x3c"

static everything2_Required *complete(void)
{
    return test_decode(&everything2_Required_type, BYTES(COMPLETE), NULL);
}

static void a_message_without_a_required_field_cannot_be_sent(void **state)
{
    (void)state;
    const mrpc_type *type = &everything2_Required_type;
    everything2_Required *message = complete();
    message->has_text = false;
    assert_unsendable(type, message, "everything2.Required.text", "required and absent");
    message->has_text = true;
    message->inner->has_real = false;
    assert_unsendable(type, message, "everything2.Required.Inner.real", "required and absent");
    message->inner = NULL;
    assert_unsendable(type, message, "everything2.Required.inner", "required and absent");
    mrpc_release(message);
    message = complete();
    message->group = NULL;
    assert_unsendable(type, message, "everything2.Required.group", "required and absent");
    mrpc_release(message);
}

static void a_message_without_a_required_field_is_not_accepted(void **state)
{
    (void)state;
    const mrpc_type *type = &everything2_Required_type;
    assert_refused(type, BYTES(""), "everything2.Required.number", "required and absent");
    assert_refused(type, COMPLETE, sizeof COMPLETE - 1 - 11, "everything2.Required.group", "required and absent");
    /* Below: in a list, a map, an entry without a value, a oneof. */
    assert_refused(&everything2_Lists_type, BYTES("\xf2\x01\x00"), "everything2.Required.number", "required");
    assert_refused(&everything2_Maps_type, BYTES("\x1a\x02\x12\x00"), "everything2.Required.number", "required");
    assert_refused(&everything2_Maps_type, BYTES("\x1a\x00"), "everything2.Required.number", "required");
    assert_refused(&everything2_Groups_type, BYTES("\x33\x34"), "everything2.Groups.One.number", "required");
    /* One that was replaced does not matter. */
    assert_becomes(&everything2_Groups_type, BYTES("\x33\x34\x38\x00"), BYTES("\x38\x00"));
}

static void required_fields_may_come_in_pieces(void **state)
{
    (void)state;
    assert_becomes(&everything2_Everything_type,
                   BYTES("\x12\x06\x08\x00\x12\x00\x1a\x00\x12\x1a\x20\x00\x28\x03\x32\x09\x09\x00\x00\x00\x00\x00\x00"
                         "\x00\x00\x3b\x09\x00\x00\x00\x00\x00\x00\x00\x00\x3c"),
                   BYTES("\x12\x20" COMPLETE));
}

static void a_block_without_a_required_field_is_not_accepted(void **state)
{
    (void)state;
    const mrpc_type *type = &everything2_Required_type;
    everything2_Required *message = complete();
    test_bytes copy, block = test_marshal(type, message, NULL);
    test_reason reason = {0};
    block.data[offsetof(everything2_Required, has_flag)] = 0;
    assert_null(test_unmarshal(type, block.data, block.size, &copy, &reason));
    assert_reason(&reason, "everything2.Required.flag", "required and absent");
    block.data[offsetof(everything2_Required, has_flag)] = 1;
    memset(block.data + offsetof(everything2_Required, inner), 0, sizeof(void *));
    assert_null(test_unmarshal(type, block.data, block.size, &copy, &reason));
    assert_reason(&reason, "everything2.Required.inner", "required and absent");
    test_bytes_free(&block);
    mrpc_release(message);
}

/* --- closed enums --- */

static void a_number_that_a_closed_enum_lacks_is_unknown(void **state)
{
    (void)state;
    const mrpc_type *type = &everything2_Optional_type;
    everything2_Optional *message = test_decode(type, BYTES("\x70\x01\x70\x02"), NULL);
    assert_int_equal(message->dense, 1); /* the one before stays */
    assert_non_null(message->base.unknown);
    mrpc_release(message);
    message = test_decode(type, BYTES("\xa0\x01\x00"), NULL);
    assert_false(message->has_nonzero);
    assert_int_equal(everything2_Optional_get_nonzero(message), everything2_FIRST);
    mrpc_release(message);
    assert_becomes(type, BYTES("\x70\x02\x70\x01"), BYTES("\x70\x01\x70\x02"));
    assert_becomes(type, BYTES("\x70\xff\xff\xff\xff\x0f"), BYTES("\x70\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    /* In lists, loose and packed; in a oneof; as the value of a map. */
    assert_becomes(&everything2_Lists_type, BYTES("\x40\x01\x40\x02\x42\x03\x00\x05\x01"),
                   BYTES("\x40\x01\x40\x00\x40\x01\x40\x02\x40\x05"));
    assert_becomes(&everything2_Lists_type, BYTES("\xba\x01\x04\x01\x80\x08\x00\xb8\x01\x02"),
                   BYTES("\xba\x01\x02\x01\x00\xb8\x01\x80\x08\xb8\x01\x02"));
    assert_becomes(&everything2_Groups_type, BYTES("\x4a\x01x\x38\x05"), BYTES("\x4a\x01x\x38\x05"));
    assert_becomes(&everything2_Maps_type, BYTES("\x0a\x04\x08\x01\x10\x05\x0a\x02\x08\x02"),
                   BYTES("\x0a\x04\x08\x02\x10\x00\x0a\x04\x08\x01\x10\x05"));
}

static void a_number_that_a_closed_enum_lacks_cannot_be_sent(void **state)
{
    (void)state;
    const char *what = "a number that its enum does not name";
    everything2_Optional *message = everything2_Optional_new(NULL);
    everything2_Optional_set_sparse(message, 301);
    assert_unsendable(&everything2_Optional_type, message, "everything2.Optional.sparse", what);
    message->has_sparse = false;
    everything2_Optional_set_nonzero(message, 5);
    assert_unsendable(&everything2_Optional_type, message, "everything2.Optional.nonzero", what);
    mrpc_release(message);
    everything2_Lists *lists = everything2_Lists_new(NULL);
    assert_int_equal(everything2_Lists_add_tight_dense(lists, 0) | everything2_Lists_add_tight_dense(lists, -2), 0);
    assert_unsendable(&everything2_Lists_type, lists, "everything2.Lists.tight_dense", what);
    mrpc_release(lists);
    everything2_Groups *groups = everything2_Groups_new(NULL);
    everything2_Groups_set_sparse(groups, 1);
    assert_unsendable(&everything2_Groups_type, groups, "everything2.Groups.sparse", what);
    mrpc_release(groups);
    everything2_Maps *maps = everything2_Maps_new(NULL);
    assert_int_equal(everything2_Maps_put_sparse(maps, 1, 1), 0);
    assert_unsendable(&everything2_Maps_type, maps, "everything2.Maps.SparseEntry.value", what);
    mrpc_release(maps);
}

static void a_block_with_such_a_number_is_not_accepted(void **state)
{
    (void)state;
    const mrpc_type *type = &everything2_Optional_type;
    everything2_Optional *message = everything2_Optional_new(NULL);
    everything2_Optional_set_sparse(message, 300);
    test_bytes copy, block = test_marshal(type, message, NULL);
    test_reason reason = {0};
    block.data[offsetof(everything2_Optional, sparse)]++;
    assert_null(test_unmarshal(type, block.data, block.size, &copy, &reason));
    assert_reason(&reason, "everything2.Optional.sparse", "does not name");
    test_bytes_free(&block);
    mrpc_release(message);
}

/* --- groups --- */

static void groups_are_read_and_written(void **state)
{
    (void)state;
    const mrpc_type *type = &everything2_Groups_type;
    assert_becomes(type, BYTES("\x0b\x08\x05\x0c"), BYTES("\x0b\x08\x05\x0c"));
    assert_becomes(type, BYTES("\x0b\x1b\x0a\x01x\x1c\x1b\x1c\x0c"), BYTES("\x0b\x1b\x0a\x01x\x1c\x1b\x1c\x0c"));
    /* They merge, as messages do. */
    assert_becomes(type, BYTES("\x0b\x08\x05\x1b\x1c\x0c\x0b\x08\x06\x1b\x1c\x0c"),
                   BYTES("\x0b\x08\x06\x1b\x1c\x1b\x1c\x0c"));
    /* The same type with a length. */
    assert_becomes(type, BYTES("\x22\x02\x08\x05\x0b\x0c"), BYTES("\x0b\x0c\x22\x02\x08\x05"));
    /* In a group, a message with a length, and in that a group. */
    assert_becomes(type, BYTES("\x0b\x12\x02\x0b\x0c\x0c"), BYTES("\x0b\x12\x02\x0b\x0c\x0c"));
    /* What is known as a group comes with a length, and the other way. */
    assert_becomes(type, BYTES("\x0a\x02\x08\x05"), BYTES("\x0a\x02\x08\x05"));
    assert_becomes(type, BYTES("\x23\x08\x05\x24"), BYTES("\x23\x08\x05\x24"));
    /* A field that is not known ends the group with neither its number nor its length. */
    assert_becomes(type, BYTES("\x0b\x53\x0b\x0c\x54\x0c"), BYTES("\x0b\x53\x0b\x0c\x54\x0c"));
}

static void groups_must_end_where_they_should(void **state)
{
    (void)state;
    const mrpc_type *type = &everything2_Groups_type;
    assert_refused(type, BYTES("\x0b"), "everything2.Groups.Single", "does not end");
    assert_refused(type, BYTES("\x0b\x08\x05"), "everything2.Groups.Single", "does not end");
    assert_refused(type, BYTES("\x0b\x14"), "everything2.Groups.Single", "wire type");
    assert_refused(type, BYTES("\x0c"), "everything2.Groups", "wire type");
    assert_refused(type, BYTES("\x22\x01\x0c"), "everything2.Groups.Single", "wire type");
    assert_refused(type, BYTES("\x0b\x12\x01\x0c\x0c"), "everything2.Groups", "wire type");
    assert_refused(type, BYTES("\x0b\x12\x01\x0b\x0c\x0c"), "everything2.Groups.Single", "does not end");
    assert_refused(type, BYTES("\x33\x08\x01"), "everything2.Groups.One", "does not end");
}

/* Puts what is inside into a message with its length, and that into a group; how many bytes it is then. */
static size_t wrap(char *inside, size_t size)
{
    char outside[4 * MRPC_DEPTH_LIMIT + 8] = {0x0b, 0x12};
    size_t at = 2;
    if (size >= 0x80)
        outside[at++] = (char)(size | 0x80);
    outside[at++] = (char)(size >= 0x80 ? size >> 7 : size);
    memcpy(outside + at, inside, size);
    outside[at + size] = 0x0c;
    memcpy(inside, outside, at + size + 1);
    return at + size + 1;
}

static void groups_count_as_nesting(void **state)
{
    (void)state;
    char bytes[4 * MRPC_DEPTH_LIMIT + 8];
    size_t size = 0;
    for (size_t depth = 0; depth < MRPC_DEPTH_LIMIT; depth += 2)
        size = wrap(bytes, size);
    mrpc_release(test_decode(&everything2_Groups_type, bytes, size, NULL));
    size = wrap(bytes, size);
    assert_refused(&everything2_Groups_type, bytes, size, "everything2.Groups.single", "nested deeper");
}

/* --- text --- */

static void text_of_proto2_may_be_any_bytes(void **state)
{
    (void)state;
    assert_becomes(&everything2_Optional_type, BYTES("\x4a\x03\xff\x00\xc3"), BYTES("\x4a\x03\xff\x00\xc3"));
    assert_becomes(&everything2_Lists_type, BYTES("\x32\x01\xff\x32\x00"), BYTES("\x32\x01\xff\x32\x00"));
    assert_becomes(&everything2_Maps_type, BYTES("\x22\x06\x0a\x01\xff\x12\x01\xfe"),
                   BYTES("\x22\x06\x0a\x01\xff\x12\x01\xfe"));
    /* But not that of proto3 below it: everything.other.Imported.text */
    assert_refused(&everything2_Optional_type, BYTES("\xaa\x01\x03\x0a\x01\xff"), "everything.other.Imported.text",
                   "UTF-8");
}

static void groups_are_printed_by_the_name_of_their_type(void **state)
{
    (void)state;
    char text[64];
    everything2_Groups *message = test_decode(&everything2_Groups_type, BYTES("\x0b\x08\x05\x0c"), NULL);
    everything2_Groups_text(message, text, sizeof text);
    assert_string_equal(text, "Single {\n  a: 5\n}\n");
    mrpc_release(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absent_field_reads_as_its_default),
        cmocka_unit_test(a_present_field_reads_as_what_it_is),
        cmocka_unit_test(a_oneof_reads_as_the_default_of_what_it_is_not),
        cmocka_unit_test(a_value_that_is_the_default_is_sent_when_it_is_present),
        cmocka_unit_test(a_message_without_a_required_field_cannot_be_sent),
        cmocka_unit_test(a_message_without_a_required_field_is_not_accepted),
        cmocka_unit_test(required_fields_may_come_in_pieces),
        cmocka_unit_test(a_block_without_a_required_field_is_not_accepted),
        cmocka_unit_test(a_number_that_a_closed_enum_lacks_is_unknown),
        cmocka_unit_test(a_number_that_a_closed_enum_lacks_cannot_be_sent),
        cmocka_unit_test(a_block_with_such_a_number_is_not_accepted),
        cmocka_unit_test(groups_are_read_and_written),
        cmocka_unit_test(groups_must_end_where_they_should),
        cmocka_unit_test(groups_count_as_nesting),
        cmocka_unit_test(text_of_proto2_may_be_any_bytes),
        cmocka_unit_test(groups_are_printed_by_the_name_of_their_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
