/* SPDX-License-Identifier: BSD-2-Clause */
/* verbs.c - what failed, in words */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <errno.h>
#include <string.h>

static const char *advice(const char *verb, int reason)
{
    if (reason == ENOMEM && strcmp(verb, "ibv_reg_mr") == 0)
        return " (memory that may be locked: raise ulimit -l or LimitMEMLOCK, see mrpcctl doctor)";
    if (reason == EACCES || reason == EPERM)
        return " (permission: the user needs access to /dev/infiniband)";
    if (reason == ENODEV)
        return " (no RDMA device for this address: see mrpcctl doctor)";
    return "";
}

int mrpc_rdma_error(mrpc_error *error, const char *where, const char *verb, int system_errno)
{
    int reason = system_errno < 0 ? -system_errno : system_errno; /* some providers return it negative */
    int code = mrpc_error_system(error, reason, "%s: %s%s", where, verb, advice(verb, reason));
    if (reason == ENOMEM)
        code = MRPC_ENOMEM;
    else if (reason == EACCES || reason == EPERM)
        code = MRPC_EPERM;
    if (error != NULL)
        error->code = code;
    return code;
}
