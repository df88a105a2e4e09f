/* SPDX-License-Identifier: BSD-2-Clause */
/* header.c - FILE.mrpc.h: what surrounds its parts, see generator.h */
#include "generator.h"

void generate_comment(output *out, int indent, const schema_location *location, bool deprecated)
{
    output text = {0};
    output_text(&text, location->leading);
    output_text(&text, location->trailing);
    if (deprecated)
        output_text(&text, " Deprecated.\n");
    output_comment(out, indent, output_string(&text));
    out->failed |= text.failed;
    output_free(&text);
}

/* Whether `owner` is `file` or a file that it imports publicly, which stands for what it imports. */
static bool provides(const schema_file *file, const schema_file *owner)
{
    if (file == owner)
        return true;
    for (size_t i = 0; i < file->dependency_count; i++)
        if (file->public_dependency[i] && provides(file->dependencies[i], owner))
            return true;
    return false;
}

static bool message_uses(const schema_message *message, const schema_file *import)
{
    for (size_t i = 0; i < message->field_count; i++) {
        const schema_field *field = message->fields[i];
        if (field->message != NULL && provides(import, field->message->file))
            return true;
        if (field->enumeration != NULL && provides(import, field->enumeration->file))
            return true;
    }
    return false;
}

static bool service_uses(const schema_service *service, const schema_file *import)
{
    for (size_t i = 0; i < service->method_count; i++)
        if (provides(import, service->methods[i].request->file) || provides(import, service->methods[i].reply->file))
            return true;
    return false;
}

bool generate_needs_import(const schema_file *file, size_t index)
{
    if (file->public_dependency[index])
        return true;
    const schema_file *import = file->dependencies[index];
    for (size_t i = 0; i < file->all_message_count; i++)
        if (message_uses(file->all_messages[i], import))
            return true;
    for (size_t i = 0; i < file->service_count; i++)
        if (service_uses(&file->services[i], import))
            return true;
    return false;
}

static void write_includes(const schema_file *file, output *out)
{
    output_text(out, "#include <string.h>\n\n#include <mrpc/message.h>\n");
    if (file->service_count != 0)
        output_text(out, "#include <mrpc/server.h>\n");
    bool first = true;
    for (size_t i = 0; i < file->dependency_count; i++) {
        if (!generate_needs_import(file, i))
            continue;
        output_printf(out, "%s#include \"%s\"\n", first ? "\n" : "", file->dependencies[i]->c_header);
        first = false;
    }
}

/* Code of a newer generator against older headers would fail in stranger ways. */
static void write_version_check(output *out)
{
    output_printf(out,
                  "#if MRPC_VERSION_MAJOR * 1000 + MRPC_VERSION_MINOR < %d\n"
                  "#error \"this file was generated for mrpc %d.%d; an older mrpc is installed\"\n"
                  "#endif\n\n",
                  MRPC_VERSION_MAJOR * 1000 + MRPC_VERSION_MINOR, MRPC_VERSION_MAJOR, MRPC_VERSION_MINOR);
}

int generate_header(const schema_file *file, const gen_options *options, output *out)
{
    (void)options;
    generate_banner(file, out);
    output_fill(out, "#ifndef MRPC_FILE_$S$_H\n#define MRPC_FILE_$S$_H\n\n", "S", file->c_symbol, NULL);
    write_includes(file, out);
    output_text(out, "\n");
    write_version_check(out);
    output_text(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    output_printf(out, "extern const mrpc_file mrpc_file_%s;\n\n", file->c_symbol);
    generate_structs(file, out);
    generate_accessors(file, out);
    generate_services(file, out);
    output_printf(out, "#ifdef __cplusplus\n}\n#endif\n\n#endif /* MRPC_FILE_%s_H */\n", file->c_symbol);
    return 0;
}
