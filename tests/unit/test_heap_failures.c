/* SPDX-License-Identifier: BSD-2-Clause */
/* test_heap_failures.c - each system call under a heap fails in turn: an error, no leak, and the heap works on */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/heap.h>

#include "heap/internal.h"
#include "tests/unit/failing_alloc.h"

#define MIB ((size_t)1 << 20)

static const mrpc_heap_options options = {
    .size = sizeof options, .limit = 16 * MIB, .segment_size = MIB, .name = "failtest"};

static void making_a_heap_fails_without_a_leak(void **state)
{
    (void)state;
    unsigned descriptors = count_descriptors();
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        mrpc_heap *heap = NULL;
        mrpc_error error = {0};
        failing_alloc_start(&fail);
        int result = mrpc_heap_new(&heap, &options, &error);
        failing_alloc_stop(&fail);
        if (fail.hit) {
            assert_true(result == MRPC_ENOMEM || result == MRPC_ESYS);
            assert_non_null(strstr(error.text, "heap failtest"));
            assert_null(heap);
        } else {
            assert_int_equal(result, 0);
            mrpc_heap_unref(heap);
        }
        assert_int_equal(count_descriptors(), descriptors);
        assert_int_equal(count_mappings("failtest"), 0);
    }
    assert_true(fail.runs >= 8); /* the tables, a reservation, memfd, size, two mappings, seals, pages */
}

/* An allocation that needs more segments. Whichever call fails, what was in the heap can be
 * used, and nothing but what the heap has is left over. */
static void grow_with_failures(bool seal, int reason)
{
    unsigned descriptors = count_descriptors();
    unsigned stuck = 0;
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    failing_alloc_set_errno(reason);
    while (failing_alloc_next(&fail)) {
        mrpc_heap *heap;
        assert_int_equal(mrpc_heap_make(&heap, &options, seal, NULL), 0);
        failing_alloc_start(&fail);
        void *large = mrpc_heap_alloc(heap, 3 * MIB);
        void *small = mrpc_heap_alloc(heap, 100);
        failing_alloc_stop(&fail);
        mrpc_heap_stats stats;
        mrpc_heap_get_stats(heap, &stats);
        assert_int_equal(stats.failures, (large == NULL) + (small == NULL));
        assert_int_equal(count_mappings("failtest"), stats.segments);
        assert_int_equal(count_descriptors(), descriptors + stats.segments);
        if (large == NULL)
            assert_int_equal(stats.refused_errno, reason);
        mrpc_heap_free(heap, large);
        void *works_on = mrpc_heap_alloc(heap, 100000);
        assert_non_null(works_on);
        memset(works_on, 1, 100000);
        assert_non_null(mrpc_heap_alloc(heap, 100));
        mrpc_heap_free(heap, works_on);
        stuck += mrpc_heap_alloc(heap, 3 * MIB) == NULL;
        mrpc_heap_unref(heap);
        assert_int_equal(count_descriptors(), descriptors);
        assert_int_equal(count_mappings("failtest"), 0);
    }
    assert_true(stuck <= 3);     /* after a mapping over the reservation has failed, a heap grows no more */
    assert_true(fail.runs > 20); /* each of three segments with its calls, and its pages in four steps */
}

/* What the heap is told that the machine has left: to try it with the real figure would risk that the kernel begins to
 * kill processes. */
static uint64_t available = UINT64_MAX;
uint64_t __wrap_mrpc_memory_available(void);
uint64_t __wrap_mrpc_memory_available(void)
{
    return available;
}

static void more_than_the_machine_has_is_an_error(void **state)
{
    (void)state;
    mrpc_heap *heap;
    assert_int_equal(mrpc_heap_new(&heap, &options, NULL), 0);
    available = 5 * MIB;
    void *memory = mrpc_heap_alloc(heap, 8 * MIB);
    void *small = mrpc_heap_alloc(heap, 1000);
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(heap, &stats);
    available = UINT64_MAX;
    assert_null(memory);
    assert_non_null(small);
    assert_int_equal(stats.refused_errno, ENOMEM);
    assert_int_equal(stats.segments, 1);
    assert_non_null(mrpc_heap_alloc(heap, 8 * MIB));
    mrpc_heap_unref(heap);
}

static void a_machine_without_memory_has_no_heap(void **state)
{
    (void)state;
    mrpc_heap *heap = NULL;
    mrpc_error error;
    available = 1000;
    int result = mrpc_heap_new(&heap, &options, &error);
    available = UINT64_MAX;
    assert_int_equal(result, MRPC_ESYS);
    assert_int_equal(error.system_errno, ENOMEM);
    assert_null(heap);
}

static void growing_a_heap_fails_without_a_leak(void **state)
{
    (void)state;
    grow_with_failures(false, ENOMEM);
    grow_with_failures(true, ENOSPC);
}

/* Kernels before 5.14 answer EINVAL to MADV_POPULATE_WRITE: the pages are then made by fallocate. */
static void an_old_kernel_gets_its_pages_by_fallocate(void **state)
{
    (void)state;
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    failing_alloc_set_errno(EINVAL);
    unsigned survived = 0;
    while (failing_alloc_next(&fail)) {
        mrpc_heap *heap = NULL;
        failing_alloc_start(&fail);
        int result = mrpc_heap_new(&heap, &options, NULL);
        failing_alloc_stop(&fail);
        if (result == 0) {
            survived += fail.hit;
            void *memory = mrpc_heap_alloc(heap, 200000);
            assert_non_null(memory);
            memset(memory, 1, 200000);
            mrpc_heap_unref(heap);
        }
    }
    assert_int_equal(survived, 1); /* the one whose madvise failed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_a_heap_fails_without_a_leak),
        cmocka_unit_test(more_than_the_machine_has_is_an_error),
        cmocka_unit_test(a_machine_without_memory_has_no_heap),
        cmocka_unit_test(growing_a_heap_fails_without_a_leak),
        cmocka_unit_test(an_old_kernel_gets_its_pages_by_fallocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
