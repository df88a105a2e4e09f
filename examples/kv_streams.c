/* SPDX-License-Identifier: BSD-2-Clause */
/* kv_streams.c - Range, a stream of replies that goes on when there is room for more, and BulkLoad, a stream of
 * requests */
#include "kv_state.h"

#include <stdlib.h>
#include <string.h>

bool kv_fill_entry(kv_Entry *entry, void *owner, const kv_item *item, bool key_only)
{
    kv_slice key = kv_item_key(item), value = kv_item_value(item);
    entry->version = kv_item_version(item);
    return mrpc_bytes_set(owner, &entry->key, key.data, key.size) == 0 &&
           (key_only || mrpc_bytes_set(owner, &entry->value, value.data, value.size) == 0);
}

/* --- Range --- */

/* A Range under way. Keys are copies: the store may change between two messages. */
typedef struct kv_walk {
    kv_service *service;
    void *position; /* the last key that was sent, or the first that is wanted */
    size_t position_size;
    bool after; /* position was sent */
    void *to;
    size_t to_size;
    uint64_t left; /* UINT64_MAX: no limit */
    bool keys_only;
    bool done;
} kv_walk;

static void free_walk(kv_walk *walk)
{
    free(walk->position);
    free(walk->to);
    free(walk);
}

/* Makes *to a copy of some bytes; false: no memory. */
static bool copy_bytes(void **to, size_t *size, kv_slice from)
{
    void *copy = realloc(*to, from.size > 0 ? from.size : 1);
    if (copy == NULL)
        return false;
    if (from.size > 0)
        memcpy(copy, from.data, from.size);
    *to = copy;
    *size = from.size;
    return true;
}

static const kv_item *next_item(const kv_walk *walk)
{
    if (walk->left == 0)
        return NULL;
    const kv_item *item =
        kv_store_seek(walk->service->store, (kv_slice){walk->position, walk->position_size}, walk->after);
    if (item == NULL || walk->to_size == 0 || kv_compare(kv_item_key(item), (kv_slice){walk->to, walk->to_size}) < 0)
        return item;
    return NULL;
}

/* Sends one entry: 0, MRPC_EAGAIN, or another error after which the call has ended. */
static int send_item(kv_Store_Range_call *call, kv_walk *walk, const kv_item *item)
{
    kv_Entry *entry = kv_Entry_new(kv_Store_Range_heap(call));
    if (entry == NULL || !kv_fill_entry(entry, entry, item, walk->keys_only)) {
        mrpc_release(entry);
        return MRPC_ENOMEM;
    }
    int result = kv_Store_Range_send(call, entry);
    if (result == MRPC_EAGAIN)
        mrpc_release(entry); /* it was not taken; made anew when there is room */
    if (result != 0)
        return result;
    walk->after = true;
    walk->left -= walk->left != UINT64_MAX;
    return copy_bytes(&walk->position, &walk->position_size, kv_item_key(item)) ? 0 : MRPC_ENOMEM;
}

/* As far as there is room. The walk is freed by on_end, which comes in any case. */
static void go_on(void *state, kv_Store_Range_call *call)
{
    kv_walk *walk = state;
    while (!walk->done) {
        const kv_item *item = next_item(walk);
        int result = item != NULL ? send_item(call, walk, item) : 0;
        if (result == MRPC_EAGAIN)
            return;
        walk->done = item == NULL || result != 0;
        if (result == MRPC_ENOMEM)
            kv_refuse_memory(kv_Store_Range_untyped(call));
        else if (item == NULL)
            kv_Store_Range_reply(call, NULL);
    }
}

static void range_ended(void *state, kv_Store_Range_call *call, const mrpc_status *status)
{
    (void)call;
    (void)status;
    free_walk(state);
}

void kv_range(kv_Store_Range_call *call, const kv_RangeRequest *request, void *state)
{
    static const kv_Store_Range_call_callbacks callbacks = {.on_writable = go_on, .on_end = range_ended};
    kv_walk *walk = calloc(1, sizeof *walk);
    if (walk == NULL || !copy_bytes(&walk->position, &walk->position_size, kv_bytes(request->from)) ||
        !copy_bytes(&walk->to, &walk->to_size, kv_bytes(request->to)) ||
        kv_Store_Range_set_callbacks(call, &callbacks, walk) != 0) {
        if (walk != NULL)
            free_walk(walk);
        kv_refuse_memory(kv_Store_Range_untyped(call));
        return;
    }
    walk->service = state;
    walk->left = request->limit > 0 ? request->limit : UINT64_MAX;
    walk->keys_only = request->keys_only;
    go_on(walk, call);
}

/* --- BulkLoad --- */

typedef struct kv_load {
    kv_service *service;
    uint64_t entries, bytes;
    bool failed; /* and answered */
} kv_load;

static bool take_entry(kv_load *load, kv_Store_BulkLoad_call *call, const kv_Entry *entry)
{
    kv_slice key = kv_bytes(entry->key), value = kv_bytes(entry->value);
    if (!kv_is_key(key))
        kv_refuse_key(kv_Store_BulkLoad_untyped(call));
    else if (kv_change(load->service, key, value) == NULL)
        kv_refuse_full(kv_Store_BulkLoad_untyped(call), load->service);
    else {
        load->entries++;
        load->bytes += key.size + value.size;
        return true;
    }
    return false;
}

static void load_message(void *state, kv_Store_BulkLoad_call *call, const kv_BulkLoadRequest *request)
{
    kv_load *load = state;
    for (size_t i = 0; i < request->entries.size && !load->failed; i++)
        load->failed = !take_entry(load, call, request->entries.data[i]);
    mrpc_release(request);
}

static void load_complete(void *state, kv_Store_BulkLoad_call *call)
{
    const kv_load *load = state;
    if (load->failed)
        return;
    kv_BulkLoadReply *reply = kv_BulkLoadReply_new(kv_Store_BulkLoad_heap(call));
    if (reply == NULL) {
        kv_refuse_memory(kv_Store_BulkLoad_untyped(call));
        return;
    }
    reply->entries = load->entries;
    reply->bytes = load->bytes;
    reply->revision = kv_store_revision(load->service->store);
    kv_Store_BulkLoad_reply(call, reply);
}

static void load_ended(void *state, kv_Store_BulkLoad_call *call, const mrpc_status *status)
{
    (void)call;
    (void)status;
    free(state);
}

void kv_bulk_load(kv_Store_BulkLoad_call *call, const kv_BulkLoadRequest *request, void *state)
{
    static const kv_Store_BulkLoad_call_callbacks callbacks = {
        .on_message = load_message, .on_half_close = load_complete, .on_end = load_ended};
    (void)request; /* messages come to load_message */
    kv_load *load = calloc(1, sizeof *load);
    if (load == NULL || kv_Store_BulkLoad_set_callbacks(call, &callbacks, load) != 0) {
        free(load);
        kv_refuse_memory(kv_Store_BulkLoad_untyped(call));
        return;
    }
    load->service = state;
}
