/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_file.c - FILE.marshal.c, the marshal module of a file: its order, its table, its ELF note */
#include "generator.h"

#include <inttypes.h>

#include "marshal_parts.h"

typedef void message_writer(const schema_message *message, output *out);

static void for_each_message(const schema_file *file, message_writer *write, output *out)
{
    for (size_t i = 0; i < file->module_message_count; i++)
        write(file->module_messages[i], out);
}

static void write_head(const schema_file *file, const gen_options *options, output *out)
{
    generate_banner(file, out);
    output_text(
        out,
        "/* The marshal module of the file: see <mrpc/marshal.h>. As a shared object it is made by mrpc-module, or by\n"
        " *   cc -O2 -fPIC -shared -DMRPC_MODULE_SHARED -o FILE.marshal.so FILE.marshal.c */\n"
        "#include <mrpc/marshal/native.h>\n#include <mrpc/marshal/protobuf.h>\n\n"
        "#ifndef MRPC_STAMP\n#define MRPC_STAMP ");
    output_literal(out, options->stamp);
    output_text(out, "\n#endif\n_Static_assert(sizeof MRPC_STAMP <= MRPC_STAMP_SIZE, \"MRPC_STAMP has at most 15 "
                     "characters\");\n\n");
}

/* What a function may call before it is defined: messages may reach each other in any order. */
static void declare_native(const schema_message *message, output *out)
{
    if (message->is_map_entry)
        output_fill(out,
                    "static char *marshal_$T$(mrpc_native_out *out, char *cursor, mrpc_span *map, uint32_t depth);\n"
                    "static char *unmarshal_$T$(mrpc_native_in *in, char *cursor, mrpc_span *map, uint32_t depth);\n",
                    "T", message->c_name, NULL);
    else
        output_fill(out, "static mrpc_native_writer marshal_$T$;\nstatic mrpc_native_reader unmarshal_$T$;\n", "T",
                    message->c_name, NULL);
}

static void declare_protobuf(const schema_message *message, output *out)
{
    output_fill(out, "static mrpc_wire_writer encode_$T$;\nstatic mrpc_wire_reader decode_$T$;\n", "T", message->c_name,
                NULL);
    if (message->is_map_entry)
        output_fill(out, "static mrpc_wire_completer complete_$E$;\nstatic mrpc_wire_ascends ascends_$E$;\n", "E",
                    message->c_name, NULL);
    else
        output_fill(out, "static mrpc_wire_starter start_$T$;\n", "T", message->c_name, NULL);
}

static void declare_finish(const schema_message *message, output *out)
{
    if (marshal_needs_finish(message) && !message->is_map_entry)
        output_printf(out, "static mrpc_wire_finisher finish_%s;\n", message->c_name);
}

static void write_native(const schema_file *file, output *out)
{
    output_text(out, "/* --- the native encoding --- */\n\n#if MRPC_NATIVE\n\n");
    for_each_message(file, declare_native, out);
    output_text(out, "\n");
    for_each_message(file, marshal_write_native_put, out);
    for_each_message(file, marshal_write_native_take, out);
    output_text(out, "#endif /* MRPC_NATIVE */\n\n");
}

static void write_protobuf(const schema_file *file, output *out)
{
    output_text(out, "/* --- the protobuf encoding --- */\n\n");
    for_each_message(file, declare_protobuf, out);
    for_each_message(file, declare_finish, out);
    output_text(out, "\n");
    for_each_message(file, marshal_write_encode, out);
    for_each_message(file, marshal_write_decode, out);
    for_each_message(file, marshal_write_finish, out);
}

static void write_native_codec(const schema_message *message, uint32_t threshold, output *out)
{
    output_fill(out,
                "static int codec_marshal_$T$(mrpc_gather *gather, const void *message)\n{\n"
                "    gather->stamp = MRPC_STAMP;\n",
                "T", message->c_name, NULL);
    output_printf(out, "    return mrpc_native_marshal(gather, message, %" PRIu32 ", marshal_%s, \"%s\");\n}\n\n",
                  threshold, message->c_name, message->full_name);
    output_fill(out,
                "static int codec_unmarshal_$T$(mrpc_scatter *scatter)\n{\n    scatter->stamp = MRPC_STAMP;\n"
                "    return mrpc_native_unmarshal(scatter, sizeof(message_$T$), unmarshal_$T$, \"$name$\");\n}\n\n",
                "T", message->c_name, "name", message->full_name, NULL);
}

