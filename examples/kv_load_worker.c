/* SPDX-License-Identifier: BSD-2-Clause */
/* kv_load_worker.c - one thread that works on its own keys and checks every answer */
#include "kv_load_worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 20000, BULK_ENTRIES = 32, RANGE_ENTRIES = 16 };

/* --- chance and bookkeeping --- */

static uint64_t roll(kv_load_worker *worker, uint64_t sides)
{
    worker->dice ^= worker->dice << 13;
    worker->dice ^= worker->dice >> 7;
    worker->dice ^= worker->dice << 17;
    return worker->dice % sides;
}

static kv_load_key *choose_key(kv_load_worker *worker)
{
    return &worker->keys[roll(worker, KEYS_OF_WORKER)];
}

/* Mostly a document; now and then something of several MiB. */
static kv_slice choose_value(kv_load_worker *worker)
{
    const kv_corpus *corpus = worker->load->corpus;
    if (roll(worker, 2000) == 0)
        return corpus->large;
    return corpus->documents[roll(worker, corpus->count)].text;
}

static mrpc_bytes name_of(const kv_load_key *key)
{
    return (mrpc_bytes){(uint8_t *)key->name, strlen(key->name)};
}

static bool same_bytes(mrpc_bytes got, kv_slice wanted)
{
    return got.size == wanted.size && (got.size == 0 || memcmp(got.data, wanted.data, got.size) == 0);
}

#define OPTIONS MRPC_CALL_OPTIONS(.timeout_ms = TIMEOUT_MS, .wait_for_ready = true)

/* Counts a call that began at `begin`; true when it succeeded. */
static bool count_call(kv_load_worker *worker, uint64_t begin, const char *what, const kv_load_key *key,
                       const mrpc_status *status)
{
    uint64_t now = kv_now();
    worker->calls++;
    if (status->code == MRPC_OK) {
        kv_histogram_add(&worker->histogram, now - begin);
        kv_timeline_add(worker->load->timeline, now);
        return true;
    }
    worker->failed++;
    kv_load_complain(worker->load, "%s %s failed: %s: %s", what, key != NULL ? key->name : "",
                     mrpc_code_name(status->code), status->message);
    return false;
}

static void check(kv_load_worker *worker, bool right, const char *what, const kv_load_key *key)
{
    if (right)
        return;
    worker->wrong++;
    kv_load_complain(worker->load, "wrong answer to %s %s (%zu bytes, version %" PRIu64 ")", what, key->name,
                     key->value.size, key->version);
}

/* The key has this value from now on. */
static void remember(kv_load_worker *worker, kv_load_key *key, kv_slice value, uint64_t version, const char *what)
{
    check(worker, version > key->version, what, key);
    worker->bytes += value.size;
    worker->changes++;
    key->value = value;
    key->version = version;
}

/* --- one call each --- */

static void get(kv_load_worker *worker)
{
    const kv_load_key *key = choose_key(worker);
    kv_GetRequest request;
    kv_GetRequest_init(&request); /* on the stack: the key stays where it is */
    request.key = name_of(key);
    const kv_GetReply *reply;
    uint64_t begin = kv_now();
    mrpc_status status = kv_Store_Get(worker->channel, &request, &reply, OPTIONS);
    if (count_call(worker, begin, "Get", key, &status)) {
        bool there = key->value.data != NULL;
        check(worker,
              reply->found == there &&
                  (!there || (reply->version == key->version && same_bytes(reply->value, key->value))),
              "Get", key);
        worker->bytes += reply->value.size;
    }
    mrpc_release(reply);
}

static void put(kv_load_worker *worker)
{
    kv_load_key *key = choose_key(worker);
    kv_slice value = choose_value(worker);
    kv_PutRequest *request = kv_PutRequest_new(mrpc_channel_heap(worker->channel));
    if (request == NULL || mrpc_bytes_set(request, &request->key, key->name, strlen(key->name)) != 0 ||
        mrpc_bytes_set(request, &request->value, value.data, value.size) != 0) {
        mrpc_release(request);
        check(worker, false, "no memory for Put", key);
        return;
    }
    const kv_PutReply *reply;
    uint64_t begin = kv_now();
    mrpc_status status = kv_Store_Put(worker->channel, request, &reply, OPTIONS);
    if (count_call(worker, begin, "Put", key, &status))
        remember(worker, key, value, reply->version, "Put");
    mrpc_release(reply);
    mrpc_release(request);
}

