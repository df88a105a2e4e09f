/* SPDX-License-Identifier: BSD-2-Clause */
/* test_arena.c - bump allocation over a heap and over malloc */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/heap.h>

#include "tests/unit/failing_alloc.h"

#define MIB ((size_t)1 << 20)

static mrpc_heap *make_heap(size_t limit)
{
    mrpc_heap_options options = {.size = sizeof options, .limit = limit, .segment_size = MIB};
    mrpc_heap *heap = NULL;
    assert_int_equal(mrpc_heap_new(&heap, &options, NULL), 0);
    return heap;
}

static mrpc_heap_stats stats_of(mrpc_heap *heap)
{
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(heap, &stats);
    return stats;
}

/* Each test runs over malloc and over a heap, where it must leave nothing behind. */
static void over_both(void (*test)(mrpc_heap *heap))
{
    test(NULL);
    mrpc_heap *heap = make_heap(64 * MIB);
    test(heap);
    assert_int_equal(stats_of(heap).bytes_in_use, 0);
    mrpc_heap_unref(heap);
}

static void fill_arena(mrpc_heap *heap)
{
    enum { COUNT = 300 };
    unsigned char *memory[COUNT];
    size_t size[COUNT];
    mrpc_arena *arena = mrpc_arena_new(heap, 0);
    assert_non_null(arena);
    assert_ptr_equal(mrpc_arena_heap(arena), heap);
    size_t sum = 0;
    for (size_t i = 0; i < COUNT; i++) {
        size[i] = i * i * 7 % 5000 + (i % 50 == 49 ? 100000 : 0);
        memory[i] = mrpc_arena_alloc(arena, size[i]);
        assert_non_null(memory[i]);
        assert_int_equal((uintptr_t)memory[i] % 8, 0);
        memset(memory[i], (int)i, size[i]);
        sum += size[i];
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < size[i]; k++)
            if (memory[i][k] != (unsigned char)i)
                fail_msg("byte %zu of allocation %zu was overwritten", k, i);
    assert_true(mrpc_arena_bytes(arena) >= sum && mrpc_arena_bytes(arena) < 2 * sum);
    mrpc_arena_free(arena);
}

static void allocations_are_apart_and_aligned(void **state)
{
    (void)state;
    over_both(fill_arena);
}

/* All that is promised to be ready is there without another block. */
static void have_ready(mrpc_heap *heap)
{
    static const size_t sizes[] = {1, 8, 100, 500, 501, 4096, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        mrpc_arena *arena = mrpc_arena_new(heap, sizes[i]);
        assert_non_null(arena);
        size_t before = mrpc_arena_bytes(arena);
        assert_non_null(mrpc_arena_alloc(arena, sizes[i]));
        assert_int_equal(mrpc_arena_bytes(arena), before);
        mrpc_arena_free(arena);
    }
    mrpc_arena *arena = mrpc_arena_new(heap, 0);
    size_t before = mrpc_arena_bytes(arena);
    assert_true(before >= 500 && before <= 700);
    for (int i = 0; i < 31; i++)
        assert_non_null(mrpc_arena_alloc(arena, 16));
    assert_int_equal(mrpc_arena_bytes(arena), before);
    mrpc_arena_free(arena);
}

static void the_first_block_holds_what_was_asked_for(void **state)
{
    (void)state;
    over_both(have_ready);
}

static void blocks_double_up_to_a_cap(void **state)
{
    (void)state;
    mrpc_arena *arena = mrpc_arena_new(NULL, 0);
    size_t previous = mrpc_arena_bytes(arena), blocks = 0, largest = 0;
    for (int i = 0; i < 20000; i++) {
        assert_non_null(mrpc_arena_alloc(arena, 16));
        size_t bytes = mrpc_arena_bytes(arena);
        if (bytes != previous) {
            blocks++;
            largest = bytes - previous > largest ? bytes - previous : largest;
        }
        previous = bytes;
    }
    assert_int_equal(largest, 32768);
    assert_true(blocks >= 10 && blocks <= 20);
    mrpc_arena_free(arena);
}

/* Between small allocations that share a block, a large one takes one of its own. */
static void a_large_allocation_leaves_the_current_block_in_use(void **state)
{
    (void)state;
    mrpc_arena *arena = mrpc_arena_new(NULL, 1000);
    char *before = mrpc_arena_alloc(arena, 16);
    char *large = mrpc_arena_alloc(arena, 200000);
    char *after = mrpc_arena_alloc(arena, 16);
    assert_non_null(large);
    assert_ptr_equal(after, before + 16);
    mrpc_arena_free(arena);
}

