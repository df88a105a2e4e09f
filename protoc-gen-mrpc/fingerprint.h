/* SPDX-License-Identifier: BSD-2-Clause */
/* fingerprint.h - one number for a schema and one for a memory layout, so that two programs can compare theirs */
#ifndef MRPC_GEN_FINGERPRINT_H
#define MRPC_GEN_FINGERPRINT_H

#include "arena.h"
#include "schema.h"

/* Fills what schema.h says that fingerprint.c fills, for the file and its messages. Layouts and imports must be
 * complete. `walk` numbers the walks over the schema, begins with 0 and is shared by all files of a run. Returns 0 or
 * MRPC_ENOMEM. */
int fingerprint_assign(schema_file *file, gen_arena *arena, size_t *walk);

/* The codec of a message in the file's marshal module; module_message_count when it has none. */
size_t fingerprint_codec(const schema_file *file, const schema_message *message);

#endif /* MRPC_GEN_FINGERPRINT_H */
