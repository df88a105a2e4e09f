/* SPDX-License-Identifier: BSD-2-Clause */
/* stamps.c - counts the messages of each marshal build by its stamp */
#include "config.h"

#include "runtime/stamps.h"

#include <string.h>

#include "runtime/runtime.h"

void mrpc_stamps_add(mrpc_stamp_table *table, const char *stamp)
{
    char text[MRPC_STAMP_TEXT] = "";
    memcpy(text, stamp, strnlen(stamp, MRPC_STAMP_TEXT - 1));
    for (size_t i = 0; i < table->count; i++)
        if (memcmp(table->counts[i].stamp, text, sizeof text) == 0) {
            table->counts[i].messages++;
            return;
        }
    if (table->count == STAMP_LIMIT) {
        table->others++;
        return;
    }
    mrpc_stamp_count *fresh = &table->counts[table->count++];
    memcpy(fresh->stamp, text, sizeof text);
    fresh->messages = 1;
}

typedef struct stamps_query {
    mrpc_runtime *runtime;
    mrpc_stamp_count *stamps;
    size_t count, total;
} stamps_query;

static void list_stamps(void *argument)
{
    stamps_query *query = argument;
    const mrpc_stamp_table *table = &query->runtime->stamps;
    for (size_t i = 0; i < table->count && i < query->count; i++)
        query->stamps[i] = table->counts[i];
    query->total = table->count;
    if (table->others == 0)
        return;
    if (query->total < query->count)
        query->stamps[query->total] = (mrpc_stamp_count){.stamp = "other", .messages = table->others};
    query->total++;
}

size_t mrpc_runtime_stamps(mrpc_runtime *runtime, mrpc_stamp_count *stamps, size_t count)
{
    stamps_query query = {.runtime = runtime, .stamps = stamps, .count = count};
    return mrpc_engine_run_exclusive(&runtime->engine, list_stamps, &query) == 0 ? query.total : 0;
}
