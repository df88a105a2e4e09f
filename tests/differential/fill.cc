// SPDX-License-Identifier: BSD-2-Clause
// fill.cc - see fill.h
#include "tests/differential/fill.h"

#include <cstring>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

namespace
{

enum { UNKNOWN_NUMBER = 0x60000, MANY = 300 };

// --- values ---

// Small ones, ones with few bits, negative ones, any.
uint64_t random_number(random_source *source)
{
    uint64_t number = random_next(source) >> random_below(source, 64);
    return random_below(source, 3) == 0 ? 0 - number : number;
}

size_t random_size(random_source *source)
{
    return random_below(source, 15) == 0 ? random_below(source, 2000) : random_below(source, 40);
}

std::string random_octets(random_source *source)
{
    std::string octets(random_size(source), '\0');
    for (char &octet : octets)
        octet = static_cast<char>(random_next(source));
    return octets;
}

// One character in UTF-8, RFC 3629; not NUL, which ends a string of protobuf-c: random_message() has it.
void append_character(random_source *source, std::string *text)
{
    uint32_t c = static_cast<uint32_t>(random_next(source) >> (43 + random_below(source, 15)));
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = 0x20ac;
    if (c < 0x80) {
        *text += c != 0 ? static_cast<char>(c) : ' ';
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    *text += static_cast<char>((0xf00 >> (more + 1) & 0xff) | c >> (6 * more));
    while (more-- > 0)
        *text += static_cast<char>(0x80 | (c >> (6 * more) & 0x3f));
}

bool is_proto3(const google::protobuf::FileDescriptor *file)
{
    return file->syntax() == google::protobuf::FileDescriptor::SYNTAX_PROTO3;
}

// For a string of proto2 now and then what is not UTF-8.
std::string random_text(random_source *source, const FieldDescriptor *field)
{
    if (field->type() == FieldDescriptor::TYPE_BYTES)
        return random_octets(source);
    std::string text;
    if (!is_proto3(field->file()) && random_below(source, 200) == 0)
        text = "\xff";
    bool ascii = random_below(source, 2) != 0;
    for (size_t size = random_size(source); size > 0; size--)
        if (ascii)
            text += static_cast<char>(' ' + random_below(source, 95));
        else
            append_character(source, &text);
    return text;
}

template <typename Float, typename Bits> Float random_fraction(random_source *source)
{
    if (random_below(source, 2) != 0)
        return static_cast<Float>(static_cast<int64_t>(random_number(source) >> 40)) / 8;
    Bits bits = static_cast<Bits>(random_next(source));
    Float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// One that has a name; for an open enum also others.
int random_enum(random_source *source, const FieldDescriptor *field)
{
    const google::protobuf::EnumDescriptor *type = field->enum_type();
    if (is_proto3(type->file()) && is_proto3(field->file()) && random_below(source, 3) == 0)
        return static_cast<int>(random_number(source));
    return type->value(static_cast<int>(random_below(source, static_cast<size_t>(type->value_count()))))->number();
}

// --- fields ---

void fill_known(random_source *source, Message *message, unsigned depth, bool only_required);

// Sets the field, or adds to it.
void put_value(random_source *source, Message *message, const FieldDescriptor *field, unsigned depth)
{
    const Reflection *reflection = message->GetReflection();
    bool repeated = field->is_repeated();
#define PUT(kind, value)                                                                                               \
    repeated ? reflection->Add##kind(message, field, value) : reflection->Set##kind(message, field, value)
    switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
        return PUT(Int32, static_cast<int32_t>(random_number(source)));
    case FieldDescriptor::CPPTYPE_INT64:
        return PUT(Int64, static_cast<int64_t>(random_number(source)));
    case FieldDescriptor::CPPTYPE_UINT32:
        return PUT(UInt32, static_cast<uint32_t>(random_number(source)));
    case FieldDescriptor::CPPTYPE_UINT64:
        return PUT(UInt64, random_number(source));
    case FieldDescriptor::CPPTYPE_DOUBLE:
        return PUT(Double, (random_fraction<double, uint64_t>(source)));
    case FieldDescriptor::CPPTYPE_FLOAT:
        return PUT(Float, (random_fraction<float, uint32_t>(source)));
    case FieldDescriptor::CPPTYPE_BOOL:
        return PUT(Bool, random_below(source, 2) != 0);
    case FieldDescriptor::CPPTYPE_ENUM:
        return PUT(EnumValue, random_enum(source, field));
    case FieldDescriptor::CPPTYPE_STRING:
        return PUT(String, random_text(source, field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
        fill_known(source,
                   repeated ? reflection->AddMessage(message, field) : reflection->MutableMessage(message, field),
                   depth > 0 ? depth - 1 : 0, depth == 0);
    }
#undef PUT
}

size_t random_count(random_source *source, const FieldDescriptor *field, unsigned depth)
{
    if (!field->is_repeated())
        return 1;
    bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (is_message && !field->is_map())
        return depth > 0 ? random_below(source, 4) : 0;
    return random_below(source, !is_message && random_below(source, 12) == 0 ? MANY : 6);
}

// An entry of a map without a value is one whose value is empty: such messages lack what the value requires.
void fill_entry(random_source *source, Message *entry, unsigned depth)
{
    put_value(source, entry, entry->GetDescriptor()->field(0), depth);
    put_value(source, entry, entry->GetDescriptor()->field(1), depth);
}

void fill_field(random_source *source, Message *message, const FieldDescriptor *field, unsigned depth)
{
    for (size_t count = random_count(source, field, depth); count > 0; count--)
        if (field->is_map())
            fill_entry(source, message->GetReflection()->AddMessage(message, field), depth > 0 ? depth - 1 : 0);
        else
            put_value(source, message, field, depth);
}

void fill_extensions(random_source *source, Message *message, unsigned depth)
{
    std::vector<const FieldDescriptor *> extensions;
    message->GetDescriptor()->file()->pool()->FindAllExtensions(message->GetDescriptor(), &extensions);
    for (const FieldDescriptor *extension : extensions)
        if (random_below(source, 3) == 0)
            fill_field(source, message, extension, depth);
}

// What no random schema has. protobuf-c refuses unknown groups: random_message() has them.
void add_unknown(random_source *source, Message *message)
{
    google::protobuf::UnknownFieldSet *unknown = message->GetReflection()->MutableUnknownFields(message);
    unknown->AddVarint(UNKNOWN_NUMBER, random_number(source));
    unknown->AddFixed32(UNKNOWN_NUMBER, static_cast<uint32_t>(random_number(source)));
    unknown->AddLengthDelimited(UNKNOWN_NUMBER, random_octets(source));
}

void fill_known(random_source *source, Message *message, unsigned depth, bool only_required)
{
    const google::protobuf::Descriptor *type = message->GetDescriptor();
    size_t most = 1 + random_below(source, 4);
    for (int i = 0; i < type->field_count(); i++) {
        const FieldDescriptor *field = type->field(i);
        bool is_possible = field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || depth > 0;
        if (field->is_required() || (!only_required && is_possible && random_below(source, 5) < most))
            fill_field(source, message, field, depth);
    }
    if (only_required)
        return;
    if (depth > 0)
        fill_extensions(source, message, depth);
    if (random_below(source, 12) == 0)
        add_unknown(source, message);
}

} // namespace

void fill_message(random_source *source, Message *message, unsigned depth)
{
    fill_known(source, message, depth, false);
}
