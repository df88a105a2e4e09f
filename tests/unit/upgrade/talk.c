/* SPDX-License-Identifier: BSD-2-Clause */
/* talk.c - see talk.h */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/control.h"
#include "tests/unit/upgrade/build.h"
#include "tests/unit/upgrade/talk.h"

mrpc_control *control;
char path[128];

void handle(void *context, char *command, char *argument, mrpc_answer *answer)
{
    assert_ptr_equal(context, &control);
    if (strcmp(command, "echo") == 0) {
        mrpc_answer_print(answer, "%s", argument);
    } else if (strcmp(command, "fill") == 0) {
        for (long i = strtol(argument, NULL, 10); i > 0; i--)
            mrpc_answer_print(answer, "x");
    } else {
        mrpc_error error;
        (void)mrpc_error_set(&error, MRPC_ENOENT, "no command %.20s", command);
        mrpc_answer_refuse(answer, &error);
    }
}

int talk_start(void **state)
{
    (void)state;
    mrpc_error error = {0};
    snprintf(path, sizeof path, "%s", in_folder("control"));
    if (mrpc_control_start(&control, path, handle, &control, &error) != 0)
        fail_msg("%s", error.text);
    return 0;
}

int talk_stop(void **state)
{
    (void)state;
    mrpc_control_stop(control);
    struct stat status;
    assert_int_equal(lstat(path, &status), -1); /* the file has gone with it */
    return 0;
}

int reach(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void say(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

void expect(int fd, const char *text)
{
    char buffer[512];
    size_t length = strlen(text), got = 0;
    while (got < length) {
        ssize_t count = recv(fd, buffer + got, length - got, 0);
        if (count <= 0)
            break;
        got += (size_t)count;
    }
    buffer[got] = '\0';
    assert_string_equal(buffer, text);
}

int talk_clean(void **state)
{
    (void)state;
    remove_folder();
    return 0;
}
