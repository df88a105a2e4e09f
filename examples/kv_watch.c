/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kv_watch.c - Watch: what there is, and then each change, to everybody who listens
 *
 * What a watcher cannot take at once waits in a queue of its own, up to a bound: a watcher that does not keep up is
 * ended instead of slowing the others down or filling the memory.
 */
#include "kv_state.h"

#include <stdlib.h>
#include <string.h>

enum { QUEUED_EVENTS = 4096, QUEUED_BYTES = 64 << 20 };

struct kv_watcher {
    kv_watcher *next;
    kv_service *service;
    kv_Store_Watch_call *call;
    kv_WatchEvent *queue[QUEUED_EVENTS]; /* a ring */
    size_t first, count, bytes;
    bool keys_only;
    bool ended;      /* and answered; on_end is still to come */
    bool scanning;   /* what was there before is still being sent */
    bool scan_began; /* position was sent */
    size_t position_size;
    void *position; /* the last key that was sent of what was there before */
    size_t prefix_size;
    char prefix[];
};

static kv_slice prefix_of(const kv_watcher *watcher)
{
    return (kv_slice){watcher->prefix, watcher->prefix_size};
}

static void free_watcher(kv_watcher *watcher)
{
    for (; watcher->count > 0; watcher->count--) {
        mrpc_release(watcher->queue[watcher->first]);
        watcher->first = (watcher->first + 1) % QUEUED_EVENTS;
    }
    free(watcher->position);
    free(watcher);
}

static void give_up(kv_watcher *watcher, const char *why)
{
    watcher->ended = true;
    kv_Store_Watch_fail(watcher->call, MRPC_RESOURCE_EXHAUSTED, "%s", why);
}

/* --- events --- */

static kv_WatchEvent *new_put(const kv_watcher *watcher, const kv_item *item)
{
    kv_WatchEvent *event = kv_WatchEvent_new(kv_Store_Watch_heap(watcher->call));
    if (event == NULL)
        return NULL;
    event->revision = kv_item_version(item);
    event->kind_case = kv_WatchEvent_kind_put;
    event->kind.put = kv_Entry_new_in(event);
    if (event->kind.put != NULL && kv_fill_entry(event->kind.put, event, item, watcher->keys_only))
        return event;
    mrpc_release(event);
    return NULL;
}

static kv_WatchEvent *new_deleted(const kv_watcher *watcher, kv_slice key)
{
    kv_WatchEvent *event = kv_WatchEvent_new(kv_Store_Watch_heap(watcher->call));
    if (event == NULL)
        return NULL;
    event->revision = kv_store_revision(watcher->service->store);
    event->kind_case = kv_WatchEvent_kind_deleted;
    if (mrpc_bytes_set(event, &event->kind.deleted, key.data, key.size) == 0)
        return event;
    mrpc_release(event);
    return NULL;
}

static kv_WatchEvent *new_current(const kv_watcher *watcher)
{
    kv_WatchEvent *event = kv_WatchEvent_new(kv_Store_Watch_heap(watcher->call));
    if (event == NULL)
        return NULL;
    event->revision = kv_store_revision(watcher->service->store);
    event->kind_case = kv_WatchEvent_kind_current;
    event->kind.current = true;
    return event;
}

static size_t event_bytes(const kv_WatchEvent *event)
{
    return event->kind_case == kv_WatchEvent_kind_put ? event->kind.put->key.size + event->kind.put->value.size : 0;
}

/* --- sending --- */

/* Sends what waits, as far as there is room; true when nothing waits any more. */
static bool drain_queue(kv_watcher *watcher)
{
    while (watcher->count > 0 && !watcher->ended) {
        kv_WatchEvent *event = watcher->queue[watcher->first];
        size_t bytes = event_bytes(event);
        int result = kv_Store_Watch_send(watcher->call, event);
        if (result == MRPC_EAGAIN)
            return false;
        watcher->first = (watcher->first + 1) % QUEUED_EVENTS;
        watcher->count--;
        watcher->bytes -= bytes;
        watcher->ended = result != 0;
    }
    return !watcher->ended;
}

