/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fingerprint.c - see fingerprint.h
 *
 * A fingerprint is XXH3 (64 bits, no seed) of a text. Its lines end in a newline and their words are separated by one
 * space. The messages that a type reaches, itself included, are written in the order of their full names:
 *
 *   schema:  "mrpc-schema 1 ROOT"
 *            "message NAME" then, by number, "field NUMBER NAME TYPE KIND [ONEOF|packed|required] [raw] [TYPE-NAME]"
 *            and behind a field of an enum type "enum NAME open|closed" with "value NUMBER NAME" by number
 *   layout:  "mrpc-layout 1 little-endian lp64 ROOT"
 *            "message NAME SIZE" then, by number, "field NUMBER OFFSET PRESENCE"
 *
 * ROOT, NAME and TYPE-NAME are full names; TYPE is the number that descriptor.proto has for the type, KIND that of
 * mrpc_field_kind; ONEOF is the oneof's name; `raw` marks a string of proto2, which need not be UTF-8. An enum is
 * written at each field of its type. Defaults are not in it: they are never sent.
 */
#include "fingerprint.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "kinds.h"
#include "output.h"

typedef struct walk_list {
    schema_message **messages;
    size_t count, capacity;
    size_t walk;
    gen_arena *arena;
    bool failed;
} walk_list;

static void visit(walk_list *list, schema_message *message)
{
    if (message == NULL || message->mark == list->walk)
        return;
    message->mark = list->walk;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity != 0 ? 2 * list->capacity : 16;
        schema_message **messages = arena_alloc(list->arena, capacity, sizeof *messages);
        if (messages == NULL) {
            list->failed = true;
            return;
        }
        if (list->count != 0)
            memcpy(messages, list->messages, list->count * sizeof *messages);
        list->messages = messages;
        list->capacity = capacity;
    }
    list->messages[list->count++] = message;
}

static int by_full_name(const void *a, const void *b)
{
    return strcmp((*(schema_message *const *)a)->full_name, (*(schema_message *const *)b)->full_name);
}

/* Adds what the messages of the list reach; false: no memory. */
static bool follow(walk_list *list)
{
    for (size_t i = 0; i < list->count && !list->failed; i++)
        for (size_t j = 0; j < list->messages[i]->field_count; j++)
            visit(list, list->messages[i]->fields[j]->message);
    return !list->failed;
}

/* The closed enums that the messages of the module use, each once. */
static int collect_enums(schema_file *file, gen_arena *arena, size_t walk)
{
    size_t most = 0;
    for (size_t i = 0; i < file->module_message_count; i++)
        most += file->module_messages[i]->field_count;
    file->module_enums = arena_alloc(arena, most + 1, sizeof(schema_enum *));
    if (file->module_enums == NULL)
        return MRPC_ENOMEM;
    file->module_enum_count = 0;
    for (size_t i = 0; i < file->module_message_count; i++)
        for (size_t j = 0; j < file->module_messages[i]->field_count; j++) {
            const schema_field *field = file->module_messages[i]->fields[j];
            if (!schema_is_closed(field) || field->enumeration->mark == walk)
                continue;
            field->enumeration->mark = walk;
            file->module_enums[file->module_enum_count++] = field->enumeration;
        }
    return 0;
}

/* The file's own messages keep their order; those of other files follow by full name. */
static int collect_module(schema_file *file, gen_arena *arena, size_t *walk)
{
    walk_list list = {.walk = ++*walk, .arena = arena};
    for (size_t i = 0; i < file->all_message_count; i++)
        visit(&list, file->all_messages[i]);
    for (size_t i = 0; i < file->service_count; i++)
        for (size_t j = 0; j < file->services[i].method_count; j++) {
            visit(&list, file->services[i].methods[j].request);
            visit(&list, file->services[i].methods[j].reply);
        }
    if (!follow(&list))
        return MRPC_ENOMEM;
    size_t own = file->all_message_count;
    if (list.count > own)
        qsort(list.messages + own, list.count - own, sizeof *list.messages, by_full_name);
    file->module_messages = list.messages;
    file->module_message_count = list.count;
    return collect_enums(file, arena, list.walk);
}

