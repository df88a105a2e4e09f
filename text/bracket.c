/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bracket.c - what has its name in brackets: extensions, and the message in an Any
 *
 * A message gets its extensions when it ends, each with all of its values at once: to add them one by one would take
 * quadratic time.
 */
#include "config.h"

#include <stdlib.h>

#include "heap/arena.h"
#include "marshal/extension.h"
#include "text/parser.h"

enum { NAME_MAX_SIZE = 512 }; /* bytes of a name with its NUL */

struct mrpc_text_extension {
    mrpc_text_extension *next;
    const mrpc_extension *extension;
    union {
        uint64_t number;
        mrpc_bytes bytes;
        void *message;
        mrpc_any_list list;
    } value;
};

/* "[a.b.c]" or "[host/a.b.c]", with space anywhere. */
static int take_name(mrpc_text_parser *parser, char *name)
{
    size_t length = 0;
    int result = mrpc_text_expect(parser, '[');
    while (result == 0 && !mrpc_text_take(parser, ']')) {
        const mrpc_lexer *lexer = &parser->lexer;
        bool fits =
            lexer->kind == MRPC_TOKEN_NAME || lexer->kind == MRPC_TOKEN_NUMBER ||
            (lexer->kind == MRPC_TOKEN_MARK && strchr("./-_~%", *lexer->token) != NULL && *lexer->token != '\0');
        if (!fits || lexer->size >= NAME_MAX_SIZE - length)
            return mrpc_text_refuse(parser, MRPC_EFORMAT, "the name of an extension or a type is expected, and \"]\"");
        memcpy(name + length, lexer->token, lexer->size);
        length += lexer->size;
        mrpc_lexer_next(&parser->lexer);
    }
    name[length] = '\0';
    return result;
}

/* --- the message in an Any --- */

static int encode_into(mrpc_text_parser *parser, const mrpc_type *type, const void *message, void *any,
                       mrpc_bytes *bytes)
{
    int64_t size = mrpc_message_encode(type, message, NULL, 0);
    if (size < 0)
        return mrpc_text_refuse(parser, (int)size, "%s cannot be encoded: %s", type->name, mrpc_strerror((int)size));
    if (mrpc_bytes_reserve(any, bytes, (size_t)size) != 0)
        return mrpc_text_no_memory(parser);
    return mrpc_message_encode(type, message, bytes->data, (size_t)size) == size ? 0 : mrpc_text_no_memory(parser);
}

static int parse_any(mrpc_text_parser *parser, const mrpc_type *any, void *message, const char *url, uint32_t depth)
{
    const mrpc_field *name = &any->fields[0], *bytes = &any->fields[1]; /* type_url and value */
    const mrpc_type *type = mrpc_find_message_type(parser->file, parser->registry, strrchr(url, '/') + 1);
    char close;
    if (mrpc_field_present(name, message) || mrpc_field_present(bytes, message))
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "the Any has a message already");
    if (type == NULL)
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "no message type %s is known", strrchr(url, '/') + 1);
    if (depth == 0)
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "messages are nested too deeply");
    (void)mrpc_text_take(parser, ':');
    int result = mrpc_text_open(parser, &close);
    if (result != 0)
        return result;
    void *inner = mrpc_message_new(type, NULL);
    if (inner == NULL)
        return mrpc_text_no_memory(parser);
    result = mrpc_text_parse_fields(parser, type, inner, close, depth - 1);
    if (result == 0)
        result = encode_into(parser, type, inner, message, (void *)((char *)message + bytes->offset));
    if (result == 0 && mrpc_string_set(message, (void *)((char *)message + name->offset), url) != 0)
        result = mrpc_text_no_memory(parser);
    mrpc_release(inner);
    return result;
}

/* --- extensions --- */

static const mrpc_extension *find_extension(const mrpc_text_parser *parser, const mrpc_type *type, const char *name)
{
    const mrpc_extension *found = parser->file != NULL ? mrpc_file_find_extension_name(parser->file, name) : NULL;
    if (found == NULL && type->file != NULL)
        found = mrpc_file_find_extension_name(type->file, name);
    if (found == NULL)
        found = mrpc_registry_find_name(parser->registry, name);
    return found != NULL && strcmp(found->extended->name, type->name) == 0 ? found : NULL;
}

/* There are no more of them than files declare. NULL: no memory. */
static mrpc_text_extension *entry_for(mrpc_text_extension **extensions, const mrpc_extension *extension, void *message)
{
    mrpc_text_extension *entry = *extensions;
    while (entry != NULL && entry->extension != extension)
        entry = entry->next;
    if (entry != NULL)
        return entry;
    entry = mrpc_arena_alloc(((mrpc_message *)message)->arena, sizeof *entry);
    if (entry == NULL)
        return NULL;
    *entry = (mrpc_text_extension){.next = *extensions, .extension = extension};
    *extensions = entry;
    return entry;
}

static int parse_extension(mrpc_text_parser *parser, const mrpc_extension *extension, void *message,
                           mrpc_text_extension **extensions, uint32_t depth)
{
    const mrpc_field *field = &extension->field;
    const mrpc_text_extension *newest = *extensions;
    mrpc_text_extension *entry = entry_for(extensions, extension, message);
    if (entry == NULL)
        return mrpc_text_no_memory(parser);
    if (!mrpc_extension_is_list(extension) && *extensions == newest)
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "it is there already, and can have one value only");
    int result = mrpc_text_take_colon(parser, field);
    if (result != 0)
        return result;
    return mrpc_extension_is_list(extension) ? mrpc_text_parse_list(parser, field, message, &entry->value.list, depth)
                                             : mrpc_text_parse_value(parser, field, message, &entry->value, depth);
}

int mrpc_text_parse_bracket(mrpc_text_parser *parser, const mrpc_type *type, void *message,
                            mrpc_text_extension **extensions, uint32_t depth)
{
    char name[NAME_MAX_SIZE];
    mrpc_lexer before = parser->lexer;
    int result = take_name(parser, name);
    if (result != 0)
        return result;
    const mrpc_text_place here = {.above = parser->place, .name = name};
    bool is_any = strcmp(type->name, "google.protobuf.Any") == 0 && strchr(name, '/') != NULL;
    const mrpc_extension *extension = is_any ? NULL : find_extension(parser, type, name);
    if (!is_any && extension == NULL) {
        parser->lexer = before;
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "%s has no extension %s that is known", type->name, name);
    }
    parser->place = &here;
    result = is_any ? parse_any(parser, type, message, name, depth)
                    : parse_extension(parser, extension, message, extensions, depth);
    parser->place = here.above;
    return result;
}

int mrpc_text_set_extensions(mrpc_text_parser *parser, void *message, const mrpc_text_extension *extensions)
{
    int result = 0;
    for (; result == 0 && extensions != NULL; extensions = extensions->next) {
        const void *value =
            mrpc_field_is_message(&extensions->extension->field) && !mrpc_extension_is_list(extensions->extension)
                ? extensions->value.message
                : (const void *)&extensions->value;
        result = mrpc_extension_set(extensions->extension, message, value);
        if (result != 0)
            return mrpc_text_refuse(parser, result, "extension %s cannot be set: %s", extensions->extension->field.name,
                                    mrpc_strerror(result));
    }
    return result;
}
