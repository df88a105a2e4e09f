/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_native_take.c - the functions unmarshal_…: from a native block to a message, in place */
#include "marshal_native.h"

#include <inttypes.h>

static void write_stray(output *out, size_t offset, size_t bits, uint64_t mask)
{
    output_printf(out, "    stray |= MRPC_NATIVE_STRAY(%zu, m, %zu, UINT%zu_C(0x%" PRIx64 "));\n", bits, offset, bits,
                  mask);
}

/* What is absent must be zero. */
static void write_absent(const schema_field *field, output *out)
{
    output_fill(out, "    stray |= m->$f$$size$ & ~mrpc_native_if(m->has_$f$);\n", "f", field->c_name, "size",
                marshal_width(field) == 0 ? ".size" : "", NULL);
}

static void write_one_complaint(const char *condition, const char *where, const char *what, output *out)
{
    output_printf(out, "    if (%s)\n        return mrpc_native_wrong(in, (const char *)m, \"%s\", \"%s\");\n",
                  condition, where, what);
}

static void write_complaint(const schema_field *field, output *out)
{
    output condition = {0};
    if (schema_has_flag(field)) {
        output_printf(&condition, "m->has_%s > 1", field->c_name);
        write_one_complaint(output_string(&condition), field->full_name,
                            "is neither present nor absent: has_... is neither 0 nor 1", out);
        condition.size = 0;
        output_printf(&condition, "m->has_%s == 0 && m->%s%s != 0", field->c_name, field->c_name,
                      marshal_width(field) == 0 ? ".size" : "");
        write_one_complaint(output_string(&condition), field->full_name, "is absent but has a value", out);
        condition.size = 0;
    }
    if (field->repeated)
        output_printf(&condition, "m->%s.capacity != 0", field->c_name);
    else if (field->type == MRPC_TYPE_BOOL && field->oneof == NULL)
        output_printf(&condition, "m->%s > 1", field->c_name);
    if (condition.size != 0)
        write_one_complaint(output_string(&condition), field->full_name,
                            field->repeated ? "has a capacity" : "is a bool that is neither 0 nor 1", out);
    out->failed |= condition.failed;
    output_free(&condition);
}

/* Says what is wrong with a struct of which only that is known; so the words of the common case need one branch. */
static void write_complaints(const schema_message *message, output *out)
{
    output_printf(out, "MRPC_COLD char *stray_%s(mrpc_native_in *in, const %s_%s *m)\n{\n", message->c_name,
                  marshal_mirror_word(message), message->c_name);
    for (size_t i = 0; i < message->field_count; i++)
        write_complaint(message->fields[i], out);
    output_printf(out, "    return mrpc_native_wrong(in, (const char *)m, \"%s\", \"%s\");\n}\n\n", message->full_name,
                  message->is_map_entry ? "has padding that is not zero" : "has an arena or padding that is not zero");
}

static void write_case(const schema_oneof *oneof, const schema_field *field, output *out)
{
    size_t width = marshal_width(field), used = width != 0 ? width : marshal_is_message(field) ? 8 : 16;
    output_printf(out, "    case %d: /* %s */\n", (int)field->number, field->name);
    if (used < oneof->size)
        output_printf(
            out,
            "        if (MRPC_UNLIKELY(!mrpc_native_is_zero((const char *)&m->%s + %zu, %zu)))\n"
            "            return mrpc_native_wrong(in, cursor, \"%s\", \"is followed by bytes that should be zero\");\n",
            oneof->c_name, used, oneof->size - used, field->full_name);
    if (field->type == MRPC_TYPE_BOOL)
        output_printf(
            out,
            "        if (MRPC_UNLIKELY(m->%s.%s > 1))\n"
            "            return mrpc_native_wrong(in, cursor, \"%s\", \"is a bool that is neither 0 nor 1\");\n",
            oneof->c_name, field->c_name, field->full_name);
    native_write_named(&native_take, field, 8, out);
    native_write_value(&native_take, field, 8, out);
    output_text(out, "        break;\n");
}

static void write_oneof(const schema_oneof *oneof, output *out)
{
    output_fill(
        out,
        "    switch (m->$o$_case) {\n    case 0:\n"
        "        if (MRPC_UNLIKELY(!mrpc_native_is_zero(&m->$o$, sizeof m->$o$)))\n"
        "            return mrpc_native_wrong(in, cursor, \"$name$\", \"has no case but a value\");\n        break;\n",
        "o", oneof->c_name, "name", oneof->full_name, NULL);
    for (size_t i = 0; i < oneof->field_count; i++)
        write_case(oneof, oneof->fields[i], out);
    output_printf(out,
                  "    default:\n        return mrpc_native_wrong(in, cursor, \"%s\", \"has a case that is none of its "
                  "fields\");\n"
                  "    }\n",
                  oneof->full_name);
}

