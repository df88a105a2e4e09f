// SPDX-License-Identifier: BSD-2-Clause
/*
 * write_schema.cc - writes a random schema as files that protoc reads
 *
 *     write_schema SEED [--for-protobuf-c]    random_1.proto and random_2.proto, which imports it, in this folder
 */
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include "tests/differential/random_schema.h"

namespace
{

google::protobuf::FileDescriptorSet make_set(uint64_t seed, schema_limits limits)
{
    random_source source;
    random_begin(&source, seed);
    size_t size;
    char *bytes = random_schema(&source, limits, &size);
    google::protobuf::FileDescriptorSet set;
    if (!set.ParseFromArray(bytes, static_cast<int>(size)))
        std::abort();
    std::free(bytes);
    return set;
}

} // namespace

int main(int argc, char **argv)
{
    bool for_protobuf_c = argc == 3 && std::strcmp(argv[2], "--for-protobuf-c") == 0;
    if (argc != 2 && !for_protobuf_c) {
        std::cerr << "usage: write_schema SEED [--for-protobuf-c]\n";
        return 99;
    }
    google::protobuf::DescriptorPool pool;
    schema_limits limits = for_protobuf_c ? SCHEMA_FOR_PROTOBUF_C : SCHEMA_OF_ANY_KIND;
    const google::protobuf::FileDescriptorSet set = make_set(std::strtoull(argv[1], nullptr, 10), limits);
    for (const google::protobuf::FileDescriptorProto &file : set.file()) {
        const google::protobuf::FileDescriptor *built = pool.BuildFile(file);
        if (built == nullptr)
            return 1;
        std::ofstream out(file.name());
        out << built->DebugString();
        if (!out.flush())
            return 1;
    }
    return 0;
}
