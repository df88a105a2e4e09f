/* SPDX-License-Identifier: BSD-2-Clause */
/* test_control.c - the control socket answers, whatever else is sent to it, and is reachable by its owner alone */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/control.h"
#include "tests/unit/upgrade/build.h"
#include "tests/unit/upgrade/talk.h"

enum { OTHER_USER = 65534 }; /* nobody */

static void is_served(void)
{
    int fd = reach();
    say(fd, "echo still here\n", 16);
    expect(fd, "ok 10\nstill here");
    close(fd);
}

static void expect_end(int fd)
{
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

static void answers_and_refuses(void **state)
{
    (void)state;
    int fd = reach();
    say(fd, "echo a b\n", 9);
    expect(fd, "ok 3\na b");
    say(fd, "wrong\n", 6);
    expect(fd, "error ENOENT 16\nno command wrong");
    say(fd, "\n", 1);
    expect(fd, "error ENOENT 11\nno command ");
    close(fd);
}

static void requests_may_come_in_pieces_or_together(void **state)
{
    (void)state;
    int fd = reach();
    say(fd, "ec", 2);
    say(fd, "ho 1\necho 2\necho", 16);
    expect(fd, "ok 1\n1ok 1\n2");
    say(fd, " 3\n", 3);
    expect(fd, "ok 1\n3");
    close(fd);
}

static void garbage_ends_only_its_own_connection(void **state)
{
    (void)state;
    int fd = reach();
    say(fd, "echo \0 nul\n", 11);
    expect(fd, "error EINVAL 31\nthe request contains a NUL byte");
    expect_end(fd);
    fd = reach();
    char line[MRPC_CONTROL_LINE];
    memset(line, 0xFF, sizeof line);
    say(fd, line, sizeof line);
    expect(fd, "error EINVAL 37\nthe request is longer than 4095 bytes");
    close(fd);
    close(reach());
    is_served();
}

static void silent_clients_do_not_lock_others_out(void **state)
{
    (void)state;
    int silent[MRPC_CONTROL_CLIENTS * 2];
    for (size_t i = 0; i < MRPC_CONTROL_CLIENTS * 2; i++)
        say(silent[i] = reach(), "ec", 2);
    is_served();
    for (size_t i = 0; i < MRPC_CONTROL_CLIENTS * 2; i++)
        close(silent[i]);
}

static void reader_that_does_not_read_holds_up_nobody(void **state)
{
    (void)state;
    int slow = reach();
    say(slow, "fill 1000000\necho next\n", 23);
    is_served();
    expect(slow, "ok 1000000\n");
    char buffer[10000];
    for (size_t left = 1000000; left > 0;) {
        ssize_t count = recv(slow, buffer, left < sizeof buffer ? left : sizeof buffer, 0);
        assert_true(count > 0);
        left -= (size_t)count;
    }
    expect(slow, "ok 4\nnext");
    close(slow);
}

static void answer_has_a_bound(void **state)
{
    (void)state;
    int fd = reach();
    say(fd, "fill 2000000\n", 13);
    expect(fd, "error ELIMIT 0\n");
    close(fd);
}

static void socket_is_for_its_owner(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

/* In a process of another user: 0 when the answer is a refusal. */
static int ask_as_another_user(void)
{
    char answer[128] = "";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (setgid(OTHER_USER) != 0 || setuid(OTHER_USER) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return 2;
    (void)!send(fd, "echo let me in\n", 15, MSG_NOSIGNAL); /* it may have been closed already */
    (void)!recv(fd, answer, sizeof answer - 1, 0);
    return strncmp(answer, "error EPERM ", 12) == 0 ? 0 : 1;
}

static void other_users_are_refused_whatever_the_mode_of_the_socket(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can become another user */
    assert_int_equal(chmod(test_folder(), 0755), 0);
    assert_int_equal(chmod(path, 0666), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(ask_as_another_user());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(status, 0);
    is_served();
}

static void path_in_use_and_path_of_something_else_are_errors(void **state)
{
    (void)state;
    mrpc_control *second = NULL;
    mrpc_error error = {0};
    assert_int_equal(mrpc_control_start(&second, path, handle, NULL, &error), MRPC_EEXIST);
    run("echo x >%s/file", test_folder());
    assert_int_equal(mrpc_control_start(&second, in_folder("file"), handle, NULL, &error), MRPC_EEXIST);
    assert_int_equal(mrpc_control_start(&second, in_folder("none/file"), handle, NULL, &error), MRPC_ESYS);
    char longer[200];
    memset(longer, 'a', sizeof longer);
    longer[199] = '\0';
    assert_int_equal(mrpc_control_start(&second, longer, handle, NULL, &error), MRPC_EINVAL);
    is_served();
}

/* A child of fork() frees what it inherited; the socket goes on. And a socket that a dead process left is taken over.
 */
static void child_may_stop_and_dead_sockets_are_replaced(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        mrpc_control_stop(control);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    is_served();

    char left[128];
    snprintf(left, sizeof left, "%s", in_folder("left"));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, left);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    mrpc_control *second = NULL;
    mrpc_error error = {0};
    assert_int_equal(mrpc_control_start(&second, left, handle, NULL, &error), 0);
    mrpc_control_stop(second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, talk_start, talk_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_and_refuses),
        TEST(requests_may_come_in_pieces_or_together),
        TEST(garbage_ends_only_its_own_connection),
        TEST(silent_clients_do_not_lock_others_out),
        TEST(reader_that_does_not_read_holds_up_nobody),
        TEST(answer_has_a_bound),
        TEST(socket_is_for_its_owner),
        TEST(other_users_are_refused_whatever_the_mode_of_the_socket),
        TEST(path_in_use_and_path_of_something_else_are_errors),
        TEST(child_may_stop_and_dead_sockets_are_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, talk_clean);
}
