/* SPDX-License-Identifier: BSD-2-Clause */
/* test_marshal_module.c - generated modules pass their own self-test, and the self-test finds what is wrong with others
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/marshal.h>

#include "marshal/selftest.h"

extern const mrpc_module mrpc_module_everything, mrpc_module_everything_5fimport;

static void assert_passes(const mrpc_module *module)
{
    mrpc_error error = {0};
    int result = mrpc_module_check(module, &error);
    if (result == 0)
        result = mrpc_module_self_test(module, &error);
    if (result != 0)
        print_error("%s\n", mrpc_error_text(&error));
    assert_int_equal(result, 0);
}

static void generated_modules_pass(void **state)
{
    (void)state;
    assert_passes(&mrpc_module_everything);
    assert_passes(&mrpc_module_everything_5fimport);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_modules_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
