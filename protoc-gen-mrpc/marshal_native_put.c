/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_native_put.c - the functions marshal_…: from a message to a native block */
#include "marshal_native.h"

#include <inttypes.h>

static void write_clear(output *out, size_t offset, size_t bits, uint64_t mask)
{
    output_printf(out, "    MRPC_NATIVE_CLEAR(%zu, m, %zu, UINT%zu_C(0x%" PRIx64 "));\n", bits, offset, bits, mask);
}

/* Any byte but 0 is true. */
static void write_bools(const schema_message *message, const char *indent, output *out)
{
    for (size_t i = 0; i < message->member_count; i++) {
        const schema_member *member = &message->members[i];
        const char *has = member->kind == MEMBER_HAS ? "has_" : "";
        if (native_is_bool(member))
            output_printf(out, "%sm->%s%s = m->%s%s != 0;\n", indent, has, member->field->c_name, has,
                          member->field->c_name);
    }
}

/* The value of an absent field is zero, whatever the message has there. */
static void write_absent(const schema_field *field, output *out)
{
    size_t width = marshal_width(field);
    if (width == 0)
        output_fill(out, "    m->$f$.size &= mrpc_native_if(m->has_$f$);\n", "f", field->c_name, NULL);
    else if (width == 8)
        output_fill(out, "    m->$f$ &= mrpc_native_if(m->has_$f$);\n", "f", field->c_name, NULL);
    else
        output_fill(out, "    m->$f$ = ($t$)(m->$f$ & mrpc_native_if(m->has_$f$));\n", "f", field->c_name, "t",
                    width == 4 ? "uint32_t" : "uint8_t", NULL);
}

static void write_presence(const schema_field *field, output *out)
{
    if (field->presence == PRESENCE_REQUIRED)
        native_write_required(&native_put, field, out);
    else if (schema_has_flag(field))
        write_absent(field, out);
    if (field->oneof == NULL)
        native_write_named(&native_put, field, 4, out);
}

/* One case of a oneof: the rest of the union becomes zero, then what the active field points to follows. */
static void write_case(const schema_oneof *oneof, const schema_field *field, output *out)
{
    size_t width = marshal_width(field), used = width != 0 ? width : marshal_is_message(field) ? 8 : 16;
    output_printf(out, "    case %d: /* %s */\n", (int)field->number, field->name);
    if (used < oneof->size)
        output_printf(out, "        memset((char *)&m->%s + %zu, 0, %zu);\n", oneof->c_name, used, oneof->size - used);
    if (field->type == MRPC_TYPE_BOOL)
        output_fill(out, "        m->$o$.$f$ = m->$o$.$f$ != 0;\n", "o", oneof->c_name, "f", field->c_name, NULL);
    native_write_named(&native_put, field, 8, out);
    native_write_value(&native_put, field, 8, out);
    output_text(out, "        break;\n");
}

static void write_oneof(const schema_oneof *oneof, output *out)
{
    output_fill(out,
                "    switch (m->$o$_case) {\n    case 0:\n        memset(&m->$o$, 0, sizeof m->$o$);\n        break;\n",
                "o", oneof->c_name, NULL);
    for (size_t i = 0; i < oneof->field_count; i++)
        write_case(oneof, oneof->fields[i], out);
    output_printf(
        out,
        "    default:\n        return mrpc_native_refuse(out, MRPC_EINVAL, \"%s\", \"has a case that is none of its "
        "fields\");\n    }\n",
        oneof->full_name);
}

static void write_members(const schema_message *message, output *out)
{
    for (size_t i = 0; i < message->member_count; i++) {
        const schema_member *member = &message->members[i];
        if (member->kind == MEMBER_FIELD)
            native_write_value(&native_put, member->field, 4, out);
        else if (member->kind == MEMBER_UNION)
            write_oneof(member->oneof, out);
    }
}

static void write_message(const schema_message *message, output *out)
{
    output_fill(out,
                "static char *marshal_$T$(mrpc_native_out *out, char *cursor, const void *source, uint32_t depth)\n{\n"
                "    message_$T$ *m = (message_$T$ *)(void *)cursor;\n"
                "    cursor = mrpc_native_put_struct(out, cursor, source, sizeof *m, \"$name$\");\n"
                "    if (MRPC_UNLIKELY(cursor == NULL))\n        return NULL;\n",
                "T", message->c_name, "name", message->full_name, NULL);
    native_for_each_word(message, 0xff, write_clear, out);
    write_bools(message, "    ", out);
    for (size_t i = 0; i < message->field_count; i++)
        write_presence(message->fields[i], out);
    output_printf(out, "    cursor = mrpc_native_put_unknown(out, cursor, &m->base.unknown, \"%s\");\n",
                  message->full_name);
    native_write_check(4, out);
    write_members(message, out);
    output_printf(out, "%s    return cursor;\n}\n\n", marshal_uses_depth(message) ? "" : "    (void)depth;\n");
}

/* Compares the key of entry m with the one before it. */
static void write_order(const schema_message *entry, output *out)
{
    const schema_field *key = entry->fields[0];
    if (marshal_is_text(key)) {
        output_fill(
            out,
            "        if (i != 0 && !mrpc_native_text_ascends(last, entries[i - 1].$k$.size, text, m->$k$.size))\n"
            "            return mrpc_native_bad_order(out, \"$name$\");\n        last = text;\n",
            "k", key->c_name, "name", entry->full_name, NULL);
        return;
    }
    output_text(out, "        if (i != 0 && !(");
    marshal_write_ascends(key, "entries[i - 1].", "m->", out);
    output_printf(out, "))\n            return mrpc_native_bad_order(out, \"%s\");\n", entry->full_name);
}

static void write_entry_clear(output *out, size_t offset, size_t bits, uint64_t mask)
{
    output_text(out, "    ");
    write_clear(out, offset, bits, mask);
}

static void write_entries(const schema_message *entry, output *out)
{
    bool text = marshal_is_text(entry->fields[0]), nested = marshal_is_message(entry->fields[1]);
    output_fill(out,
                "static char *marshal_$E$(mrpc_native_out *out, char *cursor, mrpc_span *map, uint32_t depth)\n{\n"
                "    entry_$E$ *entries = (entry_$E$ *)(void *)cursor;\n"
                "    size_t size = map->size;\n$last$"
                "    if (size == 0) {\n        map->data = NULL;\n        return cursor;\n    }\n"
                "    cursor = mrpc_native_put_entries(out, cursor, map, sizeof *entries, depth, \"$name$\");\n$depth$"
                "    for (size_t i = 0; cursor != NULL && i < size; i++) {\n"
                "        entry_$E$ *m = &entries[i];\n$text$",
                "E", entry->c_name, "name", entry->full_name, "last", text ? "    const char *last = NULL;\n" : "",
                "depth", nested ? "    depth--;\n" : "", "text", text ? "        const char *text = cursor;\n" : "",
                NULL);
    native_for_each_word(entry, 0xff, write_entry_clear, out);
    write_bools(entry, "        ", out);
    native_write_value(&native_put, entry->fields[0], 8, out);
    write_order(entry, out);
    native_write_named(&native_put, entry->fields[1], 8, out);
    native_write_value(&native_put, entry->fields[1], 8, out);
    output_text(out, "    }\n    return cursor;\n}\n\n");
}

void marshal_write_native_put(const schema_message *message, output *out)
{
    if (message->is_map_entry)
        write_entries(message, out);
    else
        write_message(message, out);
}
