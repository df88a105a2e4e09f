/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message_out.c - a message becomes a frame, written by its codec straight into the transport's memory
 *
 * The space is laid out as the frame is: header, meta section, block, sizes of extents, stamp. The codec fills the
 * block, which may grow, and lists what it references; nothing is copied afterwards.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/channel.h"
#include "runtime/session.h"

enum {
    BLOCK_FIRST = 256, /* bytes of room for a block to begin with */
    NAMED_META = 512   /* enough for the two fingerprints and the item heads; the name is added */
};

typedef struct frame_out {
    mrpc_session *session;
    mrpc_space space;
    mrpc_gather gather;
    size_t block_at; /* offset of the block in the space */
    bool no_room;    /* the transport has no room now */
} frame_out;

static mrpc_frame *header_of(const frame_out *out)
{
    return (mrpc_frame *)(void *)out->space.data;
}

static size_t tail_bytes(const mrpc_session *session)
{
    return 8 + (session->stamps ? MRPC_STAMP_SIZE : 0);
}

static void set_block(frame_out *out)
{
    out->gather.block = out->space.data + out->block_at;
    out->gather.capacity = out->space.capacity - out->block_at - tail_bytes(out->session);
}

static int extend(frame_out *out, size_t used, size_t capacity)
{
    int result = out->session->transport->extend(out->session->line.connection, &out->space, used, capacity);
    if (result == MRPC_EAGAIN)
        out->no_room = true;
    if (result != 0)
        return MRPC_ENOMEM;
    set_block(out);
    return 0;
}

static int grow_block(mrpc_gather *gather, size_t capacity)
{
    frame_out *out = gather->context;
    if (capacity > gather->limit)
        return MRPC_ELIMIT;
    return extend(out, out->block_at + gather->size, out->block_at + capacity + tail_bytes(out->session));
}

/* --- the meta section --- */

static size_t meta_room(const mrpc_call *call, const mrpc_meta *meta, unsigned flags)
{
    return (flags & FRAME_NAMED ? NAMED_META + strlen(call->method->full_name) : 0) + (meta == NULL ? 0 : meta->size);
}

static size_t write_meta(const mrpc_call *call, const mrpc_meta *meta, unsigned flags, char *at)
{
    size_t size = 0;
    if (flags & FRAME_NAMED) {
        const char *name = call->method->full_name;
        size += mrpc_meta_write(at + size, ":method", name, strlen(name), 0);
        size +=
            mrpc_meta_write(at + size, ":request", &call->method->request->fingerprint, sizeof(mrpc_fingerprint), 0);
        size += mrpc_meta_write(at + size, ":reply", &call->method->reply->fingerprint, sizeof(mrpc_fingerprint), 0);
    }
    if (meta != NULL) {
        memcpy(at + size, meta->data, meta->size);
        size += meta->size;
    }
    return size;
}

/* --- the block --- */

static int begin(frame_out *out, mrpc_call *call, const mrpc_meta *meta, unsigned flags)
{
    size_t room = meta_room(call, meta, flags), hint = out->session->block_hint;
    size_t bytes = sizeof(mrpc_frame) + room +
                   (flags & FRAME_NOMESSAGE ? 0
                    : hint < BLOCK_FIRST    ? BLOCK_FIRST
                                            : hint) +
                   tail_bytes(out->session);
    int result = out->session->transport->begin(out->session->line.connection, bytes, &out->space);
    if (result != 0)
        return result;
    mrpc_frame *header = header_of(out);
    *header = (mrpc_frame){.type = FRAME_MESSAGE, .flags = (uint8_t)flags, .call = call->number};
    header->meta = (uint32_t)write_meta(call, meta, flags, out->space.data + sizeof *header);
    out->block_at = sizeof *header + header->meta;
    set_block(out);
    return 0;
}

