/* SPDX-License-Identifier: BSD-2-Clause */
/* options.c - checks every option that has a range */
#include "config.h"

#include "runtime/options.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int mrpc_options_copy(void *mine, size_t size, const void *given, const char *what, mrpc_error *error)
{
    memset(mine, 0, size);
    if (given == NULL)
        return 0;
    size_t given_size;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > 65536)
        return mrpc_error_set(error, MRPC_EINVAL, "%s.size is %zu: set it to sizeof(%s)", what, given_size, what);
    for (size_t i = size; i < given_size; i++)
        if (((const char *)given)[i] != 0)
            return mrpc_error_set(error, MRPC_EINVAL,
                                  "%s has an option that this version of libmrpc does not know (byte %zu of %zu)", what,
                                  i, given_size);
    memcpy(mine, given, given_size < size ? given_size : size);
    return 0;
}

static int out_of_range(mrpc_error *error, const char *name, uint64_t value, uint64_t least, uint64_t most)
{
    return mrpc_error_set(error, MRPC_EINVAL, "connection.%s is %llu: it must be between %llu and %llu", name,
                          (unsigned long long)value, (unsigned long long)least, (unsigned long long)most);
}

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
    return value == 0 ? fallback : value;
}

static int check_tcp(mrpc_connection_options *checked, mrpc_error *error)
{
    checked->unsent = (uint32_t)or_default(checked->unsent, 256 << 10);
    if (checked->send_buffer > INT32_MAX)
        return out_of_range(error, "send_buffer", checked->send_buffer, 0, INT32_MAX);
    if (checked->receive_buffer > INT32_MAX)
        return out_of_range(error, "receive_buffer", checked->receive_buffer, 0, INT32_MAX);
    if (checked->unsent < 4096 || checked->unsent > 1 << 30)
        return out_of_range(error, "unsent", checked->unsent, 4096, 1 << 30);
    if (checked->keepalive_s > 32767)
        return out_of_range(error, "keepalive_s", checked->keepalive_s, 0, 32767);
    if (checked->busy_poll_us > 1000000)
        return out_of_range(error, "busy_poll_us", checked->busy_poll_us, 0, 1000000);
    return 0;
}

/* 7 is refused as a number because it means "for ever": for rnr_retry as ibv_modify_qp(3) says, and on some devices for
 * the other count as well. */
static int check_rdma(mrpc_connection_options *checked, mrpc_error *error)
{
    checked->rdma_window = (uint32_t)or_default(checked->rdma_window, 16);
    checked->rdma_buffer = (uint32_t)or_default(checked->rdma_buffer, 16384);
    checked->rdma_segments = (uint32_t)or_default(checked->rdma_segments, 8);
    checked->rdma_read = or_default(checked->rdma_read, UINT64_MAX);
    checked->rdma_retry = (uint32_t)or_default(checked->rdma_retry, 6);
    checked->rdma_rnr_retry = (uint32_t)or_default(checked->rdma_rnr_retry, 6);
    if (checked->rdma_window > 1024)
        return out_of_range(error, "rdma_window", checked->rdma_window, 1, 1024);
    if (checked->rdma_buffer < 1024 || checked->rdma_buffer > 32768 || checked->rdma_buffer % 8 != 0)
        return mrpc_error_set(error, MRPC_EINVAL,
                              "connection.rdma_buffer is %u: it must be a multiple of 8 between 1024 and 32768",
                              checked->rdma_buffer);
    if (checked->rdma_segments < 2 || checked->rdma_segments > 16)
        return out_of_range(error, "rdma_segments", checked->rdma_segments, 2, 16);
    if (checked->rdma_retry > 6)
        return out_of_range(error, "rdma_retry (7 can mean for ever: set rdma_retry_forever for that)",
                            checked->rdma_retry, 1, 6);
    if (checked->rdma_rnr_retry > 6)
        return out_of_range(error, "rdma_rnr_retry (7 means for ever: set rdma_retry_forever for that)",
                            checked->rdma_rnr_retry, 1, 6);
    if (checked->rdma_ack_timeout_us != 0 && checked->rdma_ack_timeout_us < 8)
        return out_of_range(error, "rdma_ack_timeout_us", checked->rdma_ack_timeout_us, 8, UINT32_MAX);
    return 0;
}

