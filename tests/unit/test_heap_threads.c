/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_heap_threads.c - several threads allocate, pass on, check, hold and free
 *
 * Each allocation is filled with a pattern that follows from its address and size, so that memory which is handed out
 * twice, or is reused while somebody still has it, is seen by whoever looks at it next.
 */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <mrpc/heap.h>

#include "heap/lock.h"

#define MIB ((size_t)1 << 20)

enum { THREADS = 4, STEPS = 10000, KEPT = 64, PLACES = 32 };

struct piece {
    unsigned char *memory;
    size_t size;
};

/* Pieces on their way from one thread to another. */
struct exchange {
    pthread_mutex_t mutex;
    struct piece place[PLACES];
};

struct test {
    mrpc_heap *heap;
    struct exchange exchange;
    _Atomic unsigned wrong;   /* pieces whose pattern was damaged */
    _Atomic unsigned refused; /* allocations */
    _Atomic bool stop;
};

struct worker {
    struct test *test;
    uint64_t random;
    pthread_t thread;
};

static uint32_t next_random(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*random >> 33);
}

static unsigned char pattern(const struct piece *piece)
{
    return (unsigned char)(((uintptr_t)piece->memory >> 4) * 7 + piece->size);
}

/* The ends are enough to see an overlap, and large pieces take no longer than small ones. */
static void fill(const struct piece *piece)
{
    size_t end = piece->size < 64 ? piece->size : 64;
    memset(piece->memory, pattern(piece), end);
    memset(piece->memory + piece->size - end, pattern(piece), end);
}

static void check(struct test *test, const struct piece *piece)
{
    size_t end = piece->size < 64 ? piece->size : 64;
    for (size_t i = 0; i < end; i++)
        if (piece->memory[i] != pattern(piece) || piece->memory[piece->size - 1 - i] != pattern(piece)) {
            atomic_fetch_add(&test->wrong, 1);
            return;
        }
}

static struct piece allocate(struct test *test, uint64_t *random)
{
    struct piece piece = {.size = 1 + next_random(random) % ((size_t)1 << next_random(random) % 18)};
    piece.memory = mrpc_heap_alloc(test->heap, piece.size);
    if (piece.memory != NULL)
        fill(&piece);
    else
        atomic_fetch_add(&test->refused, 1);
    return piece;
}

static void release(struct test *test, struct piece *piece)
{
    if (piece->memory == NULL)
        return;
    check(test, piece);
    mrpc_heap_free(test->heap, piece->memory);
    piece->memory = NULL;
}

/* As a transport does: somebody frees, then this thread reads on and drops. */
static void hold_across_free(struct test *test, struct piece *piece)
{
    struct piece held = *piece;
    if (held.memory == NULL)
        return;
    if (!mrpc_heap_hold(test->heap, held.memory + held.size / 2))
        atomic_fetch_add(&test->wrong, 1);
    release(test, piece);
    check(test, &held);
    mrpc_heap_drop(test->heap, held.memory + held.size / 3);
}

static void swap(struct exchange *exchange, struct piece *piece, uint32_t place)
{
    pthread_mutex_lock(&exchange->mutex);
    struct piece there = exchange->place[place];
    exchange->place[place] = *piece;
    *piece = there;
    pthread_mutex_unlock(&exchange->mutex);
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct test *test = worker->test;
    struct piece kept[KEPT] = {0};
    for (unsigned step = 0; step < STEPS; step++) {
        struct piece *piece = &kept[next_random(&worker->random) % KEPT];
        switch (next_random(&worker->random) % 4) {
        case 0:
            swap(&test->exchange, piece, next_random(&worker->random) % PLACES);
            break;
        case 1:
            hold_across_free(test, piece);
            break;
        default:
            release(test, piece);
            *piece = allocate(test, &worker->random);
        }
    }
    for (size_t i = 0; i < KEPT; i++)
        release(test, &kept[i]);
    return NULL;
}