/* What the bits of the struct do not say. */
static void write_presence(const schema_field *field, output *out)
{
    if (field->presence == PRESENCE_REQUIRED)
        native_write_required(&native_take, field, out);
    if (field->oneof == NULL)
        native_write_named(&native_take, field, 4, out);
}

static void write_members(const schema_message *message, output *out)
{
    for (size_t i = 0; i < message->member_count; i++) {
        const schema_member *member = &message->members[i];
        if (member->kind == MEMBER_FIELD)
            native_write_value(&native_take, member->field, 4, out);
        else if (member->kind == MEMBER_UNION)
            write_oneof(member->oneof, out);
    }
}

static void write_message(const schema_message *message, output *out)
{
    write_complaints(message, out);
    output_fill(out,
                "static char *unmarshal_$T$(mrpc_native_in *in, char *cursor, uint32_t depth)\n{\n"
                "    message_$T$ *m = (message_$T$ *)(void *)cursor;\n    uint64_t stray = 0;\n",
                "T", message->c_name, NULL);
    native_for_each_word(message, 1, write_stray, out);
    for (size_t i = 0; i < message->field_count; i++)
        if (schema_has_flag(message->fields[i]))
            write_absent(message->fields[i], out);
    output_fill(out,
                "    if (MRPC_UNLIKELY(stray != 0))\n        return stray_$T$(in, m);\n"
                "    cursor = mrpc_native_take_unknown(in, cursor + sizeof *m, &m->base.unknown, \"$name$\");\n",
                "T", message->c_name, "name", message->full_name, NULL);
    native_write_check(4, out);
    for (size_t i = 0; i < message->field_count; i++)
        write_presence(message->fields[i], out);
    write_members(message, out);
    output_printf(out, "%s    return cursor;\n}\n\n", marshal_uses_depth(message) ? "" : "    (void)depth;\n");
}

static void write_entry_stray(output *out, size_t offset, size_t bits, uint64_t mask)
{
    output_text(out, "    ");
    write_stray(out, offset, bits, mask);
}

static void write_order(const schema_message *entry, output *out)
{
    const schema_field *key = entry->fields[0];
    output_text(out, "        if (i != 0 && !(");
    if (marshal_is_text(key))
        output_fill(out,
                    "mrpc_native_text_ascends(entries[i - 1].$k$.data, entries[i - 1].$k$.size,\n"
                    "                                             m->$k$.data, m->$k$.size)",
                    "k", key->c_name, NULL);
    else
        marshal_write_ascends(key, "entries[i - 1].", "m->", out);
    output_printf(out, "))\n            return mrpc_native_disorder(in, cursor, \"%s\");\n", entry->full_name);
}

static void write_entry_words(const schema_message *entry, const char *words, output *out)
{
    if (*words != '\0')
        output_fill(out,
                    "        uint64_t stray = 0;\n$w$        if (MRPC_UNLIKELY(stray != 0))\n            return "
                    "stray_$E$(in, m);\n",
                    "w", words, "E", entry->c_name, NULL);
}

static void write_entries(const schema_message *entry, output *out)
{
    output words = {0};
    native_for_each_word(entry, 1, write_entry_stray, &words);
    if (words.size != 0)
        write_complaints(entry, out);
    output_fill(
        out,
        "static char *unmarshal_$E$(mrpc_native_in *in, char *cursor, mrpc_span *map, uint32_t depth)\n{\n"
        "    entry_$E$ *entries = (entry_$E$ *)(void *)cursor;\n    size_t size = map->size;\n"
        "    if (size == 0)\n"
        "        return MRPC_LIKELY(map->data == NULL) ? cursor : mrpc_native_misplaced(in, cursor, map, \"$name$\");\n"
        "    cursor = mrpc_native_take_entries(in, cursor, map, sizeof *entries, depth, \"$name$\");\n$depth$"
        "    for (size_t i = 0; cursor != NULL && i < size; i++) {\n        entry_$E$ *m = &entries[i];\n",
        "E", entry->c_name, "name", entry->full_name, "depth",
        marshal_is_message(entry->fields[1]) ? "    depth--;\n" : "", NULL);
    write_entry_words(entry, output_string(&words), out);
    native_write_value(&native_take, entry->fields[0], 8, out);
    write_order(entry, out);
    native_write_named(&native_take, entry->fields[1], 8, out);
    native_write_value(&native_take, entry->fields[1], 8, out);
    output_text(out, "    }\n    return cursor;\n}\n\n");
    out->failed |= words.failed;
    output_free(&words);
}

void marshal_write_native_take(const schema_message *message, output *out)
{
    if (message->is_map_entry)
        write_entries(message, out);
    else
        write_message(message, out);
}
