/* SPDX-License-Identifier: BSD-2-Clause */
/* diagnostic.h - errors about a schema, one line each, in the form that compilers use and editors read */
#ifndef MRPC_GEN_DIAGNOSTIC_H
#define MRPC_GEN_DIAGNOSTIC_H

#include "arena.h"
#include "output.h"
#include "schema.h"

/* After so many errors the rest is only counted. */
enum { DIAGNOSTIC_LIMIT = 50 };

typedef struct diagnostics {
    output text;
    size_t count;
} diagnostics;

/* Adds "file:line:column: error: …". What the text says: what is wrong, and what to do about it. */
void diagnostic_error(diagnostics *list, const schema_file *file, const schema_location *location, const char *format,
                      ...) MRPC_PRINTF(4, 5);

/* "file:line:column" of a second place, for use in such a text; in `arena`. */
const char *diagnostic_place(gen_arena *arena, const schema_file *file, const schema_location *location);

#endif /* MRPC_GEN_DIAGNOSTIC_H */
