/* SPDX-License-Identifier: BSD-2-Clause */
/* test_message.c - making, changing, copying, comparing and ending messages of any type */
#include "config.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/marshal.h>

#include "heap/arena.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/message_types.h"

#define MIB ((size_t)1 << 20)

static mrpc_heap *make_heap(void)
{
    mrpc_heap_options options = {.size = sizeof options, .limit = 16 * MIB, .segment_size = MIB};
    mrpc_heap *heap = NULL;
    assert_int_equal(mrpc_heap_new(&heap, &options, NULL), 0);
    return heap;
}

static uint64_t bytes_in_use(mrpc_heap *heap)
{
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(heap, &stats);
    return stats.bytes_in_use;
}

static Everything *new_message(mrpc_heap *heap)
{
    Everything *message = mrpc_message_new(&Everything_type, heap);
    assert_non_null(message);
    return message;
}

/* --- making and ending --- */

static void a_new_message_is_empty_with_strings_that_can_be_read(void **state)
{
    (void)state;
    Everything *message = new_message(NULL);
    assert_non_null(message->base.arena);
    assert_string_equal(message->a_string.data, "");
    assert_string_equal(message->maybe_string.data, "");
    assert_int_equal(message->a_string.size, 0);
    assert_false(message->has_maybe_string);
    assert_null(message->leaf);
    assert_int_equal(message->choice_case, 0);
    assert_int_equal(message->int32s.size, 0);
    mrpc_release(message);
}

static void a_message_of_the_caller_is_made_empty_too(void **state)
{
    (void)state;
    Everything message;
    memset(&message, 0xA5, sizeof message);
    mrpc_message_init(&Everything_type, &message);
    assert_null(message.base.arena);
    assert_string_equal(message.a_string.data, "");
    Everything *made = new_message(NULL);
    assert_true(mrpc_message_equal(&Everything_type, &message, made));
    mrpc_release(made);
    mrpc_release(&message);
}

static void releasing_ends_the_whole_message(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap();
    Everything *message = everything_new(heap);
    assert_non_null(message);
    assert_ptr_equal(mrpc_arena_heap(message->base.arena), heap);
    mrpc_release(message);
    assert_int_equal(bytes_in_use(heap), 0);
    mrpc_release(NULL);
    mrpc_heap_unref(heap);
}

static void releasing_a_part_leaves_it_alone(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap();
    Everything *message = everything_new(heap);
    mrpc_release(message->leaf);
    mrpc_release(message->child);
    assert_int_equal(message->leaf->number, 20);
    mrpc_release(message);
    assert_int_equal(bytes_in_use(heap), 0);
    mrpc_heap_unref(heap);
}

/* As the runtime hands messages out: only the outermost one names the arena, which nobody told about it. */
static void releasing_a_message_that_alone_names_its_arena_ends_it(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap();
    mrpc_arena *arena = mrpc_arena_new(heap, 0);
    assert_non_null(mrpc_arena_alloc(arena, 40));
    Leaf *leaf = mrpc_arena_alloc(arena, sizeof *leaf);
    mrpc_message_init(&Leaf_type, leaf);
    leaf->base.arena = arena;
    mrpc_release(leaf);
    assert_int_equal(bytes_in_use(heap), 0);
    mrpc_heap_unref(heap);
}

/* Decodes anything into a message with a sub-message, which names the arena as decoders do. */
static int decode_leaf(mrpc_decoder *decoder, void *message)
{
    ((Everything *)message)->leaf = mrpc_message_new_in(&Leaf_type, message);
    decoder->cursor = decoder->end;
    return 0;
}

static int encode_nothing(mrpc_gather *gather, const void *message)
{
    (void)gather;
    (void)message;
    return 0;
}

