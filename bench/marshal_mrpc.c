/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_mrpc.c - see marshal_mrpc.h */
#include "config.h"

#include "bench/marshal_mrpc.h"

#include <stdlib.h>
#include <string.h>

#include <mrpc/marshal.h>

#include "marshal/gather.h"

enum { BLOCK_SIZE = 16384 };

extern const mrpc_module mrpc_module_shop;

struct mrpc_subject {
    const mrpc_codec *codec;
    mrpc_arena *arena;
    mrpc_message *message;
    const void *protobuf;
    size_t protobuf_size;
    size_t native_size;
    char *native; /* what marshalling gives */
    char *work;
};

static const mrpc_codec *find_codec(const char *name)
{
    for (uint32_t i = 0; i < mrpc_module_shop.codec_count; i++)
        if (strcmp(mrpc_module_shop.codecs[i].name, name) == 0)
            return &mrpc_module_shop.codecs[i];
    return NULL;
}

static bool decode(const mrpc_subject *subject, mrpc_arena *arena, mrpc_message *message)
{
    const uint8_t *start = subject->protobuf;
    mrpc_decoder decoder = {.start = start,
                            .cursor = start,
                            .end = start + subject->protobuf_size,
                            .arena = arena,
                            .grow = mrpc_arena_grow,
                            .depth = MRPC_DEPTH_LIMIT};
    memset(message, 0, subject->codec->size);
    message->arena = arena;
    return subject->codec->decode(&decoder, message) == 0;
}

mrpc_subject *mrpc_subject_new(const char *name, const void *protobuf, size_t size)
{
    mrpc_subject *subject = calloc(1, sizeof *subject);
    if (subject == NULL)
        return NULL;
    subject->codec = find_codec(name);
    subject->protobuf = protobuf;
    subject->protobuf_size = size;
    subject->native = aligned_alloc(64, BLOCK_SIZE);
    subject->work = aligned_alloc(64, BLOCK_SIZE);
    subject->arena = mrpc_arena_new(NULL, 0);
    if (subject->codec == NULL || subject->native == NULL || subject->work == NULL || subject->arena == NULL)
        return NULL;
    subject->message = mrpc_arena_alloc(subject->arena, subject->codec->size);
    if (subject->message == NULL || !decode(subject, subject->arena, subject->message))
        return NULL;
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, subject->native, BLOCK_SIZE);
    if (subject->codec->marshal(&buffer.gather, subject->message) != 0 || buffer.own != NULL)
        return NULL;
    subject->native_size = buffer.gather.size;
    return mrpc_do_encode(subject, 1) && mrpc_do_unmarshal(subject, 1) ? subject : NULL;
}

size_t mrpc_subject_native_size(const mrpc_subject *subject)
{
    return subject->native_size;
}

bool mrpc_do_copy(mrpc_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        memcpy(subject->work, subject->native, subject->native_size);
        __asm__ volatile("" : : "r"(subject->work) : "memory");
    }
    return true;
}

bool mrpc_do_marshal(mrpc_subject *subject, size_t times)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, subject->work, BLOCK_SIZE);
    for (size_t i = 0; i < times; i++)
        if (subject->codec->marshal(&buffer.gather, subject->message) != 0 ||
            buffer.gather.size != subject->native_size)
            return false;
    return true;
}

bool mrpc_do_unmarshal(mrpc_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        mrpc_scatter scatter = {.block = subject->work, .size = subject->native_size, .depth = MRPC_DEPTH_LIMIT};
        memcpy(subject->work, subject->native, subject->native_size);
        if (subject->codec->unmarshal(&scatter) != 0)
            return false;
    }
    return true;
}

bool mrpc_do_encode(mrpc_subject *subject, size_t times)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, subject->work, BLOCK_SIZE);
    for (size_t i = 0; i < times; i++) {
        buffer.gather.size = 0;
        if (subject->codec->encode(&buffer.gather, subject->message) != 0 ||
            buffer.gather.size != subject->protobuf_size)
            return false;
    }
    return memcmp(subject->work, subject->protobuf, subject->protobuf_size) == 0;
}

bool mrpc_do_decode(mrpc_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        mrpc_arena *arena = mrpc_arena_new(NULL, 4 * subject->protobuf_size);
        mrpc_message *message = arena != NULL ? mrpc_arena_alloc(arena, subject->codec->size) : NULL;
        bool done = message != NULL && decode(subject, arena, message);
        mrpc_arena_free(arena);
        if (!done)
            return false;
    }
    return true;
}
