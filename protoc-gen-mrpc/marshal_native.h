/* SPDX-License-Identifier: BSD-2-Clause */
/* marshal_native.h - what writing and reading the native encoding have in common in the generator */
#ifndef MRPC_GEN_MARSHAL_NATIVE_H
#define MRPC_GEN_MARSHAL_NATIVE_H

#include "marshal_parts.h"

/* Writes code for one word of a struct: `mask` has the bits that may be set in it. */
typedef void native_word_writer(output *out, size_t offset, size_t bits, uint64_t mask);

/* Calls `write` for each word of the struct in which some bit must be zero: the arena, capacities, padding, and what
 * `boolean` leaves of a bool's byte. Unions of oneofs are not looked at, nor what has_… says. */
void native_for_each_word(const schema_message *message, uint8_t boolean, native_word_writer *write, output *out);

/* Whether the member is one bool: a value, or has_…. */
bool native_is_bool(const schema_member *member);

/* The words in which the two directions differ. */
typedef struct native_direction {
    const char *verb;     /* of the helpers: put, take */
    const char *function; /* of generated functions: marshal, unmarshal */
    const char *state;    /* out, in */
    const char *unnamed;  /* of helpers that refuse, with their first arguments */
    const char *missing;
    bool needs_size; /* whether helpers for messages want the size of the struct */
} native_direction;

extern const native_direction native_put, native_take;

/* Writes the check that an enum names a number that is there; nothing for a list or anything but a closed enum. */
void native_write_named(const native_direction *direction, const schema_field *field, int indent, output *out);

/* Writes the check that a required field is there. */
void native_write_required(const native_direction *direction, const schema_field *field, output *out);

/* Writes the statements for what the field points to, each line after `indent` spaces; nothing for plain values. */
void native_write_value(const native_direction *direction, const schema_field *field, int indent, output *out);

/* "cursor == NULL": give up. */
void native_write_check(int indent, output *out);

/* Whether the field has a pointer, so that something of it lies outside of its struct. */
bool native_has_pointer(const schema_field *field);

#endif /* MRPC_GEN_MARSHAL_NATIVE_H */
