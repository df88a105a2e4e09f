/* SPDX-License-Identifier: BSD-2-Clause */
/* writer.c - JSON as text, in a buffer that grows (RFC 8259) */
#include "config.h"

#include "json/writer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <mrpc/marshal/text.h>

void mrpc_json_fail(mrpc_json_writer *out, int code, const char *format, ...)
{
    char text[256];
    va_list arguments;
    if (out->result != 0)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    out->result = mrpc_error_set(out->error, code, "%s", text);
}

static bool make_room(mrpc_json_writer *out, size_t size)
{
    if (out->result != 0)
        return false;
    if (size < out->capacity - out->size)
        return true;
    size_t capacity = size < SIZE_MAX / 4 && out->capacity < SIZE_MAX / 4 ? 2 * (out->capacity + size) + 64 : 0;
    char *text = capacity > 0 ? realloc(out->text, capacity) : NULL;
    if (text == NULL) {
        mrpc_json_fail(out, MRPC_ENOMEM, "there is no memory for the text");
        return false;
    }
    out->text = text;
    out->capacity = capacity;
    return true;
}

void mrpc_json_put(mrpc_json_writer *out, const char *text, size_t size)
{
    if (!make_room(out, size + 1))
        return;
    memcpy(out->text + out->size, text, size);
    out->size += size;
    out->text[out->size] = '\0';
}

void mrpc_json_put_text(mrpc_json_writer *out, const char *text)
{
    mrpc_json_put(out, text, strlen(text));
}

void mrpc_json_put_format(mrpc_json_writer *out, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    mrpc_json_put_text(out, text);
}

/* --- numbers --- */

/* The locale may have another decimal point than '.', of more than one byte even. */
static void put_decimal(mrpc_json_writer *out, const char *text)
{
    bool point = false;
    for (; *text != '\0'; text++) {
        bool known = (*text >= '0' && *text <= '9') || *text == '-' || *text == '+' || *text == 'e';
        if (known || !point)
            mrpc_json_put(out, known ? text : ".", 1);
        point |= !known;
    }
}

static bool put_special(mrpc_json_writer *out, double value)
{
    if (!isnan(value) && !isinf(value))
        return false;
    mrpc_json_put_text(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    return true;
}

void mrpc_json_put_double(mrpc_json_writer *out, double value)
{
    char text[40];
    if (put_special(out, value))
        return;
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    put_decimal(out, text);
}

void mrpc_json_put_float(mrpc_json_writer *out, float value)
{
    char text[40];
    if (put_special(out, (double)value))
        return;
    for (int digits = 6; digits <= 9; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    put_decimal(out, text);
}

/* --- strings --- */

static void put_escape(mrpc_json_writer *out, char c)
{
    static const char escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *known = memchr(escaped, c, sizeof escaped - 1);
    if (known != NULL)
        mrpc_json_put_format(out, "\\%c", letters[known - escaped]);
    else
        mrpc_json_put_format(out, "\\u%04x", (unsigned)(unsigned char)c);
}

void mrpc_json_put_string(mrpc_json_writer *out, const char *text, size_t size)
{
    size_t begin = 0;
    if (!mrpc_text_valid(text, size)) {
        mrpc_json_fail(out, MRPC_EFORMAT, "a string is not UTF-8");
        return;
    }
    mrpc_json_put(out, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        mrpc_json_put(out, text + begin, i - begin);
        put_escape(out, text[i]);
        begin = i + 1;
    }
    mrpc_json_put(out, text + begin, size - begin);
    mrpc_json_put(out, "\"", 1);
}

/* RFC 4648, section 4. */
void mrpc_json_put_base64(mrpc_json_writer *out, mrpc_bytes bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    mrpc_json_put(out, "\"", 1);
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t word = (uint32_t)bytes.data[i] << 16 | (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                        (left > 2 ? bytes.data[i + 2] : 0);
        char group[4] = {digits[word >> 18], digits[word >> 12 & 63], left > 1 ? digits[word >> 6 & 63] : '=',
                         left > 2 ? digits[word & 63] : '='};
        mrpc_json_put(out, group, sizeof group);
    }
    mrpc_json_put(out, "\"", 1);
}

/* --- structure --- */

static void new_line(mrpc_json_writer *out)
{
    if (out->options.indent == 0)
        return;
    mrpc_json_put(out, "\n", 1);
    for (unsigned i = 0; i < out->level; i++)
        mrpc_json_put(out, "                ", out->options.indent);
}

void mrpc_json_open(mrpc_json_writer *out, char bracket, bool *first)
{
    *first = true;
    out->level++;
    mrpc_json_put(out, &bracket, 1);
}

void mrpc_json_next(mrpc_json_writer *out, bool *first)
{
    if (!*first)
        mrpc_json_put(out, ",", 1);
    *first = false;
    new_line(out);
}

void mrpc_json_close(mrpc_json_writer *out, char bracket, bool first)
{
    out->level--;
    if (!first)
        new_line(out);
    mrpc_json_put(out, &bracket, 1);
}

void mrpc_json_put_name(mrpc_json_writer *out, const char *name, size_t size)
{
    mrpc_json_put_string(out, name, size);
    mrpc_json_put_text(out, out->options.indent > 0 ? ": " : ":");
}
