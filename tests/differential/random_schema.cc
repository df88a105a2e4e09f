// SPDX-License-Identifier: BSD-2-Clause
// random_schema.cc - see random_schema.h; the files, messages and enums
#include "tests/differential/random_schema.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "tests/differential/schema_maker.h"

using google::protobuf::DescriptorProto;
using google::protobuf::EnumDescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorProto;

namespace
{

// Where all extensions are; random_message() has an unknown field with a number beyond it.
enum { FIRST_EXTENSION = 300, EXTENSIONS_END = 400 };

std::string in_scope(const std::string &scope, const std::string &name)
{
    return scope + "." + name;
}

int32_t random_value_number(schema_maker *maker)
{
    static const int32_t numbers[] = {INT32_MIN, INT32_MAX, -1, 127, 128, 16384};
    return maker->chance(3) ? numbers[maker->below(sizeof numbers / sizeof *numbers)]
                            : static_cast<int32_t>(maker->below(1000)) - 300;
}

// The numbers of a value that has one already make it an alias.
void add_values(schema_maker *maker, EnumDescriptorProto *proto)
{
    std::set<int32_t> numbers;
    for (size_t i = 0, count = 1 + maker->below(6); i < count; i++) {
        bool is_first_of_open = i == 0 && (maker->proto3 || maker->chance(2));
        int32_t number = is_first_of_open ? 0 : random_value_number(maker);
        if (i > 0 && maker->chance(4))
            number = proto->value(0).number();
        if (!numbers.insert(number).second)
            proto->mutable_options()->set_allow_alias(true);
        auto *value = proto->add_value();
        value->set_name(maker->fresh("VALUE_"));
        value->set_number(number);
    }
}

void add_enum(schema_maker *maker, EnumDescriptorProto *proto, const std::string &scope)
{
    proto->set_name(maker->fresh("Enum"));
    add_values(maker, proto);
    maker->enums.push_back({proto, in_scope(scope, proto->name()), maker->proto3});
}

// At the top of the file, or nested in a message of the file.
void add_message(schema_maker *maker, FileDescriptorProto *file, const std::string &package, size_t first)
{
    size_t own = maker->messages.size() - first;
    known_message *parent = own > 0 && maker->chance(3) ? &maker->messages[first + maker->below(own)] : nullptr;
    DescriptorProto *proto = parent != nullptr ? parent->proto->add_nested_type() : file->add_message_type();
    proto->set_name(maker->fresh("Message"));
    std::string name = in_scope(parent != nullptr ? parent->name : package, proto->name());
    if (maker->chance(4))
        add_enum(maker, proto->add_enum_type(), name);
    maker->messages.push_back({proto, name, static_cast<size_t>(maker->set.file_size()) - 1});
}

void add_range(schema_maker *maker, DescriptorProto *proto)
{
    if (maker->proto3 || !maker->extensions || maker->chance(3))
        return;
    auto *range = proto->add_extension_range();
    range->set_start(FIRST_EXTENSION);
    range->set_end(EXTENSIONS_END);
}

// Where the file declares it. Not at the top without a package: there C++ and C give a variable the same name.
google::protobuf::RepeatedPtrField<FieldDescriptorProto> *choose_scope(schema_maker *maker, FileDescriptorProto *file,
                                                                       size_t first)
{
    if (!file->package().empty() && maker->chance(2))
        return file->mutable_extension();
    return maker->messages[first + maker->below(maker->messages.size() - first)].proto->mutable_extension();
}

// Of any message that has a range. Their numbers only grow, since a message may have one of each number in all files.
void add_extensions(schema_maker *maker, FileDescriptorProto *file, size_t first, int *number)
{
    for (size_t i = 0; i < maker->messages.size() && !maker->proto3; i++)
        for (size_t count = maker->below(4); count > 0 && maker->messages[i].proto->extension_range_size() > 0;
             count--) {
            add_extension(maker, i, *number, choose_scope(maker, file, first));
            *number += 1 + static_cast<int>(maker->below(2));
        }
}

void add_file(schema_maker *maker, int *extension_number)
{
    static const char *const packages[] = {"", "one", "a.b_c.D"};
    FileDescriptorProto *file = maker->set.add_file();
    maker->proto3 = maker->chance(2);
    file->set_name("random_" + std::to_string(maker->set.file_size()) + ".proto");
    file->set_syntax(maker->proto3 ? "proto3" : "proto2");
    file->set_package(packages[maker->below(sizeof packages / sizeof *packages)]);
    for (int i = 0; i + 1 < maker->set.file_size(); i++)
        file->add_dependency(maker->set.file(i).name());
    std::string scope = file->package().empty() ? "" : "." + file->package();
    for (size_t count = maker->below(3); count > 0; count--)
        add_enum(maker, file->add_enum_type(), scope);
    size_t first = maker->messages.size();
    for (size_t count = 1 + maker->below(4); count > 0; count--)
        add_message(maker, file, scope, first);
    for (size_t i = first; i < maker->messages.size(); i++) {
        add_range(maker, maker->messages[i].proto);
        add_fields(maker, i);
    }
    add_extensions(maker, file, first, extension_number);
}

} // namespace

char *random_schema(random_source *source, schema_limits limits, size_t *size)
{
    schema_maker maker;
    maker.source = source;
    maker.limits = limits;
    maker.maps = maker.below(3) != 0;
    maker.groups = limits == SCHEMA_OF_ANY_KIND && maker.chance(2);
    maker.extensions = limits == SCHEMA_OF_ANY_KIND && maker.chance(3);
    int extension_number = FIRST_EXTENSION;
    for (int i = 0; i < 2; i++)
        add_file(&maker, &extension_number);
    std::string bytes = maker.set.SerializeAsString();
    char *copy = static_cast<char *>(std::malloc(bytes.size() + 1));
    if (copy == nullptr)
        std::abort();
    std::memcpy(copy, bytes.c_str(), bytes.size() + 1);
    *size = bytes.size();
    return copy;
}
