/* SPDX-License-Identifier: BSD-2-Clause */
/* test_shm_ring.c - records of any size arrive whole, in order and once, however far the reader lags, and none is
 * overwritten */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "transports/shm/memory.h"
#include "transports/shm/ring.h"

enum { CAPACITY = SHM_DATA_MIN };

typedef struct ring {
    mrpc_shm_memory memory;
    mrpc_shm_out out;
    mrpc_shm_in in;
    _Atomic uint64_t consumed; /* the reader's word */
    uint64_t written, read;    /* records */
    uint32_t sizes[8192];      /* of those on their way */
} ring;

static void ring_open(ring *r, uint64_t key)
{
    memset(r, 0, sizeof *r);
    assert_int_equal(mrpc_shm_memory_make(&r->memory, CAPACITY, NULL), 0);
    r->out = (mrpc_shm_out){.data = r->memory.data,
                            .capacity = CAPACITY,
                            .mark = key,
                            .fd = r->memory.fd,
                            .consumed = &r->consumed,
                            .committed = SHM_FIRST,
                            .warm = SHM_FIRST,
                            .fast = SHM_FIRST};
    r->in = (mrpc_shm_in){.data = r->memory.data, .capacity = CAPACITY, .mark = key};
}

static void ring_close(ring *r)
{
    mrpc_shm_memory_drop(&r->memory);
}

static bool ring_write(ring *r, uint32_t bytes)
{
    mrpc_shm_record *record = mrpc_shm_out_reserve(&r->out, bytes);
    if (record == NULL) {
        assert_true(mrpc_shm_out_refresh(&r->out));
        record = mrpc_shm_out_reserve(&r->out, bytes);
    }
    if (record == NULL) {
        mrpc_shm_out_widen(&r->out);
        return false;
    }
    memset(record + 1, (int)(r->written & 0xff), bytes - sizeof *record);
    mrpc_shm_out_commit(&r->out, record, bytes, r->written * SHM_LINE);
    r->sizes[r->written++ % 8192] = bytes;
    return true;
}

/* Checks every byte of a record. False: there is none. */
static bool ring_read(ring *r)
{
    const mrpc_shm_record *record;
    uint64_t word;
    mrpc_shm_look look = mrpc_shm_in_next(&r->in, &record, &word);
    assert_int_not_equal(look, SHM_BROKEN);
    atomic_store(&r->consumed, r->in.tail);
    if (look == SHM_NOTHING)
        return false;
    uint64_t bytes = mrpc_shm_word_bytes(word);
    assert_int_equal(bytes, r->sizes[r->read % 8192]);
    assert_int_equal(word >> SHM_BYTES_BITS, r->read);
    const uint8_t *data = (const uint8_t *)(record + 1);
    for (uint64_t i = 0; i < bytes - sizeof *record; i++)
        if (data[i] != (r->read & 0xff))
            fail_msg("record %llu was overwritten", (unsigned long long)r->read);
    mrpc_shm_in_pop(&r->in, bytes);
    r->read++;
    atomic_store(&r->consumed, r->in.tail);
    return true;
}

static uint32_t random_word(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static uint32_t random_size(uint32_t *seed)
{
    uint32_t most = random_word(seed) % 20 == 0 ? CAPACITY / 4 - 192 : random_word(seed) % 3 == 0 ? 4000 : 200;
    return (SHM_RECORD_MIN + random_word(seed) % most) & ~7u;
}

static void records_survive_any_lag(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 12; seed++) {
        ring r;
        uint32_t chance = seed;
        ring_open(&r, seed * SHM_STEP);
        for (int step = 0; step < 1500; step++) {
            uint32_t burst = random_word(&chance) % 100, reads = random_word(&chance) % (burst + 20);
            for (uint32_t i = 0; i < burst && ring_write(&r, random_size(&chance)); i++)
                if (random_word(&chance) % 4 == 0)
                    (void)mrpc_shm_out_publish(&r.out);
            (void)mrpc_shm_out_publish(&r.out);
            for (uint32_t i = 0; i < reads && ring_read(&r); i++)
                ;
        }
        while (ring_read(&r))
            ;
        assert_int_equal(r.read, r.written);
        assert_true(r.out.head > 20 * CAPACITY);
        ring_close(&r);
    }
}

static void nothing_is_seen_before_it_is_published(void **state)
{
    (void)state;
    ring r;
    ring_open(&r, 5);
    for (int i = 0; i < 10; i++)
        assert_true(ring_write(&r, 104));
    assert_false(mrpc_shm_in_ready(&r.in));
    assert_false(ring_read(&r));
    assert_true(mrpc_shm_out_publish(&r.out));
    assert_false(mrpc_shm_out_publish(&r.out));
    for (int i = 0; i < 10; i++)
        assert_true(ring_read(&r));
    assert_false(ring_read(&r));
    ring_close(&r);
}

