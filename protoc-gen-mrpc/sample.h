/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.h - messages that the generator makes itself, to put both of their encodings into a module as its self-test
 *
 * A sample is made from the schema, and encoded from the schema and the layout, by code that has nothing in common with
 * what the module itself runs (marshal_*.c and <mrpc/marshal/…>): so a mistake in either is found.
 */
#ifndef MRPC_GEN_SAMPLE_H
#define MRPC_GEN_SAMPLE_H

#include "arena.h"
#include "output.h"
#include "schema.h"

typedef struct sample sample;

/* One value: what is not a message has its bytes in `bits` or in `text`. */
typedef struct sample_value {
    uint64_t bits;
    const char *text; /* of strings and bytes; text[size] is NUL */
    size_t size;
    sample *message;
} sample_value;

/* The values of one field: none, one, or those of a list. An entry of a map is a message with two fields. */
typedef struct sample_field {
    sample_value *values;
    size_t count;
} sample_field;

struct sample {
    const schema_message *type;
    sample_field *fields; /* as many, and in the same order, as type->fields */
    const char *unknown;  /* fields that the type does not have, encoded */
    size_t unknown_size;
};

typedef enum sample_variant {
    SAMPLE_EMPTY, /* but for what is required */
    SAMPLE_FULL,  /* every field, the first of each oneof */
    SAMPLE_OTHER, /* other values, the last of each oneof, unknown fields */
    SAMPLE_VARIANTS
} sample_variant;

/* The same for the same schema on every machine. `values`: about how many values the messages below the root may have
 * together, the size of their structs included. NULL: no memory, which arena->failed says, or no message of the type
 * can be complete. */
sample *sample_make(const schema_message *type, sample_variant variant, size_t values, gen_arena *arena);

/* Appends the sample in the protobuf encoding. */
void sample_protobuf(const sample *message, output *out);

/* Appends the sample in the native encoding to `out`, which is empty. */
void sample_native(const sample *message, output *out);

#endif /* MRPC_GEN_SAMPLE_H */
