/* SPDX-License-Identifier: BSD-2-Clause */
/* collisions.h - two things of a schema must not get one name in C */
#ifndef MRPC_GEN_COLLISIONS_H
#define MRPC_GEN_COLLISIONS_H

#include "arena.h"
#include "diagnostic.h"
#include "schema.h"

/* Adds an error for each name that the files would define twice, at the later of the two, with the place of the other.
 * Names must be assigned. Returns 0 or MRPC_ENOMEM. */
int collisions_check(schema_file *const *files, size_t count, gen_arena *arena, diagnostics *list);

#endif /* MRPC_GEN_COLLISIONS_H */
