/* SPDX-License-Identifier: BSD-2-Clause */
/* test_heap_holds.c - memory that a transport still reads is not reused, and outlives its heap's owners */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/heap.h>

#include "heap/internal.h"

#define MIB ((size_t)1 << 20)

static mrpc_heap *make_heap(void)
{
    mrpc_heap_options options = {.size = sizeof options, .limit = 4 * MIB, .segment_size = MIB};
    mrpc_heap *heap = NULL;
    assert_int_equal(mrpc_heap_new(&heap, &options, NULL), 0);
    return heap;
}

static mrpc_heap_stats stats_of(mrpc_heap *heap)
{
    mrpc_heap_stats stats;
    mrpc_heap_collect(heap);
    mrpc_heap_get_stats(heap, &stats);
    return stats;
}

/* For small and large allocations. */
static void each_kind(void (*test)(mrpc_heap *heap, size_t bytes))
{
    mrpc_heap *heap = make_heap();
    test(heap, 100);
    test(heap, 32768);
    test(heap, 200000);
    assert_int_equal(stats_of(heap).bytes_in_use, 0);
    assert_int_equal(stats_of(heap).held, 0);
    mrpc_heap_unref(heap);
}

static void hold_free_drop(mrpc_heap *heap, size_t bytes)
{
    uint64_t before = stats_of(heap).bytes_in_use;
    char *memory = mrpc_heap_alloc(heap, bytes);
    memset(memory, 'm', bytes);
    assert_true(mrpc_heap_hold(heap, memory + bytes - 1));
    assert_true(mrpc_heap_is_held(heap, memory));
    assert_int_equal(stats_of(heap).held, 1);
    mrpc_heap_free(heap, memory);
    assert_true(stats_of(heap).bytes_in_use > before);
    void *others[50];
    for (size_t i = 0; i < 50; i++) {
        others[i] = mrpc_heap_alloc(heap, bytes);
        assert_ptr_not_equal(others[i], memory);
        if (others[i] != NULL)
            memset(others[i], 'o', bytes);
    }
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(memory[i], 'm');
    for (size_t i = 0; i < 50; i++)
        mrpc_heap_free(heap, others[i]);
    mrpc_heap_drop(heap, memory + bytes / 2);
    assert_int_equal(stats_of(heap).bytes_in_use, before);
    assert_int_equal(stats_of(heap).held, 0);
}

static void freed_memory_stays_until_the_drop(void **state)
{
    (void)state;
    each_kind(hold_free_drop);
}

static void hold_drop_free(mrpc_heap *heap, size_t bytes)
{
    char *memory = mrpc_heap_alloc(heap, bytes);
    assert_true(mrpc_heap_hold(heap, memory));
    mrpc_heap_drop(heap, memory);
    assert_false(mrpc_heap_is_held(heap, memory));
    memset(memory, 1, bytes);
    assert_true(stats_of(heap).bytes_in_use >= bytes);
    mrpc_heap_free(heap, memory);
    assert_int_equal(stats_of(heap).bytes_in_use, 0);
}

static void a_drop_does_not_free_what_its_owner_has(void **state)
{
    (void)state;
    each_kind(hold_drop_free);
}

static void hold_several_times(mrpc_heap *heap, size_t bytes)
{
    char *memory = mrpc_heap_alloc(heap, bytes);
    for (int i = 0; i < 5; i++)
        assert_true(mrpc_heap_hold(heap, memory));
    assert_int_equal(stats_of(heap).held, 1);
    mrpc_heap_drop(heap, memory);
    mrpc_heap_free(heap, memory);
    assert_true(mrpc_heap_hold(heap, memory)); /* held memory can be held once more */
    for (int i = 0; i < 4; i++) {
        assert_true(stats_of(heap).bytes_in_use >= bytes);
        mrpc_heap_drop(heap, memory);
    }
    assert_true(stats_of(heap).bytes_in_use >= bytes);
    mrpc_heap_drop(heap, memory);
    assert_int_equal(stats_of(heap).bytes_in_use, 0);
}

static void the_last_of_several_drops_counts(void **state)
{
    (void)state;
    each_kind(hold_several_times);
}

static void what_is_not_allocated_cannot_be_held(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(), *other = make_heap();
    int elsewhere;
    char *memory = mrpc_heap_alloc(heap, 100);
    char *large = mrpc_heap_alloc(heap, 100000);
    assert_false(mrpc_heap_hold(heap, NULL));
    assert_false(mrpc_heap_hold(heap, &elsewhere));
    assert_false(mrpc_heap_hold(other, memory));
    assert_false(mrpc_heap_hold(heap, memory + 1000)); /* a slot beside it, which is free */
    mrpc_heap_free(heap, memory);
    mrpc_heap_free(heap, large);
    assert_false(mrpc_heap_hold(heap, memory));
    assert_false(mrpc_heap_hold(heap, large + 20000));
    mrpc_heap_drop(heap, memory);
    mrpc_heap_drop(heap, large);
    mrpc_heap_drop(heap, &elsewhere);
    assert_int_equal(stats_of(heap).held, 0);
    assert_int_equal(stats_of(heap).frees, 2);
    mrpc_heap_unref(heap);
    mrpc_heap_unref(other);
}

static void a_second_free_of_held_memory_is_ignored(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap();
    void *memory = mrpc_heap_alloc(heap, 100);
    assert_true(mrpc_heap_hold(heap, memory));
    mrpc_heap_free(heap, memory);
    mrpc_heap_free(heap, memory);
    assert_int_equal(stats_of(heap).bad_frees, 1);
    mrpc_heap_drop(heap, memory);
    assert_int_equal(stats_of(heap).frees, 1);
    mrpc_heap_unref(heap);
}

/* The pages can be read after the last owner has gone; the last drop ends the heap and closes its
 * descriptor. */
static void held_memory_outlives_the_owners(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap();
    char *first = mrpc_heap_alloc(heap, 100), *second = mrpc_heap_alloc(heap, 100000);
    int descriptor = mrpc_heap_segment_fd(heap, 0);
    memset(first, 'f', 100);
    memset(second, 's', 100000);
    assert_true(mrpc_heap_hold(heap, first));
    assert_true(mrpc_heap_hold(heap, second));
    mrpc_heap_free(heap, first);
    mrpc_heap_unref(heap);
    assert_int_equal(first[99], 'f');
    mrpc_heap_drop(heap, first);
    assert_int_equal(second[99999], 's');
    assert_int_not_equal(fcntl(descriptor, F_GETFD), -1);
    mrpc_heap_drop(heap, second);
    assert_int_equal(fcntl(descriptor, F_GETFD), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freed_memory_stays_until_the_drop),
        cmocka_unit_test(a_drop_does_not_free_what_its_owner_has),
        cmocka_unit_test(the_last_of_several_drops_counts),
        cmocka_unit_test(what_is_not_allocated_cannot_be_held),
        cmocka_unit_test(a_second_free_of_held_memory_is_ignored),
        cmocka_unit_test(held_memory_outlives_the_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
