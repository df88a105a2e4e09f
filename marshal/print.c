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

#include "marshal/fields.h"

struct printer {
    char *buffer;
    size_t size;     /* bytes of the buffer */
    size_t length;   /* of the text so far, whether or not there was room for it */
    uint32_t indent; /* levels of two spaces */
};

static void print_fields(struct printer *out, const mrpc_type *type, const void *message, uint32_t depth, bool all);

/* --- text --- */

static void put(struct printer *out, const char *text, size_t size)
{
    if (out->length < out->size) {
        size_t room = out->size - out->length - 1; /* one for the NUL */
        memcpy(out->buffer + out->length, text, size < room ? size : room);
    }
    out->length += size;
}

static void put_text(struct printer *out, const char *text)
{
    put(out, text, strlen(text));
}

/* For numbers and the like: at most 63 bytes. */
MRPC_PRINTF(2, 3) static void put_format(struct printer *out, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put_text(out, text);
}

static void put_indent(struct printer *out)
{
    for (uint32_t i = 0; i < out->indent; i++)
        put(out, "  ", 2);
}

static void put_comment(struct printer *out, const char *comment)
{
    put_indent(out);
    put_text(out, comment);
    put(out, "\n", 1);
}

static void put_escaped(struct printer *out, uint8_t byte)
{
    static const char *const named[] = {
        ['\t'] = "\\t", ['\n'] = "\\n", ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\"};
    if (byte < sizeof named / sizeof named[0] && named[byte] != NULL)
        put_text(out, named[byte]);
    else if (byte >= ' ' && byte < 0x7f)
        put(out, (const char *)&byte, 1);
    else
        put_format(out, "\\%03o", (unsigned)byte);
}

/* The length of a character that may stand as it is; 0: its first byte is to be escaped. U+0080 to U+009F are control
 * characters. */
static size_t readable_sequence(const mrpc_bytes *text, size_t at)
{
    const uint8_t *sequence = text->data + at;
    size_t length = sequence[0] >= 0x80 ? mrpc_text_sequence(sequence, text->size - at) : 0;
    return length == 2 && sequence[0] == 0xc2 && sequence[1] < 0xa0 ? 0 : length;
}

static void put_quoted(struct printer *out, mrpc_bytes text, bool is_utf8)
{
    put(out, "\"", 1);
    for (size_t at = 0; at < text.size;) {
        size_t length = is_utf8 ? readable_sequence(&text, at) : 0;
        if (length > 0)
            put(out, (const char *)text.data + at, length);
        else
            put_escaped(out, text.data[at]);
        at += length > 0 ? length : 1;
    }
    put(out, "\"", 1);
}

/* --- numbers --- */

/* The locale may have another decimal point than '.', of more than one byte even. */
static void put_decimal(struct printer *out, const char *text)
{
    bool point = false;
    for (; *text != '\0'; text++) {
        bool known = (*text >= '0' && *text <= '9') || *text == '-' || *text == '+' || *text == 'e';
        if (known || !point)
            put(out, known ? text : ".", 1);
        point |= !known;
    }
}

/* As few digits as give the same number back. */
static void put_double(struct printer *out, double value)
{
    char text[40];
    if (isnan(value) || isinf(value)) {
        put_text(out, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
        return;
    }
    for (int digits = 15; digits <= 17; digits += 2) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    put_decimal(out, text);
}

static void put_float(struct printer *out, float value)
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

static void put_enum(struct printer *out, const mrpc_enum *enumeration, int32_t value)
{
    const char *name = enumeration != NULL ? mrpc_enum_name(enumeration, value) : NULL;
    if (name != NULL)
        put_text(out, name);
    else
        put_format(out, "%" PRId32, value);
}

/* A value of 4 or 8 bytes, or a bool. */
static void put_number(struct printer *out, const mrpc_field *field, const void *value)
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
        put_text(out, mrpc_any_bool(value) ? "true" : "false");
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
        put_format(out, "%" PRIu32, number.u32);
        break;
    case MRPC_TYPE_UINT64:
    case MRPC_TYPE_FIXED64:
        put_format(out, "%" PRIu64, number.u64);
        break;
    case MRPC_TYPE_INT64:
    case MRPC_TYPE_SINT64:
    case MRPC_TYPE_SFIXED64:
        put_format(out, "%" PRId64, number.i64);
        break;
    default:
        put_format(out, "%" PRId32, number.i32);
        break;
    }
}

/* --- unknown fields: by their number, as far as the encoding tells --- */

struct input {
    const uint8_t *at;
    const uint8_t *end;
};

