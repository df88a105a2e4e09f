/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.h - memory of the generator: taken piece by piece, given back at once when the plugin ends
 *
 * A failed allocation is remembered, so that code which only builds strings can go on and the caller asks once, at the
 * end of a step, whether `failed` is set.
 */
#ifndef MRPC_GEN_ARENA_H
#define MRPC_GEN_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include <mrpc/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gen_arena {
    struct arena_block *blocks;
    bool failed; /* an allocation was refused: what was built since then is incomplete */
} gen_arena;

/* Zeroed memory aligned for any type, which lives until arena_free(); NULL (and `failed`): no memory. */
void *arena_alloc(gen_arena *arena, size_t count, size_t size);

/* A copy of text[0 .. size) with a NUL behind it; "" (and `failed`) when there is no memory. */
const char *arena_text(gen_arena *arena, const char *text, size_t size);

/* As printf; "" (and `failed`) when there is no memory. */
const char *arena_printf(gen_arena *arena, const char *format, ...) MRPC_PRINTF(2, 3);

/* Gives everything back. The arena may be used again. */
void arena_free(gen_arena *arena);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_GEN_ARENA_H */
