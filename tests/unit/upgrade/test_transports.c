/* SPDX-License-Identifier: BSD-2-Clause */
/* test_transports.c - a transport that is a shared object is found, checked and loaded, or refused with what to do */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/upgrade/build.h"
#include "transports/module.h"
#include "upgrade/transports.h"

#define ADDRESS "rdma://192.0.2.1:5000"

static void refuses(int code, const char *words)
{
    const mrpc_transport *transport;
    const char *rest;
    mrpc_error error = {0};
    assert_int_equal(mrpc_transport_get(ADDRESS, test_folder(), &transport, &rest, &error), code);
    assert_int_equal(error.code, code);
    if (strstr(error.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}

/* A shared object whose table has these sizes and this version. */
static void build_transport(size_t size, const char *version)
{
    run("cd %s && printf 'struct { unsigned long size; const char *version; unsigned long more[4]; void "
        "(*start)(void); } "
        "mrpc_transport_export = { %zu, \"%s\" };' >module.c && ${CC:-cc} -shared -fPIC -o mrpc-rdma.so module.c && "
        "chmod 644 mrpc-rdma.so",
        test_folder(), size, version);
}

static void built_in_transports_need_no_module(void **state)
{
    (void)state;
    const mrpc_transport *transport;
    const char *rest;
    assert_int_equal(mrpc_transport_get("tcp://192.0.2.1:5000", test_folder(), &transport, &rest, NULL), 0);
    assert_string_equal(transport->scheme, "tcp");
    mrpc_error error;
    assert_int_equal(mrpc_transport_get("smoke://signal", test_folder(), &transport, &rest, &error), MRPC_ENOTSUP);
    assert_null(strstr(error.text, "mrpc-smoke.so"));
}

static void missing_module_says_where_it_was_looked_for_and_what_to_install(void **state)
{
    (void)state;
    refuses(MRPC_ENOENT, "mrpc-rdma.so");
    refuses(MRPC_ENOENT, test_folder());
    refuses(MRPC_ENOENT, "librdmacm");
}

static void file_that_others_may_write_is_not_loaded(void **state)
{
    (void)state;
    build_transport(sizeof(mrpc_transport_module), PACKAGE_VERSION);
    run("chmod 666 %s/mrpc-rdma.so", test_folder());
    refuses(MRPC_EPERM, "0666");
}

static void file_that_is_no_shared_object_is_refused(void **state)
{
    (void)state;
    run("cd %s && echo hello >mrpc-rdma.so && chmod 644 mrpc-rdma.so", test_folder());
    refuses(MRPC_EMODULE, "mrpc-rdma.so");
}

static void missing_library_says_what_to_install(void **state)
{
    (void)state;
    run("cd %s && echo 'int mrpc_here;' >needed.c && ${CC:-cc} -shared -fPIC -o libmrpc-needed.so needed.c && echo "
        "'int "
        "mrpc_transport_export;' >module.c && ${CC:-cc} -shared -fPIC -o mrpc-rdma.so module.c -Wl,--no-as-needed -L. "
        "-lmrpc-needed && rm libmrpc-needed.so && chmod 644 mrpc-rdma.so",
        test_folder());
    refuses(MRPC_EMODULE, "libmrpc-needed.so");
    refuses(MRPC_EMODULE, "ibverbs-providers");
}

static void module_of_another_build_is_refused(void **state)
{
    (void)state;
    build_transport(sizeof(mrpc_transport_module), "0.0.0");
    refuses(MRPC_EMISMATCH, "another build");
    build_transport(8, PACKAGE_VERSION);
    refuses(MRPC_EMISMATCH, "another build");
}

static int clean(void **state)
{
    (void)state;
    remove_folder();
    return 0;
}

int main(void)
{
    umask(022);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_transports_need_no_module),
        cmocka_unit_test(missing_module_says_where_it_was_looked_for_and_what_to_install),
        cmocka_unit_test(file_that_others_may_write_is_not_loaded),
        cmocka_unit_test(file_that_is_no_shared_object_is_refused),
        cmocka_unit_test(missing_library_says_what_to_install),
        cmocka_unit_test(module_of_another_build_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
