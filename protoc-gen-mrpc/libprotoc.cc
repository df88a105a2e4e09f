// SPDX-License-Identifier: BSD-2-Clause
// libprotoc.cc - see libprotoc.h: turns libprotobuf's descriptors into the plain structs of schema.h
//
// Allocation failures are C++ exceptions here and are turned into an error text at the border.
#include "libprotoc.h"

#include <exception>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

#include <google/protobuf/compiler/code_generator.h>
#include <google/protobuf/compiler/plugin.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/io/coded_stream.h>

namespace pb = google::protobuf;

namespace
{

class SchemaBuilder
{
  public:
    explicit SchemaBuilder(gen_arena *arena) : arena_(arena)
    {
    }

    schema_file *File(const pb::FileDescriptor *file);
    const std::vector<const pb::FileDescriptor *> &order() const
    {
        return order_;
    }

  private:
    template <typename T> T *New(size_t count = 1)
    {
        void *memory = arena_alloc(arena_, count != 0 ? count : 1, sizeof(T));
        if (memory == nullptr)
            throw std::bad_alloc();
        return static_cast<T *>(memory);
    }
    const char *Text(const std::string &text)
    {
        return arena_text(arena_, text.data(), text.size());
    }

    template <typename D> schema_location Location(const D *descriptor);
    schema_location PathLocation(const pb::FileDescriptor *file, const std::vector<int> &path);
    schema_location ToLocation(const pb::SourceLocation &source);

    // Messages and enums are declared first and filled afterwards, because they refer to each other.
    void DeclareMessage(const pb::Descriptor *source, schema_file *file, schema_message *parent, schema_message **slot);
    void DeclareEnum(const pb::EnumDescriptor *source, schema_file *file, schema_message *parent, schema_enum **slot);
    void FillMessage(const pb::Descriptor *source);
    void FillOneofs(const pb::Descriptor *source, schema_message *message);
    schema_field *Field(const pb::FieldDescriptor *source, schema_message *parent);
    schema_default Default(const pb::FieldDescriptor *source, const schema_enum *enumeration);
    schema_extension Extension(const pb::FieldDescriptor *source);
    static void ListExtensions(const pb::Descriptor *source, std::vector<const pb::FieldDescriptor *> *list);
    void FillExtensions(const pb::FileDescriptor *source, schema_file *file);
    void FillServices(const pb::FileDescriptor *source, schema_file *file);
    void FillMethods(const pb::ServiceDescriptor *source, schema_service *service, const schema_file *file);
    void FillImports(const pb::FileDescriptor *source, schema_file *file);
    void FillDescriptor(const pb::FileDescriptor *source, schema_file *file);

