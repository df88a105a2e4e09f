/* SPDX-License-Identifier: BSD-2-Clause */
/* test_descriptor.c - the schema of messages at run time, with the well-known types as the example */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mrpc/descriptor.h>
#include <mrpc/well_known.h>

static google_protobuf_FileDescriptorProto *descriptor_of(const mrpc_file *file)
{
    google_protobuf_FileDescriptorProto *descriptor = NULL;
    mrpc_error error = {0};
    if (mrpc_file_descriptor(file, NULL, &descriptor, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    return descriptor;
}

static void a_file_describes_itself(void **state)
{
    (void)state;
    google_protobuf_FileDescriptorProto *descriptor = descriptor_of(&mrpc_file_google_2fprotobuf_2fduration);
    assert_string_equal(descriptor->name.data, "google/protobuf/duration.proto");
    assert_string_equal(descriptor->package.data, "google.protobuf");
    assert_string_equal(descriptor->syntax.data, "proto3");
    assert_string_equal(google_protobuf_FileOptions_get_java_package(descriptor->options).data, "com.google.protobuf");
    mrpc_release(descriptor);
}

/* Every message of the tables is found, and has the fields that its table has; entries of maps are no messages. */
static void every_type_is_found_in_its_file(void **state)
{
    (void)state;
    const mrpc_file *const files[] = {&mrpc_file_google_2fprotobuf_2fdescriptor, &mrpc_file_google_2fprotobuf_2fstruct};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        google_protobuf_FileDescriptorProto *descriptor = descriptor_of(files[i]);
        for (uint32_t j = 0; j < files[i]->type_count; j++) {
            const mrpc_type *type = files[i]->types[j];
            const google_protobuf_DescriptorProto *found = mrpc_type_descriptor(type, descriptor);
            assert_non_null(found);
            bool is_entry = found->options != NULL && found->options->map_entry;
            assert_ptr_equal(mrpc_file_find_type(files[i], type->name), is_entry ? NULL : type);
            assert_int_equal(found->field.size, type->field_count);
            assert_string_equal(found->name.data, strrchr(type->name, '.') + 1);
        }
        assert_null(mrpc_type_descriptor(&google_protobuf_Duration_type, descriptor));
        mrpc_release(descriptor);
    }
}

static void fields_are_described(void **state)
{
    (void)state;
    google_protobuf_FileDescriptorProto *descriptor = descriptor_of(&mrpc_file_google_2fprotobuf_2fdescriptor);
    const google_protobuf_DescriptorProto *part =
        mrpc_type_descriptor(&google_protobuf_UninterpretedOption_NamePart_type, descriptor);
    const google_protobuf_FieldDescriptorProto *field = part->field.data[1];
    assert_string_equal(field->name.data, "is_extension");
    assert_int_equal(field->number, 2);
    assert_int_equal(field->type, google_protobuf_FieldDescriptorProto_TYPE_BOOL);
    assert_int_equal(field->label, google_protobuf_FieldDescriptorProto_LABEL_REQUIRED);
    mrpc_release(descriptor);
}

static void a_name_must_be_whole(void **state)
{
    (void)state;
    const mrpc_file *file = &mrpc_file_google_2fprotobuf_2fstruct;
    google_protobuf_FileDescriptorProto *descriptor = descriptor_of(file);
    static const char *const wrong[] = {"",
                                        "Struct",
                                        "google.protobuf",
                                        "google.protobuf.",
                                        "google.protobuf.Struct.",
                                        "google.protobuf.Str",
                                        "google.protobuf.Struct.Fields",
                                        "google.protobufStruct"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        mrpc_type type = google_protobuf_Struct_type;
        type.name = wrong[i];
        assert_null(mrpc_type_descriptor(&type, descriptor));
        assert_null(mrpc_file_find_type(file, wrong[i]));
    }
    mrpc_release(descriptor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_describes_itself),
        cmocka_unit_test(every_type_is_found_in_its_file),
        cmocka_unit_test(fields_are_described),
        cmocka_unit_test(a_name_must_be_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
