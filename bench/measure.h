/* SPDX-License-Identifier: BSD-2-Clause */
/* measure.h - what all benchmark peers share: the command line, the clock, and the line that a client prints */
#ifndef MRPC_BENCH_MEASURE_H
#define MRPC_BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* PROGRAM server|client ADDRESS [--spin] [--inflight N] [--size BYTES] [--seconds S] [--cpu N] [--sink] */
typedef struct bench_options {
    bool server;
    const char *address;
    bool sink; /* the server answers with nothing, so that bytes go one way */
    bool spin; /* poll instead of sleeping in the kernel */
    uint32_t inflight;
    uint32_t size; /* bytes of Payload.data */
    double seconds;
    int cpu; /* to run on, -1: any */
} bench_options;

/* Reads the command line and goes to the CPU that it names; ends the program with a message when it is wrong. */
bench_options bench_parse(int argc, char **argv);

/* Latencies in buckets of 1/64 of a power of two: 1.6 % at most. */
typedef struct bench_run {
    uint64_t begin, end; /* ns */
    uint64_t count;
    uint64_t buckets[64 * 64];
} bench_run;

uint64_t bench_now(void); /* ns, monotonic */

/* Warm-up of a tenth of the time, then counting. */
void bench_begin(bench_run *run, const bench_options *options);
/* Counts one call that began at `since`. False when the time is up. */
bool bench_count(bench_run *run, uint64_t since);
/* Prints "rate=… p50_us=… p99_us=… cpu_us=…", for the script that collects. */
void bench_print(const bench_run *run);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_BENCH_MEASURE_H */
