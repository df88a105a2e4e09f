/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.c - bump allocation in a chain of blocks
 *
 * The arena lies in its first block. Each further block has half the size of all that there are, from FIRST_BLOCK to
 * BLOCK_MAX, so that at most a third of a large arena is unused; an allocation that would fill more than half of such a
 * block gets one of its own, and the current one stays in use.
 */
#include "config.h"

#include <stdlib.h>

#include "heap/arena.h"
#include "heap/internal.h"

#define FIRST_BLOCK 640 /* with the arena; a size class of heaps */
#define BLOCK_MAX MRPC_SMALL_MAX
#define LARGEST                                                                                                        \
    (SIZE_MAX / 4) /* of an allocation: no address space holds more, and sums of such sizes do not overflow */

struct block {
    struct block *next;
};

struct deferral {
    struct deferral *next;
    void (*function)(void *context);
    void *context;
};

struct arena {
    struct mrpc_arena open; /* the part in the public header */
    mrpc_heap *heap;
    const void *root;           /* see arena.h */
    struct block *blocks;       /* all but the first, which begins with this struct; the newest first */
    struct deferral *deferrals; /* the newest first */
    size_t first_size;          /* bytes of the first block, with this struct */
    size_t taken;               /* bytes of all blocks */
    size_t limit;               /* SIZE_MAX: none */
};

_Static_assert(sizeof(struct arena) % 8 == 0 && sizeof(struct block) % 8 == 0, "what follows them is aligned to 8");

/* Only called on what mrpc_arena_new() returned, which is the beginning of the private struct. */
static struct arena *arena_of(const mrpc_arena *open)
{
    return (struct arena *)(uintptr_t)open;
}

static void *take(mrpc_heap *heap, size_t bytes)
{
    return heap != NULL ? mrpc_heap_alloc(heap, bytes) : malloc(bytes);
}

static void give(mrpc_heap *heap, void *memory)
{
    if (heap != NULL)
        mrpc_heap_free(heap, memory);
    else
        free(memory);
}

static void set_room(struct arena *arena, void *begin, size_t bytes)
{
    arena->open.cursor = begin;
    arena->open.end = (char *)begin + bytes;
}

static size_t room(const struct arena *arena)
{
    return (size_t)(arena->open.end - arena->open.cursor);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

mrpc_arena *mrpc_arena_new(mrpc_heap *heap, size_t first_block)
{
    size_t size = FIRST_BLOCK;
    if (first_block > LARGEST)
        return NULL;
    if (first_block > 0)
        size = (first_block + sizeof(struct arena) + 7) & ~(size_t)7;
    struct arena *arena = heap != NULL ? mrpc_heap_alloc_arena(heap, size) : malloc(size);
    if (arena == NULL)
        return NULL;
    *arena = (struct arena){.heap = heap, .first_size = size, .taken = size, .limit = SIZE_MAX};
    set_room(arena, arena + 1, size - sizeof *arena);
    return &arena->open;
}

/* A function may defer another one, which then runs next. */
static void run_deferrals(struct arena *arena)
{
    while (arena->deferrals != NULL) {
        struct deferral *deferral = arena->deferrals;
        arena->deferrals = deferral->next;
        deferral->function(deferral->context);
    }
}

static void give_blocks(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct block *block = arena->blocks;
        arena->blocks = block->next;
        give(arena->heap, block);
    }
}

void mrpc_arena_free(mrpc_arena *open)
{
    if (open == NULL)
        return;
    struct arena *arena = arena_of(open);
    mrpc_heap *heap = arena->heap;
    run_deferrals(arena);
    give_blocks(arena);
    if (heap != NULL)
        mrpc_heap_free_arena(heap, arena);
    else
        free(arena);
}

/* What a transport still reads in the first block must stay as it is, so then only new blocks are written to. */
void mrpc_arena_reset(mrpc_arena *open)
{
    struct arena *arena = arena_of(open);
    run_deferrals(arena);
    give_blocks(arena);
    arena->root = NULL;
    arena->taken = arena->first_size;
    size_t bytes = arena->first_size - sizeof *arena;
    if (arena->heap != NULL && mrpc_heap_is_held(arena->heap, arena))
        bytes = 0;
    set_room(arena, arena + 1, bytes);
}

void mrpc_arena_set_limit(mrpc_arena *open, size_t bytes)
{
    arena_of(open)->limit = bytes > 0 ? bytes : SIZE_MAX;
}

mrpc_heap *mrpc_arena_heap(const mrpc_arena *open)
{
    return arena_of(open)->heap;
}

void mrpc_arena_set_root(mrpc_arena *open, const void *message)
{
    arena_of(open)->root = message;
}

const void *mrpc_arena_root(const mrpc_arena *open)
{
    return arena_of(open)->root;
}

size_t mrpc_arena_bytes(const mrpc_arena *open)
{
    return arena_of(open)->taken;
}

/* The size of the block to take for an allocation of `bytes`; 0: not within the limit. */
static size_t block_size(const struct arena *arena, size_t bytes)
{
    size_t left = arena->limit > arena->taken ? arena->limit - arena->taken : 0;
    if (left < sizeof(struct block) || bytes > left - sizeof(struct block))
        return 0;
    size_t least = sizeof(struct block) + bytes;
    size_t half = arena->taken / 2 < FIRST_BLOCK ? FIRST_BLOCK : smaller(arena->taken / 2, BLOCK_MAX);
    size_t size = smaller(half, left) & ~(size_t)7;
    return size / 2 >= bytes && size > least ? size : least;
}

static void add_block(struct arena *arena, struct block *block, size_t size)
{
    block->next = arena->blocks;
    arena->blocks = block;
    arena->taken += size;
}

/* Of the new block and the old one, that with more room left is used from now on. */
void *mrpc_arena_grow(mrpc_arena *open, size_t bytes)
{
    struct arena *arena = arena_of(open);
    if (bytes > LARGEST)
        return NULL;
    bytes = (bytes + 7) & ~(size_t)7;
    if (bytes > room(arena)) {
        size_t size = block_size(arena, bytes);
        struct block *block = size > 0 ? take(arena->heap, size) : NULL;
        if (block == NULL)
            return NULL;
        add_block(arena, block, size);
        char *memory = (char *)(block + 1);
        if (size - sizeof *block - bytes > room(arena))
            set_room(arena, memory + bytes, size - sizeof *block - bytes);
        return memory;
    }
    void *memory = arena->open.cursor;
    arena->open.cursor += bytes;
    return memory;
}

int mrpc_arena_defer(mrpc_arena *open, void (*function)(void *context), void *context)
{
    struct arena *arena = arena_of(open);
    struct deferral *deferral = mrpc_arena_alloc(open, sizeof *deferral);
    if (deferral == NULL)
        return MRPC_ENOMEM;
    *deferral = (struct deferral){.next = arena->deferrals, .function = function, .context = context};
    arena->deferrals = deferral;
    return 0;
}
