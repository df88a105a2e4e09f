/* SPDX-License-Identifier: BSD-2-Clause */
/* writer.h - JSON as text: writer.c the text itself, print.c messages, print_known.c the well-known types */
#ifndef MRPC_JSON_WRITER_H
#define MRPC_JSON_WRITER_H

#include <mrpc/json.h>

#include "json/known.h"
#include "marshal/fields.h"

typedef struct mrpc_json_writer {
    char *text;
    size_t size, capacity;
    unsigned level;
    mrpc_json_options options;
    const mrpc_file *file; /* of the message that is printed; may be NULL */
    mrpc_error *error;
    int result; /* of the first failure: after it nothing is written any more */
} mrpc_json_writer;

/* Notes a failure, once. */
void mrpc_json_fail(mrpc_json_writer *out, int code, const char *format, ...) MRPC_PRINTF(3, 4);

void mrpc_json_put(mrpc_json_writer *out, const char *text, size_t size);
void mrpc_json_put_text(mrpc_json_writer *out, const char *text);
void mrpc_json_put_format(mrpc_json_writer *out, const char *format, ...) MRPC_PRINTF(2, 3);
void mrpc_json_put_double(mrpc_json_writer *out, double value);
void mrpc_json_put_float(mrpc_json_writer *out, float value);
/* Text in quotes, with escapes; fails when it is no UTF-8. */
void mrpc_json_put_string(mrpc_json_writer *out, const char *text, size_t size);
void mrpc_json_put_base64(mrpc_json_writer *out, mrpc_bytes bytes);

/* An object or a list: open, before each of its parts next, close. *first is true until there is a part. */
void mrpc_json_open(mrpc_json_writer *out, char bracket, bool *first);
void mrpc_json_next(mrpc_json_writer *out, bool *first);
void mrpc_json_close(mrpc_json_writer *out, char bracket, bool first);
/* The name of a part, and the colon. */
void mrpc_json_put_name(mrpc_json_writer *out, const char *name, size_t size);

/* --- print.c --- */

void mrpc_json_print_message(mrpc_json_writer *out, const mrpc_type *type, const void *message, uint32_t depth);
void mrpc_json_print_value(mrpc_json_writer *out, const mrpc_field *field, const void *value, uint32_t depth);
/* A list or a map. */
void mrpc_json_print_list(mrpc_json_writer *out, const mrpc_field *field, const void *list, uint32_t depth);
/* The fields of a message, as parts of an object that is open. */
void mrpc_json_print_fields(mrpc_json_writer *out, const mrpc_type *type, const void *message, bool *first,
                            uint32_t depth);

/* --- extension.c --- */

void mrpc_json_print_extensions(mrpc_json_writer *out, const mrpc_type *type, const void *message, bool *first,
                                uint32_t depth);

/* --- print_known.c --- */

void mrpc_json_print_known(mrpc_json_writer *out, mrpc_json_known known, const mrpc_type *type, const void *message,
                           uint32_t depth);

#endif /* MRPC_JSON_WRITER_H */