static void a_ring_is_filled_and_no_further(void **state)
{
    (void)state;
    ring r;
    ring_open(&r, 5);
    uint64_t bytes = 0;
    while (ring_write(&r, 1024)) {
        bytes += 1024;
        assert_true(bytes <= CAPACITY);
    }
    assert_true(bytes >= CAPACITY - 2 * 1024);
    (void)mrpc_shm_out_publish(&r.out);
    while (ring_read(&r))
        ;
    assert_int_equal(r.read * 1024, bytes);
    assert_true(ring_write(&r, CAPACITY / 4 - 192));
    ring_close(&r);
}

/* What the sender waits for is what lets it go on: less would be a wait in vain, more one without end. */
static void the_position_to_wait_for_is_exact(void **state)
{
    (void)state;
    uint32_t chance = 3;
    for (int round = 0; round < 300; round++) {
        ring r;
        ring_open(&r, 5);
        uint32_t bytes = 0;
        for (int laps = 0; laps < 3; laps++) {
            while (ring_write(&r, bytes = random_size(&chance)))
                ;
            (void)mrpc_shm_out_publish(&r.out);
            uint64_t position = mrpc_shm_out_position_for_record(&r.out, bytes);
            assert_true(position <= r.out.head && position > r.out.acked);
            while (r.in.tail < position)
                assert_true(ring_read(&r));
            assert_true(ring_write(&r, bytes));
        }
        ring_close(&r);
    }
}

static void bytes_in_flight_leave_out_what_was_skipped(void **state)
{
    (void)state;
    ring r;
    uint32_t chance = 3;
    ring_open(&r, 5);
    for (int step = 0; step < 20000; step++) {
        if (random_word(&chance) % 2 == 0)
            (void)ring_write(&r, random_size(&chance));
        (void)mrpc_shm_out_publish(&r.out);
        if (random_word(&chance) % 2 == 0)
            (void)ring_read(&r);
        assert_true(mrpc_shm_out_refresh(&r.out));
        uint64_t bytes = 0;
        for (uint64_t i = r.read; i < r.written; i++)
            bytes += mrpc_shm_pad(r.sizes[i % 8192]);
        uint64_t flight = mrpc_shm_out_in_flight(&r.out);
        assert_int_equal(flight, bytes);
        uint64_t half = mrpc_shm_out_position_for_flight(&r.out, bytes / 2);
        assert_true(half <= r.out.head);
    }
    ring_close(&r);
}

static void confirmations_are_checked_and_may_be_old(void **state)
{
    (void)state;
    mrpc_shm_out out = {.head = 1000 * SHM_LINE, .acked = 500 * SHM_LINE, .capacity = CAPACITY};
    assert_true(mrpc_shm_out_acknowledge(&out, 400 * SHM_LINE));
    assert_int_equal(out.acked, 500 * SHM_LINE);
    assert_false(mrpc_shm_out_acknowledge(&out, 1001 * SHM_LINE));
    assert_true(mrpc_shm_out_acknowledge_word(&out, UINT64_C(600) << SHM_BYTES_BITS | 77));
    assert_int_equal(out.acked, 600 * SHM_LINE);
    assert_true(mrpc_shm_out_acknowledge_word(&out, UINT64_C(599) << SHM_BYTES_BITS));
    assert_false(mrpc_shm_out_acknowledge_word(&out, UINT64_C(2000) << SHM_BYTES_BITS));
    /* Where the word's 36 bits run over. */
    uint64_t far = (UINT64_C(1) << 36) * SHM_LINE;
    out = (mrpc_shm_out){.head = far + 10 * SHM_LINE, .acked = far - 10 * SHM_LINE, .capacity = CAPACITY};
    assert_true(mrpc_shm_out_acknowledge_word(&out, UINT64_C(5) << SHM_BYTES_BITS));
    assert_int_equal(out.acked, far + 5 * SHM_LINE);
    assert_true(mrpc_shm_out_acknowledge_word(&out, ((UINT64_C(1) << 36) - 3) << SHM_BYTES_BITS));
    assert_int_equal(out.acked, far + 5 * SHM_LINE);
    assert_false(mrpc_shm_out_acknowledge_word(&out, UINT64_C(11) << SHM_BYTES_BITS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_survive_any_lag),
        cmocka_unit_test(nothing_is_seen_before_it_is_published),
        cmocka_unit_test(a_ring_is_filled_and_no_further),
        cmocka_unit_test(the_position_to_wait_for_is_exact),
        cmocka_unit_test(bytes_in_flight_leave_out_what_was_skipped),
        cmocka_unit_test(confirmations_are_checked_and_may_be_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
