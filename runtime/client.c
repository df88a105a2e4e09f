/* SPDX-License-Identifier: BSD-2-Clause */
/* client.c - beginning calls: the three styles of unary calls, and streams */
#include "config.h"

#include "runtime/client.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/channel.h"
#include "runtime/options.h"
#include "runtime/queue.h"

#define LONGEST_TIMEOUT (UINT64_MAX / 4)

static const char inside_text[] =
    "a blocking function was called from a handler or callback of the same runtime, where it would wait for "
    "itself: begin the call with a callback or a queue there, or block on another runtime";

/* --- what a call begins with; any thread --- */

/* For the module of a file that has none linked in: looked for outside the engine, since that takes long. */
static int resolve(mrpc_channel *channel, const mrpc_method *method, mrpc_error *error)
{
    if (method->service->file->linked != NULL)
        return 0;
    size_t place = ((uintptr_t)method / sizeof *method) % (sizeof channel->resolved / sizeof channel->resolved[0]);
    if (atomic_load_explicit(&channel->resolved[place], memory_order_relaxed) == method)
        return 0;
    int result = mrpc_modules_ensure(channel->runtime, method->service->file, error);
    if (result == 0)
        atomic_store_explicit(&channel->resolved[place], method, memory_order_relaxed);
    return result;
}

static int set_deadline(mrpc_call *call, const mrpc_call_options *options)
{
    uint64_t timeout = call->channel->timeout_ns;
    if (options->timeout_ms != 0 || options->timeout_ns != 0) {
        if (options->timeout_ms > LONGEST_TIMEOUT / 1000000 || options->timeout_ns > LONGEST_TIMEOUT)
            return MRPC_EINVAL;
        timeout = options->timeout_ms * 1000000 + options->timeout_ns;
    }
    if (timeout != 0)
        call->deadline = mrpc_engine_now(&call->runtime->engine) + timeout;
    return 0;
}

static int set_options(mrpc_call *call, const mrpc_call_options *given)
{
    mrpc_call_options options;
    if (given == NULL && call->channel->timeout_ns == 0)
        return 0;
    if (mrpc_options_copy(&options, sizeof options, given, "mrpc_call_options", NULL) != 0 ||
        (options.metadata == NULL && options.metadata_count > 0))
        return MRPC_EINVAL;
    if (options.received != NULL && call->style > STYLE_QUEUE_UNARY)
        return MRPC_EINVAL;
    call->wait_for_ready = options.wait_for_ready;
    call->received = options.received;
    int result = set_deadline(call, &options);
    if (result == 0 && options.metadata_count > 0)
        result = mrpc_meta_add(&call->meta_last, options.metadata, options.metadata_count, 0);
    return result;
}

static void start_later(mrpc_engine *engine, mrpc_op *op)
{
    (void)engine;
    mrpc_call *call = (mrpc_call *)((char *)op - offsetof(mrpc_call, start_op));
    mrpc_channel_start(call->channel, call);
}

/* `inside`: the caller has the engine. */
static int prepare(mrpc_channel *channel, const mrpc_method *method, const mrpc_call_options *options, call_style style,
                   bool inside, mrpc_call **call)
{
    mrpc_call *fresh = mrpc_call_alloc(channel->runtime, inside);
    if (fresh == NULL)
        return MRPC_ENOMEM;
    fresh->channel = channel;
    fresh->method = method;
    fresh->heap = channel->heap;
    fresh->style = (uint8_t)style;
    fresh->start_op.run = start_later;
    int result = set_options(fresh, options);
    if (result != 0) {
        free(fresh->meta_last);
        mrpc_call_free(fresh);
        return result;
    }
    *call = fresh;
    return 0;
}

/* So that what the application frees in the end is always set, however early the call fails. */
static void clear_received(const mrpc_call_options *options)
{
    if (options != NULL && options->size >= sizeof *options && options->received != NULL)
        *options->received = NULL;
}

static bool is_unary(const mrpc_method *method)
{
    return !method->client_streaming && !method->server_streaming;
}

/* --- blocking --- */

static mrpc_status status_of_error(int result, const mrpc_error *error)
{
    switch (result) {
    case MRPC_EDEADLK:
        return mrpc_status_make(MRPC_FAILED_PRECONDITION, "%s", inside_text);
    case MRPC_EFORKED:
        return mrpc_status_make(MRPC_FAILED_PRECONDITION,
                                "the runtime belongs to the parent process: make a new one after fork()");
    case MRPC_ENOMEM:
    case MRPC_ELIMIT:
        return mrpc_status_make(MRPC_RESOURCE_EXHAUSTED, "the call could not be begun: %s", mrpc_strerror(result));
    case MRPC_EINVAL:
        return mrpc_status_make(MRPC_INVALID_ARGUMENT,
                                "the call could not be begun: the channel, the method or the request is NULL, or the "
                                "method is not unary");
    default:
        return mrpc_status_make(MRPC_FAILED_PRECONDITION, "%s",
                                error == NULL || error->code == 0 ? mrpc_strerror(result) : error->text);
    }
}

