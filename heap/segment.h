/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.h - the address range of a heap, and the memfds that fill it from the bottom up
 *
 * The whole range is reserved at once and never moves. A segment is a memfd of fixed size, sealed and mapped at its
 * place in the range; segment i begins at base + i * segment_size. Making one is cheap, because its pages are not yet
 * there. They are committed in steps, in ascending order: everything below `committed` is backed by pages that exist
 * and are mapped writable, so that no access to it can fault for want of memory (a memfd without pages would answer
 * that with SIGBUS). A page costs about 3 µs to commit, whether by itself or with many others, so steps of
 * SEGMENT_STEP keep the pause of the unlucky allocation at a fifth of a millisecond, and a heap that is used little
 * does not commit a whole segment.
 *
 * Segments are kept until the range is released: their descriptors may be mapped by other processes or be registered
 * with devices.
 *
 * Threads: one at a time may commit; committed and segments may be read meanwhile.
 */
#ifndef MRPC_HEAP_SEGMENT_H
#define MRPC_HEAP_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mrpc/error.h>

enum {
    MRPC_SEGMENT_MIN = 1 << 20,
    MRPC_SEGMENT_MAX = 1 << 30,
    MRPC_SEGMENT_STEP = 256 << 10, /* bytes committed at a time, at least */
    MRPC_SEGMENT_ALIGN = 2 << 20,  /* of the range: the largest alignment of an allocation, and of a huge page */
    MRPC_SEGMENT_NAME = 64         /* bytes of a name, with its NUL */
};

typedef struct mrpc_range_options {
    size_t limit;        /* bytes; whole segments */
    size_t segment_size; /* bytes; a power of two */
    bool huge_pages;     /* try hugetlb pages first, and ask for transparent ones otherwise */
    bool seal_writes;    /* F_SEAL_FUTURE_WRITE: nobody else, whoever gets the descriptor, can ever map it writable */
    const char *name;    /* of the memfds; shorter than MRPC_SEGMENT_NAME */
    int *descriptors;    /* room for one of each segment, which the caller keeps as long as the range */
} mrpc_range_options;

typedef struct mrpc_range {
    char *base;
    size_t limit;
    size_t segment_size;
    _Atomic size_t committed;  /* bytes from base that may be touched */
    _Atomic uint32_t segments; /* how many there are */
    _Atomic int refused;       /* errno of the last failure to commit; 0: none */
    _Atomic bool huge;         /* all segments are in hugetlb pages */
    bool huge_wanted;
    bool seal_writes;
    bool broken; /* a part of the reservation was lost: no more segments */
    int *descriptors;
    char *mapping; /* what was reserved, before alignment */
    size_t mapping_size;
    char name[MRPC_SEGMENT_NAME];
} mrpc_range;

/* Reserves addresses, commits nothing. Error: ESYS (mmap). */
int mrpc_range_reserve(mrpc_range *range, const mrpc_range_options *options, mrpc_error *error);

/* Commits until `committed` is at least `target` (at most the limit). Returns 0, or -1 with `refused` set; what was
 * committed up to the failure stays and is counted. Blocks for about 0.7 ms per MiB. */
int mrpc_range_commit(mrpc_range *range, size_t target);

/* How much is committed at a time: a multiple of this from base. */
size_t mrpc_range_step(const mrpc_range *range);

/* Unmaps everything and closes the descriptors. */
void mrpc_range_release(mrpc_range *range);

#endif /* MRPC_HEAP_SEGMENT_H */
