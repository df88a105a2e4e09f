/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * simulate.c - runs simulated worlds, one for each seed, until one goes wrong
 *
 *     simulate [--seeds N] [--first SEED]    N worlds (1000), from the first seed (1) on
 *     simulate --seed SEED                   one world, again
 *
 * Prints the seed of the world that went wrong, and what was reached in all of them. A state that was never reached
 * fails the run.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/workload.h"

static bool run_seed(uint64_t seed, reached *all)
{
    char failure[256];
    uint64_t trace;
    if (world_run(seed, all, &trace, failure, sizeof failure))
        return true;
    printf("FAIL: seed %" PRIu64 ": %s\nagain with: %s --seed %" PRIu64 "\n", seed, failure, "tests/sim/simulate",
           seed);
    return false;
}

/* What depends on anything but the seed, such as an address or the time of day, could not be looked into afterwards. */
static bool same_twice(uint64_t seed)
{
    char failure[256];
    uint64_t first, second;
    reached ignored = {0};
    bool good = world_run(seed, &ignored, &first, failure, sizeof failure) &&
                world_run(seed, &ignored, &second, failure, sizeof failure);
    if (good && first == second)
        return true;
    printf("FAIL: seed %" PRIu64 " does not run the same twice %s\n", seed, failure);
    return false;
}

/* False: something was never reached. */
static bool print_reached(const reached *all)
{
    bool complete = true;
#define PRINT_REACHED(name, what)                                                                                      \
    printf("%10" PRIu64 "  %s\n", all->name, what);                                                                    \
    complete &= all->name > 0;
    REACHED_TABLE(PRINT_REACHED)
#undef PRINT_REACHED
    return complete;
}

static uint64_t number_after(int argc, char **argv, const char *name, uint64_t fallback)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 0);
    return fallback;
}

int main(int argc, char **argv)
{
    reached all = {0};
    uint64_t single = number_after(argc, argv, "--seed", 0);
    uint64_t first = number_after(argc, argv, "--first", 1), count = number_after(argc, argv, "--seeds", 1000);
    if (single != 0)
        return !run_seed(single, &all) || !print_reached(&all);
    for (uint64_t seed = first; seed < first + count; seed++)
        if (!run_seed(seed, &all))
            return 1;
    for (uint64_t seed = first; seed < first + 5; seed++)
        if (!same_twice(seed))
            return 1;
    printf("%" PRIu64 " worlds:\n", count);
    if (print_reached(&all) || count < 100)
        return 0;
    printf("FAIL: some states were never reached\n");
    return 1;
}