static bool take_varint(struct input *in, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        uint8_t byte = *in->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool take_fixed(struct input *in, unsigned bytes, uint64_t *value)
{
    if ((size_t)(in->end - in->at) < bytes)
        return false;
    *value = 0;
    for (unsigned i = 0; i < bytes; i++)
        *value |= (uint64_t)*in->at++ << (8 * i);
    return true;
}

static bool print_unknown_number(struct printer *out, struct input *in, unsigned kind, uint64_t number)
{
    uint64_t value;
    bool taken = kind == 0 ? take_varint(in, &value) : take_fixed(in, kind == 1 ? 8 : 4, &value);
    if (!taken)
        return false;
    put_indent(out);
    put_format(out, "%" PRIu64 ": ", number);
    if (kind == 0)
        put_format(out, "%" PRIu64, value);
    else
        put_format(out, "0x%0*" PRIx64, kind == 1 ? 16 : 8, value);
    put(out, "\n", 1);
    return true;
}

static bool print_unknown_bytes(struct printer *out, struct input *in, uint64_t number)
{
    uint64_t size;
    if (!take_varint(in, &size) || size > (size_t)(in->end - in->at))
        return false;
    put_indent(out);
    put_format(out, "%" PRIu64 ": ", number);
    put_quoted(out, (mrpc_bytes){.data = (uint8_t *)(uintptr_t)in->at, .size = (size_t)size}, false);
    put(out, "\n", 1);
    in->at += size;
    return true;
}

static bool open_unknown_group(struct printer *out, uint32_t outermost, uint64_t number)
{
    if (out->indent - outermost >= MRPC_DEPTH_LIMIT)
        return false;
    put_indent(out);
    put_format(out, "%" PRIu64 " {\n", number);
    out->indent++;
    return true;
}

static bool close_group(struct printer *out, uint32_t outermost)
{
    if (out->indent == outermost)
        return false;
    out->indent--;
    put_indent(out);
    put(out, "}\n", 2);
    return true;
}

static bool print_unknown_field(struct printer *out, struct input *in, uint32_t outermost)
{
    uint64_t tag;
    if (!take_varint(in, &tag))
        return false;
    switch (tag & 7) { /* the wire types of the encoding guide */
    case 0:
    case 1:
    case 5:
        return print_unknown_number(out, in, tag & 7, tag >> 3);
    case 2:
        return print_unknown_bytes(out, in, tag >> 3);
    case 3:
        return open_unknown_group(out, outermost, tag >> 3);
    case 4:
        return close_group(out, outermost);
    default:
        return false;
    }
}

static void print_unknown(struct printer *out, const mrpc_unknown *unknown)
{
    if (unknown == NULL)
        return;
    struct input in = {.at = unknown->data, .end = unknown->data + unknown->size};
    uint32_t outermost = out->indent;
    bool sound = true;
    while (sound && in.at < in.end)
        sound = print_unknown_field(out, &in, outermost);
    if (!sound || out->indent != outermost)
        put_comment(out, "# unknown fields that are not well-formed");
    while (close_group(out, outermost))
        ;
}

/* --- messages --- */

static void print_message(struct printer *out, const mrpc_type *type, const void *message, uint32_t depth)
{
    if (message == NULL)
        return;
    if (depth == 0) {
        put_comment(out, "# nested too deeply");
        return;
    }
    print_fields(out, type, message, depth - 1, false);
    print_unknown(out, ((const mrpc_message *)message)->unknown);
}

/* Of a group, the name of its type; else that of the field. */
static const char *printed_name(const mrpc_field *field)
{
    if (field->type != MRPC_TYPE_GROUP)
        return field->name;
    const char *dot = strrchr(field->message->name, '.');
    return dot != NULL ? dot + 1 : field->message->name;
}

static void print_block(struct printer *out, const mrpc_field *field, const void *value, uint32_t depth)
{
    put_text(out, " {\n");
    out->indent++;
    if (field->kind != MRPC_FIELD_MAP)
        print_message(out, field->message, *(const mrpc_any_message *)value, depth);
    else if (depth == 0)
        put_comment(out, "# nested too deeply");
    else
        print_fields(out, field->message, value, depth - 1, true);
    out->indent--;
    put_indent(out);
    put(out, "}\n", 2);
}

static void print_value(struct printer *out, const mrpc_field *field, const void *value, uint32_t depth)
{
    put_indent(out);
    put_text(out, printed_name(field));
    if (field->kind == MRPC_FIELD_MAP || mrpc_field_is_message(field)) {
        print_block(out, field, value, depth);
        return;
    }
    put(out, ": ", 2);
    if (mrpc_field_is_plain(field))
        put_number(out, field, value);
    else
        put_quoted(out, mrpc_any_text(value), field->type == MRPC_TYPE_STRING);
    put(out, "\n", 1);
}

/* `all`: also what is absent, as of the entries of maps. */
static void print_fields(struct printer *out, const mrpc_type *type, const void *message, uint32_t depth, bool all)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const mrpc_field *field = &type->fields[i];
        const char *value = mrpc_field_at(field, message);
        if (!all && !mrpc_field_present(field, message))
            continue;
        if (field->kind != MRPC_FIELD_LIST && field->kind != MRPC_FIELD_MAP) {
            print_value(out, field, value, depth);
            continue;
        }
        const mrpc_any_list *list = (const void *)value;
        size_t width = mrpc_field_width(field);
        for (size_t k = 0; k < list->size; k++)
            print_value(out, field, list->data + k * width, depth);
    }
}

size_t mrpc_message_text(const mrpc_type *type, const void *message, char *buffer, size_t size)
{
    struct printer out = {.buffer = buffer, .size = size};
    print_message(&out, type, message, MRPC_DEPTH_LIMIT + 1);
    if (size > 0)
        buffer[out.length < size ? out.length : size - 1] = '\0';
    return out.length;
}
