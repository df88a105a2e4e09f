/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * suffixes.h - what generated names end in, behind the C name of a message, an enum or a service
 *
 * The tables are behind both the escape rule (a nested message `new` would be TYPE_new) and the search for collisions.
 * The words in the second half of each table are not generated today; they are kept free, so that a later version
 * can use them without renaming anything.
 */
#ifndef MRPC_GEN_SUFFIXES_H
#define MRPC_GEN_SUFFIXES_H

#include <stdbool.h>

#define GEN_MESSAGE_SUFFIXES(X)                                                                                        \
    X(type) X(list) X(new) X(new_in) X(init) X(copy) X(copy_in) X(equal) X(text) X(encode) X(decode) X(fields)

#define GEN_MESSAGE_KEPT(X)                                                                                            \
    X(free)                                                                                                            \
    X(release)                                                                                                         \
    X(clear)                                                                                                           \
    X(merge) X(hash) X(size) X(parse) X(print) X(json) X(set) X(get) X(add) X(make) X(put) X(remove) X(find) X(has)    \
        X(name) X(entry) X(map) X(kind)

#define GEN_ENUM_SUFFIXES(X) X(enum) X(values) X(name) X(parse)

/* Behind the name of an extension: of every kind, of one value, of a list. */
#define GEN_EXTENSION_SUFFIXES(X) X(get) X(set) X(clear) X(absent)
#define GEN_SINGLE_SUFFIXES(X) X(has)
#define GEN_LIST_SUFFIXES(X) X(size) X(at) X(add)

#define GEN_SERVICE_SUFFIXES(X) X(service) X(methods) X(handlers) X(serve)

#define GEN_SERVICE_KEPT(X)                                                                                            \
    X(call)                                                                                                            \
    X(calls)                                                                                                           \
    X(heap)                                                                                                            \
    X(reply) X(fail) X(method) X(new) X(free) X(name) X(channel) X(client) X(server) X(stop) X(start) X(async)         \
        X(stream)

/* Behind the name of a method: of every kind, unary, with a stream. */
#define GEN_CALL_SUFFIXES(X)                                                                                           \
    X(call)                                                                                                            \
    X(call_callbacks)                                                                                                  \
    X(call_message) X(call_event) X(call_end) X(untyped) X(heap) X(reply) X(fail) X(send) X(set_callbacks) X(handle)
#define GEN_UNARY_SUFFIXES(X) X(callback) X(replied) X(start) X(submit) X(result)
#define GEN_STREAM_SUFFIXES(X)                                                                                         \
    X(stream)                                                                                                          \
    X(stream_callbacks)                                                                                                \
    X(stream_message)                                                                                                  \
    X(stream_event) X(stream_end) X(open) X(start) X(stream_send) X(stream_close_send) X(stream_receive)               \
        X(stream_finish) X(stream_cancel) X(stream_untyped)

/* Whether a name inside a message would be taken for a generated one. */
bool names_message_suffix(const char *name);
/* The same for a method of a service. */
bool names_service_suffix(const char *name);

#endif /* MRPC_GEN_SUFFIXES_H */
