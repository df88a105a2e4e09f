/* SPDX-License-Identifier: BSD-2-Clause */
/* equal.c - whether two messages are the same */
#include "config.h"

#include "marshal/fields.h"

static bool equal_fields(const mrpc_type *type, const void *a, const void *b, uint32_t depth);

static bool equal_bytes(const void *a, const void *b)
{
    mrpc_bytes left = mrpc_any_text(a), right = mrpc_any_text(b);
    return left.size == right.size && (left.size == 0 || memcmp(left.data, right.data, left.size) == 0);
}

static bool equal_unknown(const mrpc_unknown *a, const mrpc_unknown *b)
{
    size_t left = a != NULL ? a->size : 0, right = b != NULL ? b->size : 0;
    return left == right && (left == 0 || memcmp(a->data, b->data, left) == 0);
}

static bool equal_messages(const mrpc_type *type, const void *a, const void *b, uint32_t depth)
{
    if (a == b)
        return true;
    if (a == NULL || b == NULL || depth == 0)
        return false;
    const mrpc_message *left = a, *right = b;
    return equal_unknown(left->unknown, right->unknown) && equal_fields(type, a, b, depth - 1);
}

static bool equal_bools(const char *a, const char *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (mrpc_any_bool(a + i) != mrpc_any_bool(b + i))
            return false;
    return true;
}

/* `count` values that lie one behind the other. */
static bool equal_plain(const mrpc_field *field, const char *a, const char *b, size_t count)
{
    return field->type == MRPC_TYPE_BOOL ? equal_bools(a, b, count)
                                         : memcmp(a, b, count * mrpc_field_width(field)) == 0;
}

static bool equal_values(const mrpc_field *field, const char *a, const char *b, uint32_t depth)
{
    if (field->kind == MRPC_FIELD_MAP)
        return depth > 0 && equal_fields(field->message, a, b, depth - 1);
    if (mrpc_field_is_message(field))
        return equal_messages(field->message, *(const mrpc_any_message *)(const void *)a,
                              *(const mrpc_any_message *)(const void *)b, depth);
    if (!mrpc_field_is_plain(field))
        return equal_bytes(a, b);
    return equal_plain(field, a, b, 1);
}

static bool equal_lists(const mrpc_field *field, const void *a, const void *b, uint32_t depth)
{
    const mrpc_any_list *left = a, *right = b;
    if (left->size != right->size)
        return false;
    if (mrpc_field_is_plain(field))
        return equal_plain(field, left->data, right->data, left->size);
    size_t width = mrpc_field_width(field);
    for (size_t i = 0; i < left->size; i++)
        if (!equal_values(field, left->data + i * width, right->data + i * width, depth))
            return false;
    return true;
}

static bool equal_fields(const mrpc_type *type, const void *a, const void *b, uint32_t depth)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const mrpc_field *field = &type->fields[i];
        bool present = mrpc_field_present(field, a);
        if (present != mrpc_field_present(field, b))
            return false;
        if (!present)
            continue;
        const char *left = mrpc_field_member(field, a), *right = mrpc_field_member(field, b);
        bool many = field->kind == MRPC_FIELD_LIST || field->kind == MRPC_FIELD_MAP;
        if (many ? !equal_lists(field, left, right, depth) : !equal_values(field, left, right, depth))
            return false;
    }
    return true;
}

bool mrpc_message_equal(const mrpc_type *type, const void *a, const void *b)
{
    return equal_messages(type, a, b, MRPC_DEPTH_LIMIT + 1);
}
