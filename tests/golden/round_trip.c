/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * round_trip.c - random messages of all types of a shared object through both encodings, and its self-tests
 *
 * The object is made of generated code alone and has a list of its files, `all_files`, which ends with NULL: so that
 * one program serves for schemas that are not known when it is built.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "marshal/selftest.h"
#include "tests/unit/marshal/codec_help.h"
#include "tests/unit/marshal/random_message.h"

enum { ROUNDS = 10, DAMAGES = 10, DEPTH = 3 };

static const mrpc_file *const *files;

static void assert_same_bytes(const test_bytes *a, const test_bytes *b)
{
    assert_int_equal(a->size, b->size);
    if (a->size != 0)
        assert_memory_equal(a->data, b->data, a->size);
}

/* Marshals and encodes: the same as the bytes that are given. */
static void assert_carried(const mrpc_type *type, const void *message, const test_bytes *native,
                           const test_bytes *protobuf)
{
    test_bytes block = test_marshal(type, message, NULL), bytes = test_encode(type, message, NULL);
    assert_same_bytes(&block, native);
    assert_same_bytes(&bytes, protobuf);
    test_bytes_free(&block);
    test_bytes_free(&bytes);
}

static void assert_refused_or_canonical(random_source *source, const mrpc_type *type, const test_bytes *block)
{
    for (size_t i = 0; i < DAMAGES; i++) {
        test_reason reason;
        test_bytes copy, damaged = test_bytes_copy(block->data, block->size);
        damaged.data[random_below(source, damaged.size)] ^= (char)(1 << random_below(source, 8));
        const void *received = test_unmarshal(type, damaged.data, damaged.size, &copy, &reason);
        if (received != NULL) {
            test_bytes again = test_marshal(type, received, NULL);
            assert_same_bytes(&damaged, &again);
            test_bytes_free(&again);
            test_bytes_free(&copy);
        }
        test_bytes_free(&damaged);
    }
}

static void try_message(random_source *source, const mrpc_type *type)
{
    void *message = random_message(source, type, DEPTH);
    test_bytes copy, native = test_marshal(type, message, NULL), protobuf = test_encode(type, message, NULL);
    const void *received = test_unmarshal(type, native.data, native.size, &copy, NULL);
    assert_true(mrpc_message_equal(type, message, received));
    assert_carried(type, received, &native, &protobuf);
    void *decoded = test_decode(type, protobuf.data, protobuf.size, NULL);
    assert_true(mrpc_message_equal(type, message, decoded));
    assert_carried(type, decoded, &native, &protobuf);
    assert_refused_or_canonical(source, type, &native);
    mrpc_release(decoded);
    mrpc_release(message);
    test_bytes_free(&copy);
    test_bytes_free(&native);
    test_bytes_free(&protobuf);
}

static void every_type_goes_through_both_encodings(void **state)
{
    (void)state;
    size_t types = 0;
    for (const mrpc_file *const *file = files; *file != NULL; file++)
        for (uint32_t i = 0; i < (*file)->type_count; i++) {
            const mrpc_type *type = (*file)->types[i];
            if (codec_of(type)->encode == NULL /* an entry of a map */ || !random_possible(type))
                continue;
            random_source source;
            random_begin(&source, types++);
            for (unsigned round = 0; round < ROUNDS; round++)
                try_message(&source, type);
        }
    print_message("%zu types\n", types);
    assert_true(types > 0);
}

static void every_module_passes_its_self_test(void **state)
{
    (void)state;
    mrpc_error error = {0};
    for (const mrpc_file *const *file = files; *file != NULL; file++) {
        assert_non_null((*file)->linked);
        if (mrpc_module_check((*file)->linked, &error) != 0 || mrpc_module_self_test((*file)->linked, &error) != 0)
            fail_msg("%s: %s", (*file)->name, mrpc_error_text(&error));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_goes_through_both_encodings),
        cmocka_unit_test(every_module_passes_its_self_test),
    };
    void *object = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    files = object != NULL ? dlsym(object, "all_files") : NULL;
    if (files == NULL) {
        fprintf(stderr, "usage: round_trip GENERATED.so: %s\n", argc == 2 ? dlerror() : "no object");
        return 99;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
