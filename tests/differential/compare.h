/* SPDX-License-Identifier: BSD-2-Clause */
/* compare.h - random messages of all types of a schema, which mrpc and libprotobuf write and read alike */
#ifndef MRPC_DIFFERENTIAL_COMPARE_H
#define MRPC_DIFFERENTIAL_COMPARE_H

#include <stdint.h>

#include "tests/differential/peer.h"

/* What was compared. */
typedef struct compare_counts {
    uint64_t types, messages, texts, jsons;
    uint64_t refused, accepted; /* bytes that are perhaps no message of the type */
} compare_counts;

/* A schema, as both have it. */
typedef struct compared_schema {
    const mrpc_file *const *files;
    size_t file_count;
    const peer_types *peer;
    compare_counts *counts; /* is added to */
} compared_schema;

/* Fails the test where they differ. `rounds` messages of each type come from libprotobuf, and as many from mrpc. */
void compare_schema(const compared_schema *schema, random_source *source, unsigned rounds);

/* Says what was compared. */
void compare_print(const compare_counts *counts);

/* Fails the test, which says `what` about the type, when the bytes are not the same. */
void compare_bytes(const mrpc_type *type, const char *what, const test_bytes *ours, const test_bytes *theirs);

#endif /* MRPC_DIFFERENTIAL_COMPARE_H */
