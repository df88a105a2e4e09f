/* SPDX-License-Identifier: BSD-2-Clause */
/* lexer.h - the tokens of protobuf's text format */
#ifndef MRPC_TEXT_LEXER_H
#define MRPC_TEXT_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum mrpc_token_kind {
    MRPC_TOKEN_END,
    MRPC_TOKEN_NAME,
    MRPC_TOKEN_NUMBER, /* of any base, whole or not; never with a sign */
    MRPC_TOKEN_STRING, /* with its quotes, escapes as they are written */
    MRPC_TOKEN_MARK,   /* one character of punctuation */
    MRPC_TOKEN_WRONG   /* no token: `problem` says why */
} mrpc_token_kind;

/* A position in the text, and the token there. A plain value: a copy can be gone back to. */
typedef struct mrpc_lexer {
    const char *at, *end;   /* what is behind the token */
    const char *line_start; /* of the line that `at` is in */
    size_t line;
    mrpc_token_kind kind;
    const char *token;
    size_t size;               /* bytes of the token */
    size_t at_line, at_column; /* of the token, from 1 */
    const char *problem;
} mrpc_lexer;

/* The first token of a text. */
void mrpc_lexer_start(mrpc_lexer *lexer, const char *text, size_t size);
/* The next one; of the last one and of what is wrong the same again. */
void mrpc_lexer_next(mrpc_lexer *lexer);

static inline bool mrpc_lexer_is(const mrpc_lexer *lexer, char mark)
{
    return lexer->kind == MRPC_TOKEN_MARK && *lexer->token == mark;
}

/* --- literals: what tokens mean --- */

/* Of a number token. False: no whole number, or more than 64 bits. */
bool mrpc_literal_whole(const mrpc_lexer *lexer, uint64_t *value);
/* Of a number or name token ("1.5", "inf"); not of hexadecimal and octal ones, as in other parsers. */
bool mrpc_literal_real(const mrpc_lexer *lexer, double *value);
/* Of a string token: writes at most lexer->size bytes and sets *size to how many; NULL, or what is wrong with it. */
const char *mrpc_literal_unescape(const mrpc_lexer *lexer, char *to, size_t *size);

#endif /* MRPC_TEXT_LEXER_H */
