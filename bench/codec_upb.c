/* SPDX-License-Identifier: BSD-2-Clause */
/* codec_upb.c - upb in codec_bench. Its tables are made from the schema at run time; they and the functions that they
 *               drive are those that its generated code has. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "upb/mem/arena.h"
#include "upb/reflection/def.h"
#include "upb/wire/decode.h"
#include "upb/wire/encode.h"

#include "bench/codec.h"

struct codec_subject {
    const upb_MiniTable *table;
    const codec_input *input;
    upb_Arena *arena;
    upb_Message *message;
    void *block; /* to begin arenas with, so that they take nothing from malloc */
    size_t room;
};

static const upb_MiniTable *find_table(const codec_input *input)
{
    upb_Arena *arena = upb_Arena_New();
    upb_DefPool *pool = upb_DefPool_New();
    upb_Status status;
    size_t count = 0;
    google_protobuf_FileDescriptorSet *set =
        google_protobuf_FileDescriptorSet_parse(input->schema, input->schema_size, arena);
    if (set == NULL)
        return NULL;
    const google_protobuf_FileDescriptorProto *const *files = google_protobuf_FileDescriptorSet_file(set, &count);
    for (size_t i = 0; i < count; i++)
        if (upb_DefPool_AddFile(pool, files[i], &status) == NULL)
            return NULL;
    const upb_MessageDef *type = upb_DefPool_FindMessageByName(pool, input->type);
    return type != NULL ? upb_MessageDef_MiniTable(type) : NULL;
}

static bool decode(codec_subject *subject, upb_Arena *arena, int options)
{
    upb_Message *message = upb_Message_New(subject->table, arena);
    return message != NULL && upb_Decode(subject->input->bytes, subject->input->size, message, subject->table, NULL,
                                         options, arena) == kUpb_DecodeStatus_Ok;
}

static codec_subject *open_subject(const codec_input *input)
{
    codec_subject *subject = calloc(1, sizeof *subject);
    if (subject == NULL)
        return NULL;
    subject->input = input;
    subject->table = find_table(input);
    subject->arena = upb_Arena_New();
    subject->room = 64 * input->size + 65536;
    subject->block = malloc(subject->room);
    if (subject->table == NULL || subject->arena == NULL || subject->block == NULL)
        return NULL;
    subject->message = upb_Message_New(subject->table, subject->arena);
    if (subject->message == NULL || upb_Decode(input->bytes, input->size, subject->message, subject->table, NULL, 0,
                                               subject->arena) != kUpb_DecodeStatus_Ok)
        return NULL;
    return subject;
}

static bool encode(codec_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        upb_Arena *arena = upb_Arena_Init(subject->block, subject->room, NULL);
        char *bytes = NULL;
        size_t size = 0;
        if (upb_Encode(subject->message, subject->table, 0, arena, &bytes, &size) != kUpb_EncodeStatus_Ok ||
            size != subject->input->size)
            return false;
        upb_Arena_Free(arena);
    }
    return true;
}

static bool decode_fresh(codec_subject *subject, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        upb_Arena *arena = upb_Arena_New();
        bool done = arena != NULL && decode(subject, arena, 0);
        upb_Arena_Free(arena);
        if (!done)
            return false;
    }
    return true;
}

static bool decode_in_block(codec_subject *subject, size_t times, int options)
{
    for (size_t i = 0; i < times; i++) {
        upb_Arena *arena = upb_Arena_Init(subject->block, subject->room, NULL);
        if (!decode(subject, arena, options))
            return false;
        upb_Arena_Free(arena);
    }
    return true;
}

static bool decode_again(codec_subject *subject, size_t times)
{
    return decode_in_block(subject, times, 0);
}

static bool decode_alias(codec_subject *subject, size_t times)
{
    return decode_in_block(subject, times, kUpb_DecodeOption_AliasString);
}

static size_t memory(codec_subject *subject)
{
    return upb_Arena_SpaceAllocated(subject->arena, NULL);
}

static const codec_way ways[] = {{CODEC_ENCODE, "block used again", encode},
                                 {CODEC_DECODE, "fresh arena", decode_fresh},
                                 {CODEC_DECODE, "block used again", decode_again},
                                 {CODEC_DECODE, "block used again, strings alias", decode_alias},
                                 {0}};

const codec_peer codec_upb = {"upb", ways, open_subject, memory};