/* Frees whatever it finds in the exchange, until it is told to stop. */
static void *consume(void *context)
{
    struct worker *worker = context;
    struct test *test = worker->test;
    while (!atomic_load(&test->stop)) {
        struct piece piece = {0};
        swap(&test->exchange, &piece, next_random(&worker->random) % PLACES);
        if (next_random(&worker->random) % 2 == 0)
            hold_across_free(test, &piece);
        release(test, &piece);
        if (piece.memory == NULL)
            sched_yield();
    }
    return NULL;
}

static void start_test(struct test *test, size_t limit)
{
    mrpc_heap_options options = {.size = sizeof options, .limit = limit, .segment_size = MIB};
    memset(test, 0, sizeof *test);
    pthread_mutex_init(&test->exchange.mutex, NULL);
    assert_int_equal(mrpc_heap_new(&test->heap, &options, NULL), 0);
}

static void finish_test(struct test *test)
{
    for (size_t i = 0; i < PLACES; i++)
        release(test, &test->exchange.place[i]);
    mrpc_heap_collect(test->heap);
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(test->heap, &stats);
    assert_int_equal(atomic_load(&test->wrong), 0);
    assert_int_equal(stats.bytes_in_use, 0);
    assert_int_equal(stats.allocations, stats.frees);
    assert_int_equal(stats.failures, atomic_load(&test->refused));
    assert_int_equal(stats.bad_frees, 0);
    assert_int_equal(stats.held, 0);
    mrpc_heap_unref(test->heap);
    pthread_mutex_destroy(&test->exchange.mutex);
}

static void run_workers(struct test *test)
{
    struct worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.test = test, .random = i + 1};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
}

static void threads_share_a_heap(void **state)
{
    (void)state;
    struct test test;
    start_test(&test, 64 * MIB);
    run_workers(&test);
    assert_int_equal(test.refused, 0);
    finish_test(&test);
}

/* The limit is about a third of what they would use. */
static void threads_share_a_heap_that_is_too_small(void **state)
{
    (void)state;
    struct test test;
    start_test(&test, 2 * MIB);
    run_workers(&test);
    assert_true(test.refused > 0);
    finish_test(&test);
}

static void others_free_what_one_makes(void **state)
{
    (void)state;
    struct test test;
    start_test(&test, 64 * MIB);
    struct worker consumers[2];
    for (unsigned i = 0; i < 2; i++) {
        consumers[i] = (struct worker){.test = &test, .random = i + 1};
        assert_int_equal(pthread_create(&consumers[i].thread, NULL, consume, &consumers[i]), 0);
    }
    uint64_t random = 99;
    for (unsigned step = 0; step < 2 * STEPS; step++) {
        struct piece piece = allocate(&test, &random);
        swap(&test.exchange, &piece, next_random(&random) % PLACES);
        release(&test, &piece);
    }
    atomic_store(&test.stop, true);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(consumers[i].thread, NULL);
    finish_test(&test);
}

/* A thread that may be descheduled at any moment while it has the lock, so that the others come to sleep. */
struct counting {
    mrpc_lock lock;
    unsigned count;
};

static void *count_up(void *context)
{
    struct counting *counting = context;
    for (unsigned i = 0; i < 2000; i++) {
        mrpc_lock_take(&counting->lock);
        unsigned count = counting->count;
        if (i % 100 == 0)
            sched_yield();
        counting->count = count + 1;
        mrpc_lock_release(&counting->lock);
    }
    return NULL;
}

static void the_lock_excludes_and_wakes(void **state)
{
    (void)state;
    struct counting counting = {.count = 0};
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &counting), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counting.count, THREADS * 2000);
    assert_int_equal(counting.lock.waiters, 0);
}

/* Long rows of one thread, to which the lock is biased then, and others that come in between. */
static void *count_up_in_rows(void *context)
{
    struct counting *counting = context;
    for (unsigned row = 0; row < 50; row++) {
        for (unsigned i = 0; i < 1000; i++) {
            mrpc_lock_take(&counting->lock);
            counting->count++;
            mrpc_lock_release(&counting->lock);
        }
        sched_yield();
    }
    return NULL;
}

