/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poorest.c - a library to preload that makes of any RDMA device the poorest that mrpc works with
 *
 * No shared receive queue, no inline data, 6 segments to a work request, no immediate data, no memory windows, and a
 * completion queue that keeps its size: what iWARP devices lack. The device says so where it can be asked, and refuses
 * all the same; how much is taken inline can only be tried. Errors of ibv_post_send() are negative, as siw's are. It
 * says on stderr that it is there when the first device is asked.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#define EXPORT __attribute__((visibility("default")))

enum { SEGMENTS = 6 };

static void *next(const char *library, const char *name)
{
    void *handle = dlopen(library, RTLD_NOW);
    void *function = handle == NULL ? NULL : dlsym(handle, name);
    if (function == NULL)
        abort();
    return function;
}

EXPORT int ibv_query_device(struct ibv_context *context, struct ibv_device_attr *attributes);
int ibv_query_device(struct ibv_context *context, struct ibv_device_attr *attributes)
{
    int (*real)(struct ibv_context *, struct ibv_device_attr *) =
        (int (*)(struct ibv_context *, struct ibv_device_attr *))next("libibverbs.so.1", "ibv_query_device");
    int reason = real(context, attributes);
    attributes->max_mw = 0;
    attributes->max_sge = SEGMENTS;
    attributes->max_srq = attributes->max_srq_wr = attributes->max_srq_sge = 0;
    (void)fprintf(stderr, "# the poorest device\n");
    return reason;
}

EXPORT struct ibv_srq *ibv_create_srq(struct ibv_pd *pd, struct ibv_srq_init_attr *attributes);
struct ibv_srq *ibv_create_srq(struct ibv_pd *pd, struct ibv_srq_init_attr *attributes)
{
    (void)pd;
    (void)attributes;
    errno = ENOSYS;
    return NULL;
}

EXPORT int ibv_resize_cq(struct ibv_cq *cq, int size);
int ibv_resize_cq(struct ibv_cq *cq, int size)
{
    (void)cq;
    (void)size;
    return ENOSYS;
}

EXPORT int rdma_create_qp(struct rdma_cm_id *id, struct ibv_pd *pd, struct ibv_qp_init_attr *attributes);
int rdma_create_qp(struct rdma_cm_id *id, struct ibv_pd *pd, struct ibv_qp_init_attr *attributes)
{
    int (*real)(struct rdma_cm_id *, struct ibv_pd *, struct ibv_qp_init_attr *) =
        (int (*)(struct rdma_cm_id *, struct ibv_pd *, struct ibv_qp_init_attr *))next("librdmacm.so.1",
                                                                                       "rdma_create_qp");
    if (attributes->srq != NULL || attributes->cap.max_inline_data > 0 || attributes->cap.max_send_sge > SEGMENTS) {
        errno = EINVAL;
        return -1;
    }
    return real(id, pd, attributes);
}

/* --- what is a function of the device --- */

static int (*real_post_send)(struct ibv_qp *qp, struct ibv_send_wr *requests, struct ibv_send_wr **bad);

static int poor_post_send(struct ibv_qp *qp, struct ibv_send_wr *requests, struct ibv_send_wr **bad)
{
    for (struct ibv_send_wr *request = requests; request != NULL; request = request->next) {
        bool immediate = request->opcode == IBV_WR_SEND_WITH_IMM || request->opcode == IBV_WR_RDMA_WRITE_WITH_IMM;
        if (immediate || request->opcode == IBV_WR_BIND_MW || (request->send_flags & IBV_SEND_INLINE) != 0 ||
            request->num_sge > SEGMENTS) {
            *bad = requests;
            return -EINVAL;
        }
    }
    return real_post_send(qp, requests, bad);
}

EXPORT struct ibv_cq *ibv_create_cq(struct ibv_context *context, int size, void *user, struct ibv_comp_channel *channel,
                                    int vector);
struct ibv_cq *ibv_create_cq(struct ibv_context *context, int size, void *user, struct ibv_comp_channel *channel,
                             int vector)
{
    struct ibv_cq *(*real)(struct ibv_context *, int, void *, struct ibv_comp_channel *, int) =
        (struct ibv_cq * (*)(struct ibv_context *, int, void *, struct ibv_comp_channel *, int))
            next("libibverbs.so.1", "ibv_create_cq");
    if (context->ops.post_send != poor_post_send) {
        real_post_send = context->ops.post_send;
        context->ops.post_send = poor_post_send;
    }
    return real(context, size, user, channel, vector);
}
