/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - options that the application gives: copied, checked, completed with the defaults */
#ifndef MRPC_RUNTIME_OPTIONS_H
#define MRPC_RUNTIME_OPTIONS_H

#include <stddef.h>

#include <mrpc/channel.h>
#include <mrpc/error.h>
#include <mrpc/heap.h>

/* Copies an options struct that begins with its size, of whatever version the caller was compiled with, into *mine of
 * `size` bytes: what the caller does not have becomes zero. NULL: all zero. EINVAL: no size, or something is set that
 * is not known here. */
MRPC_MUST_CHECK int mrpc_options_copy(void *mine, size_t size, const void *given, const char *what, mrpc_error *error);

/* Checks connection options, fills in the defaults and copies the texts, which mrpc_connection_options_drop() frees;
 * `given` with size 0 (not mentioned) means all defaults. EINVAL names the option; ENOMEM. */
MRPC_MUST_CHECK int mrpc_connection_options_take(mrpc_connection_options *taken, const mrpc_connection_options *given,
                                                 mrpc_error *error);
void mrpc_connection_options_drop(mrpc_connection_options *taken);

/* Makes a heap of at most `limit` bytes (0: the default), which the application sets by `option`: errors name that. As
 * mrpc_heap_new. */
MRPC_MUST_CHECK int mrpc_options_make_heap(mrpc_heap **heap, size_t limit, const char *name, const char *option,
                                           mrpc_error *error);

#endif /* MRPC_RUNTIME_OPTIONS_H */
