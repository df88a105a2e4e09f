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
 * Threads: a heap may be used from any thread; one that always uses it alone pays for no atomic operation. An arena may
 * be used by one thread at a time.
 *
 * fork(): a heap stays with the parent. In the child it refuses allocations and ignores the rest; messages can still be
 * read there, but they are the parent's.
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
    size_t size;         /* sizeof(mrpc_heap_options) of the caller */
    size_t limit;        /* most bytes of segments; default 1 GiB; rounded up to whole segments */
    size_t segment_size; /* bytes; a power of two from 1 MiB to 1 GiB; default 4 MiB, less under a smaller limit,
                            and more where a heap would have more than 256 segments (each is a file descriptor).
                            A larger allocation takes several adjacent segments. */
    bool huge_pages;     /* ask for huge pages of 2 MiB; falls back silently, see mrpc_heap_stats.huge */
    const char *name;    /* shown by tools and in /proc/PID/maps; at most 63 bytes; copied; default "mrpc" */
} mrpc_heap_options;

/* Counters of a heap; a snapshot, each consistent in itself. */
typedef struct mrpc_heap_stats {
    uint64_t allocations; /* since the heap was made */
    uint64_t frees;
    uint64_t failures;        /* allocations that were refused */
    uint64_t bad_frees;       /* frees of what was not a live allocation, which were ignored: a bug of the caller */
    uint64_t bytes_in_use;    /* as rounded up to size classes */
    uint64_t bytes_committed; /* of segments */
    uint64_t bytes_limit;
    uint32_t segments;
    uint32_t held;     /* allocations that a transport still reads */
    int refused_errno; /* why the system last refused to give a heap more memory; 0: it never did */
    bool huge;         /* all segments are in the huge pages that the administrator set aside; transparent
                          huge pages, which are asked for otherwise, do not show here */
} mrpc_heap_stats;

/* Makes a heap. `options` may be NULL. The caller owns *heap and drops it with mrpc_heap_unref().
 * Errors: EINVAL (an option is out of range, named in *error), ENOMEM, ESYS (memfd_create, mmap, RLIMIT_FSIZE). */
MRPC_API MRPC_MUST_CHECK int mrpc_heap_new(mrpc_heap **heap, const mrpc_heap_options *options, mrpc_error *error);

/* One more, one less owner. The memory goes when the last owner has gone and nothing in it is held: in the call of
 * mrpc_heap_unref() or mrpc_heap_drop() that was the last, on its thread. Pointers into it are then invalid, also
 * to allocations that were not freed. NULL is allowed. */
MRPC_API mrpc_heap *mrpc_heap_ref(mrpc_heap *heap);
MRPC_API void mrpc_heap_unref(mrpc_heap *heap);

/* Uninitialised memory aligned to 16 bytes, NULL when the limit or the machine's memory is reached.
 * `bytes` of 0 is treated as 1. No system call and no contended lock in the common case. A heap that has to grow
 * commits memory, at least 256 KiB, which takes about 0.7 ms per MiB; other threads can go on allocating meanwhile.
 * What a heap has committed it keeps for later allocations. */
MRPC_API MRPC_MUST_CHECK void *mrpc_heap_alloc(mrpc_heap *heap, size_t bytes);
/* As above, aligned to `alignment`, a power of two up to 2 MiB. */
MRPC_API MRPC_MUST_CHECK void *mrpc_heap_alloc_aligned(mrpc_heap *heap, size_t bytes, size_t alignment);
/* As mrpc_heap_alloc, filled with zero. */
MRPC_API MRPC_MUST_CHECK void *mrpc_heap_alloc_zero(mrpc_heap *heap, size_t bytes);

/* Gives memory back, from any thread, without blocking. If it is held, it goes when the last hold does. NULL is
 * allowed. A pointer that is not the beginning of a live allocation is ignored and counted in
 * mrpc_heap_stats.bad_frees. */
MRPC_API void mrpc_heap_free(mrpc_heap *heap, void *pointer);

/* Collects at once what threads have freed while others used the heap; allocations do so bit by bit. */
MRPC_API void mrpc_heap_collect(mrpc_heap *heap);

/* Keeps the allocation that contains `pointer` (not necessarily its first byte) from being reused, until the
 * matching mrpc_heap_drop(). For transports that read a buffer after the caller let go of it. Any thread; never blocks,
 * except that the last drop after the last mrpc_heap_unref() unmaps the heap.
 * hold returns false, and does nothing, when `pointer` is not in a live allocation of this heap (one that was freed is
 * live while it is held). A drop without a hold is ignored. */
MRPC_API MRPC_MUST_CHECK bool mrpc_heap_hold(mrpc_heap *heap, const void *pointer);
MRPC_API void mrpc_heap_drop(mrpc_heap *heap, const void *pointer);

/* True when all of [pointer, pointer + bytes) lies in committed segments of the heap; then, where asked,
 * the segment it begins in and the offset from that segment's start. Adjacent segments have adjacent numbers. */
MRPC_API bool mrpc_heap_locate(const mrpc_heap *heap, const void *pointer, size_t bytes, uint32_t *segment,
                               uint64_t *offset);

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
 * to have ready (0: a default of about 500). The arena keeps a reference to the heap. The arena itself lies in its
 * first block: never free one that lies in memory which another process can write. */
MRPC_API MRPC_MUST_CHECK mrpc_arena *mrpc_arena_new(mrpc_heap *heap, size_t first_block);

/* Runs the deferred functions, then frees the arena and everything in it. A block of it that a transport holds is
 * freed by the heap when the last hold goes. NULL is allowed. */
MRPC_API void mrpc_arena_free(mrpc_arena *arena);

/* Has function(context) called when the arena is freed or reset, later ones first, while all of its memory is still
 * there: for what has to be given back along with a message. The function must not free or reset the arena.
 * Errors: ENOMEM; the function is then not called. */
MRPC_API MRPC_MUST_CHECK int mrpc_arena_defer(mrpc_arena *arena, void (*function)(void *context), void *context);

/* Runs the deferred functions and makes the arena as good as new, keeping its first block. */
MRPC_API void mrpc_arena_reset(mrpc_arena *arena);

/* The most bytes that the arena may take from its heap or from malloc, those that it has included; 0, the default: no
 * limit. An allocation beyond it is refused like one for which there is no memory. */
MRPC_API void mrpc_arena_set_limit(mrpc_arena *arena, size_t bytes);

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
