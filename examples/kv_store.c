/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kv_store.c - a hash table and a skip list over the same items
 *
 * The skip list is that of W. Pugh, "Skip lists: a probabilistic alternative to balanced trees" (1990), with a chance
 * of 1/4 for each further level.
 */
#include "kv_store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { HEIGHT_LIMIT = 16, FIRST_BUCKETS = 1024 };

struct kv_item {
    kv_item *chain; /* in its bucket */
    uint64_t hash;
    uint64_t version;
    void *value;
    size_t value_size;
    size_t key_size;
    size_t height;
    kv_item *next[]; /* `height` of them, and then the key */
};

struct kv_store {
    kv_item **buckets; /* a power of two of them */
    size_t bucket_count;
    size_t count, bytes, limit;
    uint64_t revision;
    uint64_t seed; /* so that nobody outside can choose keys that meet in one bucket */
    uint64_t dice;
    kv_item *first[HEIGHT_LIMIT]; /* heads of the levels */
};

/* --- items --- */

static size_t item_overhead(const kv_item *item)
{
    return sizeof *item + item->height * sizeof item->next[0] + sizeof(void *);
}

static size_t item_bytes(const kv_item *item)
{
    return item_overhead(item) + item->key_size + item->value_size;
}

kv_slice kv_item_key(const kv_item *item)
{
    return (kv_slice){&item->next[item->height], item->key_size};
}

kv_slice kv_item_value(const kv_item *item)
{
    return (kv_slice){item->value, item->value_size};
}

uint64_t kv_item_version(const kv_item *item)
{
    return item->version;
}

