/* SPDX-License-Identifier: BSD-2-Clause */
/* lexer.h - the tokens of JSON (RFC 8259), and what they mean */
#ifndef MRPC_JSON_LEXER_H
#define MRPC_JSON_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum mrpc_json_token {
    MRPC_JSON_END,
    MRPC_JSON_MARK,   /* one of {}[],: */
    MRPC_JSON_STRING, /* with its quotes, escapes as they are written, but sound; UTF-8 */
    MRPC_JSON_NUMBER,
    MRPC_JSON_TRUE,
    MRPC_JSON_FALSE,
    MRPC_JSON_NULL,
    MRPC_JSON_WRONG /* no token: `problem` says why */
} mrpc_json_token;

/* A position in the text, and the token there. A plain value: a copy can be gone back to. */
typedef struct mrpc_json_lexer {
    const char *at, *end;   /* what is behind the token */
    const char *line_start; /* of the line that `at` is in */
    size_t line;
    mrpc_json_token kind;
    const char *token;
    size_t size;               /* bytes of the token */
    size_t at_line, at_column; /* of the token, from 1 */
    const char *problem;
} mrpc_json_lexer;

void mrpc_json_lexer_start(mrpc_json_lexer *lexer, const char *text, size_t size);
/* The next one; of the last one and of what is wrong the same again. */
void mrpc_json_lexer_next(mrpc_json_lexer *lexer);

static inline bool mrpc_json_is(const mrpc_json_lexer *lexer, char mark)
{
    return lexer->kind == MRPC_JSON_MARK && *lexer->token == mark;
}

/* What a string token says: at most lexer->size - 2 bytes into `to`; returns how many. */
size_t mrpc_json_unescape(const mrpc_json_lexer *lexer, char *to);

/* --- number.c: of a number, in a number token or in a string --- */

/* A whole number, which may be written "1.0" or "1e3", from -`least` to `most`, in two's complement. False: it is none,
 * or out of range. */
bool mrpc_json_whole(const char *text, size_t size, uint64_t least, uint64_t most, uint64_t *value);
/* False: it is none, or too large. */
bool mrpc_json_real(const char *text, size_t size, double *value);

#endif /* MRPC_JSON_LEXER_H */
