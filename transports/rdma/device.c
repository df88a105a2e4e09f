/* SPDX-License-Identifier: BSD-2-Clause */
/* device.c - a device as a loop uses it: its protection domain, and the memory that is sent from and received into */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <errno.h>
#include <stdlib.h>

static int open_device(mrpc_rdma_device *device, mrpc_error *error)
{
    const char *name = ibv_get_device_name(device->verbs->device);
    int reason = ibv_query_device(device->verbs, &device->attributes);
    if (reason != 0)
        return mrpc_rdma_error(error, name, "ibv_query_device", reason);
    device->pd = ibv_alloc_pd(device->verbs);
    if (device->pd == NULL)
        return mrpc_rdma_error(error, name, "ibv_alloc_pd", errno);
    const mrpc_heap_options options = {.size = sizeof options, .name = "mrpc rdma"};
    int failure = mrpc_heap_new(&device->heap, &options, error);
    if (failure != 0)
        return failure;
    device->registry = (mrpc_rdma_registry){.pd = device->pd, .heap = device->heap};
    device->buffers.heap = device->heap;
    return 0;
}

int mrpc_rdma_device_get(mrpc_rdma_device **result, mrpc_rdma *rdma, struct ibv_context *verbs, mrpc_error *error)
{
    for (mrpc_rdma_device *device = rdma->devices; device != NULL; device = device->next) {
        if (device->verbs == verbs) {
            *result = device;
            return 0;
        }
    }
    mrpc_rdma_device *device = calloc(1, sizeof *device);
    if (device == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "rdma: no memory for a device");
    device->rdma = rdma;
    device->verbs = verbs;
    int failure = open_device(device, error);
    if (failure != 0) {
        mrpc_rdma_device_free(device);
        return failure;
    }
    device->next = rdma->devices;
    rdma->devices = device;
    *result = device;
    return 0;
}

void mrpc_rdma_device_free(mrpc_rdma_device *device)
{
    while (device->hubs != NULL) {
        mrpc_rdma_hub *hub = device->hubs;
        device->hubs = hub->next;
        mrpc_rdma_hub_free(hub);
    }
    mrpc_buffers_clear(&device->buffers);
    mrpc_rdma_registry_clear(&device->registry);
    mrpc_heap_unref(device->heap);
    if (device->pd != NULL)
        (void)ibv_dealloc_pd(device->pd); /* it can fail only while something is left in it */
    free(device);
}

void mrpc_rdma_device_leave(mrpc_rdma_device *device)
{
    mrpc_rdma_device **link = &device->rdma->devices;
    while (*link != device)
        link = &(*link)->next;
    *link = device->next;
    mrpc_rdma_device_free(device);
}
