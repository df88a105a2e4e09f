/* SPDX-License-Identifier: BSD-2-Clause */
/* test_doctor.c - what mrpcctl doctor says of machines that lack one thing or another */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/upgrade/build.h"
#include "tools/doctor.h"

/* A machine with one device, whose port is up. */
static void make_machine(void)
{
    run("cd %s && rm -rf sys dev && mkdir -p dev/infiniband sys/class/infiniband/rxe0/ports/1/gids && "
        "touch dev/infiniband/rdma_cm mrpc-rdma.so && cd sys/class/infiniband/rxe0/ports/1 && echo '4: ACTIVE' >state "
        "&& "
        "echo 0000:0000:0000:0000:0000:0000:0000:0000 >gids/0 && echo 0000:0000:0000:0000:0000:ffff:0a63:0001 >gids/1",
        test_folder());
}

/* The row about `what`, as "state\tadvice". */
static const char *row_of(const char *what)
{
    static char *text;
    size_t size;
    free(text);
    FILE *out = open_memstream(&text, &size);
    (void)mrpc_doctor(out, test_folder(), test_folder());
    fclose(out);
    for (char *row = strtok(text, "\n"); row != NULL; row = strtok(NULL, "\n"))
        if (strncmp(row, what, strlen(what)) == 0 && row[strlen(what)] == '\t')
            return row + strlen(what) + 1;
    fail_msg("nothing is said of %s", what);
    return NULL;
}

static void says(const char *what, const char *state, const char *advice)
{
    const char *row = row_of(what);
    if (strncmp(row, state, strlen(state)) != 0 || strstr(row, advice) == NULL)
        fail_msg("%s: \"%s\" instead of \"%s\", \"%s\"", what, row, state, advice);
}

static void complete_machine_is_ok(void **state)
{
    (void)state;
    make_machine();
    says("/dev/infiniband/rdma_cm", "ok", "");
    says("/sys/class/infiniband/rxe0/ports/1", "ok", "");
    says(in_folder("mrpc-rdma.so"), "ok", "");
}

static void missing_kernel_module_and_device_are_named(void **state)
{
    (void)state;
    make_machine();
    run("rm -r %s/dev %s/sys", test_folder(), test_folder());
    says("/dev/infiniband/rdma_cm", "not there", "modprobe rdma_ucm");
    says("RDMA devices", "none", "rdma_rxe");
}

static void port_that_is_down_or_has_no_address_is_named(void **state)
{
    (void)state;
    make_machine();
    run("cd %s/sys/class/infiniband/rxe0/ports/1 && rm gids/1", test_folder());
    says("/sys/class/infiniband/rxe0/ports/1", "no GID", "ip address add");
    run("echo '1: DOWN' >%s/sys/class/infiniband/rxe0/ports/1/state", test_folder());
    says("/sys/class/infiniband/rxe0/ports/1", "1: DOWN", "ip link set");
}

static void missing_transport_is_named(void **state)
{
    (void)state;
    make_machine();
    run("rm %s", in_folder("mrpc-rdma.so"));
    says("mrpc-rdma.so", "not found", "MRPC_MODULE_PATH");
}

static int clean(void **state)
{
    (void)state;
    remove_folder();
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_machine_is_ok),
        cmocka_unit_test(missing_kernel_module_and_device_are_named),
        cmocka_unit_test(port_that_is_down_or_has_no_address_is_named),
        cmocka_unit_test(missing_transport_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
