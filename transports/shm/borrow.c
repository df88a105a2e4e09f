/* SPDX-License-Identifier: BSD-2-Clause */
/* borrow.c - the receiver's side of references */
#include "config.h"

#include "transports/shm/borrow.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "transports/shm/memory.h"

enum {
    WAKE_BYTES = 32 << 20, /* given back, from which on it is worth to wake a loop that sleeps */
    SEGMENT_MIN = 1 << 20,
    SEGMENT_MAX = 1 << 30
};

static int reserve(mrpc_shm_borrow *borrow, uint64_t limit, mrpc_error *error)
{
    void *base = mmap(NULL, limit, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return mrpc_error_set(
            error, MRPC_ENOMEM,
            "shm: cannot reserve %llu bytes of addresses for the peer's heap; raise RLIMIT_AS, or lower "
            "the limit of that heap",
            (unsigned long long)limit);
    borrow->base = base;
    borrow->reserved = limit;
    return 0;
}

int mrpc_shm_borrow_new(mrpc_shm_borrow **result, mrpc_loop *loop, uint64_t limit, uint64_t segment_size,
                        mrpc_error *error)
{
    if (segment_size < SEGMENT_MIN || segment_size > SEGMENT_MAX || (segment_size & (segment_size - 1)) != 0 ||
        limit < segment_size || limit % segment_size != 0)
        return mrpc_error_set(error, MRPC_EPROTO, "shm: the peer named a heap of %llu bytes in segments of %llu",
                              (unsigned long long)limit, (unsigned long long)segment_size);
    mrpc_shm_borrow *borrow = calloc(1, sizeof *borrow);
    if (borrow == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "shm: no memory for the table of references");
    int failure = reserve(borrow, limit < SHM_HEAP_MAX ? limit : SHM_HEAP_MAX, error);
    if (failure != 0) {
        free(borrow);
        return failure;
    }
    atomic_init(&borrow->owners, 1);
    borrow->segment_size = segment_size;
    borrow->loop = loop;
    pthread_mutex_init(&borrow->lock, NULL);
    *result = borrow;
    return 0;
}

/* Something else may lie by now where a map that failed has torn a hole. */
static void unmap(mrpc_shm_borrow *borrow)
{
    char *end = borrow->base + borrow->reserved;
    if (borrow->torn == NULL) {
        munmap(borrow->base, borrow->reserved);
        return;
    }
    if (borrow->torn > borrow->base)
        munmap(borrow->base, (size_t)(borrow->torn - borrow->base));
    char *behind = borrow->torn + borrow->segment_size;
    if (behind < end)
        munmap(behind, (size_t)(end - behind));
}

static void let_go(mrpc_shm_borrow *borrow)
{
    if (atomic_fetch_sub_explicit(&borrow->owners, 1, memory_order_acq_rel) != 1)
        return;
    unmap(borrow);
    pthread_mutex_destroy(&borrow->lock);
    free(borrow);
}

void mrpc_shm_borrow_close(mrpc_shm_borrow *borrow)
{
    if (borrow == NULL)
        return;
    pthread_mutex_lock(&borrow->lock);
    borrow->loop = NULL;
    pthread_mutex_unlock(&borrow->lock);
    let_go(borrow);
}

int mrpc_shm_borrow_map(mrpc_shm_borrow *borrow, uint32_t segment, int fd, mrpc_error *error)
{
    if (segment >= SHM_SEGMENTS || segment >= borrow->reserved / borrow->segment_size || borrow->mapped[segment])
        return mrpc_error_set(error, MRPC_EPROTO,
                              "shm: the peer sent segment %u, which it has sent before or can't have", segment);
    int failure = mrpc_shm_memory_check(fd, borrow->segment_size, "a segment", error);
    if (failure != 0)
        return failure;
    char *place = borrow->base + segment * borrow->segment_size;
    if (borrow->torn != NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "shm: cannot map a segment of the peer's heap");
    if (mmap(place, borrow->segment_size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
        borrow->torn = place;
        return mrpc_error_system(error, errno, "shm: cannot map a segment of the peer's heap");
    }
    borrow->mapped[segment] = true;
    return 0;
}

const void *mrpc_shm_borrow_locate(const mrpc_shm_borrow *borrow, uint32_t segment, uint64_t offset, uint64_t size)
{
    if (segment >= SHM_SEGMENTS || offset >= borrow->segment_size || size == 0 || size > borrow->reserved)
        return NULL;
    uint64_t last = segment + (offset + size - 1) / borrow->segment_size;
    if (last >= SHM_SEGMENTS)
        return NULL;
    for (uint64_t i = segment; i <= last; i++)
        if (!borrow->mapped[i])
            return NULL;
    return borrow->base + segment * borrow->segment_size + offset;
}

/* The first to give back much since the set was emptied wakes; those after it need not. */
static void wake_for(mrpc_shm_borrow *borrow, uint64_t bytes)
{
    uint64_t before = atomic_fetch_add_explicit(&borrow->returned_bytes, bytes, memory_order_relaxed);
    if (before >= WAKE_BYTES || before + bytes < WAKE_BYTES)
        return;
    pthread_mutex_lock(&borrow->lock);
    if (borrow->loop != NULL)
        mrpc_loop_wake(borrow->loop);
    pthread_mutex_unlock(&borrow->lock);
}

static void add_to_set(mrpc_shm_borrow *borrow, size_t number)
{
    atomic_fetch_or_explicit(&borrow->returned[number / 64], UINT64_C(1) << number % 64, memory_order_release);
    atomic_fetch_or_explicit(&borrow->summary, UINT64_C(1) << number / 64, memory_order_release);
}

/* Runs when the arena of a message goes, on any thread. */
static void give_back(void *context)
{
    mrpc_shm_borrowed *borrowed = context;
    mrpc_shm_borrow *borrow = borrowed->owner;
    uint64_t bytes = borrowed->bytes;
    add_to_set(borrow, (size_t)(borrowed - borrow->loans));
    wake_for(borrow, bytes);
    let_go(borrow);
}

int mrpc_shm_borrow_give_back(mrpc_shm_borrow *borrow, uint32_t number, uint64_t bytes)
{
    if (number >= SHM_LOANS || borrow->loans[number].bytes != 0)
        return MRPC_EPROTO;
    borrow->loans[number] = (mrpc_shm_borrowed){.owner = borrow, .bytes = bytes};
    add_to_set(borrow, number);
    return 0;
}

int mrpc_shm_borrow_take(mrpc_shm_borrow *borrow, uint32_t number, uint64_t bytes, mrpc_arena *arena)
{
    if (number >= SHM_LOANS || borrow->loans[number].bytes != 0)
        return MRPC_EPROTO;
    mrpc_shm_borrowed *borrowed = &borrow->loans[number];
    if (mrpc_arena_defer(arena, give_back, borrowed) != 0)
        return MRPC_ENOMEM;
    *borrowed = (mrpc_shm_borrowed){.owner = borrow, .bytes = bytes};
    atomic_fetch_add_explicit(&borrow->owners, 1, memory_order_relaxed);
    return 0;
}

uint32_t mrpc_shm_borrow_collect(mrpc_shm_borrow *borrow, uint64_t *numbers, uint32_t count)
{
    uint32_t got = 0;
    uint64_t words = atomic_exchange_explicit(&borrow->summary, 0, memory_order_acquire);
    atomic_store_explicit(&borrow->returned_bytes, 0, memory_order_relaxed);
    for (; words != 0 && got + 64 <= count; words &= words - 1) {
        uint32_t word = (uint32_t)__builtin_ctzll(words);
        uint64_t bits = atomic_exchange_explicit(&borrow->returned[word], 0, memory_order_acquire);
        for (; bits != 0; bits &= bits - 1) {
            numbers[got] = word * 64 + (uint32_t)__builtin_ctzll(bits);
            borrow->loans[numbers[got++]].bytes = 0;
        }
    }
    if (words != 0)
        atomic_fetch_or_explicit(&borrow->summary, words, memory_order_relaxed);
    return got;
}