static void nothing_is_an_allocation_too(void **state)
{
    (void)state;
    mrpc_arena *arena = mrpc_arena_new(NULL, 8);
    assert_non_null(mrpc_arena_alloc(arena, 0));
    assert_non_null(mrpc_arena_alloc(arena, 8));
    assert_non_null(mrpc_arena_alloc(arena, 0));
    mrpc_arena_free(arena);
    mrpc_arena_free(NULL);
}

static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB);
    for (int i = 0; i < 2; i++) {
        mrpc_heap *over = i == 0 ? heap : NULL;
        assert_null(mrpc_arena_new(over, SIZE_MAX));
        assert_null(mrpc_arena_new(over, SIZE_MAX - 100));
        mrpc_arena *arena = mrpc_arena_new(over, 0);
        assert_null(mrpc_arena_alloc(arena, SIZE_MAX));
        assert_null(mrpc_arena_alloc(arena, SIZE_MAX - 7));
        assert_null(mrpc_arena_alloc(arena, SIZE_MAX / 2));
        assert_non_null(mrpc_arena_alloc(arena, 100));
        mrpc_arena_free(arena);
    }
    assert_null(mrpc_arena_new(heap, 5 * MIB));
    mrpc_heap_unref(heap);
}

static void a_full_heap_refuses_and_the_arena_works_on(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(2 * MIB);
    mrpc_arena *arena = mrpc_arena_new(heap, 0);
    while (mrpc_arena_alloc(arena, 10000) != NULL)
        ;
    assert_true(mrpc_arena_bytes(arena) > MIB);
    void *rest = mrpc_heap_alloc(heap, 64);
    mrpc_heap_free(heap, rest);
    mrpc_arena_reset(arena);
    assert_non_null(mrpc_arena_alloc(arena, MIB));
    mrpc_arena_free(arena);
    assert_int_equal(stats_of(heap).bytes_in_use, 0);
    mrpc_heap_unref(heap);
}

static void limit_arena(mrpc_heap *heap)
{
    mrpc_arena *arena = mrpc_arena_new(heap, 1000);
    mrpc_arena_set_limit(arena, 20000);
    assert_null(mrpc_arena_alloc(arena, 20000));
    while (mrpc_arena_alloc(arena, 100) != NULL)
        ;
    assert_true(mrpc_arena_bytes(arena) <= 20000 && mrpc_arena_bytes(arena) > 19800);
    mrpc_arena_set_limit(arena, 0);
    assert_non_null(mrpc_arena_alloc(arena, 20000));
    mrpc_arena_set_limit(arena, 1);
    assert_null(mrpc_arena_alloc(arena, 50000));
    mrpc_arena_free(arena);
}

static void a_limit_bounds_all_blocks_together(void **state)
{
    (void)state;
    over_both(limit_arena);
}

static void reset_arena(mrpc_heap *heap)
{
    mrpc_arena *arena = mrpc_arena_new(heap, 1000);
    size_t first_bytes = mrpc_arena_bytes(arena);
    char *first = mrpc_arena_alloc(arena, 10);
    for (int round = 0; round < 3; round++) {
        assert_non_null(mrpc_arena_alloc(arena, 5000));
        assert_non_null(mrpc_arena_alloc(arena, 100000));
        mrpc_arena_reset(arena);
        assert_int_equal(mrpc_arena_bytes(arena), first_bytes);
        assert_ptr_equal(mrpc_arena_alloc(arena, 10), first);
    }
    mrpc_arena_free(arena);
}

static void reset_keeps_the_first_block_alone(void **state)
{
    (void)state;
    over_both(reset_arena);
}

/* --- deferred functions --- */

struct journal {
    char text[16];
    size_t length;
    mrpc_arena *arena;
};

struct entry {
    struct journal *journal;
    char letter;
};

static void write_letter(void *context)
{
    const struct entry *entry = context;
    entry->journal->text[entry->journal->length++] = entry->letter;
}

static void write_and_defer(void *context)
{
    const struct entry *entry = context;
    write_letter(context);
    struct entry *another = mrpc_arena_alloc(entry->journal->arena, sizeof *another);
    *another = (struct entry){entry->journal, 'x'};
    assert_int_equal(mrpc_arena_defer(entry->journal->arena, write_letter, another), 0);
}

static void defer(struct journal *journal, char letter, void (*function)(void *context))
{
    struct entry *entry = mrpc_arena_alloc(journal->arena, sizeof *entry);
    *entry = (struct entry){journal, letter};
    assert_int_equal(mrpc_arena_defer(journal->arena, function, entry), 0);
}

static void defer_in_arena(mrpc_heap *heap)
{
    struct journal journal = {.arena = mrpc_arena_new(heap, 16)};
    defer(&journal, 'a', write_letter);
    defer(&journal, 'b', write_and_defer);
    defer(&journal, 'c', write_letter);
    assert_string_equal(journal.text, "");
    mrpc_arena_reset(journal.arena);
    assert_string_equal(journal.text, "cbxa");
    defer(&journal, 'd', write_letter);
    mrpc_arena_free(journal.arena);
    assert_string_equal(journal.text, "cbxad");
}

