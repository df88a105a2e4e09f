/* SPDX-License-Identifier: BSD-2-Clause */
/* slot.c - from an address to its slot; the states that a slot goes through once it is allocated */
#include "config.h"

#include "heap/internal.h"
#include "heap/sanitize.h"
#include "heap/slab.h"

#define INDEX_BITS 11 /* a slab has at most 2048 slots */

static uint64_t state_of(uint64_t word)
{
    return word & MRPC_SLOT_STATE;
}

static uint64_t holds_of(uint64_t word)
{
    return word >> MRPC_SLOT_SHIFT;
}

/* False when no span that is a slab or an allocation has this address. The slot may be a free one. */
static bool find(const mrpc_heap *heap, const void *pointer, mrpc_place *place)
{
    size_t offset = (size_t)((uintptr_t)pointer - (uintptr_t)heap->range.base);
    if (offset >= atomic_load_explicit(&heap->range.committed, memory_order_acquire))
        return false;
    uint32_t page = (uint32_t)(offset >> MRPC_PAGE_SHIFT);
    uint32_t first = heap->pages.owner[page];
    mrpc_span *span = &heap->pages.span[first];
    if (span->kind < MRPC_SPAN_SLAB || page - first >= span->pages)
        return false;
    size_t inside = offset - ((size_t)first << MRPC_PAGE_SHIFT);
    uint32_t index = span->kind == MRPC_SPAN_LARGE ? 0 : (uint32_t)(inside * span->reciprocal >> 32);
    *place = (mrpc_place){.span = span, .slot = &span->slots[index], .first = first, .index = index};
    return true;
}

static size_t size_of(const mrpc_span *span)
{
    return span->kind == MRPC_SPAN_SLAB ? span->slot_size : (size_t)span->pages << MRPC_PAGE_SHIFT;
}

static char *address_of(const mrpc_heap *heap, const mrpc_place *place)
{
    return mrpc_heap_page_address(heap, place->first) + place->index * size_of(place->span);
}

/* --- giving back --- */

static void give(mrpc_heap *heap, uint32_t first, uint32_t index)
{
    mrpc_span *span = &heap->pages.span[first];
    mrpc_count(&heap->frees, 1);
    mrpc_count(&heap->bytes_in_use, -(uint64_t)size_of(span));
    if (span->kind == MRPC_SPAN_SLAB) {
        mrpc_slab_give(heap, first, index);
    } else {
        atomic_store_explicit(&span->own, MRPC_SLOT_FREE, memory_order_relaxed);
        mrpc_pages_give(&heap->pages, first, span->pages);
    }
}

static void push(mrpc_heap *heap, const mrpc_place *place)
{
    uint64_t id = ((uint64_t)place->first << INDEX_BITS | place->index) + 1;
    uint64_t head = atomic_load_explicit(&heap->queue, memory_order_relaxed);
    do
        atomic_store_explicit(place->slot, MRPC_SLOT_QUEUED | head << MRPC_SLOT_SHIFT, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&heap->queue, &head, id, memory_order_release, memory_order_relaxed));
}

/* A state other than QUEUED cannot be, except after two threads have freed the same memory at once; what follows
 * in the chain is then lost, which is better than going round in it for ever. */
void mrpc_heap_collect_some(mrpc_heap *heap, size_t most)
{
    for (size_t i = 0; i < most; i++) {
        if (heap->backlog == 0) {
            if (atomic_load_explicit(&heap->queue, memory_order_relaxed) == 0)
                return;
            heap->backlog = atomic_exchange_explicit(&heap->queue, 0, memory_order_acquire);
        }
        uint32_t first = (uint32_t)((heap->backlog - 1) >> INDEX_BITS);
        uint32_t index = (uint32_t)(heap->backlog - 1) & ((1u << INDEX_BITS) - 1);
        uint64_t word = atomic_load_explicit(&heap->pages.span[first].slots[index], memory_order_relaxed);
        heap->backlog = state_of(word) == MRPC_SLOT_QUEUED ? word >> MRPC_SLOT_SHIFT : 0;
        if (state_of(word) == MRPC_SLOT_QUEUED)
            give(heap, first, index);
    }
}

/* The slot is neither held nor can be held any more: this thread alone knows it. */
static void release(mrpc_heap *heap, const mrpc_place *place)
{
    MRPC_HEAP_POISON(address_of(heap, place), size_of(place->span));
    if (mrpc_lock_try(&heap->lock)) {
        give(heap, place->first, place->index);
        mrpc_lock_release(&heap->lock);
    } else {
        push(heap, place);
    }
}