/* Why prepare() failed, found out once more: the way of calls that begin has no room for texts. */
static mrpc_status status_of_options(const mrpc_call_options *given, int result)
{
    mrpc_call_options options;
    mrpc_error error;
    if (mrpc_options_copy(&options, sizeof options, given, "mrpc_call_options", &error) != 0)
        return mrpc_status_make(MRPC_INVALID_ARGUMENT, "%s", error.text);
    if (result == MRPC_ELIMIT)
        return mrpc_status_make(MRPC_RESOURCE_EXHAUSTED, "the metadata of the call is larger than 8 KiB in all");
    if (result != MRPC_EINVAL)
        return status_of_error(result, NULL);
    if (options.metadata == NULL && options.metadata_count > 0)
        return mrpc_status_make(MRPC_INVALID_ARGUMENT, "mrpc_call_options.metadata is NULL, with a metadata_count");
    for (size_t i = 0; i < options.metadata_count; i++) {
        const char *complaint = mrpc_meta_complaint(&options.metadata[i]);
        if (complaint != NULL)
            return mrpc_status_make(MRPC_INVALID_ARGUMENT, "mrpc_call_options.metadata[%zu]: %s", i, complaint);
    }
    return mrpc_status_make(MRPC_INVALID_ARGUMENT,
                            "mrpc_call_options.timeout_ms or timeout_ns is longer than 146 years; 0 stands for none");
}

static void begin_unary(mrpc_engine *engine, mrpc_waiter *waiter)
{
    mrpc_unary_wait *wait = (mrpc_unary_wait *)waiter;
    mrpc_call *call;
    int result = prepare(wait->channel, wait->method, wait->options, STYLE_BLOCKING_UNARY, true, &call);
    if (result != 0) {
        *wait->status = status_of_options(wait->options, result);
        mrpc_engine_complete(engine, waiter);
        return;
    }
    call->last = wait->request;
    call->unary_wait = wait;
    mrpc_channel_start(wait->channel, call);
}

static int check_unary(mrpc_channel *channel, const mrpc_method *method, const void *request, mrpc_error *error)
{
    if (channel == NULL || method == NULL || request == NULL || !is_unary(method))
        return MRPC_EINVAL;
    if (mrpc_engine_forked(&channel->runtime->engine))
        return MRPC_EFORKED;
    return resolve(channel, method, error);
}

mrpc_status mrpc_call_unary(mrpc_channel *channel, const mrpc_method *method, const void *request, const void **reply,
                            const mrpc_call_options *options)
{
    mrpc_status status; /* the only one that is returned, so that it is made in the caller's place */
    mrpc_error error;
    if (reply != NULL)
        *reply = NULL;
    clear_received(options);
    int result = check_unary(channel, method, request, &error);
    if (result != 0) {
        status = status_of_error(result, &error);
        return status;
    }
    mrpc_unary_wait wait = {.waiter.begin = begin_unary,
                            .waiter.until = UINT64_MAX,
                            .channel = channel,
                            .method = method,
                            .request = request,
                            .options = options,
                            .status = &status};
    result = mrpc_engine_wait(&channel->runtime->engine, &wait.waiter);
    if (result != 0)
        status = status_of_error(result, NULL);
    else if (reply != NULL)
        *reply = wait.reply;
    else
        mrpc_release(wait.reply);
    return status; /* cppcheck-suppress uninitvar ; who ends the call writes it before mrpc_engine_wait() returns 0 */
}

/* --- without blocking --- */

typedef struct starter {
    mrpc_engine *engine;
    bool entered; /* the engine was taken for it */
    bool inside;  /* the calling thread has it, for whatever reason */
} starter;

/* Any thread: takes the engine when nobody has it. */
static int begin_start(starter *start, mrpc_channel *channel, const mrpc_method *method, mrpc_error *error)
{
    if (channel == NULL || method == NULL)
        return MRPC_EINVAL;
    start->engine = &channel->runtime->engine;
    start->entered = start->inside = false;
    if (mrpc_engine_forked(start->engine))
        return MRPC_EFORKED;
    if (atomic_load_explicit(&channel->calls, memory_order_relaxed) >= channel->max_pending)
        return MRPC_ELIMIT;
    int result = resolve(channel, method, error);
    if (result != 0)
        return result;
    start->inside = mrpc_engine_inside(start->engine);
    if (!start->inside)
        start->inside = start->entered = mrpc_engine_enter(start->engine);
    return 0;
}

static void end_start(const starter *start, bool flush)
{
    if (start->entered)
        mrpc_engine_leave(start->engine, flush);
}

