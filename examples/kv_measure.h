/* SPDX-License-Identifier: BSD-2-Clause */
/* kv_measure.h - how long calls take, and how long nothing is completed */
#ifndef KV_MEASURE_H
#define KV_MEASURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC, ns: the clock of mrpcctl's reports. */
uint64_t kv_now(void);

/* Counts of durations in buckets of about 3 % width, as HdrHistogram has them: 32 for each power of two. One thread
 * writes it. */
enum { KV_BUCKETS = 60 * 32 };

typedef struct kv_histogram {
    uint64_t counts[KV_BUCKETS];
    uint64_t total;
} kv_histogram;

void kv_histogram_add(kv_histogram *histogram, uint64_t ns);
void kv_histogram_merge(kv_histogram *into, const kv_histogram *from);
/* The duration that `share` (0 to 1) of all calls do not exceed, ns. */
uint64_t kv_histogram_quantile(const kv_histogram *histogram, double share);

/* The longest gap between two completions, of whatever thread, for each millisecond in which one ended. Any thread
 * writes it. */
typedef struct kv_timeline {
    uint64_t start;
    _Atomic uint64_t last;
    size_t milliseconds;
    _Atomic uint32_t gaps[]; /* µs */
} kv_timeline;

/* For a run of so many seconds; later completions go to its last millisecond. NULL: no memory. Freed with free(). */
kv_timeline *kv_timeline_new(double seconds);
void kv_timeline_add(kv_timeline *timeline, uint64_t now);
/* The longest gap, µs, that touches the time between `begin` and `end`. */
uint32_t kv_timeline_gap(const kv_timeline *timeline, uint64_t begin, uint64_t end);

#endif
