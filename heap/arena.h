/* SPDX-License-Identifier: BSD-2-Clause */
/* arena.h - the message that an arena belongs to */
#ifndef MRPC_HEAP_ARENA_H
#define MRPC_HEAP_ARENA_H

#include <mrpc/heap.h>

/* The message whose release frees the arena. NULL, as in a new arena: any that says it lies in it, which is enough
 * where sub-messages do not say so. */
void mrpc_arena_set_root(mrpc_arena *arena, const void *message);
const void *mrpc_arena_root(const mrpc_arena *arena);

#endif /* MRPC_HEAP_ARENA_H */
