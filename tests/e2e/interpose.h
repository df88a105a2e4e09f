/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose.h - counts, from outside, what a program asks of the C library
 *
 * interpose.so is preloaded; a program finds out with interpose_counts() whether it is there. Each counter is of calls
 * by the program and the libraries that it loads; what the C library does inside itself is not seen.
 */
#ifndef MRPC_TESTS_INTERPOSE_H
#define MRPC_TESTS_INTERPOSE_H

#include <stdint.h>

typedef struct interpose_counts {
    uint64_t allocations; /* malloc, calloc, realloc, aligned_alloc, posix_memalign */
    uint64_t frees;
    uint64_t locks;        /* pthread mutex, rwlock and spin locks, condition variables */
    uint64_t large_copies; /* memcpy, memmove and mempcpy of 4 KiB and more */
    uint64_t large_bytes;  /* that they copied */
} interpose_counts;

/* What has been counted since the program began; NULL where interpose.so was not preloaded. */
extern const interpose_counts *mrpc_interpose_counts(void) __attribute__((weak));

#endif /* MRPC_TESTS_INTERPOSE_H */
