/* SPDX-License-Identifier: BSD-2-Clause */
/* memory.c - sealed memfds: making one's own, checking and mapping the peer's */
#include "config.h"

#include "transports/shm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transports/shm/ring.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

static int seal(int fd)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_FUTURE_WRITE) == 0)
        return 0;
    return errno == EINVAL ? fcntl(fd, F_ADD_SEALS, seals) : -1;
}

/* The map is made before the seal that forbids it. */
static int fill(mrpc_shm_memory *memory, size_t bytes)
{
    if (ftruncate(memory->fd, (off_t)bytes) != 0 || fallocate(memory->fd, 0, 0, SHM_CONTROL + SHM_FIRST) != 0)
        return -1;
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
    if (map == MAP_FAILED)
        return -1;
    memory->control = map;
    memory->data = (char *)map + SHM_CONTROL;
    return seal(memory->fd);
}

int mrpc_shm_memory_make(mrpc_shm_memory *memory, uint64_t data, mrpc_error *error)
{
    *memory = (mrpc_shm_memory){.size = data, .fd = memfd_create("mrpc-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    if (memory->fd < 0)
        return mrpc_error_system(error, errno, "shm: memfd_create");
    if (fill(memory, SHM_CONTROL + data) != 0) {
        int reason = errno;
        mrpc_shm_memory_drop(memory);
        return mrpc_error_system(error, reason, "shm: cannot make a ring of %llu bytes", (unsigned long long)data);
    }
    return 0;
}

int mrpc_shm_memory_check(int fd, uint64_t size, const char *what, mrpc_error *error)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat status;
    if (seals < 0 || (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW))
        return mrpc_error_set(error, MRPC_EPROTO,
                              "shm: the peer sent %s that is not sealed against shrinking and growing", what);
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || (uint64_t)status.st_size != size)
        return mrpc_error_set(error, MRPC_EPROTO, "shm: the peer sent %s that has not the %llu bytes that it named",
                              what, (unsigned long long)size);
    return 0;
}

int mrpc_shm_memory_map(mrpc_shm_memory *memory, int fd, uint64_t data, mrpc_error *error)
{
    *memory = (mrpc_shm_memory){.size = data, .fd = -1};
    if (data < SHM_DATA_MIN || data > SHM_DATA_MAX || (data & (data - 1)) != 0)
        return mrpc_error_set(error, MRPC_EPROTO,
                              "shm: the peer named a ring of %llu bytes; that must be a power of two from %d to %d",
                              (unsigned long long)data, SHM_DATA_MIN, SHM_DATA_MAX);
    int failure = mrpc_shm_memory_check(fd, SHM_CONTROL + data, "a ring", error);
    if (failure != 0)
        return failure;
    void *map = mmap(NULL, SHM_CONTROL + data, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return mrpc_error_system(error, errno, "shm: cannot map the peer's ring of %llu bytes",
                                 (unsigned long long)data);
    memory->control = map;
    memory->data = (char *)map + SHM_CONTROL;
    return 0;
}

void mrpc_shm_memory_drop(mrpc_shm_memory *memory)
{
    if (memory->control != NULL)
        munmap(memory->control, SHM_CONTROL + memory->size);
    if (memory->fd >= 0)
        close(memory->fd);
    *memory = (mrpc_shm_memory){.fd = -1};
}

int mrpc_shm_eventfd_check(int fd, mrpc_error *error)
{
    char path[40], name[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, name, sizeof name);
    static const char expected[] = "anon_inode:[eventfd]";
    if (length != (ssize_t)strlen(expected) || memcmp(name, expected, strlen(expected)) != 0)
        return mrpc_error_set(error, MRPC_EPROTO,
                              "shm: the peer sent something else than an eventfd, or /proc is not mounted");
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return mrpc_error_system(error, errno, "shm: fcntl");
    return 0;
}
