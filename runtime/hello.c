/* SPDX-License-Identifier: BSD-2-Clause */
/* hello.c - what both sides say of themselves when they are connected */
#include "config.h"

#include "runtime/hello.h"

#include <assert.h>
#include <string.h>

enum { PROTOCOL_VERSION = 1, FEATURE_STAMPS = 1, LEAST_CHUNK = 32768 };

typedef struct hello {
    char magic[8];
    uint16_t version;
    uint16_t minimum;
    uint32_t features;
    uint32_t chunk;
    uint32_t calls;
    uint64_t message;
    uint64_t window;
    uint64_t unfinished;
    uint64_t reserved[2];
} hello;

static_assert(sizeof(hello) == 64 && offsetof(hello, unfinished) == 40, "HELLO is laid out as docs/PROTOCOL.md says");

static const char magic[8] = {'m', 'R', 'P', 'C', '\r', '\n', '\x1a', '\n'};

void mrpc_hello_send(mrpc_session *session)
{
    hello mine = {.version = PROTOCOL_VERSION,
                  .minimum = PROTOCOL_VERSION,
                  .features = session->runtime->want_stamps ? FEATURE_STAMPS : 0,
                  .chunk = session->chunk,
                  .calls = session->max_calls,
                  .message = session->max_message,
                  .window = session->window,
                  .unfinished = session->max_unfinished};
    memcpy(mine.magic, magic, sizeof magic);
    const mrpc_frame header = {.type = FRAME_HELLO, .block = sizeof mine};
    mrpc_session_control(session, &header, &mine, sizeof mine);
}

int mrpc_hello_receive(mrpc_session *session, const mrpc_incoming *incoming)
{
    hello peer;
    if (incoming->header->type != FRAME_HELLO || incoming->header->size < sizeof peer)
        return mrpc_session_break(session, MRPC_EPROTO, "it does not speak mrpc: its first frame is no HELLO");
    memcpy(&peer, incoming->head, sizeof peer);
    if (memcmp(peer.magic, magic, sizeof magic) != 0)
        return mrpc_session_break(session, MRPC_EPROTO, "it does not speak mrpc: its HELLO has no magic number");
    if (peer.minimum > PROTOCOL_VERSION || peer.version < PROTOCOL_VERSION)
        return mrpc_session_break(session, MRPC_EMISMATCH,
                                  "it speaks versions %u to %u of the protocol and this side %d: upgrade the older one",
                                  peer.minimum, peer.version, PROTOCOL_VERSION);
    if (peer.chunk < LEAST_CHUNK || peer.calls == 0 || peer.message == 0 || peer.unfinished < peer.message ||
        peer.window == 0 || peer.window > INT64_MAX)
        return mrpc_session_break(session, MRPC_EPROTO, "a limit in its HELLO is out of range");
    session->peer_calls = peer.calls;
    session->peer_message = peer.message;
    session->peer_window = peer.window;
    session->stamps = session->runtime->want_stamps && (peer.features & FEATURE_STAMPS);
    session->state = SESSION_READY;
    return 0;
}
