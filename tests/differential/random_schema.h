/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random_schema.h - schemas of two files, the same for the same seed on every machine
 *
 * One file imports the other; each is of proto2 or proto3. Between them they have all types of fields and maps, nested
 * and recursive messages, groups, required fields, defaults, oneofs, extensions, and numbers up to the highest.
 */
#ifndef MRPC_RANDOM_SCHEMA_H
#define MRPC_RANDOM_SCHEMA_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "tests/unit/marshal/random_message.h"

/* protobuf-c has no groups, extensions and optional fields of proto3. */
typedef enum schema_limits { SCHEMA_OF_ANY_KIND, SCHEMA_FOR_PROTOBUF_C } schema_limits;

/* A FileDescriptorSet in the protobuf encoding, from malloc. */
char *random_schema(random_source *source, schema_limits limits, size_t *size);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_RANDOM_SCHEMA_H */
