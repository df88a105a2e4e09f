/* SPDX-License-Identifier: BSD-2-Clause */
/* print_known.c - the well-known types as JSON */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "json/writer.h"
#include "marshal/extension.h"

static const void *member(const mrpc_type *type, const void *message, unsigned index)
{
    return mrpc_field_member(&type->fields[index], message);
}

static mrpc_bytes text_member(const mrpc_type *type, const void *message, unsigned index)
{
    return mrpc_any_text(member(type, message, index));
}

static void print_time(mrpc_json_writer *out, const mrpc_type *type, const void *message,
                       bool (*put)(int64_t, int32_t, char *))
{
    int64_t seconds;
    int32_t nanos;
    char text[JSON_TIME_SIZE];
    memcpy(&seconds, member(type, message, JSON_SECONDS), sizeof seconds);
    memcpy(&nanos, member(type, message, JSON_NANOS), sizeof nanos);
    if (put(seconds, nanos, text))
        mrpc_json_put_string(out, text, strlen(text));
    else
        mrpc_json_fail(out, MRPC_EFORMAT, "a %s is out of its range", type->name);
}

static void print_mask(mrpc_json_writer *out, const mrpc_type *type, const void *message)
{
    const mrpc_any_list *paths = member(type, message, 0);
    size_t count = mrpc_any_size(paths->data, paths->size), size = 0;
    for (size_t i = 0; i < count; i++)
        size += mrpc_any_text(paths->data + i * sizeof(mrpc_string)).size + 1;
    char *text = malloc(size + 1), *end = text;
    for (size_t i = 0; text != NULL && i < count; i++) {
        mrpc_bytes path = mrpc_any_text(paths->data + i * sizeof(mrpc_string));
        if (i > 0)
            *end++ = ',';
        size_t length = mrpc_json_camel_path((const char *)path.data, path.size, end);
        if (length == SIZE_MAX) {
            mrpc_json_fail(out, MRPC_EFORMAT, "a path of a FieldMask would not come back from JSON");
            length = 0;
        }
        end += length;
    }
    if (text == NULL)
        mrpc_json_fail(out, MRPC_ENOMEM, "there is no memory for the paths of a FieldMask");
    else
        mrpc_json_put_string(out, text, (size_t)(end - text));
    free(text);
}

static void print_dynamic(mrpc_json_writer *out, const mrpc_type *type, const void *message, uint32_t depth)
{
    double number;
    for (uint32_t i = 0; i < type->field_count; i++) {
        const mrpc_field *field = &type->fields[i];
        if (!mrpc_field_present(field, message))
            continue;
        if (i == JSON_NUMBER_VALUE) {
            memcpy(&number, member(type, message, i), sizeof number);
            if (isnan(number) || isinf(number))
                mrpc_json_fail(out, MRPC_EFORMAT, "a Value is not finite, which JSON has no number for");
        }
        mrpc_json_print_value(out, field, member(type, message, i), depth);
        return;
    }
    mrpc_json_fail(out, MRPC_EFORMAT, "a Value has no value");
}

/* --- Any --- */

static void print_inner(mrpc_json_writer *out, const mrpc_type *type, mrpc_bytes url, const void *message,
                        uint32_t depth)
{
    bool first, ordinary = mrpc_json_known_of(type) == MRPC_JSON_ORDINARY;
    mrpc_json_open(out, '{', &first);
    mrpc_json_next(out, &first);
    mrpc_json_put_name(out, "@type", 5);
    mrpc_json_put_string(out, (const char *)url.data, url.size);
    if (ordinary) {
        mrpc_json_print_fields(out, type, message, &first, depth);
    } else {
        mrpc_json_next(out, &first);
        mrpc_json_put_name(out, "value", 5);
        mrpc_json_print_message(out, type, message, depth);
    }
    mrpc_json_close(out, '}', first);
}

static void print_any(mrpc_json_writer *out, const mrpc_type *any, const void *message, uint32_t depth)
{
    mrpc_bytes url = text_member(any, message, JSON_TYPE_URL), bytes = text_member(any, message, JSON_BYTES);
    const char *slash = url.size > 0 ? memrchr(url.data, '/', url.size) : NULL;
    const char *end = (const char *)url.data + url.size;
    char name[256] = "";
    void *inner = NULL;
    mrpc_error reason = {0};
    if (url.size == 0 && bytes.size == 0) {
        mrpc_json_put_text(out, "{}");
        return;
    }
    if (slash != NULL && (size_t)(end - slash - 1) < sizeof name)
        memcpy(name, slash + 1, (size_t)(end - slash - 1));
    const mrpc_type *type = mrpc_find_message_type(out->file, out->options.registry, name);
    if (type == NULL || depth == 0) {
        mrpc_json_fail(out, MRPC_EFORMAT,
                       type == NULL ? "an Any has a type that is not known: %s" : "nested too deeply: %s", name);
        return;
    }
    int result = mrpc_message_decode(type, bytes.data, bytes.size, NULL, &inner, &reason);
    if (result != 0)
        mrpc_json_fail(out, result, "an Any: %s", mrpc_error_text(&reason));
    else
        print_inner(out, type, url, inner, depth - 1);
    mrpc_release(inner);
}

void mrpc_json_print_known(mrpc_json_writer *out, mrpc_json_known known, const mrpc_type *type, const void *message,
                           uint32_t depth)
{
    switch (known) {
    case MRPC_JSON_ANY:
        print_any(out, type, message, depth);
        break;
    case MRPC_JSON_DURATION:
        print_time(out, type, message, mrpc_json_put_duration);
        break;
    case MRPC_JSON_TIMESTAMP:
        print_time(out, type, message, mrpc_json_put_timestamp);
        break;
    case MRPC_JSON_FIELD_MASK:
        print_mask(out, type, message);
        break;
    case MRPC_JSON_LIST_VALUE:
    case MRPC_JSON_STRUCT:
        mrpc_json_print_list(out, &type->fields[0], member(type, message, 0), depth);
        break;
    case MRPC_JSON_VALUE:
        print_dynamic(out, type, message, depth);
        break;
    case MRPC_JSON_WRAPPER:
        mrpc_json_print_value(out, &type->fields[0], member(type, message, 0), depth);
        break;
    case MRPC_JSON_ORDINARY:
        break;
    }
}
