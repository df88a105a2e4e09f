/* SPDX-License-Identifier: BSD-2-Clause */
/* message_types.c - a message with everything in it */
#include "config.h"

#include "tests/unit/message_types.h"

static int fill_scalars(Everything *message)
{
    message->a_double = -0.1;
    message->a_float = 3.5f;
    message->an_int64 = INT64_MIN;
    message->a_uint64 = UINT64_MAX;
    message->an_int32 = INT32_MIN;
    message->a_fixed64 = 64;
    message->a_fixed32 = UINT32_MAX;
    message->a_bool = true;
    message->a_uint32 = 11;
    message->a_color = 5;
    message->an_sfixed32 = -13;
    message->an_sfixed64 = -14;
    message->an_sint32 = -15;
    message->an_sint64 = -16;
    message->has_maybe_int32 = message->has_maybe_string = message->has_maybe_bytes = true;
    int result = mrpc_string_set(message, &message->a_string, "caf\xC3\xA9");
    if (result == 0)
        result = mrpc_bytes_set(message, &message->some_bytes, "\x00\xFF\x01", 3);
    if (result == 0)
        result = mrpc_string_printf(message, &message->maybe_string, "maybe %d", 18);
    return result;
}

static int fill_messages(Everything *message)
{
    message->leaf = mrpc_message_new_in(&Leaf_type, message);
    message->child = mrpc_message_new_in(&Everything_type, message);
    message->choice.chosen_leaf = mrpc_message_new_in(&Leaf_type, message);
    if (message->leaf == NULL || message->child == NULL || message->choice.chosen_leaf == NULL)
        return MRPC_ENOMEM;
    message->choice_case = CHOSEN_LEAF;
    message->leaf->number = 20;
    message->child->choice_case = CHOSEN_STRING;
    message->choice.chosen_leaf->number = 25;
    return mrpc_string_set(message->child, &message->child->choice.chosen_string, "chosen");
}

static int fill_lists(Everything *message)
{
    int result = 0;
    for (int i = 0; result == 0 && i < 10; i++) {
        result = mrpc_list_append(message, &message->int32s, i * 1000);
        if (result == 0)
            result = mrpc_list_append(message, &message->doubles, i / 4.0);
        if (result == 0)
            result = mrpc_list_append(message, &message->bools, i % 3 == 0);
        if (result == 0)
            result = mrpc_string_list_add(message, &message->strings, "a string", (size_t)i % 9);
        if (result == 0)
            result = mrpc_bytes_list_add(message, &message->byteses, "\1\2\3\4\5\6\7\10\11", (size_t)i);
        if (result == 0)
            result = mrpc_list_append(message, &message->colors, i - 3);
        Leaf *leaf = result == 0 ? mrpc_message_list_add(message, &message->leaves, &Leaf_type) : NULL;
        if (leaf == NULL)
            return MRPC_ENOMEM;
        leaf->number = i;
        result = mrpc_string_printf(leaf, &leaf->name, "leaf %d", i);
    }
    return result;
}

static int fill_maps(Everything *message)
{
    for (int32_t i = 9; i >= 0; i--) {
        mrpc_string name = {.data = "0123456789", .size = (size_t)i};
        by_string *string = mrpc_map_insert(&by_string_type, message, &message->by_string, &name);
        int32_t number = (i - 5) * 7;
        by_int32 *int32 = mrpc_map_insert(&by_int32_type, message, &message->by_int32, &number);
        int64_t large = (i - 5) * INT64_C(10000000000);
        by_int64 *int64 = mrpc_map_insert(&by_int64_type, message, &message->by_int64, &large);
        uint32_t positive = (uint32_t)i * 400000000u;
        by_uint32 *uint32 = mrpc_map_insert(&by_uint32_type, message, &message->by_uint32, &positive);
        uint64_t fixed = (uint64_t)i << 60;
        by_fixed64 *fixed64 = mrpc_map_insert(&by_fixed64_type, message, &message->by_fixed64, &fixed);
        if (string == NULL || int32 == NULL || int64 == NULL || uint32 == NULL || fixed64 == NULL)
            return MRPC_ENOMEM;
        string->value = i;
        int32->value->number = i;
        uint32->value = i + 0.5;
        fixed64->value = i % 2;
        if (mrpc_bytes_set(message, &int64->value, "bytes", (size_t)i % 6) != 0)
            return MRPC_ENOMEM;
    }
    by_bool *yes = mrpc_map_insert(&by_bool_type, message, &message->by_bool, &(bool){true});
    return yes != NULL ? mrpc_string_set(message, &yes->value, "yes") : MRPC_ENOMEM;
}

int everything_fill(Everything *message)
{
    int result = fill_scalars(message);
    if (result == 0)
        result = fill_messages(message);
    if (result == 0)
        result = fill_lists(message);
    return result == 0 ? fill_maps(message) : result;
}

Everything *everything_new(mrpc_heap *heap)
{
    Everything *message = mrpc_message_new(&Everything_type, heap);
    if (message != NULL && everything_fill(message) != 0) {
        mrpc_release(message);
        return NULL;
    }
    return message;
}
