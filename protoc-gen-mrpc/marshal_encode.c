/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_encode.c - the functions encode_…: from a message to the protobuf encoding, from its end to its beginning */
#include "marshal_parts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "kinds.h"

/* What follows mrpc_wire_put_. */
static const char *helper_name(const schema_field *field, bool always)
{
    bool list = field->repeated;
    if (field->is_map)
        return "entries";
    if (field->type == MRPC_TYPE_GROUP)
        return list ? "groups" : always ? "group_element" : "group";
    if (marshal_is_message(field))
        return list ? "messages" : always ? "element" : "message";
    if (marshal_is_text(field) && !schema_checks_text(field))
        return list ? "raws" : "raw";
    if (marshal_is_text(field))
        return list ? "strings" : "string";
    if (field->type == MRPC_TYPE_BYTES)
        return list ? "bytes_list" : "bytes";
    if (schema_is_closed(field))
        return !list ? "enum" : field->packed ? "packed_enums" : "enums";
    if (list)
        return field->packed ? "packed" : "numbers";
    return always ? "number" : "nonzero";
}

/* One call. `always`: whether the field is there is known. */
static void write_call(const schema_field *field, bool always, int indent, output *out)
{
    bool pointer = marshal_is_message(field) && !field->repeated;
    output_printf(out, "%*sfront = mrpc_wire_put_%s(out, front, %" PRIu32 ", %s", indent, "",
                  helper_name(field, always), marshal_tag(field), pointer ? "" : "&");
    marshal_write_member(field, out);
    if (field->is_map)
        output_printf(out, ", sizeof(entry_%s)", field->message->c_name);
    if (marshal_is_message(field))
        output_printf(out, ", depth, encode_%s", field->message->c_name);
    else if (schema_is_closed(field))
        output_printf(out, ", names_%s", field->enumeration->c_name);
    else if (marshal_width(field) != 0)
        output_printf(out, ", %s", marshal_wire_kind(field));
    output_printf(out, ", \"%s\");\n%*sif (MRPC_UNLIKELY(front == NULL))\n%*sreturn NULL;\n", field->full_name, indent,
                  "", indent + 4, "");
}

static void write_field(const schema_field *field, output *out)
{
    bool sized = marshal_width(field) == 0 && !marshal_is_message(field);
    if (field->presence == PRESENCE_REQUIRED) { /* that it is there was seen to */
        write_call(field, true, 4, out);
        return;
    }
    if (schema_kind(field) == MRPC_FIELD_ONEOF)
        output_printf(out, "    if (m->%s_case == %d) {\n", field->oneof->c_name, (int)field->number);
    else if (schema_has_flag(field))
        output_printf(out, "    if (m->has_%s != 0) {\n", field->c_name);
    else if (!field->repeated && sized)
        output_printf(out, "    if (m->%s.size != 0) {\n", field->c_name);
    else {
        write_call(field, false, 4, out);
        return;
    }
    write_call(field, true, 8, out);
    output_text(out, "    }\n");
}

static void write_required_check(const schema_field *field, output *out)
{
    marshal_write_absence(field, "    if (MRPC_UNLIKELY(", "))\n", out);
    output_printf(out, "        return mrpc_wire_missing(out, \"%s\");\n", field->full_name);
}

static void write_case_check(const schema_oneof *oneof, output *out)
{
    output_printf(out, "    switch (m->%s_case) {\n    case 0:\n", oneof->c_name);
    for (size_t i = 0; i < oneof->field_count; i++)
        output_printf(out, "    case %d:\n", (int)oneof->fields[i]->number);
    output_printf(out,
                  "        break;\n    default:\n"
                  "        return mrpc_wire_refuse(out, MRPC_EINVAL, \"%s\", \"has a case that is none of its "
                  "fields\");\n    }\n",
                  oneof->full_name);
}

/* How many of the message's ranges of extensions, which are sorted, begin below a number. */
static size_t ranges_below(const schema_message *message, const schema_range *ranges, int32_t number)
{
    size_t count = 0;
    while (count < message->extension_range_count && ranges[count].start < number)
        count++;
    return count;
}