/* Takes an event (NULL: there was no memory for it) to be sent behind those that wait. */
static void add_event(kv_watcher *watcher, kv_WatchEvent *event)
{
    if (event == NULL) {
        give_up(watcher, "no memory for an event");
        return;
    }
    watcher->bytes += event_bytes(event);
    if (watcher->count == QUEUED_EVENTS || (watcher->count > 0 && watcher->bytes > QUEUED_BYTES)) {
        watcher->bytes -= event_bytes(event);
        mrpc_release(event);
        give_up(watcher, "the watcher does not keep up with the changes; begin again");
        return;
    }
    watcher->queue[(watcher->first + watcher->count++) % QUEUED_EVENTS] = event;
}

/* The next item of what was there before, NULL at the end. */
static const kv_item *next_existing(const kv_watcher *watcher)
{
    kv_slice from = watcher->scan_began ? (kv_slice){watcher->position, watcher->position_size} : prefix_of(watcher);
    const kv_item *item = kv_store_seek(watcher->service->store, from, watcher->scan_began);
    return item != NULL && kv_begins_with(kv_item_key(item), prefix_of(watcher)) ? item : NULL;
}

static bool remember_position(kv_watcher *watcher, kv_slice key)
{
    void *position = realloc(watcher->position, key.size);
    if (position == NULL)
        return false;
    watcher->position = memcpy(position, key.data, key.size);
    watcher->position_size = key.size;
    watcher->scan_began = true;
    return true;
}

/* What was there goes out as fast as the watcher takes it and never fills its queue. Changes of keys that were passed
 * wait behind it; those of keys to come are seen when the scan gets there. */
static void go_on(void *state, kv_Store_Watch_call *call)
{
    (void)call;
    kv_watcher *watcher = state;
    while (drain_queue(watcher) && watcher->scanning) {
        const kv_item *item = next_existing(watcher);
        if (item != NULL && !remember_position(watcher, kv_item_key(item))) {
            give_up(watcher, "no memory for an event");
            return;
        }
        watcher->scanning = item != NULL;
        add_event(watcher, item != NULL ? new_put(watcher, item) : new_current(watcher));
    }
}

/* Whether a change of the key is to be told: it is watched, and a scan will not come to it. */
static bool is_told(const kv_watcher *watcher, kv_slice key)
{
    if (watcher->ended || !kv_begins_with(key, prefix_of(watcher)))
        return false;
    if (!watcher->scanning)
        return true;
    return watcher->scan_began && kv_compare(key, (kv_slice){watcher->position, watcher->position_size}) <= 0;
}

void kv_tell_put(kv_service *service, const kv_item *item)
{
    for (kv_watcher *watcher = service->watchers; watcher != NULL; watcher = watcher->next)
        if (is_told(watcher, kv_item_key(item))) {
            add_event(watcher, new_put(watcher, item));
            (void)drain_queue(watcher);
        }
}

void kv_tell_deleted(kv_service *service, kv_slice key)
{
    for (kv_watcher *watcher = service->watchers; watcher != NULL; watcher = watcher->next)
        if (is_told(watcher, key)) {
            add_event(watcher, new_deleted(watcher, key));
            (void)drain_queue(watcher);
        }
}

/* --- beginning and end --- */

static void watch_ended(void *state, kv_Store_Watch_call *call, const mrpc_status *status)
{
    (void)call;
    (void)status;
    kv_watcher *watcher = state, **place = &watcher->service->watchers;
    while (*place != watcher)
        place = &(*place)->next;
    *place = watcher->next;
    free_watcher(watcher);
}

static void add_watcher(kv_service *service, kv_watcher *watcher)
{
    kv_watcher **end = &service->watchers;
    while (*end != NULL)
        end = &(*end)->next;
    *end = watcher;
}

void kv_watch(kv_Store_Watch_call *call, const kv_WatchRequest *request, void *state)
{
    static const kv_Store_Watch_call_callbacks callbacks = {.on_writable = go_on, .on_end = watch_ended};
    kv_watcher *watcher = calloc(1, sizeof *watcher + request->prefix.size);
    if (watcher == NULL || kv_Store_Watch_set_callbacks(call, &callbacks, watcher) != 0) {
        free(watcher);
        kv_refuse_memory(kv_Store_Watch_untyped(call));
        return;
    }
    watcher->service = state;
    watcher->call = call;
    watcher->keys_only = request->keys_only;
    watcher->scanning = request->send_existing;
    watcher->prefix_size = request->prefix.size;
    if (request->prefix.size > 0)
        memcpy(watcher->prefix, request->prefix.data, request->prefix.size);
    add_watcher(state, watcher);
    go_on(watcher, call);
}
