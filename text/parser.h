/* SPDX-License-Identifier: BSD-2-Clause */
/* parser.h - what parses messages from text: parse.c fields and messages, value.c single values, bracket.c what has its
 * name in brackets */
#ifndef MRPC_TEXT_PARSER_H
#define MRPC_TEXT_PARSER_H

#include <mrpc/text.h>

#include "marshal/fields.h"
#include "text/lexer.h"

/* The field that is parsed, below those above it: for the path in errors. */
typedef struct mrpc_text_place {
    const struct mrpc_text_place *above;
    const char *name;
} mrpc_text_place;

typedef struct mrpc_text_parser {
    mrpc_lexer lexer;
    const mrpc_file *file; /* of the message that was asked for; may be NULL */
    const mrpc_registry *registry;
    const mrpc_text_place *place;
    mrpc_error *error;
} mrpc_text_parser;

/* Fails at the token. Returns `code`. */
int mrpc_text_refuse(mrpc_text_parser *parser, int code, const char *format, ...) MRPC_PRINTF(3, 4);
int mrpc_text_no_memory(mrpc_text_parser *parser);
/* Takes the mark, or fails. */
MRPC_MUST_CHECK int mrpc_text_expect(mrpc_text_parser *parser, char mark);
/* Takes the mark if it is there. */
bool mrpc_text_take(mrpc_text_parser *parser, char mark);
/* Takes { or <, and sets *close to what ends it. */
MRPC_MUST_CHECK int mrpc_text_open(mrpc_text_parser *parser, char *close);

/* Fields up to `close`, which is taken, or up to the end for '\0', into a message. `depth`: how many levels more it may
 * have. */
MRPC_MUST_CHECK int mrpc_text_parse_fields(mrpc_text_parser *parser, const mrpc_type *type, void *message, char close,
                                           uint32_t depth);

/* One value, without its name and colon, into memory of the field's width; what it points to lies in the arena of
 * `owner`. A message is made. */
MRPC_MUST_CHECK int mrpc_text_parse_value(mrpc_text_parser *parser, const mrpc_field *field, void *owner, void *value,
                                          uint32_t depth);

/* What stands behind a name: colon, and a value, or for a list perhaps several in brackets. `list`: where those of a
 * list are appended. */
MRPC_MUST_CHECK int mrpc_text_parse_list(mrpc_text_parser *parser, const mrpc_field *field, void *owner, void *list,
                                         uint32_t depth);
MRPC_MUST_CHECK int mrpc_text_take_colon(mrpc_text_parser *parser, const mrpc_field *field);

/* --- bracket.c --- */

/* The extensions of a message that is being parsed, until all of it is. */
typedef struct mrpc_text_extension mrpc_text_extension;

/* From '[' on: an extension, or the message in an Any. */
MRPC_MUST_CHECK int mrpc_text_parse_bracket(mrpc_text_parser *parser, const mrpc_type *type, void *message,
                                            mrpc_text_extension **extensions, uint32_t depth);
/* The message is parsed: gives it its extensions. */
MRPC_MUST_CHECK int mrpc_text_set_extensions(mrpc_text_parser *parser, void *message,
                                             const mrpc_text_extension *extensions);

#endif /* MRPC_TEXT_PARSER_H */