static int by_start(const void *a, const void *b)
{
    int32_t left = ((const schema_range *)a)->start, right = ((const schema_range *)b)->start;
    return (left > right) - (left < right);
}

/* What the message keeps of the extensions in ranges from `first` on, up to, but not including, `last`; `in` false: all
 * that it keeps but those. */
static void write_part(const schema_message *message, size_t first, size_t last, bool in, output *out)
{
    if (first == last && in)
        return;
    output_fill(out, "    front = mrpc_wire_put_part(out, front, m->base.unknown, ranges_$T$", "T", message->c_name,
                NULL);
    if (first != 0)
        output_printf(out, " + %zu", first);
    output_printf(out, ", %zu, %s, \"%s\");\n    if (MRPC_UNLIKELY(front == NULL))\n        return NULL;\n",
                  last - first, in ? "true" : "false", message->full_name);
}

/* The ranges that lie below a field: what is in them is written before it. All else follows the fields. */
static void write_ranges(const schema_message *message, const schema_range *ranges, size_t count, output *out)
{
    output_printf(out, "static const mrpc_wire_range ranges_%s[] = {\n", message->c_name);
    for (size_t i = 0; i < count; i++)
        output_printf(out, "    {%" PRId32 ", %" PRId32 "},\n", ranges[i].start, ranges[i].end);
    output_text(out, "};\n\n");
}

static void write_unknown(const schema_message *message, size_t early, output *out)
{
    if (early != 0) {
        write_part(message, 0, early, false, out);
        return;
    }
    output_printf(out,
                  "    front = mrpc_wire_put_unknown(out, front, m->base.unknown, \"%s\");\n"
                  "    if (MRPC_UNLIKELY(front == NULL))\n        return NULL;\n",
                  message->full_name);
}

/* `ranges`: those of extensions, sorted, of which `early` lie below a field. */
static void write_message(const schema_message *message, const schema_field *const *fields, const schema_range *ranges,
                          size_t early, output *out)
{
    for (size_t i = 0; i < message->oneof_count; i++)
        write_case_check(message->oneofs[i], out);
    for (size_t i = 0; i < message->field_count; i++)
        if (fields[i]->presence == PRESENCE_REQUIRED)
            write_required_check(fields[i], out);
    write_unknown(message, early, out);
    size_t behind = early;
    for (size_t i = message->field_count; i-- > 0;) {
        size_t below = ranges_below(message, ranges, fields[i]->number);
        write_part(message, below, behind, true, out);
        write_field(fields[i], out);
        behind = below;
    }
    write_part(message, 0, behind, true, out);
}

static void write_body(const schema_message *message, const schema_field *const *fields, const schema_range *ranges,
                       size_t early, output *out)
{
    output_fill(
        out,
        "static uint8_t *encode_$T$(mrpc_wire_out *out, uint8_t *front, const void *message, uint32_t depth)\n{\n"
        "    const $word$_$T$ *m = (const $word$_$T$ *)message;\n",
        "T", message->c_name, "word", marshal_mirror_word(message), NULL);
    if (message->is_map_entry) { /* both are written, whatever they are */
        write_call(fields[1], true, 4, out);
        write_call(fields[0], true, 4, out);
    } else {
        write_message(message, fields, ranges, early, out);
    }
    output_printf(out, "%s    return front;\n}\n\n", marshal_uses_depth(message) ? "" : "    (void)depth;\n");
}

void marshal_write_encode(const schema_message *message, output *out)
{
    size_t count = message->field_count, range_count = message->extension_range_count;
    const schema_field **fields = calloc(count + 1, sizeof(schema_field *));
    schema_range *ranges = calloc(range_count + 1, sizeof *ranges);
    if (fields != NULL && ranges != NULL) {
        schema_sort_fields(message, fields);
        for (size_t i = 0; i < range_count; i++)
            ranges[i] = message->extension_ranges[i];
        qsort(ranges, range_count, sizeof *ranges, by_start);
        size_t early = count != 0 ? ranges_below(message, ranges, fields[count - 1]->number) : 0;
        if (early != 0)
            write_ranges(message, ranges, early, out);
        write_body(message, fields, ranges, early, out);
    } else {
        out->failed = true;
    }
    free(ranges);
    free(fields);
}
