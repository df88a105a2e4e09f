/* SPDX-License-Identifier: BSD-2-Clause */
/* storage.h - what the public functions of storage.c are made of */
#ifndef MRPC_STORAGE_H
#define MRPC_STORAGE_H

#include <mrpc/marshal.h>

/* By the codec that is linked into the program, or by the tables of the type. As mrpc_codec.encode. */
MRPC_MUST_CHECK int mrpc_encode_any(const mrpc_type *type, mrpc_gather *gather, const void *message);

/* Likewise, as mrpc_codec.decode. */
MRPC_MUST_CHECK int mrpc_decode_any(const mrpc_type *type, mrpc_decoder *decoder, void *message);

/* A message in an arena of its own, still zero, for `size` bytes that are to be decoded, most of which stay where they
 * are with `alias`; NULL: no memory, with the reason in *error. */
MRPC_MUST_CHECK mrpc_message *mrpc_storage_new(const mrpc_type *type, size_t size, bool alias, mrpc_heap *heap,
                                               mrpc_error *error);

/* Says in *error what the decoder met, at byte `at` of `size`. Returns `result`. */
int mrpc_storage_explain(const mrpc_decoder *decoder, const mrpc_type *type, int result, size_t at, size_t size,
                         mrpc_error *error);

/* As mrpc_message_decode(), in the arena of another message. MRPC_EINVAL: that has none. On failure *message is left
 * alone; what was taken from the arena stays taken. */
MRPC_MUST_CHECK int mrpc_message_decode_in(const mrpc_type *type, const void *data, size_t size, void *owner,
                                           void **message, mrpc_error *error);

#endif /* MRPC_STORAGE_H */
