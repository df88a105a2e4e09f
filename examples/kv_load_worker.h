/* SPDX-License-Identifier: BSD-2-Clause */
/* kv_load_worker.h - the threads of the load, and what they share */
#ifndef KV_LOAD_WORKER_H
#define KV_LOAD_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "kv.mrpc.h"
#include "kv_corpus.h"
#include "kv_measure.h"

/* Everything below this prefix belongs to the load. */
#define KV_LOAD_PREFIX "load/"
#define KV_LOAD_LAST_KEY KV_LOAD_PREFIX "~last"

enum { KEYS_OF_WORKER = 400, SHOWN_FAULTS = 5 };

/* What all threads share. */
typedef struct kv_load {
    const kv_corpus *corpus;
    kv_timeline *timeline;
    uint64_t end; /* kv_now() when workers stop */
    _Atomic unsigned faults;
    _Atomic bool watching; /* the watcher has seen all that there was */
} kv_load;

/* What a worker's key has on the server. */
typedef struct kv_load_key {
    char name[96];
    kv_slice value; /* in the corpus; data NULL: the key is not there */
    uint64_t version;
} kv_load_key;

typedef struct kv_load_worker {
    kv_load *load;
    mrpc_channel *channel;
    pthread_t thread;
    unsigned number;
    uint64_t dice;
    uint64_t calls, failed, wrong, changes, bytes;
    kv_histogram histogram;
    kv_load_key keys[KEYS_OF_WORKER]; /* in order of their names */
} kv_load_worker;

/* The thread that watches. */
typedef struct kv_load_watcher {
    kv_load *load;
    mrpc_channel *channel;
    pthread_t thread;
    uint64_t events, failed, wrong;
} kv_load_watcher;

void *kv_load_work(void *worker);
void *kv_load_watch(void *watcher);

/* Whether workers are to end. */
bool kv_load_is_over(const kv_load *load);

/* Says what went wrong, for the first few faults of all threads. */
void kv_load_complain(kv_load *load, const char *format, ...) MRPC_PRINTF(2, 3);

#endif
