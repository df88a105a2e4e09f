/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * span.h - runs of pages: free ones, slabs of small slots, and large allocations
 *
 * All of it lies in private memory of the process. Nothing is ever read from the pages of the segments themselves,
 * which others may map: whoever writes into those can spoil messages but not the allocator.
 *
 * owner[page] names the first page of the span that the page belongs to; it is kept right for every page of a slab
 * or an allocation, and for the first and the last page of a free span. So the allocation that contains any address
 * is found in two loads. span[first page] describes the span; those of other pages are SPAN_NONE.
 *
 * Free spans are coalesced at once, across segments too, and are kept in bins by size: one for each size up to 32
 * pages, then four for each doubling. At most SPAN_SEARCH spans of a bin are looked at; in bins above that of the
 * wanted size every span fits (unless it has to be aligned), and a bitmap finds the next of them. So taking and giving
 * back need a bounded number of steps.
 */
#ifndef MRPC_HEAP_SPAN_H
#define MRPC_HEAP_SPAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap/sizeclass.h"

#define MRPC_NO_PAGE UINT32_MAX

/* The state of one slot of a slab, or of one large allocation; the upper 61 bits depend on it. */
enum {
    MRPC_SLOT_FREE = 0,   /* the next free slot of the slab, as index + 1; 0: the last */
    MRPC_SLOT_LIVE = 1,   /* how many holds there are */
    MRPC_SLOT_ORPHAN = 2, /* freed while held: how many holds are left */
    MRPC_SLOT_QUEUED = 3, /* freed, to be collected: the next in the queue, as a slot's id; 0: the last */
    MRPC_SLOT_STATE = 7,  /* the mask of the state */
    MRPC_SLOT_SHIFT = 3
};
typedef _Atomic uint64_t mrpc_slot;

enum mrpc_span_kind { MRPC_SPAN_NONE, MRPC_SPAN_FREE, MRPC_SPAN_SLAB, MRPC_SPAN_LARGE };

/* One cache line. */
typedef struct mrpc_span {
    mrpc_slot *slots; /* SLAB: in private memory; LARGE: &own */
    mrpc_slot own;    /* LARGE */
    uint32_t pages;
    uint32_t slot_size;  /* SLAB: bytes */
    uint32_t reciprocal; /* SLAB: 2^32 / slot_size + 1: a multiplication in place of the division */
    uint32_t previous;   /* FREE: in its bin; SLAB with room: in its class. MRPC_NO_PAGE ends the list */
    uint32_t next;
    uint16_t slot_count; /* SLAB; LARGE: 1 */
    uint16_t used;       /* SLAB: live, orphan and queued slots */
    uint16_t fresh;      /* SLAB: slots from here on were never used */
    uint16_t first_free; /* SLAB: index + 1 */
    uint8_t kind;        /* mrpc_span_kind */
    uint8_t class;
    uint8_t listed; /* SLAB: it is in the list of its class */
    uint8_t padding[13];
} mrpc_span;

_Static_assert(sizeof(mrpc_span) == 64, "a span descriptor is a cache line");

enum { MRPC_BIN_COUNT = 140 };

typedef struct mrpc_pages {
    uint32_t *owner;
    mrpc_span *span;
    uint32_t count; /* pages that are committed, and so may be in a span */
    uint64_t bitmap[(MRPC_BIN_COUNT + 63) / 64];
    uint32_t bin[MRPC_BIN_COUNT]; /* first pages, MRPC_NO_PAGE: empty */
} mrpc_pages;

/* `owner` and `span` are zeroed arrays for as many pages as there will ever be. */
void mrpc_pages_init(mrpc_pages *pages, uint32_t *owner, mrpc_span *span);

/* A run of `count` pages whose first is a multiple of `alignment` (in pages, a power of two), taken out of the free
 * spans; MRPC_NO_PAGE when there is none. Its span is SPAN_NONE: the caller fills it. */
uint32_t mrpc_pages_take(mrpc_pages *pages, uint32_t count, uint32_t alignment);

/* Makes [first, first + count) a free span, joined with those beside it. */
void mrpc_pages_give(mrpc_pages *pages, uint32_t first, uint32_t count);

/* Adds pages that have just been committed, up to `count` in all. */
void mrpc_pages_extend(mrpc_pages *pages, uint32_t count);

/* How many pages there must be in all for a run of `count` at the end, using what is free there already. */
uint64_t mrpc_pages_needed(const mrpc_pages *pages, uint32_t count, uint32_t alignment);

/* Makes owner right for all pages of a span that is to be found from inside. */
void mrpc_pages_own(mrpc_pages *pages, uint32_t first, uint32_t count);

#endif /* MRPC_HEAP_SPAN_H */
