/* SPDX-License-Identifier: BSD-2-Clause */
/* map.c - maps: arrays of entries that are sorted by key */
#include "config.h"

#include "marshal/map.h"

#include <stdlib.h>

/* --- the order of keys --- */

static int compare_unsigned(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* A number of the key's type, with the sign moved so that it sorts as an unsigned number. */
static uint64_t load_key(const mrpc_field *field, const void *key)
{
    uint64_t wide;
    uint32_t narrow;
    switch ((mrpc_field_type)field->type) {
    case MRPC_TYPE_BOOL:
        return mrpc_any_bool(key);
    case MRPC_TYPE_INT64:
    case MRPC_TYPE_SINT64:
    case MRPC_TYPE_SFIXED64:
        memcpy(&wide, key, sizeof wide);
        return wide ^ (UINT64_C(1) << 63);
    case MRPC_TYPE_UINT64:
    case MRPC_TYPE_FIXED64:
        memcpy(&wide, key, sizeof wide);
        return wide;
    case MRPC_TYPE_UINT32:
    case MRPC_TYPE_FIXED32:
        memcpy(&narrow, key, sizeof narrow);
        return narrow;
    default: /* the signed ones of 32 bits: no other type can be a key */
        memcpy(&narrow, key, sizeof narrow);
        return narrow ^ (UINT32_C(1) << 31);
    }
}

static int compare_text(const void *a, const void *b)
{
    mrpc_bytes left = mrpc_any_text(a), right = mrpc_any_text(b);
    size_t shorter = left.size < right.size ? left.size : right.size;
    int order = shorter > 0 ? memcmp(left.data, right.data, shorter) : 0;
    return order != 0 ? order : compare_unsigned(left.size, right.size);
}

static int compare_keys(const mrpc_field *field, const void *a, const void *b)
{
    if (field->type == MRPC_TYPE_STRING)
        return compare_text(a, b);
    return compare_unsigned(load_key(field, a), load_key(field, b));
}

/* --- finding --- */

static char *entry_at(const mrpc_type *entry, const mrpc_any_list *map, size_t index)
{
    return map->data + index * entry->size;
}

static int compare_at(const mrpc_type *entry, const mrpc_any_list *map, size_t index, const void *key)
{
    const mrpc_field *field = &entry->fields[0];
    return compare_keys(field, mrpc_field_member(field, entry_at(entry, map, index)), key);
}

/* How many keys come before `key`, and whether it is the next one. Keys that come in order are found at once. */
static size_t position(const mrpc_type *entry, const mrpc_any_list *map, const void *key, bool *found)
{
    size_t low = 0, high = mrpc_any_size(map->data, map->size);
    *found = false;
    if (high == 0 || compare_at(entry, map, high - 1, key) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_at(entry, map, middle, key);
        *found |= order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void *mrpc_map_find(const mrpc_type *entry, const void *map, const void *key)
{
    bool found;
    size_t index = position(entry, map, key, &found);
    return found ? entry_at(entry, map, index) : NULL;
}

/* --- changing --- */

/* What the new entry points to, made before the map is touched. */
struct parts {
    mrpc_string key;
    void *message;
};

static bool make_parts(struct parts *parts, const mrpc_type *entry, void *owner, const void *key)
{
    const mrpc_field *value = &entry->fields[1];
    if (entry->fields[0].type == MRPC_TYPE_STRING) {
        mrpc_bytes text = mrpc_any_text(key);
        if (mrpc_string_set_n(owner, &parts->key, (const char *)text.data, text.size) != 0)
            return false;
    }
    parts->message = mrpc_field_is_message(value) ? mrpc_message_new_in(value->message, owner) : NULL;
    return parts->message != NULL || !mrpc_field_is_message(value);
}

static void fill(const struct parts *parts, const mrpc_type *entry, char *memory, const void *key)
{
    const mrpc_field *key_field = &entry->fields[0], *value = &entry->fields[1];
    mrpc_message_init(entry, memory);
    if (key_field->type == MRPC_TYPE_STRING)
        memcpy(memory + key_field->offset, &parts->key, sizeof parts->key);
    else
        memcpy(memory + key_field->offset, key, mrpc_field_width(key_field));
    if (mrpc_field_is_message(value))
        *(mrpc_any_message *)(void *)(memory + value->offset) = parts->message;
}

void *mrpc_map_insert(const mrpc_type *entry, void *owner, void *any, const void *key)
{
    mrpc_any_list *map = any;
    struct parts parts;
    bool found;
    size_t index = position(entry, map, key, &found);
    if (found)
        return entry_at(entry, map, index);
    if (!make_parts(&parts, entry, owner, key) || mrpc_list_reserve(owner, map, entry->size, 1) != 0)
        return NULL;
    char *memory = entry_at(entry, map, index);
    memmove(memory + entry->size, memory, (map->size - index) * entry->size);
    fill(&parts, entry, memory, key);
    map->size++;
    return memory;
}

bool mrpc_map_remove(const mrpc_type *entry, void *any, const void *key)
{
    mrpc_any_list *map = any;
    bool found;
    size_t index = position(entry, map, key, &found);
    if (!found)
        return false;
    char *memory = entry_at(entry, map, index);
    map->size--;
    memmove(memory, memory + entry->size, (map->size - index) * entry->size);
    return true;
}

/* --- from a list --- */

typedef struct order {
    const mrpc_type *entry;
    const mrpc_any_list *map;
} order;

static const void *key_at(const order *of, size_t index)
{
    return mrpc_field_member(&of->entry->fields[0], entry_at(of->entry, of->map, index));
}

static bool is_sorted(const order *of)
{
    for (size_t i = 1; i < of->map->size; i++)
        if (compare_at(of->entry, of->map, i - 1, key_at(of, i)) >= 0)
            return false;
    return true;
}

/* By key; entries of one key as they came. */
static int compare_indices(const void *a, const void *b, void *context)
{
    const order *of = context;
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    int result = compare_at(of->entry, of->map, left, key_at(of, right));
    return result != 0 ? result : (left > right) - (left < right);
}

/* Copies entries in the order of the indices, but for those whose key comes again. Returns how many. */
static size_t copy_last(const order *of, const size_t *indices, char *to)
{
    size_t count = 0, width = of->entry->size;
    for (size_t i = 0; i < of->map->size; i++) {
        bool again =
            i + 1 < of->map->size && compare_at(of->entry, of->map, indices[i], key_at(of, indices[i + 1])) == 0;
        if (!again)
            memcpy(to + count++ * width, entry_at(of->entry, of->map, indices[i]), width);
    }
    return count;
}

int mrpc_map_sort(const mrpc_type *entry, mrpc_any_list *map)
{
    order of = {entry, map};
    size_t count = mrpc_any_size(map->data, map->size);
    if (count < 2 || is_sorted(&of))
        return 0;
    size_t *indices = calloc(count, sizeof *indices);
    char *sorted = calloc(count, entry->size);
    if (indices != NULL && sorted != NULL) {
        for (size_t i = 0; i < count; i++)
            indices[i] = i;
        qsort_r(indices, count, sizeof *indices, compare_indices, &of);
        map->size = copy_last(&of, indices, sorted);
        memcpy(map->data, sorted, map->size * entry->size);
    }
    bool done = indices != NULL && sorted != NULL;
    free(indices);
    free(sorted);
    return done ? 0 : MRPC_ENOMEM;
}
