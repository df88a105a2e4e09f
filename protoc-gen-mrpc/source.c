/* SPDX-License-Identifier: BSD-2-Clause */
/* source.c - FILE.mrpc.c: the tables that describe a file's types to the library */
#include "generator.h"

#include <inttypes.h>
#include <stdlib.h>

#include "fingerprint.h"
#include "kinds.h"

/* The compiler confirms what the generator computed: the marshal code and the fingerprints rely on it. */
static void write_assertions(const schema_message *message, output *out)
{
    output_printf(out, "_Static_assert(sizeof(%s) == %zu", message->c_name, message->size);
    for (size_t i = 0; i < message->member_count; i++) {
        const schema_member *member = &message->members[i];
        bool has = member->kind == MEMBER_HAS, is_case = member->kind == MEMBER_CASE;
        const char *name = member->oneof != NULL ? member->oneof->c_name : member->field->c_name;
        output_printf(out, " &&\n                   offsetof(%s, %s%s%s) == %zu", message->c_name, has ? "has_" : "",
                      name, is_case ? "_case" : "", member->offset);
    }
    output_printf(out, ",\n               \"%s is not laid out as the generator expects\");\n", message->c_name);
}

/* Where pointers have another size the struct is laid out differently, and MRPC_LAYOUT() makes the fingerprint 0. */
static void write_all_assertions(const schema_file *file, output *out)
{
    if (file->all_message_count == 0)
        return;
    output_text(out, "#ifdef __LP64__\n");
    for (size_t i = 0; i < file->all_message_count; i++)
        write_assertions(file->all_messages[i], out);
    output_text(out, "#endif\n\n");
}

/* By number, because the library looks names up by it; parsing a name goes through all. */
static void write_enum(const schema_enum *enumeration, output *out)
{
    const schema_enum_value **values = calloc(enumeration->value_count + 1, sizeof(schema_enum_value *));
    if (values == NULL) {
        out->failed = true;
        return;
    }
    schema_sort_values(enumeration, values);
    output_printf(out, "static const mrpc_enum_value %s_values[] = {\n", enumeration->c_name);
    for (size_t i = 0; i < enumeration->value_count; i++)
        output_printf(out, "    {\"%s\", %s},\n", values[i]->name, values[i]->c_name);
    output_fill(out, "};\n\nconst mrpc_enum $E$_enum = {\n    sizeof(mrpc_enum), ", "E", enumeration->c_name, NULL);
    output_printf(out, "%zu, \"%s\", %s_values,\n};\n\n", enumeration->value_count, enumeration->full_name,
                  enumeration->c_name);
    free(values);
}

static const char *const kind_names[] = {
    [MRPC_FIELD_IMPLICIT] = "MRPC_FIELD_IMPLICIT", [MRPC_FIELD_OPTIONAL] = "MRPC_FIELD_OPTIONAL",
    [MRPC_FIELD_ONEOF] = "MRPC_FIELD_ONEOF",       [MRPC_FIELD_LIST] = "MRPC_FIELD_LIST",
    [MRPC_FIELD_MAP] = "MRPC_FIELD_MAP",
};

