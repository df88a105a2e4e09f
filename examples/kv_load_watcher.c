/* SPDX-License-Identifier: BSD-2-Clause */
/* kv_load_watcher.c - one thread that holds a Watch stream open and sees every change of the load go by, once and in
 * order */
#include <inttypes.h>
#include <string.h>

#include "kv_load_worker.h"

static void wrong(kv_load_watcher *watcher, const char *what, uint64_t revision, uint64_t before)
{
    watcher->wrong++;
    kv_load_complain(watcher->load, "Watch: %s (revision %" PRIu64 " after %" PRIu64 ")", what, revision, before);
}

static bool is_last(const kv_WatchEvent *event)
{
    static const char last[] = KV_LOAD_LAST_KEY;
    return event->kind_case == kv_WatchEvent_kind_put && event->kind.put->key.size == sizeof last - 1 &&
           memcmp(event->kind.put->key.data, last, sizeof last - 1) == 0;
}

/* False when it was the last one. */
static bool take_event(kv_load_watcher *watcher, const kv_WatchEvent *event, uint64_t *revision)
{
    if (!watcher->load->watching) {
        if (event->kind_case != kv_WatchEvent_kind_current)
            return true; /* left over from an earlier run */
        *revision = event->revision;
        watcher->load->watching = true;
        return true;
    }
    if (event->revision <= *revision)
        wrong(watcher, "events are out of order", event->revision, *revision);
    if (event->kind_case != kv_WatchEvent_kind_put && event->kind_case != kv_WatchEvent_kind_deleted)
        wrong(watcher, "an event that is no change", event->revision, *revision);
    *revision = event->revision;
    if (is_last(event))
        return false;
    watcher->events++;
    return true;
}

/* Returns whether the last event was seen. */
static bool take_events(kv_load_watcher *watcher, kv_Store_Watch_stream *stream)
{
    uint64_t revision = 0;
    const kv_WatchEvent *event;
    while (kv_Store_Watch_stream_receive(stream, &event) == 1) {
        bool more = take_event(watcher, event, &revision);
        mrpc_release(event);
        if (!more)
            return true;
    }
    return false;
}

void *kv_load_watch(void *argument)
{
    kv_load_watcher *watcher = argument;
    kv_WatchRequest request;
    kv_WatchRequest_init(&request);
    request.prefix = (mrpc_bytes){(uint8_t *)KV_LOAD_PREFIX, strlen(KV_LOAD_PREFIX)};
    request.send_existing = true;
    request.keys_only = true;
    kv_Store_Watch_stream *stream;
    int result = kv_Store_Watch_open(watcher->channel, &request, MRPC_CALL_OPTIONS(.wait_for_ready = true), &stream);
    if (result != 0) {
        watcher->failed++;
        kv_load_complain(watcher->load, "Watch cannot begin: %s", mrpc_strerror(result));
        watcher->load->watching = true; /* nobody waits for what will not come */
        return NULL;
    }
    bool whole = take_events(watcher, stream);
    if (whole)
        kv_Store_Watch_stream_cancel(stream);
    mrpc_status status = kv_Store_Watch_stream_finish(stream);
    if (!whole) {
        watcher->failed++;
        kv_load_complain(watcher->load, "Watch ended early: %s: %s", mrpc_code_name(status.code), status.message);
    }
    watcher->load->watching = true;
    return NULL;
}
