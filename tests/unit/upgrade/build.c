/* SPDX-License-Identifier: BSD-2-Clause */
/* build.c - compiles modules for a test */
#include "config.h"

#include "tests/unit/upgrade/build.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static const char *from_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : otherwise;
}

const char *test_folder(void)
{
    if (folder[0] == '\0') {
        strcpy(folder, "/tmp/mrpc-test-XXXXXX");
        assert_non_null(mkdtemp(folder));
    }
    return folder;
}

void remove_folder(void)
{
    if (folder[0] != '\0')
        run("rm -rf %s", folder);
    folder[0] = '\0';
}

const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return path;
}

void run(const char *format, ...)
{
    char command[2048];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_in_range(length, 1, sizeof command - 1);
    if (system(command) != 0)
        fail_msg("this failed: %s", command);
}

const char *build_module(const char *name, const char *options)
{
    const char *source = from_environment("top_srcdir", ".");
    run("%s -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden -I%s/include -o %s/%s "
        "%s/tests/unit/upgrade/module.c %s",
        from_environment("CC", "cc"), source, test_folder(), name, source, options);
    return in_folder(name);
}

void use_built_helper(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/upgrade/mrpc-selftest", from_environment("top_builddir", "."));
    assert_int_equal(setenv("MRPC_SELFTEST", path, 1), 0);
}
