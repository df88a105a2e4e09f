/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raw_shm.c - the limit: two rings of fixed slots in shared memory, a sequence word in each slot, both sides spinning
 *
 * ADDRESS is a name for shm_open(). The server makes the memory and ends when the client says so. Without --spin both
 * sleep on a futex when the ring is empty and wake the other only when it sleeps.
 */
#include "config.h"

#include "bench/measure.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SLOTS = 1024, SLOT_DATA = 116, LAST = 1 };

typedef struct slot {
    _Alignas(64) atomic_uint sequence;
    uint32_t flags;
    uint32_t size;
    char data[SLOT_DATA];
} slot;

typedef struct ring {
    slot slots[SLOTS];
    _Alignas(64) atomic_uint asleep;
} ring;

typedef struct shared {
    ring requests, replies;
} shared;

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static shared *map(const bench_options *options)
{
    int fd = -1;
    for (int tries = 0; tries < 5000 && fd < 0; tries++) {
        fd = shm_open(options->address, options->server ? O_RDWR | O_CREAT | O_EXCL : O_RDWR, 0600);
        if (fd < 0)
            usleep(1000);
    }
    if (fd < 0 || (options->server && ftruncate(fd, sizeof(shared)) != 0))
        fail(options->address);
    shared *memory = mmap(NULL, sizeof(shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    close(fd);
    return memory;
}

static void wait_for(ring *from, slot *next, uint32_t sequence, bool spin)
{
    while (atomic_load_explicit(&next->sequence, memory_order_acquire) != sequence) {
        if (spin)
            continue;
        atomic_store(&from->asleep, 1);
        if (atomic_load(&next->sequence) != sequence)
            syscall(SYS_futex, &from->asleep, FUTEX_WAIT, 1, NULL, NULL, 0);
        atomic_store(&from->asleep, 0);
    }
}

static void wake(ring *to, bool spin)
{
    if (spin)
        return;
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&to->asleep, memory_order_relaxed) != 0 && atomic_exchange(&to->asleep, 0) != 0)
        syscall(SYS_futex, &to->asleep, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void put(ring *to, uint32_t position, const char *data, uint32_t size, uint32_t flags)
{
    slot *next = &to->slots[position % SLOTS];
    memcpy(next->data, data, size);
    next->size = size;
    next->flags = flags;
    atomic_store_explicit(&next->sequence, position + 1, memory_order_release);
}

static void serve(const bench_options *options, shared *memory)
{
    for (uint32_t position = 0;; position++) {
        slot *next = &memory->requests.slots[position % SLOTS];
        if (atomic_load_explicit(&next->sequence, memory_order_acquire) != position + 1) {
            wake(&memory->replies, options->spin);
            wait_for(&memory->requests, next, position + 1, options->spin);
        }
        if (next->flags == LAST)
            break;
        put(&memory->replies, position, next->data, next->size, 0);
    }
    shm_unlink(options->address);
}

static void run_client(const bench_options *options, shared *memory)
{
    static uint64_t begun[SLOTS];
    char data[SLOT_DATA] = {0}, copy[SLOT_DATA];
    uint32_t next = 0;
    bool more = true;
    bench_run run;
    if (options->size + 2 > SLOT_DATA || options->inflight > SLOTS / 2)
        fail("too large for the ring");
    bench_begin(&run, options);
    for (; next < options->inflight; next++) {
        begun[next % SLOTS] = bench_now();
        put(&memory->requests, next, data, options->size + 2, 0);
    }
    wake(&memory->requests, options->spin);
    for (uint32_t done = 0; more; done++) {
        slot *reply = &memory->replies.slots[done % SLOTS];
        if (atomic_load_explicit(&reply->sequence, memory_order_acquire) != done + 1) {
            wake(&memory->requests, options->spin);
            wait_for(&memory->replies, reply, done + 1, options->spin);
        }
        memcpy(copy, reply->data, options->size + 2);
        more = bench_count(&run, begun[done % SLOTS]);
        begun[next % SLOTS] = bench_now();
        put(&memory->requests, next++, copy, options->size + 2, 0);
    }
    put(&memory->requests, next, data, 0, LAST);
    atomic_store(&memory->requests.asleep, 0);
    syscall(SYS_futex, &memory->requests.asleep, FUTEX_WAKE, 1, NULL, NULL, 0);
    bench_print(&run);
}

int main(int argc, char **argv)
{
    bench_options options = bench_parse(argc, argv);
    shared *memory = map(&options);
    if (options.server)
        serve(&options, memory);
    else
        run_client(&options, memory);
    return 0;
}
