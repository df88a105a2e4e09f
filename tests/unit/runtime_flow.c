/* SPDX-License-Identifier: BSD-2-Clause */
/* runtime_flow.c - calls under way, their records, and counts of what a process has open */
#include "config.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/runtime_flow.h"

enum { STREAM_MESSAGES = 5, PAYLOAD_MAX = 100000 };

struct flow_call {
    flow_call *next; /* the one that was begun before */
    flow *flow;
    echo_Ping *ping;
    uint32_t received; /* messages of a stream */
    bool wrong;
    _Atomic int ends;
};

/* --- random numbers --- */

uint32_t flow_seed(void)
{
    const char *given = getenv("TEST_SEED");
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint32_t seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)(now.tv_nsec / 1000 ^ now.tv_sec);
    printf("# seed %u (again: TEST_SEED=%u)\n", seed, seed);
    return seed;
}

uint32_t flow_random(uint32_t *random, uint32_t limit)
{
    *random = *random * 1664525 + 1013904223; /* Numerical Recipes, 7.1 */
    return (uint32_t)((uint64_t)*random * limit >> 32);
}

unsigned flow_patience(void)
{
    const char *given = getenv("TEST_PATIENCE");
    return given != NULL && atoi(given) > 0 ? (unsigned)atoi(given) : 60;
}

/* --- calls --- */

static bool is_right(const flow_call *call, const echo_Pong *pong)
{
    const echo_Ping *ping = call->ping;
    return pong->payload.size == ping->payload.size &&
           echo_check(pong->payload.data, pong->payload.size, (uint32_t)ping->number);
}

static void ended(flow_call *call, const mrpc_status *status)
{
    flow *f = call->flow;
    call->wrong |= status->code == MRPC_OK && call->received != call->ping->count;
    switch (status->code) {
    case MRPC_OK:
        f->good++;
        break;
    case MRPC_UNAVAILABLE:
        f->unavailable++;
        break;
    case MRPC_DEADLINE_EXCEEDED:
        f->late++;
        call->wrong |= f->timeout_ms == 0;
        break;
    default:
        printf("# a call ended with %s: %s\n", mrpc_code_name(status->code), status->message);
        call->wrong = true;
    }
    f->wrong += call->wrong;
    if (call->ends++ == 0)
        mrpc_release(call->ping);
    f->ended++;
}

static void unary_ended(void *state, const mrpc_status *status, const echo_Pong *pong)
{
    flow_call *call = state;
    if (pong != NULL) {
        call->wrong |= pong->number != call->ping->number || !is_right(call, pong);
        call->received++;
    }
    mrpc_release(pong);
    ended(call, status);
}

static void got_message(void *state, mrpc_call *untyped, const void *message)
{
    flow_call *call = state;
    const echo_Pong *pong = message;
    (void)untyped;
    call->wrong |= pong->number != call->received++ || !is_right(call, pong);
    mrpc_release(pong);
}

static void stream_ended(void *state, mrpc_call *untyped, const mrpc_status *status)
{
    (void)untyped;
    ended(state, status);
}

static size_t random_size(flow *f)
{
    static const uint32_t limits[] = {100, 100, 3000, PAYLOAD_MAX};
    return flow_random(&f->random, limits[flow_random(&f->random, sizeof limits / sizeof limits[0])]);
}

/* False: the channel takes none. */
static bool begin_call(flow *f)
{
    static const mrpc_call_callbacks callbacks = {
        .size = sizeof callbacks, .on_message = got_message, .on_end = stream_ended};
    flow_call *call = calloc(1, sizeof *call);
    assert_non_null(call);
    bool streams = flow_random(&f->random, 4) == 0;
    size_t size = random_size(f);
    *call = (flow_call){.next = f->calls, .flow = f, .ping = echo_Ping_new(mrpc_channel_heap(f->channel))};
    assert_non_null(call->ping);
    call->ping->number = ++f->begun;
    call->ping->count = streams ? STREAM_MESSAGES : 1;
    assert_int_equal(mrpc_bytes_reserve(call->ping, &call->ping->payload, size), 0);
    call->ping->payload.size = size;
    echo_fill(call->ping->payload.data, size, (uint32_t)call->ping->number);
    f->calls = call;
    const mrpc_call_options *options = MRPC_CALL_OPTIONS(.timeout_ms = f->timeout_ms);
    mrpc_call *handle;
    int result = streams
                     ? mrpc_call_open(f->channel, &echo_Echo_methods[1], call->ping, options, &callbacks, call, &handle)
                     : echo_Echo_Unary_start(f->channel, call->ping, options, unary_ended, call, NULL);
    if (result == 0)
        return true;
    /* What was refused has no end. */
    assert_int_equal(result, MRPC_ECLOSED);
    f->calls = call->next;
    f->begun--;
    mrpc_release(call->ping);
    free(call);
    return false;
}

