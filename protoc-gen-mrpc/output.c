/* SPDX-License-Identifier: BSD-2-Clause */
/* output.c - see output.h */
#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mrpc/marshal/text.h>

enum { BYTES_IN_LINE = 24 };

/* Makes room for `extra` more bytes and a NUL. */
static bool output_reserve(output *out, size_t extra)
{
    if (out->failed || extra > SIZE_MAX / 4 - out->size) {
        out->failed = true;
        return false;
    }
    size_t needed = out->size + extra + 1;
    if (needed <= out->capacity)
        return true;
    size_t capacity = out->capacity != 0 ? out->capacity : 4096;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(out->data, capacity);
    if (data == NULL) {
        out->failed = true;
        return false;
    }
    out->data = data;
    out->capacity = capacity;
    return true;
}

void output_write(output *out, const char *text, size_t size)
{
    if (!output_reserve(out, size))
        return;
    memcpy(out->data + out->size, text, size);
    out->size += size;
    out->data[out->size] = '\0';
}

void output_text(output *out, const char *text)
{
    output_write(out, text, strlen(text));
}

void output_printf(output *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !output_reserve(out, (size_t)length)) {
        out->failed = true;
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(out->data + out->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    out->size += (size_t)length;
}

/* The value behind `key` in a list of key, value, …, NULL; NULL when it is not there. */
static const char *find_value(va_list arguments, const char *key, size_t size)
{
    const char *name;
    while ((name = va_arg(arguments, const char *)) != NULL) {
        const char *value = va_arg(arguments, const char *);
        if (strlen(name) == size && memcmp(name, key, size) == 0)
            return value;
    }
    return NULL;
}

void output_fill(output *out, const char *template_text, ...)
{
    const char *text = template_text;
    for (const char *mark; (mark = strchr(text, '$')) != NULL;) {
        const char *end = strchr(mark + 1, '$');
        if (end == NULL) {
            out->failed = true;
            return;
        }
        va_list arguments;
        va_start(arguments, template_text);
        const char *value = find_value(arguments, mark + 1, (size_t)(end - mark - 1));
        va_end(arguments);
        if (value == NULL) {
            out->failed = true;
            return;
        }
        output_write(out, text, (size_t)(mark - text));
        output_text(out, value);
        text = end + 1;
    }
    output_text(out, text);
}

void output_declare(output *out, const char *type, const char *name)
{
    size_t size = strlen(type);
    bool pointer = size > 0 && type[size - 1] == '*';
    output_printf(out, "%s%s%s", type, pointer ? "" : " ", name);
}

void output_literal(output *out, const char *text)
{
    output_literal_bytes(out, text, strlen(text));
}

void output_literal_bytes(output *out, const char *text, size_t size)
{
    output_text(out, "\"");
    for (const char *c = text; c < text + size; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte < 0x20 || byte >= 0x7f || byte == '"' || byte == '\\' || byte == '?')
            output_printf(out, "\\%03o", (unsigned)byte); /* three digits: what follows cannot be read as a fourth */
        else
            output_write(out, c, 1);
    }
    output_text(out, "\"");
}

void output_bytes(output *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const char *before = i % BYTES_IN_LINE == 0 ? "    " : "";
        bool ends_line = i % BYTES_IN_LINE == BYTES_IN_LINE - 1 || i + 1 == size;
        output_printf(out, "%s%u,%s", before, (unsigned)bytes[i], ends_line ? "\n" : "");
    }
}

/* Whether a character, of `size` bytes in UTF-8, can stand in a source file: no control character, and none that turns
 * the direction of what follows, of which compilers warn (https://www.unicode.org/reports/tr9/). */
static bool is_printable(const uint8_t *character, size_t size)
{
    if (size == 1)
        return (*character >= 0x20 && *character != 0x7f) || *character == '\t';
    if (size == 2)
        return character[0] != 0xc2 || character[1] >= 0xa0;
    bool turns = size == 3 && character[0] == 0xe2 &&
                 ((character[1] == 0x80 && character[2] >= 0xaa && character[2] <= 0xae) || /* U+202A to U+202E */
                  (character[1] == 0x81 && character[2] >= 0xa6 && character[2] <= 0xa9));  /* U+2066 to U+2069 */
    return size != 0 && !turns;
}

/* What would end or nest the comment, or join its lines (the trigraph for a backslash), is taken apart. */
static bool needs_space(const char *line, size_t i, size_t size)
{
    if (i + 1 == size)
        return false;
    if ((line[i] == '*' && line[i + 1] == '/') || (line[i] == '/' && line[i + 1] == '*'))
        return true;
    return i + 2 < size && memcmp(line + i, "?\?/", 3) == 0;
}

static void write_comment_line(output *out, const char *line, size_t size)
{
    while (size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\t' || line[size - 1] == '\r'))
        size--;
    for (size_t i = 0, length; i < size; i += length) {
        const uint8_t *character = (const uint8_t *)line + i;
        length = mrpc_text_sequence(character, size - i);
        if (is_printable(character, length)) {
            output_write(out, line + i, length);
        } else {
            output_text(out, "?");
            length = length != 0 ? length : 1;
        }
        if (length == 1 && needs_space(line, i, size))
            output_text(out, " ");
    }
}

void output_comment(output *out, int indent, const char *text)
{
    size_t size = strlen(text);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL)
        size--;
    if (size == 0)
        return;
    output_printf(out, "%*s/*", indent, "");
    const char *end = text + size;
    for (const char *line = text; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL)
            stop = end;
        if (line != text)
            output_printf(out, "\n%*s *", indent, "");
        if (stop > line && *line != ' ')
            output_text(out, " ");
        write_comment_line(out, line, (size_t)(stop - line));
        line = stop + 1;
    }
    output_text(out, " */\n");
}

const char *output_string(const output *out)
{
    return out->data != NULL ? out->data : "";
}

void output_free(output *out)
{
    free(out->data);
    *out = (output){0};
}
