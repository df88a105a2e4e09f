/* SPDX-License-Identifier: BSD-2-Clause */
/* sandbox.h - takes away from the calling process what a self-test has no need of */
#ifndef MRPC_UPGRADE_SANDBOX_H
#define MRPC_UPGRADE_SANDBOX_H

#include <stdint.h>

/* Closes all descriptors from `first` on; limits CPU time, address space, files and core dumps; no new privileges; ends
 * with the parent. 0 or -1 with errno. */
int mrpc_sandbox_limit(int first, uint32_t cpu_s, uint32_t memory_mib);

/* From here on it takes the processor time that others leave, in short turns: a program under load must not wait behind
 * the test of its next module. It has a small share all the same, so that it ends also where nothing is left. No more
 * than a courtesy, so that it says nothing where the kernel forbids it. */
void mrpc_sandbox_step_back(void);

/* From here on only system calls that loading a library, computing, and ending need are allowed; any other ends the
 * process with SIGSYS. Where the kernel has no seccomp filters, and in sanitizer builds, whose run-time makes calls of
 * its own, nothing is taken away. */
void mrpc_sandbox_filter(void);

#endif /* MRPC_UPGRADE_SANDBOX_H */
