/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * print.c - messages in protobuf's text format
 *
 * https://protobuf.dev/reference/protobuf/textformat-spec/, one field a line, as protoc --decode prints it, but for
 * strings, whose UTF-8 stays readable. Nothing that moves a terminal's cursor or changes its state is printed.
 */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <mrpc/marshal/text.h>

#include "text/printer.h"

static void print_fields(struct mrpc_printer *out, const mrpc_type *type, const void *message, uint32_t depth,
                         bool all);

/* --- text --- */

void mrpc_print(struct mrpc_printer *out, const char *text, size_t size)
{
    if (out->length < out->size) {
        size_t room = out->size - out->length - 1; /* one for the NUL */
        memcpy(out->buffer + out->length, text, size < room ? size : room);
    }
    out->length += size;
}

void mrpc_print_text(struct mrpc_printer *out, const char *text)
{
    mrpc_print(out, text, strlen(text));
}

/* For numbers and the like: at most 63 bytes. */
void mrpc_print_format(struct mrpc_printer *out, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    mrpc_print_text(out, text);
}

void mrpc_print_indent(struct mrpc_printer *out)
{
    for (uint32_t i = 0; i < out->indent; i++)
        mrpc_print(out, "  ", 2);
}

void mrpc_print_comment(struct mrpc_printer *out, const char *comment)
{
    mrpc_print_indent(out);
    mrpc_print_text(out, comment);
    mrpc_print(out, "\n", 1);
}

