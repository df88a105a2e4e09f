/* SPDX-License-Identifier: BSD-2-Clause */
/* value.c - single values of JSON */
#include "config.h"

#include <float.h>
#include <math.h>

#include "json/parser.h"

/* Most bytes of a number in a string that is looked at; longer ones have escapes, or are none. */
enum { NUMBER_MAX = 512 };

int mrpc_json_take_text(mrpc_json_parser *parser, const mrpc_json_lexer *token, void *owner, mrpc_string *text)
{
    mrpc_bytes bytes;
    if (mrpc_bytes_reserve(owner, &bytes, token->size - 1) != 0)
        return mrpc_json_no_memory(parser);
    size_t size = mrpc_json_unescape(token, (char *)bytes.data);
    bytes.data[size] = '\0';
    *text = (mrpc_string){.data = (char *)bytes.data, .size = size};
    return 0;
}

/* --- numbers --- */

/* The text of a number token, or of a string; false: neither. */
static bool number_text(const mrpc_json_lexer *token, char *text, size_t *size)
{
    if (token->size > NUMBER_MAX || (token->kind != MRPC_JSON_NUMBER && token->kind != MRPC_JSON_STRING))
        return false;
    if (token->kind == MRPC_JSON_STRING)
        *size = mrpc_json_unescape(token, text);
    else
        memcpy(text, token->token, *size = token->size);
    return true;
}

static int take_whole(mrpc_json_parser *parser, const mrpc_json_lexer *token, uint64_t least, uint64_t most,
                      uint64_t *value)
{
    char text[NUMBER_MAX];
    size_t size;
    if (number_text(token, text, &size) && mrpc_json_whole(text, size, least, most, value))
        return 0;
    return mrpc_json_refuse(parser, MRPC_EFORMAT, "a whole number is expected that is not out of range");
}

static int store_whole(mrpc_json_parser *parser, const mrpc_field *field, const mrpc_json_lexer *token, void *to)
{
    bool is_wide = mrpc_field_width(field) == sizeof(uint64_t), is_signed;
    switch ((mrpc_field_type)field->type) {
    case MRPC_TYPE_UINT32:
    case MRPC_TYPE_UINT64:
    case MRPC_TYPE_FIXED32:
    case MRPC_TYPE_FIXED64:
        is_signed = false;
        break;
    default:
        is_signed = true;
    }
    unsigned bits = is_wide ? 64 : 32;
    uint64_t wide, most = UINT64_MAX >> (64 - bits), least = 0;
    if (is_signed) {
        most >>= 1;
        least = most + 1;
    }
    int result = take_whole(parser, token, least, most, &wide);
    uint32_t narrow = (uint32_t)wide;
    if (result == 0)
        memcpy(to, is_wide ? (const void *)&wide : &narrow, is_wide ? sizeof wide : sizeof narrow);
    return result;
}

static bool special(const char *text, size_t size, double *value)
{
    static const struct {
        const char *name;
        double value;
    } names[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i].name) == size && memcmp(names[i].name, text, size) == 0) {
            *value = names[i].value;
            return true;
        }
    }
    return false;
}

static int take_real(mrpc_json_parser *parser, double *value)
{
    const mrpc_json_lexer *token = &parser->lexer;
    char text[NUMBER_MAX];
    size_t size;
    if (number_text(token, text, &size) &&
        (mrpc_json_real(text, size, value) || (token->kind == MRPC_JSON_STRING && special(text, size, value))))
        return 0;
    return mrpc_json_refuse(parser, MRPC_EFORMAT, "a number is expected that is not out of range");
}

static int parse_double(mrpc_json_parser *parser, void *to)
{
    double value;
    int result = take_real(parser, &value);
    if (result == 0)
        memcpy(to, &value, sizeof value);
    return result;
}

static int parse_float(mrpc_json_parser *parser, void *to)
{
    static const double halfway = 0x1.ffffffp127; /* between FLT_MAX and what would come next */
    double value;
    int result = take_real(parser, &value);
    if (result != 0)
        return result;
    if (!isinf(value) && fabs(value) >= halfway)
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "a number is expected that is not out of range");
    float narrow =
        !isinf(value) && fabs(value) > (double)FLT_MAX ? copysignf(FLT_MAX, (float)copysign(1, value)) : (float)value;
    memcpy(to, &narrow, sizeof narrow);
    return 0;
}

static int parse_bool(mrpc_json_parser *parser, void *to)
{
    if (parser->lexer.kind != MRPC_JSON_TRUE && parser->lexer.kind != MRPC_JSON_FALSE)
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "true or false is expected");
    *(bool *)to = parser->lexer.kind == MRPC_JSON_TRUE;
    return 0;
}

/* --- enums --- */

static bool find_enum(const mrpc_enum *enumeration, const char *name, size_t size, int32_t *number)
{
    for (uint32_t i = 0; i < enumeration->value_count; i++) {
        const mrpc_enum_value *value = &enumeration->values[i];
        if (strlen(value->name) == size && memcmp(value->name, name, size) == 0) {
            *number = value->number;
            return true;
        }
    }
    return false;
}

