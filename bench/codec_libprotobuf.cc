// SPDX-License-Identifier: BSD-2-Clause
// codec_libprotobuf.cc - libprotobuf's generated code in codec_bench
#include <memory>

#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "bench/codec.h"

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

using google::protobuf::Arena;
using google::protobuf::DescriptorPool;
using google::protobuf::Message;
using google::protobuf::MessageFactory;

struct codec_subject {
    const codec_input *input;
    std::unique_ptr<Message> message;
    std::unique_ptr<Message> reused;
    std::string work;

    bool parse(Message *into) const
    {
        return into->ParseFromArray(input->bytes, static_cast<int>(input->size));
    }
};

namespace
{

codec_subject *open_subject(const codec_input *input)
{
    const auto *type = DescriptorPool::generated_pool()->FindMessageTypeByName(input->type);
    const Message *prototype = type != nullptr ? MessageFactory::generated_factory()->GetPrototype(type) : nullptr;
    if (prototype == nullptr)
        return nullptr;
    auto *subject = new codec_subject{input, {}, {}, {}};
    subject->message.reset(prototype->New());
    subject->reused.reset(prototype->New());
    subject->work.resize(input->size);
    return subject->parse(subject->message.get()) ? subject : nullptr;
}

bool encode(codec_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) // with the size, which an array needs
        if (!subject->message->SerializeToArray(&subject->work[0], static_cast<int>(subject->work.size())))
            return false;
    return true;
}

bool decode_fresh(codec_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        std::unique_ptr<Message> fresh(subject->message->New());
        if (!subject->parse(fresh.get()))
            return false;
    }
    return true;
}

bool decode_arena(codec_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        Arena arena;
        if (!subject->parse(subject->message->New(&arena)))
            return false;
    }
    return true;
}

bool decode_reused(codec_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++)
        if (!subject->parse(subject->reused.get()))
            return false;
    return true;
}

size_t memory(codec_subject *subject)
{
    std::unique_ptr<Message> fresh(subject->message->New());
    return subject->parse(fresh.get()) ? fresh->SpaceUsedLong() : 0;
}

const codec_way ways[] = {{CODEC_ENCODE, "with its size", encode},
                          {CODEC_DECODE, "fresh", decode_fresh},
                          {CODEC_DECODE, "arena", decode_arena},
                          {CODEC_DECODE, "reused message", decode_reused},
                          {CODEC_TASKS, nullptr, nullptr}};

} // namespace

const codec_peer codec_libprotobuf = {"libprotobuf " TEXT(GOOGLE_PROTOBUF_VERSION), ways, open_subject, memory};
