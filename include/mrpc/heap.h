/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap.h - memory that messages live in: heaps of shared segments, and arenas carved from them
 *
 * A heap reserves a range of addresses once and adds segments (memfds of a fixed size) inside it on
 * demand, up to its limit. So an address is turned into (segment, offset) by one subtraction, which
 * is also the bounds check, and a segment can be mapped by another process at another address.
 *
 * An arena is a chain of blocks from one heap (or from malloc) that is freed as a whole. A message and
 * all that it points to lie in one arena.
 *
 * Threads: a heap may be used from any thread. An arena may be used by one thread at a time.
 */
#ifndef MRPC_HEAP_H
#define MRPC_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mrpc/error.h>
#include <mrpc/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mrpc_heap mrpc_heap;
typedef struct mrpc_arena mrpc_arena;

/* Options of a heap. Zero means the default, so that `{ .size = sizeof(mrpc_heap_options) }` is one. */
typedef struct mrpc_heap_options {
    size_t size;          /* sizeof(mrpc_heap_options) of the caller */
    size_t limit;         /* most bytes of segments; default 1 GiB; rounded up to whole segments */
    size_t segment_size;  /* bytes; a power of two from 1 MiB to 1 GiB; default 4 MiB. A larger allocation
                             takes several adjacent segments. */
    bool huge_pages;      /* ask for huge pages; falls back silently, see mrpc_heap_stats.huge */
    bool single_allocator;/* the caller serialises allocations itself (frees may come from any thread);
                             an engine's receive heap is so: it saves the atomic exchange */
    const char *name;     /* shown by tools and in /proc/PID/maps; copied; default "mrpc" */
} mrpc_heap_options;

/* Counters of a heap; a snapshot, each consistent in itself. */
typedef struct mrpc_heap_stats {
    uint64_t allocations;     /* since the heap was made */
    uint64_t frees;
    uint64_t failures;        /* allocations that were refused */
    uint64_t bytes_in_use;    /* as rounded up to size classes */
    uint64_t bytes_committed; /* of segments */
    uint64_t bytes_limit;
    uint32_t segments;
    uint32_t held;            /* allocations that a transport still reads */
    bool huge;
} mrpc_heap_stats;

/* Makes a heap. `options` may be NULL. The caller owns *heap and drops it with mrpc_heap_unref().
 * Errors: EINVAL (an option is out of range, named in *error), ENOMEM, ESYS (memfd_create, mmap). */
MRPC_API MRPC_MUST_CHECK int mrpc_heap_new(mrpc_heap **heap, const mrpc_heap_options *options, mrpc_error *error);

/* One more, one less owner. The memory goes when the last owner has gone and nothing in it is held;
 * pointers into it are then invalid. NULL is allowed. */
MRPC_API mrpc_heap *mrpc_heap_ref(mrpc_heap *heap);
MRPC_API void mrpc_heap_unref(mrpc_heap *heap);

/* Uninitialised memory aligned to 16 bytes, NULL when the limit or the machine's memory is reached.
 * `bytes` of 0 is treated as 1. No system call and no contended lock in the common case. */
MRPC_API MRPC_MUST_CHECK void *mrpc_heap_alloc(mrpc_heap *heap, size_t bytes);
/* As above, aligned to `alignment`, a power of two up to 2 MiB. */
MRPC_API MRPC_MUST_CHECK void *mrpc_heap_alloc_aligned(mrpc_heap *heap, size_t bytes, size_t alignment);
/* As mrpc_heap_alloc, filled with zero. */
MRPC_API MRPC_MUST_CHECK void *mrpc_heap_alloc_zero(mrpc_heap *heap, size_t bytes);

/* Gives memory back, from any thread. If it is held, it goes when the last hold does. NULL is allowed. */
MRPC_API void mrpc_heap_free(mrpc_heap *heap, void *pointer);

/* Keeps the allocation that contains `pointer` (not necessarily its first byte) from being reused, until the
 * matching mrpc_heap_drop(). For transports that read a buffer after the caller let go of it.
 * hold returns false, and does nothing, when `pointer` is not in a live allocation of this heap. */
MRPC_API MRPC_MUST_CHECK bool mrpc_heap_hold(mrpc_heap *heap, const void *pointer);
MRPC_API void mrpc_heap_drop(mrpc_heap *heap, const void *pointer);

/* True when all of [pointer, pointer + bytes) lies in committed segments of the heap; then, where asked,
 * the segment it begins in and the offset from that segment's start. Adjacent segments have adjacent numbers. */
MRPC_API bool mrpc_heap_locate(const mrpc_heap *heap, const void *pointer, size_t bytes, uint32_t *segment, uint64_t *offset);

/* The memfd of a segment, sealed against growing and shrinking; the heap keeps owning it. -1: no such segment. */
MRPC_API int mrpc_heap_segment_fd(const mrpc_heap *heap, uint32_t segment);
MRPC_API size_t mrpc_heap_segment_size(const mrpc_heap *heap);

MRPC_API void mrpc_heap_get_stats(const mrpc_heap *heap, mrpc_heap_stats *stats);

/* --- arenas --- */

/* The part of an arena that inline code needs. Do not write it. */
struct mrpc_arena {
    char *cursor; /* the next free byte, aligned to 8 */
    char *end;    /* the end of the current block */
};

/* An arena over `heap`, or over malloc when `heap` is NULL. NULL: no memory. `first_block` is how many bytes
 * to have ready (0: a default of about 500). The arena keeps a reference to the heap. */
MRPC_API MRPC_MUST_CHECK mrpc_arena *mrpc_arena_new(mrpc_heap *heap, size_t first_block);

/* Frees the arena and everything in it. NULL is allowed. */
MRPC_API void mrpc_arena_free(mrpc_arena *arena);

/* The heap behind an arena, NULL when it is malloc. */
MRPC_API mrpc_heap *mrpc_arena_heap(const mrpc_arena *arena);

/* Bytes that the arena has taken from its heap or from malloc. */
MRPC_API size_t mrpc_arena_bytes(const mrpc_arena *arena);

/* The slow path of mrpc_arena_alloc: takes another block. */
MRPC_API MRPC_MUST_CHECK void *mrpc_arena_grow(mrpc_arena *arena, size_t bytes);

/* Uninitialised memory aligned to 8 bytes that lives as long as the arena; NULL: no memory. */
MRPC_MUST_CHECK static inline void *mrpc_arena_alloc(mrpc_arena *arena, size_t bytes)
{
    size_t room = (size_t)(arena->end - arena->cursor);
    if (MRPC_LIKELY(bytes <= room && room - bytes >= 7)) {
        void *memory = arena->cursor;
        arena->cursor += (bytes + 7) & ~(size_t)7;
        return memory;
    }
    return mrpc_arena_grow(arena, bytes);
}

#ifdef __cplusplus
}
#endif

#endif /* MRPC_HEAP_H */