int kv_compare(kv_slice a, kv_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

bool kv_begins_with(kv_slice text, kv_slice prefix)
{
    return text.size >= prefix.size && (prefix.size == 0 || memcmp(text.data, prefix.data, prefix.size) == 0);
}

/* --- the store --- */

kv_store *kv_store_new(size_t limit)
{
    kv_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    store->buckets = calloc(FIRST_BUCKETS, sizeof store->buckets[0]);
    if (store->buckets == NULL || getrandom(&store->seed, sizeof store->seed, 0) != sizeof store->seed) {
        kv_store_free(store);
        return NULL;
    }
    store->bucket_count = FIRST_BUCKETS;
    store->limit = limit;
    store->dice = store->seed | 1;
    return store;
}

void kv_store_free(kv_store *store)
{
    if (store == NULL)
        return;
    for (kv_item *item = store->first[0]; item != NULL;) {
        kv_item *next = item->next[0];
        free(item->value);
        free(item);
        item = next;
    }
    free(store->buckets);
    free(store);
}

size_t kv_store_count(const kv_store *store)
{
    return store->count;
}

size_t kv_store_bytes(const kv_store *store)
{
    return store->bytes;
}

uint64_t kv_store_revision(const kv_store *store)
{
    return store->revision;
}

/* --- the hash table --- */

/* Multiply and fold, eight bytes at a time. */
static uint64_t hash_key(const kv_store *store, kv_slice key)
{
    uint64_t hash = store->seed ^ key.size;
    const char *data = key.data;
    for (size_t left = key.size; left > 0;) {
        uint64_t word = 0;
        size_t step = left < sizeof word ? left : sizeof word;
        memcpy(&word, data, step);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
        data += step;
        left -= step;
    }
    return hash;
}

static kv_item **bucket_of(const kv_store *store, uint64_t hash)
{
    return &store->buckets[hash & (store->bucket_count - 1)];
}

static kv_item *find(const kv_store *store, kv_slice key, uint64_t hash)
{
    kv_item *item = *bucket_of(store, hash);
    while (item != NULL && (item->hash != hash || kv_compare(kv_item_key(item), key) != 0))
        item = item->chain;
    return item;
}

/* Twice as many buckets; when there is no memory for them, longer chains do as well. */
static void grow_buckets(kv_store *store)
{
    size_t before = store->bucket_count;
    kv_item **old = store->buckets, **buckets = calloc(before * 2, sizeof buckets[0]);
    if (buckets == NULL)
        return;
    store->buckets = buckets;
    store->bucket_count = before * 2;
    for (size_t i = 0; i < before; i++)
        while (old[i] != NULL) {
            kv_item *item = old[i];
            old[i] = item->chain;
            kv_item **bucket = bucket_of(store, item->hash);
            item->chain = *bucket;
            *bucket = item;
        }
    free(old);
}

static void add_to_bucket(kv_store *store, kv_item *item)
{
    if (store->count >= store->bucket_count)
        grow_buckets(store);
    kv_item **bucket = bucket_of(store, item->hash);
    item->chain = *bucket;
    *bucket = item;
}

static void remove_from_bucket(kv_store *store, kv_item *item)
{
    kv_item **place = bucket_of(store, item->hash);
    while (*place != item)
        place = &(*place)->chain;
    *place = item->chain;
}

/* --- the skip list --- */

/* Where, on each level, the pointer to the first item that does not come before `key` (or, with `after`, that comes
 * after it) stands. */
static void find_places(kv_store *store, kv_slice key, bool after, kv_item **places[HEIGHT_LIMIT])
{
    kv_item **links = store->first; /* of the last item before the key; in the end those of level 0 */
    for (size_t level = HEIGHT_LIMIT; level-- > 0;) {
        while (links[level] != NULL && kv_compare(kv_item_key(links[level]), key) < (after ? 1 : 0))
            links = links[level]->next;
        places[level] = &links[level];
    }
}

static size_t roll_height(kv_store *store)
{
    size_t height = 1;
    store->dice ^= store->dice << 13;
    store->dice ^= store->dice >> 7;
    store->dice ^= store->dice << 17;
    for (uint64_t bits = store->dice; (bits & 3) == 0 && height < HEIGHT_LIMIT; bits >>= 2)
        height++;
    return height;
}

static void add_to_list(kv_store *store, kv_item *item)
{
    kv_item **places[HEIGHT_LIMIT];
    find_places(store, kv_item_key(item), false, places);
    for (size_t level = 0; level < item->height; level++) {
        item->next[level] = *places[level];
        *places[level] = item;
    }
}

static void remove_from_list(kv_store *store, kv_item *item)
{
    kv_item **places[HEIGHT_LIMIT];
    find_places(store, kv_item_key(item), false, places);
    for (size_t level = 0; level < item->height; level++)
        *places[level] = item->next[level];
}

/* --- reading and changing --- */

const kv_item *kv_store_get(const kv_store *store, kv_slice key)
{
    return find(store, key, hash_key(store, key));
}

const kv_item *kv_store_seek(const kv_store *store, kv_slice key, bool after)
{
    kv_item **places[HEIGHT_LIMIT];
    find_places((kv_store *)store, key, after, places);
    return *places[0];
}

const kv_item *kv_store_next(const kv_item *item)
{
    return item->next[0];
}

static bool has_room(const kv_store *store, size_t more)
{
    return more <= store->limit && store->bytes <= store->limit - more;
}

static const kv_item *add_item(kv_store *store, kv_slice key, uint64_t hash, void *value, size_t value_size)
{
    size_t height = roll_height(store);
    kv_item *item = malloc(sizeof *item + height * sizeof item->next[0] + key.size);
    if (item == NULL)
        return NULL;
    item->hash = hash;
    item->value = value;
    item->value_size = value_size;
    item->key_size = key.size;
    item->height = height;
    if (!has_room(store, item_bytes(item))) {
        free(item);
        return NULL;
    }
    memcpy(&item->next[height], key.data, key.size);
    add_to_bucket(store, item);
    add_to_list(store, item);
    store->count++;
    store->bytes += item_bytes(item);
    item->version = ++store->revision;
    return item;
}

static const kv_item *replace_value(kv_store *store, kv_item *item, void *value, size_t value_size)
{
    if (value_size > item->value_size && !has_room(store, value_size - item->value_size))
        return NULL;
    store->bytes = store->bytes - item->value_size + value_size;
    free(item->value);
    item->value = value;
    item->value_size = value_size;
    item->version = ++store->revision;
    return item;
}

const kv_item *kv_store_put(kv_store *store, kv_slice key, kv_slice value)
{
    void *copy = malloc(value.size > 0 ? value.size : 1);
    if (copy == NULL)
        return NULL;
    if (value.size > 0)
        memcpy(copy, value.data, value.size);
    uint64_t hash = hash_key(store, key);
    kv_item *there = find(store, key, hash);
    const kv_item *item =
        there != NULL ? replace_value(store, there, copy, value.size) : add_item(store, key, hash, copy, value.size);
    if (item == NULL)
        free(copy);
    return item;
}

bool kv_store_delete(kv_store *store, kv_slice key)
{
    kv_item *item = find(store, key, hash_key(store, key));
    if (item == NULL)
        return false;
    remove_from_bucket(store, item);
    remove_from_list(store, item);
    store->count--;
    store->bytes -= item_bytes(item);
    store->revision++;
    free(item->value);
    free(item);
    return true;
}