/* All that the file's messages reach, sorted by full name; NULL: no memory. */
static schema_message **sort_module(const schema_file *file, gen_arena *arena)
{
    size_t count = file->module_message_count;
    schema_message **sorted = arena_alloc(arena, count + 1, sizeof *sorted);
    if (sorted == NULL)
        return NULL;
    if (count != 0)
        memcpy(sorted, file->module_messages, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_full_name);
    return sorted;
}

/* Sorts the list by full name. `sorted` has its messages among others and makes it cheap to sort a list of most of
 * them: where all messages reach each other, there are as many such lists as messages. */
static void sort_list(walk_list *list, schema_message *const *sorted, size_t count)
{
    if (list->count < count / 16) {
        qsort(list->messages, list->count, sizeof *list->messages, by_full_name);
        return;
    }
    list->count = 0;
    for (size_t i = 0; i < count; i++)
        if (sorted[i]->mark == list->walk)
            /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): as many as are marked were listed before */
            list->messages[list->count++] = sorted[i];
}

/* Makes the list that of the messages which `root` reaches, itself included, in no order. False: no memory. */
static bool list_reachable(walk_list *list, schema_message *root, size_t *walk)
{
    list->count = 0;
    list->walk = ++*walk;
    visit(list, root);
    return follow(list);
}

static void find_maps(schema_message *root, const walk_list *list)
{
    for (size_t i = 0; i < list->count && !root->reaches_map; i++)
        for (size_t j = 0; j < list->messages[i]->field_count; j++)
            root->reaches_map |= list->messages[i]->fields[j]->is_map;
}

static void find_required(schema_message *root, const walk_list *list)
{
    for (size_t i = 0; i < list->count && !root->reaches_required; i++)
        for (size_t j = 0; j < list->messages[i]->field_count; j++)
            root->reaches_required |= list->messages[i]->fields[j]->presence == PRESENCE_REQUIRED;
}

size_t fingerprint_codec(const schema_file *file, const schema_message *message)
{
    if (message->file == file)
        return message->index;
    size_t i = file->all_message_count;
    while (i < file->module_message_count && file->module_messages[i] != message)
        i++;
    return i;
}

static void write_enum(output *out, const schema_enum *enumeration)
{
    output_printf(out, "enum %s %s\n", enumeration->full_name, enumeration->closed ? "closed" : "open");
    const schema_enum_value **values = calloc(enumeration->value_count + 1, sizeof(schema_enum_value *));
    if (values == NULL) {
        out->failed = true;
        return;
    }
    schema_sort_values(enumeration, values);
    for (size_t i = 0; i < enumeration->value_count; i++)
        output_printf(out, "value %d %s\n", (int)values[i]->number, values[i]->name);
    free(values);
}

static void write_schema_field(output *out, const schema_field *field)
{
    output_printf(out, "field %d %s %d %d", (int)field->number, field->name, (int)field->type, (int)schema_kind(field));
    if (field->oneof != NULL)
        output_printf(out, " %s", field->oneof->name);
    if (field->packed)
        output_text(out, " packed");
    if (field->presence == PRESENCE_REQUIRED)
        output_text(out, " required");
    if (field->type == MRPC_TYPE_STRING && !schema_checks_text(field))
        output_text(out, " raw");
    if (field->message != NULL)
        output_printf(out, " %s", field->message->full_name);
    output_text(out, "\n");
    if (field->enumeration != NULL)
        write_enum(out, field->enumeration);
}

static void write_layout_field(output *out, const schema_field *field)
{
    output_printf(out, "field %d %zu %zu\n", (int)field->number, field->offset, field->presence_offset);
}

/* Calls `write` for each field of the message, by number. */
static void for_each_field(output *out, const schema_message *message, void (*write)(output *, const schema_field *))
{
    const schema_field **fields = calloc(message->field_count + 1, sizeof(schema_field *));
    if (fields == NULL) {
        out->failed = true;
        return;
    }
    schema_sort_fields(message, fields);
    for (size_t i = 0; i < message->field_count; i++)
        write(out, fields[i]);
    free(fields);
}

/* Moves the text so far into the arena, and empties it. */
static int take_text(output *text, gen_arena *arena, const char **taken, size_t *size)
{
    if (text->failed)
        return MRPC_ENOMEM;
    *taken = arena_text(arena, output_string(text), text->size);
    *size = text->size;
    text->size = 0;
    return arena->failed ? MRPC_ENOMEM : 0;
}

