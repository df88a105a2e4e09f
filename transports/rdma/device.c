/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c - a device as a loop uses it: its protection domain, and the memory that is sent from and received into
 *
 * A device may be removed while it is in use. The kernel tells those who have an id on it, so each has one, the anchor,
 * which also keeps librdmacm from closing the device before all is given back that was made with it. Drivers that
 * cannot take the device away from a process (Soft-RoCE is one) are not removed before every process has closed it.
 */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKS = 600, LOOK_NS = 100000000 }; /* for a minute after a removal */

/* Events find the device in the id's context, marked by the second lowest bit (see dispatch() in events.c). */
static int drop_anchor(mrpc_rdma_device *device, const struct sockaddr *own, mrpc_error *error)
{
    mrpc_address address = {0};
    memcpy(&address, own, own->sa_family == AF_INET6 ? sizeof address.v6 : sizeof address.v4);
    address.v4.sin_port = 0; /* that of the other family lies at the same place */
    const char *name = ibv_get_device_name(device->verbs->device);
    if (rdma_create_id(device->rdma->channel, &device->anchor, (char *)device + 2, RDMA_PS_TCP) != 0) {
        device->anchor = NULL;
        return mrpc_rdma_error(error, name, "rdma_create_id", errno);
    }
    if (rdma_bind_addr(device->anchor, &address.any) != 0)
        return mrpc_rdma_error(error, name, "rdma_bind_addr", errno);
    return 0;
}

static int open_device(mrpc_rdma_device *device, const struct sockaddr *own, mrpc_error *error)
{
    const char *name = ibv_get_device_name(device->verbs->device);
    int reason = ibv_query_device(device->verbs, &device->attributes);
    if (reason != 0)
        return mrpc_rdma_error(error, name, "ibv_query_device", reason);
    int failure = drop_anchor(device, own, error);
    if (failure != 0)
        return failure;
    device->pd = ibv_alloc_pd(device->verbs);
    if (device->pd == NULL)
        return mrpc_rdma_error(error, name, "ibv_alloc_pd", errno);
    const mrpc_heap_options options = {.size = sizeof options, .name = "mrpc rdma"};
    failure = mrpc_heap_new(&device->heap, &options, error);
    if (failure != 0)
        return failure;
    const unsigned windows = IBV_DEVICE_MEM_WINDOW_TYPE_2A | IBV_DEVICE_MEM_WINDOW_TYPE_2B;
    device->has_windows = (device->attributes.device_cap_flags & windows) != 0 && device->attributes.max_mw > 0;
    device->registry = (mrpc_rdma_registry){.pd = device->pd,
                                            .heap = device->heap,
                                            .access = IBV_ACCESS_LOCAL_WRITE |
                                                      (device->has_windows ? (unsigned)IBV_ACCESS_MW_BIND : 0),
                                            .counters = device->rdma->counters};
    device->buffers.heap = device->heap;
    return 0;
}

int mrpc_rdma_device_get(mrpc_rdma_device **result, mrpc_rdma *rdma, struct rdma_cm_id *id, mrpc_error *error)
{
    for (mrpc_rdma_device *device = rdma->devices; device != NULL; device = device->next) {
        if (device->verbs == id->verbs && !device->removed) {
            *result = device;
            return 0;
        }
    }
    mrpc_rdma_device *device = calloc(1, sizeof *device);
    if (device == NULL)
        return mrpc_error_set(error, MRPC_ENOMEM, "rdma: no memory for a device");
    device->rdma = rdma;
    device->verbs = id->verbs;
    int failure = open_device(device, rdma_get_local_addr(id), error);
    if (failure != 0) {
        mrpc_rdma_device_free(device);
        return failure;
    }
    device->next = rdma->devices;
    rdma->devices = device;
    *result = device;
    return 0;
}

int mrpc_rdma_device_make_replies(mrpc_rdma_device *device, mrpc_error *error)
{
    const mrpc_heap_options options = {.size = sizeof options, .name = "mrpc rdma replies"};
    return device->replies != NULL ? 0 : mrpc_heap_new(&device->replies, &options, error);
}

/* It closes devices that are gone when it next looks which there are. They are still there when the connection manager
 * tells of their removal, and go some time after the last process has destroyed its ids. */
static void let_librdmacm_look(mrpc_timer *timer)
{
    mrpc_rdma *rdma = (mrpc_rdma *)((char *)timer - offsetof(mrpc_rdma, looking));
    struct ibv_context **list = rdma_get_devices(NULL);
    if (list != NULL)
        rdma_free_devices(list);
    if (rdma->looks-- > 0)
        (void)!mrpc_loop_start(rdma->loop, timer, mrpc_loop_now(rdma->loop) + LOOK_NS);
}

void mrpc_rdma_let_librdmacm_notice(mrpc_rdma *rdma)
{
    rdma->looks = LOOKS;
    rdma->looking.expired = let_librdmacm_look;
    let_librdmacm_look(&rdma->looking);
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
    mrpc_heap_unref(device->replies);
    if (device->pd != NULL)
        (void)ibv_dealloc_pd(device->pd); /* it can fail only while something is left in it */
    if (device->anchor != NULL)
        (void)rdma_destroy_id(device->anchor);
    if (device->removed)
        mrpc_rdma_let_librdmacm_notice(device->rdma);
    free(device);
}

void mrpc_rdma_device_removed(const struct rdma_cm_event *event)
{
    mrpc_rdma_device *device = (mrpc_rdma_device *)(void *)((char *)event->id->context - 2);
    device->removed = true;
}

void mrpc_rdma_device_leave(mrpc_rdma_device *device)
{
    mrpc_rdma_device **link = &device->rdma->devices;
    while (*link != device)
        link = &(*link)->next;
    *link = device->next;
    mrpc_rdma_device_free(device);
}
