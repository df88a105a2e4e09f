/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runtime_flow.h - calls that flow while something happens to the other side or to the wire, and what is left
 * afterwards
 *
 * A flow keeps FLOW_CALLS calls under way, unary ones and server streams of all sizes up to 100 kB. Each has a record
 * of its own until the flow has ended, so that an end that is told twice, or never, is noticed.
 */
#ifndef TESTS_UNIT_RUNTIME_FLOW_H
#define TESTS_UNIT_RUNTIME_FLOW_H

#include "tests/unit/runtime_fixture.h"

enum { FLOW_CALLS = 16 };

typedef struct flow_call flow_call;

/* Atomic is what callbacks change, which may run in a thread of the runtime. */
typedef struct flow {
    mrpc_channel *channel;
    uint32_t timeout_ms; /* of each call; 0: none */
    uint32_t random;
    uint64_t begun;
    _Atomic uint64_t ended;
    _Atomic uint64_t good, unavailable, late; /* of those: OK, UNAVAILABLE, DEADLINE_EXCEEDED */
    _Atomic uint64_t wrong;                   /* another status, or not what was sent */
    flow_call *calls;
} flow;

void flow_begin(flow *f, mrpc_channel *channel, uint32_t timeout_ms, uint32_t seed);
/* Drives for so long. */
void flow_run(flow *f, unsigned milliseconds);
/* Drives until so many calls more have succeeded, a minute at most (TEST_PATIENCE seconds, if that is set). */
void flow_succeed(flow *f, uint64_t more);
/* Begins no more calls, and drives until all have ended, as long at most. */
void flow_settle(flow *f);
/* Settles, and fails the test unless each call has ended once, with a status that was to be expected. */
void flow_end(flow *f);

/* A number that is another one in each run, printed, or that of TEST_SEED. */
uint32_t flow_seed(void);
/* The next one, below `limit`. */
uint32_t flow_random(uint32_t *random, uint32_t limit);

/* How long a test waits for what should happen: 60 s, or TEST_PATIENCE. */
unsigned flow_patience(void);

/* What a process has. */
typedef struct flow_resources {
    int descriptors;
    long devices; /* RDMA: protection domains, completion queues, queue pairs, registrations, ids, receive queues */
} flow_resources;

flow_resources flow_count(const setup *how);
/* Waits until this process has no more than that, but for a ring of its loop; `runtime`, if it is not NULL, is driven
 * meanwhile. */
void flow_wait_for(const setup *how, mrpc_runtime *runtime, const flow_resources *most);
/* The RDMA part alone. */
long flow_count_devices(void);
/* Mappings of memory files, which heaps and shm have: what grows while calls flow, and goes with the runtime. */
int flow_count_mappings(void);

#endif /* TESTS_UNIT_RUNTIME_FLOW_H */
