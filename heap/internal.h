/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - how a heap is put together
 *
 *   segment.h    an address range, filled with memfds from the bottom up
 *   span.h       which runs of its pages are free, slabs or large allocations
 *   slab.h       slots of one size in a slab
 *   grow.c       taking pages, and committing more when there are none
 *   slot.c       from an address to its slot; holds; giving slots back
 *   heap.c       the public functions
 *
 * One lock guards the spans, slabs and counters. A thread that frees while it is taken pushes the slot to `queue`, a
 * stack without lock whose links lie in the slots' state words; whoever allocates next collects some of it.
 *
 * The heap goes when nothing keeps it: `keepers`, under the lock, counts its arenas, and one for all owners and holds
 * together. So an arena is counted in and out in the critical section that its first block costs anyway.
 *
 * The struct lies at the beginning of a private mapping, before the tables of pages, and is wiped in a child process
 * after fork(): segments are shared with the parent, so the child must not allocate from them. Wiped, the heap is
 * one that has nothing and gives nothing.
 */
#ifndef MRPC_HEAP_INTERNAL_H
#define MRPC_HEAP_INTERNAL_H

#include <stdalign.h>

#include <mrpc/heap.h>

#include "heap/lock.h"
#include "heap/segment.h"
#include "heap/span.h"

enum { MRPC_WORDS_LISTS = 12 };

/* Where the state words of slabs come from: arrays of 2^i words, recycled. Their number follows that of the pages, and
 * so has the same bound. */
typedef struct mrpc_words {
    mrpc_slot *unused[MRPC_WORDS_LISTS]; /* linked through the first word */
    char *cursor;
    char *end;
    struct mrpc_words_chunk *chunks; /* all that were mapped */
} mrpc_words;

typedef _Atomic uint64_t mrpc_counter;

struct mrpc_heap {
    uint64_t alive; /* HEAP_ALIVE; 0 in a child after fork() */
    mrpc_range range;
    size_t mapping_size;

    alignas(64) mrpc_lock lock;
    uint64_t backlog; /* slots that were taken from the queue and are still to be given back: the id of the first */
    uint64_t keepers; /* see above; at 0 the heap goes */
    mrpc_counter allocations, frees, bytes_in_use, failures, bad_frees;
    uint32_t with_room[MRPC_CLASS_COUNT]; /* the first slab of each class that has a free slot */
    uint32_t spare[MRPC_CLASS_COUNT];     /* an empty slab of each class, which is kept for the next use */
    mrpc_pages pages;
    mrpc_words words;

    alignas(64) _Atomic uint64_t queue;      /* id of the slot that was freed last; 0: none */
    alignas(64) _Atomic uint64_t references; /* owners, and HELD_ONE for each allocation that is held */
    mrpc_lock growth;                        /* taken before `lock` by who commits more */
};

#define MRPC_HEAP_ALIVE UINT64_C(0x6d72706368656170)
#define MRPC_HELD_ONE (UINT64_C(1) << 32)
#define MRPC_HEAP_COLLECT 64 /* most slots that one allocation gives back on behalf of other threads */

/* An address that lies in a span, and its slot. */
typedef struct mrpc_place {
    mrpc_span *span;
    mrpc_slot *slot;
    uint32_t first; /* page of the span */
    uint32_t index; /* of the slot in the span */
} mrpc_place;

/* As mrpc_heap_new. With seal_writes nobody but this heap can ever write to its segments. */
int mrpc_heap_make(mrpc_heap **heap, const mrpc_heap_options *options, bool seal_writes, mrpc_error *error);

/* True while a transport holds the allocation that `pointer` lies in. */
bool mrpc_heap_is_held(const mrpc_heap *heap, const void *pointer);

/* An arena's first block: as mrpc_heap_alloc and mrpc_heap_free, but the arena keeps the heap. */
void *mrpc_heap_alloc_arena(mrpc_heap *heap, size_t bytes);
void mrpc_heap_free_arena(mrpc_heap *heap, void *pointer);

/* Counts owners and holds in and out. Without the lock; the heap may be gone after mrpc_heap_drop_reference(). */
void mrpc_heap_add_reference(mrpc_heap *heap, uint64_t amount);
void mrpc_heap_drop_reference(mrpc_heap *heap, uint64_t amount);

/* Gives the lock and one keeper back. The heap may be gone after it. */
void mrpc_heap_leave_for_good(mrpc_heap *heap);

/* --- with the lock taken --- */

/* `count` pages, committing more where needed, for which the lock is given up meanwhile. MRPC_NO_PAGE: refused. */
uint32_t mrpc_heap_take_pages(mrpc_heap *heap, uint32_t count, uint32_t alignment);

/* Gives back up to `most` slots of the queue. */
void mrpc_heap_collect_some(mrpc_heap *heap, size_t most);

/* --- inline --- */

/* For counters that are changed under the lock and read at any time. */
static inline void mrpc_count(mrpc_counter *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

static inline char *mrpc_heap_page_address(const mrpc_heap *heap, uint32_t page)
{
    return heap->range.base + ((size_t)page << MRPC_PAGE_SHIFT);
}

#endif /* MRPC_HEAP_INTERNAL_H */