static const char *const type_names[] = {
    [MRPC_TYPE_DOUBLE] = "MRPC_TYPE_DOUBLE",     [MRPC_TYPE_FLOAT] = "MRPC_TYPE_FLOAT",
    [MRPC_TYPE_INT64] = "MRPC_TYPE_INT64",       [MRPC_TYPE_UINT64] = "MRPC_TYPE_UINT64",
    [MRPC_TYPE_INT32] = "MRPC_TYPE_INT32",       [MRPC_TYPE_FIXED64] = "MRPC_TYPE_FIXED64",
    [MRPC_TYPE_FIXED32] = "MRPC_TYPE_FIXED32",   [MRPC_TYPE_BOOL] = "MRPC_TYPE_BOOL",
    [MRPC_TYPE_STRING] = "MRPC_TYPE_STRING",     [MRPC_TYPE_GROUP] = "MRPC_TYPE_GROUP",
    [MRPC_TYPE_MESSAGE] = "MRPC_TYPE_MESSAGE",   [MRPC_TYPE_BYTES] = "MRPC_TYPE_BYTES",
    [MRPC_TYPE_UINT32] = "MRPC_TYPE_UINT32",     [MRPC_TYPE_ENUM] = "MRPC_TYPE_ENUM",
    [MRPC_TYPE_SFIXED32] = "MRPC_TYPE_SFIXED32", [MRPC_TYPE_SFIXED64] = "MRPC_TYPE_SFIXED64",
    [MRPC_TYPE_SINT32] = "MRPC_TYPE_SINT32",     [MRPC_TYPE_SINT64] = "MRPC_TYPE_SINT64",
};

/* Offsets are left to the C compiler, so that the table is right wherever the file is compiled. */
static void write_presence(const schema_field *field, output *out)
{
    const char *type = field->parent->c_name;
    if (field->oneof != NULL)
        output_printf(out, "offsetof(%s, %s_case)", type, field->oneof->c_name);
    else if (schema_has_flag(field))
        output_printf(out, "offsetof(%s, has_%s)", type, field->c_name);
    else
        output_text(out, "0");
}

/* Whether the name in JSON is another one than the name in lowerCamelCase, which is found at run time. */
static bool has_json_name(const schema_field *field)
{
    const char *given = field->json_name, *name = field->name;
    bool capital = false;
    if (given == NULL || *given == '\0')
        return false;
    for (; *name != '\0'; name++) {
        if (*name == '_') {
            capital = true;
            continue;
        }
        char c = capital && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
        capital = false;
        if (*given++ != c)
            return true;
    }
    return *given != '\0';
}

/* The name, and behind its NUL that in JSON. */
static void write_name(const schema_field *field, output *out)
{
    output_printf(out, "\"%s", field->name);
    if (has_json_name(field)) {
        output_text(out, "\\0\" \"");
        for (const char *at = field->json_name; *at != '\0'; at++) {
            bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_';
            output_printf(out, plain ? "%c" : "\\%03o", (unsigned char)*at);
        }
    }
    output_text(out, "\"");
}

static void write_flags(const schema_field *field, output *out)
{
    const struct {
        const char *name;
        bool is_set;
    } flags[] = {
        {"MRPC_FIELD_PACKED", field->packed},
        {"MRPC_FIELD_REQUIRED", field->presence == PRESENCE_REQUIRED},
        {"MRPC_FIELD_CLOSED", schema_is_closed(field)},
        {"MRPC_FIELD_IN_SET", field->parent->is_message_set},
        {"MRPC_FIELD_JSON_NAME", has_json_name(field)},
        {"MRPC_FIELD_RAW", field->type == MRPC_TYPE_STRING && !schema_checks_text(field)},
    };
    const char *before = "";
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (flags[i].is_set) {
            output_printf(out, "%s%s", before, flags[i].name);
            before = " | ";
        }
    output_text(out, *before == '\0' ? "0" : "");
}

void generate_field_kind(const schema_field *field, output *out)
{
    output_printf(out, "%s, %s, ", type_names[field->type], kind_names[schema_kind(field)]);
    write_flags(field, out);
    output_text(out, ", ");
    if (field->message != NULL)
        output_printf(out, "&%s_type, NULL", field->message->c_name);
    else if (field->enumeration != NULL)
        output_printf(out, "NULL, &%s_enum", field->enumeration->c_name);
    else
        output_text(out, "NULL, NULL");
}