static void releasing_a_part_of_a_decoded_message_leaves_it_alone(void **state)
{
    (void)state;
    const mrpc_codec codec = {
        .name = "test.Everything", .size = sizeof(Everything), .encode = encode_nothing, .decode = decode_leaf};
    const mrpc_module module = {
        .table_size = sizeof module, .abi = MRPC_MODULE_ABI, .codec_count = 1, .codecs = &codec};
    const mrpc_file file = {.table_size = sizeof file, .name = "test.proto", .linked = &module};
    mrpc_type type = Everything_type;
    type.file = &file;
    mrpc_heap *heap = make_heap();
    void *decoded = NULL;
    assert_int_equal(mrpc_message_decode(&type, "x", 1, heap, &decoded, NULL), 0);
    Everything *message = decoded;
    mrpc_release(message->leaf);
    assert_int_equal(message->leaf->number, 0);
    assert_true(bytes_in_use(heap) > 0);
    mrpc_release(message);
    assert_int_equal(bytes_in_use(heap), 0);
    mrpc_heap_unref(heap);
}

static void what_needs_memory_is_refused_without_an_arena(void **state)
{
    (void)state;
    Everything message;
    mrpc_message_init(&Everything_type, &message);
    Everything before = message;
    assert_int_equal(mrpc_string_set(&message, &message.a_string, "x"), MRPC_EINVAL);
    assert_int_equal(mrpc_string_set_n(&message, &message.a_string, "x", 1), MRPC_EINVAL);
    assert_int_equal(mrpc_string_printf(&message, &message.a_string, "%d", 1), MRPC_EINVAL);
    assert_int_equal(mrpc_bytes_set(&message, &message.some_bytes, "x", 1), MRPC_EINVAL);
    assert_int_equal(mrpc_bytes_reserve(&message, &message.some_bytes, 1), MRPC_EINVAL);
    assert_int_equal(mrpc_list_reserve(&message, &message.int32s, 4, 1), MRPC_EINVAL);
    assert_int_equal(mrpc_string_list_add(&message, &message.strings, "x", 1), MRPC_EINVAL);
    assert_int_equal(mrpc_bytes_list_add(&message, &message.byteses, "x", 1), MRPC_EINVAL);
    assert_null(mrpc_message_list_add(&message, &message.leaves, &Leaf_type));
    assert_null(mrpc_message_new_in(&Leaf_type, &message));
    assert_null(mrpc_message_copy_in(&Leaf_type, &message, &message));
    assert_null(mrpc_map_insert(&by_int32_type, &message, &message.by_int32, &(int32_t){1}));
    assert_memory_equal(&message, &before, sizeof message);
}

/* --- strings and bytes --- */

static void strings_are_copied_and_end_with_nul(void **state)
{
    (void)state;
    Everything *message = new_message(NULL);
    char text[] = "hello, world";
    assert_int_equal(mrpc_string_set(message, &message->a_string, text), 0);
    memset(text, 'x', 5);
    assert_string_equal(message->a_string.data, "hello, world");
    assert_int_equal(message->a_string.size, 12);
    assert_int_equal(mrpc_string_set_n(message, &message->a_string, "a\0b--", 3), 0);
    assert_memory_equal(message->a_string.data, "a\0b", 4);
    assert_int_equal(mrpc_string_set(message, &message->a_string, ""), 0);
    assert_string_equal(message->a_string.data, "");
    assert_int_equal(mrpc_string_set_n(message, &message->a_string, NULL, 0), 0);
    assert_string_equal(message->a_string.data, "");
    mrpc_release(message);
}

static void a_string_can_be_set_to_a_part_of_itself(void **state)
{
    (void)state;
    Everything *message = new_message(NULL);
    assert_int_equal(mrpc_string_set(message, &message->a_string, "inside out"), 0);
    assert_int_equal(mrpc_string_set(message, &message->a_string, message->a_string.data + 7), 0);
    assert_string_equal(message->a_string.data, "out");
    assert_int_equal(mrpc_string_printf(message, &message->a_string, "%s and %s", message->a_string.data, "about"), 0);
    assert_string_equal(message->a_string.data, "out and about");
    mrpc_release(message);
}

