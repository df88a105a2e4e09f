/* SPDX-License-Identifier: BSD-2-Clause */
/* bind.c - methods by number: what a server has told one client */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/session.h"

static int reserve(mrpc_session *session, uint32_t number)
{
    if (number < session->bound_count)
        return 0;
    uint32_t count = (number + 16) & ~UINT32_C(15);
    uint8_t *larger = realloc(session->bound, count);
    if (larger == NULL)
        return MRPC_ENOMEM;
    memset(larger + session->bound_count, 0, count - session->bound_count);
    session->bound = larger;
    session->bound_count = count;
    session->runtime->engine.counters.allocations++;
    return 0;
}

int mrpc_session_bind(mrpc_session *session, uint32_t call, uint32_t number, bool protobuf)
{
    if (reserve(session, number) != 0)
        return MRPC_ENOMEM;
    session->bound[number] = protobuf ? BOUND_PROTOBUF : BOUND_NATIVE;
    const mrpc_frame header = {
        .type = FRAME_BIND, .flags = protobuf ? FRAME_PROTOBUF : 0, .call = call, .method = number};
    mrpc_session_control(session, &header, NULL, 0);
    return 0;
}
