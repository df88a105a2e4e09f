/* SPDX-License-Identifier: BSD-2-Clause */
/* table.h - the open calls of a connection by their number: open addressing, linear probing, no allocation in steady
 * state */
#ifndef MRPC_RUNTIME_TABLE_H
#define MRPC_RUNTIME_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include <mrpc/call.h>

typedef struct mrpc_call_table {
    mrpc_call **slots; /* a power of two of them, at most half full */
    uint32_t mask;
    uint32_t count;
} mrpc_call_table;

mrpc_call *mrpc_call_table_find(const mrpc_call_table *table, uint32_t number);
/* ENOMEM. `grown` is set when memory was allocated. */
MRPC_MUST_CHECK int mrpc_call_table_add(mrpc_call_table *table, mrpc_call *call, bool *grown);
void mrpc_call_table_remove(mrpc_call_table *table, const mrpc_call *call);
void mrpc_call_table_free(mrpc_call_table *table);

#endif /* MRPC_RUNTIME_TABLE_H */
