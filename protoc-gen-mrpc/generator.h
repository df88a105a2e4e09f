/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generator.h - the steps from a schema to generated files
 *
 * A run checks the schema (check.h), names everything (names.h), lays the structs out (layout.h), hashes
 * (fingerprint.h), and then calls each generator below for each file that protoc wants. Generators only read.
 */
#ifndef MRPC_GEN_GENERATOR_H
#define MRPC_GEN_GENERATOR_H

#include "libprotoc.h"
#include "options.h"
#include "output.h"
#include "schema.h"

/* The whole run; a plugin_generator. */
int generate_all(const plugin_request *request, output *error);

/* Each writes one kind of file, whole. Returns 0, or MRPC_E…; whether `out` itself is complete says out->failed. */
int generate_header(const schema_file *file, const gen_options *options, output *out);  /* FILE.mrpc.h */
int generate_source(const schema_file *file, const gen_options *options, output *out);  /* FILE.mrpc.c */
int generate_marshal(const schema_file *file, const gen_options *options, output *out); /* FILE.marshal.c */

/* The parts of FILE.mrpc.h, in their order. */
void generate_structs(const schema_file *file, output *out);    /* enums, structs, lists, maps, tables */
void generate_accessors(const schema_file *file, output *out);  /* functions on messages and enums */
void generate_extensions(const schema_file *file, output *out); /* functions on extensions */
void generate_services(const schema_file *file, output *out);   /* stubs and skeletons */

/* The part of FILE.mrpc.c that has the tables of extensions. */
void generate_extension_tables(const schema_file *file, output *out);

/* Writes what stands in the table of a field, but for its name and where it lies: type, kind, flags, its message or
 * enum. */
void generate_field_kind(const schema_field *field, output *out);

/* The first line of a generated file. */
void generate_banner(const schema_file *file, output *out);

/* The comment of a thing of the schema, indented by so many spaces. */
void generate_comment(output *out, int indent, const schema_location *location, bool deprecated);

#endif /* MRPC_GEN_GENERATOR_H */
