/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message_in.c - a frame becomes a message
 *
 * A large frame has come in an arena already and is unmarshalled where it lies. A small one lies in the transport's
 * buffer, and its block is copied once, into an arena of the receive heap, and unmarshalled there.
 */
#include "config.h"

#include <string.h>

#include "runtime/session.h"

uint64_t mrpc_incoming_bytes(const mrpc_incoming *incoming)
{
    uint64_t bytes = mrpc_frame_head(incoming->header);
    for (uint32_t i = 0; i < incoming->header->extents; i++)
        bytes += mrpc_pad8(incoming->extents[i].size);
    return bytes;
}

static int explain(int result, const mrpc_call *call, const char *where, const char *what, mrpc_error *error)
{
    if (result == MRPC_ENOMEM)
        return mrpc_error_set(error, result,
                              "no memory to receive a message of %s: the receive heap is full or reached "
                              "mrpc_runtime_options.heap_limit",
                              call->method->full_name);
    return mrpc_error_set(error, MRPC_EFORMAT, "a malformed message of %s came: %s %s", call->method->full_name,
                          where == NULL ? "" : where, what == NULL ? mrpc_strerror(result) : what);
}

static const mrpc_type *type_of(const mrpc_call *call)
{
    return call->server ? call->method->request : call->method->reply;
}

/* The block in an arena, which `incoming` may have brought with it. */
static char *place_block(mrpc_call *call, const mrpc_incoming *incoming, mrpc_arena **arena)
{
    const mrpc_frame *header = incoming->header;
    char *block = (char *)incoming->head + header->meta;
    if (incoming->arena != NULL) {
        *arena = incoming->arena;
        return block;
    }
    size_t padded = mrpc_pad8(header->block);
    *arena = mrpc_arena_new(call->runtime->receive_heap, padded + sizeof(mrpc_received) + 8);
    if (*arena == NULL)
        return NULL;
    char *copy = mrpc_arena_alloc(*arena, padded);
    if (copy != NULL)
        memcpy(copy, block, padded);
    call->runtime->engine.counters.bytes_copied_in += padded;
    return copy;
}

static int receive_native(mrpc_call *call, const mrpc_incoming *incoming, mrpc_arena **arena, mrpc_message **message,
                          mrpc_error *error)
{
    char *block = place_block(call, incoming, arena);
    if (block == NULL)
        return explain(MRPC_ENOMEM, call, NULL, NULL, error);
    const mrpc_codec *codec = mrpc_call_codec(call, false);
    mrpc_scatter scatter = {.block = block,
                            .size = incoming->header->block,
                            .extents = incoming->extents,
                            .extent_count = incoming->header->extents,
                            .depth = MRPC_DEPTH_LIMIT};
    int result = codec->unmarshal(&scatter);
    if (result != 0)
        return explain(result, call, scatter.where, scatter.what, error);
    *message = (mrpc_message *)(void *)block;
    (*message)->arena = *arena;
    return 0;
}

/* A message to decode into: beside the bytes, when they have come in an arena, so that it may point to them. */
static mrpc_message *place_message(const mrpc_call *call, const mrpc_incoming *incoming, mrpc_arena **arena)
{
    const mrpc_type *type = type_of(call);
    mrpc_message *message = NULL;
    *arena = incoming->arena != NULL ? incoming->arena : mrpc_arena_new(call->runtime->receive_heap, 0);
    if (*arena != NULL)
        message = mrpc_arena_alloc(*arena, type->size);
    if (message == NULL)
        return NULL;
    memset(message, 0, type->size);
    message->arena = *arena;
    return message;
}

static int receive_protobuf(mrpc_call *call, const mrpc_incoming *incoming, mrpc_arena **arena, mrpc_message **message,
                            mrpc_error *error)
{
    if (incoming->header->extents != 0)
        return explain(MRPC_EFORMAT, call, NULL, "extents do not go with the protobuf encoding", error);
    *message = place_message(call, incoming, arena);
    if (*message == NULL)
        return explain(MRPC_ENOMEM, call, NULL, NULL, error);
    const uint8_t *begin = incoming->head + incoming->header->meta;
    mrpc_decoder decoder = {.cursor = begin,
                            .start = begin,
                            .end = begin + incoming->header->block,
                            .arena = *arena,
                            .grow = mrpc_arena_grow,
                            .depth = MRPC_DEPTH_LIMIT,
                            .flags = incoming->arena != NULL ? MRPC_DECODE_ALIAS : 0};
    call->runtime->engine.counters.bytes_copied_in += incoming->header->block;
    int result = mrpc_call_codec(call, false)->decode(&decoder, *message);
    return result == 0 ? 0 : explain(result, call, decoder.where, decoder.what, error);
}

static void count_stamp(const mrpc_session *session, const mrpc_incoming *incoming)
{
    if (incoming->header->flags & FRAME_STAMP)
        mrpc_stamps_add(&session->runtime->stamps,
                        (const char *)incoming->head + mrpc_frame_head(incoming->header) - MRPC_STAMP_SIZE);
}

int mrpc_message_receive(mrpc_call *call, const mrpc_incoming *incoming, mrpc_received **received, mrpc_error *error)
{
    mrpc_arena *arena = NULL;
    mrpc_message *message = NULL;
    count_stamp(call->session, incoming);
    int result = call->protobuf ? receive_protobuf(call, incoming, &arena, &message, error)
                                : receive_native(call, incoming, &arena, &message, error);
    if (result == 0) {
        *received = mrpc_arena_alloc(arena, sizeof **received);
        if (*received == NULL)
            result = explain(MRPC_ENOMEM, call, NULL, NULL, error);
    }
    if (incoming->arena != NULL && incoming->arena != arena)
        mrpc_arena_free(incoming->arena);
    if (result != 0) {
        mrpc_arena_free(arena);
        return result;
    }
    **received = (mrpc_received){.message = message,
                                 .bytes = incoming->header->flags & FRAME_OPEN ? 0 : mrpc_incoming_bytes(incoming)};
    call->runtime->engine.counters.messages_received++;
    return 0;
}
