/* SPDX-License-Identifier: BSD-2-Clause */
/* storage.h - what the public functions of storage.c are made of */
#ifndef MRPC_STORAGE_H
#define MRPC_STORAGE_H

#include <mrpc/marshal.h>

/* By the codec that is linked into the program, or by the tables of the type. As mrpc_codec.encode. */
MRPC_MUST_CHECK int mrpc_encode_any(const mrpc_type *type, mrpc_gather *gather, const void *message);

/* As mrpc_message_decode(), in the arena of another message. MRPC_EINVAL: that has none. On failure *message is left
 * alone; what was taken from the arena stays taken. */
MRPC_MUST_CHECK int mrpc_message_decode_in(const mrpc_type *type, const void *data, size_t size, void *owner,
                                           void **message, mrpc_error *error);

#endif /* MRPC_STORAGE_H */
