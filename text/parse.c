/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse.c - messages from protobuf's text format
 *
 * One token of lookahead, and one function on the stack for each level of the message, of which there are few. Where
 * the specification leaves something open, this does what libprotobuf's parser does
 * (https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/text_format.cc).
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>

#include "marshal/map.h"
#include "text/parser.h"

/* --- errors and marks --- */

/* "outer.inner" of at most `size` bytes. */
static size_t put_path(const mrpc_text_place *place, char *text, size_t size)
{
    size_t length = place->above != NULL ? put_path(place->above, text, size) : 0;
    if (length < size)
        length += (size_t)snprintf(text + length, size - length, "%s%s", length > 0 ? "." : "", place->name);
    return length < size ? length : size;
}

int mrpc_text_refuse(mrpc_text_parser *parser, int code, const char *format, ...)
{
    const mrpc_lexer *lexer = &parser->lexer;
    char path[160] = "", why[200];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    if (parser->place != NULL)
        (void)put_path(parser->place, path, sizeof path);
    return mrpc_error_set(parser->error, code, "line %zu, column %zu: %s%s%s", lexer->at_line, lexer->at_column, path,
                          path[0] != '\0' ? ": " : "", lexer->kind == MRPC_TOKEN_WRONG ? lexer->problem : why);
}

int mrpc_text_no_memory(mrpc_text_parser *parser)
{
    return mrpc_text_refuse(parser, MRPC_ENOMEM, "there is no memory for it");
}

bool mrpc_text_take(mrpc_text_parser *parser, char mark)
{
    if (!mrpc_lexer_is(&parser->lexer, mark))
        return false;
    mrpc_lexer_next(&parser->lexer);
    return true;
}

int mrpc_text_expect(mrpc_text_parser *parser, char mark)
{
    return mrpc_text_take(parser, mark) ? 0 : mrpc_text_refuse(parser, MRPC_EFORMAT, "\"%c\" is expected", mark);
}

int mrpc_text_open(mrpc_text_parser *parser, char *close)
{
    *close = mrpc_lexer_is(&parser->lexer, '<') ? '>' : '}';
    return mrpc_text_take(parser, '<') ? 0 : mrpc_text_expect(parser, '{');
}

int mrpc_text_take_colon(mrpc_text_parser *parser, const mrpc_field *field)
{
    bool is_message = mrpc_field_is_message(field) || field->kind == MRPC_FIELD_MAP;
    return mrpc_text_take(parser, ':') || is_message ? 0 : mrpc_text_expect(parser, ':');
}

/* --- fields --- */

/* The name of a group in text is that of its message. */
static bool is_named(const mrpc_field *field, const mrpc_lexer *lexer)
{
    const char *name = field->name;
    if (strlen(name) == lexer->size && memcmp(name, lexer->token, lexer->size) == 0)
        return true;
    if (field->type != MRPC_TYPE_GROUP)
        return false;
    const char *dot = strrchr(field->message->name, '.');
    name = dot != NULL ? dot + 1 : field->message->name;
    return strlen(name) == lexer->size && memcmp(name, lexer->token, lexer->size) == 0;
}

static const mrpc_field *find_field(const mrpc_type *type, const mrpc_lexer *lexer)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if (is_named(&type->fields[i], lexer))
            return &type->fields[i];
    return NULL;
}

static int append_value(mrpc_text_parser *parser, const mrpc_field *field, void *owner, mrpc_any_list *list,
                        uint32_t depth)
{
    size_t width = mrpc_field_width(field);
    if (mrpc_list_reserve(owner, list, width, 1) != 0)
        return mrpc_text_no_memory(parser);
    int result = mrpc_text_parse_value(parser, field, owner, list->data + list->size * width, depth);
    list->size += result == 0;
    return result;
}

/* Behind the last one: the map is sorted when the message ends. */
static int add_entry(mrpc_text_parser *parser, const mrpc_field *field, void *owner, mrpc_any_list *map, void *memory)
{
    const mrpc_type *entry = field->message;
    const mrpc_field *value = &entry->fields[1];
    mrpc_any_message *message = (void *)((char *)memory + value->offset);
    if (mrpc_field_is_message(value) && *message == NULL &&
        (*message = mrpc_message_new_in(value->message, owner)) == NULL)
        return mrpc_text_no_memory(parser);
    if (mrpc_list_reserve(owner, map, entry->size, 1) != 0)
        return mrpc_text_no_memory(parser);
    memcpy(map->data + map->size++ * entry->size, memory, entry->size);
    return 0;
}

/* An entry is parsed beside the map, which a value inside may not change under it. */
static int append_entry(mrpc_text_parser *parser, const mrpc_field *field, void *owner, mrpc_any_list *map,
                        uint32_t depth)
{
    const mrpc_type *entry = field->message;
    uint64_t memory[8];
    char close, *parts = (char *)memory;
    if (depth == 0 || entry->size > sizeof memory)
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "messages are nested too deeply");
    mrpc_message_init(entry, memory);
    int result = mrpc_text_open(parser, &close);
    while (result == 0 && !mrpc_text_take(parser, close)) {
        const mrpc_field *part = parser->lexer.kind == MRPC_TOKEN_NAME ? find_field(entry, &parser->lexer) : NULL;
        if (part == NULL)
            return mrpc_text_refuse(parser, MRPC_EFORMAT, "key or value is expected");
        mrpc_lexer_next(&parser->lexer);
        result = mrpc_text_take_colon(parser, part);
        if (result == 0)
            result = mrpc_text_parse_value(parser, part, owner, parts + part->offset, depth - 1);
        if (!mrpc_text_take(parser, ','))
            (void)mrpc_text_take(parser, ';');
    }
    if (result != 0)
        return result;
    return add_entry(parser, field, owner, map, memory);
}

