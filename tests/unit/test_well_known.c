/* SPDX-License-Identifier: BSD-2-Clause */
/* test_well_known.c - times, messages in an Any, masks and wrappers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <google/protobuf/descriptor.mrpc.h>
#include <mrpc/well_known.h>

static void a_timestamp_is_a_timespec(void **state)
{
    (void)state;
    static const struct timespec good[] = {
        {0, 0}, {1700000000, 999999999}, {-1, 1}, {-62135596800, 0}, {253402300799, 999999999}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        google_protobuf_Timestamp timestamp = {.seconds = 5};
        struct timespec back = {0};
        assert_int_equal(mrpc_timestamp_set(&timestamp, good[i]), 0);
        assert_int_equal(timestamp.seconds, good[i].tv_sec);
        assert_int_equal(timestamp.nanos, good[i].tv_nsec);
        assert_int_equal(mrpc_timestamp_get(&timestamp, &back), 0);
        assert_true(back.tv_sec == good[i].tv_sec && back.tv_nsec == good[i].tv_nsec);
    }
}

static void a_time_out_of_range_changes_nothing(void **state)
{
    (void)state;
    static const struct timespec bad[] = {
        {0, -1}, {0, 1000000000}, {-62135596801, 0}, {253402300800, 0}, {INT64_MAX, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        google_protobuf_Timestamp timestamp = {.seconds = 5};
        struct timespec time = {7, 8};
        assert_int_equal(mrpc_timestamp_set(&timestamp, bad[i]), MRPC_EINVAL);
        assert_true(timestamp.seconds == 5 && timestamp.nanos == 0);
        timestamp = (google_protobuf_Timestamp){.seconds = bad[i].tv_sec, .nanos = (int32_t)bad[i].tv_nsec};
        assert_int_equal(mrpc_timestamp_get(&timestamp, &time), MRPC_EINVAL);
        assert_true(time.tv_sec == 7 && time.tv_nsec == 8);
    }
}

static void a_duration_has_one_sign(void **state)
{
    (void)state;
    static const struct {
        struct timespec span;
        int64_t seconds;
        int32_t nanos;
    } pairs[] = {
        {{0, 0}, 0, 0},
        {{1, 250000000}, 1, 250000000},
        {{-2, 750000000}, -1, -250000000},
        {{-1, 999999999}, 0, -1},
        {{-1, 0}, -1, 0},
        {{315576000000, 0}, 315576000000, 0},
        {{-315576000000, 0}, -315576000000, 0},
        {{315575999999, 999999999}, 315575999999, 999999999},
        {{-315576000000, 1}, -315575999999, -999999999},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        google_protobuf_Duration duration = {.seconds = 77};
        struct timespec back = {0};
        assert_int_equal(mrpc_duration_set(&duration, pairs[i].span), 0);
        assert_int_equal(duration.seconds, pairs[i].seconds);
        assert_int_equal(duration.nanos, pairs[i].nanos);
        assert_int_equal(mrpc_duration_get(&duration, &back), 0);
        assert_true(back.tv_sec == pairs[i].span.tv_sec && back.tv_nsec == pairs[i].span.tv_nsec);
    }
}

static void a_span_out_of_range_changes_nothing(void **state)
{
    (void)state;
    static const struct timespec spans[] = {
        {0, -1}, {0, 1000000000}, {315576000000, 1}, {-315576000001, 999999999}, {INT64_MIN, 0}};
    static const google_protobuf_Duration durations[] = {
        {.seconds = 1, .nanos = -1}, {.seconds = -1, .nanos = 1},           {.nanos = 1000000000},
        {.nanos = -1000000000},      {.seconds = 315576000001, .nanos = 0}, {.seconds = -315576000001},
    };
    google_protobuf_Duration duration = {.seconds = 5};
    struct timespec span = {7, 8};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        assert_int_equal(mrpc_duration_set(&duration, spans[i]), MRPC_EINVAL);
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++)
        assert_int_equal(mrpc_duration_get(&durations[i], &span), MRPC_EINVAL);
    assert_true(duration.seconds == 5 && duration.nanos == 0 && span.tv_sec == 7 && span.tv_nsec == 8);
}

static void a_message_goes_into_an_any_and_out_again(void **state)
{
    (void)state;
    const mrpc_type *type = &google_protobuf_Duration_type;
    google_protobuf_Any *any = google_protobuf_Any_new(NULL);
    google_protobuf_Duration duration = {.seconds = 300, .nanos = 5};
    void *back = NULL;
    mrpc_error error = {0};
    assert_false(mrpc_any_is(any, type));
    assert_int_equal(mrpc_any_pack(any, type, &duration), 0);
    assert_string_equal(any->type_url.data, "type.googleapis.com/google.protobuf.Duration");
    assert_int_equal(any->value.size, 5);
    assert_memory_equal(any->value.data, "\x08\xac\x02\x10\x05", 5);
    assert_true(mrpc_any_is(any, type));
    assert_false(mrpc_any_is(any, &google_protobuf_Timestamp_type));
    assert_int_equal(mrpc_any_unpack(any, type, NULL, &back, &error), 0);
    assert_true(google_protobuf_Duration_equal(back, &duration));
    mrpc_release(back);
    mrpc_release(any);
}

static void an_any_says_what_is_wrong_with_it(void **state)
{
    (void)state;
    google_protobuf_Any *any = google_protobuf_Any_new(NULL), unowned;
    void *back = NULL;
    mrpc_error error = {0};
    assert_int_equal(google_protobuf_Any_set_type_url(any, "example.com/other.Duration"), 0);
    assert_int_equal(mrpc_any_unpack(any, &google_protobuf_Duration_type, NULL, &back, &error), MRPC_EINVAL);
    assert_string_equal(mrpc_error_text(&error),
                        "cannot unpack google.protobuf.Duration: what is in the Any is 'example.com/other.Duration'");
    assert_int_equal(google_protobuf_Any_set_type_url(any, "google.protobuf.Duration"), 0); /* no slash */
    assert_false(mrpc_any_is(any, &google_protobuf_Duration_type));
    assert_int_equal(google_protobuf_Any_set_type_url(any, "/google.protobuf.Duration"), 0);
    assert_int_equal(google_protobuf_Any_set_value(any, "\x08", 1), 0);
    assert_int_equal(mrpc_any_unpack(any, &google_protobuf_Duration_type, NULL, &back, &error), MRPC_EFORMAT);
    assert_null(back);
    google_protobuf_Any_init(&unowned);
    assert_int_equal(mrpc_any_pack(&unowned, &google_protobuf_Any_type, any), MRPC_EINVAL);
    mrpc_release(any);
}

