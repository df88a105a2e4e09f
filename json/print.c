/* SPDX-License-Identifier: BSD-2-Clause */
/* print.c - messages as JSON, see <mrpc/json.h> */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include <mrpc/marshal.h>

#include "json/writer.h"

enum { NAME_SIZE = 512, INDENT_MAX = 16 };

/* --- values --- */

static uint32_t narrow(const void *value)
{
    uint32_t number;
    memcpy(&number, value, sizeof number);
    return number;
}

static uint64_t wide(const void *value)
{
    uint64_t number;
    memcpy(&number, value, sizeof number);
    return number;
}

static void print_enum(mrpc_json_writer *out, const mrpc_field *field, const void *value)
{
    int32_t number = (int32_t)narrow(value);
    const char *name = out->options.print_enum_numbers ? NULL : mrpc_enum_name(field->enumeration, number);
    if (mrpc_json_is_null_enum(field))
        mrpc_json_put_text(out, "null");
    else if (name != NULL)
        mrpc_json_put_string(out, name, strlen(name));
    else
        mrpc_json_put_format(out, "%" PRId32, number);
}

void mrpc_json_print_value(mrpc_json_writer *out, const mrpc_field *field, const void *value, uint32_t depth)
{
    mrpc_bytes text;
    double real;
    switch ((mrpc_field_type)field->type) {
    case MRPC_TYPE_DOUBLE:
        memcpy(&real, value, sizeof real);
        mrpc_json_put_double(out, real);
        break;
    case MRPC_TYPE_FLOAT:
        mrpc_json_put_float(out, *(const float *)value);
        break;
    case MRPC_TYPE_INT32:
    case MRPC_TYPE_SINT32:
    case MRPC_TYPE_SFIXED32:
        mrpc_json_put_format(out, "%" PRId32, (int32_t)narrow(value));
        break;
    case MRPC_TYPE_UINT32:
    case MRPC_TYPE_FIXED32:
        mrpc_json_put_format(out, "%" PRIu32, narrow(value));
        break;
    case MRPC_TYPE_INT64:
    case MRPC_TYPE_SINT64:
    case MRPC_TYPE_SFIXED64:
        mrpc_json_put_format(out, "\"%" PRId64 "\"", (int64_t)wide(value));
        break;
    case MRPC_TYPE_UINT64:
    case MRPC_TYPE_FIXED64:
        mrpc_json_put_format(out, "\"%" PRIu64 "\"", wide(value));
        break;
    case MRPC_TYPE_BOOL:
        mrpc_json_put_text(out, mrpc_any_bool(value) ? "true" : "false");
        break;
    case MRPC_TYPE_ENUM:
        print_enum(out, field, value);
        break;
    case MRPC_TYPE_STRING:
        text = mrpc_any_text(value);
        mrpc_json_put_string(out, (const char *)text.data, text.size);
        break;
    case MRPC_TYPE_BYTES:
        mrpc_json_put_base64(out, mrpc_any_text(value));
        break;
    case MRPC_TYPE_MESSAGE:
    case MRPC_TYPE_GROUP:
        mrpc_json_print_message(out, field->message, *(const mrpc_any_message *)value, depth);
        break;
    }
}

/* Keys are strings, whatever they are. */
static void print_key(mrpc_json_writer *out, const mrpc_field *field, const void *value)
{
    bool quoted = field->type == MRPC_TYPE_STRING || mrpc_field_width(field) == sizeof(uint64_t);
    if (!quoted)
        mrpc_json_put(out, "\"", 1);
    mrpc_json_print_value(out, field, value, 0);
    mrpc_json_put_text(out, quoted ? "" : "\"");
    mrpc_json_put_text(out, out->options.indent > 0 ? ": " : ":");
}

