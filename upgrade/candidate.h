/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * candidate.h - a file that may become a module: from its path to a tested, sealed copy
 *
 * The order is that of growing trust: who can write the file (trust.h), a sealed copy of it (copy.h), what its ELF
 * headers and its note say (elf.h), then, when the caller has compared the note with what runs now, the self-test in a
 * helper (trial.h). Nothing of the candidate was run in this process until then.
 */
#ifndef MRPC_UPGRADE_CANDIDATE_H
#define MRPC_UPGRADE_CANDIDATE_H

#include <mrpc/error.h>
#include <mrpc/marshal.h>

#include "upgrade/trial.h"

typedef struct mrpc_candidate {
    char path[256];        /* as it was given; longer ones are cut in front */
    mrpc_module_note note; /* checked by mrpc_elf_read() */
    int copy;              /* the sealed memfd; -1 when it was taken */
} mrpc_candidate;

/* Opens, checks and copies the file. Errors name the path: ENOENT, EPERM, EINVAL, EFORMAT, ELIMIT, EMODULE, EMISMATCH
 * (ABI), ESYS. */
MRPC_MUST_CHECK int mrpc_candidate_open(mrpc_candidate *candidate, const char *path, mrpc_error *error);

/* Whether it may take the place of a module with that fingerprint. EMISMATCH; says which of the two differs and what to
 * do. */
MRPC_MUST_CHECK int mrpc_candidate_compare(const mrpc_candidate *candidate, const mrpc_fingerprint *current,
                                           mrpc_error *error);

/* Runs its self-test; errors as mrpc_trial_run(), with the path. */
MRPC_MUST_CHECK int mrpc_candidate_test(const mrpc_candidate *candidate, const mrpc_trial_limits *limits,
                                        mrpc_error *error);

/* Closes the copy unless it was taken. */
void mrpc_candidate_close(mrpc_candidate *candidate);

#endif /* MRPC_UPGRADE_CANDIDATE_H */
