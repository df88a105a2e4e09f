/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output.h - text under construction: a generated file, an error message, the canonical text of a fingerprint
 *
 * What goes wrong is remembered in `failed`, so that a generator prints without looking and its caller asks once.
 */
#ifndef MRPC_GEN_OUTPUT_H
#define MRPC_GEN_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mrpc/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Begin with `output out = {0};`, end with output_free(). */
typedef struct output {
    char *data; /* NUL-terminated once something was written; NULL before */
    size_t size, capacity;
    bool failed; /* no memory, or a mistake in a template: the text is incomplete */
} output;

void output_write(output *out, const char *text, size_t size);
void output_text(output *out, const char *text);
void output_printf(output *out, const char *format, ...) MRPC_PRINTF(2, 3);

/* Writes a template in which each $key$ stands for the value that follows that key in the arguments:
 *     output_fill(out, "$T$ *$T$_new(void);\n", "T", message->c_name, NULL);
 * A key that is not among the arguments makes the output fail. */
void output_fill(output *out, const char *template_text, ...) __attribute__((sentinel));

/* Writes a declaration without its semicolon: "int32_t name", "a_b_C *name". */
void output_declare(output *out, const char *type, const char *name);

/* Writes a C string literal, quotes included, that any compiler reads as exactly `text`. */
void output_literal(output *out, const char *text);
void output_literal_bytes(output *out, const char *text, size_t size);

/* Writes bytes as the elements of an initializer, in lines that are indented by four spaces: briefly, because there may
 * be many. */
void output_bytes(output *out, const uint8_t *bytes, size_t size);

/* Writes what stands in a .proto's comment as a C comment, indented by `indent` spaces; nothing for an empty one. */
void output_comment(output *out, int indent, const char *text);

/* The text so far, never NULL; valid until the next write. */
const char *output_string(const output *out);

void output_free(output *out);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_GEN_OUTPUT_H */
