/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse.c - messages from JSON, see <mrpc/json.h>
 *
 * One token of lookahead, and a few functions on the stack for each level of the message, of which there are few.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>

#include <mrpc/marshal.h>

#include "heap/arena.h"
#include "json/parser.h"
#include "marshal/map.h"

/* --- errors and marks --- */

static size_t put_path(const mrpc_json_place *place, char *text, size_t size)
{
    size_t length = place->above != NULL ? put_path(place->above, text, size) : 0;
    if (length < size)
        length += (size_t)snprintf(text + length, size - length, "%s%s", length > 0 ? "." : "", place->name);
    return length < size ? length : size;
}

int mrpc_json_refuse(mrpc_json_parser *parser, int code, const char *format, ...)
{
    const mrpc_json_lexer *lexer = &parser->lexer;
    char path[160] = "", why[200];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    if (parser->place != NULL)
        (void)put_path(parser->place, path, sizeof path);
    return mrpc_error_set(parser->error, code, "line %zu, column %zu: %s%s%s", lexer->at_line, lexer->at_column, path,
                          path[0] != '\0' ? ": " : "", lexer->kind == MRPC_JSON_WRONG ? lexer->problem : why);
}

int mrpc_json_no_memory(mrpc_json_parser *parser)
{
    return mrpc_json_refuse(parser, MRPC_ENOMEM, "there is no memory for it");
}

bool mrpc_json_take(mrpc_json_parser *parser, char mark)
{
    if (!mrpc_json_is(&parser->lexer, mark))
        return false;
    mrpc_json_lexer_next(&parser->lexer);
    return true;
}

int mrpc_json_expect(mrpc_json_parser *parser, char mark)
{
    return mrpc_json_take(parser, mark) ? 0 : mrpc_json_refuse(parser, MRPC_EFORMAT, "\"%c\" is expected", mark);
}

int mrpc_json_take_name(mrpc_json_parser *parser, mrpc_json_lexer *name)
{
    *name = parser->lexer;
    if (name->kind != MRPC_JSON_STRING)
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "a name in quotes is expected");
    mrpc_json_lexer_next(&parser->lexer);
    return mrpc_json_expect(parser, ':');
}

static int skip_parts(mrpc_json_parser *parser, char close, uint32_t depth)
{
    mrpc_json_lexer name;
    int result = 0;
    mrpc_json_lexer_next(&parser->lexer);
    if (mrpc_json_take(parser, close))
        return 0;
    do {
        if (close == '}')
            result = mrpc_json_take_name(parser, &name);
        if (result == 0)
            result = mrpc_json_skip(parser, depth);
    } while (result == 0 && mrpc_json_take(parser, ','));
    return result != 0 ? result : mrpc_json_expect(parser, close);
}

int mrpc_json_skip(mrpc_json_parser *parser, uint32_t depth)
{
    bool is_object = mrpc_json_is(&parser->lexer, '{');
    if (is_object || mrpc_json_is(&parser->lexer, '['))
        return depth > 0 ? skip_parts(parser, is_object ? '}' : ']', depth - 1)
                         : mrpc_json_refuse(parser, MRPC_EFORMAT, "values are nested too deeply");
    if (parser->lexer.kind == MRPC_JSON_MARK || parser->lexer.kind == MRPC_JSON_END ||
        parser->lexer.kind == MRPC_JSON_WRONG)
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "a value is expected");
    mrpc_json_lexer_next(&parser->lexer);
    return 0;
}

/* --- lists and maps --- */

/* null is no element but of what has a form of its own for it. */
static bool takes_null(const mrpc_field *field)
{
    return mrpc_field_is_message(field) ? mrpc_json_known_of(field->message) == MRPC_JSON_VALUE
                                        : mrpc_json_is_null_enum(field);
}

static int append_element(mrpc_json_parser *parser, const mrpc_field *field, void *owner, mrpc_any_list *list,
                          uint32_t depth)
{
    size_t width = mrpc_field_width(field);
    if (parser->lexer.kind == MRPC_JSON_NULL && !takes_null(field))
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "null cannot be in a list");
    if (mrpc_list_reserve(owner, list, width, 1) != 0)
        return mrpc_json_no_memory(parser);
    int result = mrpc_json_parse_value(parser, field, owner, list->data + list->size * width, depth);
    list->size += result == 0;
    return result;
}

