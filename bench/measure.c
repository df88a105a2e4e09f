/* SPDX-License-Identifier: BSD-2-Clause */
/* measure.c - command line, clock and histogram of the benchmark peers */
#include "config.h"

#include "bench/measure.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static void usage(const char *program, const char *wrong)
{
    fprintf(stderr,
            "%s: %s\nusage: %s server|client ADDRESS [--spin] [--inflight N] [--size BYTES] [--seconds S] [--cpu N] "
            "[--sink]\n",
            program, wrong, program);
    exit(2);
}

static double number(int argc, char **argv, int at)
{
    char *end;
    if (at >= argc)
        usage(argv[0], "an option lacks its value");
    double value = strtod(argv[at], &end);
    if (*end != '\0' || value < 0)
        usage(argv[0], "a value is not a number");
    return value;
}

static void go_to_cpu(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        perror("sched_setaffinity");
}

bench_options bench_parse(int argc, char **argv)
{
    bench_options options = {.inflight = 1, .size = 62, .seconds = 1, .cpu = -1};
    if (argc < 3 || (strcmp(argv[1], "server") != 0 && strcmp(argv[1], "client") != 0))
        usage(argv[0], "say whether this is the server or the client, and the address");
    options.server = argv[1][0] == 's';
    options.address = argv[2];
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--spin") == 0)
            options.spin = true;
        else if (strcmp(argv[i], "--sink") == 0)
            options.sink = true;
        else if (strcmp(argv[i], "--inflight") == 0)
            options.inflight = (uint32_t)number(argc, argv, ++i);
        else if (strcmp(argv[i], "--size") == 0)
            options.size = (uint32_t)number(argc, argv, ++i);
        else if (strcmp(argv[i], "--seconds") == 0)
            options.seconds = number(argc, argv, ++i);
        else if (strcmp(argv[i], "--cpu") == 0)
            options.cpu = (int)number(argc, argv, ++i);
        else
            usage(argv[0], "unknown option");
    }
    if (options.cpu >= 0)
        go_to_cpu(options.cpu);
    return options;
}

uint64_t bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t bucket_of(uint64_t ns)
{
    if (ns < 64)
        return (uint32_t)ns;
    uint32_t power = 63 - (uint32_t)__builtin_clzll(ns);
    return (power - 5) * 64 + (uint32_t)((ns >> (power - 6)) & 63);
}

static uint64_t value_of(uint32_t bucket)
{
    if (bucket < 64)
        return bucket;
    uint32_t power = bucket / 64 + 5;
    return (UINT64_C(64) + bucket % 64) << (power - 6);
}

void bench_begin(bench_run *run, const bench_options *options)
{
    memset(run, 0, sizeof *run);
    run->begin = bench_now() + (uint64_t)(options->seconds * 1e8);
    run->end = run->begin + (uint64_t)(options->seconds * 1e9);
}

bool bench_count(bench_run *run, uint64_t since)
{
    uint64_t now = bench_now();
    if (now >= run->end)
        return false;
    if (now >= run->begin) {
        run->count++;
        run->buckets[bucket_of(now - since)]++;
    }
    return true;
}

static double percentile(const bench_run *run, double part)
{
    uint64_t wanted = (uint64_t)(part * (double)run->count), seen = 0;
    for (uint32_t i = 0; i < sizeof run->buckets / sizeof run->buckets[0]; i++) {
        seen += run->buckets[i];
        if (seen > wanted)
            return (double)value_of(i) / 1000;
    }
    return 0;
}

void bench_print(const bench_run *run)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    double count = run->count > 0 ? (double)run->count : 1;
    printf("rate=%.0f p50_us=%.2f p99_us=%.2f cpu_us=%.3f\n",
           (double)run->count * 1e9 / (double)(run->end - run->begin), percentile(run, 0.5), percentile(run, 0.99),
           cpu / count);
}
