/* SPDX-License-Identifier: BSD-2-Clause */
/* heap.c - making heaps, allocating, looking at them */
#include "config.h"

#include "heap/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "heap/sanitize.h"
#include "heap/slab.h"

#define DEFAULT_NAME "mrpc"
#define DEFAULT_LIMIT ((size_t)1 << 30)
#define DEFAULT_SEGMENT_SIZE ((size_t)4 << 20)
#define DEFAULT_SEGMENTS 256 /* most segments of a heap whose segment size is not given: each is a descriptor */
#define LARGEST_LIMIT ((size_t)1 << 44)
#define LARGEST_ALIGNMENT ((size_t)MRPC_SEGMENT_ALIGN)

/* --- options --- */

static size_t power_of_two_above(size_t bytes)
{
    size_t power = 1;
    while (power < bytes)
        power <<= 1;
    return power;
}

/* 4 MiB; less for a heap that may not grow so far, more for one that would need too many descriptors. */
static size_t default_segment_size(size_t limit)
{
    size_t size = power_of_two_above(limit / DEFAULT_SEGMENTS);
    if (size > DEFAULT_SEGMENT_SIZE)
        return size < MRPC_SEGMENT_MAX ? size : MRPC_SEGMENT_MAX;
    if (limit >= DEFAULT_SEGMENT_SIZE)
        return DEFAULT_SEGMENT_SIZE;
    size = power_of_two_above(limit);
    return size > MRPC_SEGMENT_MIN ? size : MRPC_SEGMENT_MIN;
}

/* Takes what this version knows; a newer caller may have set only members that this version knows. */
static int copy_options(mrpc_heap_options *copy, const mrpc_heap_options *options, mrpc_error *error)
{
    *copy = (mrpc_heap_options){.size = sizeof *copy};
    if (options == NULL)
        return 0;
    if (options->size < sizeof options->size)
        return mrpc_error_set(error, MRPC_EINVAL, "heap: options.size is %zu; set it to sizeof(mrpc_heap_options)",
                              options->size);
    const char *bytes = (const char *)options;
    for (size_t i = sizeof *copy; i < options->size; i++)
        if (bytes[i] != 0)
            return mrpc_error_set(error, MRPC_EINVAL, "heap: an option is set that this version of mrpc does not know");
    memcpy(copy, options, options->size < sizeof *copy ? options->size : sizeof *copy);
    return 0;
}

static int check_options(const mrpc_heap_options *options, mrpc_error *error)
{
    size_t size = options->segment_size;
    if (strlen(options->name) >= MRPC_SEGMENT_NAME)
        return mrpc_error_set(error, MRPC_EINVAL, "heap: the name %.20s... is longer than %d bytes", options->name,
                              MRPC_SEGMENT_NAME - 1);
    if (options->limit > LARGEST_LIMIT)
        return mrpc_error_set(error, MRPC_EINVAL, "heap %s: limit %zu is more than 16 TiB", options->name,
                              options->limit);
    if (size < MRPC_SEGMENT_MIN || size > MRPC_SEGMENT_MAX || (size & (size - 1)) != 0)
        return mrpc_error_set(error, MRPC_EINVAL, "heap %s: segment_size %zu is not a power of two from 1 MiB to 1 GiB",
                              options->name, size);
    return 0;
}

static int complete_options(mrpc_heap_options *copy, const mrpc_heap_options *options, mrpc_error *error)
{
    int result = copy_options(copy, options, error);
    if (result != 0)
        return result;
    if (copy->name == NULL)
        copy->name = DEFAULT_NAME;
    if (copy->limit == 0)
        copy->limit = DEFAULT_LIMIT;
    if (copy->segment_size == 0)
        copy->segment_size = default_segment_size(copy->limit < LARGEST_LIMIT ? copy->limit : LARGEST_LIMIT);
    result = check_options(copy, error);
    if (result == 0)
        copy->limit = (copy->limit + copy->segment_size - 1) & ~(copy->segment_size - 1);
    return result;
}

/* --- making and ending --- */

/* The struct, whole machine pages of it so that it alone can be wiped at fork(), then span[], owner[] and the
 * descriptors of the segments. Only what is used of them takes memory. */
static mrpc_heap *map_heap(size_t limit, size_t segment_size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t head = (sizeof(mrpc_heap) + page - 1) & ~(page - 1);
    size_t pages = limit >> MRPC_PAGE_SHIFT;
    size_t segments = limit / segment_size;
    size_t size = head + pages * (sizeof(mrpc_span) + sizeof(uint32_t)) + segments * sizeof(int);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    (void)madvise(memory, head, MADV_WIPEONFORK); /* since Linux 4.14; before, a child must keep away by itself */
    mrpc_heap *heap = (mrpc_heap *)(void *)memory;
    heap->mapping_size = size;
    mrpc_span *span = (mrpc_span *)(void *)(memory + head);
    uint32_t *owner = (uint32_t *)(void *)(span + pages);
    mrpc_pages_init(&heap->pages, owner, span);
    heap->range.descriptors = (int *)(owner + pages);
    for (unsigned i = 0; i < MRPC_CLASS_COUNT; i++)
        heap->with_room[i] = heap->spare[i] = MRPC_NO_PAGE;
    atomic_init(&heap->references, 1);
    heap->keepers = 1;
    mrpc_lock_allow_bias(&heap->lock);
    heap->alive = MRPC_HEAP_ALIVE;
    return heap;
}

