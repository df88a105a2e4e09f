/* SPDX-License-Identifier: BSD-2-Clause */
/* test_descriptors.c - the control socket while the process has no descriptor left. In a program of its own, since
 * valgrind plays the limit itself and drops whom the kernel would let wait. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/upgrade/talk.h"

static long processor_ms(void)
{
    struct timespec time;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time), 0);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* poll(2) wants the limit to be no less than the number of what it looks at. */
enum { FEW = 64 };

static void client_waits_without_work_for_us_while_there_is_no_descriptor(void **state)
{
    (void)state;
    struct rlimit before, few;
    int taken[FEW], count = 0, waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd = reach();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    say(fd, "echo first\n", 11);
    expect(fd, "ok 5\nfirst");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = FEW, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (count < FEW && (taken[count] = dup(fd)) >= 0)
        count++;
    assert_int_equal(connect(waiting, (struct sockaddr *)&address, sizeof address), 0);
    long began = processor_ms();
    usleep(1000000);
    long used = processor_ms() - began;
    say(fd, "echo second\n", 12);
    expect(fd, "ok 6\nsecond");
    while (count > 0)
        close(taken[--count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(used < 100);
    say(waiting, "echo third\n", 11);
    expect(waiting, "ok 5\nthird");
    close(waiting);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(client_waits_without_work_for_us_while_there_is_no_descriptor, talk_start,
                                        talk_stop),
    };
    return cmocka_run_group_tests(tests, NULL, talk_clean);
}