static int explain(const frame_out *out, int result, mrpc_error *error)
{
    const mrpc_gather *gather = &out->gather;
    if (out->no_room || result == MRPC_EAGAIN)
        return MRPC_EAGAIN;
    if (result == MRPC_ECLOSED)
        return mrpc_error_set(error, result, "the connection has ended");
    if (result == MRPC_ELIMIT)
        return mrpc_error_set(
            error, result,
            "the message is larger than the %llu bytes that the peer accepts: raise connection.max_message there",
            (unsigned long long)out->session->peer_message);
    if (result == MRPC_ENOMEM)
        return mrpc_error_set(error, result, "no memory to send the message");
    return mrpc_error_set(error, result, "the message cannot be encoded: %s %s",
                          gather->where == NULL ? "" : gather->where,
                          gather->what == NULL ? mrpc_strerror(result) : gather->what);
}

static int fill_block(frame_out *out, mrpc_call *call, const void *message, uint32_t threshold, mrpc_error *error)
{
    mrpc_session *session = out->session;
    const mrpc_codec *codec = mrpc_call_codec(call, true);
    mrpc_gather *gather = &out->gather;
    gather->extents = session->runtime->extents;
    gather->extent_capacity = call->protobuf ? 0 : MRPC_EXTENT_LIMIT; /* frames have them behind a native block only */
    gather->threshold = threshold;
    gather->depth = MRPC_DEPTH_LIMIT;
    gather->limit = session->peer_message;
    gather->grow = grow_block;
    gather->context = out;
    int result = call->protobuf ? codec->encode(gather, message) : codec->marshal(gather, message);
    if (result == 0 && gather->size > UINT32_MAX - 8)
        result = MRPC_ELIMIT;
    return result == 0 ? 0 : explain(out, result, error);
}

/* Behind the block: padding, the sizes of the extents, the stamp. *bytes: of the whole payload. */
static int fill_tail(frame_out *out, uint64_t *bytes, mrpc_error *error)
{
    mrpc_gather *gather = &out->gather;
    size_t padded = mrpc_pad8(gather->size),
           needed = out->block_at + padded + 8 * (size_t)gather->extent_count + tail_bytes(out->session);
    if (needed > out->space.capacity && extend(out, out->block_at + gather->size, needed) != 0)
        return explain(out, MRPC_ENOMEM, error);
    mrpc_frame *header = header_of(out);
    header->block = (uint32_t)gather->size;
    header->extents = (uint16_t)gather->extent_count;
    char *at = gather->block + gather->size;
    memset(at, 0, padded - gather->size);
    at = gather->block + padded;
    *bytes = 0;
    for (uint32_t i = 0; i < gather->extent_count; i++, at += 8) {
        memcpy(at, &gather->extents[i].size, 8);
        *bytes += mrpc_pad8(gather->extents[i].size);
    }
    if (out->session->stamps && gather->stamp != NULL) {
        memset(at, 0, MRPC_STAMP_SIZE);
        memcpy(at, gather->stamp, strnlen(gather->stamp, MRPC_STAMP_SIZE - 1));
        header->flags |= FRAME_STAMP;
    }
    *bytes += mrpc_frame_head(header);
    return *bytes <= out->session->peer_message ? 0 : explain(out, MRPC_ELIMIT, error);
}

/* --- who keeps the message while the transport reads it --- */

typedef struct taken {
    mrpc_send_token token;
    const void *message;
} taken;

static void release_taken(mrpc_send_token *token)
{
    mrpc_release(((taken *)token)->message);
}

static void release_borrowed(mrpc_send_token *token)
{
    mrpc_call *call = (mrpc_call *)((char *)token - offsetof(mrpc_call, token));
    call->token_out = false;
    if (call->wait != NULL && call->wait->what == WAIT_SENT)
        mrpc_call_wake_task(call);
}

static mrpc_arena *arena_of(const void *message)
{
    return ((const mrpc_message *)message)->arena;
}

/* Extents are only listed when their bytes will stay: while a borrowed message is borrowed, or as long as a taken one's
 * arena. */
static uint32_t threshold_of(const void *message, message_hold hold)
{
    bool may_refer = hold == HOLD_BORROWED || (hold == HOLD_TAKEN && arena_of(message) != NULL);
    return may_refer ? MRPC_EXTERNAL_THRESHOLD : UINT32_MAX;
}