static void put_escaped(struct mrpc_printer *out, uint8_t byte)
{
    static const char *const named[] = {
        ['\t'] = "\\t", ['\n'] = "\\n", ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\"};
    if (byte < sizeof named / sizeof named[0] && named[byte] != NULL)
        mrpc_print_text(out, named[byte]);
    else if (byte >= ' ' && byte < 0x7f)
        mrpc_print(out, (const char *)&byte, 1);
    else
        mrpc_print_format(out, "\\%03o", (unsigned)byte);
}

/* The length of a character that may stand as it is; 0: its first byte is to be escaped. U+0080 to U+009F are control
 * characters. */
static size_t readable_sequence(const mrpc_bytes *text, size_t at)
{
    const uint8_t *sequence = text->data + at;
    size_t length = sequence[0] >= 0x80 ? mrpc_text_sequence(sequence, text->size - at) : 0;
    return length == 2 && sequence[0] == 0xc2 && sequence[1] < 0xa0 ? 0 : length;
}

void mrpc_print_quoted(struct mrpc_printer *out, mrpc_bytes text, bool is_utf8)
{
    mrpc_print(out, "\"", 1);
    for (size_t at = 0; at < text.size;) {
        size_t length = is_utf8 ? readable_sequence(&text, at) : 0;
        if (length > 0)
            mrpc_print(out, (const char *)text.data + at, length);
        else
            put_escaped(out, text.data[at]);
        at += length > 0 ? length : 1;
    }
    mrpc_print(out, "\"", 1);
}

/* --- numbers --- */

/* The locale may have another decimal point than '.', of more than one byte even. */
static void put_decimal(struct mrpc_printer *out, const char *text)
{
    bool point = false;
    for (; *text != '\0'; text++) {
        bool known = (*text >= '0' && *text <= '9') || *text == '-' || *text == '+' || *text == 'e';
        if (known || !point)
            mrpc_print(out, known ? text : ".", 1);
        point |= !known;
    }
}

/* As few digits as give the same number back. */
static void put_double(struct mrpc_printer *out, double value)
{
    char text[40];
    if (isnan(value) || isinf(value)) {
        mrpc_print_text(out, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
        return;
    }
    for (int digits = 15; digits <= 17; digits += 2) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    put_decimal(out, text);
}

static void put_float(struct mrpc_printer *out, float value)
{
    char text[40];
    if (isnan(value) || isinf(value)) {
        put_double(out, (double)value);
        return;
    }
    for (int digits = 6; digits <= 9; digits += 3) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    put_decimal(out, text);
}

static void put_enum(struct mrpc_printer *out, const mrpc_enum *enumeration, int32_t value)
{
    const char *name = enumeration != NULL ? mrpc_enum_name(enumeration, value) : NULL;
    if (name != NULL)
        mrpc_print_text(out, name);
    else
        mrpc_print_format(out, "%" PRId32, value);
}

/* A value of 4 or 8 bytes, or a bool. */
static void print_number(struct mrpc_printer *out, const mrpc_field *field, const void *value)
{
    union {
        uint32_t u32;
        int32_t i32;
        uint64_t u64;
        int64_t i64;
        float f;
        double d;
    } number;
    memcpy(&number, value, mrpc_field_width(field));
    switch ((mrpc_field_type)field->type) {
    case MRPC_TYPE_BOOL:
        mrpc_print_text(out, mrpc_any_bool(value) ? "true" : "false");
        break;
    case MRPC_TYPE_FLOAT:
        put_float(out, number.f);
        break;
    case MRPC_TYPE_DOUBLE:
        put_double(out, number.d);
        break;
    case MRPC_TYPE_ENUM:
        put_enum(out, field->enumeration, number.i32);
        break;
    case MRPC_TYPE_UINT32:
    case MRPC_TYPE_FIXED32:
        mrpc_print_format(out, "%" PRIu32, number.u32);
        break;
    case MRPC_TYPE_UINT64:
    case MRPC_TYPE_FIXED64:
        mrpc_print_format(out, "%" PRIu64, number.u64);
        break;
    case MRPC_TYPE_INT64:
    case MRPC_TYPE_SINT64:
    case MRPC_TYPE_SFIXED64:
        mrpc_print_format(out, "%" PRId64, number.i64);
        break;
    default:
        mrpc_print_format(out, "%" PRId32, number.i32);
        break;
    }
}

/* --- messages --- */

static void print_message(struct mrpc_printer *out, const mrpc_type *type, const void *message, uint32_t depth)
{
    if (message == NULL)
        return;
    if (depth == 0) {
        mrpc_print_comment(out, "# nested too deeply");
        return;
    }
    print_fields(out, type, message, depth - 1, false);
    mrpc_print_unknown(out, type, message, depth - 1);
}

/* Of a group, the name of its type; else that of the field. */
static const char *printed_name(const mrpc_field *field)
{
    if (field->type != MRPC_TYPE_GROUP)
        return field->name;
    const char *dot = strrchr(field->message->name, '.');
    return dot != NULL ? dot + 1 : field->message->name;
}

static void print_block(struct mrpc_printer *out, const mrpc_field *field, const void *value, uint32_t depth)
{
    mrpc_print_text(out, " {\n");
    out->indent++;
    if (field->kind != MRPC_FIELD_MAP)
        print_message(out, field->message, *(const mrpc_any_message *)value, depth);
    else if (depth == 0)
        mrpc_print_comment(out, "# nested too deeply");
    else
        print_fields(out, field->message, value, depth - 1, true);
    out->indent--;
    mrpc_print_indent(out);
    mrpc_print(out, "}\n", 2);
}

void mrpc_print_value(struct mrpc_printer *out, const mrpc_field *field, const void *value, uint32_t depth)
{
    if (field->kind == MRPC_FIELD_MAP || mrpc_field_is_message(field)) {
        print_block(out, field, value, depth);
        return;
    }
    mrpc_print(out, ": ", 2);
    if (mrpc_field_is_plain(field))
        print_number(out, field, value);
    else
        mrpc_print_quoted(out, mrpc_any_text(value), field->type == MRPC_TYPE_STRING);
    mrpc_print(out, "\n", 1);
}

static void print_named(struct mrpc_printer *out, const mrpc_field *field, const void *value, uint32_t depth)
{
    mrpc_print_indent(out);
    mrpc_print_text(out, printed_name(field));
    mrpc_print_value(out, field, value, depth);
}

/* `all`: also what is absent, as of the entries of maps. */
static void print_fields(struct mrpc_printer *out, const mrpc_type *type, const void *message, uint32_t depth, bool all)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const mrpc_field *field = &type->fields[i];
        const char *value = mrpc_field_member(field, message);
        if (!all && !mrpc_field_present(field, message))
            continue;
        if (field->kind != MRPC_FIELD_LIST && field->kind != MRPC_FIELD_MAP) {
            print_named(out, field, value, depth);
            continue;
        }
        const mrpc_any_list *list = (const void *)value;
        size_t width = mrpc_field_width(field);
        for (size_t k = 0; k < list->size; k++)
            print_named(out, field, list->data + k * width, depth);
    }
}

size_t mrpc_message_text(const mrpc_type *type, const void *message, char *buffer, size_t size)
{
    return mrpc_message_text_with(type, message, NULL, buffer, size);
}

size_t mrpc_message_text_with(const mrpc_type *type, const void *message, const mrpc_text_options *options,
                              char *buffer, size_t size)
{
    struct mrpc_printer out = {.buffer = buffer, .size = size, .file = type->file};
    if (options != NULL) {
        out.registry = options->registry;
        out.hide_unknown = options->hide_unknown;
    }
    print_message(&out, type, message, MRPC_DEPTH_LIMIT + 1);
    if (size > 0)
        buffer[out.length < size ? out.length : size - 1] = '\0';
    return out.length;
}
