/* SPDX-License-Identifier: BSD-2-Clause */
/* literal.c - numbers and strings of the text format */
#include "config.h"

#include <langinfo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text/lexer.h"

/* --- numbers --- */

static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

bool mrpc_literal_whole(const mrpc_lexer *lexer, uint64_t *value)
{
    const char *at = lexer->token, *end = at + lexer->size;
    unsigned base = 10;
    *value = 0;
    if (lexer->size > 1 && *at == '0') {
        bool hexadecimal = (at[1] | 0x20) == 'x';
        base = hexadecimal ? 16 : 8;
        at += hexadecimal ? 2 : 1;
    }
    if (at == end)
        return false;
    for (; at < end; at++) {
        unsigned digit = digit_of(*at);
        if (digit >= base || *value > (UINT64_MAX - digit) / base)
            return false;
        *value = *value * base + digit;
    }
    return true;
}

/* Digits, with a point and an exponent where they may be, and perhaps an f at the end; 0 before other digits makes it
 * octal. Returns how many bytes that are without the f; 0: it is something else. */
static size_t real_size(const char *text, size_t size)
{
    size_t at = 0, digits = 0;
    bool point = false;
    if (size > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')
        return 0;
    for (; at < size && (digit_of(text[at]) < 10 || (text[at] == '.' && !point)); at++) {
        point |= text[at] == '.';
        digits += text[at] != '.';
    }
    if (digits == 0)
        return 0;
    if (at < size && (text[at] | 0x20) == 'e') {
        at++;
        at += at < size && (text[at] == '+' || text[at] == '-');
        size_t first = at;
        while (at < size && digit_of(text[at]) < 10)
            at++;
        if (at == first)
            return 0;
    }
    return at == size || (at + 1 == size && (text[at] | 0x20) == 'f') ? at : 0;
}

/* strtod() in any locale. */
static bool convert(const char *text, size_t size, double *value)
{
    char few[64], *copy = few, *end;
    const char *point = nl_langinfo(RADIXCHAR), *dot = memchr(text, '.', size);
    size_t before = dot != NULL ? (size_t)(dot - text) : size, width = dot != NULL ? strlen(point) : 0;
    if (size + width >= sizeof few && (copy = malloc(size + width + 1)) == NULL)
        return false;
    memcpy(copy, text, before);
    if (dot != NULL) {
        memcpy(copy + before, point, width);
        memcpy(copy + before + width, dot + 1, size - before - 1);
        size += width - 1;
    }
    copy[size] = '\0';
    *value = strtod(copy, &end);
    bool all = end == copy + size;
    if (copy != few)
        free(copy);
    return all;
}

bool mrpc_literal_real(const mrpc_lexer *lexer, double *value)
{
    static const struct {
        const char *name;
        double value;
    } names[] = {{"inf", INFINITY}, {"infinity", INFINITY}, {"nan", NAN}};
    for (size_t i = 0; lexer->kind == MRPC_TOKEN_NAME && i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i].name) == lexer->size && strncasecmp(names[i].name, lexer->token, lexer->size) == 0) {
            *value = names[i].value;
            return true;
        }
    }
    size_t size = lexer->kind == MRPC_TOKEN_NUMBER ? real_size(lexer->token, lexer->size) : 0;
    return size > 0 && convert(lexer->token, size, value);
}

/* --- strings --- */

/* A character as UTF-8 (RFC 3629); returns its bytes, at most 4. 0: there is no such character. */
static size_t put_character(char *to, uint32_t code)
{
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    to[0] = (char)(0xff00 >> (more + 1) | code >> 6 * more);
    for (size_t i = 1; i <= more; i++)
        to[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3f));
    return more + 1;
}

/* Up to `most` digits; returns how many there are. */
static size_t take_digits(const char *at, const char *end, unsigned base, size_t most, uint32_t *value)
{
    size_t count = 0;
    *value = 0;
    for (; count < most && at + count < end && digit_of(at[count]) < base; count++)
        *value = *value * base + digit_of(at[count]);
    return count;
}

/* \u and \U with 4 and 8 digits. They take more bytes than what they stand for. */
static const char *unescape_unicode(const char **at, const char *end, char **to)
{
    size_t digits = **at == 'u' ? 4 : 8;
    uint32_t code;
    if (take_digits(*at + 1, end, 16, digits, &code) != digits)
        return "\\u needs 4 hexadecimal digits behind it, and \\U 8";
    size_t bytes = put_character(*to, code);
    *at += digits + 1;
    *to += bytes;
    return bytes > 0 ? NULL : "there is no character of that number";
}

static const char *unescape_byte(const char **at, const char *end, char **to)
{
    bool hexadecimal = (**at | 0x20) == 'x';
    uint32_t code;
    *at += hexadecimal;
    size_t digits = take_digits(*at, end, hexadecimal ? 16 : 8, hexadecimal ? 2 : 3, &code);
    if (digits == 0)
        return "an escape that means nothing";
    if (code > 255)
        return "an octal escape above \\377";
    *at += digits;
    *(*to)++ = (char)code;
    return NULL;
}

/* What is behind a backslash. */
static const char *unescape_one(const char **at, const char *end, char **to)
{
    static const char escapes[] = "abfnrtv?\\'\"", meanings[] = "\a\b\f\n\r\t\v?\\'\"";
    const char *known = memchr(escapes, **at, sizeof escapes - 1);
    if (**at == 'u' || **at == 'U')
        return unescape_unicode(at, end, to);
    if (known == NULL)
        return unescape_byte(at, end, to);
    *(*to)++ = meanings[known - escapes];
    ++*at;
    return NULL;
}

const char *mrpc_literal_unescape(const mrpc_lexer *lexer, char *to, size_t *size)
{
    const char *at = lexer->token + 1, *end = lexer->token + lexer->size - 1, *problem = NULL;
    char *begin = to;
    while (at < end && problem == NULL) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        at++;
        problem = at < end ? unescape_one(&at, end, &to) : "a backslash at the end";
    }
    *size = (size_t)(to - begin);
    return problem;
}
