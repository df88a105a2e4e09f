/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_run_time.c - types that are made at run time of random schemas: mrpc and libprotobuf write and read the same
 *
 * TEST_SEED repeats a run; TEST_SCHEMAS says how many schemas it has, 0 for as many as there is time for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <mrpc/reflect.h>

#include "tests/differential/compare.h"
#include "tests/differential/random_schema.h"
#include "tests/differential/run.h"

enum { SCHEMAS = 120, ROUNDS = 4, FEW = 100 };

static compare_counts counts;

static void compare_random_schema(uint64_t seed)
{
    random_source source;
    size_t size;
    mrpc_schema *schema;
    mrpc_error error;
    random_begin(&source, seed);
    char *set = random_schema(&source, SCHEMA_OF_ANY_KIND, &size);
    peer_types *peer = peer_types_of_set(set, size);
    if (mrpc_schema_new(set, size, &schema, &error) != 0)
        fail_msg("libprotobuf accepts a schema that is refused here: %s", mrpc_error_text(&error));
    compared_schema compared = {.peer = peer, .counts = &counts};
    compared.files = mrpc_schema_files(schema, &compared.file_count);
    compare_schema(&compared, &source, ROUNDS);
    mrpc_schema_free(schema);
    peer_types_free(peer);
    free(set);
}

static void types_made_at_run_time_do_what_libprotobufs_do(void **state)
{
    (void)state;
    run_seeds(SCHEMAS, compare_random_schema);
    compare_print(&counts);
    assert_true(counts.messages > 0);
    if (counts.types > FEW) /* a schema alone may have nothing for some of them */
        assert_true(counts.texts > 0 && counts.jsons > 0 && counts.refused > 0 && counts.accepted > 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    const struct CMUnitTest tests[] = {cmocka_unit_test(types_made_at_run_time_do_what_libprotobufs_do)};
    return run_end(cmocka_run_group_tests(tests, NULL, NULL), argv[0]);
}
