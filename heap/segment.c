/* SPDX-License-Identifier: BSD-2-Clause */
/* segment.c - reserving addresses, making sealed segments, committing their pages */
#include "config.h"

#include "heap/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "heap/available.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif
#define HUGE_PAGE ((size_t)2 << 20)
#define LOOK_AGAIN ((size_t)4 << 20)

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) & ~(unit - 1);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

int mrpc_range_reserve(mrpc_range *range, const mrpc_range_options *options, mrpc_error *error)
{
    memset(range, 0, sizeof *range);
    range->mapping_size = options->limit + MRPC_SEGMENT_ALIGN;
    void *mapping = mmap(NULL, range->mapping_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        return mrpc_error_system(error, errno,
                                 "heap %s: cannot reserve %zu bytes of addresses; lower the heap's limit or raise "
                                 "RLIMIT_AS",
                                 options->name, range->mapping_size);
    }
    range->mapping = mapping;
    range->base = (char *)round_up((uintptr_t)mapping, MRPC_SEGMENT_ALIGN);
    range->limit = options->limit;
    range->segment_size = options->segment_size;
    range->huge_wanted = options->huge_pages && options->segment_size >= HUGE_PAGE;
    atomic_init(&range->huge, range->huge_wanted);
    range->seal_writes = options->seal_writes;
    range->descriptors = options->descriptors;
    strncpy(range->name, options->name, sizeof range->name - 1);
    return 0;
}

/* Leaves out the hole that a failed mmap may have torn: something else may lie there by now. */
void mrpc_range_release(mrpc_range *range)
{
    uint32_t segments = atomic_load_explicit(&range->segments, memory_order_relaxed);
    if (range->mapping == NULL)
        return; /* of a heap that was wiped in a child */
    char *end = range->mapping + range->mapping_size;
    if (range->broken) {
        char *hole = range->base + segments * range->segment_size;
        munmap(range->mapping, (size_t)(hole - range->mapping));
        munmap(hole + range->segment_size, (size_t)(end - hole) - range->segment_size);
    } else {
        munmap(range->mapping, range->mapping_size);
    }
    for (uint32_t i = 0; i < segments; i++)
        close(range->descriptors[i]);
}

/* Closes without losing errno; -1. */
static int close_failed(int descriptor)
{
    int reason = errno;
    close(descriptor);
    errno = reason;
    return -1;
}

/* Beyond RLIMIT_FSIZE ftruncate would not only fail but also raise SIGXFSZ, which ends the process. */
static bool file_size_allowed(size_t bytes)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

