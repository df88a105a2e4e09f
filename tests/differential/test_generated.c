/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_generated.c - code that was generated for a schema does what libprotobuf's does, and protobuf-c's
 *
 *     test_generated GENERATED.so SEED [protobuf-c]
 *
 * The object has what mrpc's plugin made of some files, listed in `all_files`, what protoc itself made of them, and
 * with "protobuf-c" what that makes of them, listed in `all_protobuf_c`. Both lists end with NULL. See generated.sh.
 */
#include "config.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "marshal/selftest.h"
#include "tests/differential/compare.h"
#include "tests/differential/protobuf_c.h"

enum { ROUNDS = 30 };

static compare_counts counts;
static compared_schema schema = {.counts = &counts};
static const protobuf_c_type *const *protobuf_c_types;
static random_source source;

static void modules_pass_their_self_tests(void **state)
{
    (void)state;
    mrpc_error error = {0};
    for (size_t i = 0; i < schema.file_count; i++)
        if (mrpc_module_check(schema.files[i]->linked, &error) != 0 ||
            mrpc_module_self_test(schema.files[i]->linked, &error) != 0)
            fail_msg("%s: %s", schema.files[i]->name, mrpc_error_text(&error));
}

static void generated_code_does_what_libprotobufs_does(void **state)
{
    (void)state;
    compare_schema(&schema, &source, ROUNDS);
    compare_print(&counts);
    assert_true(counts.messages > 0);
}

#ifdef HAVE_PROTOBUF_C
static void generated_code_does_what_protobuf_cs_does(void **state)
{
    (void)state;
    assert_non_null(protobuf_c_types);
    size_t compared = compare_protobuf_c(&schema, protobuf_c_types, &source, ROUNDS);
    print_message("# protobuf-c: %zu messages\n", compared);
    assert_true(compared > 0);
}
#endif

/* False: the object cannot be loaded, or has no list of files. */
static bool load(const char *path)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    schema.files = object != NULL ? dlsym(object, "all_files") : NULL;
    if (schema.files == NULL) {
        fprintf(stderr, "test_generated: %s\n", dlerror());
        return false;
    }
    while (schema.files[schema.file_count] != NULL)
        schema.file_count++;
    protobuf_c_types = dlsym(object, "all_protobuf_c");
    return true;
}

static int compare_all(bool with_protobuf_c)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modules_pass_their_self_tests),
        cmocka_unit_test(generated_code_does_what_libprotobufs_does),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
#ifdef HAVE_PROTOBUF_C
    const struct CMUnitTest more[] = {cmocka_unit_test(generated_code_does_what_protobuf_cs_does)};
    if (with_protobuf_c)
        failed += cmocka_run_group_tests(more, NULL, NULL);
#else
    if (with_protobuf_c)
        return 99;
#endif
    return failed;
}

int main(int argc, char **argv)
{
    bool with_protobuf_c = argc == 4 && strcmp(argv[3], "protobuf-c") == 0;
    if (argc != 3 && !with_protobuf_c) {
        fprintf(stderr, "usage: test_generated GENERATED.so SEED [protobuf-c]\n");
        return 99;
    }
    if (!load(argv[1]))
        return 99;
    random_begin(&source, strtoull(argv[2], NULL, 10));
    peer_types *peer = peer_types_linked();
    schema.peer = peer;
    int result = compare_all(with_protobuf_c);
    peer_types_free(peer);
    return result;
}