static void refuse_free(mrpc_heap *heap)
{
    atomic_fetch_add_explicit(&heap->bad_frees, 1, memory_order_relaxed);
}

/* RETIRE_NOW: the slot is the caller's to give back. RETIRE_HELD: that is left to the last hold. */
enum retirement { RETIRE_NOW, RETIRE_HELD, RETIRE_REFUSED };

/* A hold that this thread could not see yet would have been taken by somebody who had no right to the memory any more.
 * So without holds nobody else changes the slot, and it needs no atomic exchange. */
static enum retirement retire(mrpc_heap *heap, const void *pointer, mrpc_place *place)
{
    if (!find(heap, pointer, place) || address_of(heap, place) != pointer)
        return RETIRE_REFUSED;
    uint64_t word = atomic_load_explicit(place->slot, memory_order_acquire);
    while (state_of(word) == MRPC_SLOT_LIVE && holds_of(word) > 0) {
        uint64_t orphan = (word & ~(uint64_t)MRPC_SLOT_STATE) | MRPC_SLOT_ORPHAN;
        if (atomic_compare_exchange_weak_explicit(place->slot, &word, orphan, memory_order_acq_rel,
                                                  memory_order_acquire))
            return RETIRE_HELD;
    }
    return state_of(word) == MRPC_SLOT_LIVE ? RETIRE_NOW : RETIRE_REFUSED;
}

void mrpc_heap_free(mrpc_heap *heap, void *pointer)
{
    mrpc_place place;
    if (pointer == NULL)
        return;
    switch (retire(heap, pointer, &place)) {
    case RETIRE_NOW:
        release(heap, &place);
        break;
    case RETIRE_HELD:
        break;
    case RETIRE_REFUSED:
        refuse_free(heap);
        break;
    }
}

/* Waits for the lock where mrpc_heap_free() does not: nobody would count the arena out later. */
void mrpc_heap_free_arena(mrpc_heap *heap, void *pointer)
{
    mrpc_place place;
    enum retirement how = retire(heap, pointer, &place);
    if (MRPC_UNLIKELY(how == RETIRE_REFUSED)) {
        refuse_free(heap);
        return;
    }
    if (MRPC_LIKELY(how == RETIRE_NOW))
        MRPC_HEAP_POISON(address_of(heap, &place), size_of(place.span));
    mrpc_lock_take(&heap->lock);
    if (MRPC_LIKELY(how == RETIRE_NOW))
        give(heap, place.first, place.index);
    mrpc_heap_leave_for_good(heap);
}

/* --- holds --- */

bool mrpc_heap_hold(mrpc_heap *heap, const void *pointer)
{
    mrpc_place place;
    if (!find(heap, pointer, &place))
        return false;
    uint64_t word = atomic_load_explicit(place.slot, memory_order_relaxed);
    do {
        if (state_of(word) != MRPC_SLOT_LIVE && state_of(word) != MRPC_SLOT_ORPHAN)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(place.slot, &word, word + (1u << MRPC_SLOT_SHIFT),
                                                    memory_order_acq_rel, memory_order_relaxed));
    if (holds_of(word) == 0)
        mrpc_heap_add_reference(heap, MRPC_HELD_ONE);
    return true;
}

void mrpc_heap_drop(mrpc_heap *heap, const void *pointer)
{
    mrpc_place place;
    if (!find(heap, pointer, &place))
        return;
    uint64_t word = atomic_load_explicit(place.slot, memory_order_relaxed);
    do {
        if ((state_of(word) != MRPC_SLOT_LIVE && state_of(word) != MRPC_SLOT_ORPHAN) || holds_of(word) == 0)
            return;
    } while (!atomic_compare_exchange_weak_explicit(place.slot, &word, word - (1u << MRPC_SLOT_SHIFT),
                                                    memory_order_acq_rel, memory_order_relaxed));
    if (holds_of(word) > 1)
        return;
    if (state_of(word) == MRPC_SLOT_ORPHAN)
        release(heap, &place);
    mrpc_heap_drop_reference(heap, MRPC_HELD_ONE);
}

bool mrpc_heap_is_held(const mrpc_heap *heap, const void *pointer)
{
    mrpc_place place;
    if (!find(heap, pointer, &place))
        return false;
    uint64_t word = atomic_load_explicit(place.slot, memory_order_acquire);
    return (state_of(word) == MRPC_SLOT_LIVE || state_of(word) == MRPC_SLOT_ORPHAN) && holds_of(word) > 0;
}