static void *count_up_at_times(void *context)
{
    struct counting *counting = context;
    for (unsigned i = 0; i < 500; i++) {
        mrpc_lock_take(&counting->lock);
        counting->count++;
        mrpc_lock_release(&counting->lock);
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
    return NULL;
}

static void a_biased_lock_excludes(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        struct counting counting = {.count = 0};
        mrpc_lock_allow_bias(&counting.lock);
        pthread_t often, seldom, seldom_too;
        assert_int_equal(pthread_create(&often, NULL, count_up_in_rows, &counting), 0);
        assert_int_equal(pthread_create(&seldom, NULL, count_up_at_times, &counting), 0);
        assert_int_equal(pthread_create(&seldom_too, NULL, count_up_at_times, &counting), 0);
        pthread_join(often, NULL);
        pthread_join(seldom, NULL);
        pthread_join(seldom_too, NULL);
        assert_int_equal(counting.count, 50 * 1000 + 2 * 500);
    }
}

static void a_lock_is_biased_to_who_takes_it_alone(void **state)
{
    (void)state;
    struct counting counting = {.count = 0};
    mrpc_lock_allow_bias(&counting.lock);
    if (counting.lock.needed == 0)
        skip(); /* the kernel has no membarrier() */
    (void)count_up_in_rows(&counting);
    assert_int_equal(counting.lock.bias, mrpc_this_thread());
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, count_up_at_times, &counting), 0);
    pthread_join(other, NULL);
    assert_int_equal(counting.lock.bias, 0);
    (void)count_up_in_rows(&counting);
    assert_int_equal(counting.lock.bias, mrpc_this_thread());
}

/* Messages outlive the heap's owner, and whoever releases the last one ends it. */
static void *free_arenas(void *context)
{
    mrpc_arena **arenas = context;
    for (unsigned i = 0; i < 20; i++)
        mrpc_arena_free(arenas[i]);
    return NULL;
}

static void owner_and_arenas_leave_in_any_order(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct test test;
        mrpc_arena *arenas[2][20];
        start_test(&test, 2 * MIB);
        for (unsigned i = 0; i < 40; i++)
            assert_non_null(arenas[i / 20][i % 20] = mrpc_arena_new(test.heap, 0));
        pthread_t threads[2];
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, free_arenas, arenas[i]), 0);
        mrpc_heap_unref(test.heap);
        for (unsigned i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        pthread_mutex_destroy(&test.exchange.mutex);
    }
}

/* The owner goes while a transport still reads: whoever is last ends the heap. */
static void *drop_last(void *context)
{
    struct worker *worker = context;
    struct piece piece = worker->test->exchange.place[0];
    check(worker->test, &piece);
    mrpc_heap_drop(worker->test->heap, piece.memory);
    return NULL;
}

static void owner_and_reader_leave_in_any_order(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct test test;
        start_test(&test, 2 * MIB);
        uint64_t random = round;
        test.exchange.place[0] = allocate(&test, &random);
        assert_true(mrpc_heap_hold(test.heap, test.exchange.place[0].memory));
        struct worker reader = {.test = &test};
        assert_int_equal(pthread_create(&reader.thread, NULL, drop_last, &reader), 0);
        mrpc_heap_free(test.heap, test.exchange.place[0].memory);
        mrpc_heap_unref(test.heap);
        pthread_join(reader.thread, NULL);
        assert_int_equal(test.wrong, 0);
        pthread_mutex_destroy(&test.exchange.mutex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_heap),
        cmocka_unit_test(threads_share_a_heap_that_is_too_small),
        cmocka_unit_test(others_free_what_one_makes),
        cmocka_unit_test(the_lock_excludes_and_wakes),
        cmocka_unit_test(a_biased_lock_excludes),
        cmocka_unit_test(a_lock_is_biased_to_who_takes_it_alone),
        cmocka_unit_test(owner_and_arenas_leave_in_any_order),
        cmocka_unit_test(owner_and_reader_leave_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
