/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_decode.c - the functions decode_…, start_…, complete_… and ascends_…: from the protobuf encoding to a message
 */
#include "marshal_parts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "kinds.h"

/* Whether a number may turn out to be an unknown field. In an entry of a map it is looked at when all of the entry was
 * read. */
static bool keeps_unnamed(const schema_field *field)
{
    return schema_is_closed(field) && !field->parent->is_map_entry;
}

/* What follows mrpc_wire_: one value. */
static const char *helper_name(const schema_field *field)
{
    bool list = field->repeated;
    if (field->is_map)
        return schema_is_closed(field->message->fields[1]) ? "add_enum_entry" : "add_entry";
    if (field->type == MRPC_TYPE_GROUP)
        return list ? "add_group" : "take_group";
    if (marshal_is_message(field))
        return list ? "add_message" : "take_message";
    if (marshal_is_text(field) && !schema_checks_text(field))
        return list ? "add_raw" : "take_raw";
    if (marshal_is_text(field))
        return list ? "add_string" : "take_string";
    if (field->type == MRPC_TYPE_BYTES)
        return list ? "add_bytes" : "take_bytes";
    if (keeps_unnamed(field))
        return list ? "add_enum" : "take_enum";
    return list ? "add_number" : "take_number";
}

/* A number that a closed enum does not name is kept as an unknown field of the message, from its tag on. */
static void write_closed_arguments(const schema_field *field, output *out)
{
    output_printf(out, ", &m->base, names_%s%s", field->enumeration->c_name, field->repeated ? "" : ", &named");
}

static void write_entry_arguments(const schema_field *field, output *out)
{
    const schema_field *value = field->message->fields[1];
    output_fill(out, ", sizeof(entry_$E$), depth, decode_$E$, complete_$E$, ascends_$E$", "E", field->message->c_name,
                NULL);
    if (schema_is_closed(value))
        output_fill(out, ", offsetof(entry_$E$, $v$), &m->base, names_$N$", "E", field->message->c_name, "v",
                    value->c_name, "N", value->enumeration->c_name, NULL);
}

static void write_call(const schema_field *field, const char *helper, output *out)
{
    bool keeps = keeps_unnamed(field) || (field->is_map && schema_is_closed(field->message->fields[1]));
    output_printf(out, "            at = mrpc_wire_%s(decoder, %sat, end, &", helper, keeps ? "field, " : "");
    marshal_write_member(field, out);
    if (field->is_map)
        write_entry_arguments(field, out);
    else if (keeps)
        write_closed_arguments(field, out);
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
    if (keeps_unnamed(field)) {
        output_printf(out, "            at = mrpc_wire_add_packed_enums(decoder, at, end, %" PRIu32 ", &",
                      (uint32_t)field->number << 3);
        marshal_write_member(field, out);
        write_closed_arguments(field, out);
        output_printf(out, ", \"%s\");\n", field->full_name);
    } else {
        write_call(field, "add_packed", out);
    }
    output_text(out, "            break;\n");
}

/* What says that the field is there. */
static void write_presence(const schema_field *field, output *out)
{
    bool present = field->oneof != NULL || schema_has_flag(field);
    if (keeps_unnamed(field) && present)
        output_text(out, "            if (named)\n    ");
    if (field->oneof != NULL)
        output_printf(out, "            m->%s_case = %d;\n", field->oneof->c_name, (int)field->number);
    else if (schema_has_flag(field))
        output_printf(out, "            m->has_%s = 1;\n", field->c_name);
}

