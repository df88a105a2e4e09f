// SPDX-License-Identifier: BSD-2-Clause
// maps.cc - see maps.h
#include "tests/differential/maps.h"

#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/map_field.h>

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// The maps of reflection are private in libprotobuf 3.21, but for a class of this name in its own tests.
namespace google
{
namespace protobuf
{
class MapReflectionTester
{
  public:
    static void settle(Message *message, const FieldDescriptor *field)
    {
        const Reflection *reflection = message->GetReflection();
        if (reflection->MapSize(*message, field) == 0 || // which makes the map of the entries
            field->message_type()->map_value()->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
            return;
        MapIterator end = reflection->MapEnd(message, field);
        for (MapIterator entry = reflection->MapBegin(message, field); entry != end; ++entry)
            settle_maps(entry.MutableValueRef()->MutableMessageValue());
    }
};
} // namespace protobuf
} // namespace google

void settle_maps(Message *message)
{
    const Reflection *reflection = message->GetReflection();
    std::vector<const FieldDescriptor *> fields;
    reflection->ListFields(*message, &fields);
    for (const FieldDescriptor *field : fields) {
        if (field->is_map())
            google::protobuf::MapReflectionTester::settle(message, field);
        else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated())
            settle_maps(reflection->MutableMessage(message, field));
        else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
            for (int i = 0; i < reflection->FieldSize(*message, field); i++)
                settle_maps(reflection->MutableRepeatedMessage(message, field, i));
    }
}
