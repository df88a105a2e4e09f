/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service.c - client stubs and server skeletons in FILE.mrpc.h: typed names for the calls of <mrpc/call.h>
 *
 * Handlers and callbacks have parameters of the method's types. The runtime knows them as pointers to functions of no
 * particular type, and calls each through a function that is generated here (or, for handlers, in source.c), which
 * gives the pointer its own type back: a function is never called as what it is not.
 */
#include "generator.h"

#include <stdio.h>

/* What a method's templates speak of. */
typedef struct stub {
    const schema_service *service;
    const schema_method *method;
    const char *index;
    const char *parameter; /* of the functions that begin a stream: the request where the method has just one */
    const char *argument;
    output *out;
} stub;

static void fill(const stub *s, const char *template_text)
{
    output_fill(s->out, template_text, "M", s->method->c_name, "Q", s->method->request->c_name, "R",
                s->method->reply->c_name, "S", s->service->c_name, "I", s->index, NULL);
}

/* --- client --- */

static void write_unary_blocking(const stub *s)
{
    fill(s, "static inline mrpc_status $M$(\n"
            "        mrpc_channel *channel, const $Q$ *request, const $R$ **reply,\n"
            "        const mrpc_call_options *options)\n"
            "{\n"
            "    const void *message = NULL;\n"
            "    mrpc_status status = mrpc_call_unary(\n"
            "        channel, &$S$_methods[$I$], request, reply != NULL ? &message : NULL, options);\n"
            "    if (reply != NULL)\n"
            "        *reply = (const $R$ *)message;\n"
            "    return status;\n"
            "}\n"
            "\n");
}

static void write_unary_async(const stub *s)
{
    fill(s, "typedef void (*$M$_callback)(void *state, const mrpc_status *status, const $R$ *reply);\n"
            "\n"
            "static inline void $M$_replied(\n"
            "        mrpc_function callback, void *state, const mrpc_status *status, const void *reply)\n"
            "{\n"
            "    (($M$_callback)callback)(state, status, (const $R$ *)reply);\n"
            "}\n"
            "\n"
            "MRPC_MUST_CHECK static inline int $M$_start(\n"
            "        mrpc_channel *channel, const $Q$ *request,\n"
            "        const mrpc_call_options *options, $M$_callback callback,\n"
            "        void *state, mrpc_call **call)\n"
            "{\n"
            "    mrpc_unary_callback untyped = (mrpc_unary_callback)(mrpc_function)callback;\n"
            "    return mrpc_call_unary_start(\n"
            "        channel, &$S$_methods[$I$], request, options, untyped, $M$_replied, state, call);\n"
            "}\n"
            "\n"
            "MRPC_MUST_CHECK static inline int $M$_submit(\n"
            "        mrpc_channel *channel, const $Q$ *request,\n"
            "        const mrpc_call_options *options, mrpc_queue *queue, void *tag,\n"
            "        mrpc_unary_result *result)\n"
            "{\n"
            "    return mrpc_call_unary_submit(channel, &$S$_methods[$I$], request, options, queue, tag, result);\n"
            "}\n"
            "\n"
            "static inline const $R$ *$M$_result(const mrpc_unary_result *result)\n"
            "{\n"
            "    return (const $R$ *)result->reply;\n"
            "}\n"
            "\n");
}

/* What calls callbacks with a handle of type M_HANDLE and messages of type T. */
static void write_callers(const stub *s, const char *handle, const char *message)
{
    output_fill(s->out,
                "static inline void $M$_$H$_message(\n"
                "        mrpc_function callback, void *state, mrpc_call *call, const void *message)\n"
                "{\n"
                "    ((void (*)(void *, $M$_$H$ *, const $T$ *))callback)(\n"
                "        state, ($M$_$H$ *)call, (const $T$ *)message);\n"
                "}\n"
                "\n"
                "static inline void $M$_$H$_event(mrpc_function callback, void *state, mrpc_call *call)\n"
                "{\n"
                "    ((void (*)(void *, $M$_$H$ *))callback)(state, ($M$_$H$ *)call);\n"
                "}\n"
                "\n"
                "static inline void $M$_$H$_end(\n"
                "        mrpc_function callback, void *state, mrpc_call *call, const mrpc_status *status)\n"
                "{\n"
                "    ((void (*)(void *, $M$_$H$ *, const mrpc_status *))callback)(\n"
                "        state, ($M$_$H$ *)call, status);\n"
                "}\n"
                "\n",
                "M", s->method->c_name, "H", handle, "T", message, NULL);
}

