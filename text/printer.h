/* SPDX-License-Identifier: BSD-2-Clause */
/* printer.h - what prints messages as text: print.c, and print_unknown.c for what is among their unknown fields */
#ifndef MRPC_TEXT_PRINTER_H
#define MRPC_TEXT_PRINTER_H

#include <mrpc/text.h>

#include "marshal/fields.h"

struct mrpc_printer {
    char *buffer;
    size_t size;                   /* bytes of the buffer */
    size_t length;                 /* of the text so far, whether or not there was room for it */
    uint32_t indent;               /* levels of two spaces */
    const mrpc_file *file;         /* of the message that is printed: may be NULL */
    const mrpc_registry *registry; /* extensions besides those of the messages' own files; may be NULL */
    bool hide_unknown;             /* what is among the unknown fields and no extension is left out */
};

void mrpc_print(struct mrpc_printer *out, const char *text, size_t size);
void mrpc_print_text(struct mrpc_printer *out, const char *text);

/* For numbers and the like: at most 63 bytes. */
void mrpc_print_format(struct mrpc_printer *out, const char *format, ...) MRPC_PRINTF(2, 3);

void mrpc_print_indent(struct mrpc_printer *out);

/* A line of its own. */
void mrpc_print_comment(struct mrpc_printer *out, const char *comment);

/* A string or bytes in quotes, with escapes. */
void mrpc_print_quoted(struct mrpc_printer *out, mrpc_bytes text, bool is_utf8);

/* What stands behind the name of a field, to the end of the line or block: of a list, one element. Messages in it may
 * be nested as deeply as `depth` says. */
void mrpc_print_value(struct mrpc_printer *out, const mrpc_field *field, const void *value, uint32_t depth);

/* The unknown fields of a message. */
void mrpc_print_unknown(struct mrpc_printer *out, const mrpc_type *type, const void *message, uint32_t depth);

#endif /* MRPC_TEXT_PRINTER_H */
