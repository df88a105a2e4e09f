/* SPDX-License-Identifier: BSD-2-Clause */
/* test_heap.c - what a heap promises to one thread */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <mrpc/heap.h>

#include "heap/internal.h"

#define MIB ((size_t)1 << 20)

static mrpc_heap *make_heap(size_t limit)
{
    mrpc_heap_options options = {.size = sizeof options, .limit = limit, .segment_size = MIB, .name = "test"};
    mrpc_error error;
    mrpc_heap *heap = NULL;
    if (mrpc_heap_new(&heap, &options, &error) != 0)
        fail_msg("%s", error.text);
    return heap;
}

static mrpc_heap_stats stats_of(const mrpc_heap *heap)
{
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(heap, &stats);
    return stats;
}

static int refused(const mrpc_heap_options *options, mrpc_error *error)
{
    mrpc_heap *heap = NULL;
    int result = mrpc_heap_new(&heap, options, error);
    assert_null(heap);
    return result;
}

static void default_options_are_documented_ones(void **state)
{
    (void)state;
    mrpc_heap *heap;
    assert_int_equal(mrpc_heap_new(&heap, NULL, NULL), 0);
    assert_int_equal(stats_of(heap).bytes_limit, 1024 * MIB);
    assert_int_equal(mrpc_heap_segment_size(heap), 4 * MIB);
    mrpc_heap_unref(heap);
}

static void segment_size_follows_the_limit_when_not_given(void **state)
{
    (void)state;
    static const struct {
        size_t limit, segment_size, rounded;
    } cases[] = {
        {100, MIB, MIB},
        {2 * MIB + 1, 4 * MIB, 4 * MIB},
        {6 * MIB, 4 * MIB, 8 * MIB},
        {16384 * MIB, 64 * MIB, 16384 * MIB},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mrpc_heap_options options = {.size = sizeof options, .limit = cases[i].limit};
        mrpc_heap *heap;
        assert_int_equal(mrpc_heap_new(&heap, &options, NULL), 0);
        assert_int_equal(mrpc_heap_segment_size(heap), cases[i].segment_size);
        assert_int_equal(stats_of(heap).bytes_limit, cases[i].rounded);
        mrpc_heap_unref(heap);
    }
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    mrpc_error error;
    mrpc_heap_options options = {.size = sizeof options, .segment_size = 3 * MIB};
    assert_int_equal(refused(&options, &error), MRPC_EINVAL);
    assert_non_null(strstr(error.text, "segment_size 3145728"));
    options.segment_size = MIB / 2;
    assert_int_equal(refused(&options, &error), MRPC_EINVAL);
    options.segment_size = 2048 * MIB;
    assert_int_equal(refused(&options, &error), MRPC_EINVAL);
    options = (mrpc_heap_options){.size = sizeof options, .limit = SIZE_MAX};
    assert_int_equal(refused(&options, &error), MRPC_EINVAL);
    assert_non_null(strstr(error.text, "limit"));
    options = (mrpc_heap_options){.size = 0};
    assert_int_equal(refused(&options, &error), MRPC_EINVAL);
    assert_non_null(strstr(error.text, "options.size"));
    char name[65];
    memset(name, 'n', 64);
    name[64] = '\0';
    options = (mrpc_heap_options){.size = sizeof options, .name = name};
    assert_int_equal(refused(&options, &error), MRPC_EINVAL);
    assert_non_null(strstr(error.text, "63 bytes"));
}

/* A program that was compiled with a later version has more members: zero in them is fine, a choice is not. */
static void options_of_a_later_version_are_taken_unless_set(void **state)
{
    (void)state;
    struct {
        mrpc_heap_options known;
        uint64_t later;
    } options = {.known = {.size = sizeof options}, .later = 0};
    mrpc_heap *heap;
    assert_int_equal(mrpc_heap_new(&heap, &options.known, NULL), 0);
    mrpc_heap_unref(heap);
    options.later = 1;
    mrpc_error error;
    assert_int_equal(refused(&options.known, &error), MRPC_EINVAL);
}

static void options_of_an_earlier_version_are_completed(void **state)
{
    (void)state;
    mrpc_heap_options options = {
        .size = offsetof(mrpc_heap_options, segment_size), .limit = 2 * MIB, .segment_size = 5};
    mrpc_heap *heap;
    assert_int_equal(mrpc_heap_new(&heap, &options, NULL), 0);
    assert_int_equal(stats_of(heap).bytes_limit, 2 * MIB);
    mrpc_heap_unref(heap);
}

