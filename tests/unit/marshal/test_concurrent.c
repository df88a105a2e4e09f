/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_concurrent.c - a message that its owner changes while it is marshalled gives a valid block, or an error, and
 * nothing else
 *
 * A thread keeps changing what it may change without making the message unreadable: sizes below what the pointers have
 * room for, bytes of texts, keys, cases, bools. The writer is hidden from thread sanitizers, because the race is the
 * point.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "everything.mrpc.h"
#include "tests/unit/marshal/codec_help.h"

enum { ROOM = 200, MARSHALS = 20000, ITEMS = 8 };

typedef struct subject {
    everything_Everything root;
    everything_Plain plain;
    everything_Lists lists;
    everything_Maps maps;
    everything_OneOf one;
    char text[ROOM], texts[ITEMS][ROOM];
    uint8_t bytes[ROOM];
    double doubles[ROOM];
    bool bools[ROOM];
    mrpc_string strings[ITEMS];
    everything_Plain *messages[ITEMS];
    everything_Maps_int32s_entry entries[ITEMS];
    everything_Maps_strings_entry named[ITEMS];
    atomic_bool stop;
} subject;

static void prepare(subject *s)
{
    memset(s, 0, sizeof *s);
    s->root = (everything_Everything){.plain = &s->plain, .lists = &s->lists, .maps = &s->maps, .one = &s->one};
    memset(s->text, 'a', sizeof s->text);
    memset(s->texts, 'b', sizeof s->texts);
    s->plain.a_string = (mrpc_string){s->text, 10};
    s->plain.some_bytes = (mrpc_bytes){s->bytes, 10};
    s->lists.doubles = (mrpc_double_list){s->doubles, 10, 0};
    s->lists.bools = (mrpc_bool_list){s->bools, 10, 0};
    s->lists.strings = (mrpc_string_list){s->strings, ITEMS, 0};
    s->lists.messages.data = s->messages;
    s->lists.messages.size = ITEMS;
    s->maps.int32s.data = s->entries;
    s->maps.int32s.size = ITEMS;
    s->maps.strings.data = s->named;
    s->maps.strings.size = ITEMS;
    for (int i = 0; i < ITEMS; i++) {
        s->strings[i] = (mrpc_string){s->texts[i], 20};
        s->messages[i] = &s->plain;
        s->entries[i].key = 10 * i;
        s->texts[i][0] = (char)('a' + i);
        s->named[i].key = (mrpc_string){s->texts[i], 3};
    }
}

#define CHANGE(member, value) (*(volatile __typeof__(member) *)&(member) = (value))

__attribute__((no_sanitize("thread"))) static void *change(void *context)
{
    subject *s = context;
    for (uint32_t i = 1; !atomic_load_explicit(&s->stop, memory_order_relaxed); i = i * 1664525 + 1013904223) {
        uint32_t n = i >> 16, item = n % ITEMS;
        CHANGE(s->plain.a_string.size, n % ROOM);
        CHANGE(s->text[n % ROOM], n % 4096 == 0 ? (char)0xc3 : 'x');
        CHANGE(s->plain.some_bytes.size, n % ROOM);
        CHANGE(*(uint8_t *)&s->plain.a_bool, (uint8_t)n);
        CHANGE(s->lists.doubles.size, n % ROOM);
        CHANGE(s->lists.bools.size, n % ROOM);
        CHANGE(*(uint8_t *)&s->bools[n % ROOM], (uint8_t)n);
        CHANGE(s->lists.strings.size, n % (ITEMS + 1));
        CHANGE(s->strings[item].size, n % ROOM);
        CHANGE(s->lists.messages.size, n % (ITEMS + 1));
        CHANGE(s->maps.int32s.size, n % (ITEMS + 1));
        CHANGE(s->entries[item].key, 10 * (int32_t)item + (int32_t)(n % 3));
        CHANGE(s->named[item].key.size, n % 512 == 0 ? 0 : 1 + n % 5);
        CHANGE(*(uint32_t *)&s->one.small_case, n % 4 == 0 ? (uint32_t)everything_OneOf_small_yes : 0);
        CHANGE(*(uint8_t *)&s->one.small.yes, (uint8_t)n);
    }
    return NULL;
}

static void block_is_valid_whatever_changes_meanwhile(void **state)
{
    (void)state;
    static subject s;
    pthread_t writer;
    unsigned sent = 0;
    prepare(&s);
    assert_int_equal(pthread_create(&writer, NULL, change, &s), 0);
    for (unsigned i = 0; i < MARSHALS || sent == 0; i++) {
        test_reason reason = {0};
        test_bytes copy, block = test_marshal(&everything_Everything_type, &s.root, &reason);
        if (block.data == NULL) {
            assert_int_equal(reason.error, MRPC_EINVAL); /* not UTF-8, or a map out of order */
            continue;
        }
        sent++;
        assert_non_null(test_unmarshal(&everything_Everything_type, block.data, block.size, &copy, NULL));
        test_bytes_free(&copy);
        test_bytes_free(&block);
    }
    atomic_store(&s.stop, true);
    pthread_join(writer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_is_valid_whatever_changes_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
