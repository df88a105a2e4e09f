/* SPDX-License-Identifier: BSD-2-Clause */
/* lexer.c - cuts text into tokens; whatever bytes it is given, each token is at least one byte, and none reaches beyond
 * the end */
#include "config.h"

#include "text/lexer.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Space and comments. */
static void skip(mrpc_lexer *lexer)
{
    bool comment = false;
    for (; lexer->at < lexer->end && (comment || is_space(*lexer->at) || *lexer->at == '#'); lexer->at++) {
        if (*lexer->at == '#')
            comment = true;
        if (*lexer->at == '\n') {
            comment = false;
            lexer->line++;
            lexer->line_start = lexer->at + 1;
        }
    }
}

static void take_name(mrpc_lexer *lexer)
{
    lexer->kind = MRPC_TOKEN_NAME;
    while (lexer->at < lexer->end && (is_letter(*lexer->at) || is_digit(*lexer->at)))
        lexer->at++;
}

/* Letters that follow belong to it, so that "1x" is no number and a name, but wrong. A sign does behind an exponent. */
static void take_number(mrpc_lexer *lexer)
{
    bool hexadecimal = lexer->end - lexer->at > 1 && (lexer->at[1] == 'x' || lexer->at[1] == 'X');
    lexer->kind = MRPC_TOKEN_NUMBER;
    for (char before = '\0'; lexer->at < lexer->end; before = *lexer->at++) {
        bool exponent = !hexadecimal && (before == 'e' || before == 'E');
        bool sign = exponent && (*lexer->at == '+' || *lexer->at == '-');
        if (!sign && !is_digit(*lexer->at) && !is_letter(*lexer->at) && *lexer->at != '.')
            break;
    }
}

static void take_string(mrpc_lexer *lexer)
{
    char quote = *lexer->at++;
    while (lexer->at < lexer->end && *lexer->at != quote && *lexer->at != '\n') {
        bool escape = *lexer->at == '\\' && lexer->end - lexer->at > 1 && lexer->at[1] != '\n';
        lexer->at += escape ? 2 : 1;
    }
    if (lexer->at == lexer->end || *lexer->at != quote) {
        lexer->kind = MRPC_TOKEN_WRONG;
        lexer->problem = "a string that does not end on its line";
        return;
    }
    lexer->at++;
    lexer->kind = MRPC_TOKEN_STRING;
}

void mrpc_lexer_next(mrpc_lexer *lexer)
{
    if (lexer->kind == MRPC_TOKEN_WRONG)
        return;
    skip(lexer);
    lexer->token = lexer->at;
    lexer->at_line = lexer->line;
    lexer->at_column = (size_t)(lexer->at - lexer->line_start) + 1;
    if (lexer->at == lexer->end)
        lexer->kind = MRPC_TOKEN_END;
    else if (is_letter(*lexer->at))
        take_name(lexer);
    else if (is_digit(*lexer->at) || (*lexer->at == '.' && lexer->end - lexer->at > 1 && is_digit(lexer->at[1])))
        take_number(lexer);
    else if (*lexer->at == '"' || *lexer->at == '\'')
        take_string(lexer);
    else {
        lexer->kind = MRPC_TOKEN_MARK;
        lexer->at++;
    }
    lexer->size = (size_t)(lexer->at - lexer->token);
}

void mrpc_lexer_start(mrpc_lexer *lexer, const char *text, size_t size)
{
    *lexer = (mrpc_lexer){.at = text, .end = text + size, .line_start = text, .line = 1};
    mrpc_lexer_next(lexer);
}
