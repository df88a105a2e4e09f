/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tables.c - the end of a program that includes all golden headers: are the tables tied together as the schemas are?
 *
 * LINKED says whether the marshal modules are in the program.
 */
#include <mrpc/marshal.h>

static int failures;

static void check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "not so: %s\n", what);
        failures++;
    }
}
#define CHECK(condition) check((condition), #condition)

static const mrpc_field *field_named(const mrpc_type *type, const char *name)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}

static void check_files(void)
{
    const mrpc_file *file = &mrpc_file_imports;
    CHECK(strcmp(file->name, "imports.proto") == 0);
    CHECK(file->type_count == 2 && file->types[0] == &golden_imports_Imports_type);
    CHECK((file->linked != NULL) == LINKED);
    CHECK(file->dependency_count == 2);
    CHECK(file->dependencies[0] == &mrpc_file_dep_2fpublic && file->dependencies[1] == &mrpc_file_dep_2foptions);
    CHECK(mrpc_file_dep_2fpublic.dependencies[0] == &mrpc_file_dep_2fcommon);
    /* What is imported for options alone need not be in the program; what is extended must be. */
    CHECK(mrpc_file_dep_2foptions.dependencies[0] == &mrpc_file_google_2fprotobuf_2fdescriptor);
    CHECK(mrpc_file_dep_2foptions.extension_count == 1 && mrpc_file_dep_2foptions.extensions[0] == &golden_dep_unit);
    CHECK(mrpc_file_empty.type_count == 0 && mrpc_file_empty.descriptor_size != 0);
}

static void check_modules(void)
{
    const mrpc_file *const files[] = {&mrpc_file_comments, &mrpc_file_empty, &mrpc_file_imports, &mrpc_file_maps,
                                      &mrpc_file_names};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const mrpc_module *module = files[i]->linked;
        CHECK(strcmp(module->file, files[i]->name) == 0);
        CHECK(memcmp(&module->fingerprint, &files[i]->fingerprint, sizeof module->fingerprint) == 0);
        CHECK(module->codec_count >= files[i]->type_count);
        for (uint32_t j = 0; j < files[i]->type_count; j++)
            CHECK(strcmp(module->codecs[j].name, files[i]->types[j]->name) == 0 &&
                  module->codecs[j].size == files[i]->types[j]->size &&
                  memcmp(&module->codecs[j].fingerprint, &files[i]->types[j]->fingerprint, sizeof(mrpc_fingerprint)) ==
                      0);
    }
    const mrpc_module *imports = mrpc_file_imports.linked;
    CHECK(strcmp(imports->codecs[golden_imports_Elsewhere_methods[0].request_codec].name, "golden.dep.Common") == 0);
    CHECK(strcmp(imports->codecs[golden_imports_Elsewhere_methods[0].reply_codec].name, "golden.dep.v1.Public") == 0);
}

static void check_types(void)
{
    const mrpc_type *type = &golden_imports_Imports_type;
    CHECK(type->file == &mrpc_file_imports && type->codec == 0 && type->size == sizeof(golden_imports_Imports));
    CHECK(field_named(type, "common")->message == &golden_dep_Common_type);
    CHECK(field_named(type, "levels")->enumeration == &golden_dep_Level_enum);
    CHECK(field_named(type, "map")->message == &golden_imports_Imports_map_entry_type);
    CHECK(field_named(type, "this_one")->presence == offsetof(golden_imports_Imports, either_case));
    CHECK(type->fingerprint.schema != 0 && type->fingerprint.schema != golden_dep_Common_type.fingerprint.schema);
    CHECK(golden_nested_Even_type.fingerprint.schema != golden_nested_Odd_type.fingerprint.schema);
    const mrpc_field *tree = field_named(&golden_nested_Tree_type, "left");
    CHECK(tree->message == &golden_nested_Tree_type && tree->kind == MRPC_FIELD_OPTIONAL);
    const mrpc_type *numbers = &golden_scalars_Numbers_type;
    for (uint32_t i = 1; i < numbers->field_count; i++)
        CHECK(numbers->fields[i - 1].number < numbers->fields[i].number);
}

static void check_extensions(void)
{
    const mrpc_file *file = &mrpc_file_extensions;
    CHECK(file->extension_count == 17 && mrpc_file_imports.extension_count == 0);
    for (size_t i = 1; i < file->extension_count; i++) {
        const mrpc_extension *before = file->extensions[i - 1], *extension = file->extensions[i];
        int order = strcmp(before->extended->name, extension->extended->name);
        CHECK(order < 0 || (order == 0 && before->field.number < extension->field.number));
    }
    CHECK(golden_extensions_Scope_scope.extended == &golden_proto2_Presence_type);
    CHECK(golden_extensions_Scope_scope.field.message == &golden_extensions_Scope_type);
    CHECK(strcmp(golden_extensions_Scope_scope.field.name, "golden.extensions.Scope.scope") == 0);
    CHECK(*(const int32_t *)golden_extensions_count.absent == -7);
    CHECK(((const mrpc_string *)golden_extensions_label.absent)->size == 7);
    CHECK(golden_extensions_deltas.field.flags == MRPC_FIELD_PACKED);
    CHECK(golden_extensions_InSet_message_set_extension.field.flags == MRPC_FIELD_IN_SET);
}

static void check_services(void)
{
    CHECK(golden_services_Oracle_service.method_count == 5 && golden_services_Empty_service.method_count == 0);
    for (uint32_t i = 0; i < 5; i++)
        CHECK(golden_services_Oracle_methods[i].index == i &&
              golden_services_Oracle_methods[i].service == &golden_services_Oracle_service);
    CHECK(strcmp(golden_services_Oracle_methods[3].full_name, "golden.services.Oracle/Talk") == 0);
    CHECK(golden_services_Oracle_methods[1].client_streaming && !golden_services_Oracle_methods[1].server_streaming);
    /* The codecs are those of the module of imports.proto: its own two types, then Common, then Public. */
    const mrpc_method *unary = golden_imports_Elsewhere_methods;
    CHECK(unary->request == &golden_dep_Common_type && unary->request_codec == 2);
    CHECK(unary->reply == &golden_dep_v1_Public_type && unary->reply_codec == 3);
}

int main(void)
{
    check_files();
    check_types();
    check_extensions();
    check_services();
    if (LINKED)
        check_modules();
    return failures != 0;
}
