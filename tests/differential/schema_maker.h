// SPDX-License-Identifier: BSD-2-Clause
// schema_maker.h - what the parts of random_schema() share: random_schema.cc makes files, messages and enums,
// random_field.cc the fields in them
#ifndef MRPC_SCHEMA_MAKER_H
#define MRPC_SCHEMA_MAKER_H

#include <set>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.pb.h>

#include "tests/differential/random_schema.h"

struct known_enum {
    const google::protobuf::EnumDescriptorProto *proto;
    std::string name; // with a dot before it
    bool proto3;
};

struct known_message {
    google::protobuf::DescriptorProto *proto;
    std::string name; // with a dot before it
    size_t file;
};

// A schema that is being made.
struct schema_maker {
    random_source *source;
    schema_limits limits;
    google::protobuf::FileDescriptorSet set;
    std::vector<known_message>
        messages; // of all files so far; one requires only those before it, so that all are possible
    std::vector<known_enum> enums;
    unsigned names = 0;                                    // how many were made
    bool proto3 = false;                                   // the file that is being made
    bool maps = false, groups = false, extensions = false; // whether there may be some

    size_t below(size_t limit)
    {
        return random_below(source, limit);
    }
    // One in `n`.
    bool chance(size_t n)
    {
        return below(n) == 0;
    }
    std::string fresh(const char *front)
    {
        return front + std::to_string(++names);
    }
};

// Gives messages[index] its fields, with the messages of groups and maps.
void add_fields(schema_maker *maker, size_t index);
// An extension of messages[index], which has a range for it; `fields` are those that stand where it is declared.
void add_extension(schema_maker *maker, size_t index, int number,
                   google::protobuf::RepeatedPtrField<google::protobuf::FieldDescriptorProto> *fields);

#endif // MRPC_SCHEMA_MAKER_H
