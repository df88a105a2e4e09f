/* SPDX-License-Identifier: BSD-2-Clause */
/* test_failures.c - each allocation of encoding, decoding and the self-test fails in turn */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "everything.mrpc.h"
#include "marshal/gather.h"
#include "marshal/selftest.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/marshal/codec_help.h"
#include "tests/unit/marshal/random_message.h"

static void *some_message(void)
{
    random_source source;
    random_begin(&source, 7);
    for (;;) {
        void *message = random_message(&source, &everything_Everything_type, 5);
        if (mrpc_message_encode(&everything_Everything_type, message, NULL, 0) > 20000)
            return message;
        mrpc_release(message);
    }
}

static void decoding_for_storage_may_fail(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_Everything_type;
    void *message = some_message();
    test_bytes bytes = test_encode(type, message, NULL);
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        void *decoded = NULL;
        mrpc_error error = {0};
        failing_alloc_start(&fail);
        int result = mrpc_message_decode(type, bytes.data, bytes.size, NULL, &decoded, &error);
        failing_alloc_stop(&fail);
        assert_int_equal(result, fail.hit ? MRPC_ENOMEM : 0);
        assert_int_equal(decoded == NULL, fail.hit);
        assert_true(!fail.hit || strstr(mrpc_error_text(&error), "no memory") != NULL);
        mrpc_release(decoded);
    }
    assert_true(fail.runs > 1);
    test_bytes_free(&bytes);
    mrpc_release(message);
}

/* With an arena that begins small. */
static void each_allocation_of_decoding_may_fail(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_Everything_type;
    void *message = some_message();
    test_bytes bytes = test_encode(type, message, NULL);
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        mrpc_message *decoded = mrpc_message_new(type, NULL);
        const uint8_t *start = (const uint8_t *)bytes.data;
        mrpc_decoder decoder = {.start = start,
                                .cursor = start,
                                .end = start + bytes.size,
                                .arena = decoded->arena,
                                .grow = mrpc_arena_grow,
                                .depth = MRPC_DEPTH_LIMIT};
        failing_alloc_start(&fail);
        int result = codec_of(type)->decode(&decoder, decoded);
        failing_alloc_stop(&fail);
        assert_int_equal(result, fail.hit ? MRPC_ENOMEM : 0);
        assert_true(!fail.hit || strstr(decoder.what, "no memory") != NULL);
        mrpc_release(decoded);
    }
    assert_true(fail.runs > 3);
    test_bytes_free(&bytes);
    mrpc_release(message);
}

static void each_allocation_of_encoding_may_fail(void **state)
{
    (void)state;
    const mrpc_codec *codec = codec_of(&everything_Everything_type);
    void *message = some_message();
    struct failing_alloc fail;
    for (int native = 0; native < 2; native++) {
        failing_alloc_begin(&fail);
        while (failing_alloc_next(&fail)) {
            mrpc_gather_buffer buffer;
            mrpc_gather_buffer_init(&buffer, NULL, NULL, 0);
            failing_alloc_start(&fail);
            int result = native ? codec->marshal(&buffer.gather, message) : codec->encode(&buffer.gather, message);
            failing_alloc_stop(&fail);
            assert_int_equal(result, fail.hit ? MRPC_ENOMEM : 0);
            mrpc_gather_buffer_free(&buffer);
        }
        assert_true(fail.runs > 2);
    }
    mrpc_release(message);
}

static void each_allocation_of_the_self_test_may_fail(void **state)
{
    (void)state;
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    mrpc_module some = *everything_Plain_type.file->linked;
    some.vector_count = 3;
    while (failing_alloc_next(&fail)) {
        mrpc_error error;
        failing_alloc_start(&fail);
        int result = mrpc_module_self_test(&some, &error);
        failing_alloc_stop(&fail);
        assert_int_equal(result != 0, fail.hit);
    }
    assert_true(fail.runs > 2);
}

static void heap_that_is_full_is_an_error(void **state)
{
    (void)state;
    const mrpc_type *type = &everything_Plain_type;
    mrpc_error error;
    mrpc_heap *heap;
    mrpc_heap_options options = {.size = sizeof options, .limit = 1 << 20, .segment_size = 1 << 20};
    assert_int_equal(mrpc_heap_new(&heap, &options, &error), 0);
    static char data[2 << 20];
    everything_Plain plain = {.some_bytes = {(uint8_t *)data, sizeof data}};
    test_bytes bytes = test_encode(type, &plain, NULL);
    void *message = NULL;
    assert_int_equal(mrpc_message_decode(type, bytes.data, bytes.size, heap, &message, &error), MRPC_ENOMEM);
    assert_non_null(strstr(mrpc_error_text(&error), "everything.Plain"));
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, heap, NULL, 0);
    assert_int_equal(codec_of(type)->marshal(&buffer.gather, &plain), MRPC_ENOMEM);
    assert_string_equal(buffer.gather.where, "everything.Plain.some_bytes");
    plain.some_bytes.size = 1000;
    assert_int_equal(codec_of(type)->marshal(&buffer.gather, &plain), 0);
    mrpc_gather_buffer_free(&buffer);
    mrpc_heap_unref(heap);
    test_bytes_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_for_storage_may_fail),
        cmocka_unit_test(each_allocation_of_decoding_may_fail),
        cmocka_unit_test(each_allocation_of_encoding_may_fail),
        cmocka_unit_test(each_allocation_of_the_self_test_may_fail),
        cmocka_unit_test(heap_that_is_full_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
