// SPDX-License-Identifier: BSD-2-Clause
// peer.cc - see peer.h
#include "tests/differential/peer.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include "tests/differential/fill.h"
#include "tests/differential/maps.h"

using google::protobuf::Message;

struct peer_types {
    google::protobuf::LogSilencer silencer; // of complaints about each string that is not UTF-8
    google::protobuf::DescriptorPool own;
    google::protobuf::DynamicMessageFactory dynamic;
    const google::protobuf::DescriptorPool *pool; // `own`, or that of generated code
    google::protobuf::MessageFactory *factory;
};

namespace
{

enum map_order { AS_ADDED, BY_KEY };

[[noreturn]] void give_up(const char *what, const char *which)
{
    std::fprintf(stderr, "libprotobuf: %s: %s\n", what, which);
    std::abort();
}

std::string serialize(Message *message, map_order order)
{
    if (order == BY_KEY)
        settle_maps(message);
    std::string bytes;
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(order == BY_KEY);
    message->SerializeToCodedStream(&coded);
    coded.Trim();
    return bytes;
}

std::unique_ptr<Message> make(const peer_types *types, const char *type)
{
    const google::protobuf::Descriptor *descriptor = types->pool->FindMessageTypeByName(type);
    if (descriptor == nullptr)
        give_up("there is no type", type);
    return std::unique_ptr<Message>(types->factory->GetPrototype(descriptor)->New());
}

// NULL: it is refused.
std::unique_ptr<Message> parse(const peer_types *types, const char *type, const test_bytes *bytes)
{
    std::unique_ptr<Message> message = make(types, type);
    if (!message->ParsePartialFromArray(bytes->data, static_cast<int>(bytes->size)))
        return nullptr;
    settle_maps(message.get()); // an entry without a value gets one, which may lack what it requires
    return message->IsInitialized() ? std::move(message) : nullptr;
}

char *copy(const std::string &bytes)
{
    char *copied = static_cast<char *>(std::malloc(bytes.size() + 1));
    if (copied == nullptr)
        give_up("no memory", "");
    std::memcpy(copied, bytes.c_str(), bytes.size() + 1);
    return copied;
}

test_bytes copy_bytes(const std::string &bytes)
{
    return {copy(bytes), bytes.size()};
}

} // namespace

peer_types *peer_types_of_set(const void *set, size_t size)
{
    google::protobuf::FileDescriptorSet files;
    if (!files.ParseFromArray(set, static_cast<int>(size)))
        give_up("no FileDescriptorSet", "");
    auto *types = new peer_types;
    for (const google::protobuf::FileDescriptorProto &file : files.file())
        if (types->own.BuildFile(file) == nullptr)
            give_up("a file is refused", file.DebugString().c_str());
    types->pool = &types->own;
    types->factory = &types->dynamic;
    return types;
}

peer_types *peer_types_linked(void)
{
    auto *types = new peer_types;
    types->pool = google::protobuf::DescriptorPool::generated_pool();
    types->factory = google::protobuf::MessageFactory::generated_factory();
    return types;
}

void peer_types_free(peer_types *types)
{
    delete types;
}

test_bytes peer_random(const peer_types *types, const char *type, random_source *source, unsigned depth)
{
    std::unique_ptr<Message> message = make(types, type);
    fill_message(source, message.get(), depth);
    return copy_bytes(serialize(message.get(), AS_ADDED));
}

bool peer_reserialize(const peer_types *types, const char *type, const test_bytes *bytes, test_bytes *again)
{
    std::unique_ptr<Message> message = parse(types, type, bytes);
    *again = message != nullptr ? copy_bytes(serialize(message.get(), BY_KEY)) : test_bytes{nullptr, 0};
    return message != nullptr;
}

char *peer_print_text(const peer_types *types, const char *type, const test_bytes *bytes)
{
    std::unique_ptr<Message> message = parse(types, type, bytes);
    google::protobuf::TextFormat::Printer printer;
    printer.SetHideUnknownFields(true);
    std::string text;
    return message != nullptr && printer.PrintToString(*message, &text) ? copy(text) : nullptr;
}

bool peer_parse_text(const peer_types *types, const char *type, const char *text, test_bytes *bytes)
{
    std::unique_ptr<Message> message = make(types, type);
    bool good = google::protobuf::TextFormat::ParseFromString(text, message.get());
    *bytes = good ? copy_bytes(serialize(message.get(), BY_KEY)) : test_bytes{nullptr, 0};
    return good;
}

char *peer_print_json(const peer_types *types, const char *type, const test_bytes *bytes)
{
    std::unique_ptr<Message> message = parse(types, type, bytes);
    std::string json;
    return message != nullptr && google::protobuf::util::MessageToJsonString(*message, &json).ok() ? copy(json)
                                                                                                   : nullptr;
}

bool peer_parse_json(const peer_types *types, const char *type, const char *json, test_bytes *bytes)
{
    std::unique_ptr<Message> message = make(types, type);
    bool good = google::protobuf::util::JsonStringToMessage(json, message.get()).ok();
    *bytes = good ? copy_bytes(serialize(message.get(), BY_KEY)) : test_bytes{nullptr, 0};
    return good;
}