static void printf_works_for_every_length(void **state)
{
    (void)state;
    Everything *message = new_message(NULL);
    for (int length = 0; length < 3000; length += 13) {
        assert_int_equal(mrpc_string_printf(message, &message->a_string, "%*s", length, ""), 0);
        assert_int_equal(message->a_string.size, length);
        assert_int_equal(strlen(message->a_string.data), length);
        assert_int_equal(strspn(message->a_string.data, " "), length);
    }
    mrpc_release(message);
}

static void missing_text_is_refused(void **state)
{
    (void)state;
    Everything *message = new_message(NULL);
    assert_int_equal(mrpc_string_set(message, &message->a_string, NULL), MRPC_EINVAL);
    assert_int_equal(mrpc_string_set_n(message, &message->a_string, NULL, 5), MRPC_EINVAL);
    assert_int_equal(mrpc_bytes_set(message, &message->some_bytes, NULL, 5), MRPC_EINVAL);
    assert_string_equal(message->a_string.data, "");
    mrpc_release(message);
}

static void absurd_sizes_are_refused(void **state)
{
    (void)state;
    Everything *message = new_message(NULL);
    assert_int_equal(mrpc_string_set_n(message, &message->a_string, "x", SIZE_MAX), MRPC_ENOMEM);
    assert_int_equal(mrpc_string_set_n(message, &message->a_string, "x", SIZE_MAX - 1), MRPC_ENOMEM);
    assert_int_equal(mrpc_bytes_reserve(message, &message->some_bytes, SIZE_MAX), MRPC_ENOMEM);
    assert_int_equal(mrpc_list_reserve(message, &message->doubles, 8, SIZE_MAX / 8), MRPC_ENOMEM);
    assert_int_equal(mrpc_list_reserve(message, &message->doubles, 8, SIZE_MAX), MRPC_ENOMEM);
    assert_null(message->doubles.data);
    assert_null(message->some_bytes.data);
    mrpc_release(message);
}

static void bytes_are_copied_or_reserved(void **state)
{
    (void)state;
    Everything *message = new_message(NULL);
    assert_int_equal(mrpc_bytes_set(message, &message->some_bytes, "\0\1\2", 3), 0);
    assert_memory_equal(message->some_bytes.data, "\0\1\2", 3);
    assert_int_equal(mrpc_bytes_reserve(message, &message->some_bytes, 100000), 0);
    memset(message->some_bytes.data, 7, 100000);
    assert_int_equal(message->some_bytes.size, 100000);
    assert_int_equal(mrpc_bytes_set(message, &message->some_bytes, NULL, 0), 0);
    assert_int_equal(message->some_bytes.size, 0);
    mrpc_release(message);
}

/* --- lists --- */

static void lists_grow_and_keep_their_elements(void **state)
{
    (void)state;
    Everything *message = new_message(NULL);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(mrpc_list_append(message, &message->int32s, i), 0);
        if (i % 7 == 0)
            assert_int_equal(mrpc_list_append(message, &message->doubles, i), 0);
    }
    for (int i = 0; i < 5000; i++)
        assert_int_equal(message->int32s.data[i], i);
    for (int i = 0; i < 5000; i += 7)
        assert_true(message->doubles.data[i / 7] == i);
    mrpc_release(message);
}

/* A list that alone grows does so where it is: the arena has hardly more than the list. */
static void a_list_that_grows_alone_leaves_no_waste(void **state)
{
    (void)state;
    mrpc_arena *arena = mrpc_arena_new(NULL, 100000);
    mrpc_message owner = {.arena = arena};
    mrpc_uint64_list list = {0};
    size_t before = mrpc_arena_bytes(arena);
    for (uint64_t i = 0; i < 8192; i++)
        assert_int_equal(mrpc_list_append(&owner, &list, i), 0);
    assert_int_equal(mrpc_arena_bytes(arena), before);
    mrpc_arena_free(arena);
}

