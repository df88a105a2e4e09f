/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sizeclass.h - which sizes small allocations are rounded up to
 *
 * Four classes for each doubling: 4, 5, 6 and 7 times a power of two, so that at most a fifth of a slot is wasted
 * above 64 bytes. A slab of 4, 5, 3 or 7 pages holds a power of two of such slots with nothing left over.
 */
#ifndef MRPC_HEAP_SIZECLASS_H
#define MRPC_HEAP_SIZECLASS_H

#include <stddef.h>
#include <stdint.h>

enum {
    MRPC_PAGE_SHIFT = 14,
    MRPC_PAGE_SIZE = 1 << MRPC_PAGE_SHIFT, /* the heap's page, not the machine's */
    MRPC_SMALL_MIN = 32,
    MRPC_SMALL_MAX = 32768,
    MRPC_CLASS_COUNT = 39 /* 32, 48, then 64 to 32768 */
};

/* The class of the smallest slots that hold `bytes`, which is 1 to MRPC_SMALL_MAX. */
static inline unsigned mrpc_class_of(size_t bytes)
{
    if (bytes <= 64)
        return bytes <= 32 ? 0 : bytes <= 48 ? 1 : 2;
    uint32_t last = (uint32_t)bytes - 1;                    /* 64 and more */
    unsigned doubling = 31 - (unsigned)__builtin_clz(last); /* 6 and more */
    unsigned quarter = (last >> (doubling - 2)) & 3;        /* which quarter of the doubling `last` lies in */
    return 3 + (doubling - 6) * 4 + quarter;
}

static inline uint32_t mrpc_class_size(unsigned class)
{
    if (class < 3)
        return 32 + 16 * class;
    return (5 + (class - 3) % 4) << (4 + (class - 3) / 4);
}

/* How many pages a slab of slots of this size has. */
static inline uint32_t mrpc_class_pages(uint32_t slot_size)
{
    uint32_t factor = slot_size >> (29 - __builtin_clz(slot_size)); /* 4 to 7 */
    return factor == 6 ? 3 : factor;
}

#endif /* MRPC_HEAP_SIZECLASS_H */
