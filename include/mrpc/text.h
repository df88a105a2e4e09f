/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h - messages to and from protobuf's text format (https://protobuf.dev/reference/protobuf/textformat-spec/)
 *
 * mrpc_message_text() in message.h is all that most programs need to print. Nothing here blocks, needs the marshal
 * module of the message itself, or depends on the locale; all of it may be called by several threads at once.
 */
#ifndef MRPC_TEXT_H
#define MRPC_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <mrpc/error.h>
#include <mrpc/extension.h>
#include <mrpc/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zero is the default. */
typedef struct mrpc_text_options {
    size_t size;                   /* sizeof(mrpc_text_options) */
    const mrpc_registry *registry; /* files whose extensions have names, and whose messages can be in an Any, besides
                                      those of the messages themselves; NULL: no others. Borrowed */
    bool hide_unknown;             /* printing: leaves unknown fields out */
} mrpc_text_options;

/* As mrpc_message_text(), with options; NULL: none. */
MRPC_API size_t mrpc_message_text_with(const mrpc_type *type, const void *message, const mrpc_text_options *options,
                                       char *buffer, size_t size);

/* A message from `size` bytes of text, in an arena of its own over `heap` (NULL: malloc), which the caller releases.
 *
 * Known are all fields and oneofs, groups by the name of their message or of their field, extensions in brackets
 * (`[package.name]: 5`), and the messages of an Any (`[type.googleapis.com/package.Name] { … }`), whose type must come
 * from the file of `type`, from what that imports, or from the registry, and whose marshal module must be in the
 * program. Refused are fields that are not known, what has no place for a second value, text that is no UTF-8 where it
 * must be, numbers out of range, nesting deeper than MRPC_DEPTH_LIMIT (marshal.h), and messages without a required
 * field. Of several entries of a map with one key the last one stays.
 *
 * Returns 0; or, with *message NULL, MRPC_EFORMAT, with "line L, column C: field.inner: why" in *error (lines and
 * columns from 1; columns count bytes), or MRPC_ENOMEM.
 * Memory: that of the message, and while a map is sorted whose entries did not come in order, a copy of them. Time:
 * linear in the text, but for such maps; times the depth for what lies in Any or extensions, which are encoded. */
MRPC_API MRPC_MUST_CHECK int mrpc_message_from_text(const mrpc_type *type, const char *text, size_t size,
                                                    const mrpc_text_options *options, mrpc_heap *heap, void **message,
                                                    mrpc_error *error);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_TEXT_H */