/* Behind the last one: the map is sorted when it is complete. */
static int append_entry(mrpc_json_parser *parser, const mrpc_field *field, void *owner, mrpc_any_list *map,
                        uint32_t depth)
{
    const mrpc_type *entry = field->message;
    const mrpc_field *key = &entry->fields[0], *value = &entry->fields[1];
    uint64_t memory[8];
    char *parts = (char *)memory;
    mrpc_json_lexer name;
    if (entry->size > sizeof memory)
        return mrpc_json_refuse(parser, MRPC_EINVAL, "an entry is larger than it can be");
    mrpc_message_init(entry, memory);
    int result = mrpc_json_take_name(parser, &name);
    if (result == 0)
        result = mrpc_json_parse_key(parser, key, &name, owner, parts + key->offset);
    if (result == 0 && parser->lexer.kind == MRPC_JSON_NULL && !takes_null(value))
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "null cannot be in a map");
    if (result == 0)
        result = mrpc_json_parse_value(parser, value, owner, parts + value->offset, depth);
    if (result != 0)
        return result;
    if (mrpc_list_reserve(owner, map, entry->size, 1) != 0)
        return mrpc_json_no_memory(parser);
    memcpy(map->data + map->size++ * entry->size, memory, entry->size);
    return 0;
}

int mrpc_json_parse_list(mrpc_json_parser *parser, const mrpc_field *field, void *owner, void *list, uint32_t depth)
{
    bool is_map = field->kind == MRPC_FIELD_MAP;
    char close = is_map ? '}' : ']';
    int result = mrpc_json_expect(parser, is_map ? '{' : '[');
    if (result != 0 || mrpc_json_take(parser, close))
        return result;
    do
        result = is_map ? append_entry(parser, field, owner, list, depth)
                        : append_element(parser, field, owner, list, depth);
    while (result >= 0 && mrpc_json_take(parser, ','));
    if (result >= 0)
        result = mrpc_json_expect(parser, close);
    if (result == 0 && is_map && mrpc_map_sort(field->message, list) != 0)
        return mrpc_json_no_memory(parser);
    return result;
}

/* --- fields --- */

static const mrpc_field *find_field(const mrpc_type *type, const char *name, size_t size)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if (mrpc_json_is_named(&type->fields[i], name, size))
            return &type->fields[i];
    return NULL;
}

static int parse_present(mrpc_json_parser *parser, const mrpc_field *field, char *message, uint32_t depth)
{
    if (field->kind == MRPC_FIELD_LIST || field->kind == MRPC_FIELD_MAP)
        return mrpc_json_parse_list(parser, field, message, message + field->offset, depth);
    if (field->kind == MRPC_FIELD_ONEOF && mrpc_field_case(field, message) != 0)
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "a member of its oneof is there already");
    int result = mrpc_json_parse_value(parser, field, message, message + field->offset, depth);
    if (result == 0)
        mrpc_field_mark(field, message);
    return result;
}

static int parse_field(mrpc_json_parser *parser, const mrpc_field *field, void *message, uint32_t depth)
{
    const mrpc_json_place here = {.above = parser->place, .name = field->name};
    bool is_list = field->kind == MRPC_FIELD_LIST || field->kind == MRPC_FIELD_MAP;
    if (parser->lexer.kind == MRPC_JSON_NULL && (is_list || !takes_null(field))) {
        mrpc_json_lexer_next(&parser->lexer);
        return 0;
    }
    parser->place = &here;
    int result = parse_present(parser, field, message, depth);
    parser->place = here.above;
    return result > 0 ? 0 : result;
}

/* --- objects --- */

enum { FEW = 8 };

/* Which fields have come, one bit each. */
typedef struct seen_fields {
    uint64_t few[FEW], *bits;
} seen_fields;

static int begin_seen(mrpc_json_parser *parser, seen_fields *seen, const mrpc_type *type, mrpc_message *message)
{
    size_t words = type->field_count / 64 + 1;
    *seen = (seen_fields){.bits = seen->few};
    if (words > FEW)
        seen->bits = mrpc_arena_alloc(message->arena, words * sizeof(uint64_t));
    if (seen->bits == NULL)
        return mrpc_json_no_memory(parser);
    memset(seen->bits, 0, (words > FEW ? words : FEW) * sizeof(uint64_t));
    return 0;
}

static bool is_again(seen_fields *seen, size_t index)
{
    uint64_t bit = UINT64_C(1) << index % 64, before = seen->bits[index / 64];
    seen->bits[index / 64] |= bit;
    return (before & bit) != 0;
}

