/* SPDX-License-Identifier: BSD-2-Clause */
/* number.c - numbers of JSON */
#include "config.h"

#include <langinfo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json/lexer.h"

static size_t count_digits(const char *text, size_t size)
{
    size_t count = 0;
    while (count < size && text[count] >= '0' && text[count] <= '9')
        count++;
    return count;
}

/* Whether all of the text is a number; sets how many digits stand in front of the point. */
static bool is_number(const char *text, size_t size, size_t *whole)
{
    size_t at = size > 0 && text[0] == '-' ? 1 : 0, digits = count_digits(text + at, size - at);
    *whole = digits;
    if (digits == 0 || (digits > 1 && text[at] == '0'))
        return false;
    at += digits;
    if (at < size && text[at] == '.') {
        digits = count_digits(text + at + 1, size - at - 1);
        if (digits == 0)
            return false;
        at += 1 + digits;
    }
    if (at < size && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        at += at < size && (text[at] == '+' || text[at] == '-');
        digits = count_digits(text + at, size - at);
        if (digits == 0)
            return false;
        at += digits;
    }
    return at == size;
}

/* strtod() in any locale, of what is a number. */
static bool convert(const char *text, size_t size, double *value)
{
    char few[64], *copy = few;
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
    *value = strtod(copy, NULL);
    if (copy != few)
        free(copy);
    return true;
}

bool mrpc_json_real(const char *text, size_t size, double *value)
{
    size_t whole;
    return is_number(text, size, &whole) && convert(text, size, value) && !isinf(*value);
}

/* One with a point or an exponent, which is whole all the same. */
static bool whole_of_real(const char *text, size_t size, uint64_t least, uint64_t most, uint64_t *value)
{
    double real;
    if (!mrpc_json_real(text, size, &real) || real != trunc(real) || fabs(real) >= 0x1p64)
        return false;
    uint64_t magnitude = (uint64_t)fabs(real);
    *value = real < 0 ? -magnitude : magnitude;
    return magnitude <= (real < 0 ? least : most);
}

bool mrpc_json_whole(const char *text, size_t size, uint64_t least, uint64_t most, uint64_t *value)
{
    size_t whole, first = size > 0 && text[0] == '-' ? 1 : 0;
    if (!is_number(text, size, &whole))
        return false;
    if (first + whole < size)
        return whole_of_real(text, size, least, most, value);
    *value = 0;
    for (size_t i = first; i < size; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (*value > (UINT64_MAX - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    bool fits = *value <= (first > 0 ? least : most);
    if (first > 0)
        *value = -*value;
    return fits;
}
