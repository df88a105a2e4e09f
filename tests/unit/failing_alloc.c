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
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static _Atomic bool armed;
static pthread_t thread;      /* that is affected, while armed */
static _Atomic unsigned left; /* calls until one fails */
static enum failing_calls kind;
static int reason = ENOMEM;

bool failing_alloc_armed(enum failing_calls what)
{
    return atomic_load(&armed) && what == kind && pthread_equal(thread, pthread_self());
}

bool failing_alloc_due(enum failing_calls what)
{
    if (!failing_alloc_armed(what) || atomic_fetch_sub(&left, 1) > 1)
        return false;
    if (!atomic_exchange(&armed, false)) /* failing_alloc_stop() came first */
        return false;
    errno = reason;
    return true;
}

void failing_alloc_begin(struct failing_alloc *fail)
{
    *fail = (struct failing_alloc){.hit = true};
    failing_alloc_set_calls(FAILING_ALLOCATIONS, ENOMEM);
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
    failing_alloc_start_in(fail, pthread_self());
}

void failing_alloc_start_in(const struct failing_alloc *fail, pthread_t affected)
{
    atomic_store(&left, fail->runs);
    thread = affected;
    atomic_store(&armed, true);
}

void failing_alloc_stop(struct failing_alloc *fail)
{
    fail->hit = !atomic_exchange(&armed, false);
}

void failing_alloc_set_errno(int number)
{
    reason = number;
}

void failing_alloc_set_calls(enum failing_calls which, int number)
{
    kind = which;
    reason = number;
}

/* --- what the linker puts in the place of the functions --- */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return failing_alloc_due(FAILING_ALLOCATIONS) ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return failing_alloc_due(FAILING_ALLOCATIONS) ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size)
{
    return failing_alloc_due(FAILING_ALLOCATIONS) ? NULL : __real_realloc(memory, size);
}

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return failing_alloc_due(FAILING_ALLOCATIONS) ? NULL : __real_aligned_alloc(alignment, size);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return failing_alloc_due(FAILING_ALLOCATIONS) ? NULL : __real_strdup(text);
}

void *__real_mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset)
{
    return failing_alloc_due(FAILING_ALLOCATIONS) ? MAP_FAILED
                                                  : __real_mmap(address, size, protection, flags, descriptor, offset);
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags)
{
    return failing_alloc_due(FAILING_ALLOCATIONS) || failing_alloc_due(FAILING_DESCRIPTORS)
               ? -1
               : __real_memfd_create(name, flags);
}

int __real_ftruncate(int descriptor, off_t size);
int __wrap_ftruncate(int descriptor, off_t size);
int __wrap_ftruncate(int descriptor, off_t size)
{
    return failing_alloc_due(FAILING_ALLOCATIONS) ? -1 : __real_ftruncate(descriptor, size);
}

int __real_fallocate(int descriptor, int mode, off_t from, off_t size);
int __wrap_fallocate(int descriptor, int mode, off_t from, off_t size);
int __wrap_fallocate(int descriptor, int mode, off_t from, off_t size)
{
    return failing_alloc_due(FAILING_ALLOCATIONS) ? -1 : __real_fallocate(descriptor, mode, from, size);
}

int __real_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice)
{
    return advice == MADV_POPULATE_WRITE && failing_alloc_due(FAILING_ALLOCATIONS)
               ? -1
               : __real_madvise(address, size, advice);
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
    return command == F_ADD_SEALS && failing_alloc_due(FAILING_ALLOCATIONS)
               ? -1
               : __real_fcntl(descriptor, command, argument);
}

/* --- system calls that make a descriptor --- */

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
    return failing_alloc_due(FAILING_DESCRIPTORS) ? -1 : __real_socket(domain, type, protocol);
}

int __real_accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags)
{
    return failing_alloc_due(FAILING_DESCRIPTORS) ? -1 : __real_accept4(descriptor, address, size, flags);
}

int __real_eventfd(unsigned value, int flags);
int __wrap_eventfd(unsigned value, int flags);
int __wrap_eventfd(unsigned value, int flags)
{
    return failing_alloc_due(FAILING_DESCRIPTORS) ? -1 : __real_eventfd(value, flags);
}

