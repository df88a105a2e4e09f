/* SPDX-License-Identifier: BSD-2-Clause */
/* shm_pair.c - both ends of a connection through shared memory on one loop */
#include "config.h"

#include "shm_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

uint64_t shm_hash(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

void shm_fill(void *data, size_t size, uint32_t seed)
{
    uint8_t *bytes = data;
    uint32_t word = seed * 2654435761u + 1;
    for (size_t i = 0; i < size; i++) {
        word = word * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(word >> 24);
    }
}

uint64_t shm_hash_filled(size_t size, uint32_t seed)
{
    char *data = malloc(size + 1);
    assert_non_null(data);
    shm_fill(data, size, seed);
    uint64_t hash = shm_hash(SHM_HASH_START, data, size);
    free(data);
    return hash;
}

/* --- events --- */

static void opened(mrpc_connection *connection)
{
    ((shm_end *)connection->owner)->opened++;
}

static void note(shm_end *end, const mrpc_incoming *incoming)
{
    if (end->frames < 64)
        end->blocks[end->frames] = incoming->header->block;
    end->frames++;
    end->header = *incoming->header;
    end->large += incoming->header->size > 1 << 20;
    end->refused = incoming->refused;
    if (incoming->refused != 0)
        return;
    bool message = incoming->header->type == FRAME_MESSAGE;
    end->head_hash = message
                         ? shm_hash(SHM_HASH_START, incoming->head + incoming->header->meta, incoming->header->block)
                         : shm_hash(SHM_HASH_START, incoming->head, incoming->header->size);
    end->extents_hash = SHM_HASH_START;
    end->extents_bytes = 0;
    for (uint16_t i = 0; message && i < incoming->header->extents; i++) {
        const mrpc_extent *extent = &incoming->extents[i];
        end->extents_hash = shm_hash(end->extents_hash, extent->data, extent->size);
        end->extents_bytes += extent->size;
        if (i == 0)
            end->first_extent = extent->data;
    }
}

static int received(mrpc_connection *connection, const mrpc_incoming *incoming)
{
    shm_end *end = connection->owner;
    note(end, incoming);
    if (end->keep && incoming->arena != NULL) {
        assert_in_range(end->kept_count, 0, 63);
        end->kept[end->kept_count++] = incoming->arena;
    } else {
        mrpc_arena_free(incoming->arena);
    }
    if (end->close_on_frame) {
        end->connection = NULL;
        connection->transport->close(connection);
    }
    return end->result;
}

static void drained(mrpc_connection *connection)
{
    ((shm_end *)connection->owner)->drained++;
}

static void closed(mrpc_connection *connection, const mrpc_error *reason)
{
    shm_end *end = connection->owner;
    end->closed++;
    end->reason = *reason;
    if (end->close_on_closed) {
        end->connection = NULL;
        connection->transport->close(connection);
    }
}

static const mrpc_connection_events events = {
    .size = sizeof events, .opened = opened, .received = received, .drained = drained, .closed = closed};

void shm_end_observe(shm_end *end, mrpc_connection *connection)
{
    end->connection = connection;
    connection->events = &events;
    connection->owner = end;
}

void shm_pair_accepted(mrpc_listener *listener, mrpc_connection *connection)
{
    shm_pair *pair = listener->owner;
    if (pair->server.connection != NULL) {
        connection->transport->close(connection);
        return;
    }
    shm_end_observe(&pair->server, connection);
    pair->server.opened++;
}

/* --- making --- */

static mrpc_heap *make_heap(const char *name)
{
    mrpc_heap *heap = NULL;
    mrpc_heap_options options = {.size = sizeof options, .limit = 256 << 20, .name = name};
    mrpc_error error = {0};
    if (mrpc_heap_new(&heap, &options, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    return heap;
}

void shm_pair_setup(shm_pair *pair, shm_end *end, mrpc_transport_setup *setup)
{
    if (end->receive_heap == NULL)
        end->receive_heap = make_heap("receive");
    *setup = (mrpc_transport_setup){.size = sizeof *setup,
                                    .loop = pair->loop,
                                    .receive_heap = end->receive_heap,
                                    .send_heap = end->send_heap,
                                    .counters = &end->counters,
                                    .options = pair->options};
}

void shm_pair_listen(shm_pair *pair)
{
    static int number;
    mrpc_error error = {0};
    mrpc_connection_options defaults = {.size = sizeof defaults,
                                        .max_message = 64 << 20,
                                        .max_unfinished = 64 << 20,
                                        .chunk = 64 << 10,
                                        .shm_data = 4 << 20,
                                        .shm_references = 256 << 20};
    if (pair->options.size == 0)
        pair->options = defaults;
    snprintf(pair->name, sizeof pair->name, "test-%d-%d", (int)getpid(), number++);
    assert_int_equal(mrpc_loop_new(&pair->loop, MRPC_POLLER_EPOLL, 0, &error), 0);
    mrpc_transport_setup setup;
    shm_pair_setup(pair, &pair->server, &setup);
    if (mrpc_transport_shm.listen(&pair->listener, pair->name, &setup, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    pair->listener->owner = pair;
    pair->listener->accepted = shm_pair_accepted;
}

void shm_pair_open(shm_pair *pair)
{
    mrpc_error error = {0};
    mrpc_transport_setup setup;
    mrpc_connection *connection;
    shm_pair_listen(pair);
    pair->client.send_heap = make_heap("send");
    shm_pair_setup(pair, &pair->client, &setup);
    if (mrpc_transport_shm.connect(&connection, pair->name, &setup, &error) != 0)
        fail_msg("%s", mrpc_error_text(&error));
    shm_end_observe(&pair->client, connection);
    shm_pair_until(pair, &pair->client.opened, 1);
    shm_pair_until(pair, &pair->server.opened, 1);
}

void shm_end_free_kept(shm_end *end)
{
    while (end->kept_count > 0)
        mrpc_arena_free(end->kept[--end->kept_count]);
}

static void close_end(shm_end *end)
{
    if (end->connection != NULL)
        end->connection->transport->close(end->connection);
    end->connection = NULL;
    shm_end_free_kept(end);
    mrpc_heap_unref(end->receive_heap);
    mrpc_heap_unref(end->send_heap);
}

void shm_pair_close(shm_pair *pair)
{
    close_end(&pair->client);
    close_end(&pair->server);
    if (pair->listener != NULL)
        mrpc_transport_shm.unlisten(pair->listener);
    mrpc_loop_free(pair->loop);
    memset(pair, 0, sizeof *pair);
}

/* --- driving --- */

static bool serve(shm_end *end)
{
    bool some = false;
    if (end->connection != NULL)
        some = end->connection->transport->poll(end->connection);
    if (end->connection != NULL)
        end->connection->transport->flush(end->connection);
    return some;
}

static bool arm(shm_end *end)
{
    return end->connection == NULL || end->connection->transport->arm(end->connection);
}

/* As an engine does: polls, and sleeps for at most a millisecond when both ends are armed. */
static void one_round(shm_pair *pair)
{
    bool some = serve(&pair->client);
    some |= serve(&pair->server);
    bool asleep = arm(&pair->client);
    asleep &= arm(&pair->server);
    uint64_t until = some || !asleep ? 0 : mrpc_loop_now(pair->loop) + 1000000;
    assert_true(mrpc_loop_run(pair->loop, until) >= 0);
}

void shm_pair_run(shm_pair *pair, int rounds)
{
    while (rounds-- > 0)
        one_round(pair);
}

void shm_pair_until(shm_pair *pair, const int *what, int value)
{
    uint64_t end = mrpc_loop_now(pair->loop) + PATIENCE_MS * UINT64_C(1000000);
    while (*what < value) {
        one_round(pair);
        if (mrpc_loop_now(pair->loop) > end)
            fail_msg("waited in vain; client: %s, server: %s", mrpc_error_text(&pair->client.reason),
                     mrpc_error_text(&pair->server.reason));
    }
}

/* --- sending --- */

void shm_end_flush(shm_end *end)
{
    end->connection->transport->flush(end->connection);
}

static void write_head(char *data, const mrpc_frame *header, uint32_t seed, const mrpc_extent *extents)
{
    memcpy(data, header, sizeof *header);
    char *block = data + sizeof *header;
    shm_fill(block, header->block, seed);
    memset(block + header->block, 0, mrpc_pad8(header->block) - header->block);
    for (uint16_t i = 0; i < header->extents; i++)
        memcpy(block + mrpc_pad8(header->block) + 8u * i, &extents[i].size, 8);
}

bool shm_end_send(shm_end *end, uint32_t call, uint8_t flags, size_t block, uint32_t seed, const mrpc_extent *extents,
                  uint16_t extent_count, mrpc_send_token *token)
{
    mrpc_frame header = {
        .type = FRAME_MESSAGE, .flags = flags, .call = call, .block = (uint32_t)block, .extents = extent_count};
    mrpc_space space;
    const mrpc_transport *transport = end->connection->transport;
    int failure = transport->begin(end->connection, sizeof header + mrpc_frame_head(&header), &space);
    if (failure == MRPC_EAGAIN)
        return false;
    assert_int_equal(failure, 0);
    assert_int_equal((uintptr_t)space.data % 8, 0);
    write_head(space.data, &header, seed, extents);
    transport->commit(end->connection, &space, extents, token);
    return true;
}

void shm_end_send_control(shm_end *end, uint8_t type, uint32_t call)
{
    mrpc_space space;
    const mrpc_transport *transport = end->connection->transport;
    assert_int_equal(transport->begin(end->connection, sizeof(mrpc_frame), &space), 0);
    mrpc_frame header = {.type = type, .call = call};
    memcpy(space.data, &header, sizeof header);
    transport->commit(end->connection, &space, NULL, NULL);
}
