/* SPDX-License-Identifier: BSD-2-Clause */
/* workload_server.c - what the server does: as the request says, at once or later, and never twice */
#include "config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/workload.h"

/* A call that the server has in hand. */
typedef struct server_call {
    world *world;
    mrpc_call *call;
    mrpc_timer timer;
    const echo_Ping *request; /* not of client streams */
    echo_Pong *blocked;
    uint64_t number, sum; /* sent; of what came */
    bool answered, ended, half_closed;
    bool has_callbacks;
} server_call;

static void forget(server_call *mine)
{
    mine->world->handlers_over++;
    mrpc_loop_stop(mine->world->runtime->engine.loop, &mine->timer);
    mrpc_release(mine->blocked);
    free(mine);
}

static echo_Pong *make_pong(server_call *mine, uint64_t number, const mrpc_bytes *payload)
{
    echo_Pong *pong = echo_Pong_new(mrpc_call_heap(mine->call));
    if (pong == NULL || (payload != NULL && mrpc_bytes_set(pong, &pong->payload, payload->data, payload->size) != 0))
        world_fail(mine->world, "no memory for a reply");
    else
        pong->number = number;
    return pong;
}

/* The answer, whatever the call has come to meanwhile. */
static void answer(server_call *mine, mrpc_code code, echo_Pong *pong)
{
    mine->answered = true;
    int result =
        code != MRPC_OK ? mrpc_call_fail(mine->call, code, "as the request says") : mrpc_call_reply(mine->call, pong);
    if (code != MRPC_OK)
        mrpc_release(pong);
    if (result == MRPC_ECLOSED)
        mine->world->reached->replies_too_late++;
    else if (result != 0 && result != MRPC_ELIMIT)
        world_fail(mine->world, "an answer was refused: %s", mrpc_strerror(result));
    if (mrpc_call_reply(mine->call, NULL) == 0)
        world_fail(mine->world, "a second answer was taken");
    if (!mine->has_callbacks)
        forget(mine);
}

static void ended(void *state, mrpc_call *call, const mrpc_status *status)
{
    server_call *mine = state;
    (void)call;
    if (mine->ended)
        world_fail(mine->world, "the server was told of an end twice");
    mine->ended = true;
    mine->world->reached->server_cancelled += status->code != MRPC_OK && !mine->answered;
    forget(mine);
}

static server_call *begin(mrpc_call *call, const echo_Ping *request, void *state)
{
    server_call *mine = calloc(1, sizeof *mine);
    if (mine == NULL)
        abort();
    *mine = (server_call){.world = state, .call = call, .request = request};
    mine->world->handlers_begun++;
    return mine;
}

/* --- unary --- */

static void answer_late(mrpc_timer *timer)
{
    server_call *mine = (server_call *)(void *)((char *)timer - offsetof(server_call, timer));
    mine->world->reached->late_replies++;
    answer(mine, MRPC_OK, make_pong(mine, mine->request->number, &mine->request->payload));
}

static void unary(echo_Echo_Unary_call *typed, const echo_Ping *request, void *state)
{
    static const mrpc_call_callbacks only_end = {.size = sizeof only_end, .on_end = ended};
    server_call *mine = begin(echo_Echo_Unary_untyped(typed), request, state);
    /* Some of the handlers do not listen, so that their answers come too late. */
    mine->has_callbacks = request->action == echo_NEVER || world_random(mine->world, 2) == 0;
    if (mine->has_callbacks && mrpc_call_set_callbacks(mine->call, &only_end, mine) != 0)
        world_fail(mine->world, "callbacks were refused");
    if (request->action == echo_LATE)
        world_at(mine->world, &mine->timer, world_random(mine->world, 20000), answer_late);
    else if (request->action != echo_NEVER)
        answer(mine, request->action == echo_FAIL ? MRPC_ABORTED : MRPC_OK,
               make_pong(mine, request->number, &request->payload));
}

/* --- streams --- */

static void send_down(void *state, mrpc_call *call)
{
    server_call *mine = state;
    world *w = mine->world;
    while (mine->number < mine->request->count) {
        echo_Pong *pong = make_pong(mine, mine->number, &mine->request->payload);
        int result = mrpc_call_send(call, pong);
        w->reached->full += result == MRPC_EAGAIN;
        if (result == MRPC_EAGAIN)
            mrpc_release(pong);
        if (result == MRPC_ELIMIT && !mine->answered)
            answer(mine, MRPC_RESOURCE_EXHAUSTED, NULL);
        if (result != 0)
            return;
        mine->number++;
    }
    if (!mine->answered && mine->request->action != echo_NEVER)
        answer(mine, mine->request->action == echo_FAIL ? MRPC_ABORTED : MRPC_OK, NULL);
}

