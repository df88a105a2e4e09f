/* SPDX-License-Identifier: BSD-2-Clause */
/* value.c - single values of text */
#include "config.h"

#include <float.h>
#include <math.h>

#include <mrpc/marshal/text.h>

#include "text/parser.h"

static bool is_word(const mrpc_text_parser *parser, const char *word)
{
    return parser->lexer.kind == MRPC_TOKEN_NAME && strlen(word) == parser->lexer.size &&
           memcmp(word, parser->lexer.token, parser->lexer.size) == 0;
}

/* --- whole numbers --- */

/* A whole number that is at most `most`, or, with a minus, at least -`least`: in two's complement. */
static int parse_whole(mrpc_text_parser *parser, uint64_t most, uint64_t least, uint64_t *value)
{
    bool negative = mrpc_text_take(parser, '-');
    if (parser->lexer.kind != MRPC_TOKEN_NUMBER || !mrpc_literal_whole(&parser->lexer, value))
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "a whole number is expected");
    if (*value > (negative ? least : most))
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "the number is out of range");
    if (negative)
        *value = -*value;
    mrpc_lexer_next(&parser->lexer);
    return 0;
}

static int parse_narrow(mrpc_text_parser *parser, uint64_t most, uint64_t least, void *to)
{
    uint64_t wide;
    int result = parse_whole(parser, most, least, &wide);
    uint32_t narrow = (uint32_t)wide;
    if (result == 0)
        memcpy(to, &narrow, sizeof narrow);
    return result;
}

static int parse_wide(mrpc_text_parser *parser, uint64_t most, uint64_t least, void *to)
{
    uint64_t wide;
    int result = parse_whole(parser, most, least, &wide);
    if (result == 0)
        memcpy(to, &wide, sizeof wide);
    return result;
}

/* --- other numbers --- */

static int parse_double(mrpc_text_parser *parser, double *value)
{
    bool negative = mrpc_text_take(parser, '-');
    if (!mrpc_literal_real(&parser->lexer, value))
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "a number is expected");
    if (negative)
        *value = -*value;
    mrpc_lexer_next(&parser->lexer);
    return 0;
}

/* Too large a number becomes infinite, as in other parsers. */
static float narrowed(double value)
{
    static const double halfway = 0x1.ffffffp127; /* between FLT_MAX and what would come next */
    if (value >= halfway || value <= -halfway)
        return value > 0 ? INFINITY : -INFINITY;
    if (value > (double)FLT_MAX || value < -(double)FLT_MAX)
        return value > 0 ? FLT_MAX : -FLT_MAX;
    return (float)value;
}

static int parse_float(mrpc_text_parser *parser, float *value)
{
    double wide = 0;
    int result = parse_double(parser, &wide);
    *value = narrowed(wide);
    return result;
}

static int parse_bool(mrpc_text_parser *parser, bool *value)
{
    uint64_t number = 2;
    *value = is_word(parser, "true") || is_word(parser, "True") || is_word(parser, "t");
    bool known = *value || is_word(parser, "false") || is_word(parser, "False") || is_word(parser, "f");
    if (!known && parser->lexer.kind == MRPC_TOKEN_NUMBER && mrpc_literal_whole(&parser->lexer, &number))
        *value = number == 1;
    if (!known && number > 1)
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "true or false is expected");
    mrpc_lexer_next(&parser->lexer);
    return 0;
}

/* --- enums --- */

static const mrpc_enum_value *find_name(const mrpc_enum *enumeration, const mrpc_lexer *lexer)
{
    for (uint32_t i = 0; i < enumeration->value_count; i++)
        if (strlen(enumeration->values[i].name) == lexer->size &&
            memcmp(enumeration->values[i].name, lexer->token, lexer->size) == 0)
            return &enumeration->values[i];
    return NULL;
}

static int parse_enum(mrpc_text_parser *parser, const mrpc_field *field, int32_t *value)
{
    mrpc_lexer before = parser->lexer;
    if (before.kind != MRPC_TOKEN_NAME) {
        int result = parse_narrow(parser, INT32_MAX, UINT64_C(1) << 31, value);
        if (result != 0 || (field->flags & MRPC_FIELD_CLOSED) == 0 ||
            mrpc_enum_name(field->enumeration, *value) != NULL)
            return result;
        parser->lexer = before;
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "%s has no value of that number", field->enumeration->name);
    }
    const mrpc_enum_value *named = find_name(field->enumeration, &before);
    if (named == NULL)
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "%s has no value of that name", field->enumeration->name);
    *value = named->number;
    mrpc_lexer_next(&parser->lexer);
    return 0;
}

