/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * marshal_parts.h - the pieces that FILE.marshal.c is put together from (marshal_file.c)
 *
 * Names in the generated file are a word of the list below, an underscore and the message's C name. No such word is the
 * beginning of another, so that two messages never meet:
 *
 *   message_, entry_         the struct as the module sees it
 *   marshal_, unmarshal_     the native encoding, with stray_ saying what was wrong with a struct
 *   encode_, decode_         the protobuf encoding, with start_ for a new message, finish_ for the maps and required
 *                            fields below it, complete_ and ascends_ for an entry of a map
 *   names_                   which numbers a closed enum names
 *   codec_marshal_ …         what stands in the module's table
 */
#ifndef MRPC_GEN_MARSHAL_PARTS_H
#define MRPC_GEN_MARSHAL_PARTS_H

#include "output.h"
#include "schema.h"

/* "message" or "entry": the first word of the mirror's name. */
const char *marshal_mirror_word(const schema_message *message);

/* How a field's value is held, whatever the schema calls its type. */
bool marshal_is_text(const schema_field *field);
bool marshal_is_message(const schema_field *field);
/* Bytes of a number, a bool or an enum in memory; 0 for everything else. */
size_t marshal_width(const schema_field *field);
/* The mrpc_wire_kind of such a field as C text. */
const char *marshal_wire_kind(const schema_field *field);
/* The tag that the field is written with. */
uint32_t marshal_tag(const schema_field *field);
/* The wire type of one value that is not in a packed list. */
uint32_t marshal_wire_type(const schema_field *field);
/* Whether keys of this type are compared as signed numbers. */
bool marshal_is_signed(const schema_field *field);

/* "m->name" or "m->choice.name". */
void marshal_write_member(const schema_field *field, output *out);
/* The condition that a required field is absent, between two pieces of text. */
void marshal_write_absence(const schema_field *field, const char *before, const char *behind, output *out);
/* The condition that the key of an entry comes before that of another; both are C text that ends in "->" or ".". */
void marshal_write_ascends(const schema_field *key, const char *before, const char *behind, output *out);
/* Whether a message of the type is looked through when all of the input was read. */
bool marshal_needs_finish(const schema_message *message);
/* Whether nesting is counted in the functions of this message. */
bool marshal_uses_depth(const schema_message *message);

/* The function that says which numbers a closed enum names. */
void marshal_write_enum(const schema_enum *enumeration, output *out);

/* Each writes the functions of one message or map entry. */
void marshal_write_mirror(const schema_message *message, output *out);
void marshal_write_native_put(const schema_message *message, output *out);
void marshal_write_native_take(const schema_message *message, output *out);
void marshal_write_encode(const schema_message *message, output *out);
void marshal_write_decode(const schema_message *message, output *out);
void marshal_write_finish(const schema_message *message, output *out);

/* The arrays of the self-test and the table of them. Returns 0 or MRPC_ENOMEM. */
int marshal_write_vectors(const schema_file *file, output *out, size_t *count);

#endif /* MRPC_GEN_MARSHAL_PARTS_H */
