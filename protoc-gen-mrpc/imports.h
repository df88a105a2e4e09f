/* SPDX-License-Identifier: BSD-2-Clause */
/* imports.h - which imports the generated code of a file needs */
#ifndef MRPC_GEN_IMPORTS_H
#define MRPC_GEN_IMPORTS_H

#include "arena.h"
#include "schema.h"

/* Fills what schema.h says that imports.c fills. The file's imports must be done, and its layout. Returns 0 or
 * MRPC_ENOMEM. */
int imports_assign(schema_file *file, gen_arena *arena);

#endif /* MRPC_GEN_IMPORTS_H */
