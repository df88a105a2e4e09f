/* SPDX-License-Identifier: BSD-2-Clause */
/* names.h - what things of a schema are called in C; docs/GENERATED.md has the rule */
#ifndef MRPC_GEN_NAMES_H
#define MRPC_GEN_NAMES_H

#include "arena.h"
#include "diagnostic.h"
#include "options.h"
#include "schema.h"

/* Fills the c_… members of a file; those of its imports must be filled. Returns 0 or MRPC_ENOMEM. */
int names_assign(schema_file *file, const gen_options *options, gen_arena *arena);

/* The part of it for a message and those nested in it: names of fields and oneofs, names and types of maps. The types
 * of all other fields must be known. What goes wrong is in arena->failed. */
void names_assign_members(schema_message *message, gen_arena *arena);

/* Whether `name` is `taken`, or that and nothing but underscores: so the escaped form of one name, which has one more
 * at its end, is never the plain form of another. */
bool names_taken(const char *name, const char *taken);

/* The same where `reserved` says what is taken. */
bool names_reserved(const char *name, bool (*reserved)(const char *name));

/* Whether a name may not be used in C as it is: a keyword of C or C++, a well-known macro, one of the library. For
 * members. */
bool names_reserved_word(const char *name);

/* Whether a name may not stand at the top of a file: what names_reserved_word() says, and what libc declares. */
bool names_reserved_global(const char *name);

/* The name of a file as part of a C name: without .proto, letters and digits as they are, all else as _ and two
 * hexadecimal digits. So the marshal module of "a/b.proto" is mrpc_module_a_2fb, its file table mrpc_file_a_2fb. */
const char *names_symbol(gen_arena *arena, const char *file_name);

/* "a/b.proto" and ".mrpc.h": "a/b.mrpc.h". */
const char *names_output(gen_arena *arena, const char *file_name, const char *suffix);

#endif /* MRPC_GEN_NAMES_H */
