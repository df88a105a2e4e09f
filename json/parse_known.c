/* SPDX-License-Identifier: BSD-2-Clause */
/* parse_known.c - the well-known types from JSON */
#include "config.h"

#include <stdlib.h>

#include "json/parser.h"
#include "marshal/extension.h"

static void *member(const mrpc_type *type, void *message, unsigned index)
{
    return (char *)message + type->fields[index].offset;
}

/* The text of the string that is the token, which is taken. */
static int take_string(mrpc_json_parser *parser, void *owner, mrpc_string *text)
{
    if (parser->lexer.kind != MRPC_JSON_STRING)
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "a string is expected");
    return mrpc_json_take_text(parser, &parser->lexer, owner, text);
}

static int parse_time(mrpc_json_parser *parser, const mrpc_type *type, void *message,
                      bool (*take)(const char *, size_t, int64_t *, int32_t *))
{
    mrpc_string text;
    int64_t seconds;
    int32_t nanos;
    int result = take_string(parser, message, &text);
    if (result != 0)
        return result;
    if (!take(text.data, text.size, &seconds, &nanos))
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "a %s is expected that is not out of range", type->name);
    memcpy(member(type, message, JSON_SECONDS), &seconds, sizeof seconds);
    memcpy(member(type, message, JSON_NANOS), &nanos, sizeof nanos);
    mrpc_json_lexer_next(&parser->lexer);
    return 0;
}

/* --- FieldMask --- */

static int add_path(mrpc_json_parser *parser, mrpc_string_list *paths, void *message, const char *path, size_t size)
{
    char *snake = malloc(2 * size + 1);
    size_t length = snake != NULL ? mrpc_json_snake_path(path, size, snake) : 0;
    int result = 0;
    if (snake != NULL && length == SIZE_MAX)
        result = mrpc_json_refuse(parser, MRPC_EFORMAT, "paths in lowerCamelCase are expected");
    else if (snake == NULL || mrpc_string_list_add(message, paths, snake, length) != 0)
        result = mrpc_json_no_memory(parser);
    free(snake);
    return result;
}

static int parse_mask(mrpc_json_parser *parser, const mrpc_type *type, void *message)
{
    mrpc_string_list *paths = member(type, message, 0);
    mrpc_string text;
    int result = take_string(parser, message, &text);
    if (result != 0)
        return result;
    for (const char *at = text.data, *end = at + text.size; result == 0 && at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *behind = comma != NULL ? comma : end;
        result = add_path(parser, paths, message, at, (size_t)(behind - at));
        at = behind + 1;
    }
    if (result == 0)
        mrpc_json_lexer_next(&parser->lexer);
    return result;
}

/* --- Value --- */

/* Which member of a Value the token begins; -1: none. */
static int kind_of(const mrpc_json_lexer *lexer)
{
    switch (lexer->kind) {
    case MRPC_JSON_NULL:
        return JSON_NULL_VALUE;
    case MRPC_JSON_NUMBER:
        return JSON_NUMBER_VALUE;
    case MRPC_JSON_STRING:
        return JSON_STRING_VALUE;
    case MRPC_JSON_TRUE:
    case MRPC_JSON_FALSE:
        return JSON_BOOL_VALUE;
    default:
        return mrpc_json_is(lexer, '{') ? JSON_STRUCT_VALUE : mrpc_json_is(lexer, '[') ? JSON_LIST_VALUE : -1;
    }
}

static int parse_dynamic(mrpc_json_parser *parser, const mrpc_type *type, char *message, uint32_t depth)
{
    int kind = kind_of(&parser->lexer);
    if (kind < 0)
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "a value is expected");
    const mrpc_field *field = &type->fields[kind];
    int result = mrpc_json_parse_value(parser, field, message, message + field->offset, depth);
    if (result == 0)
        memcpy(message + field->presence, &field->number, sizeof field->number);
    return result;
}

/* --- Any --- */

/* Looks for "@type" among the members of the object, wherever it stands, without taking any. *url stays empty when
 * there is none; *members: there are members at all. */
static int find_url(mrpc_json_parser *parser, void *any, mrpc_string *url, bool *members, uint32_t depth)
{
    const mrpc_json_lexer before = parser->lexer;
    mrpc_json_lexer name;
    bool found = false;
    int result = mrpc_json_expect(parser, '{');
    *members = result == 0 && !mrpc_json_is(&parser->lexer, '}');
    while (result == 0 && *members) {
        result = mrpc_json_take_name(parser, &name);
        bool is_url = result == 0 && name.size == 7 && memcmp(name.token, "\"@type\"", 7) == 0;
        if (is_url && found)
            return mrpc_json_refuse(parser, MRPC_EFORMAT, "\"@type\" comes twice");
        if (is_url)
            result = take_string(parser, any, url);
        found |= is_url;
        if (result == 0)
            result = mrpc_json_skip(parser, depth);
        if (result == 0 && !mrpc_json_take(parser, ','))
            break;
    }
    if (result == 0)
        parser->lexer = before;
    return result;
}

