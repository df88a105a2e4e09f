/* SPDX-License-Identifier: BSD-2-Clause */
/* known.h - the well-known types that have a form of their own in JSON, and how their values are written */
#ifndef MRPC_JSON_KNOWN_H
#define MRPC_JSON_KNOWN_H

#include <mrpc/extension.h>

typedef enum mrpc_json_known {
    MRPC_JSON_ORDINARY, /* an object of its fields */
    MRPC_JSON_ANY,
    MRPC_JSON_DURATION,
    MRPC_JSON_FIELD_MASK,
    MRPC_JSON_LIST_VALUE,
    MRPC_JSON_STRUCT,
    MRPC_JSON_TIMESTAMP,
    MRPC_JSON_VALUE,
    MRPC_JSON_WRAPPER
} mrpc_json_known;

mrpc_json_known mrpc_json_known_of(const mrpc_type *type);
/* google.protobuf.NullValue, which is written null. */
bool mrpc_json_is_null_enum(const mrpc_field *field);

/* The members of these messages, which descriptor tables have in this order. */
enum {
    JSON_SECONDS = 0, /* Timestamp, Duration */
    JSON_NANOS = 1,
    JSON_TYPE_URL = 0, /* Any */
    JSON_BYTES = 1,
    JSON_NULL_VALUE = 0, /* Value */
    JSON_NUMBER_VALUE = 1,
    JSON_STRING_VALUE = 2,
    JSON_BOOL_VALUE = 3,
    JSON_STRUCT_VALUE = 4,
    JSON_LIST_VALUE = 5
};

/* --- names.c --- */

/* The name of a field in JSON: writes at most `size` bytes with the NUL (of 0: none) and returns its length. */
size_t mrpc_json_name(const mrpc_field *field, char *name, size_t size);
bool mrpc_json_is_named(const mrpc_field *field, const char *name, size_t size);
/* The path of a FieldMask, "a_b.c" as "aB.c" and back, into memory for 2 * size bytes; returns the length; SIZE_MAX: it
 * would not come back the same. */
size_t mrpc_json_camel_path(const char *path, size_t size, char *to);
size_t mrpc_json_snake_path(const char *path, size_t size, char *to);

/* --- time.c --- */

enum { JSON_TIME_SIZE = 64 };

/* "1972-01-01T10:00:20.021Z" and "-1.5s", with 0, 3, 6 or 9 digits of a fraction. False: out of range. */
bool mrpc_json_put_timestamp(int64_t seconds, int32_t nanos, char text[JSON_TIME_SIZE]);
bool mrpc_json_put_duration(int64_t seconds, int32_t nanos, char text[JSON_TIME_SIZE]);
/* False: malformed, or out of range. */
bool mrpc_json_take_timestamp(const char *text, size_t size, int64_t *seconds, int32_t *nanos);
bool mrpc_json_take_duration(const char *text, size_t size, int64_t *seconds, int32_t *nanos);

#endif /* MRPC_JSON_KNOWN_H */