/* Writes the message's own part of the texts, once for all types that reach it. */
static int write_texts(schema_message *message, gen_arena *arena, output *text)
{
    output_printf(text, "message %s\n", message->full_name);
    for_each_field(text, message, write_schema_field);
    int result = take_text(text, arena, &message->schema_text, &message->schema_text_size);
    if (result != 0)
        return result;
    output_printf(text, "message %s %zu\n", message->full_name, message->size);
    for_each_field(text, message, write_layout_field);
    return take_text(text, arena, &message->layout_text, &message->layout_text_size);
}

/* The hash of a text, which is emptied for the next one. */
static int take_hash(output *text, uint64_t *hash)
{
    if (text->failed)
        return MRPC_ENOMEM;
    *hash = XXH3_64bits(output_string(text), text->size);
    text->size = 0;
    return 0;
}

/* Begins a hash with the first line of the text. */
static int begin_hash(XXH3_state_t *state, output *line, const char *title, const schema_message *root)
{
    line->size = 0;
    output_printf(line, "%s %s\n", title, root->full_name);
    if (line->failed || XXH3_64bits_reset(state) != XXH_OK ||
        XXH3_64bits_update(state, output_string(line), line->size) != XXH_OK)
        return MRPC_ENOMEM;
    line->size = 0;
    return 0;
}

/* `list`: what the message reaches, sorted. */
static int fingerprint_message(schema_message *message, const walk_list *list, output *line)
{
    XXH3_state_t schema, layout;
    if (begin_hash(&schema, line, "mrpc-schema 1", message) != 0 ||
        begin_hash(&layout, line, "mrpc-layout 1 little-endian lp64", message) != 0)
        return MRPC_ENOMEM;
    for (size_t i = 0; i < list->count; i++) {
        XXH3_64bits_update(&schema, list->messages[i]->schema_text, list->messages[i]->schema_text_size);
        XXH3_64bits_update(&layout, list->messages[i]->layout_text, list->messages[i]->layout_text_size);
    }
    message->fingerprint = (mrpc_fingerprint){XXH3_64bits_digest(&schema), XXH3_64bits_digest(&layout)};
    return 0;
}

static int fingerprint_messages(schema_file *file, gen_arena *arena, size_t *walk, output *line)
{
    walk_list list = {.arena = arena};
    schema_message **sorted = sort_module(file, arena);
    if (sorted == NULL)
        return MRPC_ENOMEM;
    int result = 0;
    for (size_t i = 0; result == 0 && i < file->all_message_count; i++) {
        schema_message *message = file->all_messages[i];
        if (!list_reachable(&list, message, walk))
            return MRPC_ENOMEM;
        find_maps(message, &list);
        find_required(message, &list);
        sort_list(&list, sorted, file->module_message_count);
        result = fingerprint_message(message, &list, line);
    }
    return result;
}

/* The file's fingerprints are those of the list of its module's messages and their fingerprints. */
static int fingerprint_file(schema_file *file, output *text)
{
    output_text(text, "mrpc-schema-module 1\n");
    for (size_t i = 0; i < file->module_message_count; i++)
        output_printf(text, "%s %016llx\n", file->module_messages[i]->full_name,
                      (unsigned long long)file->module_messages[i]->fingerprint.schema);
    int result = take_hash(text, &file->fingerprint.schema);
    if (result != 0)
        return result;
    output_text(text, "mrpc-layout-module 1\n");
    for (size_t i = 0; i < file->module_message_count; i++)
        output_printf(text, "%s %016llx\n", file->module_messages[i]->full_name,
                      (unsigned long long)file->module_messages[i]->fingerprint.layout);
    return take_hash(text, &file->fingerprint.layout);
}

int fingerprint_assign(schema_file *file, gen_arena *arena, size_t *walk)
{
    output text = {0};
    int result = collect_module(file, arena, walk);
    for (size_t i = 0; result == 0 && i < file->all_message_count; i++)
        result = write_texts(file->all_messages[i], arena, &text);
    if (result == 0)
        result = fingerprint_messages(file, arena, walk, &text);
    if (result == 0)
        result = fingerprint_file(file, &text);
    output_free(&text);
    return result;
}