void flow_begin(flow *f, mrpc_channel *channel, uint32_t timeout_ms, uint32_t seed)
{
    memset(f, 0, sizeof *f);
    f->channel = channel;
    f->timeout_ms = timeout_ms;
    f->random = seed;
}

/* After a failure none is begun for some milliseconds: without a server all of them would fail at once. */
static void drive(flow *f, bool begins)
{
    mrpc_runtime *runtime = mrpc_channel_runtime(f->channel);
    uint64_t failed = f->unavailable;
    while (begins && f->begun - f->ended < FLOW_CALLS && f->unavailable == failed && begin_call(f))
        ;
    assert_true(mrpc_runtime_poll(runtime, 1) >= 0);
    if (begins && f->unavailable != failed)
        (void)mrpc_runtime_poll(runtime, 5);
}

static uint64_t limit_of(const flow *f)
{
    return mrpc_runtime_now(mrpc_channel_runtime(f->channel)) + UINT64_C(1000000000) * flow_patience();
}

static bool is_over(const flow *f, uint64_t limit)
{
    return mrpc_runtime_now(mrpc_channel_runtime(f->channel)) >= limit;
}

void flow_run(flow *f, unsigned milliseconds)
{
    uint64_t limit = mrpc_runtime_now(mrpc_channel_runtime(f->channel)) + UINT64_C(1000000) * milliseconds;
    while (!is_over(f, limit))
        drive(f, true);
}

void flow_succeed(flow *f, uint64_t more)
{
    uint64_t limit = limit_of(f), wanted = f->good + more;
    while (f->good < wanted && !is_over(f, limit))
        drive(f, true);
    if (f->good < wanted)
        fail_msg("the service does not come back: %d calls of %d", (int)(more + f->good - wanted), (int)more);
}

void flow_settle(flow *f)
{
    uint64_t limit = limit_of(f);
    while (f->ended < f->begun && !is_over(f, limit))
        drive(f, false);
    if (f->ended != f->begun)
        fail_msg("of %d calls %d have ended", (int)f->begun, (int)f->ended);
}

void flow_end(flow *f)
{
    flow_settle(f);
    for (int i = 0; i < 5; i++) /* whatever would end twice */
        (void)mrpc_runtime_poll(mrpc_channel_runtime(f->channel), 1);
    printf("# %d calls: %d succeeded, %d unavailable, %d after their deadline\n", (int)f->begun, (int)f->good,
           (int)f->unavailable, (int)f->late);
    uint64_t count = 0;
    while (f->calls != NULL) {
        flow_call *call = f->calls;
        f->calls = call->next;
        if (call->ends != 1)
            fail_msg("a call has ended %d times", call->ends);
        free(call);
        count++;
    }
    assert_int_equal(count, f->begun);
    assert_int_equal(f->ended, f->begun);
    assert_int_equal(f->wrong, 0);
}

/* --- what a process has --- */

static int count_open(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

int flow_count_mappings(void)
{
    int count = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, "memfd:") != NULL;
    (void)fclose(maps);
    return count;
}

long flow_count_devices(void)
{
    char text[256];
    long count = -1;
    (void)snprintf(
        text, sizeof text,
        "for kind in pd cq qp mr cm_id srq; do rdma resource show $kind 2>/dev/null | grep -c ' pid %d '; done | "
        "awk '{ sum += $1 } END { print sum }'",
        (int)getpid());
    FILE *output = popen(text, "r");
    assert_non_null(output);
    if (fscanf(output, "%ld", &count) != 1)
        count = -1;
    (void)pclose(output);
    assert_true(count >= 0);
    return count;
}

flow_resources flow_count(const setup *how)
{
    bool rdma = strncmp(how->address, "rdma:", 5) == 0;
    return (flow_resources){.descriptors = count_open(), .devices = rdma ? flow_count_devices() : 0};
}

/* The loop takes and gives back a ring, depending on who drives; that is no leak, and a leak in each round is more. */
enum { RINGS = 2 };

static bool is_within(const flow_resources *now, const flow_resources *most)
{
    return now->descriptors <= most->descriptors + RINGS && now->devices <= most->devices;
}

void flow_wait_for(const setup *how, mrpc_runtime *runtime, const flow_resources *most)
{
    flow_resources now = flow_count(how);
    for (unsigned i = 0; i < 20 * flow_patience() && !is_within(&now, most); i++) {
        if (runtime != NULL)
            (void)mrpc_runtime_poll(runtime, 50);
        else
            usleep(50000);
        now = flow_count(how);
    }
    if (!is_within(&now, most))
        fail_msg("left are %d descriptors, %ld of the devices; before there were %d, %ld", now.descriptors, now.devices,
                 most->descriptors, most->devices);
}
