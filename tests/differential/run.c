/* SPDX-License-Identifier: BSD-2-Clause */
/* run.c - see run.h */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/differential/run.h"

static uint64_t current;

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *given = getenv(variable);
    return given != NULL && given[0] != '\0' ? strtoull(given, NULL, 10) : otherwise;
}

void run_seeds(unsigned count, run_seed *run)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t first = number_from("TEST_SEED", (uint64_t)(now.tv_nsec / 1000 ^ now.tv_sec) % 1000000000);
    uint64_t wanted = number_from("TEST_SCHEMAS", count);
    printf("# seed %" PRIu64 " (again: TEST_SEED=%" PRIu64 ")\n", first, first);
    fflush(stdout); /* in case that a sanitizer ends the program */
    for (current = first; wanted == 0 || current < first + wanted; current++)
        run(current);
}

int run_end(int result, const char *program)
{
    if (result != 0)
        printf("# again: TEST_SEED=%" PRIu64 " TEST_SCHEMAS=1 %s\n", current, program);
    return result;
}
