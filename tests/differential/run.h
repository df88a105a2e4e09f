/* SPDX-License-Identifier: BSD-2-Clause */
/* run.h - which seeds a differential test goes through, as the environment says */
#ifndef MRPC_DIFFERENTIAL_RUN_H
#define MRPC_DIFFERENTIAL_RUN_H

#include <stdint.h>

/* One test of one seed, which fails by cmocka's assertions. */
typedef void run_seed(uint64_t seed);

/* Runs seeds one after another in one test of cmocka, from TEST_SEED on (another one each time), TEST_SCHEMAS of them
 * (`count`; 0: until one fails). Prints the first, and the one that failed. */
void run_seeds(unsigned count, run_seed *run);

/* Returns `result`, that of cmocka; says how to repeat the seed that failed, if one did. */
int run_end(int result, const char *program);

#endif /* MRPC_DIFFERENTIAL_RUN_H */