/* The variable `untyped`, made of `callbacks`. */
static void write_untyped_callbacks(const stub *s, const char *handle)
{
    output_fill(s->out,
                "    static const mrpc_callers callers = {\n"
                "        $M$_$H$_message, $M$_$H$_event, $M$_$H$_end};\n"
                "    const mrpc_call_callbacks untyped = {\n"
                "        sizeof(mrpc_call_callbacks),\n"
                "        (void (*)(void *, mrpc_call *, const void *))(mrpc_function)callbacks->on_message,\n"
                "        (void (*)(void *, mrpc_call *))(mrpc_function)callbacks->on_half_close,\n"
                "        (void (*)(void *, mrpc_call *))(mrpc_function)callbacks->on_writable,\n"
                "        (void (*)(void *, mrpc_call *, const mrpc_status *))(mrpc_function)callbacks->on_end,\n"
                "        &callers,\n"
                "    };\n",
                "M", s->method->c_name, "H", handle, NULL);
}

static void write_client_callbacks(const stub *s)
{
    fill(s, "typedef struct $M$_stream_callbacks {\n"
            "    void (*on_message)(void *state, $M$_stream *stream, const $R$ *message);\n"
            "    void (*on_half_close)(void *state, $M$_stream *stream);\n"
            "    void (*on_writable)(void *state, $M$_stream *stream);\n"
            "    void (*on_end)(void *state, $M$_stream *stream, const mrpc_status *status);\n"
            "} $M$_stream_callbacks;\n"
            "\n");
    write_callers(s, "stream", s->method->reply->c_name);
}

static void write_open(const stub *s)
{
    output_fill(s->out,
                "MRPC_MUST_CHECK static inline int $M$_open(\n"
                "        mrpc_channel *channel, $P$const mrpc_call_options *options,\n"
                "        $M$_stream **stream)\n"
                "{\n"
                "    mrpc_call *call = NULL;\n"
                "    int result = mrpc_call_open(channel, &$S$_methods[$I$], $A$, options, NULL, NULL, &call);\n"
                "    *stream = ($M$_stream *)call;\n"
                "    return result;\n"
                "}\n"
                "\n",
                "M", s->method->c_name, "S", s->service->c_name, "I", s->index, "A", s->argument, "P", s->parameter,
                NULL);
}

static void write_start(const stub *s)
{
    output_fill(s->out,
                "MRPC_MUST_CHECK static inline int $M$_start(\n"
                "        mrpc_channel *channel, $P$const mrpc_call_options *options,\n"
                "        const $M$_stream_callbacks *callbacks, void *state,\n"
                "        $M$_stream **stream)\n"
                "{\n",
                "M", s->method->c_name, "P", s->parameter, NULL);
    write_untyped_callbacks(s, "stream");
    output_fill(s->out,
                "    mrpc_call *call = NULL;\n"
                "    int result = mrpc_call_open(channel, &$S$_methods[$I$], $A$, options, &untyped, state, &call);\n"
                "    if (stream != NULL)\n"
                "        *stream = ($M$_stream *)call;\n"
                "    return result;\n"
                "}\n"
                "\n",
                "M", s->method->c_name, "S", s->service->c_name, "I", s->index, "A", s->argument, NULL);
}

