/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rx.c - whatever a peer sends over a stream, in pieces of any size
 *
 * The input is what comes; its first byte seeds how it is cut. All that is handed up is read, so that a sanitizer sees
 * bytes that are not there.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "transports/stream/rx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void read_all(const void *data, uint64_t size)
{
    const uint8_t *bytes = data;
    for (uint64_t i = 0; i < size; i++)
        sink ^= bytes[i];
}

static int deliver(mrpc_stream_rx *rx, const mrpc_incoming *incoming)
{
    const mrpc_frame *header = incoming->header;
    if (incoming->refused != 0) {
        if (incoming->head != NULL || incoming->arena != NULL)
            abort();
        return 0;
    }
    read_all(incoming->head, header->type == FRAME_MESSAGE ? mrpc_frame_head(header) : header->size);
    for (uint32_t i = 0; i < header->extents; i++)
        read_all(incoming->extents[i].data, incoming->extents[i].size);
    mrpc_arena_free(incoming->arena);
    if (header->type == FRAME_CANCEL)
        mrpc_stream_rx_end_call(rx, header->call + 1);
    return header->type == FRAME_GOAWAY ? MRPC_EPROTO : 0;
}

static size_t receive(mrpc_stream_rx *rx, const uint8_t *data, size_t size)
{
    struct iovec vectors[2];
    int count = mrpc_stream_rx_room(rx, vectors);
    size_t taken = 0;
    for (int i = 0; i < count && taken < size; i++) {
        size_t part = vectors[i].iov_len < size - taken ? vectors[i].iov_len : size - taken;
        memcpy(vectors[i].iov_base, data + taken, part);
        taken += part;
    }
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mrpc_buffers buffers = {0};
    mrpc_counters counters = {0};
    mrpc_error error;
    mrpc_stream_rx rx = {
        .buffers = &buffers,
        .counters = &counters,
        .max_message = 1 << 16,
        .max_unfinished = 1 << 18,
        .chunk = 32768,
        .error = &error,
        .deliver = deliver,
    };
    uint32_t cut = size > 0 ? *data++ : 0;
    for (size_t left = size > 0 ? size - 1 : 0; left > 0;) {
        cut = cut * 1664525u + 1013904223u;
        size_t part = 1 + (cut >> 8) % (cut & 64 ? 16 : 8192);
        part = receive(&rx, data, part < left ? part : left);
        if (part == 0 || mrpc_stream_rx_take(&rx, part) != 0)
            break;
        mrpc_stream_rx_rest(&rx);
        data += part;
        left -= part;
    }
    mrpc_stream_rx_clear(&rx);
    mrpc_buffers_clear(&buffers);
    return 0;
}
