/* SPDX-License-Identifier: BSD-2-Clause */
/* kv_state.h - what the handlers of the key-value example share */
#ifndef KV_STATE_H
#define KV_STATE_H

#include "kv.mrpc.h"
#include "kv_service.h"
#include "kv_store.h"

typedef struct kv_watcher kv_watcher;

struct kv_service {
    kv_store *store;
    kv_watcher *watchers; /* in the order in which they came */
};

static inline kv_slice kv_bytes(mrpc_bytes bytes)
{
    return (kv_slice){bytes.data, bytes.size};
}

/* --- kv_service.c --- */

bool kv_is_key(kv_slice key);
void kv_refuse_key(mrpc_call *call);
void kv_refuse_memory(mrpc_call *call);
void kv_refuse_full(mrpc_call *call, const kv_service *service);

/* Puts and tells the watchers; NULL: the store is full. */
const kv_item *kv_change(kv_service *service, kv_slice key, kv_slice value);

/* --- kv_streams.c --- */

/* Copies an item into an entry that lies in `owner`'s arena; false: no memory. */
bool kv_fill_entry(kv_Entry *entry, void *owner, const kv_item *item, bool key_only);

void kv_range(kv_Store_Range_call *call, const kv_RangeRequest *request, void *state);
void kv_bulk_load(kv_Store_BulkLoad_call *call, const kv_BulkLoadRequest *request, void *state);

/* --- kv_watch.c --- */

void kv_watch(kv_Store_Watch_call *call, const kv_WatchRequest *request, void *state);
void kv_tell_put(kv_service *service, const kv_item *item);
void kv_tell_deleted(kv_service *service, kv_slice key);

#endif
