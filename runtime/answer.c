/* SPDX-License-Identifier: BSD-2-Clause */
/* answer.c - how a handler answers: now or later, from any thread, once */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/call.h"
#include "runtime/options.h"
#include "runtime/session.h"

static mrpc_engine *engine_of(const mrpc_call *call)
{
    return &call->runtime->engine;
}

/* What the call's status says of a reply that could not be sent. */
static int outcome_of(const mrpc_call *call)
{
    if (!call->ended || call->code == MRPC_OK)
        return 0;
    return call->code == MRPC_INTERNAL             ? MRPC_EINVAL
           : call->code == MRPC_RESOURCE_EXHAUSTED ? MRPC_ELIMIT
                                                   : MRPC_ECLOSED;
}

/* On the driver: carries out what call->answer says. */
static int answer_now(mrpc_call *call)
{
    void *message = call->answer.message;
    char *text = call->answer.text;
    int result = MRPC_ECLOSED;
    bool again = call->replied;
    call->replied = true;
    call->answer.message = NULL;
    call->answer.text = NULL;
    if (again || call->ended) {
        mrpc_release(message);
        free(call->answer.meta);
    } else {
        free(call->meta_last);
        call->meta_last = call->answer.meta;
        if (call->answer.code != MRPC_OK) {
            mrpc_call_end(call, false, call->answer.code, "%s", text == NULL ? "" : text);
            result = 0;
        } else {
            call->last = message;
            call->last_owned = true;
            call->closing = true;
            mrpc_call_output(call);
            result = outcome_of(call);
        }
    }
    call->answer.meta = NULL;
    free(text);
    if (call->ended && !call->delivering)
        mrpc_call_finished(call);
    return result;
}

void mrpc_call_take_last(mrpc_call *call)
{
    if (call->server) {
        (void)answer_now(call);
        return;
    }
    call->closing = true;
    mrpc_call_output(call);
}

/* The answer to a unary call is the last that its handle can be used for, unless callbacks follow. So the driver, which
 * carries it out at once, makes the handle void together with claiming the answer: what comes then, up to freeing the
 * slot, concerns no other thread, and needs no further atomic operation. */
static bool claim_for_good(const mrpc_call *handle)
{
    const mrpc_call *call = mrpc_call_slot(handle);
    return !call->has_callbacks && !call->method->client_streaming && !call->method->server_streaming &&
           mrpc_call_retire_handle(handle);
}

static bool claim(const mrpc_call *handle, bool inside, uint64_t *before)
{
    *before = 0;
    if (inside && claim_for_good(handle))
        return true;
    return mrpc_call_mark(handle, inside ? CONTROL_LAST : CONTROL_LAST | CONTROL_LAST_OP, CONTROL_LAST, before);
}

/* Takes message and text in any case. */
static int answer(mrpc_call *handle, void *message, mrpc_code code, char *text)
{
    uint64_t before;
    mrpc_call *call = mrpc_call_slot(handle);
    mrpc_engine *engine = engine_of(call);
    bool inside = mrpc_engine_inside(engine);
    if (!mrpc_call_handle_is_server(handle) || mrpc_engine_forked(engine) || !claim(handle, inside, &before)) {
        mrpc_release(message);
        free(text);
        return mrpc_call_handle_is_server(handle) ? MRPC_ECLOSED : MRPC_EINVAL;
    }
    /* Nobody else gets here for this call, and the driver does not look before it is told. */
    call->answer.message = message;
    call->answer.code = code;
    call->answer.text = text;
    call->answer.meta = call->meta_out;
    call->meta_out = NULL;
    if (inside)
        return answer_now(call);
    mrpc_call_submit_last(call);
    return before & CONTROL_ENDED ? MRPC_ECLOSED : 0;
}

int mrpc_call_reply(mrpc_call *handle, void *message)
{
    if (handle == NULL) {
        mrpc_release(message);
        return MRPC_EINVAL;
    }
    return answer(handle, message, MRPC_OK, NULL);
}

int mrpc_call_fail(mrpc_call *handle, mrpc_code code, const char *format, ...)
{
    char text[256] = "";
    if (handle == NULL)
        return MRPC_EINVAL;
    if (format != NULL) {
        va_list arguments;
        va_start(arguments, format);
        mrpc_status status = {.code = code};
        (void)vsnprintf(status.message, sizeof status.message, format, arguments);
        va_end(arguments);
        memcpy(text, status.message, sizeof status.message);
    }
    if (code == MRPC_OK || code > MRPC_UNAUTHENTICATED)
        code = MRPC_UNKNOWN;
    /* Without memory for the text the status goes without it. */
    return answer(handle, NULL, code, strdup(text));
}

int mrpc_call_set_callbacks(mrpc_call *handle, const mrpc_call_callbacks *callbacks, void *state)
{
    if (handle == NULL || !mrpc_call_handle_is_server(handle) || callbacks == NULL)
        return MRPC_EINVAL;
    mrpc_call *call = mrpc_call_slot(handle);
    if (!mrpc_engine_inside(engine_of(call)) || !mrpc_call_is_current(handle) || !call->delivering || call->replied)
        return MRPC_EINVAL;
    mrpc_call_callbacks copy;
    if (mrpc_options_copy(&copy, sizeof copy, callbacks, "mrpc_call_callbacks", NULL) != 0)
        return MRPC_EINVAL;
    call->callbacks = copy;
    call->state = state;
    call->has_callbacks = true;
    return 0;
}

static void keep_request(void *argument)
{
    if (mrpc_call_is_current(argument))
        mrpc_call_slot(argument)->request_kept = true;
}

void mrpc_call_keep(mrpc_call *handle)
{
    if (handle != NULL)
        (void)!mrpc_engine_run_exclusive(&mrpc_call_slot(handle)->runtime->engine, keep_request, handle);
}

int mrpc_call_add_metadata(mrpc_call *handle, const mrpc_metadata *metadata)
{
    if (handle == NULL || metadata == NULL || !mrpc_call_handle_is_server(handle))
        return MRPC_EINVAL;
    mrpc_call *call = mrpc_call_slot(handle);
    if (mrpc_call_is_cancelled(handle))
        return MRPC_ECLOSED;
    return mrpc_meta_add(&call->meta_out, metadata, 1, call->sent_something ? META_TRAILER : 0);
}
