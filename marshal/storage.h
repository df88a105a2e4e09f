/* SPDX-License-Identifier: BSD-2-Clause */
/* storage.h - what the public functions of storage.c are made of */
#ifndef MRPC_STORAGE_H
#define MRPC_STORAGE_H

#include <mrpc/marshal.h>

/* The codec of a type; NULL: the program has no marshal module for it. */
const mrpc_codec *mrpc_linked_codec(const mrpc_type *type);

/* As mrpc_message_decode(), in the arena of another message. MRPC_EINVAL: that has none. On failure *message is left
 * alone; what was taken from the arena stays taken. */
MRPC_MUST_CHECK int mrpc_message_decode_in(const mrpc_type *type, const void *data, size_t size, void *owner,
                                           void **message, mrpc_error *error);

#endif /* MRPC_STORAGE_H */
