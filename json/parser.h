/* SPDX-License-Identifier: BSD-2-Clause */
/* parser.h - what parses messages from JSON: parse.c messages and their fields, value.c single values, parse_known.c
 * the well-known types */
#ifndef MRPC_JSON_PARSER_H
#define MRPC_JSON_PARSER_H

#include <mrpc/json.h>

#include "json/known.h"
#include "json/lexer.h"
#include "marshal/fields.h"

/* The field that is parsed, below those above it: for the path in errors. */
typedef struct mrpc_json_place {
    const struct mrpc_json_place *above;
    const char *name;
} mrpc_json_place;

typedef struct mrpc_json_parser {
    mrpc_json_lexer lexer;
    const mrpc_file *file; /* of the message that was asked for; may be NULL */
    const mrpc_registry *registry;
    bool ignore_unknown;
    const mrpc_json_place *place;
    mrpc_error *error;
} mrpc_json_parser;

/* What parse functions return besides 0 and errors: a value that options say to pass over. */
enum { JSON_IGNORED = 1 };

/* Fails at the token. Returns `code`. */
int mrpc_json_refuse(mrpc_json_parser *parser, int code, const char *format, ...) MRPC_PRINTF(3, 4);
int mrpc_json_no_memory(mrpc_json_parser *parser);
bool mrpc_json_take(mrpc_json_parser *parser, char mark);
MRPC_MUST_CHECK int mrpc_json_expect(mrpc_json_parser *parser, char mark);
/* Passes over a value, whatever it is. */
MRPC_MUST_CHECK int mrpc_json_skip(mrpc_json_parser *parser, uint32_t depth);
/* The name of a member and its colon; *name is the token. */
MRPC_MUST_CHECK int mrpc_json_take_name(mrpc_json_parser *parser, mrpc_json_lexer *name);

/* A message, which has been made. */
MRPC_MUST_CHECK int mrpc_json_parse_message(mrpc_json_parser *parser, const mrpc_type *type, void *message,
                                            uint32_t depth);
/* One as an object of its fields; `type_url`: it has the member "@type" of an Any, too. */
MRPC_MUST_CHECK int mrpc_json_parse_object(mrpc_json_parser *parser, const mrpc_type *type, void *message,
                                           bool type_url, uint32_t depth);
/* A list or a map. */
MRPC_MUST_CHECK int mrpc_json_parse_list(mrpc_json_parser *parser, const mrpc_field *field, void *owner, void *list,
                                         uint32_t depth);

/* --- extension.c --- */

/* The extension with that full name; NULL: none is known. */
const mrpc_extension *mrpc_json_find_extension(const mrpc_json_parser *parser, const mrpc_type *type, const char *name);
MRPC_MUST_CHECK int mrpc_json_parse_extension(mrpc_json_parser *parser, const mrpc_extension *extension, void *message,
                                              uint32_t depth);

/* --- value.c --- */

/* One value into memory of the field's width; what it points to lies in the arena of `owner`. A message is made.
 * JSON_IGNORED: the name of an enum that is not known. */
MRPC_MUST_CHECK int mrpc_json_parse_value(mrpc_json_parser *parser, const mrpc_field *field, void *owner, void *value,
                                          uint32_t depth);
/* The key of a map, out of a string. */
MRPC_MUST_CHECK int mrpc_json_parse_key(mrpc_json_parser *parser, const mrpc_field *field, const mrpc_json_lexer *name,
                                        void *owner, void *value);
/* The text of a string token, with a NUL behind it. */
MRPC_MUST_CHECK int mrpc_json_take_text(mrpc_json_parser *parser, const mrpc_json_lexer *token, void *owner,
                                        mrpc_string *text);

/* --- parse_known.c --- */

MRPC_MUST_CHECK int mrpc_json_parse_known(mrpc_json_parser *parser, mrpc_json_known known, const mrpc_type *type,
                                          void *message, uint32_t depth);

#endif /* MRPC_JSON_PARSER_H */