static void down_writable(void *state, mrpc_call *call)
{
    ((server_call *)state)->world->reached->writable++;
    send_down(state, call);
}

static void send_down_late(mrpc_timer *timer)
{
    server_call *mine = (server_call *)(void *)((char *)timer - offsetof(server_call, timer));
    send_down(mine, mine->call);
}

static void down(echo_Echo_Down_call *typed, const echo_Ping *request, void *state)
{
    static const mrpc_call_callbacks callbacks = {
        .size = sizeof callbacks, .on_writable = down_writable, .on_end = ended};
    server_call *mine = begin(echo_Echo_Down_untyped(typed), request, state);
    mine->has_callbacks = true;
    if (mrpc_call_set_callbacks(mine->call, &callbacks, mine) != 0)
        world_fail(mine->world, "callbacks were refused");
    if (request->action == echo_LATE)
        world_at(mine->world, &mine->timer, world_random(mine->world, 20000), send_down_late);
    else
        send_down(mine, mine->call);
}

static void take(server_call *mine, const echo_Ping *ping)
{
    if (mine->half_closed)
        world_fail(mine->world, "a message came after the half-close");
    if (ping->number != mine->number)
        world_fail(mine->world, "the server got message %llu instead of %llu", (unsigned long long)ping->number,
                   (unsigned long long)mine->number);
    mine->number++;
    mine->sum += ping->number;
    mine->world->reached->stream_messages++;
}

static void up_message(void *state, mrpc_call *call, const void *message)
{
    server_call *mine = state;
    (void)call;
    take(mine, message);
    if (((const echo_Ping *)message)->action == echo_FAIL)
        answer(mine, MRPC_ABORTED, NULL);
    mrpc_release(message);
}

static void up_half_closed(void *state, mrpc_call *call)
{
    server_call *mine = state;
    (void)call;
    mine->half_closed = true;
    mine->world->reached->half_closes++;
    if (!mine->answered)
        answer(mine, MRPC_OK, make_pong(mine, mine->sum, NULL));
}

static void up(echo_Echo_Up_call *typed, const echo_Ping *request, void *state)
{
    static const mrpc_call_callbacks callbacks = {
        .size = sizeof callbacks, .on_message = up_message, .on_half_close = up_half_closed, .on_end = ended};
    server_call *mine = begin(echo_Echo_Up_untyped(typed), request, state);
    mine->has_callbacks = true;
    if (mrpc_call_set_callbacks(mine->call, &callbacks, mine) != 0)
        world_fail(mine->world, "callbacks were refused");
}

static void send_blocked(server_call *mine, mrpc_call *call)
{
    int result = mrpc_call_send(call, mine->blocked);
    mine->world->reached->full += result == MRPC_EAGAIN;
    if (result == MRPC_EAGAIN) {
        mrpc_call_pause(call);
        return;
    }
    mine->blocked = NULL;
    mrpc_call_resume(call);
    if (result == MRPC_ELIMIT && !mine->answered)
        answer(mine, MRPC_RESOURCE_EXHAUSTED, NULL);
    else if (result == 0 && mine->half_closed && !mine->answered)
        answer(mine, MRPC_OK, NULL);
}

static void both_message(void *state, mrpc_call *call, const void *message)
{
    server_call *mine = state;
    const echo_Ping *ping = message;
    take(mine, ping);
    if (ping->action == echo_FAIL) {
        answer(mine, MRPC_ABORTED, NULL);
    } else {
        mine->blocked = make_pong(mine, ping->number, &ping->payload);
        send_blocked(mine, call);
    }
    mrpc_release(message);
}

static void both_writable(void *state, mrpc_call *call)
{
    server_call *mine = state;
    mine->world->reached->writable++;
    if (mine->blocked != NULL)
        send_blocked(mine, call);
}

static void both_half_closed(void *state, mrpc_call *call)
{
    server_call *mine = state;
    (void)call;
    mine->half_closed = true;
    mine->world->reached->half_closes++;
    if (mine->blocked == NULL && !mine->answered)
        answer(mine, MRPC_OK, NULL);
}

static void both(echo_Echo_Both_call *typed, const echo_Ping *request, void *state)
{
    static const mrpc_call_callbacks callbacks = {.size = sizeof callbacks,
                                                  .on_message = both_message,
                                                  .on_half_close = both_half_closed,
                                                  .on_writable = both_writable,
                                                  .on_end = ended};
    server_call *mine = begin(echo_Echo_Both_untyped(typed), request, state);
    mine->has_callbacks = true;
    if (mrpc_call_set_callbacks(mine->call, &callbacks, mine) != 0)
        world_fail(mine->world, "callbacks were refused");
}

const echo_Echo_handlers world_handlers = {.Unary = unary, .Down = down, .Up = up, .Both = both};
