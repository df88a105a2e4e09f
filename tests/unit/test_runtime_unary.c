/* SPDX-License-Identifier: BSD-2-Clause */
/* test_runtime_unary.c - unary calls in their three styles, over every transport that the machine has */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/echo_server.h"

typedef struct fixture {
    echo_server *server;
    mrpc_runtime *runtime;
    mrpc_channel *channel;
} fixture;

static void set_up(fixture *f, const char *address)
{
    mrpc_error error;
    memset(f, 0, sizeof *f);
    f->server = echo_server_start(address, NULL);
    if (mrpc_runtime_new(&f->runtime, NULL, &error) != 0 ||
        mrpc_channel_new(&f->channel, echo_server_address(f->server),
                         &(mrpc_channel_options){.size = sizeof(mrpc_channel_options), .runtime = f->runtime},
                         &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
}

static void tear_down(fixture *f)
{
    mrpc_channel_close(f->channel);
    mrpc_runtime_unref(f->runtime);
    echo_server_stop(f->server, 1000);
}

static void blocking_call(void **state)
{
    fixture f;
    set_up(&f, *state);
    echo_Ping *ping = echo_Ping_new(mrpc_channel_heap(f.channel));
    assert_int_equal(mrpc_string_set(ping, &ping->text, "hello"), 0);
    for (uint64_t i = 0; i < 1000; i++) {
        const echo_Pong *pong = NULL;
        ping->number = i;
        mrpc_status status = echo_Echo_Unary(f.channel, ping, &pong, NULL);
        if (status.code != MRPC_OK)
            fail_msg("call %d: %s: %s", (int)i, mrpc_code_name(status.code), status.message);
        assert_int_equal(pong->number, i);
        assert_string_equal(pong->text.data, "hello");
        mrpc_release(pong);
    }
    mrpc_release(ping);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(blocking_call, (void *)(uintptr_t) "tcp://127.0.0.1:0"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
