/* SPDX-License-Identifier: BSD-2-Clause */
/* transport.c - which transport an address names */
#include "config.h"

#include "transports/transport.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const mrpc_transport *const built_in[] = {
    &mrpc_transport_tcp,
    &mrpc_transport_shm,
    &mrpc_transport_sim,
};

enum { BUILT_IN = sizeof built_in / sizeof built_in[0], LOADED_MAX = 8 };

/* Shared objects belong to the process, and so does this list. Entries are only added, by one thread at a time. */
static _Atomic(const mrpc_transport *) loaded[LOADED_MAX];

void mrpc_transport_add(const mrpc_transport *transport)
{
    for (size_t i = 0; i < LOADED_MAX; i++) {
        if (atomic_load_explicit(&loaded[i], memory_order_relaxed) != NULL)
            continue;
        atomic_store_explicit(&loaded[i], transport, memory_order_release);
        return;
    }
}

/* The transport at `index` of both lists; NULL: there are no more. */
static const mrpc_transport *transport_at(size_t index)
{
    if (index < BUILT_IN)
        return built_in[index];
    return index < BUILT_IN + LOADED_MAX ? atomic_load_explicit(&loaded[index - BUILT_IN], memory_order_acquire) : NULL;
}

/* "tcp://, shm://" */
static void list_schemes(char *text, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < BUILT_IN && length < size; i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): no place of the table is empty */
        length += (size_t)snprintf(text + length, size - length, "%s%s://", i > 0 ? ", " : "", built_in[i]->scheme);
}

int mrpc_transport_find(const char *address, const mrpc_transport **transport, const char **rest, mrpc_error *error)
{
    const char *separator = address != NULL ? strstr(address, "://") : NULL;
    if (separator == NULL || separator == address)
        return mrpc_error_set(error, MRPC_EINVAL,
                              "\"%s\" is not an address; write e.g. tcp://127.0.0.1:5000 or shm://hello",
                              address != NULL ? address : "");
    size_t length = (size_t)(separator - address);
    const mrpc_transport *candidate;
    for (size_t i = 0; (candidate = transport_at(i)) != NULL; i++) {
        if (strlen(candidate->scheme) == length && memcmp(candidate->scheme, address, length) == 0) {
            *transport = candidate;
            *rest = separator + 3;
            return 0;
        }
    }
    char known[128];
    list_schemes(known, sizeof known);
    return mrpc_error_set(error, MRPC_ENOTSUP,
                          "%s: unknown transport \"%.*s\"; the known ones are %s, and rdma:// with mrpc-rdma.so",
                          address, (int)length, address, known);
}
