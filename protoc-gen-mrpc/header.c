/* SPDX-License-Identifier: BSD-2-Clause */
/* header.c - FILE.mrpc.h: what surrounds its parts, see generator.h */
#include "generator.h"

/* What stood before and behind the thing becomes one comment above it. */
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

static void write_includes(const schema_file *file, output *out)
{
    output_printf(out, "#include <string.h>\n\n%s#include <mrpc/message.h>\n",
                  file->extension_count != 0 ? "#include <mrpc/extension.h>\n" : "");
    if (file->service_count != 0)
        output_text(out, "#include <mrpc/server.h>\n");
    bool first = true;
    for (size_t i = 0; i < file->dependency_count; i++) {
        if (!file->dependency_needed[i])
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
    generate_extensions(file, out);
    generate_services(file, out);
    output_printf(out, "#ifdef __cplusplus\n}\n#endif\n\n#endif /* MRPC_FILE_%s_H */\n", file->c_symbol);
    return 0;
}
