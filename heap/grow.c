/* SPDX-License-Identifier: BSD-2-Clause */
/* grow.c - taking pages, and committing more when there are none */
#include "config.h"

#include "heap/internal.h"
#include "heap/slab.h"

/* Commits what a run needs, without the lock: it takes a while, and others may find what they want meanwhile. */
static bool commit(mrpc_heap *heap, uint32_t count, uint32_t alignment)
{
    uint64_t needed = mrpc_pages_needed(&heap->pages, count, alignment);
    if (needed > heap->range.limit >> MRPC_PAGE_SHIFT)
        return false;
    mrpc_lock_release(&heap->lock);
    int result = mrpc_range_commit(&heap->range, (size_t)needed << MRPC_PAGE_SHIFT);
    mrpc_lock_take(&heap->lock);
    uint32_t pages = (uint32_t)(atomic_load_explicit(&heap->range.committed, memory_order_relaxed) >> MRPC_PAGE_SHIFT);
    if (pages > heap->pages.count)
        mrpc_pages_extend(&heap->pages, pages);
    return result == 0;
}

/* Others may take what was committed before this thread has the lock again, hence the loop; it ends at the limit. */
static uint32_t grow(mrpc_heap *heap, uint32_t count, uint32_t alignment)
{
    uint32_t first = mrpc_pages_take(&heap->pages, count, alignment);
    while (first == MRPC_NO_PAGE && commit(heap, count, alignment))
        first = mrpc_pages_take(&heap->pages, count, alignment);
    return first;
}

/* Takes the growth lock, which comes before the heap's lock. */
static uint32_t grow_alone(mrpc_heap *heap, uint32_t count, uint32_t alignment)
{
    mrpc_lock_release(&heap->lock);
    mrpc_lock_take(&heap->growth);
    mrpc_lock_take(&heap->lock);
    uint32_t first = grow(heap, count, alignment);
    mrpc_lock_release(&heap->growth);
    return first;
}

uint32_t mrpc_heap_take_pages(mrpc_heap *heap, uint32_t count, uint32_t alignment)
{
    uint32_t first = mrpc_pages_take(&heap->pages, count, alignment);
    if (first != MRPC_NO_PAGE)
        return first;
    mrpc_heap_collect_some(heap, SIZE_MAX);
    first = mrpc_pages_take(&heap->pages, count, alignment);
    if (first == MRPC_NO_PAGE)
        first = grow_alone(heap, count, alignment);
    if (first == MRPC_NO_PAGE) {
        mrpc_slab_reclaim(heap);
        first = mrpc_pages_take(&heap->pages, count, alignment);
    }
    return first;
}
