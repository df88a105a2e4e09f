/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runtime_process.h - servers and clients that are processes of their own, to be killed
 *
 * The program is executed anew for each of them and not only forked: a device for RDMA can be used by nobody but the
 * process that has opened it, and what a parent has opened its child cannot open again.
 */
#ifndef TESTS_UNIT_RUNTIME_PROCESS_H
#define TESTS_UNIT_RUNTIME_PROCESS_H

#include <sys/types.h>

#include "tests/unit/runtime_fixture.h"

enum { PROCESS_ADDRESS = 128 };

/* Serves the echo service at `address` until it is killed; where it really listens is written there. */
pid_t start_server_process(const setup *how, char address[PROCESS_ADDRESS]);

/* Makes `calls` calls that are never answered. */
pid_t start_client_process(const setup *how, const char *address, int calls);

/* Has calls flow (runtime_flow.h) until it is killed. */
pid_t start_flow_process(const setup *how, const char *address, uint32_t seed);

/* Ends it with SIGKILL and waits for it. */
void kill_process(pid_t process);

/* For main(): does not return when the program is one of those processes. */
void be_process(const setup *setups, int argc, char **argv);

#endif /* TESTS_UNIT_RUNTIME_PROCESS_H */