static void memory_of_every_size_is_apart_aligned_and_writable(void **state)
{
    (void)state;
    static const size_t around[] = {16, 32, 48, 64, 100, 1000, 4096, 16384, 32768, 65536, 100000, MIB, 3 * MIB};
    enum { SIZES = sizeof around / sizeof around[0] * 3 };
    mrpc_heap *heap = make_heap(64 * MIB);
    unsigned char *memory[SIZES];
    size_t size[SIZES];
    for (size_t i = 0; i < SIZES; i++) {
        size[i] = around[i / 3] - 1 + i % 3;
        memory[i] = mrpc_heap_alloc(heap, size[i]);
        assert_non_null(memory[i]);
        assert_int_equal((uintptr_t)memory[i] % 16, 0);
        memset(memory[i], (int)i + 1, size[i]);
    }
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t k = 0; k < size[i]; k++)
            if (memory[i][k] != i + 1)
                fail_msg("byte %zu of allocation %zu was overwritten", k, i);
        mrpc_heap_free(heap, memory[i]);
    }
    assert_int_equal(stats_of(heap).bytes_in_use, 0);
    mrpc_heap_unref(heap);
}

static void no_bytes_is_one_byte(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(MIB);
    void *a = mrpc_heap_alloc(heap, 0), *b = mrpc_heap_alloc(heap, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    mrpc_heap_free(heap, a);
    mrpc_heap_free(heap, b);
    mrpc_heap_unref(heap);
}

static void alignments_up_to_two_mib_are_kept(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 17, 100, 5000, 32768, 40000, 300000, MIB + 1};
    mrpc_heap *heap = make_heap(64 * MIB);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t alignment = 1; alignment <= 2 * MIB; alignment *= 2) {
            void *in_the_way = mrpc_heap_alloc(heap, 40000);
            void *memory = mrpc_heap_alloc_aligned(heap, sizes[s], alignment);
            assert_non_null(memory);
            assert_int_equal((uintptr_t)memory % alignment, 0);
            memset(memory, 1, sizes[s]);
            mrpc_heap_free(heap, in_the_way);
            mrpc_heap_free(heap, memory);
        }
    }
    assert_int_equal(stats_of(heap).bytes_in_use, 0);
    mrpc_heap_unref(heap);
}

static void wrong_alignments_are_refused(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(8 * MIB);
    assert_null(mrpc_heap_alloc_aligned(heap, 10, 0));
    assert_null(mrpc_heap_alloc_aligned(heap, 10, 24));
    assert_null(mrpc_heap_alloc_aligned(heap, 10, 4 * MIB));
    mrpc_heap_unref(heap);
}

static void an_aligned_run_fits_a_heap_that_it_fills(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB);
    void *small = mrpc_heap_alloc(heap, 10);
    void *memory = mrpc_heap_alloc_aligned(heap, 2 * MIB, 2 * MIB);
    assert_non_null(small);
    assert_non_null(memory);
    mrpc_heap_free(heap, memory);
    memory = mrpc_heap_alloc_aligned(heap, 2 * MIB, 2 * MIB);
    assert_non_null(memory);
    mrpc_heap_unref(heap);
}

static void zeroed_memory_is_zero_also_when_used_before(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 64, 5000, 100000};
    mrpc_heap *heap = make_heap(8 * MIB);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (int i = 0; i < 3; i++) {
            unsigned char *memory = mrpc_heap_alloc_zero(heap, sizes[s]);
            assert_non_null(memory);
            for (size_t k = 0; k < sizes[s]; k++)
                assert_int_equal(memory[k], 0);
            memset(memory, 0xFF, sizes[s]);
            mrpc_heap_free(heap, memory);
        }
    }
    mrpc_heap_unref(heap);
}

