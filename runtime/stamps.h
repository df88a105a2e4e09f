/* SPDX-License-Identifier: BSD-2-Clause */
/* stamps.h - how many messages of each marshal build of the peers have come */
#ifndef MRPC_RUNTIME_STAMPS_H
#define MRPC_RUNTIME_STAMPS_H

#include <mrpc/runtime.h>

enum { STAMP_LIMIT = 64 };

typedef struct mrpc_stamp_table {
    mrpc_stamp_count counts[STAMP_LIMIT]; /* in the order in which they came first */
    size_t count;
    uint64_t others; /* of builds that came when the table was full */
} mrpc_stamp_table;

/* Counts one message; `stamp` has MRPC_STAMP_TEXT bytes from the wire, the last of which is ignored. On the driver. */
void mrpc_stamps_add(mrpc_stamp_table *table, const char *stamp);

#endif /* MRPC_RUNTIME_STAMPS_H */
