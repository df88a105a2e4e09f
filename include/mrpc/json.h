/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.h - messages to and from JSON, as protobuf maps them (https://protobuf.dev/programming-guides/json)
 *
 * The well-known types have their own forms: Timestamp, Duration, FieldMask, Struct, Value, ListValue, the wrappers,
 * Any. Extensions that are known have their full names in brackets, unknown fields are not printed. Nothing here
 * blocks, needs the marshal module of the message itself, or depends on the locale; all of it may be called by several
 * threads at once.
 */
#ifndef MRPC_JSON_H
#define MRPC_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <mrpc/error.h>
#include <mrpc/extension.h>
#include <mrpc/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zero is the default. */
typedef struct mrpc_json_options {
    size_t size;                   /* sizeof(mrpc_json_options) */
    const mrpc_registry *registry; /* files whose messages can be in an Any, besides that of the message itself and
                                      those that it imports; NULL: no others. Borrowed */
    unsigned indent;               /* printing: spaces for each level, of at most 16; 0: all in one line */
    bool print_absent;             /* printing: fields without presence that have the zero of their type, too */
    bool print_enum_numbers;       /* printing: enums as numbers */
    bool print_schema_names;       /* printing: fields by their names in the schema, instead of in lowerCamelCase */
    bool ignore_unknown;           /* parsing: passes over fields and names of enums that the schema does not have */
} mrpc_json_options;

/* Sets *text to the message as JSON, with a NUL behind it, which the caller frees with free(), and *size (if not NULL)
 * to its length. Returns 0; or, with *text NULL and the reason in *error, MRPC_ENOMEM; MRPC_EFORMAT for what JSON
 * cannot say: text that is not UTF-8, a time out of its range, a Value that is nothing or not finite, a path of a
 * FieldMask that would not come back, an Any whose type is not known or whose bytes are not of it. */
MRPC_API MRPC_MUST_CHECK int mrpc_json_print(const mrpc_type *type, const void *message,
                                             const mrpc_json_options *options, char **text, size_t *size,
                                             mrpc_error *error);

/* A message from `size` bytes of JSON, in an arena of its own over `heap` (NULL: malloc), which the caller releases.
 *
 * Fields have either name. Refused are those that the schema does not have, unless options say otherwise, a field or
 * members of a oneof that come twice, numbers out of range, text that is no UTF-8, nesting deeper than MRPC_DEPTH_LIMIT
 * (marshal.h), and messages without a required field. Of several entries of a map with one key the last one stays.
 *
 * Returns 0; or, with *message NULL, MRPC_EFORMAT, with "line L, column C: field.inner: why" in *error (lines and
 * columns from 1; columns count bytes), or MRPC_ENOMEM. Memory: that of the message, and while a map is sorted whose
 * entries did not come in order, a copy of them. Time: linear in the text, but for such maps; times the depth for what
 * lies in messages of type Any. */
MRPC_API MRPC_MUST_CHECK int mrpc_json_parse(const mrpc_type *type, const char *text, size_t size,
                                             const mrpc_json_options *options, mrpc_heap *heap, void **message,
                                             mrpc_error *error);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_JSON_H */