/* What is not to be had at all is told here and not at the first message. */
static int commit_first_step(mrpc_heap *heap, mrpc_error *error)
{
    mrpc_range *range = &heap->range;
    if (mrpc_range_commit(range, mrpc_range_step(range)) != 0) {
        int reason = atomic_load_explicit(&range->refused, memory_order_relaxed);
        return mrpc_error_system(error, reason, "heap %s: cannot make its first segment of %zu bytes%s", range->name,
                                 range->segment_size, reason == EFBIG ? " under RLIMIT_FSIZE" : "");
    }
    mrpc_pages_extend(&heap->pages, (uint32_t)(mrpc_range_step(range) >> MRPC_PAGE_SHIFT));
    return 0;
}

int mrpc_heap_make(mrpc_heap **result, const mrpc_heap_options *options, bool seal_writes, mrpc_error *error)
{
    mrpc_heap_options complete;
    int status = complete_options(&complete, options, error);
    if (status != 0)
        return status;
    mrpc_heap *heap = map_heap(complete.limit, complete.segment_size);
    if (heap == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "heap %s: no memory for the tables of its %zu bytes", complete.name,
                              complete.limit);
    mrpc_range_options range = {.limit = complete.limit,
                                .segment_size = complete.segment_size,
                                .huge_pages = complete.huge_pages,
                                .seal_writes = seal_writes,
                                .name = complete.name,
                                .descriptors = heap->range.descriptors};
    status = mrpc_range_reserve(&heap->range, &range, error);
    if (status != 0)
        goto unmap;
    status = commit_first_step(heap, error);
    if (status != 0)
        goto release_range;
    *result = heap;
    return 0;

release_range:
    mrpc_range_release(&heap->range);
unmap:
    munmap(heap, heap->mapping_size);
    return status;
}

int mrpc_heap_new(mrpc_heap **heap, const mrpc_heap_options *options, mrpc_error *error)
{
    return mrpc_heap_make(heap, options, false, error);
}

/* The last keeper has gone. */
static void destroy(mrpc_heap *heap)
{
    MRPC_HEAP_UNPOISON(heap->range.base, atomic_load_explicit(&heap->range.committed, memory_order_relaxed));
    mrpc_range_release(&heap->range);
    mrpc_words_release(&heap->words);
    munmap(heap, heap->mapping_size);
}

void mrpc_heap_leave_for_good(mrpc_heap *heap)
{
    bool last = --heap->keepers == 0;
    mrpc_lock_release(&heap->lock);
    if (last)
        destroy(heap);
}

/* It can come back from 0, as long as an arena keeps the heap. */
void mrpc_heap_add_reference(mrpc_heap *heap, uint64_t amount)
{
    if (atomic_fetch_add_explicit(&heap->references, amount, memory_order_relaxed) != 0)
        return;
    mrpc_lock_take(&heap->lock);
    heap->keepers++;
    mrpc_lock_release(&heap->lock);
}

void mrpc_heap_drop_reference(mrpc_heap *heap, uint64_t amount)
{
    if (atomic_fetch_sub_explicit(&heap->references, amount, memory_order_acq_rel) != amount)
        return;
    mrpc_lock_take(&heap->lock);
    mrpc_heap_leave_for_good(heap);
}

mrpc_heap *mrpc_heap_ref(mrpc_heap *heap)
{
    if (heap != NULL)
        mrpc_heap_add_reference(heap, 1);
    return heap;
}

void mrpc_heap_unref(mrpc_heap *heap)
{
    if (heap != NULL)
        mrpc_heap_drop_reference(heap, 1);
}

/* --- allocating; all with the lock taken --- */

static void *take_small(mrpc_heap *heap, unsigned class)
{
    uint32_t first = mrpc_slab_find(heap, class);
    if (MRPC_UNLIKELY(first == MRPC_NO_PAGE))
        return NULL;
    mrpc_count(&heap->bytes_in_use, mrpc_class_size(class));
    return mrpc_slab_take(heap, first);
}

static void *take_large(mrpc_heap *heap, size_t bytes, size_t alignment)
{
    if (bytes > heap->range.limit)
        return NULL;
    uint32_t count = (uint32_t)((bytes + MRPC_PAGE_SIZE - 1) >> MRPC_PAGE_SHIFT);
    uint32_t unit = alignment > MRPC_PAGE_SIZE ? (uint32_t)(alignment >> MRPC_PAGE_SHIFT) : 1;
    uint32_t first = mrpc_heap_take_pages(heap, count, unit);
    if (first == MRPC_NO_PAGE)
        return NULL;
    mrpc_span *span = &heap->pages.span[first];
    span->slots = &span->own;
    span->pages = count;
    span->slot_count = 1;
    atomic_store_explicit(&span->own, MRPC_SLOT_LIVE, memory_order_relaxed);
    span->kind = MRPC_SPAN_LARGE;
    mrpc_pages_own(&heap->pages, first, count);
    mrpc_count(&heap->bytes_in_use, (uint64_t)count << MRPC_PAGE_SHIFT);
    char *address = mrpc_heap_page_address(heap, first);
    MRPC_HEAP_POISON(address + bytes, ((size_t)count << MRPC_PAGE_SHIFT) - bytes);
    return address;
}