static mrpc_send_token *make_token(mrpc_call *call, const void *message, message_hold hold)
{
    if (hold == HOLD_BORROWED) {
        call->token = (mrpc_send_token){.released = release_borrowed};
        return &call->token;
    }
    taken *mine = mrpc_arena_alloc(arena_of(message), sizeof *mine);
    if (mine == NULL)
        return NULL;
    *mine = (taken){.token.released = release_taken, .message = message};
    return &mine->token;
}

/* --- all of it --- */

static void count(mrpc_session *session, const mrpc_gather *gather, uint64_t bytes)
{
    mrpc_counters *counters = &session->runtime->engine.counters;
    counters->messages_sent++;
    counters->bytes_copied_out += gather->size;
    for (uint32_t i = 0; i < gather->extent_count; i++)
        counters->bytes_referenced += gather->extents[i].size;
    size_t hint = gather->size + gather->size / 4;
    session->block_hint = hint > session->chunk ? session->chunk : hint;
    (void)bytes;
}

static void finish_header(const frame_out *out, const mrpc_call *call, unsigned flags)
{
    mrpc_frame *header = header_of(out);
    if (!(flags & FRAME_OPEN))
        return;
    if (!(flags & FRAME_NAMED))
        header->method = call->binding->number;
    if (call->deadline != 0) {
        uint64_t now = mrpc_loop_now(call->runtime->engine.loop);
        header->value = call->deadline > now ? call->deadline - now : 1;
    }
}

static int send_bare(frame_out *out, mrpc_call *call, const mrpc_meta *meta, unsigned flags, mrpc_error *error)
{
    mrpc_session *session = out->session;
    flags |= FRAME_NOMESSAGE;
    int result = begin(out, call, meta, flags);
    if (result != 0)
        return explain(out, result, error);
    finish_header(out, call, flags);
    session->transport->commit(session->line.connection, &out->space, NULL, NULL);
    mrpc_engine_touch(&session->runtime->engine, &session->line);
    return 0;
}

int mrpc_session_send_message(mrpc_session *session, mrpc_call *call, const void *message, unsigned flags,
                              const mrpc_meta *meta, message_hold hold, mrpc_error *error)
{
    frame_out out = {.session = session};
    if (session->deferred != NULL || session->broken)
        return MRPC_EAGAIN;
    if (call->protobuf)
        flags |= FRAME_PROTOBUF;
    if (message == NULL)
        return send_bare(&out, call, meta, flags, error);
    int result = begin(&out, call, meta, flags);
    if (result != 0)
        return explain(&out, result, error);
    mrpc_send_token *token = NULL;
    uint64_t bytes = 0;
    result = fill_block(&out, call, message, threshold_of(message, hold), error);
    if (result == 0 && out.gather.extent_count > 0) {
        token = make_token(call, message, hold);
        if (token == NULL)
            result = mrpc_error_set(error, MRPC_ENOMEM, "no memory to send the message");
    }
    if (result == 0)
        result = fill_tail(&out, &bytes, error);
    if (result != 0) {
        session->transport->abort(session->line.connection, &out.space);
        return result;
    }
    finish_header(&out, call, flags);
    count(session, &out.gather, bytes);
    if (!(flags & FRAME_OPEN))
        atomic_store_explicit(&call->send_window,
                              atomic_load_explicit(&call->send_window, memory_order_relaxed) - (int64_t)bytes,
                              memory_order_relaxed);
    call->token_out = token != NULL && hold == HOLD_BORROWED;
    session->transport->commit(session->line.connection, &out.space, token == NULL ? NULL : out.gather.extents, token);
    mrpc_engine_touch(&session->runtime->engine, &session->line);
    if (hold == HOLD_TAKEN && token == NULL)
        mrpc_release(message);
    return 0;
}

void mrpc_session_abandon(mrpc_call *call)
{
    mrpc_session *session = call->session;
    if (call->token_out && session->line.connection != NULL)
        session->transport->abandon(session->line.connection, &call->token);
}