/* What cannot be encoded cannot be packed: a required field is missing. */
static void a_message_that_is_not_complete_is_not_packed(void **state)
{
    (void)state;
    google_protobuf_Any *any = google_protobuf_Any_new(NULL);
    google_protobuf_UninterpretedOption_NamePart part;
    google_protobuf_UninterpretedOption_NamePart_init(&part);
    assert_int_equal(mrpc_any_pack(any, &google_protobuf_UninterpretedOption_NamePart_type, &part), MRPC_EINVAL);
    assert_int_equal(any->type_url.size, 0);
    mrpc_release(any);
}

static void a_mask_has_what_lies_below_its_paths(void **state)
{
    (void)state;
    google_protobuf_FieldMask *mask = google_protobuf_FieldMask_new(NULL);
    assert_false(mrpc_field_mask_has(mask, "a"));
    assert_int_equal(google_protobuf_FieldMask_add_paths(mask, "a.b") | google_protobuf_FieldMask_add_paths(mask, ""),
                     0);
    assert_true(mrpc_field_mask_has(mask, "a.b"));
    assert_true(mrpc_field_mask_has(mask, "a.b.c"));
    assert_false(mrpc_field_mask_has(mask, "a"));
    assert_false(mrpc_field_mask_has(mask, "a.bc"));
    assert_false(mrpc_field_mask_has(mask, ""));
    mrpc_release(mask);
}

static void values_are_wrapped(void **state)
{
    (void)state;
    google_protobuf_Any *owner = google_protobuf_Any_new(NULL);
    assert_int_equal(mrpc_unwrap_int32(mrpc_wrap_int32(owner, -5), 1), -5);
    assert_int_equal(mrpc_unwrap_int32(NULL, 1), 1);
    assert_true(mrpc_unwrap_uint64(mrpc_wrap_uint64(owner, UINT64_MAX), 0) == UINT64_MAX);
    assert_true(mrpc_unwrap_bool(mrpc_wrap_bool(owner, true), false));
    assert_true(mrpc_unwrap_double(mrpc_wrap_double(owner, 0.5), 0) == 0.5);
    assert_string_equal(mrpc_unwrap_string(mrpc_wrap_string(owner, "text"), NULL), "text");
    assert_null(mrpc_unwrap_string(NULL, NULL));
    google_protobuf_BytesValue *bytes = mrpc_wrap_bytes(owner, "\0x", 2);
    assert_int_equal(bytes->value.size, 2);
    mrpc_release(owner);
}

/* The code of the well-known types is in the library, their marshal modules included. */
static void the_library_has_their_modules(void **state)
{
    (void)state;
    char buffer[8];
    google_protobuf_Empty empty;
    google_protobuf_Empty_init(&empty);
    assert_int_equal(google_protobuf_Empty_encode(&empty, buffer, sizeof buffer), 0);
    assert_non_null(mrpc_file_google_2fprotobuf_2fdescriptor.linked);
    assert_ptr_equal(mrpc_file_google_2fprotobuf_2fany.linked, google_protobuf_Any_type.file->linked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timestamp_is_a_timespec),
        cmocka_unit_test(a_time_out_of_range_changes_nothing),
        cmocka_unit_test(a_duration_has_one_sign),
        cmocka_unit_test(a_span_out_of_range_changes_nothing),
        cmocka_unit_test(a_message_goes_into_an_any_and_out_again),
        cmocka_unit_test(an_any_says_what_is_wrong_with_it),
        cmocka_unit_test(a_message_that_is_not_complete_is_not_packed),
        cmocka_unit_test(a_mask_has_what_lies_below_its_paths),
        cmocka_unit_test(values_are_wrapped),
        cmocka_unit_test(the_library_has_their_modules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
