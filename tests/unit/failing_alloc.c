/* SPDX-License-Identifier: BSD-2-Clause */
/* failing_alloc.c - the wrapped functions */
#include "config.h"

#include "tests/unit/failing_alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static _Atomic bool armed;
static pthread_t thread; /* that is affected, while armed */
static unsigned left;    /* calls until one fails */
static bool failed;
static int reason = ENOMEM;

static bool fails(void)
{
    if (!atomic_load(&armed) || !pthread_equal(thread, pthread_self()) || --left > 0)
        return false;
    atomic_store(&armed, false);
    failed = true;
    errno = reason;
    return true;
}

void failing_alloc_begin(struct failing_alloc *fail)
{
    *fail = (struct failing_alloc){.hit = true};
    reason = ENOMEM;
}

bool failing_alloc_next(struct failing_alloc *fail)
{
    if (!fail->hit)
        return false;
    fail->runs++;
    fail->hit = false;
    return true;
}

void failing_alloc_start(const struct failing_alloc *fail)
{
    left = fail->runs;
    failed = false;
    thread = pthread_self();
    atomic_store(&armed, true);
}

void failing_alloc_stop(struct failing_alloc *fail)
{
    atomic_store(&armed, false);
    fail->hit = failed;
}

void failing_alloc_set_errno(int number)
{
    reason = number;
}

/* --- what the linker puts in the place of the functions --- */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

void *__real_mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset)
{
    return fails() ? MAP_FAILED : __real_mmap(address, size, protection, flags, descriptor, offset);
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags)
{
    return fails() ? -1 : __real_memfd_create(name, flags);
}

int __real_ftruncate(int descriptor, off_t size);
int __wrap_ftruncate(int descriptor, off_t size);
int __wrap_ftruncate(int descriptor, off_t size)
{
    return fails() ? -1 : __real_ftruncate(descriptor, size);
}

int __real_fallocate(int descriptor, int mode, off_t from, off_t size);
int __wrap_fallocate(int descriptor, int mode, off_t from, off_t size);
int __wrap_fallocate(int descriptor, int mode, off_t from, off_t size)
{
    return fails() ? -1 : __real_fallocate(descriptor, mode, from, size);
}

int __real_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice)
{
    return advice == MADV_POPULATE_WRITE && fails() ? -1 : __real_madvise(address, size, advice);
}

/* The third argument is passed on as a word, whatever it is: so do the C library's own wrappers. */
int __real_fcntl(int descriptor, int command, ...);
int __wrap_fcntl(int descriptor, int command, ...);
int __wrap_fcntl(int descriptor, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return command == F_ADD_SEALS && fails() ? -1 : __real_fcntl(descriptor, command, argument);
}

/* --- looking for leaks --- */

unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 3; /* ".", ".." and the folder itself */
}

unsigned count_mappings(const char *name)
{
    unsigned count = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL)
        return 0;
    while (fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, name) != NULL;
    fclose(maps);
    return count;
}
