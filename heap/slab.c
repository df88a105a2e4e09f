/* SPDX-License-Identifier: BSD-2-Clause */
/* slab.c - slots of one size class in a run of pages */
#include "config.h"

#include "heap/slab.h"

#include "heap/sanitize.h"

static void list(mrpc_heap *heap, uint32_t first)
{
    mrpc_span *span = &heap->pages.span[first];
    uint32_t *head = &heap->with_room[span->class];
    span->previous = MRPC_NO_PAGE;
    span->next = *head;
    if (span->next != MRPC_NO_PAGE)
        heap->pages.span[span->next].previous = first;
    *head = first;
    span->listed = 1;
}

static void unlist(mrpc_heap *heap, uint32_t first)
{
    mrpc_span *span = &heap->pages.span[first];
    if (span->next != MRPC_NO_PAGE)
        heap->pages.span[span->next].previous = span->previous;
    if (span->previous != MRPC_NO_PAGE)
        heap->pages.span[span->previous].next = span->next;
    else
        heap->with_room[span->class] = span->next;
    span->listed = 0;
}

/* Slots are poisoned until they are taken: a write past the last one that is in use is then found too. */
static uint32_t make(mrpc_heap *heap, unsigned class)
{
    uint32_t slot_size = mrpc_class_size(class);
    uint32_t pages = mrpc_class_pages(slot_size);
    uint32_t slot_count = pages * MRPC_PAGE_SIZE / slot_size;
    uint32_t first = mrpc_heap_take_pages(heap, pages, 1);
    if (first == MRPC_NO_PAGE)
        return MRPC_NO_PAGE;
    mrpc_slot *slots = mrpc_words_take(&heap->words, slot_count);
    if (slots == NULL) {
        mrpc_pages_give(&heap->pages, first, pages);
        return MRPC_NO_PAGE;
    }
    mrpc_span *span = &heap->pages.span[first];
    span->slots = slots;
    span->pages = pages;
    span->slot_size = slot_size;
    span->reciprocal = (uint32_t)((UINT64_C(1) << 32) / slot_size) + 1;
    span->slot_count = (uint16_t)slot_count;
    span->used = span->fresh = span->first_free = 0;
    span->class = (uint8_t) class;
    span->kind = MRPC_SPAN_SLAB;
    mrpc_pages_own(&heap->pages, first, pages);
    list(heap, first);
    MRPC_HEAP_POISON(mrpc_heap_page_address(heap, first), (size_t)pages * MRPC_PAGE_SIZE);
    return first;
}

static void unmake(mrpc_heap *heap, uint32_t first)
{
    mrpc_span *span = &heap->pages.span[first];
    unlist(heap, first);
    mrpc_words_give(&heap->words, span->slots, span->slot_count);
    mrpc_pages_give(&heap->pages, first, span->pages);
}

uint32_t mrpc_slab_find(mrpc_heap *heap, unsigned class)
{
    uint32_t first = heap->with_room[class];
    return MRPC_LIKELY(first != MRPC_NO_PAGE) ? first : make(heap, class);
}

void *mrpc_slab_take(mrpc_heap *heap, uint32_t first)
{
    mrpc_span *span = &heap->pages.span[first];
    uint32_t index;
    if (span->first_free != 0) {
        index = span->first_free - 1u;
        uint64_t word = atomic_load_explicit(&span->slots[index], memory_order_relaxed);
        span->first_free = (uint16_t)(word >> MRPC_SLOT_SHIFT);
    } else {
        index = span->fresh++;
    }
    atomic_store_explicit(&span->slots[index], MRPC_SLOT_LIVE, memory_order_relaxed);
    if (span->used++ == 0 && heap->spare[span->class] == first)
        heap->spare[span->class] = MRPC_NO_PAGE;
    if (span->used == span->slot_count)
        unlist(heap, first);
    return mrpc_heap_page_address(heap, first) + (size_t)index * span->slot_size;
}

/* One empty slab of each class is kept, so that a class which is used by turns does not make and unmake slabs. */
void mrpc_slab_give(mrpc_heap *heap, uint32_t first, uint32_t index)
{
    mrpc_span *span = &heap->pages.span[first];
    uint64_t word = MRPC_SLOT_FREE | (uint64_t)span->first_free << MRPC_SLOT_SHIFT;
    atomic_store_explicit(&span->slots[index], word, memory_order_relaxed);
    span->first_free = (uint16_t)(index + 1);
    if (!span->listed)
        list(heap, first);
    if (--span->used > 0)
        return;
    if (heap->spare[span->class] == MRPC_NO_PAGE)
        heap->spare[span->class] = first;
    else
        unmake(heap, first);
}

void mrpc_slab_reclaim(mrpc_heap *heap)
{
    for (unsigned class = 0; class < MRPC_CLASS_COUNT; class ++) {
        if (heap->spare[class] != MRPC_NO_PAGE)
            unmake(heap, heap->spare[class]);
        heap->spare[class] = MRPC_NO_PAGE;
    }
}
