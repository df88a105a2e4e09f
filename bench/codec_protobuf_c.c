/* SPDX-License-Identifier: BSD-2-Clause */
/* codec_protobuf_c.c - protobuf-c in codec_bench: with malloc, and with an allocator that only moves a pointer */
#include "config.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "bench/codec.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "shop.pb-c.h"

struct codec_subject {
    const ProtobufCMessageDescriptor *type;
    const codec_input *input;
    ProtobufCMessage *message;
    uint8_t *work;
    char *pool; /* of the allocator */
    size_t used, room;
};

static const ProtobufCMessageDescriptor *find_type(const char *name)
{
    const ProtobufCMessageDescriptor *const types[] = {
        &shop__flat__descriptor,    &shop__order__descriptor,
        &shop__scalars__descriptor, &shop__blob__descriptor,
        &shop__numbers__descriptor, &shop__texts__descriptor,
        &shop__maps__descriptor,    &google__protobuf__file_descriptor_set__descriptor};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

static codec_subject *open_subject(const codec_input *input)
{
    codec_subject *subject = calloc(1, sizeof *subject);
    if (subject == NULL)
        return NULL;
    subject->input = input;
    subject->type = find_type(input->type);
    subject->room = 64 * input->size + 65536;
    subject->work = malloc(input->size);
    subject->pool = malloc(subject->room);
    if (subject->type == NULL || subject->work == NULL || subject->pool == NULL)
        return NULL;
    subject->message = protobuf_c_message_unpack(subject->type, NULL, input->size, input->bytes);
    return subject->message != NULL ? subject : NULL;
}

static bool encode(codec_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) /* with the size, which the buffer needs */
        if (protobuf_c_message_get_packed_size(subject->message) != subject->input->size ||
            protobuf_c_message_pack(subject->message, subject->work) != subject->input->size)
            return false;
    return true;
}

static bool decode_fresh(codec_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        ProtobufCMessage *message =
            protobuf_c_message_unpack(subject->type, NULL, subject->input->size, subject->input->bytes);
        if (message == NULL)
            return false;
        protobuf_c_message_free_unpacked(message, NULL);
    }
    return true;
}

static void *take(void *context, size_t size)
{
    codec_subject *subject = context;
    char *memory = subject->pool + subject->used;
    subject->used += (size + 15) & ~(size_t)15;
    return subject->used <= subject->room ? memory : NULL;
}

static void give(void *context, void *memory)
{
    (void)context, (void)memory;
}

static bool decode_pool(codec_subject *subject, size_t times)
{
    ProtobufCAllocator allocator = {take, give, subject};
    for (size_t i = 0; i < times; i++) {
        subject->used = 0;
        if (protobuf_c_message_unpack(subject->type, &allocator, subject->input->size, subject->input->bytes) == NULL)
            return false;
    }
    return true;
}

static void *take_and_count(void *context, size_t size)
{
    void *memory = malloc(size);
    *(size_t *)context += malloc_usable_size(memory) + sizeof(size_t); /* with malloc's own word */
    return memory;
}

static void give_back(void *context, void *memory)
{
    (void)context;
    free(memory);
}

static size_t memory(codec_subject *subject)
{
    size_t bytes = 0;
    ProtobufCAllocator allocator = {take_and_count, give_back, &bytes};
    ProtobufCMessage *message =
        protobuf_c_message_unpack(subject->type, &allocator, subject->input->size, subject->input->bytes);
    protobuf_c_message_free_unpacked(message, &allocator);
    return message != NULL ? bytes : 0;
}

static const codec_way ways[] = {{CODEC_ENCODE, "with its size", encode},
                                 {CODEC_DECODE, "malloc", decode_fresh},
                                 {CODEC_DECODE, "bump allocator", decode_pool},
                                 {0}};

const codec_peer codec_protobuf_c = {"protobuf-c " PROTOBUF_C_VERSION, ways, open_subject, memory};
