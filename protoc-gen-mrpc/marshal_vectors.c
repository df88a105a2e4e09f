/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_vectors.c - the self-test of a module: samples of each type in both encodings */
#include "marshal_parts.h"
#include "sample.h"

enum { SHARED_VALUES = 8192 /* values below the roots of all samples of a variant, divided among them */ };

static void write_array(output *out, const char *guard, const char *name, size_t index, const output *bytes)
{
    if (bytes->size == 0)
        return;
    output_printf(out, "%sstatic const uint8_t vector_%zu_%s[] = {\n", guard, index, name);
    output_bytes(out, (const uint8_t *)output_string(bytes), bytes->size);
    output_printf(out, "};\n%s", *guard != '\0' ? "#endif\n" : "");
}

static void write_row(output *rows, size_t codec, size_t index, size_t protobuf_size, size_t native_size)
{
    output_printf(rows, "    {%zu, %zu, MRPC_NATIVE_ONLY(%zu), 0, ", codec, protobuf_size, native_size);
    if (protobuf_size != 0)
        output_printf(rows, "vector_%zu_protobuf", index);
    else
        output_text(rows, "NULL");
    output_printf(rows, ", MRPC_NATIVE_ONLY(vector_%zu_native)},\n", index);
}

static int write_vector(const sample *message, size_t codec, size_t index, output *out, output *rows)
{
    output protobuf = {0}, native = {0};
    sample_protobuf(message, &protobuf);
    sample_native(message, &native);
    write_array(out, "", "protobuf", index, &protobuf);
    write_array(out, "#if MRPC_NATIVE\n", "native", index, &native);
    write_row(rows, codec, index, protobuf.size, native.size);
    bool failed = protobuf.failed || native.failed;
    output_free(&protobuf);
    output_free(&native);
    return failed ? MRPC_ENOMEM : 0;
}

static int write_variants(const schema_file *file, size_t codec, output *out, output *rows, size_t *count)
{
    const schema_message *type = file->module_messages[codec];
    size_t values = SHARED_VALUES / file->module_message_count;
    int result = 0;
    for (int variant = 0; result == 0 && variant < SAMPLE_VARIANTS; variant++) {
        gen_arena arena = {0};
        const sample *message = sample_make(type, (sample_variant)variant, values, &arena);
        if (message != NULL)
            result = write_vector(message, codec, (*count)++, out, rows);
        else
            result = arena.failed ? MRPC_ENOMEM : 0;
        arena_free(&arena);
    }
    return result;
}

int marshal_write_vectors(const schema_file *file, output *out, size_t *count)
{
    output rows = {0};
    int result = 0;
    output_text(out, "/* --- the self-test --- */\n\n");
    for (size_t i = 0; result == 0 && i < file->module_message_count; i++)
        if (!file->module_messages[i]->is_map_entry)
            result = write_variants(file, i, out, &rows, count);
    if (*count != 0)
        output_printf(out, "\nstatic const mrpc_vector module_vectors[] = {\n%s};\n\n", output_string(&rows));
    if (rows.failed)
        result = MRPC_ENOMEM;
    output_free(&rows);
    return result;
}
