/* SPDX-License-Identifier: BSD-2-Clause */
/* test_loop_timers.c - the heap of timers gives them out in order of time, whatever was moved and removed */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transports/loop/timers.h"

enum { COUNT = 500 };

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void timers_come_out_in_order(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 50; round++) {
        mrpc_timers timers = {0};
        mrpc_timer all[COUNT] = {{0}};
        uint32_t started = 0;
        for (int step = 0; step < 3 * COUNT; step++) {
            mrpc_timer *timer = &all[next_random(&seed) % COUNT];
            if (next_random(&seed) % 4 == 0)
                mrpc_timers_remove(&timers, timer);
            else
                assert_int_equal(mrpc_timers_set(&timers, timer, next_random(&seed) % 1000), 0);
        }
        for (int i = 0; i < COUNT; i++)
            started += all[i].place != 0;
        assert_int_equal(started, timers.count);
        uint64_t last = 0;
        for (mrpc_timer *timer; (timer = mrpc_timers_pop(&timers, UINT64_MAX - 1)) != NULL; started--) {
            assert_true(timer->at >= last);
            assert_int_equal(timer->place, 0);
            last = timer->at;
        }
        assert_int_equal(started, 0);
        mrpc_timers_clear(&timers);
    }
}

static void nothing_comes_out_before_its_time(void **state)
{
    (void)state;
    mrpc_timers timers = {0};
    mrpc_timer timer = {0};
    assert_int_equal(mrpc_timers_next(&timers), UINT64_MAX);
    assert_null(mrpc_timers_pop(&timers, UINT64_MAX));
    assert_int_equal(mrpc_timers_set(&timers, &timer, 10), 0);
    assert_null(mrpc_timers_pop(&timers, 9));
    assert_ptr_equal(mrpc_timers_pop(&timers, 10), &timer);
    mrpc_timers_clear(&timers);
}

static void cleared_timers_are_not_started(void **state)
{
    (void)state;
    mrpc_timers timers = {0};
    mrpc_timer timer = {0};
    assert_int_equal(mrpc_timers_set(&timers, &timer, 10), 0);
    mrpc_timers_clear(&timers);
    assert_int_equal(timer.place, 0);
    mrpc_timers_remove(&timers, &timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_come_out_in_order),
        cmocka_unit_test(nothing_comes_out_before_its_time),
        cmocka_unit_test(cleared_timers_are_not_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
