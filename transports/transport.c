/* SPDX-License-Identifier: BSD-2-Clause */
/* transport.c - which transport an address names */
#include "config.h"

#include "transports/transport.h"

#include <stdio.h>
#include <string.h>

static const mrpc_transport *const built_in[] = {
    &mrpc_transport_tcp,
    &mrpc_transport_shm,
    &mrpc_transport_sim,
};

enum { BUILT_IN = sizeof built_in / sizeof built_in[0] };

/* "tcp://, shm://" */
static void list_schemes(char *text, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < BUILT_IN && length < size; i++)
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
    for (size_t i = 0; i < BUILT_IN; i++) {
        if (strlen(built_in[i]->scheme) == length && memcmp(built_in[i]->scheme, address, length) == 0) {
            *transport = built_in[i];
            *rest = separator + 3;
            return 0;
        }
    }
    char known[128];
    list_schemes(known, sizeof known);
    return mrpc_error_set(error, MRPC_ENOTSUP, "%s: unknown transport \"%.*s\"; the known ones are %s", address,
                          (int)length, address, known);
}
