/* SPDX-License-Identifier: BSD-2-Clause */
/* kv_measure.c - histograms and gaps */
#include "kv_measure.h"

#include <stdlib.h>
#include <time.h>

uint64_t kv_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* --- histogram --- */

/* The five bits behind the highest one choose among the 32 of its power. */
static size_t bucket_of(uint64_t value)
{
    if (value < 32)
        return (size_t)value;
    unsigned power = 63u - (unsigned)__builtin_clzll(value);
    return (power - 4) * 32 + (size_t)((value >> (power - 5)) & 31);
}

/* The largest value of a bucket. */
static uint64_t bucket_top(size_t bucket)
{
    if (bucket < 32)
        return bucket;
    unsigned power = (unsigned)(bucket / 32) + 4;
    return (((UINT64_C(32) | (bucket & 31)) + 1) << (power - 5)) - 1;
}

void kv_histogram_add(kv_histogram *histogram, uint64_t ns)
{
    histogram->counts[bucket_of(ns)]++;
    histogram->total++;
}

void kv_histogram_merge(kv_histogram *into, const kv_histogram *from)
{
    for (size_t i = 0; i < KV_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    into->total += from->total;
}

uint64_t kv_histogram_quantile(const kv_histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)((double)histogram->total * share), seen = 0;
    for (size_t i = 0; i < KV_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > wanted || seen == histogram->total)
            return bucket_top(i);
    }
    return 0;
}

/* --- timeline --- */

kv_timeline *kv_timeline_new(double seconds)
{
    size_t milliseconds = (size_t)(seconds * 1000) + 1;
    kv_timeline *timeline = calloc(1, sizeof *timeline + milliseconds * sizeof timeline->gaps[0]);
    if (timeline == NULL)
        return NULL;
    timeline->milliseconds = milliseconds;
    timeline->start = kv_now();
    timeline->last = timeline->start;
    return timeline;
}

static size_t millisecond_of(const kv_timeline *timeline, uint64_t time)
{
    size_t index = time > timeline->start ? (size_t)((time - timeline->start) / 1000000) : 0;
    return index < timeline->milliseconds ? index : timeline->milliseconds - 1;
}

void kv_timeline_add(kv_timeline *timeline, uint64_t now)
{
    uint64_t before = atomic_exchange_explicit(&timeline->last, now, memory_order_relaxed);
    if (now <= before)
        return; /* another thread took the time later and came first */
    uint32_t gap = (uint32_t)((now - before) / 1000);
    _Atomic uint32_t *longest = &timeline->gaps[millisecond_of(timeline, now)];
    uint32_t seen = atomic_load_explicit(longest, memory_order_relaxed);
    while (gap > seen &&
           !atomic_compare_exchange_weak_explicit(longest, &seen, gap, memory_order_relaxed, memory_order_relaxed))
        ;
}

/* A gap stands where it ended, so that one behind the window counts when it began before the window's end. */
uint32_t kv_timeline_gap(const kv_timeline *timeline, uint64_t begin, uint64_t end)
{
    uint32_t longest = 0;
    size_t last = millisecond_of(timeline, end);
    for (size_t i = millisecond_of(timeline, begin); i < timeline->milliseconds; i++) {
        uint32_t gap = atomic_load_explicit(&timeline->gaps[i], memory_order_relaxed);
        bool touches = i <= last || (uint64_t)gap * 1000 > (i - last) * UINT64_C(1000000);
        if (touches && gap > longest)
            longest = gap;
        if (i > last && gap > 0)
            break; /* what follows began behind this one's end */
    }
    return longest;
}
