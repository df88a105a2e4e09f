/* SPDX-License-Identifier: BSD-2-Clause */
/* test_engine.c - the driver's rounds: what is busy all the time keeps nobody else waiting */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/engine.h"

enum { ROUNDS = 1000 };

/* A line that always has something, as one of a peer that never stops sending. */
typedef struct busy_line {
    mrpc_connection connection;
    mrpc_line line;
    bool arms;
    unsigned polls;
} busy_line;

static bool poll_busy(mrpc_connection *connection)
{
    ((busy_line *)connection)->polls++;
    return true;
}

static bool arm_busy(mrpc_connection *connection)
{
    return ((busy_line *)connection)->arms;
}

static const mrpc_transport busy_transport = {.size = sizeof(mrpc_transport), .poll = poll_busy, .arm = arm_busy};

static bool expired;

static void take_note(mrpc_timer *timer)
{
    (void)timer;
    expired = true;
}

static void run_beside(unsigned lines, bool wait)
{
    const mrpc_runtime_options options = {.size = sizeof options};
    mrpc_engine engine;
    mrpc_error error = {0};
    memset(&engine, 0, sizeof engine);
    if (mrpc_engine_init(&engine, &options, MRPC_POLLER_EPOLL, &error) != 0)
        fail_msg("%s", error.text);
    busy_line busy[16] = {0};
    for (unsigned i = 0; i < lines; i++) {
        busy[i].connection.transport = &busy_transport;
        busy[i].line.connection = &busy[i].connection;
        mrpc_engine_activate(&engine, &busy[i].line);
    }
    mrpc_timer timer = {.expired = take_note};
    expired = false;
    assert_int_equal(mrpc_loop_start(engine.loop, &timer, mrpc_loop_now(engine.loop)), 0);
    unsigned rounds = 0;
    for (; rounds < ROUNDS && !expired; rounds++)
        mrpc_engine_turn(&engine, wait);
    assert_true(expired);
    assert_true(busy[0].polls >= rounds - 1);
    for (unsigned i = 0; i < lines; i++)
        mrpc_engine_forget(&engine, &busy[i].line);
    mrpc_engine_fini(&engine);
}

static void busy_lines_do_not_keep_timers_waiting(void **state)
{
    (void)state;
    run_beside(1, true);
    run_beside(1, false);
    run_beside(16, true); /* too many to be polled one by one; they refuse to be armed */
    run_beside(16, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_lines_do_not_keep_timers_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
