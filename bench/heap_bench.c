/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap_bench.c - nanoseconds for an allocation and its free, beside malloc's in the same round
 *
 * Prints the median of the rounds, and of the ratio within each round, which says more on a machine that others use
 * too. "batch" allocates 64 before it frees them in the same order; "arena" makes an arena, takes four pieces of the
 * size from it, and frees it, as a message does.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <mrpc/heap.h>

enum { ROUNDS = 21, LOOPS = 20000, BATCH = 64 };

/* Where the memory comes from: a heap, or malloc when it is NULL. */
typedef void (*workload)(mrpc_heap *heap, size_t bytes);

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

/* Keeps the compiler from leaving out what is not used. */
static void *use(void *memory)
{
    __asm__ volatile("" : "+r"(memory) : : "memory");
    return memory;
}

static void pairs(mrpc_heap *heap, size_t bytes)
{
    for (int i = 0; i < LOOPS; i++)
        give(heap, use(take(heap, bytes)));
}

static void batches(mrpc_heap *heap, size_t bytes)
{
    void *memory[BATCH];
    for (int i = 0; i < LOOPS / BATCH; i++) {
        for (int k = 0; k < BATCH; k++)
            memory[k] = use(take(heap, bytes));
        for (int k = 0; k < BATCH; k++)
            give(heap, memory[k]);
    }
}

static void arenas(mrpc_heap *heap, size_t bytes)
{
    for (int i = 0; i < LOOPS; i++) {
        mrpc_arena *arena = mrpc_arena_new(heap, 0);
        for (int k = 0; arena != NULL && k < 4; k++)
            use(mrpc_arena_alloc(arena, bytes));
        mrpc_arena_free(arena);
    }
}

static double time_of(workload work, mrpc_heap *heap, size_t bytes)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    work(heap, bytes);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double ns = (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
    return ns / LOOPS;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, ascending);
    return values[ROUNDS / 2];
}

static void measure(const char *name, workload work, mrpc_heap *heap, size_t bytes)
{
    double with_malloc[ROUNDS], with_heap[ROUNDS], ratio[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        with_malloc[i] = time_of(work, NULL, bytes);
        with_heap[i] = time_of(work, heap, bytes);
        ratio[i] = with_heap[i] / with_malloc[i];
    }
    printf("%-8s %8zu %10.1f %10.1f %10.2f\n", name, bytes, median(with_malloc), median(with_heap), median(ratio));
}

static mrpc_heap *make_heap(void)
{
    mrpc_heap_options options = {.size = sizeof options, .name = "heap_bench"};
    mrpc_error error;
    mrpc_heap *heap = NULL;
    if (mrpc_heap_new(&heap, &options, &error) != 0)
        fprintf(stderr, "heap_bench: %s\n", error.text);
    return heap;
}

int main(void)
{
    static const size_t sizes[] = {64, 640, 4096, 32768, 65536, 1 << 20};
    mrpc_heap *heap = make_heap();
    if (heap == NULL)
        return 1;
    printf("%-8s %8s %10s %10s %10s\n", "ns", "bytes", "malloc", "heap", "heap/malloc");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        measure("pair", pairs, heap, sizes[i]);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        measure("batch", batches, heap, sizes[i]);
    measure("arena", arenas, heap, 64);
    mrpc_heap_unref(heap);
    return 0;
}
