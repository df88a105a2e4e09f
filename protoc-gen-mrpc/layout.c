/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout.c - see layout.h
 *
 * Members are ordered by alignment, 8 before 4 before 1, and keep the order of the schema among equals. So a struct has
 * padding only at its end. A oneof counts from where its first field stands.
 */
#include "layout.h"

enum { HEAD_SIZE = 16, POINTER_SIZE = 8, PAIR_SIZE = 16, LIST_SIZE = 24, CASE_SIZE = 4 };

static size_t scalar_size(mrpc_field_type type)
{
    switch (type) {
    case MRPC_TYPE_BOOL:
        return 1;
    case MRPC_TYPE_FLOAT:
    case MRPC_TYPE_INT32:
    case MRPC_TYPE_UINT32:
    case MRPC_TYPE_SINT32:
    case MRPC_TYPE_FIXED32:
    case MRPC_TYPE_SFIXED32:
    case MRPC_TYPE_ENUM:
        return 4;
    case MRPC_TYPE_STRING:
    case MRPC_TYPE_BYTES:
        return PAIR_SIZE;
    default:
        return POINTER_SIZE; /* 64-bit numbers and pointers to messages */
    }
}

static size_t value_size(const schema_field *field)
{
    return field->repeated ? LIST_SIZE : scalar_size(field->type);
}

static size_t alignment_of(size_t size)
{
    return size < POINTER_SIZE ? size : POINTER_SIZE;
}

static void measure_union(schema_oneof *oneof)
{
    oneof->size = 0;
    oneof->alignment = 1;
    for (size_t i = 0; i < oneof->field_count; i++) {
        size_t size = value_size(oneof->fields[i]);
        oneof->size = size > oneof->size ? size : oneof->size;
        oneof->alignment = alignment_of(size) > oneof->alignment ? alignment_of(size) : oneof->alignment;
    }
    oneof->size = (oneof->size + oneof->alignment - 1) / oneof->alignment * oneof->alignment;
}

static void add_member(schema_message *message, schema_member member)
{
    message->members[message->member_count++] = member;
}

static void add_oneof(schema_message *message, schema_oneof *oneof)
{
    measure_union(oneof);
    add_member(message, (schema_member){
                            .kind = MEMBER_UNION, .oneof = oneof, .size = oneof->size, .alignment = oneof->alignment});
    add_member(message,
               (schema_member){.kind = MEMBER_CASE, .oneof = oneof, .size = CASE_SIZE, .alignment = CASE_SIZE});
}

/* All members in the order of the schema. */
static int collect_members(schema_message *message, gen_arena *arena)
{
    message->members = arena_alloc(arena, 2 * message->field_count + 1, sizeof *message->members);
    if (message->members == NULL)
        return MRPC_ENOMEM;
    message->member_count = 0;
    for (size_t i = 0; i < message->field_count; i++) {
        schema_field *field = message->fields[i];
        size_t size = value_size(field);
        if (field->oneof == NULL)
            add_member(
                message,
                (schema_member){.kind = MEMBER_FIELD, .field = field, .size = size, .alignment = alignment_of(size)});
        else if (field->oneof->fields[0] == field)
            add_oneof(message, field->oneof);
        if (schema_has_flag(field))
            add_member(message, (schema_member){.kind = MEMBER_HAS, .field = field, .size = 1, .alignment = 1});
    }
    return 0;
}

static int sort_members(schema_message *message, gen_arena *arena)
{
    schema_member *sorted = arena_alloc(arena, message->member_count + 1, sizeof *sorted);
    if (sorted == NULL)
        return MRPC_ENOMEM;
    size_t count = 0;
    for (size_t alignment = POINTER_SIZE; alignment >= 1; alignment /= 2)
        for (size_t i = 0; i < message->member_count; i++)
            if (message->members[i].alignment == alignment)
                sorted[count++] = message->members[i];
    message->members = sorted;
    return 0;
}

/* Tells the fields and oneofs where their members lie. */
static void publish_offset(const schema_member *member)
{
    switch (member->kind) {
    case MEMBER_FIELD:
        member->field->offset = member->offset;
        break;
    case MEMBER_HAS:
        member->field->presence_offset = member->offset;
        break;
    case MEMBER_UNION:
        member->oneof->offset = member->offset;
        for (size_t i = 0; i < member->oneof->field_count; i++)
            member->oneof->fields[i]->offset = member->offset;
        break;
    case MEMBER_CASE:
        member->oneof->case_offset = member->offset;
        for (size_t i = 0; i < member->oneof->field_count; i++)
            member->oneof->fields[i]->presence_offset = member->offset;
        break;
    }
}

/* Gives the members their places behind the head of the struct, and the struct its size. */
static void place_members(schema_message *message, size_t head)
{
    size_t offset = head, largest = head != 0 ? POINTER_SIZE : 1;
    for (size_t i = 0; i < message->member_count; i++) {
        schema_member *member = &message->members[i];
        offset = (offset + member->alignment - 1) / member->alignment * member->alignment;
        member->offset = offset;
        offset += member->size;
        largest = member->alignment > largest ? member->alignment : largest;
        publish_offset(member);
    }
    message->size = (offset + largest - 1) / largest * largest;
}

/* Entries of maps have no head, and their key stands before their value. */
static int layout_message(schema_message *message, gen_arena *arena)
{
    int result = collect_members(message, arena);
    if (result == 0 && !message->is_map_entry)
        result = sort_members(message, arena);
    if (result == 0)
        place_members(message, message->is_map_entry ? 0 : HEAD_SIZE);
    for (size_t i = 0; result == 0 && i < message->message_count; i++)
        result = layout_message(message->messages[i], arena);
    return result;
}

static size_t count_messages(schema_message *const *messages, size_t count)
{
    size_t total = count;
    for (size_t i = 0; i < count; i++)
        total += count_messages(messages[i]->messages, messages[i]->message_count);
    return total;
}

static void number_messages(schema_file *file, schema_message **messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        messages[i]->index = file->all_message_count;
        file->all_messages[file->all_message_count++] = messages[i];
        number_messages(file, messages[i]->messages, messages[i]->message_count);
    }
}

int layout_assign(schema_file *file, gen_arena *arena)
{
    size_t total = count_messages(file->messages, file->message_count);
    file->all_messages = arena_alloc(arena, total + 1, sizeof *file->all_messages);
    if (file->all_messages == NULL)
        return MRPC_ENOMEM;
    file->all_message_count = 0;
    number_messages(file, file->messages, file->message_count);
    int result = 0;
    for (size_t i = 0; result == 0 && i < file->message_count; i++)
        result = layout_message(file->messages[i], arena);
    return result;
}
