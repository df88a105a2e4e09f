/* SPDX-License-Identifier: BSD-2-Clause */
/* codec_mrpc.c - mrpc in codec_bench: its two encodings, by the functions of the marshal module, as the runtime calls
 *                them */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <mrpc/descriptor.h>
#include <mrpc/marshal.h>

#include "bench/codec.h"
#include "marshal/gather.h"
#include "shop.mrpc.h"

struct codec_subject {
    const mrpc_type *type;
    const mrpc_codec *codec;
    mrpc_arena *arena; /* used over and over */
    mrpc_message *message;
    const codec_input *input;
    size_t native_size;
    size_t room; /* bytes of native and of work */
    char *native;
    char *work;
};

static const mrpc_type *find_type(const char *name)
{
    const mrpc_file *const files[] = {&mrpc_file_shop, &mrpc_file_google_2fprotobuf_2fdescriptor};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const mrpc_type *type = mrpc_file_find_type(files[i], name);
        if (type != NULL)
            return type;
    }
    return NULL;
}

static mrpc_message *decode(const codec_subject *subject, mrpc_arena *arena, uint32_t flags)
{
    mrpc_message *message = mrpc_arena_alloc(arena, subject->codec->size);
    const uint8_t *start = subject->input->bytes;
    mrpc_decoder decoder = {.start = start,
                            .cursor = start,
                            .end = start + subject->input->size,
                            .arena = arena,
                            .grow = mrpc_arena_grow,
                            .depth = MRPC_DEPTH_LIMIT,
                            .flags = flags};
    if (message == NULL)
        return NULL;
    memset(message, 0, subject->codec->size);
    message->arena = arena;
    return subject->codec->decode(&decoder, message) == 0 ? message : NULL;
}

static bool marshal(codec_subject *subject, size_t times)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, subject->work, subject->room);
    for (size_t i = 0; i < times; i++)
        if (subject->codec->marshal(&buffer.gather, subject->message) != 0 || buffer.own != NULL)
            return false;
    subject->native_size = buffer.gather.size;
    return true;
}

static codec_subject *open_subject(const codec_input *input)
{
    codec_subject *subject = calloc(1, sizeof *subject);
    if (subject == NULL)
        return NULL;
    subject->input = input;
    subject->type = find_type(input->type);
    if (subject->type == NULL)
        return NULL;
    subject->codec = &subject->type->file->linked->codecs[subject->type->codec];
    subject->room = (8 * input->size + 65536) & ~(size_t)63;
    subject->native = aligned_alloc(64, subject->room);
    subject->work = aligned_alloc(64, subject->room);
    subject->arena = mrpc_arena_new(NULL, subject->room);
    mrpc_arena *own = mrpc_arena_new(NULL, 0);
    if (subject->native == NULL || subject->work == NULL || subject->arena == NULL || own == NULL)
        return NULL;
    subject->message = decode(subject, own, 0);
    if (subject->message == NULL || !marshal(subject, 1))
        return NULL;
    memcpy(subject->native, subject->work, subject->native_size);
    return subject;
}

static bool copy_native(codec_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        memcpy(subject->work, subject->native, subject->native_size);
        __asm__ volatile("" : : "r"(subject->work) : "memory");
    }
    return true;
}

/* A copy of the block, and then in place. */
static bool unmarshal(codec_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        mrpc_scatter scatter = {.block = subject->work, .size = subject->native_size, .depth = MRPC_DEPTH_LIMIT};
        memcpy(subject->work, subject->native, subject->native_size);
        if (subject->codec->unmarshal(&scatter) != 0)
            return false;
    }
    return true;
}

static bool encode(codec_subject *subject, size_t times)
{
    mrpc_gather_buffer buffer;
    mrpc_gather_buffer_init(&buffer, NULL, subject->work, subject->room);
    for (size_t i = 0; i < times; i++) {
        buffer.gather.size = 0;
        if (subject->codec->encode(&buffer.gather, subject->message) != 0)
            return false;
    }
    return buffer.gather.size == subject->input->size &&
           memcmp(subject->work, subject->input->bytes, subject->input->size) == 0;
}

/* As for writev(): what is large stays where it is. */
static bool encode_list(codec_subject *subject, size_t times)
{
    struct iovec pieces[64];
    int64_t size = 0;
    size_t room = 0;
    void *buffer = NULL;
    for (size_t i = 0; i < times && size >= 0; i++) {
        size_t count = sizeof pieces / sizeof *pieces;
        size = mrpc_message_encode_iov(subject->type, subject->message, 0, pieces, &count, &buffer, &room);
    }
    free(buffer);
    return size == (int64_t)subject->input->size;
}

/* Cut in the middle, and without a copy of large bytes. */
static bool decode_pieces(codec_subject *subject, size_t times)
{
    char *bytes = (char *)(uintptr_t)subject->input->bytes;
    size_t half = subject->input->size / 2;
    const struct iovec pieces[] = {{bytes, half}, {bytes + half, subject->input->size - half}};
    for (size_t i = 0; i < times; i++) {
        void *message = NULL;
        mrpc_error error;
        if (mrpc_message_decode_iov(subject->type, pieces, 2, true, NULL, &message, &error) != 0)
            return false;
        mrpc_release(message);
    }
    return true;
}

static bool decode_fresh(codec_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        mrpc_arena *arena = mrpc_arena_new(NULL, 4 * subject->input->size);
        bool done = arena != NULL && decode(subject, arena, 0) != NULL;
        mrpc_arena_free(arena);
        if (!done)
            return false;
    }
    return true;
}

static bool decode_again(codec_subject *subject, size_t times, uint32_t flags)
{
    for (size_t i = 0; i < times; i++) {
        mrpc_arena_reset(subject->arena);
        if (decode(subject, subject->arena, flags) == NULL)
            return false;
    }
    return true;
}

static bool decode_reset(codec_subject *subject, size_t times)
{
    return decode_again(subject, times, 0);
}

static bool decode_alias(codec_subject *subject, size_t times)
{
    return decode_again(subject, times, MRPC_DECODE_ALIAS);
}

static size_t memory(codec_subject *subject)
{
    void *message = NULL;
    mrpc_error error;
    if (mrpc_message_decode(subject->type, subject->input->bytes, subject->input->size, NULL, &message, &error) != 0)
        return 0;
    size_t bytes = mrpc_arena_bytes(((mrpc_message *)message)->arena);
    mrpc_release(message);
    return bytes;
}

static const codec_way ways[] = {{CODEC_ENCODE, "", encode},
                                 {CODEC_DECODE, "fresh arena", decode_fresh},
                                 {CODEC_DECODE, "arena used again", decode_reset},
                                 {CODEC_DECODE, "arena used again, bytes alias", decode_alias},
                                 {CODEC_LIST, "encode as a list of pieces", encode_list},
                                 {CODEC_LIST, "decode of two halves, aliased", decode_pieces},
                                 {CODEC_COPY, "memcpy of the native block", copy_native},
                                 {CODEC_MARSHAL, "native", marshal},
                                 {CODEC_UNMARSHAL, "native, with a memcpy", unmarshal},
                                 {0}};

const codec_peer codec_mrpc = {"mrpc " VERSION, ways, open_subject, memory};
