/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * failing.c - linked over the plugin's own objects: makes one allocation of its C code fail, the one that MRPC_FAIL_AT
 * numbers from 1, and leaves a line in the file MRPC_FAIL_LOG when it came to that
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static int fails_now(void)
{
    static long count;
    const char *wanted = getenv("MRPC_FAIL_AT"), *log = getenv("MRPC_FAIL_LOG");
    if (wanted == NULL || log == NULL || ++count != atol(wanted))
        return 0;
    int file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0 || write(file, "failed\n", 7) != 7)
        _exit(99);
    close(file);
    return 1;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails_now() ? NULL : __real_realloc(memory, size);
}