static void delete (kv_load_worker *worker)
{
    kv_load_key *key = choose_key(worker);
    kv_DeleteRequest request;
    kv_DeleteRequest_init(&request);
    request.key = name_of(key);
    const kv_DeleteReply *reply;
    uint64_t begin = kv_now();
    mrpc_status status = kv_Store_Delete(worker->channel, &request, &reply, OPTIONS);
    if (count_call(worker, begin, "Delete", key, &status)) {
        bool there = key->value.data != NULL;
        check(worker, reply->found == there && (reply->revision > key->version) == there, "Delete", key);
        worker->changes += there;
        key->value = (kv_slice){NULL, 0};
        key->version = 0;
    }
    mrpc_release(reply);
}

/* With the version that the key has, or with another one, which must not swap and shows what is there. */
static void compare_and_swap(kv_load_worker *worker)
{
    kv_load_key *key = choose_key(worker);
    bool right = roll(worker, 2) == 0;
    kv_slice value = choose_value(worker);
    kv_CompareAndSwapRequest request;
    kv_CompareAndSwapRequest_init(&request);
    request.key = name_of(key);
    request.expected = right ? key->version : key->version + 1;
    request.value = (mrpc_bytes){(uint8_t *)value.data, value.size};
    request.has_value = true;
    const kv_CompareAndSwapReply *reply;
    uint64_t begin = kv_now();
    mrpc_status status = kv_Store_CompareAndSwap(worker->channel, &request, &reply, OPTIONS);
    if (count_call(worker, begin, "CompareAndSwap", key, &status)) {
        bool there = key->value.data != NULL;
        bool shown = reply->current != NULL && same_bytes(reply->current->value, key->value) &&
                     reply->current->version == key->version;
        check(worker, reply->swapped == right && (right || (reply->version == key->version && shown == there)),
              "CompareAndSwap", key);
        if (reply->swapped)
            remember(worker, key, value, reply->version, "CompareAndSwap");
    }
    mrpc_release(reply);
}

static void ping(kv_load_worker *worker)
{
    uint8_t payload[64];
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)roll(worker, 256);
    kv_PingRequest request;
    kv_PingRequest_init(&request);
    request.payload = (mrpc_bytes){payload, sizeof payload};
    const kv_PingReply *reply;
    uint64_t begin = kv_now();
    mrpc_status status = kv_Store_Ping(worker->channel, &request, &reply, OPTIONS);
    if (count_call(worker, begin, "Ping", NULL, &status))
        check(worker, same_bytes(reply->payload, (kv_slice){payload, sizeof payload}), "Ping", &worker->keys[0]);
    mrpc_release(reply);
}

/* --- streams --- */

/* The first key from `index` on that is there; KEYS_OF_WORKER when none is. */
static size_t next_present(const kv_load_worker *worker, size_t index)
{
    while (index < KEYS_OF_WORKER && worker->keys[index].value.data == NULL)
        index++;
    return index;
}

/* Walks from a key to the last one of this worker, and expects just those that are there. */
static void range(kv_load_worker *worker)
{
    size_t index = roll(worker, KEYS_OF_WORKER), count = 0;
    const kv_load_key *first = &worker->keys[index];
    char to[64];
    int to_size = snprintf(to, sizeof to, KV_LOAD_PREFIX "%03u0", worker->number); /* '0' comes after '/' */
    kv_RangeRequest request;
    kv_RangeRequest_init(&request);
    request.from = name_of(first);
    request.to = (mrpc_bytes){(uint8_t *)to, (size_t)to_size};
    request.limit = RANGE_ENTRIES;
    uint64_t begin = kv_now();
    kv_Store_Range_stream *stream;
    int opened = kv_Store_Range_open(worker->channel, &request, OPTIONS, &stream);
    if (opened != 0) {
        mrpc_status status = mrpc_status_make(MRPC_INTERNAL, "%s", mrpc_strerror(opened));
        (void)count_call(worker, begin, "Range", first, &status);
        return;
    }
    const kv_Entry *entry;
    for (; kv_Store_Range_stream_receive(stream, &entry) == 1; mrpc_release(entry)) {
        index = next_present(worker, index);
        const kv_load_key *key = index < KEYS_OF_WORKER ? &worker->keys[index] : first;
        mrpc_bytes name = name_of(key);
        check(worker,
              index < KEYS_OF_WORKER && same_bytes(entry->key, (kv_slice){name.data, name.size}) &&
                  entry->version == key->version && same_bytes(entry->value, key->value),
              "Range", key);
        worker->bytes += entry->value.size;
        index++;
        count++;
    }
    mrpc_status status = kv_Store_Range_stream_finish(stream);
    if (count_call(worker, begin, "Range", first, &status))
        check(worker, count == RANGE_ENTRIES || next_present(worker, index) == KEYS_OF_WORKER, "the end of Range",
              first);
}

