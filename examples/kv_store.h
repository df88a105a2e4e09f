/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kv_store.h - the store behind the key-value example: a hash table to find a key, a skip list to walk keys in order
 *
 * Not thread-safe: the handlers of a server all run on the thread that drives it.
 */
#ifndef KV_STORE_H
#define KV_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kv_store kv_store;

/* Some bytes of somebody else. */
typedef struct kv_slice {
    const void *data;
    size_t size;
} kv_slice;

/* A key with its value; owned by the store, valid until the key is changed or deleted. */
typedef struct kv_item kv_item;
kv_slice kv_item_key(const kv_item *item);
kv_slice kv_item_value(const kv_item *item);
uint64_t kv_item_version(const kv_item *item);

/* A store of up to `limit` bytes of keys, values and what it takes to keep them. NULL: no memory. Freed with
 * kv_store_free(). */
kv_store *kv_store_new(size_t limit);
void kv_store_free(kv_store *store);

size_t kv_store_count(const kv_store *store);
size_t kv_store_bytes(const kv_store *store);

/* The number of the last change. */
uint64_t kv_store_revision(const kv_store *store);

/* NULL: the key is not there. */
const kv_item *kv_store_get(const kv_store *store, kv_slice key);

/* Copies key and value into the store. NULL, and nothing has changed: the limit or the machine's memory is reached. */
const kv_item *kv_store_put(kv_store *store, kv_slice key, kv_slice value);

/* False: the key was not there. */
bool kv_store_delete(kv_store *store, kv_slice key);

/* The first item whose key is `key` or comes after it (`after`: only those after it), and the one behind an item; NULL
 * at the end. */
const kv_item *kv_store_seek(const kv_store *store, kv_slice key, bool after);
const kv_item *kv_store_next(const kv_item *item);

/* Byte by byte, the shorter first: below, equal to, or above 0. */
int kv_compare(kv_slice a, kv_slice b);
bool kv_begins_with(kv_slice text, kv_slice prefix);

#endif