static void launch(const starter *start, mrpc_call *call, bool flush)
{
    if (start->inside)
        mrpc_channel_start(call->channel, call);
    else
        mrpc_engine_submit(start->engine, &call->start_op, flush);
    end_start(start, flush);
}

int mrpc_call_unary_start(mrpc_channel *channel, const mrpc_method *method, const void *request,
                          const mrpc_call_options *options, mrpc_unary_callback callback, mrpc_unary_caller caller,
                          void *state, mrpc_call **call)
{
    starter start;
    mrpc_error error;
    mrpc_call *fresh;
    clear_received(options);
    if (request == NULL || callback == NULL || method == NULL || !is_unary(method))
        return MRPC_EINVAL;
    int result = begin_start(&start, channel, method, &error);
    if (result != 0)
        return result;
    result = prepare(channel, method, options, STYLE_CALLBACK_UNARY, start.inside, &fresh);
    if (result != 0) {
        end_start(&start, false);
        return result;
    }
    fresh->last = request;
    fresh->unary_callback = callback;
    fresh->unary_caller = caller;
    fresh->state = state;
    if (call != NULL)
        *call = mrpc_call_handle(fresh);
    launch(&start, fresh, true);
    return 0;
}

int mrpc_call_unary_submit(mrpc_channel *channel, const mrpc_method *method, const void *request,
                           const mrpc_call_options *options, mrpc_queue *queue, void *tag, mrpc_unary_result *out)
{
    starter start;
    mrpc_error error;
    mrpc_call *fresh;
    clear_received(options);
    if (channel == NULL || request == NULL || queue == NULL || out == NULL || method == NULL || !is_unary(method) ||
        mrpc_queue_runtime(queue) != channel->runtime)
        return MRPC_EINVAL;
    if (!mrpc_queue_reserve(queue))
        return MRPC_ELIMIT;
    int result = begin_start(&start, channel, method, &error);
    if (result != 0) {
        mrpc_queue_give_back(queue);
        return result;
    }
    result = prepare(channel, method, options, STYLE_QUEUE_UNARY, start.inside, &fresh);
    if (result != 0) {
        mrpc_queue_give_back(queue);
        end_start(&start, false);
        return result;
    }
    fresh->last = request;
    fresh->queue = queue;
    fresh->tag = tag;
    fresh->result = out;
    /* Whoever has events to take comes back to the queue, which then sends what was begun meanwhile in one go. */
    launch(&start, fresh, !mrpc_queue_has_events(queue));
    return 0;
}

/* --- streams --- */

static int prepare_request(mrpc_call *call, const void *request, bool copy)
{
    if (request == NULL)
        return 0;
    call->closing = true;
    call->last = copy ? mrpc_message_copy(call->method->request, request, call->heap) : request;
    call->last_owned = copy;
    return call->last == NULL ? MRPC_ENOMEM : 0;
}

/* The request is the caller's again when the function returns: what could not be sent yet needs a copy. */
static void keep_request(mrpc_call *call)
{
    if (call->opened || call->ended || call->last == NULL || call->last_owned)
        return;
    call->last = mrpc_message_copy(call->method->request, call->last, call->heap);
    call->last_owned = call->last != NULL;
    if (call->last == NULL)
        mrpc_call_end(call, false, MRPC_RESOURCE_EXHAUSTED,
                      "no memory to keep the request until there is a connection");
}

int mrpc_call_open(mrpc_channel *channel, const mrpc_method *method, const void *request,
                   const mrpc_call_options *options, const mrpc_call_callbacks *callbacks, void *state,
                   mrpc_call **call)
{
    starter start;
    mrpc_error error;
    mrpc_call *fresh;
    if (method == NULL || call == NULL || (request == NULL) != method->client_streaming)
        return MRPC_EINVAL;
    *call = NULL;
    mrpc_call_callbacks copy;
    if (mrpc_options_copy(&copy, sizeof copy, callbacks, "mrpc_call_callbacks", NULL) != 0)
        return MRPC_EINVAL;
    int result = begin_start(&start, channel, method, &error);
    if (result != 0)
        return result;
    result =
        prepare(channel, method, options, callbacks == NULL ? STYLE_BLOCKING : STYLE_CALLBACKS, start.inside, &fresh);
    if (result == 0) {
        result = prepare_request(fresh, request, !start.inside);
        if (result != 0) {
            free(fresh->meta_last);
            mrpc_call_free(fresh);
        }
    }
    if (result != 0) {
        end_start(&start, false);
        return result;
    }
    fresh->callbacks = copy;
    fresh->state = state;
    *call = mrpc_call_handle(fresh);
    if (start.inside) {
        mrpc_channel_start(channel, fresh);
        keep_request(fresh);
        end_start(&start, true);
    } else {
        mrpc_engine_submit(start.engine, &fresh->start_op, true);
    }
    return 0;
}