static void deferred_functions_run_once_and_backwards(void **state)
{
    (void)state;
    over_both(defer_in_arena);
}

static void deferring_without_memory_is_an_error(void **state)
{
    (void)state;
    struct journal journal = {.arena = mrpc_arena_new(NULL, 8)};
    struct entry entry = {&journal, 'n'};
    assert_non_null(mrpc_arena_alloc(journal.arena, 8));
    mrpc_arena_set_limit(journal.arena, 1);
    assert_int_equal(mrpc_arena_defer(journal.arena, write_letter, &entry), MRPC_ENOMEM);
    mrpc_arena_free(journal.arena);
    assert_string_equal(journal.text, "");
}

/* --- heaps and holds --- */

static void an_arena_keeps_its_heap(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB);
    mrpc_arena *arena = mrpc_arena_new(heap, 0);
    mrpc_heap_unref(heap);
    void *memory = mrpc_arena_alloc(arena, 100000);
    assert_non_null(memory);
    memset(memory, 1, 100000);
    mrpc_arena_free(arena);
}

static void a_held_block_outlives_its_arena(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB);
    mrpc_arena *arena = mrpc_arena_new(heap, 0);
    char *small = mrpc_arena_alloc(arena, 16), *large = mrpc_arena_alloc(arena, 100000);
    strcpy(small, "small");
    strcpy(large, "large");
    assert_true(mrpc_heap_hold(heap, small));
    assert_true(mrpc_heap_hold(heap, large));
    mrpc_arena_free(arena);
    assert_int_equal(stats_of(heap).held, 2);
    arena = mrpc_arena_new(heap, 0);
    memset(mrpc_arena_alloc(arena, 500), 0, 500);
    memset(mrpc_arena_alloc(arena, 100000), 0, 100000);
    assert_string_equal(small, "small");
    assert_string_equal(large, "large");
    mrpc_heap_drop(heap, small);
    mrpc_heap_drop(heap, large);
    mrpc_arena_free(arena);
    assert_int_equal(stats_of(heap).bytes_in_use, 0);
    mrpc_heap_unref(heap);
}

static void reset_leaves_a_held_first_block_as_it_is(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB);
    mrpc_arena *arena = mrpc_arena_new(heap, 0);
    char *text = mrpc_arena_alloc(arena, 16);
    strcpy(text, "being sent");
    assert_true(mrpc_heap_hold(heap, text));
    mrpc_arena_reset(arena);
    for (int i = 0; i < 100; i++)
        memset(mrpc_arena_alloc(arena, 16), 'n', 16);
    assert_string_equal(text, "being sent");
    mrpc_heap_drop(heap, text);
    mrpc_arena_reset(arena);
    assert_ptr_equal(mrpc_arena_alloc(arena, 16), text);
    mrpc_arena_free(arena);
    assert_int_equal(stats_of(heap).bytes_in_use, 0);
    mrpc_heap_unref(heap);
}

static void failing_malloc_is_an_error_and_nothing_leaks(void **state)
{
    (void)state;
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        failing_alloc_start(&fail);
        unsigned refused = 0;
        mrpc_arena *arena = mrpc_arena_new(NULL, 0);
        for (size_t size = 64; arena != NULL && size < 100000; size *= 2) {
            void *memory = mrpc_arena_alloc(arena, size);
            if (memory != NULL)
                memset(memory, 1, size);
            else
                refused++;
        }
        failing_alloc_stop(&fail);
        assert_int_equal(fail.hit, arena == NULL || refused == 1);
        mrpc_arena_free(arena);
    }
    assert_true(fail.runs > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_apart_and_aligned),
        cmocka_unit_test(the_first_block_holds_what_was_asked_for),
        cmocka_unit_test(blocks_double_up_to_a_cap),
        cmocka_unit_test(a_large_allocation_leaves_the_current_block_in_use),
        cmocka_unit_test(nothing_is_an_allocation_too),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(a_full_heap_refuses_and_the_arena_works_on),
        cmocka_unit_test(a_limit_bounds_all_blocks_together),
        cmocka_unit_test(reset_keeps_the_first_block_alone),
        cmocka_unit_test(deferred_functions_run_once_and_backwards),
        cmocka_unit_test(deferring_without_memory_is_an_error),
        cmocka_unit_test(an_arena_keeps_its_heap),
        cmocka_unit_test(a_held_block_outlives_its_arena),
        cmocka_unit_test(reset_leaves_a_held_first_block_as_it_is),
        cmocka_unit_test(failing_malloc_is_an_error_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
