/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_decode.c - the functions decode_…, start_…, complete_… and ascends_…: from the protobuf encoding to a message
 */
#include "marshal_parts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "kinds.h"

/* What follows mrpc_wire_: one value. */
static const char *helper_name(const schema_field *field)
{
    bool list = field->repeated;
    if (field->is_map)
        return "add_entry";
    if (marshal_is_message(field))
        return list ? "add_message" : "take_message";
    if (marshal_is_text(field))
        return list ? "add_string" : "take_string";
    if (field->type == MRPC_TYPE_BYTES)
        return list ? "add_bytes" : "take_bytes";
    return list ? "add_number" : "take_number";
}

static void write_call(const schema_field *field, const char *helper, output *out)
{
    output_printf(out, "            at = mrpc_wire_%s(decoder, at, end, &", helper);
    marshal_write_member(field, out);
    if (field->is_map)
        output_fill(out, ", sizeof(entry_$E$), depth, decode_$E$, complete_$E$, ascends_$E$", "E",
                    field->message->c_name, NULL);
    else if (marshal_is_message(field))
        output_fill(out, ", sizeof(message_$T$), depth, start_$T$, decode_$T$", "T", field->message->c_name, NULL);
    else if (marshal_width(field) != 0)
        output_printf(out, ", %s", marshal_wire_kind(field));
    output_printf(out, ", \"%s\");\n", field->full_name);
}

/* The tag that the field has in the form in which it is not written, but which must be read as well; lists of numbers
 * only. */
static void write_other_form(const schema_field *field, output *out)
{
    output_printf(out, "        case %" PRIu32 ":\n", (uint32_t)field->number << 3 | 2);
    write_call(field, "add_packed", out);
    output_text(out, "            break;\n");
}

static void write_case(const schema_field *field, output *out)
{
    output_printf(out, "        case %" PRIu32 ": /* %s */\n", (uint32_t)field->number << 3 | marshal_wire_type(field),
                  field->name);
    if (field->oneof != NULL && marshal_is_message(field))
        output_printf(out, "            if (m->%s_case != %d)\n                m->%s.%s = NULL;\n",
                      field->oneof->c_name, (int)field->number, field->oneof->c_name, field->c_name);
    write_call(field, helper_name(field), out);
    if (field->oneof != NULL)
        output_printf(out, "            m->%s_case = %d;\n", field->oneof->c_name, (int)field->number);
    else if (schema_has_flag(field))
        output_printf(out, "            m->has_%s = 1;\n", field->c_name);
    output_text(out, "            break;\n");
    if (field->repeated && marshal_width(field) != 0)
        write_other_form(field, out);
}

static void write_default(const schema_message *message, output *out)
{
    output_text(out, "        default:\n");
    if (message->is_map_entry)
        output_printf(out, "            at = mrpc_wire_skip(decoder, at, end, tag, depth, \"%s\");\n",
                      message->full_name);
    else
        output_printf(
            out, "            at = mrpc_wire_take_unknown(decoder, field, at, end, tag, &m->base, depth, \"%s\");\n",
            message->full_name);
}

static void write_decode(const schema_message *message, const schema_field *const *fields, output *out)
{
    output_fill(
        out,
        "static const uint8_t *decode_$T$(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end, void *message, "
        "uint32_t depth)\n{\n    $word$_$T$ *m = ($word$_$T$ *)message;\n    while (at < end) {\n$field$        "
        "uint32_t tag = 0;\n"
        "        at = mrpc_wire_take_tag(decoder, at, end, &tag, \"$name$\");\n"
        "        if (MRPC_UNLIKELY(at == NULL))\n            return NULL;\n        switch (tag) {\n",
        "T", message->c_name, "word", marshal_mirror_word(message), "name", message->full_name, "field",
        message->is_map_entry ? "" : "        const uint8_t *field = at;\n", NULL);
    for (size_t i = 0; i < message->field_count; i++)
        write_case(fields[i], out);
    write_default(message, out);
    output_text(
        out,
        "        }\n        if (MRPC_UNLIKELY(at == NULL))\n            return NULL;\n    }\n    return at;\n}\n\n");
}

/* A new message has texts that are empty, not NULL. */
static void write_start(const schema_message *message, output *out)
{
    output body = {0};
    for (size_t i = 0; i < message->field_count; i++)
        if (marshal_is_text(message->fields[i]) && !message->fields[i]->repeated && message->fields[i]->oneof == NULL)
            output_printf(&body, "    mrpc_wire_start_string(&m->%s);\n", message->fields[i]->c_name);
    output_printf(out, "static void start_%s(void *message)\n{\n", message->c_name);
    if (body.size != 0)
        output_fill(out, "    message_$T$ *m = (message_$T$ *)message;\n$body$", "T", message->c_name, "body",
                    output_string(&body), NULL);
    else
        output_text(out, "    (void)message;\n");
    output_text(out, "}\n\n");
    out->failed |= body.failed;
    output_free(&body);
}

static void write_complete(const schema_message *entry, output *out)
{
    const schema_field *value = entry->fields[1];
    bool key_text = marshal_is_text(entry->fields[0]),
         needed = key_text || marshal_is_text(value) || marshal_is_message(value);
    output_fill(out, "static bool complete_$E$(mrpc_decoder *decoder, void *entry)\n{\n", "E", entry->c_name, NULL);
    if (!needed) {
        output_text(out, "    (void)decoder;\n    (void)entry;\n    return true;\n}\n\n");
        return;
    }
    output_fill(out, "    entry_$E$ *m = (entry_$E$ *)entry;\n    return ", "E", entry->c_name, NULL);
    if (key_text)
        output_printf(out, "mrpc_wire_complete_string(decoder, &m->%s)", entry->fields[0]->c_name);
    if (key_text && (marshal_is_text(value) || marshal_is_message(value)))
        output_text(out, " &&\n           ");
    if (marshal_is_text(value))
        output_printf(out, "mrpc_wire_complete_string(decoder, &m->%s)", value->c_name);
    else if (marshal_is_message(value))
        output_fill(out, "mrpc_wire_complete_message(decoder, &m->$v$, sizeof(message_$T$), start_$T$)", "v",
                    value->c_name, "T", value->message->c_name, NULL);
    output_text(out, ";\n}\n\n");
}

static void write_ascends(const schema_message *entry, output *out)
{
    const schema_field *key = entry->fields[0];
    output_fill(out,
                "static bool ascends_$E$(const void *a, const void *b)\n{\n"
                "    const entry_$E$ *before = (const entry_$E$ *)a, *behind = (const entry_$E$ *)b;\n    return ",
                "E", entry->c_name, NULL);
    if (marshal_is_text(key))
        output_fill(out, "mrpc_wire_text_ascends(&before->$k$, &behind->$k$)", "k", key->c_name, NULL);
    else
        marshal_write_ascends(key, "before->", "behind->", out);
    output_text(out, ";\n}\n\n");
}

void marshal_write_decode(const schema_message *message, output *out)
{
    const schema_field **fields = calloc(message->field_count + 1, sizeof(schema_field *));
    if (fields == NULL) {
        out->failed = true;
        return;
    }
    schema_sort_fields(message, fields);
    if (message->is_map_entry) {
        write_complete(message, out);
        write_ascends(message, out);
    } else {
        write_start(message, out);
    }
    write_decode(message, fields, out);
    free(fields);
}