/* In a full heap everything works that needs no more memory, and what was freed can be had again. */
static void reaching_the_limit_is_an_error_and_the_heap_works_on(void **state)
{
    (void)state;
    static const size_t sizes[] = {32, 1000, 32768, 40000, MIB / 2};
    mrpc_heap *heap = make_heap(4 * MIB);
    void **memory = calloc(4 * MIB / 32 + 1, sizeof *memory);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        uint64_t failures = stats_of(heap).failures;
        size_t count = 0;
        while ((memory[count] = mrpc_heap_alloc(heap, sizes[s])) != NULL)
            count++;
        mrpc_heap_stats stats = stats_of(heap);
        assert_true(stats.bytes_in_use <= 4 * MIB && stats.bytes_in_use >= 3 * MIB);
        assert_int_equal(stats.failures, failures + 1);
        assert_int_equal(stats.refused_errno, 0);
        assert_null(mrpc_heap_alloc(heap, MIB));
        mrpc_heap_free(heap, memory[count / 2]);
        memory[count / 2] = mrpc_heap_alloc(heap, sizes[s]);
        assert_non_null(memory[count / 2]);
        for (size_t i = 0; i < count; i++)
            mrpc_heap_free(heap, memory[i]);
        assert_int_equal(stats_of(heap).bytes_in_use, 0);
    }
    free(memory);
    mrpc_heap_unref(heap);
}

static void sizes_beyond_any_limit_are_refused(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB);
    assert_null(mrpc_heap_alloc(heap, SIZE_MAX));
    assert_null(mrpc_heap_alloc(heap, SIZE_MAX - 16384));
    assert_null(mrpc_heap_alloc(heap, 4 * MIB + 1));
    assert_null(mrpc_heap_alloc_aligned(heap, SIZE_MAX - 4096, 4096));
    void *all = mrpc_heap_alloc(heap, 4 * MIB);
    assert_non_null(all);
    mrpc_heap_unref(heap);
}

/* Memory that was in small pieces can be had as a whole, and the other way round. */
static void freed_pieces_join(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB);
    static void *memory[1024];
    for (int round = 0; round < 3; round++) {
        size_t count = 0;
        while (count < 1024 && (memory[count] = mrpc_heap_alloc(heap, 10000)) != NULL)
            count++;
        for (size_t i = 0; i < count; i += 2)
            mrpc_heap_free(heap, memory[i]);
        for (size_t i = 1; i < count; i += 2)
            mrpc_heap_free(heap, memory[i]);
        void *whole = mrpc_heap_alloc(heap, 4 * MIB);
        assert_non_null(whole);
        mrpc_heap_free(heap, whole);
    }
    mrpc_heap_unref(heap);
}

static void steady_use_commits_no_more(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(64 * MIB);
    uint64_t committed = 0;
    for (int round = 0; round < 1000; round++) {
        void *memory[40];
        for (size_t i = 0; i < 40; i++)
            assert_non_null(memory[i] = mrpc_heap_alloc(heap, (size_t)1 << i % 17));
        for (size_t i = 0; i < 40; i++)
            mrpc_heap_free(heap, memory[i]);
        if (round == 0)
            committed = stats_of(heap).bytes_committed;
    }
    assert_int_equal(stats_of(heap).bytes_committed, committed);
    mrpc_heap_unref(heap);
}

static void counters_say_what_happened(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB);
    void *a = mrpc_heap_alloc(heap, 100), *b = mrpc_heap_alloc(heap, 100000);
    mrpc_heap_stats stats = stats_of(heap);
    assert_int_equal(stats.allocations, 2);
    assert_int_equal(stats.frees, 0);
    assert_int_equal(stats.bytes_in_use, 112 + 7 * 16384);
    assert_int_equal(stats.segments, 1);
    assert_true(stats.bytes_committed >= stats.bytes_in_use && stats.bytes_committed <= MIB);
    mrpc_heap_free(heap, a);
    mrpc_heap_free(heap, b);
    stats = stats_of(heap);
    assert_int_equal(stats.frees, 2);
    assert_int_equal(stats.bytes_in_use, 0);
    mrpc_heap_unref(heap);
}

static void wrong_frees_are_ignored_and_counted(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB);
    char *a = mrpc_heap_alloc(heap, 100), *big = mrpc_heap_alloc(heap, 100000);
    int elsewhere;
    mrpc_heap_free(heap, NULL);
    assert_int_equal(stats_of(heap).bad_frees, 0);
    mrpc_heap_free(heap, a + 16);
    mrpc_heap_free(heap, big + 16384);
    mrpc_heap_free(heap, &elsewhere);
    assert_int_equal(stats_of(heap).bad_frees, 3);
    mrpc_heap_free(heap, a);
    mrpc_heap_free(heap, a);
    mrpc_heap_free(heap, big);
    mrpc_heap_free(heap, big);
    mrpc_heap_free(heap, big + 16384);
    mrpc_heap_stats stats = stats_of(heap);
    assert_int_equal(stats.bad_frees, 6);
    assert_int_equal(stats.frees, 2);
    assert_int_equal(stats.bytes_in_use, 0);
    void *b = mrpc_heap_alloc(heap, 100), *c = mrpc_heap_alloc(heap, 100);
    assert_ptr_not_equal(b, c);
    mrpc_heap_unref(heap);
}