/* A memfd of the segment's size, or -1 with errno. */
static int make_memfd(const mrpc_range *range, unsigned flags)
{
    if (!file_size_allowed(range->segment_size)) {
        errno = EFBIG;
        return -1;
    }
    int descriptor = memfd_create(range->name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    if (descriptor < 0)
        return -1;
    if (ftruncate(descriptor, (off_t)range->segment_size) != 0)
        return close_failed(descriptor);
    return descriptor;
}

static char *next_place(const mrpc_range *range)
{
    return range->base + atomic_load_explicit(&range->segments, memory_order_relaxed) * range->segment_size;
}

/* Maps the next segment at its place. It is mapped elsewhere first, because a mapping that fails there leaves the
 * reservation whole, while MAP_FIXED may have removed it before it fails. Of hugetlb pages the first mapping sets
 * aside as many as the file has, for the second as well. */
static int map_segment(mrpc_range *range, int descriptor)
{
    void *trial = mmap(NULL, range->segment_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (trial == MAP_FAILED)
        return -1;
    void *mapping =
        mmap(next_place(range), range->segment_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, 0);
    int reason = errno;
    munmap(trial, range->segment_size);
    range->broken = mapping == MAP_FAILED;
    errno = reason;
    return range->broken ? -1 : 0;
}

/* Puts the reservation back over a segment that is not to be. When that fails, the old mapping is in its place. */
static void unmap_segment(const mrpc_range *range)
{
    int reason = errno;
    (void)mmap(next_place(range), range->segment_size, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    errno = reason;
}

/* The descriptor of the next segment, mapped and then sealed (F_SEAL_FUTURE_WRITE would forbid the mapping). */
static int make_segment(mrpc_range *range, unsigned memfd_flags)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | (range->seal_writes ? F_SEAL_FUTURE_WRITE : 0);
    int descriptor = make_memfd(range, memfd_flags);
    if (descriptor < 0)
        return -1;
    if (map_segment(range, descriptor) != 0)
        return close_failed(descriptor);
    if (fcntl(descriptor, F_ADD_SEALS, seals) != 0) {
        unmap_segment(range);
        return close_failed(descriptor);
    }
    return descriptor;
}

/* In hugetlb pages where they are wanted and left, which is told by the mapping. */
static int make_huge_segment(mrpc_range *range)
{
    if (!atomic_load_explicit(&range->huge, memory_order_relaxed))
        return -1;
    return make_segment(range, MFD_HUGETLB | MFD_HUGE_2MB);
}

static int make_plain_segment(mrpc_range *range)
{
    int descriptor = make_segment(range, 0);
    if (descriptor < 0)
        return -1;
    atomic_store_explicit(&range->huge, false, memory_order_relaxed);
    if (range->huge_wanted)
        (void)madvise(next_place(range), range->segment_size, MADV_HUGEPAGE); /* advice: smaller pages do as well */
    return descriptor;
}

static int add_segment(mrpc_range *range)
{
    int descriptor = make_huge_segment(range);
    if (descriptor < 0 && !range->broken)
        descriptor = make_plain_segment(range);
    if (descriptor < 0)
        return -1;
    uint32_t index = atomic_load_explicit(&range->segments, memory_order_relaxed);
    range->descriptors[index] = descriptor;
    atomic_store_explicit(&range->segments, index + 1, memory_order_release);
    return 0;
}

/* Without this question the kernel would rather kill a process than say that memory has run out. It costs less than
 * a hundredth of what it takes to commit LOOK_AGAIN bytes. Huge pages were set aside when they were mapped. */
static bool machine_has(const mrpc_range *range, size_t wanted)
{
    if (atomic_load_explicit(&range->huge, memory_order_relaxed) || wanted <= mrpc_memory_available())
        return true;
    errno = ENOMEM;
    return false;
}

/* Makes the pages and maps them, in one system call where the kernel knows how; either way their absence is an
 * error here and not a signal later. */
static int populate(mrpc_range *range, size_t from, size_t bytes)
{
    int result;
    do
        result = madvise(range->base + from, bytes, MADV_POPULATE_WRITE);
    while (result != 0 && (errno == EINTR || errno == EAGAIN));
    if (result == 0 || errno != EINVAL)
        return result;
    do
        result = fallocate(range->descriptors[from / range->segment_size], 0, (off_t)(from & (range->segment_size - 1)),
                           (off_t)bytes);
    while (result != 0 && errno == EINTR);
    return result;
}

size_t mrpc_range_step(const mrpc_range *range)
{
    return range->huge_wanted ? HUGE_PAGE : MRPC_SEGMENT_STEP;
}

/* The machine is looked at before a large commit and then every LOOK_AGAIN bytes. */
static bool time_to_look(size_t committed, size_t start, size_t target)
{
    return committed % LOOK_AGAIN == 0 || (committed == start && target - start >= LOOK_AGAIN);
}

static int commit(mrpc_range *range, size_t target)
{
    size_t step = mrpc_range_step(range);
    size_t start = atomic_load_explicit(&range->committed, memory_order_relaxed);
    for (size_t committed = start; committed < target; committed += step) {
        size_t end = atomic_load_explicit(&range->segments, memory_order_relaxed) * range->segment_size;
        if (committed == end && (range->broken || add_segment(range) != 0))
            return -1;
        if (time_to_look(committed, start, target) && !machine_has(range, target - committed))
            return -1;
        if (populate(range, committed, step) != 0)
            return -1;
        atomic_store_explicit(&range->committed, committed + step, memory_order_release);
    }
    return 0;
}

int mrpc_range_commit(mrpc_range *range, size_t target)
{
    errno = ENOMEM;
    if (commit(range, smaller(round_up(target, mrpc_range_step(range)), range->limit)) == 0)
        return 0;
    int reason = errno == EFAULT ? ENOMEM : errno; /* MADV_POPULATE_WRITE says EFAULT where a touch would be SIGBUS */
    atomic_store_explicit(&range->refused, reason, memory_order_relaxed);
    return -1;
}