static void write_field(const schema_field *field, output *out)
{
    output_text(out, "    {");
    write_name(field, out);
    output_printf(out, ", %" PRId32 ", offsetof(%s, ", field->number, field->parent->c_name);
    if (field->oneof != NULL)
        output_printf(out, "%s.", field->oneof->c_name);
    output_printf(out, "%s), ", field->c_name);
    write_presence(field, out);
    output_text(out, ",\n     ");
    generate_field_kind(field, out);
    output_text(out, "},\n");
}

/* By number, as the library and a decoder search them. */
static void write_fields(const schema_message *message, output *out)
{
    const schema_field **fields = calloc(message->field_count + 1, sizeof(schema_field *));
    if (fields == NULL) {
        out->failed = true;
        return;
    }
    schema_sort_fields(message, fields);
    output_printf(out, "static const mrpc_field %s_fields[] = {\n", message->c_name);
    for (size_t i = 0; i < message->field_count; i++)
        write_field(fields[i], out);
    output_text(out, "};\n\n");
    free(fields);
}

static void write_fingerprint(const mrpc_fingerprint *fingerprint, output *out)
{
    output_printf(out, "{UINT64_C(0x%016" PRIx64 "), MRPC_LAYOUT(0x%016" PRIx64 ")}", fingerprint->schema,
                  fingerprint->layout);
}

static void write_type(const schema_message *message, output *out)
{
    if (message->field_count != 0)
        write_fields(message, out);
    output_printf(out, "const mrpc_type %s_type = {\n", message->c_name);
    output_printf(out, "    sizeof(mrpc_type), sizeof(%s), \"%s\", &mrpc_file_%s,\n", message->c_name,
                  message->full_name, message->file->c_symbol);
    output_printf(out, "    %zu, %zu, ", message->index, message->field_count);
    if (message->field_count != 0)
        output_printf(out, "%s_fields", message->c_name);
    else
        output_text(out, "NULL");
    output_text(out, ",\n    ");
    write_fingerprint(&message->fingerprint, out);
    output_text(out, ",\n};\n\n");
}

static void write_message(const schema_message *message, output *out)
{
    for (size_t i = 0; i < message->enum_count; i++)
        write_enum(message->enums[i], out);
    write_type(message, out);
}

/* Gives a handler its own type back, and calls it. */
static void write_handle(const schema_method *method, output *out)
{
    output_fill(out,
                "static void $M$_handle(\n"
                "        mrpc_function handler, mrpc_call *call, const void *request, void *state)\n"
                "{\n"
                "    ((void (*)($M$_call *, const $Q$ *, void *))handler)(\n"
                "        ($M$_call *)call, (const $Q$ *)request, state);\n"
                "}\n"
                "\n",
                "M", method->c_name, "Q", method->request->c_name, NULL);
}

/* A method's messages may be of other files: their codecs are numbered in the module of the service's file. */
static void write_method(const schema_file *file, const schema_service *service, const schema_method *method,
                         output *out)
{
    output_printf(out, "    {sizeof(mrpc_method), %zu, \"%s\", \"%s/%s\",\n", (size_t)(method - service->methods),
                  method->name, service->full_name, method->name);
    output_printf(out, "     &%s_service, &%s_type, &%s_type, %zu, %zu, %s, %s,\n     %s_handle},\n", service->c_name,
                  method->request->c_name, method->reply->c_name, fingerprint_codec(file, method->request),
                  fingerprint_codec(file, method->reply), method->client_streaming ? "true" : "false",
                  method->server_streaming ? "true" : "false", method->c_name);
}

static void write_service(const schema_file *file, const schema_service *service, output *out)
{
    for (size_t i = 0; i < service->method_count; i++)
        write_handle(&service->methods[i], out);
    if (service->method_count != 0) {
        output_printf(out, "const mrpc_method %s_methods[%zu] = {\n", service->c_name, service->method_count);
        for (size_t i = 0; i < service->method_count; i++)
            write_method(file, service, &service->methods[i], out);
        output_text(out, "};\n\n");
    }
    output_printf(out, "const mrpc_service %s_service = {\n", service->c_name);
    output_printf(out, "    sizeof(mrpc_service), %zu, \"%s\", &mrpc_file_%s, ", service->method_count,
                  service->full_name, file->c_symbol);
    if (service->method_count != 0)
        output_printf(out, "%s_methods,\n};\n\n", service->c_name);
    else
        output_text(out, "NULL,\n};\n\n");
}

