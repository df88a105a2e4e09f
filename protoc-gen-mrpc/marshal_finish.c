/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * marshal_finish.c - the functions finish_…: sort the maps in and below a message when their entries did not come in
 * order, and look for required fields that did not come
 *
 * It is done once, when all of the input was read, and only when something was seen that calls for it: the same
 * sub-message may come in many pieces, none of which has all required fields, and sorting its maps after each piece
 * would take quadratic time.
 */
#include "marshal_parts.h"

static void write_call(const schema_field *field, const char *message, const char *indent, output *out)
{
    output_printf(out, "%sif (!mrpc_wire_finish(decoder, %s, depth, finish_%s, \"%s\"))\n%s    return false;\n", indent,
                  message, field->message->c_name, field->full_name, indent);
}

static void write_list(const schema_field *field, output *out)
{
    output_fill(out, "    for (size_t i = 0; i < m->$f$.size; i++)\n", "f", field->c_name, NULL);
    output message = {0};
    output_printf(&message, "((void *const *)m->%s.data)[i]", field->c_name);
    write_call(field, output_string(&message), "        ", out);
    out->failed |= message.failed;
    output_free(&message);
}

static void write_map(const schema_field *field, output *out)
{
    const schema_message *entry = field->message;
    const schema_field *value = entry->fields[1];
    output_fill(out,
                "    if (!mrpc_wire_sort(decoder, &m->$f$, sizeof(entry_$E$), ascends_$E$, \"$name$\"))\n        "
                "return false;\n",
                "f", field->c_name, "E", entry->c_name, "name", field->full_name, NULL);
    if (!marshal_is_message(value) || !marshal_needs_finish(value->message))
        return;
    output_fill(out, "    for (size_t i = 0; i < m->$f$.size; i++)\n", "f", field->c_name, NULL);
    output message = {0};
    output_printf(&message, "((entry_%s *)m->%s.data)[i].%s", entry->c_name, field->c_name, value->c_name);
    write_call(value, output_string(&message), "        ", out);
    out->failed |= message.failed;
    output_free(&message);
}

static void write_single(const schema_field *field, output *out)
{
    output message = {0};
    if (field->oneof != NULL) {
        output_printf(out, "    if (m->%s_case == %d)\n", field->oneof->c_name, (int)field->number);
        output_printf(&message, "m->%s.%s", field->oneof->c_name, field->c_name);
    } else {
        output_printf(&message, "m->%s", field->c_name);
    }
    write_call(field, output_string(&message), field->oneof != NULL ? "        " : "    ", out);
    out->failed |= message.failed;
    output_free(&message);
}

static void write_required(const schema_field *field, output *out)
{
    marshal_write_absence(field, "    if (", ")\n", out);
    output_printf(out, "        return mrpc_wire_lacks(decoder, \"%s\");\n", field->full_name);
}

void marshal_write_finish(const schema_message *message, output *out)
{
    if (message->is_map_entry || !marshal_needs_finish(message))
        return;
    output_fill(out,
                "static bool finish_$T$(mrpc_decoder *decoder, void *message, uint32_t depth)\n{\n"
                "    message_$T$ *m = (message_$T$ *)message;\n",
                "T", message->c_name, NULL);
    for (size_t i = 0; i < message->field_count; i++) {
        const schema_field *field = message->fields[i];
        if (field->presence == PRESENCE_REQUIRED)
            write_required(field, out);
        if (field->is_map)
            write_map(field, out);
        else if (marshal_is_message(field) && marshal_needs_finish(field->message) && field->repeated)
            write_list(field, out);
        else if (marshal_is_message(field) && marshal_needs_finish(field->message))
            write_single(field, out);
    }
    output_text(out, "    (void)depth;\n    return true;\n}\n\n");
}
