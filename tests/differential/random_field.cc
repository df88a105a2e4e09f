// SPDX-License-Identifier: BSD-2-Clause
// random_field.cc - fields of random schemas: names, numbers, types, maps, groups, oneofs, defaults
#include <cctype>

#include "tests/differential/schema_maker.h"

using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptorProto;

namespace
{

enum { LAST_NUMBER = (1 << 29) - 1, RESERVED_FIRST = 19000, RESERVED_LAST = 19999, UNKNOWN_NUMBER = 0x60000 };

// A message to which fields are added.
struct message_maker {
    schema_maker *maker;
    DescriptorProto *proto;
    std::string name;            // with a dot before it
    size_t index;                // its own in maker->messages, or that of the message which a group stands in
    unsigned depth;              // of groups in groups
    std::set<std::string> words; // that were used up
    std::set<int> numbers;
};

void add_members(message_maker *message);

// --- names and numbers ---

// A word of C or C++, once for each message; or of some style, with a number that no other name has.
std::string field_name(message_maker *message)
{
    static const char *const words[] = {"class", "int", "new", "value", "key", "base", "type", "case", "size"};
    static const char *const styles[] = {"f", "long_name_", "camelCase", "UPPER_CASE_", "_lead_", "x_"};
    schema_maker *maker = message->maker;
    std::string word = words[maker->below(sizeof words / sizeof *words)];
    if (maker->limits == SCHEMA_OF_ANY_KIND && maker->chance(10) && message->words.insert(word).second)
        return word;
    return maker->fresh(styles[maker->below(sizeof styles / sizeof *styles)]) + (maker->chance(12) ? "_" : "");
}

// Those where the tag gets one byte more, the first and the last, and any.
int random_number(schema_maker *maker)
{
    static const int edges[] = {15, 16, 2047, 2048, 18999, 20000, 262143, 262144, 33554431, 33554432, LAST_NUMBER};
    switch (maker->below(5)) {
    case 0:
        return edges[maker->below(sizeof edges / sizeof *edges)];
    case 1:
        return 1 + static_cast<int>(maker->below(static_cast<size_t>(1) << (1 + maker->below(29))) % LAST_NUMBER);
    default:
        return 1 + static_cast<int>(maker->below(20));
    }
}

bool is_in_range(const DescriptorProto &proto, int number)
{
    for (const auto &range : proto.extension_range())
        if (number >= range.start() && number < range.end())
            return true;
    return false;
}

int fresh_number(message_maker *message)
{
    for (;;) {
        int number = random_number(message->maker);
        bool is_free = (number < RESERVED_FIRST || number > RESERVED_LAST) && number != UNKNOWN_NUMBER &&
                       !is_in_range(*message->proto, number);
        if (is_free && message->numbers.insert(number).second)
            return number;
    }
}

// --- defaults ---

std::string random_integer(schema_maker *maker, bool is_signed, unsigned bits)
{
    uint64_t number = random_next(maker->source) >> maker->below(64);
    if (is_signed)
        return std::to_string(static_cast<int64_t>(number << (64 - bits)) >> (64 - bits));
    return std::to_string(number << (64 - bits) >> (64 - bits));
}

std::string random_default(schema_maker *maker, FieldDescriptorProto::Type type)
{
    static const char *const fractions[] = {"0", "-0", "1.5", "-2.25e+20", "1e-30", "inf", "-inf", "nan"};
    static const size_t all = sizeof fractions / sizeof *fractions, finite = all - 3;
    switch (type) {
    case FieldDescriptorProto::TYPE_DOUBLE:
    case FieldDescriptorProto::TYPE_FLOAT:
        // protobuf-c writes those that are not finite as words of C, which they are not.
        return fractions[maker->below(maker->limits == SCHEMA_FOR_PROTOBUF_C ? finite : all)];
    case FieldDescriptorProto::TYPE_BOOL:
        return maker->chance(2) ? "true" : "false";
    case FieldDescriptorProto::TYPE_STRING:
        return maker->chance(3) ? ""
                                : "te\"xt\\ \xc3\xa4\n?"
                                  "?/";
    case FieldDescriptorProto::TYPE_BYTES:
        return maker->chance(3) ? "" : "\\000\\377by\\\"te\\\\s\\001";
    case FieldDescriptorProto::TYPE_INT64:
    case FieldDescriptorProto::TYPE_SINT64:
    case FieldDescriptorProto::TYPE_SFIXED64:
        return random_integer(maker, true, 64);
    case FieldDescriptorProto::TYPE_UINT64:
    case FieldDescriptorProto::TYPE_FIXED64:
        return random_integer(maker, false, 64);
    case FieldDescriptorProto::TYPE_UINT32:
    case FieldDescriptorProto::TYPE_FIXED32:
        return random_integer(maker, false, 32);
    default:
        return random_integer(maker, true, 32);
    }
}

void set_default(schema_maker *maker, FieldDescriptorProto *field, const known_enum *enumeration)
{
    const auto *values = enumeration != nullptr ? &enumeration->proto->value() : nullptr;
    field->set_default_value(values != nullptr ? values->Get(static_cast<int>(maker->below(values->size()))).name()
                                               : random_default(maker, field->type()));
}

// --- types ---

// An enum of this syntax; as a map's value, one that has 0 first. NULL: there is none. An enum of proto3 in a message
// of proto2 is closed for libprotobuf, against its own specification, which calls an enum open where its file makes it
// so (https://protobuf.dev/programming-guides/enum).
const known_enum *choose_enum(schema_maker *maker, bool zero_first)
{
    std::vector<const known_enum *> usable;
    for (const known_enum &candidate : maker->enums)
        if (candidate.proto3 == maker->proto3 && (!zero_first || candidate.proto->value(0).number() == 0))
            usable.push_back(&candidate);
    return usable.empty() ? nullptr : usable[maker->below(usable.size())];
}

FieldDescriptorProto::Type random_scalar(schema_maker *maker)
{
    static const FieldDescriptorProto::Type types[] = {
        FieldDescriptorProto::TYPE_DOUBLE,   FieldDescriptorProto::TYPE_FLOAT,  FieldDescriptorProto::TYPE_INT64,
        FieldDescriptorProto::TYPE_UINT64,   FieldDescriptorProto::TYPE_INT32,  FieldDescriptorProto::TYPE_FIXED64,
        FieldDescriptorProto::TYPE_FIXED32,  FieldDescriptorProto::TYPE_BOOL,   FieldDescriptorProto::TYPE_STRING,
        FieldDescriptorProto::TYPE_BYTES,    FieldDescriptorProto::TYPE_UINT32, FieldDescriptorProto::TYPE_SFIXED32,
        FieldDescriptorProto::TYPE_SFIXED64, FieldDescriptorProto::TYPE_SINT32, FieldDescriptorProto::TYPE_SINT64,
    };
    return types[maker->below(sizeof types / sizeof *types)];
}

bool is_message(const FieldDescriptorProto &field)
{
    return field.type() == FieldDescriptorProto::TYPE_MESSAGE || field.type() == FieldDescriptorProto::TYPE_GROUP;
}

bool is_packable(const FieldDescriptorProto &field)
{
    return !is_message(field) && field.type() != FieldDescriptorProto::TYPE_STRING &&
           field.type() != FieldDescriptorProto::TYPE_BYTES;
}

// A scalar, an enum, or one of the first `messages` messages; that enum, if it is one.
const known_enum *set_type(schema_maker *maker, FieldDescriptorProto *field, size_t messages, bool zero_first)
{
    const known_enum *enumeration = maker->chance(6) ? choose_enum(maker, zero_first) : nullptr;
    field->set_type(random_scalar(maker));
    if (enumeration != nullptr) {
        field->set_type(FieldDescriptorProto::TYPE_ENUM);
        field->set_type_name(enumeration->name);
    } else if (messages > 0 && maker->chance(4)) {
        field->set_type(FieldDescriptorProto::TYPE_MESSAGE);
        field->set_type_name(maker->messages[maker->below(messages)].name);
    }
    return enumeration;
}

FieldDescriptorProto::Label random_label(schema_maker *maker)
{
    if (maker->chance(3))
        return FieldDescriptorProto::LABEL_REPEATED;
    return !maker->proto3 && maker->chance(8) ? FieldDescriptorProto::LABEL_REQUIRED
                                              : FieldDescriptorProto::LABEL_OPTIONAL;
}

void set_options(schema_maker *maker, FieldDescriptorProto *field, const known_enum *enumeration)
{
    if (field->label() == FieldDescriptorProto::LABEL_REPEATED && is_packable(*field) && maker->chance(2))
        field->mutable_options()->set_packed(maker->chance(2));
    if (field->label() != FieldDescriptorProto::LABEL_REPEATED && !is_message(*field) && !maker->proto3 &&
        maker->chance(3))
        set_default(maker, field, enumeration);
}

// --- kinds of fields ---

FieldDescriptorProto *add_named(message_maker *message)
{
    FieldDescriptorProto *field = message->proto->add_field();
    field->set_name(field_name(message));
    field->set_number(fresh_number(message));
    if (message->maker->limits == SCHEMA_OF_ANY_KIND && message->maker->chance(8))
        field->set_json_name(message->maker->fresh("jsonName"));
    return field;
}

void add_plain(message_maker *message)
{
    schema_maker *maker = message->maker;
    FieldDescriptorProto *field = add_named(message);
    field->set_label(random_label(maker));
    bool is_required = field->label() == FieldDescriptorProto::LABEL_REQUIRED;
    const known_enum *enumeration =
        set_type(maker, field, is_required ? message->index : maker->messages.size(), false);
    set_options(maker, field, enumeration);
    if (maker->proto3 && field->label() == FieldDescriptorProto::LABEL_OPTIONAL &&
        maker->limits == SCHEMA_OF_ANY_KIND && maker->chance(3))
        field->set_proto3_optional(true);
}

bool may_have_groups(const message_maker *message)
{
    return message->maker->groups && !message->maker->proto3 && message->depth < 2;
}

void set_group(message_maker *message, FieldDescriptorProto *field)
{
    std::string name = message->maker->fresh("Group"), lower = name;
    lower[0] = static_cast<char>(std::tolower(lower[0]));
    DescriptorProto *proto = message->proto->add_nested_type();
    proto->set_name(name);
    field->set_name(lower);
    field->set_type(FieldDescriptorProto::TYPE_GROUP);
    field->set_type_name(message->name + "." + name);
    message_maker inner = {message->maker, proto, field->type_name(), message->index, message->depth + 1, {}, {}};
    add_members(&inner);
}

void add_group(message_maker *message)
{
    FieldDescriptorProto *field = message->proto->add_field();
    field->set_number(fresh_number(message));
    field->set_label(random_label(message->maker));
    set_group(message, field);
}

// As protoc names the entry of a map.
std::string entry_name(const std::string &field)
{
    std::string name;
    bool begins = true;
    for (char c : field) {
        if (c != '_')
            name += static_cast<char>(begins ? std::toupper(c) : c);
        begins = c == '_';
    }
    return name + "Entry";
}

void add_map(message_maker *message)
{
    schema_maker *maker = message->maker;
    FieldDescriptorProto *field = add_named(message);
    DescriptorProto *entry = message->proto->add_nested_type();
    entry->set_name(entry_name(field->name()));
    entry->mutable_options()->set_map_entry(true);
    FieldDescriptorProto *key = entry->add_field(), *value = entry->add_field();
    key->set_name("key");
    key->set_number(1);
    key->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
    do
        key->set_type(random_scalar(maker));
    while (key->type() == FieldDescriptorProto::TYPE_DOUBLE || key->type() == FieldDescriptorProto::TYPE_FLOAT ||
           key->type() == FieldDescriptorProto::TYPE_BYTES);
    value->set_name("value");
    value->set_number(2);
    value->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
    (void)set_type(maker, value, maker->messages.size(), true);
    field->set_label(FieldDescriptorProto::LABEL_REPEATED);
    field->set_type(FieldDescriptorProto::TYPE_MESSAGE);
    field->set_type_name(message->name + "." + entry->name());
}

void add_oneof(message_maker *message)
{
    schema_maker *maker = message->maker;
    int index = message->proto->oneof_decl_size();
    message->proto->add_oneof_decl()->set_name(maker->fresh("oneof_"));
    for (size_t count = 1 + maker->below(4); count > 0; count--) {
        FieldDescriptorProto *field = add_named(message);
        field->set_label(FieldDescriptorProto::LABEL_OPTIONAL);
        field->set_oneof_index(index);
        const known_enum *enumeration = set_type(maker, field, maker->messages.size(), false);
        set_options(maker, field, enumeration);
        if (may_have_groups(message) && maker->chance(6)) {
            field->clear_default_value();
            set_group(message, field);
        }
    }
}

// The oneofs of optional fields of proto3 come after all others.
void add_synthetic_oneofs(DescriptorProto *proto)
{
    for (FieldDescriptorProto &field : *proto->mutable_field())
        if (field.proto3_optional()) {
            field.set_oneof_index(proto->oneof_decl_size());
            proto->add_oneof_decl()->set_name("_" + field.name());
        }
}

void add_some_field(message_maker *message)
{
    schema_maker *maker = message->maker;
    size_t kind = maker->below(10);
    if (kind == 0)
        add_oneof(message);
    else if (kind == 1 && maker->maps)
        add_map(message);
    else if (kind == 2 && may_have_groups(message))
        add_group(message);
    else
        add_plain(message);
}

void add_members(message_maker *message)
{
    schema_maker *maker = message->maker;
    for (size_t count = maker->below(maker->chance(8) ? 40 : 8); count > 0; count--)
        add_some_field(message);
    add_synthetic_oneofs(message->proto);
}

} // namespace

void add_fields(schema_maker *maker, size_t index)
{
    message_maker message = {maker, maker->messages[index].proto, maker->messages[index].name, index, 0, {}, {}};
    add_members(&message);
}

void add_extension(schema_maker *maker, size_t index, int number,
                   google::protobuf::RepeatedPtrField<FieldDescriptorProto> *fields)
{
    FieldDescriptorProto *field = fields->Add();
    field->set_name(maker->fresh("extension_"));
    field->set_number(number);
    field->set_extendee(maker->messages[index].name);
    field->set_label(maker->chance(3) ? FieldDescriptorProto::LABEL_REPEATED : FieldDescriptorProto::LABEL_OPTIONAL);
    const known_enum *enumeration = set_type(maker, field, maker->messages.size(), false);
    set_options(maker, field, enumeration);
}