static void write_client_sending(const stub *s)
{
    fill(s, "MRPC_MUST_CHECK static inline int $M$_stream_send(\n"
            "        $M$_stream *stream, const $Q$ *message)\n"
            "{\n"
            "    return mrpc_call_send((mrpc_call *)stream, message);\n"
            "}\n"
            "\n"
            "static inline int $M$_stream_close_send($M$_stream *stream)\n"
            "{\n"
            "    return mrpc_call_close_send((mrpc_call *)stream);\n"
            "}\n"
            "\n");
}

static void write_client_receiving(const stub *s)
{
    fill(s, "MRPC_MUST_CHECK static inline int $M$_stream_receive(\n"
            "        $M$_stream *stream, const $R$ **message)\n"
            "{\n"
            "    const void *received = NULL;\n"
            "    int result = mrpc_call_receive((mrpc_call *)stream, &received);\n"
            "    *message = (const $R$ *)received;\n"
            "    return result;\n"
            "}\n"
            "\n"
            "static inline mrpc_status $M$_stream_finish($M$_stream *stream)\n"
            "{\n"
            "    return mrpc_call_finish((mrpc_call *)stream);\n"
            "}\n"
            "\n");
}

/* A method with one reply hands it out with the status. */
static void write_client_finish(const stub *s)
{
    fill(s, "static inline mrpc_status $M$_stream_finish(\n"
            "        $M$_stream *stream, const $R$ **reply)\n"
            "{\n"
            "    const void *received = NULL;\n"
            "    (void)mrpc_call_close_send((mrpc_call *)stream);\n"
            "    int result = mrpc_call_receive((mrpc_call *)stream, &received);\n"
            "    mrpc_status status = mrpc_call_finish((mrpc_call *)stream);\n"
            "    if (status.code == MRPC_OK && result != 1)\n"
            "        status = mrpc_status_make(MRPC_INTERNAL, \"the call ended without a reply\");\n"
            "    if (status.code != MRPC_OK || reply == NULL) {\n"
            "        mrpc_release(received);\n"
            "        received = NULL;\n"
            "    }\n"
            "    if (reply != NULL)\n"
            "        *reply = (const $R$ *)received;\n"
            "    return status;\n"
            "}\n"
            "\n");
}

static void write_stream(const stub *s)
{
    fill(s, "typedef struct $M$_stream $M$_stream;\n\n");
    write_client_callbacks(s);
    write_open(s);
    write_start(s);
    if (s->method->client_streaming)
        write_client_sending(s);
    if (s->method->server_streaming)
        write_client_receiving(s);
    else
        write_client_finish(s);
    fill(s, "static inline void $M$_stream_cancel($M$_stream *stream)\n"
            "{\n"
            "    mrpc_call_cancel((mrpc_call *)stream);\n"
            "}\n"
            "\n"
            "static inline mrpc_call *$M$_stream_untyped($M$_stream *stream)\n"
            "{\n"
            "    return (mrpc_call *)stream;\n"
            "}\n"
            "\n");
}

/* --- server --- */

static void write_call(const stub *s)
{
    fill(s, "static inline mrpc_call *$M$_untyped($M$_call *call)\n"
            "{\n"
            "    return (mrpc_call *)call;\n"
            "}\n"
            "\n"
            "static inline mrpc_heap *$M$_heap($M$_call *call)\n"
            "{\n"
            "    return mrpc_call_heap((mrpc_call *)call);\n"
            "}\n"
            "\n"
            "static inline int $M$_reply($M$_call *call, $R$ *message)\n"
            "{\n"
            "    return mrpc_call_reply((mrpc_call *)call, message);\n"
            "}\n"
            "\n"
            "#define $M$_fail(call, ...) mrpc_call_fail($M$_untyped(call), __VA_ARGS__)\n"
            "\n");
}

static void write_call_send(const stub *s)
{
    fill(s, "MRPC_MUST_CHECK static inline int $M$_send($M$_call *call, $R$ *message)\n"
            "{\n"
            "    return mrpc_call_send((mrpc_call *)call, message);\n"
            "}\n"
            "\n");
}