static int check(mrpc_connection_options *checked, const mrpc_connection_options *given, mrpc_error *error)
{
    checked->size = sizeof *checked;
    checked->max_message = or_default(given->max_message, UINT64_C(64) << 20);
    checked->max_unfinished = or_default(given->max_unfinished, UINT64_C(256) << 20);
    if (given->max_unfinished == 0 && checked->max_unfinished < checked->max_message)
        checked->max_unfinished = checked->max_message;
    checked->max_held = or_default(given->max_held, UINT64_C(256) << 20);
    if (given->max_held == 0 && checked->max_held < checked->max_message)
        checked->max_held = checked->max_message;
    checked->max_calls = (uint32_t)or_default(given->max_calls, 4096);
    checked->window = or_default(given->window, 1 << 20);
    checked->chunk = (uint32_t)or_default(given->chunk, 65536);
    checked->shm_data = or_default(given->shm_data, 4 << 20);
    checked->shm_references = or_default(given->shm_references, UINT64_C(256) << 20);
    if (checked->max_message > UINT32_MAX - 4096)
        return out_of_range(error, "max_message", checked->max_message, 1, UINT32_MAX - 4096);
    if (checked->max_unfinished < checked->max_message || checked->max_unfinished > INT64_MAX)
        return out_of_range(error, "max_unfinished", checked->max_unfinished, checked->max_message, INT64_MAX);
    if (checked->max_held < checked->max_message || checked->max_held > INT64_MAX)
        return out_of_range(error, "max_held", checked->max_held, checked->max_message, INT64_MAX);
    if (checked->max_calls > 1 << 20)
        return out_of_range(error, "max_calls", checked->max_calls, 1, 1 << 20);
    if (checked->window > INT64_MAX / 4)
        return out_of_range(error, "window", checked->window, 1, INT64_MAX / 4);
    if (checked->chunk < 32768 || checked->chunk > 16 << 20)
        return out_of_range(error, "chunk", checked->chunk, 32768, 16 << 20);
    int failure = check_tcp(checked, error);
    return failure != 0 ? failure : check_rdma(checked, error);
}

static const char **text_at(mrpc_connection_options *options, size_t i)
{
    const char **texts[] = {&options->congestion, &options->source, &options->rdma_device};
    return i < sizeof texts / sizeof texts[0] ? texts[i] : NULL;
}

static int copy_texts(mrpc_connection_options *options, mrpc_error *error)
{
    bool all = true;
    const char **text;
    for (size_t i = 0; (text = text_at(options, i)) != NULL; i++) {
        bool wanted = *text != NULL;
        *text = wanted ? strdup(*text) : NULL;
        all &= !wanted || *text != NULL;
    }
    if (all)
        return 0;
    mrpc_connection_options_drop(options);
    return mrpc_error_set(error, MRPC_ENOMEM, "no memory for connection options");
}

int mrpc_connection_options_take(mrpc_connection_options *taken, const mrpc_connection_options *given,
                                 mrpc_error *error)
{
    mrpc_connection_options options = *given;
    int failure = check(&options, given, error);
    if (failure == 0)
        failure = copy_texts(&options, error);
    if (failure == 0)
        *taken = options;
    return failure;
}

void mrpc_connection_options_drop(mrpc_connection_options *taken)
{
    const char **text;
    for (size_t i = 0; (text = text_at(taken, i)) != NULL; i++) {
        free((void *)(uintptr_t)*text);
        *text = NULL;
    }
}

int mrpc_options_make_heap(mrpc_heap **heap, size_t limit, const char *name, const char *option, mrpc_error *error)
{
    mrpc_error reason;
    const mrpc_heap_options options = {.size = sizeof options, .limit = limit, .name = name};
    int result = mrpc_heap_new(heap, &options, &reason);
    if (result == 0)
        return 0;
    (void)mrpc_error_set(error, result, "%s: %s", option, reason.text);
    if (error != NULL)
        error->system_errno = reason.system_errno;
    return result;
}
