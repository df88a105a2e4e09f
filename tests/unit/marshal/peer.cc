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

#include "everything.pb.h"
#include "everything2.pb.h"

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

} // namespace

bool peer_round_trip(const char *type, const void *bytes, size_t size, char **again, size_t *again_size)
{
    google::protobuf::LogSilencer silencer; // it complains of each bad string
    everything::Everything::descriptor();   // which registers the file
    everything2::Everything::descriptor();
    const google::protobuf::Descriptor *descriptor =
        google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type);
    if (descriptor == nullptr)
        std::abort();
    std::unique_ptr<google::protobuf::Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
    if (!message->ParseFromArray(bytes, static_cast<int>(size)))
        return false;
    std::string result = serialize(*message);
    *again = static_cast<char *>(std::malloc(result.size() + 1));
    if (*again == nullptr)
        std::abort();
    std::memcpy(*again, result.data(), result.size());
    *again_size = result.size();
    return true;
}
