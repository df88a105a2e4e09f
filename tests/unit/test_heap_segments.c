/* SPDX-License-Identifier: BSD-2-Clause */
/* test_heap_segments.c - what lies under a heap: addresses, memfds, seals, and the machine's limits */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <mrpc/heap.h>

#include "heap/available.h"
#include "heap/internal.h"

#define MIB ((size_t)1 << 20)

static mrpc_heap *make_heap(size_t limit, size_t segment_size)
{
    mrpc_heap_options options = {
        .size = sizeof options, .limit = limit, .segment_size = segment_size, .name = "segments-test"};
    mrpc_error error;
    mrpc_heap *heap = NULL;
    if (mrpc_heap_new(&heap, &options, &error) != 0)
        fail_msg("%s", error.text);
    return heap;
}

static mrpc_heap_stats stats_of(mrpc_heap *heap)
{
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(heap, &stats);
    return stats;
}

static void an_address_is_a_segment_and_an_offset(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(8 * MIB, MIB);
    char *memory = mrpc_heap_alloc(heap, 3 * MIB);
    uint32_t segment, last;
    uint64_t offset, last_offset;
    assert_true(mrpc_heap_locate(heap, memory, 3 * MIB, &segment, &offset));
    assert_true(mrpc_heap_locate(heap, memory + 3 * MIB - 1, 1, &last, &last_offset));
    assert_int_equal(segment * MIB + offset + 3 * MIB - 1, last * MIB + last_offset);
    assert_true(last_offset < MIB);
    assert_true(mrpc_heap_locate(heap, memory, 0, NULL, NULL));
    mrpc_heap_unref(heap);
}

static void what_is_not_committed_is_not_located(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(8 * MIB, MIB);
    char *base = heap->range.base;
    size_t committed = stats_of(heap).bytes_committed;
    int elsewhere;
    assert_true(mrpc_heap_locate(heap, base, committed, NULL, NULL));
    assert_false(mrpc_heap_locate(heap, base, committed + 1, NULL, NULL));
    assert_false(mrpc_heap_locate(heap, base + 1, committed, NULL, NULL));
    assert_false(mrpc_heap_locate(heap, base + committed, 0, NULL, NULL));
    assert_false(mrpc_heap_locate(heap, base - 1, 1, NULL, NULL));
    assert_false(mrpc_heap_locate(heap, base, SIZE_MAX, NULL, NULL));
    assert_false(mrpc_heap_locate(heap, NULL, 1, NULL, NULL));
    assert_false(mrpc_heap_locate(heap, &elsewhere, 1, NULL, NULL));
    mrpc_heap_unref(heap);
}

