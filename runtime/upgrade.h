/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * upgrade.h - modules of a running runtime: found when needed, replaced on request, by a C call or over the control
 * socket
 *
 * Checking, testing and loading happen on the thread that asks; the engine is held only while a pointer changes.
 */
#ifndef MRPC_RUNTIME_UPGRADE_H
#define MRPC_RUNTIME_UPGRADE_H

#include <pthread.h>

#include <mrpc/runtime.h>

#include "runtime/control.h"
#include "upgrade/loaded.h"

/* What a runtime has for this; runtime->upgrade points to it. */
typedef struct mrpc_upgrade {
    mrpc_control *control; /* NULL: none */
    pthread_mutex_t lock;  /* upgrades of service modules, one at a time; and the list of hosts */
    struct mrpc_host *hosts;
} mrpc_upgrade;

/* What became of an upgrade. Times are of CLOCK_MONOTONIC, ns. */
typedef struct mrpc_upgrade_report {
    mrpc_module_info now; /* what is in place; its pause is the time for which the engine did nothing else */
    uint64_t began, installed;
    mrpc_error left; /* the version that was unloaded stays mapped; code 0: it does not */
} mrpc_upgrade_report;

/* Sets runtime->upgrade, find_module, unload_module and free_upgrade, and starts the control socket when
 * runtime->control names one. Once, before the runtime is used. Errors: those of mrpc_control_start, ENOMEM. */
MRPC_MUST_CHECK int mrpc_upgrade_start(mrpc_runtime *runtime, mrpc_error *error);

/* Ends the control socket, and with it the last requests; to be called before the engine goes. runtime->free_upgrade
 * frees the rest. */
void mrpc_upgrade_stop(mrpc_runtime *runtime);

/* As mrpc_runtime_upgrade and mrpc_runtime_rollback, with a report; service modules included. */
MRPC_MUST_CHECK int mrpc_upgrade_install(mrpc_runtime *runtime, const char *path, mrpc_upgrade_report *report,
                                         mrpc_error *error);
MRPC_MUST_CHECK int mrpc_upgrade_rollback(mrpc_runtime *runtime, const char *name, mrpc_upgrade_report *report,
                                          mrpc_error *error);

/* The commands of the control socket; context is the runtime. */
mrpc_control_handler mrpc_upgrade_command;

#endif /* MRPC_RUNTIME_UPGRADE_H */
