/* SPDX-License-Identifier: BSD-2-Clause */
/* words.c - private memory for the state words of slabs */
#include "config.h"

#include <sys/mman.h>

#include "heap/slab.h"

#define CHUNK_SIZE ((size_t)256 << 10)

struct mrpc_words_chunk {
    struct mrpc_words_chunk *next;
    uint64_t padding[7]; /* arrays begin at cache lines */
};

/* At least a cache line, so that two slabs do not share one. */
static size_t array_size(uint32_t count)
{
    return count < 8 ? 64 : (size_t)count * sizeof(mrpc_slot);
}

static unsigned list_of(uint32_t count)
{
    return (unsigned)__builtin_ctz(count);
}

static bool add_chunk(mrpc_words *words)
{
    void *memory = mmap(NULL, CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    struct mrpc_words_chunk *chunk = memory;
    chunk->next = words->chunks;
    words->chunks = chunk;
    words->cursor = (char *)(chunk + 1);
    words->end = (char *)chunk + CHUNK_SIZE;
    return true;
}

mrpc_slot *mrpc_words_take(mrpc_words *words, uint32_t count)
{
    mrpc_slot **unused = &words->unused[list_of(count)];
    mrpc_slot *array = *unused;
    if (array != NULL) {
        *unused = (mrpc_slot *)(uintptr_t)atomic_load_explicit(array, memory_order_relaxed);
        return array;
    }
    if ((size_t)(words->end - words->cursor) < array_size(count) && !add_chunk(words))
        return NULL;
    array = (mrpc_slot *)(void *)words->cursor;
    words->cursor += array_size(count);
    return array;
}

/* The link is an aligned address, so a stale look at it sees a free slot. */
void mrpc_words_give(mrpc_words *words, mrpc_slot *array, uint32_t count)
{
    mrpc_slot **unused = &words->unused[list_of(count)];
    atomic_store_explicit(array, (uint64_t)(uintptr_t)*unused, memory_order_relaxed);
    *unused = array;
}

void mrpc_words_release(mrpc_words *words)
{
    while (words->chunks != NULL) {
        struct mrpc_words_chunk *chunk = words->chunks;
        words->chunks = chunk->next;
        munmap(chunk, CHUNK_SIZE);
    }
}