static void print_map(mrpc_json_writer *out, const mrpc_field *field, const mrpc_any_list *map, uint32_t depth)
{
    const mrpc_type *entry = field->message;
    bool first;
    mrpc_json_open(out, '{', &first);
    for (size_t i = 0; i < mrpc_any_size(map->data, map->size) && out->result == 0; i++) {
        const char *at = map->data + i * entry->size;
        mrpc_json_next(out, &first);
        print_key(out, &entry->fields[0], mrpc_field_member(&entry->fields[0], at));
        mrpc_json_print_value(out, &entry->fields[1], mrpc_field_member(&entry->fields[1], at), depth);
    }
    mrpc_json_close(out, '}', first);
}

void mrpc_json_print_list(mrpc_json_writer *out, const mrpc_field *field, const void *any, uint32_t depth)
{
    const mrpc_any_list *list = any;
    size_t width = mrpc_field_width(field);
    bool first;
    if (field->kind == MRPC_FIELD_MAP) {
        print_map(out, field, list, depth);
        return;
    }
    mrpc_json_open(out, '[', &first);
    for (size_t i = 0; i < mrpc_any_size(list->data, list->size) && out->result == 0; i++) {
        mrpc_json_next(out, &first);
        mrpc_json_print_value(out, field, list->data + i * width, depth);
    }
    mrpc_json_close(out, ']', first);
}

/* --- messages --- */

/* Fields that could not be told from absent ones anyway. */
static bool is_printed_absent(const mrpc_field *field)
{
    return field->kind == MRPC_FIELD_IMPLICIT || field->kind == MRPC_FIELD_LIST || field->kind == MRPC_FIELD_MAP;
}

static void print_name(mrpc_json_writer *out, const mrpc_field *field)
{
    char name[NAME_SIZE];
    size_t size = mrpc_json_name(field, name, sizeof name);
    if (out->options.print_schema_names || size >= sizeof name)
        mrpc_json_put_name(out, field->name, strlen(field->name));
    else
        mrpc_json_put_name(out, name, size);
}

void mrpc_json_print_fields(mrpc_json_writer *out, const mrpc_type *type, const void *message, bool *first,
                            uint32_t depth)
{
    for (uint32_t i = 0; i < type->field_count && out->result == 0; i++) {
        const mrpc_field *field = &type->fields[i];
        const char *value = mrpc_field_member(field, message);
        if (!mrpc_field_present(field, message) && !(out->options.print_absent && is_printed_absent(field)))
            continue;
        mrpc_json_next(out, first);
        print_name(out, field);
        if (field->kind == MRPC_FIELD_LIST || field->kind == MRPC_FIELD_MAP)
            mrpc_json_print_list(out, field, value, depth);
        else
            mrpc_json_print_value(out, field, value, depth);
    }
    mrpc_json_print_extensions(out, type, message, first, depth);
}

void mrpc_json_print_message(mrpc_json_writer *out, const mrpc_type *type, const void *message, uint32_t depth)
{
    mrpc_json_known known = mrpc_json_known_of(type);
    bool first;
    if (depth == 0 || message == NULL) {
        mrpc_json_fail(out, MRPC_EFORMAT, message == NULL ? "a message is NULL" : "messages are nested too deeply");
        return;
    }
    if (known != MRPC_JSON_ORDINARY) {
        mrpc_json_print_known(out, known, type, message, depth - 1);
        return;
    }
    mrpc_json_open(out, '{', &first);
    mrpc_json_print_fields(out, type, message, &first, depth - 1);
    mrpc_json_close(out, '}', first);
}

int mrpc_json_print(const mrpc_type *type, const void *message, const mrpc_json_options *options, char **text,
                    size_t *size, mrpc_error *error)
{
    mrpc_error ignored;
    mrpc_json_writer out = {.file = type->file, .error = error != NULL ? error : &ignored};
    if (options != NULL)
        out.options = *options;
    if (out.options.indent > INDENT_MAX)
        out.options.indent = INDENT_MAX;
    mrpc_json_print_message(&out, type, message, MRPC_DEPTH_LIMIT + 1);
    if (out.result != 0) {
        free(out.text);
        out.text = NULL;
    }
    *text = out.text;
    if (size != NULL)
        *size = out.result == 0 ? out.size : 0;
    return out.result;
}
