/* SPDX-License-Identifier: BSD-2-Clause */
/* meta.h - metadata as it is on the wire (docs/PROTOCOL.md section 2): written, checked, looked up */
#ifndef MRPC_RUNTIME_META_H
#define MRPC_RUNTIME_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mrpc/call.h>
#include <mrpc/error.h>

enum { META_LIMIT = 8192, META_TRAILER = 1 };

/* A section of items, from malloc. */
typedef struct mrpc_meta {
    uint32_t size; /* bytes in data, padded to 8 */
    uint32_t capacity;
    char data[];
} mrpc_meta;

/* Bytes that an item takes. */
size_t mrpc_meta_item_size(size_t key_size, size_t value_size);
/* Writes an item at `at`, 8-aligned, with room for it; returns its size. */
size_t mrpc_meta_write(char *at, const char *key, const void *value, size_t value_size, uint16_t flags);

/* What is wrong with an item of the application's, apart from its size; NULL: nothing. */
const char *mrpc_meta_complaint(const mrpc_metadata *entry);
/* Appends the application's items to *meta, which is made when it is NULL. Errors: EINVAL (a key that is not lower-case
 * ASCII, begins with ':' or is empty; a value that is not printable although the key does not end in -bin), ELIMIT,
 * ENOMEM; *meta is unchanged then. */
MRPC_MUST_CHECK int mrpc_meta_add(mrpc_meta **meta, const mrpc_metadata *items, size_t count, uint16_t flags);
/* Appends all items of a section from the wire that are the application's (their key does not begin with ':'). EPROTO:
 * one is not as mrpc_meta_add() would take it, and *complaint says why; ELIMIT, ENOMEM. */
MRPC_MUST_CHECK int mrpc_meta_keep(mrpc_meta **meta, const char *section, size_t size, const char **complaint);
/* Whether a section from the wire is well-formed. */
bool mrpc_meta_valid(const char *section, size_t size);
/* The value of a key, in the section; NULL: none. */
const char *mrpc_meta_find(const char *section, size_t size, const char *key, size_t *value_size);

/* All items, for the application; NULL when there are none or there is no memory. */
mrpc_metadata_list *mrpc_meta_list(const mrpc_meta *meta);

#endif /* MRPC_RUNTIME_META_H */