static void segments_can_neither_shrink_nor_grow(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB, MIB);
    int segment = mrpc_heap_segment_fd(heap, 0);
    assert_int_equal(fcntl(segment, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
                     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    assert_int_equal(ftruncate(segment, (off_t)MIB / 2), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(segment, (off_t)MIB * 2), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fcntl(segment, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    mrpc_heap_unref(heap);
}

static void segments_are_numbered_without_gaps(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB, MIB);
    assert_non_null(mrpc_heap_alloc(heap, 3 * MIB));
    mrpc_heap_stats stats = stats_of(heap);
    assert_int_equal(stats.segments, 3);
    for (uint32_t i = 0; i < stats.segments; i++)
        assert_true(mrpc_heap_segment_fd(heap, i) >= 0);
    assert_int_equal(mrpc_heap_segment_fd(heap, stats.segments), -1);
    assert_int_equal(mrpc_heap_segment_fd(heap, UINT32_MAX), -1);
    mrpc_heap_unref(heap);
}

static void segments_are_committed_in_steps(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(64 * MIB, 64 * MIB);
    assert_int_equal(stats_of(heap).bytes_committed, MRPC_SEGMENT_STEP);
    assert_non_null(mrpc_heap_alloc(heap, 5 * MIB));
    assert_true(stats_of(heap).bytes_committed <= 5 * MIB + MRPC_SEGMENT_STEP);
    assert_int_equal(stats_of(heap).segments, 1);
    mrpc_heap_unref(heap);
}

static void the_name_is_seen_in_the_maps(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(MIB, MIB);
    char line[512];
    bool seen = false;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL)
        seen |= strstr(line, "/memfd:segments-test") != NULL;
    fclose(maps);
    assert_true(seen);
    mrpc_heap_unref(heap);
}

/* --- two processes --- */

/* Maps the segments of the parent one behind the other, elsewhere, and looks for the text; answers in its place. */
static int read_and_answer(const int *descriptors, uint32_t segments, size_t position, const char *base)
{
    char *view = mmap(NULL, segments * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (view == MAP_FAILED || view == base)
        return 1;
    for (uint32_t i = 0; i < segments; i++)
        if (mmap(view + i * MIB, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptors[i], 0) == MAP_FAILED)
            return 2;
    if (strcmp(view + position, "across the border of two segments") != 0)
        return 3;
    strcpy(view + position, "seen");
    return 0;
}

static void two_processes_see_the_same_bytes_at_different_addresses(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap(4 * MIB, MIB);
    char *memory = mrpc_heap_alloc(heap, 2 * MIB);
    assert_non_null(memory);
    char *text = heap->range.base + MIB - 10; /* inside the allocation: 10 bytes of it in the first segment */
    assert_true(text >= memory && text + 100 < memory + 2 * MIB);
    strcpy(text, "across the border of two segments");
    uint32_t segment;
    uint64_t offset;
    assert_true(mrpc_heap_locate(heap, text, 34, &segment, &offset));
    int descriptors[2] = {mrpc_heap_segment_fd(heap, 0), mrpc_heap_segment_fd(heap, 1)};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(read_and_answer(descriptors, 2, segment * MIB + offset, heap->range.base));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_string_equal(text, "seen");
    mrpc_heap_unref(heap);
}

/* A heap that is sealed against writes goes on writing itself, after every seal is there. */
static void a_write_sealed_segment_can_only_be_read_by_others(void **state)
{
    (void)state;
    mrpc_heap_options options = {.size = sizeof options, .limit = 2 * MIB, .segment_size = MIB};
    mrpc_heap *heap;
    assert_int_equal(mrpc_heap_make(&heap, &options, true, NULL), 0);
    char *memory = mrpc_heap_alloc(heap, MIB + 100000);
    assert_non_null(memory);
    memset(memory, 'w', MIB + 100000);
    char path[64];
    for (uint32_t i = 0; i < 2; i++) {
        int segment = mrpc_heap_segment_fd(heap, i);
        assert_true(mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, segment, 0) == MAP_FAILED);
        assert_int_equal(pwrite(segment, "x", 1, 0), -1);
        char *view = mmap(NULL, MIB, PROT_READ, MAP_SHARED, segment, 0);
        assert_true(view != MAP_FAILED);
        assert_int_equal(mprotect(view, MIB, PROT_READ | PROT_WRITE), -1);
        assert_int_equal(view[i == 0 ? MIB - 1 : 1000], 'w');
        munmap(view, MIB);
        snprintf(path, sizeof path, "/proc/self/fd/%d", segment);
        int reopened = open(path, O_RDWR | O_CLOEXEC);
        if (reopened >= 0) {
            assert_true(mmap(NULL, MIB, PROT_WRITE, MAP_SHARED, reopened, 0) == MAP_FAILED);
            close(reopened);
        }
    }
    mrpc_heap_unref(heap);
}

/* --- the machine's limits --- */

static void a_limit_on_file_size_is_an_error_and_no_signal(void **state)
{
    (void)state;
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    mrpc_heap *heap = make_heap(4 * MIB, MIB);
    low = (struct rlimit){.rlim_cur = MIB / 2, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    mrpc_heap_options options = {.size = sizeof options, .segment_size = MIB};
    mrpc_heap *other;
    mrpc_error error;
    int result = mrpc_heap_new(&other, &options, &error);
    void *memory = mrpc_heap_alloc(heap, 2 * MIB);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(result, MRPC_ESYS);
    assert_int_equal(error.system_errno, EFBIG);
    assert_non_null(strstr(error.text, "RLIMIT_FSIZE"));
    assert_null(memory);
    assert_int_equal(stats_of(heap).refused_errno, EFBIG);
    assert_non_null(mrpc_heap_alloc(heap, 2 * MIB));
    mrpc_heap_unref(heap);
}

static void a_limit_on_descriptors_is_an_error(void **state)
{
    (void)state;
    struct rlimit old;
    mrpc_heap *heap = make_heap(4 * MIB, MIB);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit low = {.rlim_cur = (rlim_t)mrpc_heap_segment_fd(heap, 0) + 1, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    void *memory = mrpc_heap_alloc(heap, 3 * MIB);
    void *small = mrpc_heap_alloc(heap, 1000);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_null(memory);
    assert_non_null(small);
    assert_int_equal(stats_of(heap).refused_errno, EMFILE);
    mrpc_heap_unref(heap);
}

/* Sanitizers reserve more addresses than any limit that would make sense. */
static void addresses_that_are_not_to_be_had_are_an_error(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    print_message("RLIMIT_AS is not tried: a sanitizer is in use\n");
    skip();
#else
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    struct rlimit low = {.rlim_cur = 2048 * MIB, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
    mrpc_heap_options options = {.size = sizeof options, .limit = 3072 * MIB};
    mrpc_heap *heap;
    mrpc_error error;
    int result = mrpc_heap_new(&heap, &options, &error);
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
    assert_int_equal(result, MRPC_ESYS);
    assert_int_equal(error.system_errno, ENOMEM);
    assert_non_null(strstr(error.text, "RLIMIT_AS"));
#endif
}

static void a_gigabyte_is_an_allocation_like_others(void **state)
{
    (void)state;
    if (mrpc_memory_available() < 3 * 1024 * MIB) {
        print_message("a gigabyte is not tried: the machine has less than 3 GiB available\n");
        skip();
    }
    mrpc_heap *heap = make_heap(2048 * MIB, 64 * MIB);
    char *memory = mrpc_heap_alloc(heap, 1024 * MIB);
    assert_non_null(memory);
    memory[0] = 'a';
    memory[1024 * MIB - 1] = 'z';
    assert_true(mrpc_heap_hold(heap, memory + 1000 * MIB));
    mrpc_heap_free(heap, memory);
    assert_int_equal(stats_of(heap).bytes_in_use, 1024 * MIB);
    mrpc_heap_drop(heap, memory + 3 * MIB);
    assert_int_equal(stats_of(heap).bytes_in_use, 0);
    mrpc_heap_unref(heap);
}

static void huge_pages_are_used_or_done_without(void **state)
{
    (void)state;
    mrpc_heap_options options = {.size = sizeof options, .limit = 8 * MIB, .huge_pages = true};
    mrpc_heap *heap;
    mrpc_error error;
    if (mrpc_heap_new(&heap, &options, &error) != 0)
        fail_msg("%s", error.text);
    print_message("huge pages: %s\n", stats_of(heap).huge ? "yes" : "none set aside");
    char *memory = mrpc_heap_alloc(heap, 6 * MIB);
    assert_non_null(memory);
    memset(memory, 1, 6 * MIB);
    mrpc_heap_unref(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_a_segment_and_an_offset),
        cmocka_unit_test(what_is_not_committed_is_not_located),
        cmocka_unit_test(segments_can_neither_shrink_nor_grow),
        cmocka_unit_test(segments_are_numbered_without_gaps),
        cmocka_unit_test(segments_are_committed_in_steps),
        cmocka_unit_test(the_name_is_seen_in_the_maps),
        cmocka_unit_test(two_processes_see_the_same_bytes_at_different_addresses),
        cmocka_unit_test(a_write_sealed_segment_can_only_be_read_by_others),
        cmocka_unit_test(a_limit_on_file_size_is_an_error_and_no_signal),
        cmocka_unit_test(a_limit_on_descriptors_is_an_error),
        cmocka_unit_test(addresses_that_are_not_to_be_had_are_an_error),
        cmocka_unit_test(a_gigabyte_is_an_allocation_like_others),
        cmocka_unit_test(huge_pages_are_used_or_done_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
