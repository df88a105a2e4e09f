// SPDX-License-Identifier: BSD-2-Clause
// peer.cc - see peer.h
#include "tests/unit/marshal/peer.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include "everything.pb.h"
#include "everything2.pb.h"
#include "extensions.pb.h"

namespace
{

std::string serialize(const google::protobuf::Message &message)
{
    std::string bytes;
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
    coded.Trim();
    return bytes;
}

// An empty message of the type with that full name.
std::unique_ptr<google::protobuf::Message> make(const char *type)
{
    everything::Everything::descriptor(); // which registers the file
    everything2::Everything::descriptor();
    extensions::Base::descriptor();
    const google::protobuf::Descriptor *descriptor =
        google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type);
    if (descriptor == nullptr)
        std::abort();
    return std::unique_ptr<google::protobuf::Message>(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
}

char *copy(const std::string &bytes)
{
    char *copied = static_cast<char *>(std::malloc(bytes.size() + 1));
    if (copied == nullptr)
        std::abort();
    std::memcpy(copied, bytes.c_str(), bytes.size() + 1);
    return copied;
}

} // namespace

bool peer_round_trip(const char *type, const void *bytes, size_t size, char **again, size_t *again_size)
{
    google::protobuf::LogSilencer silencer; // it complains of each bad string
    std::unique_ptr<google::protobuf::Message> message = make(type);
    if (!message->ParseFromArray(bytes, static_cast<int>(size)))
        return false;
    std::string result = serialize(*message);
    *again = copy(result);
    *again_size = result.size();
    return true;
}

void peer_from_text(const char *type, const char *text, char **bytes, size_t *size)
{
    std::unique_ptr<google::protobuf::Message> message = make(type);
    if (!google::protobuf::TextFormat::ParseFromString(text, message.get()))
        std::abort();
    std::string result = serialize(*message);
    *bytes = copy(result);
    *size = result.size();
}

char *peer_to_text(const char *type, const void *bytes, size_t size)
{
    google::protobuf::LogSilencer silencer;
    std::unique_ptr<google::protobuf::Message> message = make(type);
    if (!message->ParseFromArray(bytes, static_cast<int>(size)))
        return nullptr;
    std::string text;
    google::protobuf::TextFormat::PrintToString(*message, &text);
    return copy(text);
}

char *peer_to_json(const char *type, const void *bytes, size_t size)
{
    google::protobuf::LogSilencer silencer;
    std::unique_ptr<google::protobuf::Message> message = make(type);
    std::string json;
    if (!message->ParseFromArray(bytes, static_cast<int>(size)) ||
        !google::protobuf::util::MessageToJsonString(*message, &json).ok())
        return nullptr;
    return copy(json);
}

bool peer_from_json(const char *type, const char *json, char **bytes, size_t *size)
{
    google::protobuf::LogSilencer silencer;
    std::unique_ptr<google::protobuf::Message> message = make(type);
    if (!google::protobuf::util::JsonStringToMessage(json, message.get()).ok())
        return false;
    std::string result = serialize(*message);
    *bytes = copy(result);
    *size = result.size();
    return true;
}
