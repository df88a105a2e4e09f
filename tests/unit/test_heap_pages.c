/* SPDX-License-Identifier: BSD-2-Clause */
/* test_heap_pages.c - size classes and runs of pages by themselves */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heap/available.h"
#include "heap/sizeclass.h"
#include "heap/span.h"

static void every_size_has_the_smallest_class_that_holds_it(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes <= MRPC_SMALL_MAX; bytes++) {
        unsigned class = mrpc_class_of(bytes);
        assert_true(class < MRPC_CLASS_COUNT);
        assert_true(mrpc_class_size(class) >= bytes);
        if (class > 0)
            assert_true(mrpc_class_size(class - 1) < bytes);
    }
    assert_int_equal(mrpc_class_of(MRPC_SMALL_MAX), MRPC_CLASS_COUNT - 1);
}

static void slabs_have_no_rest_and_classes_waste_little(void **state)
{
    (void)state;
    for (unsigned class = 0; class < MRPC_CLASS_COUNT; class ++) {
        uint32_t size = mrpc_class_size(class);
        uint32_t slab = mrpc_class_pages(size) * MRPC_PAGE_SIZE;
        assert_int_equal(slab % size, 0);
        assert_int_equal(size % 16, 0);
        uint32_t count = slab / size;
        assert_true(count >= 2 && count <= 2048);
        assert_int_equal(count & (count - 1), 0);
        if (class > 2)
            assert_true((size - mrpc_class_size(class - 1)) * 5 <= size);
    }
}

/* The multiplication that stands for a division, for every byte of every slab. */
static void the_slot_of_any_address_is_right(void **state)
{
    (void)state;
    for (unsigned class = 0; class < MRPC_CLASS_COUNT; class ++) {
        uint32_t size = mrpc_class_size(class);
        uint64_t reciprocal = (UINT64_C(1) << 32) / size + 1;
        for (uint64_t offset = 0; offset < mrpc_class_pages(size) * MRPC_PAGE_SIZE; offset++)
            if ((offset * reciprocal) >> 32 != offset / size)
                fail_msg("offset %u in slots of %u", (unsigned)offset, size);
    }
}

/* --- pages, against a plain model: one byte for each page --- */

enum { PAGES = 4096 };

struct model {
    mrpc_pages pages;
    uint32_t owner[PAGES];
    mrpc_span span[PAGES];
    uint8_t taken[PAGES];
};

static struct model *make_model(uint32_t count)
{
    struct model *model = calloc(1, sizeof *model);
    mrpc_pages_init(&model->pages, model->owner, model->span);
    mrpc_pages_extend(&model->pages, count);
    return model;
}

static uint32_t take(struct model *model, uint32_t count, uint32_t alignment)
{
    uint32_t first = mrpc_pages_take(&model->pages, count, alignment);
    if (first == MRPC_NO_PAGE)
        return first;
    assert_int_equal(first % alignment, 0);
    assert_true(first + count <= model->pages.count);
    for (uint32_t i = first; i < first + count; i++) {
        assert_int_equal(model->taken[i], 0);
        model->taken[i] = 1;
    }
    model->span[first].kind = MRPC_SPAN_LARGE;
    model->span[first].pages = count;
    mrpc_pages_own(&model->pages, first, count);
    return first;
}

static void give(struct model *model, uint32_t first)
{
    uint32_t count = model->span[first].pages;
    memset(model->taken + first, 0, count);
    mrpc_pages_give(&model->pages, first, count);
}

/* Free spans are as long as they can be, and known at both ends. */
static void check_model(struct model *model)
{
    for (uint32_t i = 0; i < model->pages.count;) {
        uint32_t end = i;
        while (end < model->pages.count && model->taken[end] == 0)
            end++;
        if (end > i) {
            assert_int_equal(model->span[i].kind, MRPC_SPAN_FREE);
            assert_int_equal(model->span[i].pages, end - i);
            assert_int_equal(model->owner[end - 1], i);
            i = end;
        } else {
            assert_int_equal(model->span[i].kind, MRPC_SPAN_LARGE);
            i += model->span[i].pages;
        }
    }
}

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static uint32_t random_count(uint64_t *seed)
{
    return 1 + next_random(seed) % (1u << next_random(seed) % 9);
}

static void random_runs_never_overlap_and_always_join(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t random = seed;
        struct model *model = make_model(PAGES / 2);
        uint32_t runs[64];
        for (unsigned i = 0; i < 64; i++)
            runs[i] = MRPC_NO_PAGE;
        for (unsigned step = 0; step < 4000; step++) {
            uint32_t *run = &runs[next_random(&random) % 64];
            if (*run != MRPC_NO_PAGE) {
                give(model, *run);
                *run = MRPC_NO_PAGE;
            } else {
                *run = take(model, random_count(&random), 1u << next_random(&random) % 8);
            }
            if (step == 2000)
                mrpc_pages_extend(&model->pages, PAGES);
            if (step % 50 == 0)
                check_model(model);
        }
        for (unsigned i = 0; i < 64; i++)
            if (runs[i] != MRPC_NO_PAGE)
                give(model, runs[i]);
        check_model(model);
        assert_int_equal(model->span[0].pages, PAGES);
        free(model);
    }
}

static void a_run_that_fits_exactly_is_preferred(void **state)
{
    (void)state;
    struct model *model = make_model(PAGES);
    uint32_t a = take(model, 40, 1), between = take(model, 1, 1), b = take(model, 37, 1), rest = take(model, 1, 1);
    assert_true(between != MRPC_NO_PAGE && rest != MRPC_NO_PAGE);
    give(model, b);
    give(model, a);
    assert_int_equal(take(model, 37, 1), b);
    free(model);
}

/* What is needed beyond the pages there are takes the free ones at the end into account, and suffices. */
static void what_is_needed_suffices(void **state)
{
    (void)state;
    for (uint32_t used = 0; used <= 20; used++) {
        for (uint32_t alignment = 1; alignment <= 128; alignment *= 2) {
            struct model *model = make_model(20);
            if (used > 0)
                take(model, used, 1);
            uint64_t needed = mrpc_pages_needed(&model->pages, 33, alignment);
            assert_true(needed <= used + alignment - 1 + 33);
            if (needed > 20)
                mrpc_pages_extend(&model->pages, (uint32_t)needed);
            assert_int_not_equal(take(model, 33, alignment), MRPC_NO_PAGE);
            free(model);
        }
    }
}

static void available_memory_is_read_from_meminfo(void **state)
{
    (void)state;
    assert_int_equal(
        mrpc_memory_available_in("MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable:     40 kB\nSwapFree: 2 kB\n"),
        42 * 1024);
    assert_int_equal(mrpc_memory_available_in("MemAvailable: 5 kB\n"), 5 * 1024);
    assert_true(mrpc_memory_available_in("") == UINT64_MAX);
    assert_true(mrpc_memory_available() > 0 && mrpc_memory_available() < UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_has_the_smallest_class_that_holds_it),
        cmocka_unit_test(slabs_have_no_rest_and_classes_waste_little),
        cmocka_unit_test(the_slot_of_any_address_is_right),
        cmocka_unit_test(random_runs_never_overlap_and_always_join),
        cmocka_unit_test(a_run_that_fits_exactly_is_preferred),
        cmocka_unit_test(what_is_needed_suffices),
        cmocka_unit_test(available_memory_is_read_from_meminfo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