int mrpc_text_parse_list(mrpc_text_parser *parser, const mrpc_field *field, void *owner, void *list, uint32_t depth)
{
    int (*append)(mrpc_text_parser *, const mrpc_field *, void *, mrpc_any_list *, uint32_t) =
        field->kind == MRPC_FIELD_MAP ? append_entry : append_value;
    if (!mrpc_text_take(parser, '['))
        return append(parser, field, owner, list, depth);
    if (mrpc_text_take(parser, ']'))
        return 0;
    int result;
    do
        result = append(parser, field, owner, list, depth);
    while (result == 0 && mrpc_text_take(parser, ','));
    return result != 0 ? result : mrpc_text_expect(parser, ']');
}

/* A field that is no list: there may be one of it, and of the members of a oneof. */
static int check_first(mrpc_text_parser *parser, const mrpc_field *field, const void *message)
{
    if (field->kind == MRPC_FIELD_ONEOF && mrpc_field_case(field, message) != 0)
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "a member of its oneof is there already");
    if (mrpc_field_present(field, message))
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "it is there already, and can have one value only");
    return 0;
}

static int parse_field(mrpc_text_parser *parser, const mrpc_field *field, char *message, uint32_t depth)
{
    bool is_list = field->kind == MRPC_FIELD_LIST || field->kind == MRPC_FIELD_MAP;
    int result = is_list ? 0 : check_first(parser, field, message);
    mrpc_lexer_next(&parser->lexer);
    if (result == 0)
        result = mrpc_text_take_colon(parser, field);
    if (result != 0)
        return result;
    if (is_list)
        return mrpc_text_parse_list(parser, field, message, message + field->offset, depth);
    result = mrpc_text_parse_value(parser, field, message, message + field->offset, depth);
    if (result == 0)
        mrpc_field_mark(field, message);
    return result;
}

static int parse_named(mrpc_text_parser *parser, const mrpc_type *type, void *message, uint32_t depth)
{
    const mrpc_lexer *lexer = &parser->lexer;
    if (lexer->kind != MRPC_TOKEN_NAME)
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "the name of a field is expected");
    const mrpc_field *field = find_field(type, lexer);
    if (field == NULL)
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "%s has no field %.*s", type->name,
                                (int)(lexer->size < 100 ? lexer->size : 100), lexer->token);
    const mrpc_text_place here = {.above = parser->place, .name = field->name};
    parser->place = &here;
    int result = parse_field(parser, field, message, depth);
    parser->place = here.above;
    return result;
}

/* --- messages --- */

static int check_required(mrpc_text_parser *parser, const mrpc_type *type, const void *message)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if ((type->fields[i].flags & MRPC_FIELD_REQUIRED) != 0 && !mrpc_field_present(&type->fields[i], message))
            return mrpc_text_refuse(parser, MRPC_EFORMAT, "the required field %s of %s is absent", type->fields[i].name,
                                    type->name);
    return 0;
}

static int sort_maps(mrpc_text_parser *parser, const mrpc_type *type, void *message)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const mrpc_field *field = &type->fields[i];
        if (field->kind == MRPC_FIELD_MAP &&
            mrpc_map_sort(field->message, (void *)((char *)message + field->offset)) != 0)
            return mrpc_text_no_memory(parser);
    }
    return 0;
}

static bool ends(mrpc_text_parser *parser, char close)
{
    return close == '\0' ? parser->lexer.kind == MRPC_TOKEN_END : mrpc_lexer_is(&parser->lexer, close);
}

int mrpc_text_parse_fields(mrpc_text_parser *parser, const mrpc_type *type, void *message, char close, uint32_t depth)
{
    mrpc_text_extension *extensions = NULL;
    int result = 0;
    while (result == 0 && !ends(parser, close)) {
        if (mrpc_lexer_is(&parser->lexer, '['))
            result = mrpc_text_parse_bracket(parser, type, message, &extensions, depth);
        else
            result = parse_named(parser, type, message, depth);
        if (result == 0 && !mrpc_text_take(parser, ','))
            (void)mrpc_text_take(parser, ';');
    }
    if (result == 0)
        result = mrpc_text_set_extensions(parser, message, extensions);
    if (result == 0)
        result = sort_maps(parser, type, message);
    if (result == 0)
        result = check_required(parser, type, message);
    if (result == 0 && close != '\0')
        mrpc_lexer_next(&parser->lexer);
    return result;
}

int mrpc_message_from_text(const mrpc_type *type, const char *text, size_t size, const mrpc_text_options *options,
                           mrpc_heap *heap, void **message, mrpc_error *error)
{
    mrpc_text_parser parser = {.file = type->file, .error = error};
    mrpc_error ignored;
    if (error == NULL)
        parser.error = &ignored;
    if (options != NULL)
        parser.registry = options->registry;
    mrpc_lexer_start(&parser.lexer, text, size);
    *message = mrpc_message_new(type, heap);
    if (*message == NULL)
        return mrpc_text_no_memory(&parser);
    int result = mrpc_text_parse_fields(&parser, type, *message, '\0', MRPC_DEPTH_LIMIT);
    if (result != 0) {
        mrpc_release(*message);
        *message = NULL;
    }
    return result;
}
