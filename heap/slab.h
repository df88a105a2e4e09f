/* SPDX-License-Identifier: BSD-2-Clause */
/* slab.h - slots of one size class in a run of pages; all functions need the heap's lock */
#ifndef MRPC_HEAP_SLAB_H
#define MRPC_HEAP_SLAB_H

#include "heap/internal.h"

/* A slab of the class that has a free slot, made when there is none; MRPC_NO_PAGE: no memory. */
uint32_t mrpc_slab_find(mrpc_heap *heap, unsigned class);

/* Takes a free slot of that slab and returns its address. */
void *mrpc_slab_take(mrpc_heap *heap, uint32_t first);

/* Makes a slot free again. */
void mrpc_slab_give(mrpc_heap *heap, uint32_t first, uint32_t index);

/* Turns the empty slabs that are kept in reserve into free pages. */
void mrpc_slab_reclaim(mrpc_heap *heap);

/* An array of `count` state words, all free; a power of two up to 2048. NULL: no memory. */
mrpc_slot *mrpc_words_take(mrpc_words *words, uint32_t count);
void mrpc_words_give(mrpc_words *words, mrpc_slot *array, uint32_t count);
void mrpc_words_release(mrpc_words *words);

#endif /* MRPC_HEAP_SLAB_H */