    gen_arena *arena_;
    std::map<const pb::FileDescriptor *, schema_file *> files_;
    std::map<const pb::Descriptor *, schema_message *> messages_;
    std::map<const pb::EnumDescriptor *, schema_enum *> enums_;
    std::map<const pb::FieldDescriptor *, schema_field *> fields_;
    std::vector<const pb::FileDescriptor *> order_;
};

schema_location SchemaBuilder::ToLocation(const pb::SourceLocation &source)
{
    return {source.start_line + 1, source.start_column + 1, Text(source.leading_comments),
            Text(source.trailing_comments)};
}

template <typename D> schema_location SchemaBuilder::Location(const D *descriptor)
{
    pb::SourceLocation source;
    if (!descriptor->GetSourceLocation(&source))
        return {0, 0, "", ""};
    return ToLocation(source);
}

schema_location SchemaBuilder::PathLocation(const pb::FileDescriptor *file, const std::vector<int> &path)
{
    pb::SourceLocation source;
    if (!file->GetSourceLocation(path, &source))
        return {0, 0, "", ""};
    return ToLocation(source);
}

void SchemaBuilder::DeclareEnum(const pb::EnumDescriptor *source, schema_file *file, schema_message *parent,
                                schema_enum **slot)
{
    schema_enum *enumeration = New<schema_enum>();
    enums_[source] = *slot = enumeration;
    enumeration->name = Text(source->name());
    enumeration->full_name = Text(source->full_name());
    enumeration->file = file;
    enumeration->parent = parent;
    enumeration->closed = source->file()->syntax() == pb::FileDescriptor::SYNTAX_PROTO2;
    enumeration->deprecated = source->options().deprecated();
    enumeration->location = Location(source);
    enumeration->value_count = static_cast<size_t>(source->value_count());
    enumeration->values = New<schema_enum_value>(enumeration->value_count);
    for (int i = 0; i < source->value_count(); i++) {
        schema_enum_value *value = &enumeration->values[i];
        value->name = Text(source->value(i)->name());
        value->number = source->value(i)->number();
        value->location = Location(source->value(i));
    }
}

void SchemaBuilder::DeclareMessage(const pb::Descriptor *source, schema_file *file, schema_message *parent,
                                   schema_message **slot)
{
    schema_message *message = New<schema_message>();
    messages_[source] = *slot = message;
    message->name = Text(source->name());
    message->full_name = Text(source->full_name());
    message->file = file;
    message->parent = parent;
    message->is_map_entry = source->options().map_entry();
    message->is_message_set = source->options().message_set_wire_format();
    message->deprecated = source->options().deprecated();
    message->location = Location(source);
    message->extension_range_count = static_cast<size_t>(source->extension_range_count());
    message->extension_ranges = New<schema_range>(message->extension_range_count);
    for (int i = 0; i < source->extension_range_count(); i++)
        message->extension_ranges[i] = {source->extension_range(i)->start, source->extension_range(i)->end};
    message->message_count = static_cast<size_t>(source->nested_type_count());
    message->messages = New<schema_message *>(message->message_count);
    for (int i = 0; i < source->nested_type_count(); i++)
        DeclareMessage(source->nested_type(i), file, message, &message->messages[i]);
    message->enum_count = static_cast<size_t>(source->enum_type_count());
    message->enums = New<schema_enum *>(message->enum_count);
    for (int i = 0; i < source->enum_type_count(); i++)
        DeclareEnum(source->enum_type(i), file, message, &message->enums[i]);
}

// What the descriptor says, or the zero of the type, or the first value of the enum.
schema_default SchemaBuilder::Default(const pb::FieldDescriptor *source, const schema_enum *enumeration)
{
    schema_default absent = {};
    switch (source->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32:
        absent.bits = static_cast<uint64_t>(static_cast<int64_t>(source->default_value_int32()));
        break;
    case pb::FieldDescriptor::CPPTYPE_INT64:
        absent.bits = static_cast<uint64_t>(source->default_value_int64());
        break;
    case pb::FieldDescriptor::CPPTYPE_UINT32:
        absent.bits = source->default_value_uint32();
        break;
    case pb::FieldDescriptor::CPPTYPE_UINT64:
        absent.bits = source->default_value_uint64();
        break;
    case pb::FieldDescriptor::CPPTYPE_BOOL:
        absent.bits = source->default_value_bool();
        break;
    case pb::FieldDescriptor::CPPTYPE_FLOAT:
        absent.real = static_cast<double>(source->default_value_float());
        break;
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
        absent.real = source->default_value_double();
        break;
    case pb::FieldDescriptor::CPPTYPE_STRING:
        absent.text = Text(source->default_value_string());
        absent.size = source->default_value_string().size();
        break;
    case pb::FieldDescriptor::CPPTYPE_ENUM:
        absent.value = &enumeration->values[source->default_value_enum()->index()];
        break;
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
        break;
    }
    return absent;
}

schema_field *SchemaBuilder::Field(const pb::FieldDescriptor *source, schema_message *parent)
{
    schema_field *field = New<schema_field>();
    fields_[source] = field;
    field->name = Text(source->name());
    field->full_name = Text(source->full_name());
    field->json_name = Text(source->json_name());
    field->number = source->number();
    field->type = static_cast<mrpc_field_type>(source->type());
    field->repeated = source->is_repeated();
    field->packed = source->is_packed();
    field->is_map = source->is_map();
    field->presence = source->is_required()                             ? PRESENCE_REQUIRED
                      : source->has_presence() && !parent->is_map_entry ? PRESENCE_EXPLICIT
                                                                        : PRESENCE_IMPLICIT;
    field->message = source->message_type() != nullptr ? messages_.at(source->message_type()) : nullptr;
    field->enumeration = source->enum_type() != nullptr ? enums_.at(source->enum_type()) : nullptr;
    field->absent = Default(source, field->enumeration);
    if (field->type == MRPC_TYPE_GROUP && !source->is_extension())
        field->message->group_number = field->number;
    field->parent = parent;
    field->index = static_cast<size_t>(source->index());
    field->deprecated = source->options().deprecated();
    field->location = Location(source);
    return field;
}

void SchemaBuilder::FillOneofs(const pb::Descriptor *source, schema_message *message)
{
    message->oneof_count = static_cast<size_t>(source->real_oneof_decl_count());
    message->oneofs = New<schema_oneof *>(message->oneof_count);
    for (int i = 0; i < source->real_oneof_decl_count(); i++) {
        const pb::OneofDescriptor *from = source->oneof_decl(i);
        schema_oneof *oneof = message->oneofs[i] = New<schema_oneof>();
        oneof->name = Text(from->name());
        oneof->full_name = Text(from->full_name());
        oneof->parent = message;
        oneof->location = Location(from);
        oneof->field_count = static_cast<size_t>(from->field_count());
        oneof->fields = New<schema_field *>(oneof->field_count);
        for (int j = 0; j < from->field_count(); j++) {
            oneof->fields[j] = fields_.at(from->field(j));
            oneof->fields[j]->oneof = oneof;
        }
    }
}

void SchemaBuilder::FillMessage(const pb::Descriptor *source)
{
    schema_message *message = messages_.at(source);
    message->field_count = static_cast<size_t>(source->field_count());
    message->fields = New<schema_field *>(message->field_count);
    for (int i = 0; i < source->field_count(); i++)
        message->fields[i] = Field(source->field(i), message);
    FillOneofs(source, message);
    for (int i = 0; i < source->nested_type_count(); i++)
        FillMessage(source->nested_type(i));
}

void SchemaBuilder::FillMethods(const pb::ServiceDescriptor *source, schema_service *service, const schema_file *file)
{
    service->method_count = static_cast<size_t>(source->method_count());
    service->methods = New<schema_method>(service->method_count);
    for (int i = 0; i < source->method_count(); i++) {
        const pb::MethodDescriptor *from = source->method(i);
        schema_method *method = &service->methods[i];
        method->name = Text(from->name());
        method->full_name = Text(from->full_name());
        method->request = messages_.at(from->input_type());
        method->reply = messages_.at(from->output_type());
        method->file = file;
        method->client_streaming = from->client_streaming();
        method->server_streaming = from->server_streaming();
        method->deprecated = from->options().deprecated();
        method->location = Location(from);
    }
}

void SchemaBuilder::FillServices(const pb::FileDescriptor *source, schema_file *file)
{
    file->service_count = static_cast<size_t>(source->service_count());
    file->services = New<schema_service>(file->service_count);
    for (int i = 0; i < source->service_count(); i++) {
        schema_service *service = &file->services[i];
        service->name = Text(source->service(i)->name());
        service->full_name = Text(source->service(i)->full_name());
        service->deprecated = source->service(i)->options().deprecated();
        service->location = Location(source->service(i));
        FillMethods(source->service(i), service, file);
    }
}

schema_extension SchemaBuilder::Extension(const pb::FieldDescriptor *source)
{
    schema_extension extension = {};
    extension.field = Field(source, messages_.at(source->containing_type()));
    extension.scope = source->extension_scope() != nullptr ? messages_.at(source->extension_scope()) : nullptr;
    bool is_enum = source->enum_type() != nullptr && !source->is_repeated();
    extension.has_default = source->has_default_value() || (is_enum && source->default_value_enum()->number() != 0);
    return extension;
}

void SchemaBuilder::ListExtensions(const pb::Descriptor *source, std::vector<const pb::FieldDescriptor *> *list)
{
    for (int i = 0; i < source->extension_count(); i++)
        list->push_back(source->extension(i));
    for (int i = 0; i < source->nested_type_count(); i++)
        ListExtensions(source->nested_type(i), list);
}

void SchemaBuilder::FillExtensions(const pb::FileDescriptor *source, schema_file *file)
{
    std::vector<const pb::FieldDescriptor *> list;
    for (int i = 0; i < source->extension_count(); i++)
        list.push_back(source->extension(i));
    for (int i = 0; i < source->message_type_count(); i++)
        ListExtensions(source->message_type(i), &list);
    file->extensions = New<schema_extension>(list.size());
    for (const pb::FieldDescriptor *from : list)
        file->extensions[file->extension_count++] = Extension(from);
}

void SchemaBuilder::FillImports(const pb::FileDescriptor *source, schema_file *file)
{
    file->dependency_count = static_cast<size_t>(source->dependency_count());
    file->dependencies = New<schema_file *>(file->dependency_count);
    file->public_dependency = New<bool>(file->dependency_count);
    file->dependency_locations = New<schema_location>(file->dependency_count);
    for (int i = 0; i < source->dependency_count(); i++) {
        file->dependencies[i] = File(source->dependency(i));
        file->dependency_locations[i] = PathLocation(source, {pb::FileDescriptorProto::kDependencyFieldNumber, i});
    }
    for (int i = 0; i < source->public_dependency_count(); i++)
        for (size_t j = 0; j < file->dependency_count; j++)
            file->public_dependency[j] |= file->dependencies[j] == File(source->public_dependency(i));
}

void SchemaBuilder::FillDescriptor(const pb::FileDescriptor *source, schema_file *file)
{
    pb::FileDescriptorProto proto;
    source->CopyTo(&proto);
    std::string bytes;
    {
        pb::io::StringOutputStream stream(&bytes);
        pb::io::CodedOutputStream coded(&stream);
        coded.SetSerializationDeterministic(true);
        proto.SerializePartialToCodedStream(&coded);
    }
    file->descriptor = reinterpret_cast<const uint8_t *>(Text(bytes));
    file->descriptor_size = bytes.size();
}

schema_file *SchemaBuilder::File(const pb::FileDescriptor *source)
{
    auto known = files_.find(source);
    if (known != files_.end())
        return known->second;
    schema_file *file = New<schema_file>();
    files_[source] = file;
    file->name = Text(source->name());
    file->package = Text(source->package());
    file->is_proto2 = source->syntax() == pb::FileDescriptor::SYNTAX_PROTO2;
    file->syntax_location = PathLocation(source, {pb::FileDescriptorProto::kSyntaxFieldNumber});
    FillImports(source, file);
    file->message_count = static_cast<size_t>(source->message_type_count());
    file->messages = New<schema_message *>(file->message_count);
    for (int i = 0; i < source->message_type_count(); i++)
        DeclareMessage(source->message_type(i), file, nullptr, &file->messages[i]);
    file->enum_count = static_cast<size_t>(source->enum_type_count());
    file->enums = New<schema_enum *>(file->enum_count);
    for (int i = 0; i < source->enum_type_count(); i++)
        DeclareEnum(source->enum_type(i), file, nullptr, &file->enums[i]);
    for (int i = 0; i < source->message_type_count(); i++)
        FillMessage(source->message_type(i));
    FillServices(source, file);
    FillExtensions(source, file);
    FillDescriptor(source, file);
    order_.push_back(source);
    return file;
}

// What plugin_write() needs behind plugin_request.context.
struct Answer {
    pb::compiler::GeneratorContext *context;
};

class Generator : public pb::compiler::CodeGenerator
{
  public:
    explicit Generator(plugin_generator *generator) : generator_(generator)
    {
    }

