/* SPDX-License-Identifier: BSD-2-Clause */
/* kv_service.c - the methods of kv.Store that take one request; the streams are in kv_streams.c */
#include "kv_service.h"

#include <stdlib.h>

#include "kv_state.h"

enum { KEY_LIMIT = 4096 };

kv_service *kv_service_new(size_t limit)
{
    kv_service *service = calloc(1, sizeof *service);
    if (service == NULL)
        return NULL;
    service->store = kv_store_new(limit);
    if (service->store != NULL)
        return service;
    free(service);
    return NULL;
}

void kv_service_free(kv_service *service)
{
    if (service == NULL)
        return;
    kv_store_free(service->store);
    free(service);
}

bool kv_is_key(kv_slice key)
{
    return key.size > 0 && key.size <= KEY_LIMIT;
}

void kv_refuse_key(mrpc_call *call)
{
    mrpc_call_fail(call, MRPC_INVALID_ARGUMENT, "a key has 1 to %d bytes", KEY_LIMIT);
}

void kv_refuse_memory(mrpc_call *call)
{
    mrpc_call_fail(call, MRPC_RESOURCE_EXHAUSTED, "no memory for the answer");
}

void kv_refuse_full(mrpc_call *call, const kv_service *service)
{
    mrpc_call_fail(call, MRPC_RESOURCE_EXHAUSTED,
                   "the store is full with %zu keys and %zu bytes; start it with a larger --memory",
                   kv_store_count(service->store), kv_store_bytes(service->store));
}

const kv_item *kv_change(kv_service *service, kv_slice key, kv_slice value)
{
    const kv_item *item = kv_store_put(service->store, key, value);
    if (item != NULL)
        kv_tell_put(service, item);
    return item;
}

static void get(kv_Store_Get_call *call, const kv_GetRequest *request, void *state)
{
    const kv_service *service = state;
    kv_GetReply *reply = kv_GetReply_new(kv_Store_Get_heap(call));
    const kv_item *item = kv_store_get(service->store, kv_bytes(request->key));
    if (reply != NULL && item != NULL) {
        kv_slice value = kv_item_value(item);
        reply->found = true;
        reply->version = kv_item_version(item);
        if (kv_GetReply_set_value(reply, value.data, value.size) != 0) {
            mrpc_release(reply);
            reply = NULL;
        }
    }
    if (reply == NULL)
        kv_refuse_memory(kv_Store_Get_untyped(call));
    else
        kv_Store_Get_reply(call, reply);
}

static void put(kv_Store_Put_call *call, const kv_PutRequest *request, void *state)
{
    kv_service *service = state;
    if (!kv_is_key(kv_bytes(request->key))) {
        kv_refuse_key(kv_Store_Put_untyped(call));
        return;
    }
    kv_PutReply *reply = kv_PutReply_new(kv_Store_Put_heap(call));
    if (reply == NULL) {
        kv_refuse_memory(kv_Store_Put_untyped(call));
        return;
    }
    const kv_item *item = kv_change(service, kv_bytes(request->key), kv_bytes(request->value));
    if (item == NULL) {
        mrpc_release(reply);
        kv_refuse_full(kv_Store_Put_untyped(call), service);
        return;
    }
    reply->version = kv_item_version(item);
    kv_Store_Put_reply(call, reply);
}

/* Deletes and tells the watchers; the revision of the deletion, 0: the key was not there. */
static uint64_t delete_key(kv_service *service, kv_slice key)
{
    if (!kv_store_delete(service->store, key))
        return 0;
    kv_tell_deleted(service, key);
    return kv_store_revision(service->store);
}

static void delete (kv_Store_Delete_call *call, const kv_DeleteRequest *request, void *state)
{
    kv_DeleteReply *reply = kv_DeleteReply_new(kv_Store_Delete_heap(call));
    if (reply == NULL) {
        kv_refuse_memory(kv_Store_Delete_untyped(call));
        return;
    }
    reply->revision = delete_key(state, kv_bytes(request->key));
    reply->found = reply->revision != 0;
    kv_Store_Delete_reply(call, reply);
}

/* Puts a copy of the item below the reply. */
static bool show_current(kv_CompareAndSwapReply *reply, const kv_item *item)
{
    reply->current = kv_Entry_new_in(reply);
    return reply->current != NULL && kv_fill_entry(reply->current, reply, item, false);
}

/* False: no memory for the answer, and nothing has changed. */
static bool swap(kv_service *service, const kv_CompareAndSwapRequest *request, kv_CompareAndSwapReply *reply,
                 bool *full)
{
    kv_slice key = kv_bytes(request->key);
    const kv_item *item = kv_store_get(service->store, key);
    reply->version = item != NULL ? kv_item_version(item) : 0;
    reply->swapped = reply->version == request->expected;
    if (!reply->swapped)
        return item == NULL || show_current(reply, item);
    if (!request->has_value) {
        (void)delete_key(service, key);
        reply->version = 0;
        return true;
    }
    item = kv_change(service, key, kv_bytes(request->value));
    *full = item == NULL;
    reply->version = item != NULL ? kv_item_version(item) : 0;
    return true;
}

static void compare_and_swap(kv_Store_CompareAndSwap_call *call, const kv_CompareAndSwapRequest *request, void *state)
{
    mrpc_call *untyped = kv_Store_CompareAndSwap_untyped(call);
    if (!kv_is_key(kv_bytes(request->key))) {
        kv_refuse_key(untyped);
        return;
    }
    kv_CompareAndSwapReply *reply = kv_CompareAndSwapReply_new(kv_Store_CompareAndSwap_heap(call));
    bool full = false;
    if (reply != NULL && swap(state, request, reply, &full) && !full) {
        kv_Store_CompareAndSwap_reply(call, reply);
        return;
    }
    mrpc_release(reply);
    if (full)
        kv_refuse_full(untyped, state);
    else
        kv_refuse_memory(untyped);
}

static void ping(kv_Store_Ping_call *call, const kv_PingRequest *request, void *state)
{
    (void)state;
    kv_PingReply *reply = kv_PingReply_new(kv_Store_Ping_heap(call));
    if (reply != NULL && kv_PingReply_set_payload(reply, request->payload.data, request->payload.size) == 0) {
        kv_Store_Ping_reply(call, reply);
        return;
    }
    mrpc_release(reply);
    kv_refuse_memory(kv_Store_Ping_untyped(call));
}

const kv_Store_handlers kv_service_handlers = {
    .Get = get,
    .Put = put,
    .Delete = delete,
    .Range = kv_range,
    .CompareAndSwap = compare_and_swap,
    .Watch = kv_watch,
    .BulkLoad = kv_bulk_load,
    .Ping = ping,
};