static int parse_enum_name(mrpc_json_parser *parser, const mrpc_field *field, int32_t *number)
{
    char text[NUMBER_MAX];
    size_t size;
    bool fits = number_text(&parser->lexer, text, &size);
    if (fits && find_enum(field->enumeration, text, size, number))
        return 0;
    if (parser->ignore_unknown)
        return JSON_IGNORED;
    return mrpc_json_refuse(parser, MRPC_EFORMAT, "%s has no value of that name", field->enumeration->name);
}

static int parse_enum(mrpc_json_parser *parser, const mrpc_field *field, void *to)
{
    int32_t number = 0;
    int result = 0;
    if (parser->lexer.kind == MRPC_JSON_STRING)
        result = parse_enum_name(parser, field, &number);
    else if (parser->lexer.kind != MRPC_JSON_NULL || !mrpc_json_is_null_enum(field))
        result = store_whole(parser, field, &parser->lexer, &number);
    if (result != 0)
        return result;
    if ((field->flags & MRPC_FIELD_CLOSED) != 0 && mrpc_enum_name(field->enumeration, number) == NULL)
        return parser->ignore_unknown
                   ? JSON_IGNORED
                   : mrpc_json_refuse(parser, MRPC_EFORMAT, "%s has no value of that number", field->enumeration->name);
    memcpy(to, &number, sizeof number);
    return 0;
}

/* --- strings and bytes --- */

/* RFC 4648, sections 4 and 5. */
static unsigned base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : 64;
}

/* In place: what is decoded is shorter. False: that is no base64. The padding may be left out. */
static bool decode_base64(mrpc_bytes *bytes)
{
    size_t size = bytes->size, count = 0;
    uint32_t word = 0;
    while (size > 0 && bytes->size - size < 2 && bytes->data[size - 1] == '=')
        size--;
    if (size % 4 == 1 || (size != bytes->size && bytes->size % 4 != 0))
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned digit = base64_digit((char)bytes->data[i]);
        if (digit > 63)
            return false;
        word = word << 6 | digit;
        if (i % 4 != 0)
            bytes->data[count++] = (uint8_t)(word >> (6 - 2 * (i % 4)));
    }
    bytes->size = count;
    return true;
}

static int parse_string(mrpc_json_parser *parser, const mrpc_field *field, void *owner, void *to)
{
    mrpc_string text;
    if (parser->lexer.kind != MRPC_JSON_STRING)
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "a string is expected");
    int result = mrpc_json_take_text(parser, &parser->lexer, owner, &text);
    if (result != 0)
        return result;
    mrpc_bytes bytes = {.data = (uint8_t *)text.data, .size = text.size};
    if (field->type == MRPC_TYPE_BYTES && !decode_base64(&bytes))
        return mrpc_json_refuse(parser, MRPC_EFORMAT, "base64 is expected");
    memcpy(to, &bytes, sizeof bytes);
    return 0;
}

/* --- all of them --- */

static int parse_scalar(mrpc_json_parser *parser, const mrpc_field *field, void *owner, void *value)
{
    switch ((mrpc_field_type)field->type) {
    case MRPC_TYPE_DOUBLE:
        return parse_double(parser, value);
    case MRPC_TYPE_FLOAT:
        return parse_float(parser, value);
    case MRPC_TYPE_BOOL:
        return parse_bool(parser, value);
    case MRPC_TYPE_ENUM:
        return parse_enum(parser, field, value);
    case MRPC_TYPE_STRING:
    case MRPC_TYPE_BYTES:
        return parse_string(parser, field, owner, value);
    default:
        return store_whole(parser, field, &parser->lexer, value);
    }
}

int mrpc_json_parse_value(mrpc_json_parser *parser, const mrpc_field *field, void *owner, void *value, uint32_t depth)
{
    if (!mrpc_field_is_message(field)) {
        int result = parse_scalar(parser, field, owner, value);
        if (result >= 0)
            mrpc_json_lexer_next(&parser->lexer);
        return result;
    }
    void *message = mrpc_message_new_in(field->message, owner);
    if (message == NULL)
        return mrpc_json_no_memory(parser);
    *(mrpc_any_message *)value = message;
    return mrpc_json_parse_message(parser, field->message, message, depth);
}

int mrpc_json_parse_key(mrpc_json_parser *parser, const mrpc_field *field, const mrpc_json_lexer *name, void *owner,
                        void *value)
{
    char text[NUMBER_MAX];
    size_t size = name->size <= sizeof text ? mrpc_json_unescape(name, text) : 0;
    bool is_true = size == 4 && memcmp(text, "true", 4) == 0, is_false = size == 5 && memcmp(text, "false", 5) == 0;
    if (field->type == MRPC_TYPE_STRING)
        return mrpc_json_take_text(parser, name, owner, value);
    if (field->type != MRPC_TYPE_BOOL)
        return store_whole(parser, field, name, value);
    *(bool *)value = is_true;
    return is_true || is_false ? 0
                               : mrpc_json_refuse(parser, MRPC_EFORMAT, "\"true\" or \"false\" is expected as the key");
}
