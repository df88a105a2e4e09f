/* SPDX-License-Identifier: BSD-2-Clause */
/* talk.h - for tests of the control socket: one that echoes and fills, and a client that talks to it in bytes */
#ifndef TESTS_UNIT_UPGRADE_TALK_H
#define TESTS_UNIT_UPGRADE_TALK_H

#include <stddef.h>

#include "runtime/control.h"

extern mrpc_control *control;
extern char path[128];

/* What the socket does: "echo TEXT" gives TEXT, "fill N" gives N bytes, all else is refused. */
void handle(void *context, char *command, char *argument, mrpc_answer *answer);

/* For cmocka: before each test, after each test, and after all of them. */
int talk_start(void **state);
int talk_stop(void **state);
int talk_clean(void **state);

int reach(void);
void say(int fd, const void *data, size_t size);

/* Receives just what is expected. */
void expect(int fd, const char *text);

#endif