static void an_append_says_why_it_failed(void **state)
{
    (void)state;
    mrpc_message homeless = {0};
    mrpc_uint64_list list = {0};
    assert_int_equal(mrpc_list_append(&homeless, &list, 1), MRPC_EINVAL);
    mrpc_arena *arena = mrpc_arena_new(NULL, 100);
    mrpc_arena_set_limit(arena, mrpc_arena_bytes(arena));
    mrpc_message owner = {.arena = arena};
    int result;
    while ((result = mrpc_list_append(&owner, &list, 1)) == 0)
        ;
    assert_int_equal(result, MRPC_ENOMEM);
    mrpc_arena_free(arena);
}

static void reserving_makes_room_once(void **state)
{
    (void)state;
    Everything *message = new_message(NULL);
    assert_int_equal(mrpc_list_reserve(message, &message->int32s, sizeof(int32_t), 1000), 0);
    const int32_t *data = message->int32s.data;
    assert_true(message->int32s.capacity >= 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(mrpc_list_append(message, &message->int32s, i), 0);
    assert_ptr_equal(message->int32s.data, data);
    mrpc_release(message);
}

/* A received list has no capacity of its own. */
static void a_list_without_room_is_moved_before_it_grows(void **state)
{
    (void)state;
    int32_t received[] = {1, 2, 3};
    Everything *message = new_message(NULL);
    message->int32s = (mrpc_int32_list){.data = received, .size = 3};
    assert_int_equal(mrpc_list_append(message, &message->int32s, 4), 0);
    assert_ptr_not_equal(message->int32s.data, received);
    for (int i = 0; i < 4; i++)
        assert_int_equal(message->int32s.data[i], i + 1);
    mrpc_release(message);
}

/* --- maps --- */

static void keys_come_in_their_order_however_they_were_inserted(void **state)
{
    (void)state;
    static const int32_t numbers[] = {5, -1, INT32_MAX, 0, INT32_MIN, 7, -100, 6};
    static const int32_t sorted[] = {INT32_MIN, -100, -1, 0, 5, 6, 7, INT32_MAX};
    static const char *const names[] = {"b", "", "ab", "a", "\xFF", "aa", "abc"};
    static const char *const sorted_names[] = {"", "a", "aa", "ab", "abc", "b", "\xFF"};
    Everything *message = new_message(NULL);
    for (size_t i = 0; i < 8; i++) {
        by_int32 *entry = mrpc_map_insert(&by_int32_type, message, &message->by_int32, &numbers[i]);
        entry->value->number = (int32_t)i;
    }
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(message->by_int32.data[i].key, sorted[i]);
    for (size_t i = 0; i < 7; i++) {
        mrpc_string key = {.data = (char *)(uintptr_t)names[i], .size = strlen(names[i])};
        assert_non_null(mrpc_map_insert(&by_string_type, message, &message->by_string, &key));
    }
    for (size_t i = 0; i < 7; i++)
        assert_string_equal(message->by_string.data[i].key.data, sorted_names[i]);
    static const uint64_t large[] = {UINT64_C(1) << 63, 1, UINT64_MAX, 0};
    for (size_t i = 0; i < 4; i++)
        assert_non_null(mrpc_map_insert(&by_fixed64_type, message, &message->by_fixed64, &large[i]));
    assert_true(message->by_fixed64.data[1].key == 1 && message->by_fixed64.data[3].key == UINT64_MAX);
    assert_non_null(mrpc_map_insert(&by_bool_type, message, &message->by_bool, &(bool){true}));
    assert_non_null(mrpc_map_insert(&by_bool_type, message, &message->by_bool, &(bool){false}));
    assert_false(message->by_bool.data[0].key);
    static const int64_t wide[] = {INT64_MAX, -1, INT64_MIN, 1};
    for (size_t i = 0; i < 4; i++)
        assert_non_null(mrpc_map_insert(&by_int64_type, message, &message->by_int64, &wide[i]));
    assert_true(message->by_int64.data[0].key == INT64_MIN && message->by_int64.data[3].key == INT64_MAX);
    mrpc_release(message);
}

static void every_key_is_found_and_no_other(void **state)
{
    (void)state;
    Everything *message = new_message(NULL);
    for (int32_t count = 0; count < 40; count++) {
        for (int32_t key = -1; key <= 2 * count + 1; key++) {
            by_int32 *entry = mrpc_map_find(&by_int32_type, &message->by_int32, &key);
            bool there = key >= 0 && key % 2 == 0 && key < 2 * count;
            assert_int_equal(entry != NULL, there);
            if (there)
                assert_int_equal(entry->value->number, key);
        }
        by_int32 *made = mrpc_map_insert(&by_int32_type, message, &message->by_int32, &(int32_t){2 * count});
        made->value->number = 2 * count;
    }
    mrpc_release(message);
}

static void inserting_a_key_again_gives_the_entry_that_is_there(void **state)
{
    (void)state;
    Everything *message = new_message(NULL);
    char text[] = "key";
    mrpc_string key = {.data = text, .size = 3};
    by_string *entry = mrpc_map_insert(&by_string_type, message, &message->by_string, &key);
    assert_int_equal(entry->value, 0);
    entry->value = 7;
    entry = mrpc_map_insert(&by_string_type, message, &message->by_string, &key);
    assert_int_equal(entry->value, 7);
    assert_int_equal(message->by_string.size, 1);
    text[0] = 'x'; /* the map has a copy of the key */
    assert_string_equal(entry->key.data, "key");
    by_bool *other = mrpc_map_insert(&by_bool_type, message, &message->by_bool, &(bool){false});
    assert_string_equal(other->value.data, "");
    mrpc_release(message);
}

static void removed_keys_are_gone_and_the_others_stay(void **state)
{
    (void)state;
    Everything *message = new_message(NULL);
    for (uint32_t key = 0; key < 20; key++)
        ((by_uint32 *)mrpc_map_insert(&by_uint32_type, message, &message->by_uint32, &key))->value = key;
    for (uint32_t key = 0; key < 20; key += 3)
        assert_true(mrpc_map_remove(&by_uint32_type, &message->by_uint32, &key));
    assert_false(mrpc_map_remove(&by_uint32_type, &message->by_uint32, &(uint32_t){3}));
    assert_false(mrpc_map_remove(&by_uint32_type, &message->by_uint32, &(uint32_t){77}));
    assert_int_equal(message->by_uint32.size, 13);
    for (uint32_t key = 0; key < 20; key++) {
        by_uint32 *entry = mrpc_map_find(&by_uint32_type, &message->by_uint32, &key);
        assert_int_equal(entry != NULL, key % 3 != 0);
        if (entry != NULL)
            assert_true(entry->value == key);
    }
    mrpc_release(message);
}

/* --- copies and equality --- */

static void a_copy_is_equal_and_shares_nothing(void **state)
{
    (void)state;
    mrpc_heap *heap = make_heap();
    Everything *message = everything_new(NULL);
    assert_non_null(message);
    Everything *copy = mrpc_message_copy(&Everything_type, message, heap);
    assert_non_null(copy);
    static char before[20000], after[20000];
    size_t length = mrpc_message_text(&Everything_type, message, before, sizeof before);
    assert_true(length < sizeof before);
    assert_true(mrpc_message_equal(&Everything_type, message, copy));
    mrpc_release(message);
    assert_int_equal(mrpc_message_text(&Everything_type, copy, after, sizeof after), length);
    assert_string_equal(before, after);
    assert_int_equal(mrpc_string_set(copy->leaf, &copy->leaf->name, "can be changed"), 0);
    mrpc_release(copy->leaf);
    mrpc_release(copy);
    assert_int_equal(bytes_in_use(heap), 0);
    mrpc_heap_unref(heap);
}

static void a_copy_can_live_in_another_message(void **state)
{
    (void)state;
    Everything *message = everything_new(NULL), *owner = new_message(NULL);
    owner->child = mrpc_message_copy_in(&Everything_type, message, owner);
    assert_non_null(owner->child);
    assert_ptr_equal(owner->child->base.arena, owner->base.arena);
    assert_true(mrpc_message_equal(&Everything_type, message, owner->child));
    mrpc_release(message);
    mrpc_release(owner->child);
    assert_int_equal(owner->child->leaf->number, 20);
    mrpc_release(owner);
}

static void a_message_of_the_caller_can_be_copied(void **state)
{
    (void)state;
    Leaf leaf = {.number = 3}; /* a string that was never set: NULL */
    Everything message = {.leaf = &leaf, .a_string = {.data = "text", .size = 4}};
    Everything *copy = mrpc_message_copy(&Everything_type, &message, NULL);
    assert_non_null(copy);
    assert_string_equal(copy->leaf->name.data, "");
    assert_true(mrpc_message_equal(&Everything_type, &message, copy));
    mrpc_release(copy);
}

static mrpc_unknown *make_unknown(mrpc_arena *arena, const char *bytes, size_t size)
{
    mrpc_unknown *unknown = mrpc_arena_alloc(arena, sizeof *unknown + size);
    unknown->size = size;
    unknown->capacity = 0;
    memcpy(unknown->data, bytes, size);
    return unknown;
}

static void unknown_fields_are_copied_and_compared(void **state)
{
    (void)state;
    Everything *message = everything_new(NULL);
    message->base.unknown = make_unknown(message->base.arena, "\xf8\x06\x05", 3);
    message->leaf->base.unknown = make_unknown(message->base.arena, "\xf8\x06\x06", 3);
    message->base.unknown->capacity = 64; /* there is room for more, which the copy does not have */
    Everything *copy = mrpc_message_copy(&Everything_type, message, NULL);
    assert_true(mrpc_message_equal(&Everything_type, message, copy));
    assert_int_equal(copy->base.unknown->capacity, 3);
    assert_ptr_not_equal(copy->leaf->base.unknown, message->leaf->base.unknown);
    copy->leaf->base.unknown->data[2] = 7;
    assert_false(mrpc_message_equal(&Everything_type, message, copy));
    copy->leaf->base.unknown = NULL;
    assert_false(mrpc_message_equal(&Everything_type, message, copy));
    mrpc_release(message);
    mrpc_release(copy);
}

/* Each line makes two equal messages differ in one thing. */
#define DIFFERS(change)                                                                                                \
    do {                                                                                                               \
        Everything *copy = mrpc_message_copy(&Everything_type, message, NULL);                                         \
        assert_non_null(copy);                                                                                         \
        change;                                                                                                        \
        assert_false(mrpc_message_equal(&Everything_type, message, copy));                                             \
        assert_false(mrpc_message_equal(&Everything_type, copy, message));                                             \
        mrpc_release(copy);                                                                                            \
    } while (0)

static void any_difference_is_one(void **state)
{
    (void)state;
    Everything *message = everything_new(NULL);
    DIFFERS(copy->a_double = 0.1);
    DIFFERS(copy->an_sint64++);
    DIFFERS(copy->a_bool = false);
    DIFFERS(copy->a_string.size--);
    DIFFERS(copy->some_bytes.data[1] = 0);
    DIFFERS(copy->has_maybe_bytes = false);
    DIFFERS(copy->has_maybe_int32 = false);
    DIFFERS(copy->maybe_int32 = 1);
    DIFFERS(copy->leaf = NULL);
    DIFFERS(copy->leaf->number = 0);
    DIFFERS(copy->child->choice_case = 0);
    DIFFERS(copy->choice_case = CHOSEN_DOUBLE);
    DIFFERS(copy->choice.chosen_leaf->number = 1);
    DIFFERS(copy->int32s.size--);
    DIFFERS(copy->int32s.size = 0);
    DIFFERS(copy->bools.data[1] = true);
    DIFFERS(copy->doubles.data[9] = 0);
    DIFFERS(copy->strings.data[3].data[0] = 'A');
    DIFFERS(copy->byteses.data[9].size = 0);
    DIFFERS(copy->leaves.data[9]->number = 10);
    DIFFERS(copy->colors.data[0] = 0);
    DIFFERS(copy->by_string.data[4].value = 0);
    DIFFERS(copy->by_int32.data[4].key = 1000);
    DIFFERS(copy->by_int32.data[4].value->number = 1000);
    DIFFERS(copy->by_bool.data[0].value.size = 0);
    DIFFERS(copy->by_int64.data[5].value.data[0] = 'B');
    mrpc_release(message);
}

static void what_is_not_there_makes_no_difference(void **state)
{
    (void)state;
    Everything *message = everything_new(NULL);
    Everything *copy = mrpc_message_copy(&Everything_type, message, NULL);
    message->child->maybe_int32 = 5; /* without has_maybe_int32 */
    message->child->a_string.data = NULL;
    message->child->strings.capacity = 7;
    assert_true(mrpc_message_equal(&Everything_type, message, copy));
    assert_true(mrpc_message_equal(&Everything_type, message, message));
    mrpc_release(message);
    mrpc_release(copy);
}

static void numbers_are_compared_by_their_bits(void **state)
{
    (void)state;
    Everything a, b;
    mrpc_message_init(&Everything_type, &a);
    mrpc_message_init(&Everything_type, &b);
    a.a_double = b.a_double = (double)NAN;
    assert_true(mrpc_message_equal(&Everything_type, &a, &b));
    a.a_double = 0.0;
    b.a_double = -0.0;
    assert_false(mrpc_message_equal(&Everything_type, &a, &b));
}

/* `levels` messages, each the child of the one before. */
static Everything *make_deep(int levels)
{
    Everything *message = new_message(NULL), *at = message;
    for (int i = 0; i < levels; i++) {
        at->child = mrpc_message_new_in(&Everything_type, at);
        at = at->child;
    }
    return message;
}

/* Deeper messages could not be sent, and one that contains itself must not be followed for ever. */
static void nesting_has_a_limit(void **state)
{
    (void)state;
    Everything *allowed = make_deep(MRPC_DEPTH_LIMIT), *deeper = make_deep(MRPC_DEPTH_LIMIT + 1);
    Everything *copy = mrpc_message_copy(&Everything_type, allowed, NULL);
    assert_non_null(copy);
    assert_true(mrpc_message_equal(&Everything_type, allowed, copy));
    assert_null(mrpc_message_copy(&Everything_type, deeper, NULL));
    Everything *same = make_deep(MRPC_DEPTH_LIMIT + 1);
    assert_false(mrpc_message_equal(&Everything_type, deeper, same));
    static char text[100000];
    mrpc_message_text(&Everything_type, allowed, text, sizeof text);
    assert_null(strstr(text, "nested too deeply"));
    mrpc_message_text(&Everything_type, deeper, text, sizeof text);
    assert_non_null(strstr(text, "# nested too deeply"));
    deeper->child = deeper;
    assert_null(mrpc_message_copy(&Everything_type, deeper, NULL));
    assert_true(mrpc_message_text(&Everything_type, deeper, text, sizeof text) < sizeof text);
    mrpc_release(allowed);
    mrpc_release(copy);
    mrpc_release(deeper);
    mrpc_release(same);
}

/* --- failures --- */

static void every_failing_allocation_is_told(void **state)
{
    (void)state;
    struct failing_alloc fail;
    failing_alloc_begin(&fail);
    while (failing_alloc_next(&fail)) {
        failing_alloc_start(&fail);
        Everything *message = everything_new(NULL);
        Everything *copy = message != NULL ? mrpc_message_copy(&Everything_type, message, NULL) : NULL;
        failing_alloc_stop(&fail);
        assert_int_equal(fail.hit, copy == NULL);
        if (copy != NULL)
            assert_true(mrpc_message_equal(&Everything_type, message, copy));
        mrpc_release(message);
        mrpc_release(copy);
    }
    assert_true(fail.runs > 5);
}

/* At whatever point memory runs out, what was done before is there and can be read. */
static void a_member_is_unchanged_when_memory_runs_out(void **state)
{
    (void)state;
    for (size_t limit = 800; limit < 12000; limit += 104) {
        Everything *message = new_message(NULL);
        mrpc_arena_set_limit(message->base.arena, limit);
        int result = everything_fill(message);
        static char text[20000];
        assert_true(mrpc_message_text(&Everything_type, message, text, sizeof text) < sizeof text);
        mrpc_string before = message->a_string;
        if (result != 0) {
            assert_int_equal(result, MRPC_ENOMEM);
            assert_int_equal(mrpc_string_printf(message, &message->a_string, "%20000s", "x"), MRPC_ENOMEM);
            assert_memory_equal(&message->a_string, &before, sizeof before);
        }
        mrpc_release(message);
    }
}

/* --- enums --- */

static void enums_have_names_and_numbers(void **state)
{
    (void)state;
    int32_t number = 99;
    assert_string_equal(mrpc_enum_name(&Color_enum, 0), "RED");
    assert_string_equal(mrpc_enum_name(&Color_enum, 1), "GREEN");
    assert_string_equal(mrpc_enum_name(&Color_enum, 5), "BLUE");
    assert_string_equal(mrpc_enum_name(&Color_enum, -3), "NEGATIVE");
    assert_null(mrpc_enum_name(&Color_enum, 2));
    assert_null(mrpc_enum_name(&Color_enum, INT32_MAX));
    assert_null(mrpc_enum_name(&Color_enum, INT32_MIN));
    assert_true(mrpc_enum_number(&Color_enum, "ALSO_GREEN", &number));
    assert_int_equal(number, 1);
    assert_false(mrpc_enum_number(&Color_enum, "PURPLE", &number));
    assert_int_equal(number, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_message_is_empty_with_strings_that_can_be_read),
        cmocka_unit_test(a_message_of_the_caller_is_made_empty_too),
        cmocka_unit_test(releasing_ends_the_whole_message),
        cmocka_unit_test(releasing_a_part_leaves_it_alone),
        cmocka_unit_test(releasing_a_message_that_alone_names_its_arena_ends_it),
        cmocka_unit_test(releasing_a_part_of_a_decoded_message_leaves_it_alone),
        cmocka_unit_test(what_needs_memory_is_refused_without_an_arena),
        cmocka_unit_test(strings_are_copied_and_end_with_nul),
        cmocka_unit_test(a_string_can_be_set_to_a_part_of_itself),
        cmocka_unit_test(printf_works_for_every_length),
        cmocka_unit_test(missing_text_is_refused),
        cmocka_unit_test(absurd_sizes_are_refused),
        cmocka_unit_test(bytes_are_copied_or_reserved),
        cmocka_unit_test(lists_grow_and_keep_their_elements),
        cmocka_unit_test(a_list_that_grows_alone_leaves_no_waste),
        cmocka_unit_test(an_append_says_why_it_failed),
        cmocka_unit_test(reserving_makes_room_once),
        cmocka_unit_test(a_list_without_room_is_moved_before_it_grows),
        cmocka_unit_test(keys_come_in_their_order_however_they_were_inserted),
        cmocka_unit_test(every_key_is_found_and_no_other),
        cmocka_unit_test(inserting_a_key_again_gives_the_entry_that_is_there),
        cmocka_unit_test(removed_keys_are_gone_and_the_others_stay),
        cmocka_unit_test(a_copy_is_equal_and_shares_nothing),
        cmocka_unit_test(a_copy_can_live_in_another_message),
        cmocka_unit_test(a_message_of_the_caller_can_be_copied),
        cmocka_unit_test(unknown_fields_are_copied_and_compared),
        cmocka_unit_test(any_difference_is_one),
        cmocka_unit_test(what_is_not_there_makes_no_difference),
        cmocka_unit_test(numbers_are_compared_by_their_bits),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(every_failing_allocation_is_told),
        cmocka_unit_test(a_member_is_unchanged_when_memory_runs_out),
        cmocka_unit_test(enums_have_names_and_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
