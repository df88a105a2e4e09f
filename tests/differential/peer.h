/* SPDX-License-Identifier: BSD-2-Clause */
/* peer.h - what libprotobuf makes of messages whose types are not known before the test runs */
#ifndef MRPC_DIFFERENTIAL_PEER_H
#define MRPC_DIFFERENTIAL_PEER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "tests/unit/marshal/codec_help.h"
#include "tests/unit/marshal/random_message.h"

/* The types of a schema. What is wrong with the schema, and a type that it does not have, ends the test. */
typedef struct peer_types peer_types;

/* Types that are made of a FileDescriptorSet, with DynamicMessageFactory. */
peer_types *peer_types_of_set(const void *set, size_t size);
/* The types whose generated code is in the program. */
peer_types *peer_types_linked(void);
void peer_types_free(peer_types *types);

/* The functions below take the full name of a type. Bytes and texts are from malloc, and empty or NULL where
 * libprotobuf refuses something. */

/* A random message that has all that it requires, as the bytes of its serialization: entries of maps in the order in
 * which they were added, and more than one for some keys. */
test_bytes peer_random(const peer_types *types, const char *type, random_source *source, unsigned depth);

/* Parses a message and serializes it again, maps in the order of their keys. False: it is refused. */
bool peer_reserialize(const peer_types *types, const char *type, const test_bytes *bytes, test_bytes *again);

/* Without unknown fields. */
char *peer_print_text(const peer_types *types, const char *type, const test_bytes *bytes);
bool peer_parse_text(const peer_types *types, const char *type, const char *text, test_bytes *bytes);

char *peer_print_json(const peer_types *types, const char *type, const test_bytes *bytes);
bool peer_parse_json(const peer_types *types, const char *type, const char *json, test_bytes *bytes);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_DIFFERENTIAL_PEER_H */
