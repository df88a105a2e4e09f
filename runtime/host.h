/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host.h - service modules: loaded into a server, replaced while calls are in flight, unloaded after their last call
 *
 * A version of a module is in use by each of its services until mrpc_server_replace() says that the last call with its
 * handlers has ended. Who says so is the driver, possibly in the midst of its work, and unloading takes a while and may
 * run code of the module: a thread that lives just for that does it.
 */
#ifndef MRPC_RUNTIME_HOST_H
#define MRPC_RUNTIME_HOST_H

#include <stdbool.h>

#include <mrpc/server.h>

#include "runtime/upgrade.h"

/* One module in one server, with its versions. */
typedef struct mrpc_host mrpc_host;

/* Whether a service module of that name is loaded in one of the runtime's servers. */
bool mrpc_host_has(mrpc_runtime *runtime, const char *name);

/* Tests and loads the candidate in place of the module of its name. ENOENT: there is none; and the errors of
 * mrpc_server_load. */
MRPC_MUST_CHECK int mrpc_host_upgrade(mrpc_runtime *runtime, mrpc_candidate *candidate, mrpc_upgrade_report *report,
                                      mrpc_error *error);

/* Loads the version before the current one again. ENOENT: there is none. */
MRPC_MUST_CHECK int mrpc_host_rollback(mrpc_runtime *runtime, const char *name, mrpc_upgrade_report *report,
                                       mrpc_error *error);

/* Shows each version of each module, the newest first. `state`: "current", "draining" (calls are still in it) or
 * "unloaded". */
void mrpc_host_visit(mrpc_runtime *runtime, void (*visit)(void *context, mrpc_module_info *info, const char *state),
                     void *context);

/* When a server begins to go: takes its modules out of reach of upgrades, and returns them. Not on the driver, which
 * others may wait for while they hold the lock. */
mrpc_host *mrpc_host_detach(mrpc_server *server);

/* Unloads detached modules. No call is in them, and none of their handlers and services is referred to. */
void mrpc_host_free(mrpc_host *hosts);

#endif /* MRPC_RUNTIME_HOST_H */
