/* SPDX-License-Identifier: BSD-2-Clause */
/* echo_server.h - a server of tests/protos/echo.proto in a thread, for tests of the runtime */
#ifndef TESTS_UNIT_ECHO_SERVER_H
#define TESTS_UNIT_ECHO_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <mrpc/mrpc.h>

#include "echo.mrpc.h"

typedef struct echo_server echo_server;

/* What the handlers have seen. */
typedef struct echo_seen {
    _Atomic uint64_t handled;   /* calls */
    _Atomic uint64_t cancelled; /* calls that the peer or a deadline ended */
    _Atomic int last_end;       /* the status code that on_end of the last streaming call had */
} echo_seen;

/* Handlers that do what the messages say. `seen` is their state. */
extern const echo_Echo_handlers echo_handlers;

/* A server at `address` with a runtime of its own, driven by a thread of its own. Fails the test on any error. */
echo_server *echo_server_start(const char *address, const mrpc_server_options *options);
const char *echo_server_address(const echo_server *server);
mrpc_server *echo_server_mrpc(echo_server *server);
echo_seen *echo_server_seen(echo_server *server);
/* Stops it, waits for its thread and for replies that are still to come, and frees it. */
void echo_server_stop(echo_server *server, uint32_t drain_ms);

/* Bytes that can be recognised: the i-th is (seed + i * 7) mod 251. */
void echo_fill(uint8_t *bytes, size_t size, uint32_t seed);
bool echo_check(const uint8_t *bytes, size_t size, uint32_t seed);

#endif /* TESTS_UNIT_ECHO_SERVER_H */
