/* SPDX-License-Identifier: BSD-2-Clause */
/* table.c - a hash table with linear probing and backward-shift deletion (Knuth, TAOCP volume 3, 6.4, algorithms L and
 * R) */
#include "config.h"

#include "runtime/table.h"

#include <stdlib.h>

#include "runtime/call.h"

enum { FIRST_SLOTS = 16 };

/* Numbers are handed out in sequence. Taken as they are, the calls in flight would stand in one unbroken row, which
 * every removal has to walk to its end; multiplied by 2^32 over the golden ratio they leave gaps (Knuth, TAOCP volume
 * 3, 6.4). */
static uint32_t home(const mrpc_call_table *table, uint32_t number)
{
    uint32_t spread = number * UINT32_C(0x9e3779b1);
    return (uint32_t)(((uint64_t)spread * (table->mask + UINT64_C(1))) >> 32);
}

mrpc_call *mrpc_call_table_find(const mrpc_call_table *table, uint32_t number)
{
    if (table->slots == NULL)
        return NULL;
    for (uint32_t i = home(table, number); table->slots[i] != NULL; i = (i + 1) & table->mask)
        if (table->slots[i]->number == number)
            return table->slots[i];
    return NULL;
}

static void insert(mrpc_call_table *table, mrpc_call *call)
{
    uint32_t i = home(table, call->number);
    while (table->slots[i] != NULL)
        i = (i + 1) & table->mask;
    table->slots[i] = call;
}

static int grow(mrpc_call_table *table)
{
    uint32_t slots = table->slots == NULL ? FIRST_SLOTS : 2 * (table->mask + 1);
    mrpc_call_table larger = {.slots = calloc(slots, sizeof(mrpc_call *)), .mask = slots - 1, .count = table->count};
    if (larger.slots == NULL)
        return MRPC_ENOMEM;
    for (uint32_t i = 0; table->slots != NULL && i <= table->mask; i++)
        if (table->slots[i] != NULL)
            insert(&larger, table->slots[i]);
    free(table->slots);
    *table = larger;
    return 0;
}

int mrpc_call_table_add(mrpc_call_table *table, mrpc_call *call, bool *grown)
{
    *grown = table->slots == NULL || 2 * (table->count + 1) > table->mask + 1;
    if (*grown && grow(table) != 0)
        return MRPC_ENOMEM;
    insert(table, call);
    table->count++;
    return 0;
}

void mrpc_call_table_remove(mrpc_call_table *table, const mrpc_call *call)
{
    uint32_t hole = home(table, call->number);
    while (table->slots[hole] != call)
        hole = (hole + 1) & table->mask;
    for (uint32_t i = (hole + 1) & table->mask; table->slots[i] != NULL; i = (i + 1) & table->mask) {
        uint32_t distance = (i - home(table, table->slots[i]->number)) & table->mask;
        if (distance < ((i - hole) & table->mask))
            continue;
        table->slots[hole] = table->slots[i];
        hole = i;
    }
    table->slots[hole] = NULL;
    table->count--;
}

void mrpc_call_table_free(mrpc_call_table *table)
{
    free(table->slots);
    *table = (mrpc_call_table){0};
}
