/* SPDX-License-Identifier: BSD-2-Clause */
/* runtime_fixture.h - a server of tests/protos/echo.proto in a thread, and a channel to it, for tests of the runtime */
#ifndef TESTS_UNIT_RUNTIME_FIXTURE_H
#define TESTS_UNIT_RUNTIME_FIXTURE_H

#include <pthread.h>
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
pthread_t echo_server_thread(const echo_server *server);
/* Stops it, waits for its thread and for replies that are still to come, and frees it. */
void echo_server_stop(echo_server *server, uint32_t drain_ms);

/* How both sides of a test are connected. */
typedef struct setup {
    const char *name;
    const char *address;
    mrpc_poller poller;
    bool thread;                        /* the client's runtime has a thread of its own */
    mrpc_connection_options connection; /* of both sides; size 0: defaults */
} setup;

/* Those that every machine can do; the last one has name NULL. With TEST_TRANSPORT in the environment the tests run
 * over that transport alone: tcp, shm, or rdma, whose setups are not among these. */
extern const setup every_setup[];

typedef struct fixture {
    const setup *setup;
    echo_server *server;
    mrpc_runtime *runtime;
    mrpc_channel *channel;
    echo_Ping *ping; /* in the channel's heap */
} fixture;

void set_up(fixture *f, const setup *how);
void tear_down(fixture *f);
/* A server like the fixture's at `address`. */
echo_server *start_server(const setup *how, const char *address);
mrpc_runtime *new_runtime(const setup *how);
mrpc_channel *new_channel(const setup *how, mrpc_runtime *runtime, const char *address);

/* Calls Unary with f->ping and `number`, and fails the test unless the reply is right. */
void call_and_check(fixture *f, uint64_t number);

/* Drives f->runtime until *flag is set, at most a minute. */
void drive_until(fixture *f, const _Atomic bool *flag);

/* Waits until the server has seen so many calls end otherwise than by its own reply. */
void wait_for_cancelled(echo_server *server, uint64_t count);

/* A test for each setup. */
typedef struct named_test {
    const char *name;
    void (*run)(void **state); /* *state is the setup */
} named_test;
#define NAMED_TEST(function)                                                                                           \
    {                                                                                                                  \
#function, function                                                                                            \
    }
/* The main of a test program: returns its exit status. argv[1], if any, selects tests whose name contains it. */
int run_named_tests(const named_test *tests, size_t count, int argc, char **argv);

/* Bytes that can be recognised: the i-th is (seed + i * 7) mod 251. */
void echo_fill(uint8_t *bytes, size_t size, uint32_t seed);
bool echo_check(const uint8_t *bytes, size_t size, uint32_t seed);

#endif /* TESTS_UNIT_RUNTIME_FIXTURE_H */
