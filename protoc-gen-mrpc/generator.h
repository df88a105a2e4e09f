/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generator.h - the steps from a schema to generated files
 *
 * A run checks the schema (check.h), names everything (names.h), lays the structs out (layout.h), hashes (fingerprint.h),
 * and then calls each generator below for each file that protoc wants. Generators only read.
 */
#ifndef MRPC_GEN_GENERATOR_H
#define MRPC_GEN_GENERATOR_H

#include "libprotoc.h"
#include "options.h"
#include "output.h"
#include "schema.h"

/* The whole run; a plugin_generator. */
int generate_all(const plugin_request *request, output *error);

/* Each writes one kind of file, whole. Returns 0, or MRPC_E…; what is wrong with `out` itself is seen in out->failed. */
int generate_header(const schema_file *file, const gen_options *options, output *out) __attribute__((weak));  /* FILE.mrpc.h */
int generate_source(const schema_file *file, const gen_options *options, output *out) __attribute__((weak));  /* FILE.mrpc.c */
int generate_marshal(const schema_file *file, const gen_options *options, output *out) __attribute__((weak)); /* FILE.marshal.c */

/* The first line of a generated file. */
void generate_banner(const schema_file *file, output *out);

#endif /* MRPC_GEN_GENERATOR_H */
