/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kv_load.h - a load on a key-value server, with real data, that checks every answer
 *
 * Each worker thread owns some keys, knows what the server must have under them, and reads, writes, swaps, deletes and
 * walks them in a random order; what comes back is compared byte by byte and version by version. Meanwhile one more
 * thread watches all of these keys, and must be told of every change once and in order.
 */
#ifndef KV_LOAD_H
#define KV_LOAD_H

#include <stdio.h>

typedef struct kv_load_options {
    const char *address;
    const char *folder; /* whose files are the data */
    const char *swaps;  /* a file with a line "began installed" (CLOCK_MONOTONIC, ns) for each module that was replaced
                           meanwhile; read at the end; NULL: none */
    const char *report; /* where the results go as lines of "name value"; NULL: nowhere */
    double seconds;     /* or until SIGTERM */
    unsigned workers;
    unsigned connections;
} kv_load_options;

/* 0 when no call failed and nothing was wrong; else 1, after messages on stderr. Prints a summary. */
int kv_load_run(const kv_load_options *options);

#endif