static bool is_type_url(const mrpc_json_lexer *name)
{
    return name->size == 7 && memcmp(name->token, "\"@type\"", 7) == 0;
}

static int parse_member(mrpc_json_parser *parser, const mrpc_type *type, void *message, seen_fields *seen,
                        bool type_url, uint32_t depth)
{
    enum { NAME_MAX_SIZE = 512 };
    mrpc_json_lexer name, before = parser->lexer;
    char text[NAME_MAX_SIZE];
    int result = mrpc_json_take_name(parser, &name);
    if (result != 0)
        return result;
    if (type_url && is_type_url(&name))
        return mrpc_json_skip(parser, depth);
    size_t size = name.size <= sizeof text ? mrpc_json_unescape(&name, text) : 0;
    const mrpc_extension *extension = NULL;
    if (size > 2 && text[0] == '[' && text[size - 1] == ']') {
        text[size - 1] = '\0';
        extension = mrpc_json_find_extension(parser, type, text + 1);
        text[size - 1] = ']';
    }
    if (extension != NULL)
        return mrpc_json_parse_extension(parser, extension, message, depth);
    const mrpc_field *field = find_field(type, text, size);
    if (field == NULL && parser->ignore_unknown)
        return mrpc_json_skip(parser, depth);
    if (field == NULL || is_again(seen, (size_t)(field - type->fields))) {
        parser->lexer = before;
        return mrpc_json_refuse(parser, MRPC_EFORMAT,
                                field == NULL ? "%s has no field %.*s" : "a field of %s comes twice: %.*s", type->name,
                                (int)(size < 100 ? size : 100), text);
    }
    return parse_field(parser, field, message, depth);
}

static int check_required(mrpc_json_parser *parser, const mrpc_type *type, const void *message)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if ((type->fields[i].flags & MRPC_FIELD_REQUIRED) != 0 && !mrpc_field_present(&type->fields[i], message))
            return mrpc_json_refuse(parser, MRPC_EFORMAT, "the required field %s of %s is absent", type->fields[i].name,
                                    type->name);
    return 0;
}

int mrpc_json_parse_object(mrpc_json_parser *parser, const mrpc_type *type, void *message, bool type_url,
                           uint32_t depth)
{
    seen_fields seen;
    int result = begin_seen(parser, &seen, type, message);
    if (result == 0)
        result = mrpc_json_expect(parser, '{');
    if (result == 0 && !mrpc_json_is(&parser->lexer, '}'))
        do
            result = parse_member(parser, type, message, &seen, type_url, depth);
        while (result == 0 && mrpc_json_take(parser, ','));
    if (result == 0)
        result = check_required(parser, type, message);
    return result == 0 ? mrpc_json_expect(parser, '}') : result;
}

int mrpc_json_parse_message(mrpc_json_parser *parser, const mrpc_type *type, void *message, uint32_t depth)
{
    mrpc_json_known known = mrpc_json_known_of(type);
    if (depth == 0)
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "messages are nested too deeply");
    return known != MRPC_JSON_ORDINARY ? mrpc_json_parse_known(parser, known, type, message, depth - 1)
                                       : mrpc_json_parse_object(parser, type, message, false, depth - 1);
}

static int parse_all(mrpc_json_parser *parser, const mrpc_type *type, void *message)
{
    int result = mrpc_json_parse_message(parser, type, message, MRPC_DEPTH_LIMIT + 1);
    if (result > 0)
        return 0;
    if (result == 0 && parser->lexer.kind != MRPC_JSON_END)
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "the message has ended, but not the text");
    return result;
}

int mrpc_json_parse(const mrpc_type *type, const char *text, size_t size, const mrpc_json_options *options,
                    mrpc_heap *heap, void **message, mrpc_error *error)
{
    mrpc_error ignored;
    mrpc_json_parser parser = {.file = type->file, .error = error != NULL ? error : &ignored};
    if (options != NULL) {
        parser.registry = options->registry;
        parser.ignore_unknown = options->ignore_unknown;
    }
    mrpc_json_lexer_start(&parser.lexer, text, size);
    *message = mrpc_message_new(type, heap);
    if (*message == NULL)
        return mrpc_json_no_memory(&parser);
    int result = parse_all(&parser, type, *message);
    if (result != 0) {
        mrpc_release(*message);
        *message = NULL;
    }
    return result;
}
