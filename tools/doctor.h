/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor.h - what is missing on this machine for RDMA, and what to do about it */
#ifndef MRPC_TOOLS_DOCTOR_H
#define MRPC_TOOLS_DOCTOR_H

#include <stdbool.h>
#include <stdio.h>

/* Writes a table, as rows of tab-separated fields with a head row: what was looked at, "ok" or what is wrong, what to
 * do. `root` stands before /sys and /dev: "" but in tests. `modules`: folders with mrpc-rdma.so, separated by ':'. True
 * when nothing is missing. */
bool mrpc_doctor(FILE *out, const char *root, const char *modules);

#endif /* MRPC_TOOLS_DOCTOR_H */
