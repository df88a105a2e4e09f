/* SPDX-License-Identifier: BSD-2-Clause */
/* workload.c - a world from its beginning to its end, and what must hold when it is over */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/workload.h"

void world_fail(world *w, const char *format, ...)
{
    va_list arguments;
    if (w->failure[0] != '\0')
        return;
    va_start(arguments, format);
    (void)vsnprintf(w->failure, sizeof w->failure, format, arguments);
    va_end(arguments);
}

/* splitmix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014). */
uint64_t world_random(world *w, uint64_t below)
{
    uint64_t z = (w->chance += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return below == 0 ? 0 : z % below;
}

void world_at(world *w, mrpc_timer *timer, uint64_t after_us, void (*expired)(mrpc_timer *timer))
{
    mrpc_loop *loop = w->runtime->engine.loop;
    timer->expired = expired;
    if (mrpc_loop_start(loop, timer, mrpc_loop_now(loop) + after_us * 1000) != 0)
        world_fail(w, "no memory for a timer");
}

/* --- what happens besides calls --- */

static void stop_server(mrpc_timer *timer)
{
    world *w = (world *)(void *)((char *)timer - offsetof(world, stop));
    w->reached->drained += w->ended < w->call_count;
    w->server_stopped = true;
    mrpc_server_stop(w->server, (uint32_t)world_random(w, 30));
}

/* Puts another build of the same module in the place of the current one. */
static void swap_module(mrpc_timer *timer)
{
    world *w = (world *)(void *)((char *)timer - offsetof(world, swap));
    mrpc_module_source retired, source = {.module = &w->builds[world_random(w, WORLD_BUILDS)], .path = ""};
    mrpc_module_version *version = mrpc_modules_new_version(&source);
    mrpc_module_entry *entry;
    mrpc_error error = {0};
    if (version == NULL || mrpc_modules_install(w->runtime, version, &entry, &retired, &error) != 0)
        world_fail(w, "a module was refused: %s", error.text);
    w->reached->swaps++;
    if (mrpc_runtime_now(w->runtime) < UINT64_C(60000000)) /* by then most calls are over */
        world_at(w, &w->swap, 200 + world_random(w, 5000), swap_module);
}

/* --- making --- */

static void choose_network(world *w, char *address, size_t size)
{
    static const uint32_t losses[] = {0, 0, 50, 500, 5000};
    (void)snprintf(address, size, "sim://world?delay=%llu-%llu&short=%llu&loss=%u&refuse=%llu&down=%llu&buffer=%llu",
                   1 + (unsigned long long)world_random(w, 50), 60 + (unsigned long long)world_random(w, 1000),
                   (unsigned long long)world_random(w, 60), losses[world_random(w, 5)],
                   world_random(w, 3) == 0 ? (unsigned long long)world_random(w, 50) : 0ull,
                   (unsigned long long)world_random(w, 3000), 1000 + (unsigned long long)world_random(w, 100000));
}

static mrpc_connection_options choose_limits(world *w)
{
    static const uint64_t windows[] = {1, 300, 20000, 1 << 20};
    mrpc_connection_options options = {.size = sizeof options, .window = windows[world_random(w, 4)]};
    options.max_calls = world_random(w, 4) == 0 ? 1 + (uint32_t)world_random(w, 5) : 0;
    options.max_message = world_random(w, 4) == 0 ? 40000 : 0;
    options.chunk = 32768 + (uint32_t)world_random(w, 40000);
    return options;
}

static bool make_world(world *w)
{
    char address[256];
    mrpc_error error = {0};
    const mrpc_runtime_options options = {.size = sizeof options,
                                          .poller = MRPC_POLLER_SIMULATED,
                                          .simulation_seed = w->seed,
                                          .stamps = world_random(w, 2) == 0};
    choose_network(w, address, sizeof address);
    if (mrpc_runtime_new(&w->runtime, &options, &error) != 0 ||
        mrpc_queue_new(&w->queue, w->runtime, WORLD_CALLS, &error) != 0 ||
        mrpc_server_new(&w->server,
                        &(mrpc_server_options){
                            .size = sizeof(mrpc_server_options), .runtime = w->runtime, .connection = choose_limits(w)},
                        &error) != 0 ||
        echo_Echo_serve(w->server, &world_handlers, w) != 0 || mrpc_server_listen(w->server, address, &error) != 0) {
        world_fail(w, "%s", mrpc_error_text(&error));
        return false;
    }
    for (int i = 0; i < WORLD_CHANNELS; i++) {
        const mrpc_channel_options channel = {.size = sizeof channel,
                                              .runtime = w->runtime,
                                              .backoff_min_ms = 1,
                                              .backoff_max_ms = 20,
                                              .connection = choose_limits(w)};
        if (mrpc_channel_new(&w->channels[i], "sim://world", &channel, &error) != 0) {
            world_fail(w, "%s", mrpc_error_text(&error));
            return false;
        }
    }
    return true;
}

static void fill_world(world *w)
{
    for (int i = 0; i < WORLD_BUILDS; i++) {
        static const char *const stamps[WORLD_BUILDS] = {"first", "second", "third"};
        w->builds[i] = *echo_Echo_service.file->linked;
        w->builds[i].stamp = stamps[i];
    }
    w->call_count = WORLD_CALLS;
    for (uint32_t i = 0; i < w->call_count; i++)
        client_prepare(w, &w->calls[i]);
    if (world_random(w, 4) == 0)
        world_at(w, &w->stop, world_random(w, 40000), stop_server);
    if (world_random(w, 2) == 0)
        world_at(w, &w->swap, world_random(w, 5000), swap_module);
}

/* --- running --- */

static void take_events(world *w)
{
    void *tag;
    while (mrpc_queue_next(w->queue, &tag, 0) == 1)
        client_take_event(w, tag);
}

/* Every call has a timeout, so that all have ended after some virtual seconds. */
static void run_until_ended(world *w)
{
    uint64_t limit = mrpc_runtime_now(w->runtime) + UINT64_C(30000000000);
    while (w->ended < w->call_count && w->failure[0] == '\0') {
        (void)mrpc_runtime_poll(w->runtime, 1000);
        take_events(w);
        if (mrpc_runtime_now(w->runtime) > limit)
            world_fail(w, "%u of %u calls have not ended", w->call_count - w->ended, w->call_count);
    }
}

/* In some worlds the channels go while calls are in flight. */
static bool closes_early(world *w)
{
    if (world_random(w, 5) != 0)
        return false;
    for (uint64_t rounds = world_random(w, 300); rounds > 0; rounds--)
        (void)mrpc_runtime_poll(w->runtime, 1);
    take_events(w);
    w->reached->channels_closed++;
    return true;
}

static void close_channels(world *w)
{
    w->stopped = true;
    for (int i = 0; i < WORLD_CHANNELS; i++) {
        mrpc_channel_close(w->channels[i]);
        w->channels[i] = NULL;
    }
    take_events(w);
}

static void stop_timers(world *w)
{
    mrpc_loop_stop(w->runtime->engine.loop, &w->swap);
    mrpc_loop_stop(w->runtime->engine.loop, &w->stop);
    for (uint32_t i = 0; i < w->call_count; i++)
        mrpc_loop_stop(w->runtime->engine.loop, &w->calls[i].start);
}

/* Late answers of handlers that do not listen come up to 20 ms after their calls. */
static void let_handlers_finish(world *w)
{
    uint64_t limit = mrpc_runtime_now(w->runtime) + UINT64_C(10000000000);
    while (w->handlers_over < w->handlers_begun && mrpc_runtime_now(w->runtime) < limit)
        (void)mrpc_runtime_poll(w->runtime, 1);
    if (w->handlers_over != w->handlers_begun)
        world_fail(w, "%llu calls that the server began are not over",
                   (unsigned long long)(w->handlers_begun - w->handlers_over));
}

static void check_counters(world *w)
{
    mrpc_counters counters = {.size = sizeof counters};
    mrpc_runtime_get_counters(w->runtime, &counters);
    if (counters.calls_started + counters.calls_accepted != counters.calls_ended)
        world_fail(w, "%llu calls were begun, %llu accepted and %llu ended", (unsigned long long)counters.calls_started,
                   (unsigned long long)counters.calls_accepted, (unsigned long long)counters.calls_ended);
    if (counters.connections_opened != counters.connections_closed)
        world_fail(w, "%llu connections were opened and %llu closed", (unsigned long long)counters.connections_opened,
                   (unsigned long long)counters.connections_closed);
    if (counters.messages_received > counters.messages_sent)
        world_fail(w, "more messages came than were sent");
    w->reached->reconnects +=
        counters.connections_opened > 2 * WORLD_CHANNELS ? counters.connections_opened / 2 - WORLD_CHANNELS : 0;
}

static void check_modules(world *w)
{
    mrpc_module_info infos[64];
    mrpc_counters counters = {.size = sizeof counters};
    size_t count = mrpc_runtime_modules(w->runtime, infos, 64);
    uint64_t handled = 0;
    for (size_t i = 0; i < count && i < 64; i++)
        handled += infos[i].messages;
    mrpc_runtime_get_counters(w->runtime, &counters);
    if (count <= 64 && handled < counters.messages_sent + counters.messages_received)
        world_fail(w, "modules handled %llu messages of %llu", (unsigned long long)handled,
                   (unsigned long long)(counters.messages_sent + counters.messages_received));
}

static void check_heaps(world *w)
{
    mrpc_heap_stats received, replies;
    mrpc_heap_collect(w->runtime->receive_heap);
    mrpc_heap_get_stats(w->runtime->receive_heap, &received);
    mrpc_heap_get_stats(w->runtime->reply_heap, &replies);
    if (received.bytes_in_use != 0 || replies.bytes_in_use != 0)
        world_fail(w, "%llu bytes of received messages and %llu of replies were not released",
                   (unsigned long long)received.bytes_in_use, (unsigned long long)replies.bytes_in_use);
}

static void note_network(world *w)
{
    mrpc_sim_stats stats;
    mrpc_sim_get_stats(w->runtime->engine.loop, &stats);
    w->reached->broken += stats.broken;
    w->reached->refused += stats.refused;
    w->trace = stats.trace;
}

static void end_world(world *w)
{
    for (uint32_t i = 0; i < w->call_count; i++) {
        if (w->failure[0] == '\0' && w->calls[i].started && !w->calls[i].refused && w->calls[i].ends != 1)
            world_fail(w, "call %u ended %d times", i, w->calls[i].ends);
        mrpc_release(w->calls[i].ping);
    }
}

static void run(world *w)
{
    fill_world(w);
    if (!closes_early(w))
        run_until_ended(w);
    stop_timers(w);
    mrpc_sim_set_kind(w->runtime->engine.loop, true);
    close_channels(w);
    let_handlers_finish(w);
    if (!w->server_stopped)
        mrpc_server_stop(w->server, 10);
    if (mrpc_server_run(w->server) != 0)
        world_fail(w, "the server did not stop well");
    end_world(w);
    if (w->failure[0] != '\0')
        return;
    check_counters(w);
    check_modules(w);
    check_heaps(w);
}

bool world_run(uint64_t seed, reached *all, uint64_t *trace, char *failure, size_t size)
{
    world *w = calloc(1, sizeof *w);
    if (w == NULL)
        abort();
    w->seed = seed;
    w->chance = seed;
    w->reached = all;
    if (make_world(w)) {
        run(w);
        note_network(w);
    }
    for (int i = 0; i < WORLD_CHANNELS; i++)
        mrpc_channel_close(w->channels[i]);
    mrpc_queue_free(w->queue);
    mrpc_server_free(w->server);
    mrpc_runtime_unref(w->runtime);
    *trace = w->trace;
    (void)snprintf(failure, size, "%s", w->failure);
    free(w);
    return failure[0] == '\0';
}