/* --- strings --- */

/* How many bytes the string can have at most: its tokens may stand one behind another. */
static size_t size_of_strings(mrpc_lexer lexer)
{
    size_t size = 0;
    for (; lexer.kind == MRPC_TOKEN_STRING; mrpc_lexer_next(&lexer))
        size += lexer.size - 2;
    return size;
}

static int unescape_all(mrpc_text_parser *parser, mrpc_bytes *bytes)
{
    size_t size = 0, more;
    for (; parser->lexer.kind == MRPC_TOKEN_STRING; mrpc_lexer_next(&parser->lexer)) {
        const char *problem = mrpc_literal_unescape(&parser->lexer, (char *)bytes->data + size, &more);
        if (problem != NULL)
            return mrpc_text_refuse(parser, MRPC_EFORMAT, "%s", problem);
        size += more;
    }
    bytes->data[size] = '\0';
    bytes->size = size;
    return 0;
}

static int parse_string(mrpc_text_parser *parser, const mrpc_field *field, void *owner, mrpc_bytes *value)
{
    mrpc_lexer before = parser->lexer;
    if (before.kind != MRPC_TOKEN_STRING)
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "a string in quotes is expected");
    if (mrpc_bytes_reserve(owner, value, size_of_strings(before) + 1) != 0)
        return mrpc_text_no_memory(parser);
    int result = unescape_all(parser, value);
    bool is_any = field->type == MRPC_TYPE_BYTES || (field->flags & MRPC_FIELD_RAW) != 0;
    if (result != 0 || is_any || mrpc_text_valid((const char *)value->data, value->size))
        return result;
    parser->lexer = before;
    return mrpc_text_refuse(parser, MRPC_EFORMAT, "the string is not UTF-8");
}

/* --- messages --- */

static int parse_message(mrpc_text_parser *parser, const mrpc_field *field, void *owner, void *value, uint32_t depth)
{
    char close;
    if (depth == 0)
        return mrpc_text_refuse(parser, MRPC_EFORMAT, "messages are nested too deeply");
    int result = mrpc_text_open(parser, &close);
    if (result != 0)
        return result;
    void *message = mrpc_message_new_in(field->message, owner);
    if (message == NULL)
        return mrpc_text_no_memory(parser);
    *(mrpc_any_message *)value = message;
    return mrpc_text_parse_fields(parser, field->message, message, close, depth - 1);
}

int mrpc_text_parse_value(mrpc_text_parser *parser, const mrpc_field *field, void *owner, void *value, uint32_t depth)
{
    switch ((mrpc_field_type)field->type) {
    case MRPC_TYPE_DOUBLE:
        return parse_double(parser, value);
    case MRPC_TYPE_FLOAT:
        return parse_float(parser, value);
    case MRPC_TYPE_INT32:
    case MRPC_TYPE_SINT32:
    case MRPC_TYPE_SFIXED32:
        return parse_narrow(parser, INT32_MAX, UINT64_C(1) << 31, value);
    case MRPC_TYPE_UINT32:
    case MRPC_TYPE_FIXED32:
        return parse_narrow(parser, UINT32_MAX, 0, value);
    case MRPC_TYPE_INT64:
    case MRPC_TYPE_SINT64:
    case MRPC_TYPE_SFIXED64:
        return parse_wide(parser, INT64_MAX, UINT64_C(1) << 63, value);
    case MRPC_TYPE_UINT64:
    case MRPC_TYPE_FIXED64:
        return parse_wide(parser, UINT64_MAX, 0, value);
    case MRPC_TYPE_BOOL:
        return parse_bool(parser, value);
    case MRPC_TYPE_ENUM:
        return parse_enum(parser, field, value);
    case MRPC_TYPE_STRING:
    case MRPC_TYPE_BYTES:
        return parse_string(parser, field, owner, value);
    case MRPC_TYPE_MESSAGE:
    case MRPC_TYPE_GROUP:
        break;
    }
    return parse_message(parser, field, owner, value, depth);
}