/* An import whose code is not needed may be absent from the program. */
static void write_dependencies(const schema_file *file, output *out)
{
    if (file->dependency_count == 0)
        return;
    for (size_t i = 0; i < file->dependency_count; i++)
        if (!file->dependency_needed[i])
            output_printf(out, "extern const mrpc_file mrpc_file_%s __attribute__((weak));\n",
                          file->dependencies[i]->c_symbol);
    output_text(out, "static const mrpc_file *const mrpc_own_dependencies[] = {\n");
    for (size_t i = 0; i < file->dependency_count; i++)
        output_printf(out, "    &mrpc_file_%s,\n", file->dependencies[i]->c_symbol);
    output_text(out, "};\n\n");
}

static void write_type_list(const schema_file *file, output *out)
{
    if (file->all_message_count == 0)
        return;
    output_text(out, "static const mrpc_type *const mrpc_own_types[] = {\n");
    for (size_t i = 0; i < file->all_message_count; i++)
        output_printf(out, "    &%s_type,\n", file->all_messages[i]->c_name);
    output_text(out, "};\n\n");
}

/* The reference to the marshal module is an ordinary one: it takes the module out of an archive, and a program that
 * forgot it does not link. A weak one would do neither. */
static void write_file(const schema_file *file, output *out)
{
    write_type_list(file, out);
    write_dependencies(file, out);
    output_text(out, "static const uint8_t mrpc_own_descriptor[] = {\n");
    output_bytes(out, file->descriptor, file->descriptor_size);
    output_text(out, "};\n\n");
    output_fill(out,
                "/* The marshal module of the file is linked into the program as well, unless it is to be found at run "
                "time. */\n"
                "#ifdef MRPC_MODULE_AT_RUN_TIME\n"
                "#define MRPC_OWN_MODULE NULL\n"
                "#else\n"
                "extern const mrpc_module mrpc_module_$F$;\n"
                "#define MRPC_OWN_MODULE &mrpc_module_$F$\n"
                "#endif\n\n"
                "const mrpc_file mrpc_file_$F$ = {\n    sizeof(mrpc_file), ",
                "F", file->c_symbol, NULL);
    output_printf(out, "%zu, ", file->all_message_count);
    output_literal(out, file->name);
    output_printf(out, ", %s, MRPC_OWN_MODULE,\n    ", file->all_message_count != 0 ? "mrpc_own_types" : "NULL");
    write_fingerprint(&file->fingerprint, out);
    output_printf(out, ",\n    mrpc_own_descriptor, sizeof mrpc_own_descriptor, %s, %zu,\n    %s, %zu,\n};\n",
                  file->dependency_count != 0 ? "mrpc_own_dependencies" : "NULL", file->dependency_count,
                  file->extension_count != 0 ? "mrpc_own_extensions" : "NULL", file->extension_count);
}

int generate_source(const schema_file *file, const gen_options *options, output *out)
{
    (void)options;
    generate_banner(file, out);
    output_printf(out, "#include \"%s\"\n\n#include <stddef.h>\n\n#include <mrpc/marshal.h>\n\n", file->c_header);
    write_all_assertions(file, out);
    for (size_t i = 0; i < file->enum_count; i++)
        write_enum(file->enums[i], out);
    for (size_t i = 0; i < file->all_message_count; i++)
        write_message(file->all_messages[i], out);
    for (size_t i = 0; i < file->service_count; i++)
        write_service(file, &file->services[i], out);
    generate_extension_tables(file, out);
    write_file(file, out);
    return 0;
}
