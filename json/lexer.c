/* SPDX-License-Identifier: BSD-2-Clause */
/* lexer.c - cuts JSON into tokens; whatever bytes it is given, none reaches beyond the end */
#include "config.h"

#include "json/lexer.h"

#include <string.h>

#include <mrpc/marshal/text.h>

static void skip_space(mrpc_json_lexer *lexer)
{
    for (; lexer->at < lexer->end && *lexer->at != '\0' && strchr(" \t\r\n", *lexer->at) != NULL; lexer->at++) {
        if (*lexer->at == '\n') {
            lexer->line++;
            lexer->line_start = lexer->at + 1;
        }
    }
}

static void fail(mrpc_json_lexer *lexer, const char *problem)
{
    lexer->kind = MRPC_JSON_WRONG;
    lexer->problem = problem;
}

/* --- strings --- */

static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

/* Four hexadecimal digits; UINT32_MAX: there are not as many. */
static uint32_t take_unit(const char *at, const char *end)
{
    uint32_t unit = 0;
    if (end - at < 4)
        return UINT32_MAX;
    for (int i = 0; i < 4; i++) {
        if (digit_of(at[i]) > 15)
            return UINT32_MAX;
        unit = unit << 4 | digit_of(at[i]);
    }
    return unit;
}

/* From behind "\u": the character, and where it ends. UINT32_MAX: half of a surrogate pair, or no digits. */
static uint32_t take_character(const char **at, const char *end)
{
    uint32_t unit = take_unit(*at, end), low;
    if (unit == UINT32_MAX || (unit >= 0xdc00 && unit < 0xe000))
        return UINT32_MAX;
    *at += 4;
    if (unit < 0xd800 || unit >= 0xe000)
        return unit;
    if (end - *at < 2 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return UINT32_MAX;
    low = take_unit(*at + 2, end);
    if (low == UINT32_MAX || low < 0xdc00 || low >= 0xe000)
        return UINT32_MAX;
    *at += 6;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

static const char *skip_escape(mrpc_json_lexer *lexer)
{
    lexer->at++;
    if (lexer->at == lexer->end)
        return "a string that does not end";
    char c = *lexer->at++;
    if (c == 'u')
        return take_character(&lexer->at, lexer->end) == UINT32_MAX
                   ? "\\u needs four hexadecimal digits behind it, of a character or of both halves of a surrogate pair"
                   : NULL;
    return c != '\0' && strchr("\"\\/bfnrt", c) != NULL ? NULL : "an escape that means nothing";
}

static void take_string(mrpc_json_lexer *lexer)
{
    const char *problem = NULL;
    lexer->at++;
    while (problem == NULL && lexer->at < lexer->end && *lexer->at != '"') {
        if ((unsigned char)*lexer->at < 0x20)
            problem = "a control character in a string, which must be escaped";
        else if (*lexer->at == '\\')
            problem = skip_escape(lexer);
        else
            lexer->at++;
    }
    if (problem == NULL && lexer->at == lexer->end)
        problem = "a string that does not end";
    if (problem == NULL && !mrpc_text_valid(lexer->token, (size_t)(lexer->at - lexer->token)))
        problem = "a string that is not UTF-8";
    if (problem != NULL) {
        fail(lexer, problem);
        return;
    }
    lexer->at++;
    lexer->kind = MRPC_JSON_STRING;
}

/* As UTF-8 (RFC 3629); returns its bytes, at most 4. */
static size_t put_character(char *to, uint32_t code)
{
    size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    if (more == 0) {
        to[0] = (char)code;
        return 1;
    }
    to[0] = (char)(0xff00 >> (more + 1) | code >> 6 * more);
    for (size_t i = 1; i <= more; i++)
        to[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3f));
    return more + 1;
}

size_t mrpc_json_unescape(const mrpc_json_lexer *lexer, char *to)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *at = lexer->token + 1, *end = lexer->token + lexer->size - 1;
    char *begin = to;
    while (at < end) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        char c = at[1];
        at += 2;
        if (c == 'u')
            to += put_character(to, take_character(&at, end));
        else
            *to++ = meanings[strchr(letters, c) - letters];
    }
    return (size_t)(to - begin);
}

/* --- other tokens --- */

static bool take_word(mrpc_json_lexer *lexer, const char *word, mrpc_json_token kind)
{
    size_t size = strlen(word);
    if ((size_t)(lexer->end - lexer->at) < size || memcmp(lexer->at, word, size) != 0)
        return false;
    lexer->at += size;
    lexer->kind = kind;
    return true;
}

static void take_number(mrpc_json_lexer *lexer)
{
    lexer->kind = MRPC_JSON_NUMBER;
    while (lexer->at < lexer->end && *lexer->at != '\0' && strchr("+-.0123456789eE", *lexer->at) != NULL)
        lexer->at++;
}

void mrpc_json_lexer_next(mrpc_json_lexer *lexer)
{
    if (lexer->kind == MRPC_JSON_WRONG)
        return;
    skip_space(lexer);
    lexer->token = lexer->at;
    lexer->at_line = lexer->line;
    lexer->at_column = (size_t)(lexer->at - lexer->line_start) + 1;
    if (lexer->at == lexer->end)
        lexer->kind = MRPC_JSON_END;
    else if (*lexer->at == '"')
        take_string(lexer);
    else if (*lexer->at == '-' || digit_of(*lexer->at) < 10)
        take_number(lexer);
    else if (*lexer->at != '\0' && strchr("{}[],:", *lexer->at) != NULL) {
        lexer->kind = MRPC_JSON_MARK;
        lexer->at++;
    } else if (!take_word(lexer, "true", MRPC_JSON_TRUE) && !take_word(lexer, "false", MRPC_JSON_FALSE) &&
               !take_word(lexer, "null", MRPC_JSON_NULL))
        fail(lexer, "a value is expected, or one of {}[],:");
    lexer->size = (size_t)(lexer->at - lexer->token);
}

void mrpc_json_lexer_start(mrpc_json_lexer *lexer, const char *text, size_t size)
{
    *lexer = (mrpc_json_lexer){.at = text, .end = text + size, .line_start = text, .line = 1};
    mrpc_json_lexer_next(lexer);
}
