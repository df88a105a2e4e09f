/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * failing_verbs.c - what mrpc-rdma.so calls, before it gets there: verbs, the connection manager, and the C library's
 * allocations
 *
 * The program that links this exports these functions (-rdynamic), so the dynamic linker binds the module's calls to
 * them. Those verbs that are functions of a device and inline in <infiniband/verbs.h> are replaced in the device's
 * table when its first completion queue is made. tests/rdma/verbs.sh sees that no verb of the transport is missing
 * here.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include "tests/unit/failing_alloc.h"
#include "tests/unit/failing_verbs.h"

#undef ibv_get_device_list
#undef ibv_reg_mr

#define EXPORT __attribute__((visibility("default")))

/* The library's own, which the module has loaded. */
static void *next(const char *name)
{
    void *library = dlopen(strncmp(name, "rdma_", 5) == 0 ? "librdmacm.so.1" : "libibverbs.so.1", RTLD_NOW);
    void *function = library == NULL ? NULL : dlsym(library, name);
    if (function == NULL)
        abort();
    return function;
}

/* Where the module that calls verbs lies, which has been loaded from a copy without a name. */
static const void *module;

static const void *object_of(const void *address)
{
    Dl_info info;
    return dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

/* --- who has called what --- */

enum { SITES = 256 };

/* A place that a verb is called from; those outside of the module are remembered so as to be found quickly. */
typedef struct site {
    const void *address;
    const char *verb;
    bool inside;
    unsigned calls, failures;
} site;

static struct {
    pthread_mutex_t lock;
    size_t count;
    site list[SITES];
} sites = {.lock = PTHREAD_MUTEX_INITIALIZER};

static site *site_at(const char *verb, const void *address)
{
    for (size_t i = 0; i < sites.count; i++)
        if (sites.list[i].address == address && sites.list[i].verb == verb)
            return &sites.list[i];
    if (sites.count == SITES)
        abort();
    if (module == NULL) /* the module is the first to call any */
        module = object_of(address);
    sites.list[sites.count] = (site){.address = address, .verb = verb, .inside = object_of(address) == module};
    return &sites.list[sites.count++];
}

static bool is_due(const char *verb, const void *address, enum failing_calls what)
{
    bool due = failing_alloc_due(what);
    int reason = errno;
    pthread_mutex_lock(&sites.lock);
    site *from = site_at(verb, address);
    from->calls++;
    from->failures += due;
    pthread_mutex_unlock(&sites.lock);
    errno = reason;
    return due;
}

#define IS_DUE(verb, what) is_due(verb, __builtin_return_address(0), what)

/* RESULT NAME(PARAMETERS): FAILED when it is its turn, else the real one of the ARGUMENTS. */
#define VERB(result, name, parameters, arguments, failed)                                                              \
    EXPORT result name parameters;                                                                                     \
    result name parameters                                                                                             \
    {                                                                                                                  \
        static result(*real) parameters;                                                                               \
        if (IS_DUE(#name, FAILING_VERBS))                                                                              \
            return failed;                                                                                             \
        if (real == NULL)                                                                                              \
            real = (result(*) parameters)next(#name);                                                                  \
        return real arguments;                                                                                         \
    }

/* --- the connection manager: -1 and errno --- */

VERB(struct rdma_event_channel *, rdma_create_event_channel, (void), (), NULL)
VERB(int, rdma_create_id,
     (struct rdma_event_channel * channel, struct rdma_cm_id **id, void *context, enum rdma_port_space space),
     (channel, id, context, space), -1)
VERB(int, rdma_bind_addr, (struct rdma_cm_id * id, struct sockaddr *address), (id, address), -1)
VERB(int, rdma_listen, (struct rdma_cm_id * id, int backlog), (id, backlog), -1)
VERB(int, rdma_resolve_addr,
     (struct rdma_cm_id * id, struct sockaddr *source, struct sockaddr *destination, int timeout),
     (id, source, destination, timeout), -1)
VERB(int, rdma_resolve_route, (struct rdma_cm_id * id, int timeout), (id, timeout), -1)
VERB(int, rdma_create_qp, (struct rdma_cm_id * id, struct ibv_pd *pd, struct ibv_qp_init_attr *attributes),
     (id, pd, attributes), -1)
VERB(int, rdma_connect, (struct rdma_cm_id * id, struct rdma_conn_param *parameters), (id, parameters), -1)
VERB(int, rdma_accept, (struct rdma_cm_id * id, struct rdma_conn_param *parameters), (id, parameters), -1)
VERB(int, rdma_get_cm_event, (struct rdma_event_channel * channel, struct rdma_cm_event **event), (channel, event), -1)
VERB(int, rdma_set_option, (struct rdma_cm_id * id, int level, int name, void *value, size_t size),
     (id, level, name, value, size), -1)
VERB(struct ibv_context **, rdma_get_devices, (int *count), (count), NULL)

/* --- verbs: NULL and errno, or an errno --- */

static int failed_errno(void)
{
    return errno;
}

VERB(int, ibv_query_device, (struct ibv_context * context, struct ibv_device_attr *attributes), (context, attributes),
     failed_errno())
VERB(struct ibv_device **, ibv_get_device_list, (int *count), (count), NULL)
VERB(struct ibv_context *, ibv_open_device, (struct ibv_device * device), (device), NULL)
VERB(ssize_t, _ibv_query_gid_table,
     (struct ibv_context * context, struct ibv_gid_entry *entries, size_t most, uint32_t flags, size_t size),
     (context, entries, most, flags, size), -failed_errno())
VERB(struct ibv_pd *, ibv_alloc_pd, (struct ibv_context * context), (context), NULL)
VERB(struct ibv_mr *, ibv_reg_mr, (struct ibv_pd * pd, void *address, size_t size, int access),
     (pd, address, size, access), NULL)
VERB(struct ibv_comp_channel *, ibv_create_comp_channel, (struct ibv_context * context), (context), NULL)
VERB(int, ibv_resize_cq, (struct ibv_cq * cq, int size), (cq, size), failed_errno())
VERB(struct ibv_srq *, ibv_create_srq, (struct ibv_pd * pd, struct ibv_srq_init_attr *attributes), (pd, attributes),
     NULL)
VERB(int, ibv_get_cq_event, (struct ibv_comp_channel * channel, struct ibv_cq **cq, void **context),
     (channel, cq, context), -1)

/* --- verbs that are functions of the device --- */

static struct ibv_context_ops real_ops;

static int failing_post_send(struct ibv_qp *qp, struct ibv_send_wr *requests, struct ibv_send_wr **bad)
{
    *bad = requests;
    return IS_DUE("ibv_post_send", FAILING_VERBS) ? failed_errno() : real_ops.post_send(qp, requests, bad);
}

static int failing_post_recv(struct ibv_qp *qp, struct ibv_recv_wr *requests, struct ibv_recv_wr **bad)
{
    *bad = requests;
    return IS_DUE("ibv_post_recv", FAILING_VERBS) ? failed_errno() : real_ops.post_recv(qp, requests, bad);
}

static int failing_post_srq_recv(struct ibv_srq *srq, struct ibv_recv_wr *requests, struct ibv_recv_wr **bad)
{
    *bad = requests;
    return IS_DUE("ibv_post_srq_recv", FAILING_VERBS) ? failed_errno() : real_ops.post_srq_recv(srq, requests, bad);
}

static int failing_poll_cq(struct ibv_cq *cq, int count, struct ibv_wc *completions)
{
    return IS_DUE("ibv_poll_cq", FAILING_POLLS) ? -failed_errno() : real_ops.poll_cq(cq, count, completions);
}

static int failing_req_notify_cq(struct ibv_cq *cq, int solicited)
{
    return IS_DUE("ibv_req_notify_cq", FAILING_VERBS) ? failed_errno() : real_ops.req_notify_cq(cq, solicited);
}

static struct ibv_mw *failing_alloc_mw(struct ibv_pd *pd, enum ibv_mw_type type)
{
    if (!IS_DUE("ibv_alloc_mw", FAILING_VERBS))
        return real_ops.alloc_mw(pd, type);
    errno = failed_errno();
    return NULL;
}

static void replace_ops(struct ibv_context *context)
{
    if (context->ops.post_send == failing_post_send)
        return;
    real_ops = context->ops;
    context->ops.post_send = failing_post_send;
    context->ops.post_recv = failing_post_recv;
    context->ops.post_srq_recv = failing_post_srq_recv;
    context->ops.poll_cq = failing_poll_cq;
    context->ops.req_notify_cq = failing_req_notify_cq;
    context->ops.alloc_mw = failing_alloc_mw;
}

EXPORT struct ibv_cq *ibv_create_cq(struct ibv_context *context, int size, void *user, struct ibv_comp_channel *channel,
                                    int vector);
struct ibv_cq *ibv_create_cq(struct ibv_context *context, int size, void *user, struct ibv_comp_channel *channel,
                             int vector)
{
    static struct ibv_cq *(*real)(struct ibv_context *, int, void *, struct ibv_comp_channel *, int);
    if (real == NULL)
        real = (struct ibv_cq * (*)(struct ibv_context *, int, void *, struct ibv_comp_channel *, int))
            next("ibv_create_cq");
    replace_ops(context);
    return IS_DUE("ibv_create_cq", FAILING_VERBS) ? NULL : real(context, size, user, channel, vector);
}

/* --- allocations of the module, and of nobody else --- */

void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static bool allocation_is_due(const void *caller)
{
    return failing_alloc_armed(FAILING_ALLOCATIONS) && module != NULL && object_of(caller) == module &&
           failing_alloc_due(FAILING_ALLOCATIONS);
}

EXPORT void *calloc(size_t count, size_t size);
void *calloc(size_t count, size_t size)
{
    if (allocation_is_due(__builtin_return_address(0)))
        return NULL;
    return __libc_calloc(count, size);
}

EXPORT void *realloc(void *memory, size_t size);
void *realloc(void *memory, size_t size)
{
    if (allocation_is_due(__builtin_return_address(0)))
        return NULL;
    return __libc_realloc(memory, size);
}

/* --- what was left out --- */

void failing_verbs_print(void)
{
    pthread_mutex_lock(&sites.lock);
    for (size_t i = 0; i < sites.count; i++) {
        const site *from = &sites.list[i];
        if (from->inside)
            printf("# %s at +0x%lx: %u calls, %u made to fail\n", from->verb,
                   (unsigned long)((const char *)from->address - (const char *)module), from->calls, from->failures);
    }
    pthread_mutex_unlock(&sites.lock);
}
