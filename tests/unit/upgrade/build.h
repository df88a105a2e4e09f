/* SPDX-License-Identifier: BSD-2-Clause */
/* build.h - a folder for a test, and modules compiled into it */
#ifndef MRPC_TESTS_UPGRADE_BUILD_H
#define MRPC_TESTS_UPGRADE_BUILD_H

#include <stdarg.h>

/* A folder of its own below /tmp, made once, removed by remove_folder(). */
const char *test_folder(void);
void remove_folder(void);

/* FOLDER/name, in a static buffer that a later call overwrites. */
const char *in_folder(const char *name);

/* Runs a shell command made by printf and fails the test when it fails. */
void run(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* Compiles tests/unit/upgrade/module.c with these options into FOLDER/name. */
const char *build_module(const char *name, const char *options);

/* Tells the library which helper tests modules: the one of this build. */
void use_built_helper(void);

#endif