/* A slab begins at a page, so its slots are aligned to what divides both their size and a page. */
static void *take_aligned(mrpc_heap *heap, size_t bytes, size_t alignment)
{
    if (bytes > MRPC_SMALL_MAX || alignment > MRPC_PAGE_SIZE)
        return take_large(heap, bytes, alignment);
    unsigned class = mrpc_class_of(bytes);
    while (mrpc_class_size(class) % alignment != 0)
        class ++;
    return take_small(heap, class);
}

static void *allocate(mrpc_heap *heap, size_t bytes, size_t alignment, uint64_t keepers)
{
    if (MRPC_UNLIKELY(heap->alive != MRPC_HEAP_ALIVE))
        return NULL;
    if (bytes == 0)
        bytes = 1;
    mrpc_lock_take(&heap->lock);
    if (heap->backlog != 0 || atomic_load_explicit(&heap->queue, memory_order_relaxed) != 0)
        mrpc_heap_collect_some(heap, MRPC_HEAP_COLLECT);
    void *memory = alignment <= 16 && bytes <= MRPC_SMALL_MAX ? take_small(heap, mrpc_class_of(bytes))
                                                              : take_aligned(heap, bytes, alignment);
    mrpc_count(memory != NULL ? &heap->allocations : &heap->failures, 1);
    if (memory != NULL)
        heap->keepers += keepers;
    mrpc_lock_release(&heap->lock);
    if (memory != NULL)
        MRPC_HEAP_UNPOISON(memory, bytes);
    return memory;
}

void *mrpc_heap_alloc(mrpc_heap *heap, size_t bytes)
{
    return allocate(heap, bytes, 16, 0);
}

void *mrpc_heap_alloc_arena(mrpc_heap *heap, size_t bytes)
{
    return allocate(heap, bytes, 16, 1);
}

void *mrpc_heap_alloc_aligned(mrpc_heap *heap, size_t bytes, size_t alignment)
{
    if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > LARGEST_ALIGNMENT)
        return NULL;
    return allocate(heap, bytes, alignment, 0);
}

void *mrpc_heap_alloc_zero(mrpc_heap *heap, size_t bytes)
{
    void *memory = allocate(heap, bytes, 16, 0);
    return memory != NULL ? memset(memory, 0, bytes) : NULL;
}

void mrpc_heap_collect(mrpc_heap *heap)
{
    mrpc_lock_take(&heap->lock);
    mrpc_heap_collect_some(heap, SIZE_MAX);
    mrpc_lock_release(&heap->lock);
}

/* --- looking --- */

bool mrpc_heap_locate(const mrpc_heap *heap, const void *pointer, size_t bytes, uint32_t *segment, uint64_t *offset)
{
    size_t distance = (size_t)((uintptr_t)pointer - (uintptr_t)heap->range.base);
    size_t committed = atomic_load_explicit(&heap->range.committed, memory_order_acquire);
    if (distance >= committed || bytes > committed - distance)
        return false;
    if (segment != NULL)
        *segment = (uint32_t)(distance / heap->range.segment_size);
    if (offset != NULL)
        *offset = distance & (heap->range.segment_size - 1);
    return true;
}

int mrpc_heap_segment_fd(const mrpc_heap *heap, uint32_t segment)
{
    if (segment >= atomic_load_explicit(&heap->range.segments, memory_order_acquire))
        return -1;
    return heap->range.descriptors[segment];
}

size_t mrpc_heap_segment_size(const mrpc_heap *heap)
{
    return heap->range.segment_size;
}

static uint64_t read_counter(const mrpc_counter *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void mrpc_heap_get_stats(const mrpc_heap *heap, mrpc_heap_stats *stats)
{
    mrpc_heap_collect((mrpc_heap *)(uintptr_t)heap); /* does not change what the caller can see of a heap */
    *stats = (mrpc_heap_stats){
        .allocations = read_counter(&heap->allocations),
        .frees = read_counter(&heap->frees),
        .failures = read_counter(&heap->failures),
        .bad_frees = read_counter(&heap->bad_frees),
        .bytes_in_use = read_counter(&heap->bytes_in_use),
        .bytes_committed = atomic_load_explicit(&heap->range.committed, memory_order_relaxed),
        .bytes_limit = heap->range.limit,
        .segments = atomic_load_explicit(&heap->range.segments, memory_order_relaxed),
        .held = (uint32_t)(atomic_load_explicit(&heap->references, memory_order_relaxed) >> 32),
        .refused_errno = atomic_load_explicit(&heap->range.refused, memory_order_relaxed),
        .huge = atomic_load_explicit(&heap->range.huge, memory_order_relaxed),
    };
}