static void null_heap_is_allowed_where_it_says_so(void **state)
{
    (void)state;
    assert_null(mrpc_heap_ref(NULL));
    mrpc_heap_unref(NULL);
}

static void references_keep_a_heap(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(MIB);
    assert_ptr_equal(mrpc_heap_ref(heap), heap);
    mrpc_heap_unref(heap);
    void *memory = mrpc_heap_alloc(heap, 100);
    assert_non_null(memory);
    memset(memory, 1, 100);
    mrpc_heap_unref(heap);
}

/* An allocation collects only some of what others have freed, except when it would be refused otherwise. */
static void a_full_queue_is_collected_before_an_allocation_is_refused(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(MIB);
    heap->lock = (mrpc_lock){.taken = 0}; /* never biased, so that this thread finds it taken by itself */
    void *memory[180];
    for (size_t i = 0; i < 180; i++)
        assert_non_null(memory[i] = mrpc_heap_alloc(heap, 5000));
    mrpc_lock_take(&heap->lock);
    for (size_t i = 0; i < 180; i++)
        mrpc_heap_free(heap, memory[i]);
    mrpc_lock_release(&heap->lock);
    assert_int_not_equal(heap->queue, 0);
    assert_non_null(mrpc_heap_alloc(heap, MIB));
    mrpc_heap_unref(heap);
}

/* Not even the first byte of the parent's heap may be handed out in a child. Exits with what went wrong. */
static int look_from_child(mrpc_heap *heap, char *memory)
{
    if (mrpc_heap_alloc(heap, 10) != NULL || mrpc_heap_alloc(heap, 100000) != NULL)
        return 1;
    if (mrpc_heap_hold(heap, memory) || mrpc_heap_locate(heap, memory, 1, NULL, NULL))
        return 2;
    if (mrpc_heap_segment_fd(heap, 0) != -1)
        return 3;
    mrpc_heap_free(heap, memory);
    mrpc_heap_drop(heap, memory);
    mrpc_heap_collect(heap);
    mrpc_heap_unref(mrpc_heap_ref(heap));
    mrpc_heap_unref(heap);
    return memory[0] == 'x' ? 0 : 4;
}

static void a_forked_child_is_refused(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB);
    char *memory = mrpc_heap_alloc(heap, 100);
    assert_non_null(memory);
    memory[0] = 'x';
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(look_from_child(heap, memory));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(stats_of(heap).allocations, 1);
    assert_int_equal(stats_of(heap).bad_frees, 0);
    mrpc_heap_free(heap, memory);
    assert_int_equal(stats_of(heap).bytes_in_use, 0);
    mrpc_heap_unref(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_options_are_documented_ones),
        cmocka_unit_test(segment_size_follows_the_limit_when_not_given),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(options_of_a_later_version_are_taken_unless_set),
        cmocka_unit_test(options_of_an_earlier_version_are_completed),
        cmocka_unit_test(memory_of_every_size_is_apart_aligned_and_writable),
        cmocka_unit_test(no_bytes_is_one_byte),
        cmocka_unit_test(alignments_up_to_two_mib_are_kept),
        cmocka_unit_test(wrong_alignments_are_refused),
        cmocka_unit_test(an_aligned_run_fits_a_heap_that_it_fills),
        cmocka_unit_test(zeroed_memory_is_zero_also_when_used_before),
        cmocka_unit_test(reaching_the_limit_is_an_error_and_the_heap_works_on),
        cmocka_unit_test(sizes_beyond_any_limit_are_refused),
        cmocka_unit_test(freed_pieces_join),
        cmocka_unit_test(steady_use_commits_no_more),
        cmocka_unit_test(counters_say_what_happened),
        cmocka_unit_test(wrong_frees_are_ignored_and_counted),
        cmocka_unit_test(null_heap_is_allowed_where_it_says_so),
        cmocka_unit_test(references_keep_a_heap),
        cmocka_unit_test(a_full_queue_is_collected_before_an_allocation_is_refused),
        cmocka_unit_test(a_forked_child_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
