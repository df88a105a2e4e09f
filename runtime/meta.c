/* SPDX-License-Identifier: BSD-2-Clause */
/* meta.c - the items of a meta section: u16 key size, u16 flags, u32 value size, key, value, zeroes up to a multiple of
 * 8 */
#include "config.h"

#include "runtime/meta.h"

#include <stdlib.h>
#include <string.h>

#include "transports/frame.h"

typedef struct item {
    uint16_t key_size;
    uint16_t flags;
    uint32_t value_size;
} item;

size_t mrpc_meta_item_size(size_t key_size, size_t value_size)
{
    return mrpc_pad8(sizeof(item) + key_size + value_size);
}

size_t mrpc_meta_write(char *at, const char *key, const void *value, size_t value_size, uint16_t flags)
{
    size_t key_size = strlen(key), size = mrpc_meta_item_size(key_size, value_size);
    item head = {.key_size = (uint16_t)key_size, .flags = flags, .value_size = (uint32_t)value_size};
    memset(at + size - 8, 0, 8);
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, key, key_size);
    if (value_size > 0)
        memcpy(at + sizeof head + key_size, value, value_size);
    return size;
}

/* Reads the item at *offset and moves behind it. False: it does not fit into the section. */
static bool read_item(const char *section, size_t size, size_t *offset, item *head, const char **key)
{
    if (size - *offset < sizeof *head)
        return false;
    memcpy(head, section + *offset, sizeof *head);
    size_t left = size - *offset - sizeof *head;
    if (head->key_size == 0 || head->key_size > left || head->value_size > left - head->key_size)
        return false;
    *key = section + *offset + sizeof *head;
    size_t bytes = mrpc_meta_item_size(head->key_size, head->value_size);
    if (bytes > size - *offset)
        return false;
    *offset += bytes;
    return true;
}

bool mrpc_meta_valid(const char *section, size_t size)
{
    item head;
    const char *key;
    if (size > META_LIMIT || size % 8 != 0)
        return false;
    for (size_t offset = 0; offset < size;)
        if (!read_item(section, size, &offset, &head, &key))
            return false;
    return true;
}

const char *mrpc_meta_find(const char *section, size_t size, const char *key, size_t *value_size)
{
    size_t key_size = strlen(key);
    item head;
    const char *at;
    for (size_t offset = 0; offset < size && read_item(section, size, &offset, &head, &at);)
        if (head.key_size == key_size && memcmp(at, key, key_size) == 0) {
            *value_size = head.value_size;
            return at + key_size;
        }
    return NULL;
}

static int reserve(mrpc_meta **meta, size_t bytes, size_t least)
{
    size_t size = *meta == NULL ? 0 : (*meta)->size;
    if (bytes > META_LIMIT - size)
        return MRPC_ELIMIT;
    if (*meta != NULL && (*meta)->capacity - size >= bytes)
        return 0;
    size_t capacity = size + bytes <= least ? least : META_LIMIT;
    mrpc_meta *larger = realloc(*meta, sizeof *larger + capacity);
    if (larger == NULL)
        return MRPC_ENOMEM;
    larger->size = (uint32_t)size;
    larger->capacity = (uint32_t)capacity;
    *meta = larger;
    return 0;
}

static bool ends_in_bin(const char *key, size_t size)
{
    return size > 4 && memcmp(key + size - 4, "-bin", 4) == 0;
}

static bool is_key_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* Of items of either side. */
static const char *complain(const char *key, size_t key_size, const char *value, size_t value_size)
{
    for (size_t i = 0; i < key_size; i++)
        if (!is_key_character(key[i]))
            return "its key has other characters than a-z, 0-9, '-', '_' and '.'";
    if (ends_in_bin(key, key_size))
        return NULL;
    for (size_t i = 0; i < value_size; i++)
        if (value[i] < 0x20 || value[i] > 0x7E)
            return "its value is not printable ASCII, and its key does not end in -bin";
    return NULL;
}

const char *mrpc_meta_complaint(const mrpc_metadata *entry)
{
    if (entry->key == NULL || entry->key[0] == '\0')
        return "it has no key";
    if (entry->value == NULL && entry->size > 0)
        return "its value is NULL, with a size";
    size_t length = strlen(entry->key);
    if (length > META_LIMIT)
        return "its key is longer than 8 KiB";
    return complain(entry->key, length, entry->value, entry->size);
}

int mrpc_meta_add(mrpc_meta **meta, const mrpc_metadata *items, size_t count, uint16_t flags)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (mrpc_meta_complaint(&items[i]) != NULL)
            return MRPC_EINVAL;
        if (items[i].size > META_LIMIT)
            return MRPC_ELIMIT;
        bytes += mrpc_meta_item_size(strlen(items[i].key), items[i].size);
        if (bytes > META_LIMIT)
            return MRPC_ELIMIT;
    }
    int result = reserve(meta, bytes, 512);
    for (size_t i = 0; result == 0 && i < count; i++)
        (*meta)->size += (uint32_t)mrpc_meta_write((*meta)->data + (*meta)->size, items[i].key, items[i].value,
                                                   items[i].size, flags);
    return result;
}

int mrpc_meta_keep(mrpc_meta **meta, const char *section, size_t size, const char **complaint)
{
    item head;
    const char *key;
    for (size_t offset = 0, start = 0; offset < size && read_item(section, size, &offset, &head, &key);
         start = offset) {
        if (key[0] == ':')
            continue;
        *complaint = complain(key, head.key_size, key + head.key_size, head.value_size);
        if (*complaint != NULL)
            return MRPC_EPROTO;
        /* All of it at once: the application may hold pointers to values when more comes. */
        int result = reserve(meta, offset - start, META_LIMIT);
        if (result != 0)
            return result;
        memcpy((*meta)->data + (*meta)->size, section + start, offset - start);
        (*meta)->size += (uint32_t)(offset - start);
    }
    return 0;
}

/* --- lists for the application --- */

/* How many items there are, and how many bytes their keys and values take with a NUL each. */
static size_t measure(const mrpc_meta *meta, size_t *bytes)
{
    item head;
    const char *key;
    size_t count = 0;
    *bytes = 0;
    for (size_t offset = 0; offset < meta->size && read_item(meta->data, meta->size, &offset, &head, &key); count++)
        *bytes += (size_t)head.key_size + 1 + head.value_size + 1;
    return count;
}

static char *copy_text(char *to, const char *from, size_t size)
{
    memcpy(to, from, size);
    to[size] = '\0';
    return to + size + 1;
}

/* The list, its items and their texts are one allocation. */
mrpc_metadata_list *mrpc_meta_list(const mrpc_meta *meta)
{
    size_t bytes, count = meta == NULL ? 0 : measure(meta, &bytes);
    if (count == 0)
        return NULL;
    mrpc_metadata_list *list = malloc(sizeof *list + count * sizeof(mrpc_metadata) + bytes);
    if (list == NULL)
        return NULL;
    mrpc_metadata *items = (mrpc_metadata *)(list + 1);
    char *text = (char *)(items + count);
    item head;
    const char *key;
    for (size_t i = 0, offset = 0; i < count && read_item(meta->data, meta->size, &offset, &head, &key); i++) {
        items[i].key = text;
        text = copy_text(text, key, head.key_size);
        items[i].value = text;
        items[i].size = head.value_size;
        text = copy_text(text, key + head.key_size, head.value_size);
    }
    *list = (mrpc_metadata_list){.items = items, .count = count};
    return list;
}

void mrpc_metadata_list_free(mrpc_metadata_list *list)
{
    free(list);
}
