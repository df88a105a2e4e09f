/* SPDX-License-Identifier: BSD-2-Clause */
/* peer.h - what libprotobuf makes of bytes */
#ifndef MRPC_TEST_PEER_H
#define MRPC_TEST_PEER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Parses a message of the type with that full name and serializes it again, maps in the order of their keys. False: it
 * does not parse. *again is from malloc. */
bool peer_round_trip(const char *type, const void *bytes, size_t size, char **again, size_t *again_size);

/* The bytes of a message from its text format; the test fails when that is wrong. *bytes is from malloc. */
void peer_from_text(const char *type, const char *text, char **bytes, size_t *size);

/* The text format of a message, one field a line, NUL-terminated, from malloc; NULL: it does not parse. */
char *peer_to_text(const char *type, const void *bytes, size_t size);

/* The JSON of a message, NUL-terminated, from malloc; NULL: it cannot be said in JSON. */
char *peer_to_json(const char *type, const void *bytes, size_t size);

/* The bytes of a message from JSON. False: it is refused. *bytes is from malloc. */
bool peer_from_json(const char *type, const char *json, char **bytes, size_t *size);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_TEST_PEER_H */
