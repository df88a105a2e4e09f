/* SPDX-License-Identifier: BSD-2-Clause */
/* copy.c - copies a file into a sealed memfd */
#include "config.h"

#include "upgrade/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* Linux 6.3; needed where the sysctl vm.memfd_noexec is 1 */
#endif

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL };

static int make_memfd(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 && errno == EINVAL) /* an older kernel: all memfds are executable */
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0)
            data += written, size -= (size_t)written;
    }
    return 0;
}

/* Copies until the end of the file; what counts is what was read, not what the size was at some moment. */
static int copy_bytes(int from, int to, mrpc_error *error)
{
    char buffer[16384];
    off_t total = 0;
    for (;;) {
        ssize_t count = pread(from, buffer, sizeof buffer, total);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return mrpc_error_system(error, errno, "cannot read the file");
        if (count == 0)
            return total > 0 ? 0 : mrpc_error_set(error, MRPC_EFORMAT, "the file is empty");
        total += count;
        if (total > MRPC_COPY_LIMIT)
            return mrpc_error_set(error, MRPC_ELIMIT, "the file has more than %d MiB, the limit for a module",
                                  MRPC_COPY_LIMIT >> 20);
        if (write_all(to, buffer, (size_t)count) != 0)
            return mrpc_error_system(error, errno, "cannot write the private copy");
    }
}

int mrpc_copy_make(int file, const char *name, int *copy, mrpc_error *error)
{
    int fd = make_memfd(name);
    if (fd < 0)
        return mrpc_error_system(error, errno, "cannot make a memfd for the private copy");
    int result = copy_bytes(file, fd, error);
    if (result != 0)
        goto close_memfd;
    if (fcntl(fd, F_ADD_SEALS, SEALS) != 0) {
        result = mrpc_error_system(error, errno, "cannot seal the private copy");
        goto close_memfd;
    }
    *copy = fd;
    return 0;
close_memfd:
    close(fd);
    return result;
}

int mrpc_copy_map(int copy, mrpc_copy_view *view, mrpc_error *error)
{
    struct stat status;
    if (fstat(copy, &status) != 0)
        return mrpc_error_system(error, errno, "cannot examine the private copy");
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, copy, 0);
    if (data == MAP_FAILED)
        return mrpc_error_system(error, errno, "cannot map the private copy");
    *view = (mrpc_copy_view){.data = data, .size = (size_t)status.st_size};
    return 0;
}

void mrpc_copy_unmap(mrpc_copy_view *view)
{
    munmap((void *)view->data, view->size);
    *view = (mrpc_copy_view){0};
}