/* { "@type": …, "value": … }, in any order. */
static int parse_known_inner(mrpc_json_parser *parser, const mrpc_type *type, void *inner, uint32_t depth)
{
    mrpc_json_lexer name;
    bool found = false;
    int result = mrpc_json_expect(parser, '{');
    do {
        if (result == 0)
            result = mrpc_json_take_name(parser, &name);
        bool is_value = result == 0 && name.size == 7 && memcmp(name.token, "\"value\"", 7) == 0;
        bool is_url = result == 0 && name.size == 7 && memcmp(name.token, "\"@type\"", 7) == 0;
        if (result == 0 && ((is_value && found) || (!is_value && !is_url && !parser->ignore_unknown)))
            return mrpc_json_refuse(parser, MRPC_EFORMAT, "\"@type\" and \"value\" are expected, once each");
        if (result == 0)
            result = is_value ? mrpc_json_parse_message(parser, type, inner, depth) : mrpc_json_skip(parser, depth);
        found |= is_value;
    } while (result == 0 && mrpc_json_take(parser, ','));
    if (result == 0 && !found)
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "\"value\" is expected");
    return result == 0 ? mrpc_json_expect(parser, '}') : result;
}

static int encode_into(mrpc_json_parser *parser, const mrpc_type *type, const void *message, void *any,
                       mrpc_bytes *bytes)
{
    int64_t size = mrpc_message_encode(type, message, NULL, 0);
    if (size < 0)
        return mrpc_json_refuse(parser, (int)size, "%s cannot be encoded: %s", type->name, mrpc_strerror((int)size));
    if (mrpc_bytes_reserve(any, bytes, (size_t)size) != 0)
        return mrpc_json_no_memory(parser);
    return mrpc_message_encode(type, message, bytes->data, (size_t)size) == size ? 0 : mrpc_json_no_memory(parser);
}

static int parse_inner(mrpc_json_parser *parser, const mrpc_type *any, void *message, const mrpc_type *type,
                       uint32_t depth)
{
    void *inner = mrpc_message_new(type, NULL);
    if (inner == NULL)
        return mrpc_json_no_memory(parser);
    int result = mrpc_json_known_of(type) == MRPC_JSON_ORDINARY
                     ? mrpc_json_parse_object(parser, type, inner, true, depth)
                     : parse_known_inner(parser, type, inner, depth);
    if (result == 0)
        result = encode_into(parser, type, inner, message, member(any, message, JSON_BYTES));
    mrpc_release(inner);
    return result;
}

static int parse_any(mrpc_json_parser *parser, const mrpc_type *any, void *message, uint32_t depth)
{
    mrpc_string url = {0};
    bool members;
    int result = find_url(parser, message, &url, &members, depth);
    if (result != 0)
        return result;
    if (!members) {
        mrpc_json_lexer_next(&parser->lexer);
        return mrpc_json_expect(parser, '}');
    }
    const char *slash = url.size > 0 ? memrchr(url.data, '/', url.size) : NULL;
    const mrpc_type *type = slash != NULL ? mrpc_find_message_type(parser->file, parser->registry, slash + 1) : NULL;
    if (type == NULL)
        return mrpc_json_refuse(parser, MRPC_EFORMAT,
                                url.size == 0 ? "\"@type\" is expected, with the type's URL%s"
                                              : "no message type %.150s is known",
                                url.size == 0 ? "" : url.data);
    if (depth == 0)
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "messages are nested too deeply");
    memcpy(member(any, message, JSON_TYPE_URL), &url, sizeof url);
    return parse_inner(parser, any, message, type, depth - 1);
}

int mrpc_json_parse_known(mrpc_json_parser *parser, mrpc_json_known known, const mrpc_type *type, void *message,
                          uint32_t depth)
{
    switch (known) {
    case MRPC_JSON_ANY:
        return parse_any(parser, type, message, depth);
    case MRPC_JSON_DURATION:
        return parse_time(parser, type, message, mrpc_json_take_duration);
    case MRPC_JSON_TIMESTAMP:
        return parse_time(parser, type, message, mrpc_json_take_timestamp);
    case MRPC_JSON_FIELD_MASK:
        return parse_mask(parser, type, message);
    case MRPC_JSON_LIST_VALUE:
    case MRPC_JSON_STRUCT:
        return mrpc_json_parse_list(parser, &type->fields[0], message, member(type, message, 0), depth);
    case MRPC_JSON_VALUE:
        return parse_dynamic(parser, type, message, depth);
    case MRPC_JSON_WRAPPER:
        return mrpc_json_parse_value(parser, &type->fields[0], message, member(type, message, 0), depth);
    case MRPC_JSON_ORDINARY:
        break;
    }
    return MRPC_EINVAL;
}