    uint64_t GetSupportedFeatures() const override
    {
        return FEATURE_PROTO3_OPTIONAL;
    }
    bool HasGenerateAll() const override
    {
        return true;
    }

    bool Generate(const pb::FileDescriptor *file, const std::string &parameter, pb::compiler::GeneratorContext *context,
                  std::string *error) const override
    {
        return GenerateAll({file}, parameter, context, error);
    }

    bool GenerateAll(const std::vector<const pb::FileDescriptor *> &files, const std::string &parameter,
                     pb::compiler::GeneratorContext *context, std::string *error) const override
    {
        gen_arena arena = {};
        output text = {};
        bool good = false;
        try {
            good = Run(files, parameter, context, &arena, &text);
            *error = good ? "" : output_string(&text);
            if (!good && error->empty())
                *error = "out of memory";
        } catch (const std::bad_alloc &) {
            *error = "out of memory";
        } catch (const std::exception &exception) {
            *error = exception.what();
        }
        output_free(&text);
        arena_free(&arena);
        return good;
    }

  private:
    bool Run(const std::vector<const pb::FileDescriptor *> &files, const std::string &parameter,
             pb::compiler::GeneratorContext *context, gen_arena *arena, output *text) const
    {
        SchemaBuilder builder(arena);
        for (const pb::FileDescriptor *file : files)
            builder.File(file);
        std::set<const pb::FileDescriptor *> wanted(files.begin(), files.end());
        std::vector<schema_file *> all;
        std::unique_ptr<bool[]> flags(new bool[builder.order().size() + 1]);
        for (const pb::FileDescriptor *file : builder.order()) {
            flags[all.size()] = wanted.count(file) != 0;
            all.push_back(builder.File(file));
        }
        Answer answer = {context};
        plugin_request request = {all.data(), flags.get(), all.size(), parameter.c_str(), arena, &answer};
        return generator_(&request, text) == 0;
    }

    plugin_generator *generator_;
};

bool WriteAll(pb::io::ZeroCopyOutputStream *stream, const char *data, size_t size)
{
    pb::io::CodedOutputStream coded(stream);
    const size_t most = 1 << 30;
    for (; size > most; data += most, size -= most)
        coded.WriteRaw(data, static_cast<int>(most));
    coded.WriteRaw(data, static_cast<int>(size));
    return !coded.HadError();
}

} // namespace

extern "C" int plugin_write(const plugin_request *request, const char *name, const char *data, size_t size)
{
    try {
        std::unique_ptr<pb::io::ZeroCopyOutputStream> stream(
            static_cast<Answer *>(request->context)->context->Open(name));
        return WriteAll(stream.get(), data, size) ? 0 : MRPC_ENOMEM;
    } catch (const std::exception &) {
        return MRPC_ENOMEM;
    }
}

extern "C" int plugin_main(int argc, char **argv, plugin_generator *generator)
{
    Generator code_generator(generator);
    return pb::compiler::PluginMain(argc, argv, &code_generator);
}
