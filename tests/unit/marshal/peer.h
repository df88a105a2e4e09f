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

#ifdef __cplusplus
}
#endif

#endif /* MRPC_TEST_PEER_H */
