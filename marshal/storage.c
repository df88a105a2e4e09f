/* SPDX-License-Identifier: BSD-2-Clause */
/* storage.c - messages to bytes and back in the protobuf encoding, by the marshal module that is linked into the
 * program or by tables */
#include "config.h"

#include <limits.h>
#include <string.h>

#include <mrpc/marshal.h>

#include "heap/arena.h"
#include "marshal/gather.h"
#include "marshal/storage.h"
#include "marshal/table.h"

enum {
    FIRST_BLOCK_LIMIT = 1 << 20,
    ALIAS_BLOCK = 1024 /* to begin with where most of the input stays where it is */
};

/* NULL: the program has no marshal module for the type, or one that was made for another libmrpc. */
static const mrpc_codec *linked_codec(const mrpc_type *type)
{
    const mrpc_module *module = type->file->linked;
    if (module == NULL || module->abi != MRPC_MODULE_ABI || type->codec >= module->codec_count)
        return NULL;
    const mrpc_codec *codec = &module->codecs[type->codec];
    return codec->encode != NULL && codec->size == type->size ? codec : NULL;
}

int mrpc_encode_any(const mrpc_type *type, mrpc_gather *gather, const void *message)
{
    const mrpc_codec *codec = linked_codec(type);
    return codec != NULL ? codec->encode(gather, message) : mrpc_table_encode(type, gather, message);
}

int mrpc_decode_any(const mrpc_type *type, mrpc_decoder *decoder, void *message)
{
    const mrpc_codec *codec = linked_codec(type);
    return codec != NULL ? codec->decode(decoder, message) : mrpc_table_decode(type, decoder, message);
}

int64_t mrpc_message_encode(const mrpc_type *type, const void *message, void *buffer, size_t size)
{
    mrpc_gather_buffer work;
    mrpc_gather_buffer_init(&work, NULL, buffer, buffer != NULL ? size : 0);
    int64_t result = mrpc_encode_any(type, &work.gather, message);
    if (result == 0)
        result = (int64_t)work.gather.size;
    if (result > 0 && work.own != NULL && (uint64_t)result <= size && buffer != NULL)
        memcpy(buffer, work.own, (size_t)result);
    mrpc_gather_buffer_free(&work);
    return result;
}

/* A message in the arena, still zero; NULL: no memory. */
static mrpc_message *zero_message(const mrpc_type *type, mrpc_arena *arena)
{
    mrpc_message *message = mrpc_arena_alloc(arena, type->size);
    if (message == NULL)
        return NULL;
    memset(message, 0, type->size);
    message->arena = arena;
    return message;
}

/* An arena for a message that takes `size` bytes when encoded, and the message in it. */
static mrpc_message *new_message(const mrpc_type *type, size_t size, mrpc_heap *heap)
{
    size_t first = type->size + (size < FIRST_BLOCK_LIMIT ? size + size / 4 + 64 : FIRST_BLOCK_LIMIT);
    mrpc_arena *arena = mrpc_arena_new(heap, first);
    if (arena == NULL)
        return NULL;
    mrpc_message *message = zero_message(type, arena);
    if (message == NULL)
        mrpc_arena_free(arena);
    else
        mrpc_arena_set_root(arena, message);
    return message;
}

int mrpc_storage_explain(const mrpc_decoder *decoder, const mrpc_type *type, int result, size_t at, size_t size,
                         mrpc_error *error)
{
    return mrpc_error_set(error, result, "cannot decode %s: %s %s, at byte %zu of %zu", type->name, decoder->where,
                          decoder->what, at, size);
}

static int no_memory(const mrpc_type *type, mrpc_error *error)
{
    return mrpc_error_set(error, MRPC_ENOMEM, "cannot decode %s: there is no memory for a message", type->name);
}

static int decode(const mrpc_type *type, const void *data, size_t size, uint32_t flags, mrpc_message *message,
                  mrpc_error *error)
{
    static const uint8_t nothing[1];
    const uint8_t *start = size != 0 ? data : nothing;
    mrpc_decoder decoder = {.start = start,
                            .cursor = start,
                            .end = start + size,
                            .arena = message->arena,
                            .grow = mrpc_arena_grow,
                            .depth = MRPC_DEPTH_LIMIT,
                            .flags = flags};
    int result = mrpc_decode_any(type, &decoder, message);
    if (result == 0)
        return 0;
    return mrpc_storage_explain(&decoder, type, result, (size_t)(decoder.cursor - start), size, error);
}

mrpc_message *mrpc_storage_new(const mrpc_type *type, size_t size, bool alias, mrpc_heap *heap, mrpc_error *error)
{
    mrpc_message *made = new_message(type, alias && size > ALIAS_BLOCK ? ALIAS_BLOCK : size, heap);
    if (made == NULL)
        (void)no_memory(type, error);
    return made;
}

static int decode_new(const mrpc_type *type, const void *data, size_t size, uint32_t flags, mrpc_heap *heap,
                      void **message, mrpc_error *error)
{
    mrpc_message *made = mrpc_storage_new(type, size, flags != 0, heap, error);
    if (made == NULL)
        return MRPC_ENOMEM;
    int result = decode(type, data, size, flags, made, error);
    if (result == 0)
        *message = made;
    else
        mrpc_arena_free(made->arena);
    return result;
}

int mrpc_message_decode(const mrpc_type *type, const void *data, size_t size, mrpc_heap *heap, void **message,
                        mrpc_error *error)
{
    return decode_new(type, data, size, 0, heap, message, error);
}

int mrpc_message_decode_alias(const mrpc_type *type, const void *data, size_t size, mrpc_heap *heap, void **message,
                              mrpc_error *error)
{
    return decode_new(type, data, size, MRPC_DECODE_ALIAS, heap, message, error);
}

int mrpc_message_decode_in(const mrpc_type *type, const void *data, size_t size, void *owner, void **message,
                           mrpc_error *error)
{
    mrpc_arena *arena = ((mrpc_message *)owner)->arena;
    if (arena == NULL)
        return mrpc_error_set(error, MRPC_EINVAL, "cannot decode %s: the owner has no arena", type->name);
    mrpc_message *made = zero_message(type, arena);
    if (made == NULL)
        return no_memory(type, error);
    int result = decode(type, data, size, 0, made, error);
    if (result == 0)
        *message = made;
    return result;
}