/* One message with entries for the keys from `first` to `end`, with the values that they are to get. NULL: no memory.
 */
static kv_BulkLoadRequest *make_bulk(kv_load_worker *worker, size_t first, size_t end, kv_slice *values)
{
    kv_BulkLoadRequest *request = kv_BulkLoadRequest_new(NULL);
    for (size_t i = first; request != NULL && i < end; i++) {
        values[i] = worker->load->corpus->documents[roll(worker, worker->load->corpus->count)].text;
        kv_Entry *entry = kv_BulkLoadRequest_add_entries(request);
        if (entry == NULL ||
            mrpc_bytes_set(request, &entry->key, worker->keys[i].name, strlen(worker->keys[i].name)) != 0 ||
            mrpc_bytes_set(request, &entry->value, values[i].data, values[i].size) != 0) {
            mrpc_release(request);
            request = NULL;
        }
    }
    return request;
}

/* The versions of a bulk load are those up to the revision that it answers with, unless others wrote meanwhile: ask. */
static void learn_version(kv_load_worker *worker, kv_load_key *key, kv_slice value)
{
    kv_GetRequest request;
    kv_GetRequest_init(&request);
    request.key = name_of(key);
    const kv_GetReply *reply;
    uint64_t begin = kv_now();
    mrpc_status status = kv_Store_Get(worker->channel, &request, &reply, OPTIONS);
    if (count_call(worker, begin, "Get", key, &status)) {
        check(worker, reply->found && same_bytes(reply->value, value), "Get after BulkLoad", key);
        remember(worker, key, value, reply->version, "Get after BulkLoad");
    }
    mrpc_release(reply);
}

/* Loads the keys from `first` to `end` in messages of BULK_ENTRIES. */
static void bulk_load(kv_load_worker *worker, size_t first, size_t end)
{
    kv_slice values[KEYS_OF_WORKER];
    uint64_t begin = kv_now(), bytes = 0;
    kv_Store_BulkLoad_stream *stream;
    int result = kv_Store_BulkLoad_open(worker->channel, OPTIONS, &stream);
    if (result != 0) {
        mrpc_status status = mrpc_status_make(MRPC_INTERNAL, "%s", mrpc_strerror(result));
        (void)count_call(worker, begin, "BulkLoad", NULL, &status);
        return;
    }
    for (size_t i = first; i < end && result == 0; i += BULK_ENTRIES) {
        size_t stop = i + BULK_ENTRIES < end ? i + BULK_ENTRIES : end;
        kv_BulkLoadRequest *request = make_bulk(worker, i, stop, values);
        result = request != NULL ? kv_Store_BulkLoad_stream_send(stream, request) : MRPC_ENOMEM;
        mrpc_release(request);
    }
    const kv_BulkLoadReply *reply;
    mrpc_status status = kv_Store_BulkLoad_stream_finish(stream, &reply);
    if (count_call(worker, begin, "BulkLoad", &worker->keys[first], &status)) {
        for (size_t i = first; i < end; i++) {
            bytes += strlen(worker->keys[i].name) + values[i].size;
            learn_version(worker, &worker->keys[i], values[i]);
        }
        check(worker, result == 0 && reply->entries == end - first && reply->bytes == bytes, "BulkLoad",
              &worker->keys[first]);
    }
    mrpc_release(reply);
}

static void bulk_load_some(kv_load_worker *worker)
{
    size_t first = roll(worker, KEYS_OF_WORKER - BULK_ENTRIES);
    bulk_load(worker, first, first + BULK_ENTRIES);
}

/* --- the thread --- */

static void one_call(kv_load_worker *worker)
{
    uint64_t number = roll(worker, 1000);
    if (number < 500)
        get(worker);
    else if (number < 700)
        ping(worker);
    else if (number < 900)
        put(worker);
    else if (number < 950)
        compare_and_swap(worker);
    else if (number < 980)
        delete (worker);
    else if (number < 998)
        range(worker);
    else
        bulk_load_some(worker);
}

/* A failed change leaves unknown what the server has: the run has failed anyway, and its answers are not judged any
 * more. */
void *kv_load_work(void *argument)
{
    kv_load_worker *worker = argument;
    for (size_t i = 0; i < KEYS_OF_WORKER; i++)
        (void)snprintf(worker->keys[i].name, sizeof worker->keys[i].name, KV_LOAD_PREFIX "%03u/%03zu/%.60s",
                       worker->number, i, worker->load->corpus->documents[i % worker->load->corpus->count].name);
    bulk_load(worker, 0, KEYS_OF_WORKER);
    while (!kv_load_is_over(worker->load) && worker->failed == 0)
        one_call(worker);
    return NULL;
}
