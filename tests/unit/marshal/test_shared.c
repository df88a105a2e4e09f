/* SPDX-License-Identifier: BSD-2-Clause */
/* test_shared.c - a module that was loaded does what the linked one does, with code of its own */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <mrpc/marshal.h>

#include "marshal/selftest.h"

extern const mrpc_module mrpc_module_everything_5fimport;

static void loaded_module_passes_its_self_test(void **state)
{
    (void)state;
    char path[4096];
    mrpc_error error = {0};
    const char *folder = getenv("top_builddir");
    (void)snprintf(path, sizeof path, "%s/gen/everything_import.marshal.so", folder != NULL ? folder : ".");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        fail_msg("%s", dlerror());
    const mrpc_module *module = dlsym(library, "mrpc_module_export"), *linked = &mrpc_module_everything_5fimport;
    assert_non_null(module);
    assert_int_equal(mrpc_module_check(module, &error), 0);
    if (mrpc_module_self_test(module, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    assert_int_equal(module->fingerprint.schema, linked->fingerprint.schema);
    assert_int_equal(module->fingerprint.layout, linked->fingerprint.layout);
    assert_int_equal(module->codec_count, linked->codec_count);
    for (uint32_t i = 0; i < linked->codec_count; i++) {
        assert_string_equal(module->codecs[i].name, linked->codecs[i].name);
        assert_true(linked->codecs[i].encode == NULL || module->codecs[i].encode != linked->codecs[i].encode);
    }
    assert_int_equal(dlclose(library), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loaded_module_passes_its_self_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