static void write_call_callbacks(const stub *s)
{
    fill(s, "typedef struct $M$_call_callbacks {\n"
            "    void (*on_message)(void *state, $M$_call *call, const $Q$ *message);\n"
            "    void (*on_half_close)(void *state, $M$_call *call);\n"
            "    void (*on_writable)(void *state, $M$_call *call);\n"
            "    void (*on_end)(void *state, $M$_call *call, const mrpc_status *status);\n"
            "} $M$_call_callbacks;\n"
            "\n");
    write_callers(s, "call", s->method->request->c_name);
    fill(s, "static inline int $M$_set_callbacks(\n"
            "        $M$_call *call, const $M$_call_callbacks *callbacks, void *state)\n"
            "{\n");
    write_untyped_callbacks(s, "call");
    fill(s, "    return mrpc_call_set_callbacks((mrpc_call *)call, &untyped, state);\n"
            "}\n"
            "\n");
}

/* With the word struct, because a method may have the name of its request, which C++ would take for that of the member.
 */
static void write_handlers(const schema_service *service, output *out)
{
    output_printf(out, "typedef struct %s_handlers {\n", service->c_name);
    for (size_t i = 0; i < service->method_count; i++) {
        const schema_method *method = &service->methods[i];
        generate_comment(out, 4, &method->location, method->deprecated);
        output_fill(out, "    void (*$F$)(struct $M$_call *call, const struct $Q$ *request, void *state);\n", "F",
                    method->c_member, "M", method->c_name, "Q", method->request->c_name, NULL);
    }
    if (service->method_count == 0)
        output_text(out, "    void (*none)(void); /* the service has no methods */\n");
    output_printf(out, "} %s_handlers;\n\n", service->c_name);
}

static void write_serve(const schema_service *service, output *out)
{
    output_fill(out,
                "MRPC_MUST_CHECK static inline int $S$_serve(\n"
                "        mrpc_server *server, const $S$_handlers *handlers, void *state)\n"
                "{\n"
                "    return mrpc_server_add(server, &$S$_service, handlers, state);\n"
                "}\n"
                "\n",
                "S", service->c_name, NULL);
}

static void write_method(const schema_service *service, size_t index, output *out)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%zu", index);
    stub s = {service, &service->methods[index], digits, "", "NULL", out};
    output parameter = {0};
    if (!s.method->client_streaming) {
        output_printf(&parameter, "const %s *request, ", s.method->request->c_name);
        s.parameter = output_string(&parameter);
        s.argument = "request";
    }
    generate_comment(out, 0, &s.method->location, s.method->deprecated);
    if (s.method->client_streaming || s.method->server_streaming) {
        write_stream(&s);
    } else {
        write_unary_blocking(&s);
        write_unary_async(&s);
    }
    write_call(&s);
    if (s.method->server_streaming)
        write_call_send(&s);
    write_call_callbacks(&s);
    out->failed |= parameter.failed;
    output_free(&parameter);
}

static void write_service(const schema_service *service, output *out)
{
    generate_comment(out, 0, &service->location, service->deprecated);
    output_fill(out, "extern const mrpc_service $S$_service;\n", "S", service->c_name, NULL);
    if (service->method_count != 0)
        output_printf(out, "extern const mrpc_method %s_methods[%zu];\n", service->c_name, service->method_count);
    output_text(out, "\n");
    for (size_t i = 0; i < service->method_count; i++)
        output_fill(out, "typedef struct $M$_call $M$_call;\n", "M", service->methods[i].c_name, NULL);
    output_text(out, "\n");
    for (size_t i = 0; i < service->method_count; i++)
        write_method(service, i, out);
    write_handlers(service, out);
    write_serve(service, out);
}

void generate_services(const schema_file *file, output *out)
{
    for (size_t i = 0; i < file->service_count; i++)
        write_service(&file->services[i], out);
}