int __real_epoll_create1(int flags);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_create1(int flags)
{
    return failing_alloc_due(FAILING_DESCRIPTORS) ? -1 : __real_epoll_create1(flags);
}

int __real_timerfd_create(int clock, int flags);
int __wrap_timerfd_create(int clock, int flags);
int __wrap_timerfd_create(int clock, int flags)
{
    return failing_alloc_due(FAILING_DESCRIPTORS) ? -1 : __real_timerfd_create(clock, flags);
}

#ifdef HAVE_LIBURING
int __real_io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *parameters);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *parameters);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *parameters)
{
    return failing_alloc_due(FAILING_DESCRIPTORS) ? -reason
                                                  : __real_io_uring_queue_init_params(entries, ring, parameters);
}
#endif

/* --- system calls that prepare one --- */

int __real_bind(int descriptor, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int descriptor, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int descriptor, const struct sockaddr *address, socklen_t size)
{
    return failing_alloc_due(FAILING_SETTINGS) ? -1 : __real_bind(descriptor, address, size);
}

int __real_listen(int descriptor, int backlog);
int __wrap_listen(int descriptor, int backlog);
int __wrap_listen(int descriptor, int backlog)
{
    return failing_alloc_due(FAILING_SETTINGS) ? -1 : __real_listen(descriptor, backlog);
}

int __real_setsockopt(int descriptor, int level, int option, const void *value, socklen_t size);
int __wrap_setsockopt(int descriptor, int level, int option, const void *value, socklen_t size);
int __wrap_setsockopt(int descriptor, int level, int option, const void *value, socklen_t size)
{
    return failing_alloc_due(FAILING_SETTINGS) ? -1 : __real_setsockopt(descriptor, level, option, value, size);
}

int __real_getsockname(int descriptor, struct sockaddr *address, socklen_t *size);
int __wrap_getsockname(int descriptor, struct sockaddr *address, socklen_t *size);
int __wrap_getsockname(int descriptor, struct sockaddr *address, socklen_t *size)
{
    return failing_alloc_due(FAILING_SETTINGS) ? -1 : __real_getsockname(descriptor, address, size);
}

int __real_epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event)
{
    return operation != EPOLL_CTL_DEL && failing_alloc_due(FAILING_SETTINGS)
               ? -1
               : __real_epoll_ctl(epoll, operation, descriptor, event);
}

/* --- system calls that transfer bytes --- */

ssize_t __real_send(int descriptor, const void *bytes, size_t size, int flags);
ssize_t __wrap_send(int descriptor, const void *bytes, size_t size, int flags);
ssize_t __wrap_send(int descriptor, const void *bytes, size_t size, int flags)
{
    return failing_alloc_due(FAILING_TRANSFERS) ? -1 : __real_send(descriptor, bytes, size, flags);
}

ssize_t __real_sendmsg(int descriptor, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int descriptor, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    return failing_alloc_due(FAILING_TRANSFERS) ? -1 : __real_sendmsg(descriptor, message, flags);
}

ssize_t __real_recv(int descriptor, void *bytes, size_t size, int flags);
ssize_t __wrap_recv(int descriptor, void *bytes, size_t size, int flags);
ssize_t __wrap_recv(int descriptor, void *bytes, size_t size, int flags)
{
    return failing_alloc_due(FAILING_TRANSFERS) ? -1 : __real_recv(descriptor, bytes, size, flags);
}

ssize_t __real_recvmsg(int descriptor, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int descriptor, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int descriptor, struct msghdr *message, int flags)
{
    return failing_alloc_due(FAILING_TRANSFERS) ? -1 : __real_recvmsg(descriptor, message, flags);
}

ssize_t __real_readv(int descriptor, const struct iovec *pieces, int count);
ssize_t __wrap_readv(int descriptor, const struct iovec *pieces, int count);
ssize_t __wrap_readv(int descriptor, const struct iovec *pieces, int count)
{
    return failing_alloc_due(FAILING_TRANSFERS) ? -1 : __real_readv(descriptor, pieces, count);
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
