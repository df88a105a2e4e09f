/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - registered memory
 *
 * Registering pins pages and costs microseconds to milliseconds, so it is done for a whole segment of a heap at once,
 * when the segment is first used, and stays for as long as the registry. From an address to its key it takes a
 * subtraction and an index. The keys are local: they give a peer no right.
 */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int make_room(mrpc_rdma_registry *registry, uint32_t segment, mrpc_error *error)
{
    if (segment < registry->capacity)
        return 0;
    uint32_t capacity = registry->capacity == 0 ? 16 : registry->capacity;
    while (capacity <= segment)
        capacity *= 2;
    struct ibv_mr **regions = realloc(registry->regions, capacity * sizeof(*regions));
    if (regions == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "rdma: no memory for the table of registrations");
    memset(regions + registry->capacity, 0, (capacity - registry->capacity) * sizeof(*regions));
    registry->regions = regions;
    registry->capacity = capacity;
    return 0;
}

static int register_segment(mrpc_rdma_registry *registry, uint32_t segment, const char *base, mrpc_error *error)
{
    int failure = make_room(registry, segment, error);
    if (failure != 0)
        return failure;
    size_t bytes = mrpc_heap_segment_size(registry->heap);
    struct ibv_mr *region = ibv_reg_mr(registry->pd, (void *)(uintptr_t)base, bytes, registry->access);
    if (region == NULL)
        return mrpc_rdma_error(error, "rdma", "ibv_reg_mr", errno);
    registry->regions[segment] = region;
    registry->counters->rdma_registrations++;
    return 0;
}

/* 0, or why there is none. */
static int find_region(mrpc_rdma_registry *registry, const void *memory, size_t *bytes, struct ibv_mr **region,
                       mrpc_error *error)
{
    uint32_t segment;
    uint64_t offset;
    if (!mrpc_heap_locate(registry->heap, memory, *bytes, &segment, &offset))
        return mrpc_error_set(error, MRPC_EINVAL, "rdma: memory that is not in the heap");
    if (segment >= registry->capacity || registry->regions[segment] == NULL) {
        int failure = register_segment(registry, segment, (const char *)memory - offset, error);
        if (failure != 0)
            return failure;
    }
    size_t here = mrpc_heap_segment_size(registry->heap) - offset;
    if (*bytes > here)
        *bytes = here;
    *region = registry->regions[segment];
    return 0;
}

struct ibv_mr *mrpc_rdma_registry_region(mrpc_rdma_registry *registry, const void *memory, size_t *bytes,
                                         mrpc_error *error)
{
    struct ibv_mr *region;
    return find_region(registry, memory, bytes, &region, error) == 0 ? region : NULL;
}

int mrpc_rdma_registry_key(mrpc_rdma_registry *registry, const void *memory, size_t *bytes, uint32_t *key,
                           mrpc_error *error)
{
    struct ibv_mr *region;
    int failure = find_region(registry, memory, bytes, &region, error);
    if (failure == 0)
        *key = region->lkey;
    return failure;
}

void *mrpc_rdma_registry_alloc(mrpc_rdma_registry *registry, size_t bytes, uint32_t *key, mrpc_error *error)
{
    size_t alignment = 64; /* a power of two that is at least as large never lies across segments */
    while (alignment < bytes)
        alignment *= 2;
    void *memory = mrpc_heap_alloc_aligned(registry->heap, bytes, alignment);
    if (memory == NULL) {
        (void)mrpc_error_set(error, MRPC_ENOMEM, "rdma: no memory for buffers of %zu bytes", bytes);
        return NULL;
    }
    if (mrpc_rdma_registry_key(registry, memory, &bytes, key, error) == 0)
        return memory;
    mrpc_heap_free(registry->heap, memory);
    return NULL;
}

void mrpc_rdma_registry_clear(mrpc_rdma_registry *registry)
{
    /* It can fail only while a window is bound to the region, and those are gone. */
    for (uint32_t i = 0; i < registry->capacity; i++)
        if (registry->regions[i] != NULL)
            (void)ibv_dereg_mr(registry->regions[i]);
    free(registry->regions);
    registry->regions = NULL;
    registry->capacity = 0;
}

/* --- the heaps of others --- */

mrpc_rdma_registry *mrpc_rdma_registry_enter(mrpc_rdma_device *device, mrpc_heap *heap)
{
    mrpc_rdma_registry *registry = device->others;
    while (registry != NULL && registry->heap != heap)
        registry = registry->next;
    if (registry == NULL) {
        registry = calloc(1, sizeof *registry);
        if (registry == NULL)
            return NULL;
        *registry = device->registry;
        registry->regions = NULL;
        registry->capacity = 0;
        registry->heap = mrpc_heap_ref(heap);
        registry->next = device->others;
        device->others = registry;
    }
    registry->users++;
    return registry;
}

void mrpc_rdma_registry_leave(mrpc_rdma_device *device, mrpc_rdma_registry *registry)
{
    if (registry == NULL || --registry->users > 0)
        return;
    mrpc_rdma_registry **link = &device->others;
    while (*link != registry)
        link = &(*link)->next;
    *link = registry->next;
    mrpc_rdma_registry_clear(registry);
    mrpc_heap_unref(registry->heap);
    free(registry);
}
