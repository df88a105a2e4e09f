/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_mirror.c - the structs of an application as its marshal module sees them; see <mrpc/marshal/mirror.h> */
#include "marshal_parts.h"

static const char *mirror_type(const schema_field *field)
{
    if (field->repeated)
        return "mrpc_list ";
    switch (marshal_width(field)) {
    case 1:
        return "uint8_t ";
    case 4:
        return "uint32_t ";
    case 8:
        return "uint64_t ";
    default:
        return marshal_is_message(field) ? "void *" : marshal_is_text(field) ? "mrpc_string " : "mrpc_bytes ";
    }
}

static void write_member(const schema_member *member, output *out)
{
    switch (member->kind) {
    case MEMBER_FIELD:
        output_printf(out, "    %s%s;\n", mirror_type(member->field), member->field->c_name);
        break;
    case MEMBER_HAS:
        output_printf(out, "    uint8_t has_%s;\n", member->field->c_name);
        break;
    case MEMBER_UNION:
        output_text(out, "    union {\n");
        for (size_t i = 0; i < member->oneof->field_count; i++)
            output_printf(out, "        %s%s;\n", mirror_type(member->oneof->fields[i]),
                          member->oneof->fields[i]->c_name);
        output_printf(out, "    } %s;\n", member->oneof->c_name);
        break;
    case MEMBER_CASE:
        output_printf(out, "    uint32_t %s_case;\n", member->oneof->c_name);
        break;
    }
}

static const char *member_name(const schema_member *member)
{
    return member->kind == MEMBER_FIELD || member->kind == MEMBER_HAS ? member->field->c_name : member->oneof->c_name;
}

/* The offsets that the fingerprint promises. */
static void write_assertions(const schema_message *message, const char *word, output *out)
{
    output_printf(out, "#if MRPC_NATIVE\n_Static_assert(sizeof(%s_%s) == %zu, \"layout\");\n", word, message->c_name,
                  message->size);
    for (size_t i = 0; i < message->member_count; i++) {
        const schema_member *member = &message->members[i];
        output_printf(out, "_Static_assert(offsetof(%s_%s, %s%s%s) == %zu, \"layout\");\n", word, message->c_name,
                      member->kind == MEMBER_HAS ? "has_" : "", member_name(member),
                      member->kind == MEMBER_CASE ? "_case" : "", member->offset);
    }
    output_text(out, "#endif\n\n");
}

void marshal_write_mirror(const schema_message *message, output *out)
{
    const char *word = marshal_mirror_word(message);
    output_printf(out, "/* %s */\ntypedef struct MRPC_MIRROR %s_%s {\n", message->full_name, word, message->c_name);
    if (!message->is_map_entry)
        output_text(out, "    mrpc_message base;\n");
    for (size_t i = 0; i < message->member_count; i++)
        write_member(&message->members[i], out);
    output_printf(out, "} %s_%s;\n", word, message->c_name);
    write_assertions(message, word, out);
}