static void write_case(const schema_field *field, output *out)
{
    output_printf(out, "        case %" PRIu32 ": /* %s */\n", (uint32_t)field->number << 3 | marshal_wire_type(field),
                  field->name);
    if (field->oneof != NULL && marshal_is_message(field))
        output_printf(out, "            if (m->%s_case != %d)\n                m->%s.%s = NULL;\n",
                      field->oneof->c_name, (int)field->number, field->oneof->c_name, field->c_name);
    write_call(field, helper_name(field), out);
    write_presence(field, out);
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

/* The end of a group is the end of its message, unless it is the type of another field too. */
static void write_group_end(const schema_message *message, output *out)
{
    output_printf(out, "        case %" PRIu32 ": /* the end of the group */\n",
                  (uint32_t)message->group_number << 3 | 4);
    output_fill(out,
                "            if (open != 0)\n                end = at;\n            else\n"
                "                at = mrpc_wire_skip(decoder, at, end, tag, depth, \"$name$\");\n"
                "            open = 0;\n            break;\n",
                "name", message->full_name, NULL);
}

/* What more of it may come makes the message complete: see marshal_finish.c. */
static void write_incomplete(const schema_message *message, output *out)
{
    const char *before = "    if (MRPC_UNLIKELY(";
    for (size_t i = 0; i < message->field_count; i++)
        if (message->fields[i]->presence == PRESENCE_REQUIRED) {
            marshal_write_absence(message->fields[i], before, "", out);
            before = " ||\n                      ";
        }
    output_text(out, "))\n        decoder->flags |= MRPC_WIRE_INCOMPLETE;\n");
}

static bool has_required(const schema_message *message)
{
    for (size_t i = 0; i < message->field_count; i++)
        if (message->fields[i]->presence == PRESENCE_REQUIRED)
            return true;
    return false;
}

static bool has_single_enum(const schema_message *message)
{
    for (size_t i = 0; i < message->field_count; i++)
        if (keeps_unnamed(message->fields[i]) && !message->fields[i]->repeated)
            return true;
    return false;
}

static void write_decode_head(const schema_message *message, output *out)
{
    output_fill(
        out,
        "static const uint8_t *decode_$T$(mrpc_decoder *decoder, const uint8_t *at, const uint8_t *end, void *message, "
        "uint32_t depth)\n{\n    $word$_$T$ *m = ($word$_$T$ *)message;\n$open$    while (at < end) {\n$field$$named$"
        "        uint32_t tag = 0;\n"
        "        at = mrpc_wire_take_tag(decoder, at, end, &tag, \"$name$\");\n"
        "        if (MRPC_UNLIKELY(at == NULL))\n            return NULL;\n        switch (tag) {\n",
        "T", message->c_name, "word", marshal_mirror_word(message), "name", message->full_name, "field",
        message->is_map_entry ? "" : "        const uint8_t *field = at;\n", "named",
        has_single_enum(message) ? "        bool named = false;\n" : "", "open",
        message->group_number != 0
            ? "    uint32_t open = depth & MRPC_WIRE_GROUPED;\n    depth &= ~MRPC_WIRE_GROUPED;\n"
            : "",
        NULL);
}

static void write_decode(const schema_message *message, const schema_field *const *fields, output *out)
{
    write_decode_head(message, out);
    for (size_t i = 0; i < message->field_count; i++)
        write_case(fields[i], out);
    if (message->group_number != 0)
        write_group_end(message, out);
    write_default(message, out);
    output_text(out, "        }\n        if (MRPC_UNLIKELY(at == NULL))\n            return NULL;\n    }\n");
    if (message->group_number != 0)
        output_printf(out,
                      "    if (MRPC_UNLIKELY(open != 0))\n"
                      "        return mrpc_wire_wrong(decoder, at, \"%s\", \"is a group that does not end\");\n",
                      message->full_name);
    if (has_required(message))
        write_incomplete(message, out);
    output_text(out, "    return at;\n}\n\n");
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
    output_fill(out, "    entry_$E$ *m = (entry_$E$ *)entry;\n", "E", entry->c_name, NULL);
    if (marshal_is_message(value) && has_required(value->message))
        output_printf(out, "    if (m->%s == NULL)\n        decoder->flags |= MRPC_WIRE_INCOMPLETE;\n", value->c_name);
    output_text(out, "    return ");
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