static void write_codec(const schema_message *message, uint32_t threshold, output *out)
{
    output_text(out, "#if MRPC_NATIVE\n");
    write_native_codec(message, threshold, out);
    output_text(out, "#endif\n\n");
    output_fill(
        out,
        "static int codec_encode_$T$(mrpc_gather *gather, const void *message)\n{\n    gather->stamp = MRPC_STAMP;\n"
        "    return mrpc_wire_encode(gather, message, encode_$T$, \"$name$\");\n}\n\n"
        "static int codec_decode_$T$(mrpc_decoder *decoder, void *message)\n{\n    decoder->stamp = MRPC_STAMP;\n"
        "    return mrpc_wire_decode(decoder, message, start_$T$, decode_$T$, $finish$$F$);\n}\n\n",
        "T", message->c_name, "name", message->full_name, "finish", marshal_needs_finish(message) ? "finish_" : "", "F",
        marshal_needs_finish(message) ? message->c_name : "NULL", NULL);
}

static void write_codecs(const schema_file *file, const gen_options *options, output *out)
{
    output_text(out, "/* --- what the runtime calls --- */\n\n");
    for (size_t i = 0; i < file->module_message_count; i++)
        if (!file->module_messages[i]->is_map_entry)
            write_codec(file->module_messages[i], options->threshold, out);
}

/* An entry of a map has no functions of its own, only a place, so that indices are those of the schema. */
static void write_codec_row(const schema_message *message, output *out)
{
    output_printf(out,
                  "    {\"%s\", {UINT64_C(0x%016" PRIx64 "), MRPC_NATIVE_ONLY(UINT64_C(0x%016" PRIx64
                  "))}, sizeof(%s_%s), 0,\n",
                  message->full_name, message->fingerprint.schema, message->fingerprint.layout,
                  marshal_mirror_word(message), message->c_name);
    if (message->is_map_entry)
        output_text(out, "     NULL, NULL, NULL, NULL},\n");
    else
        output_fill(
            out,
            "     MRPC_NATIVE_ONLY(codec_marshal_$T$), MRPC_NATIVE_ONLY(codec_unmarshal_$T$), codec_encode_$T$, "
            "codec_decode_$T$},\n",
            "T", message->c_name, NULL);
}

static void write_note(const schema_file *file, output *out)
{
    output_text(
        out,
        "#ifdef MRPC_MODULE_SHARED\n"
        "/* Read before the module is loaded. */\n"
        "static const mrpc_module_note module_note __attribute__((section(\".note.mrpc\"), used, aligned(4))) = {\n"
        "    5, sizeof(mrpc_module_note) - offsetof(mrpc_module_note, abi), MRPC_NOTE_MODULE, \"mrpc\", "
        "MRPC_MODULE_ABI,\n");
    output_printf(out,
                  "    UINT64_C(0x%016" PRIx64 "), MRPC_NATIVE_ONLY(UINT64_C(0x%016" PRIx64 ")), MRPC_STAMP,\n    ",
                  file->fingerprint.schema, file->fingerprint.layout);
    output_literal(out, file->name);
    output_text(out, "};\n\n");
}

static void write_table(const schema_file *file, size_t vectors, output *out)
{
    if (file->module_message_count != 0) {
        output_text(out, "static const mrpc_codec module_codecs[] = {\n");
        for_each_message(file, write_codec_row, out);
        output_text(out, "};\n\n");
    }
    write_note(file, out);
    output_printf(out,
                  "#define MODULE_SYMBOL mrpc_module_export\n#else\n#define MODULE_SYMBOL mrpc_module_%s\n#endif\n\n",
                  file->c_symbol);
    output_text(out, "extern MRPC_API const mrpc_module MODULE_SYMBOL;\nMRPC_API const mrpc_module MODULE_SYMBOL = {\n"
                     "    sizeof(mrpc_module), MRPC_MODULE_ABI, ");
    output_literal(out, file->name);
    output_printf(out,
                  ", MRPC_STAMP,\n    {UINT64_C(0x%016" PRIx64 "), MRPC_NATIVE_ONLY(UINT64_C(0x%016" PRIx64 "))},\n",
                  file->fingerprint.schema, file->fingerprint.layout);
    output_printf(out, "    %zu, %zu, %s, %s};\n", file->module_message_count, vectors,
                  file->module_message_count != 0 ? "module_codecs" : "NULL", vectors != 0 ? "module_vectors" : "NULL");
}

int generate_marshal(const schema_file *file, const gen_options *options, output *out)
{
    size_t vectors = 0;
    write_head(file, options, out);
    for_each_message(file, marshal_write_mirror, out);
    for (size_t i = 0; i < file->module_enum_count; i++)
        marshal_write_enum(file->module_enums[i], out);
    write_native(file, out);
    write_protobuf(file, out);
    write_codecs(file, options, out);
    int result = marshal_write_vectors(file, out, &vectors);
    write_table(file, vectors, out);
    return result;
}
