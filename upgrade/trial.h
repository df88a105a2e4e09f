/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trial.h - runs a candidate's self-test where it can do no harm: in a helper program, with limits
 *
 * The helper (trial-main.c, installed as mrpc-selftest) gets the sealed copy as descriptor 3 and reports over a pipe,
 * descriptor 4, in lines: "at STAGE" before each step, then "passed", or "refused CODE TEXT". A helper that ends
 * without a verdict was ended by the candidate, and the last stage says where. It loads the very bytes that this
 * process would load; it cannot know whether code in them behaves differently elsewhere, which is why only trusted
 * files get this far (trust.h).
 */
#ifndef MRPC_UPGRADE_TRIAL_H
#define MRPC_UPGRADE_TRIAL_H

#include <stdint.h>

#include <mrpc/error.h>
#include <mrpc/marshal.h>

enum { MRPC_TRIAL_COPY_FD = 3, MRPC_TRIAL_REPORT_FD = 4 };

/* Limits of the helper. Zero means the default. */
typedef struct mrpc_trial_limits {
    uint32_t wall_ms;    /* until it is killed; default 30,000: it takes only the processor time that others leave */
    uint32_t cpu_s;      /* CPU time; default 5 */
    uint32_t memory_mib; /* address space; default 1024; not applied under AddressSanitizer */
} mrpc_trial_limits;

/* Runs the self-test of a sealed copy and waits for its end. `limits` may be NULL. The helper is the program that the
 * environment variable MRPC_SELFTEST names (ignored in set-user-id programs), or the installed one. 0 when it passed;
 * EMODULE or EMISMATCH with the reason; ENOENT (no helper program), ESYS. From any thread; several may run at once.
 * Needs no SIGCHLD handling of the program and disturbs none. */
MRPC_MUST_CHECK int mrpc_trial_run(int copy, const mrpc_trial_limits *limits, mrpc_error *error);

#endif /* MRPC_UPGRADE_TRIAL_H */
