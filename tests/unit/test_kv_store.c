/* SPDX-License-Identifier: BSD-2-Clause */
/* test_kv_store.c - the store of the key-value example does what a sorted array does, however keys are changed */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "examples/kv_store.h"

enum { KEYS = 500, ROUNDS = 40000 };

static uint64_t seed = 7;

static uint64_t roll(uint64_t sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % sides;
}

static kv_slice slice(const char *text)
{
    return (kv_slice){text, strlen(text)};
}

/* Valid until two more were asked for. */
static kv_slice key_of(size_t index)
{
    static char texts[3][32];
    static size_t turn;
    char *text = texts[turn++ % 3];
    snprintf(text, sizeof texts[0], "key %04zu", index);
    return slice(text);
}

/* What the store must have. */
static struct {
    char value[24];
    uint64_t version; /* 0: nothing */
} model[KEYS];

static void check_all(const kv_store *store)
{
    const kv_item *item = kv_store_seek(store, slice(""), false);
    size_t count = 0;
    for (size_t i = 0; i < KEYS; i++) {
        const kv_item *found = kv_store_get(store, key_of(i));
        assert_int_equal(found != NULL, model[i].version != 0);
        if (found == NULL)
            continue;
        assert_ptr_equal(found, item);
        assert_int_equal(kv_compare(kv_item_key(item), key_of(i)), 0);
        assert_int_equal(kv_compare(kv_item_value(item), slice(model[i].value)), 0);
        assert_int_equal(kv_item_version(item), model[i].version);
        item = kv_store_next(item);
        count++;
    }
    assert_null(item);
    assert_int_equal(kv_store_count(store), count);
}

static void random_changes_keep_both_views_alike(void **state)
{
    (void)state;
    kv_store *store = kv_store_new(1 << 20);
    uint64_t revision = 0;
    for (int round = 0; round < ROUNDS; round++) {
        size_t i = roll(KEYS);
        if (roll(3) == 0) {
            bool deleted = kv_store_delete(store, key_of(i));
            assert_int_equal(deleted, model[i].version != 0);
            revision += deleted;
            model[i].version = 0;
        } else {
            snprintf(model[i].value, sizeof model[i].value, "%.*s", (int)roll(20), "abcdefghijklmnopqrstuvw");
            const kv_item *item = kv_store_put(store, key_of(i), slice(model[i].value));
            assert_non_null(item);
            model[i].version = ++revision;
        }
        assert_int_equal(kv_store_revision(store), revision);
        if (round % 1000 == 0)
            check_all(store);
    }
    check_all(store);
    kv_store_free(store);
}

static void seeks_at_and_after_a_key(void **state)
{
    (void)state;
    kv_store *store = kv_store_new(1 << 20);
    for (size_t i = 0; i < 100; i += 10)
        assert_non_null(kv_store_put(store, key_of(i), slice("x")));
    assert_int_equal(kv_compare(kv_item_key(kv_store_seek(store, key_of(30), false)), key_of(30)), 0);
    assert_int_equal(kv_compare(kv_item_key(kv_store_seek(store, key_of(30), true)), key_of(40)), 0);
    assert_int_equal(kv_compare(kv_item_key(kv_store_seek(store, key_of(31), false)), key_of(40)), 0);
    assert_int_equal(kv_compare(kv_item_key(kv_store_seek(store, slice("key"), false)), key_of(0)), 0);
    assert_null(kv_store_seek(store, key_of(90), true));
    kv_store_free(store);
}

static void full_store_refuses_and_stays_as_it_was(void **state)
{
    (void)state;
    char large[1000];
    memset(large, 'x', sizeof large);
    kv_store *store = kv_store_new(2000);
    assert_non_null(kv_store_put(store, slice("a"), slice("small")));
    assert_non_null(kv_store_put(store, slice("b"), (kv_slice){large, sizeof large}));
    size_t bytes = kv_store_bytes(store);
    assert_true(bytes <= 2000);
    assert_null(kv_store_put(store, slice("c"), (kv_slice){large, sizeof large}));
    assert_null(kv_store_put(store, slice("a"), (kv_slice){large, sizeof large}));
    assert_int_equal(kv_store_bytes(store), bytes);
    assert_int_equal(kv_compare(kv_item_value(kv_store_get(store, slice("a"))), slice("small")), 0);
    assert_true(kv_store_delete(store, slice("b")));
    assert_non_null(kv_store_put(store, slice("a"), (kv_slice){large, sizeof large}));
    kv_store_free(store);
}

static void keys_are_any_bytes(void **state)
{
    (void)state;
    kv_store *store = kv_store_new(1 << 20);
    kv_slice zero = {"\0", 1}, zeros = {"\0\0", 2}, high = {"\xFF", 1};
    assert_non_null(kv_store_put(store, high, zero));
    assert_non_null(kv_store_put(store, zeros, (kv_slice){NULL, 0}));
    assert_non_null(kv_store_put(store, zero, high));
    const kv_item *item = kv_store_seek(store, (kv_slice){NULL, 0}, false);
    assert_int_equal(kv_compare(kv_item_key(item), zero), 0);
    item = kv_store_next(item);
    assert_int_equal(kv_compare(kv_item_key(item), zeros), 0);
    assert_int_equal(kv_item_value(item).size, 0);
    assert_int_equal(kv_compare(kv_item_key(kv_store_next(item)), high), 0);
    kv_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_keep_both_views_alike),
        cmocka_unit_test(seeks_at_and_after_a_key),
        cmocka_unit_test(full_store_refuses_and_stays_as_it_was),
        cmocka_unit_test(keys_are_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
