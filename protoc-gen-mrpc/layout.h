/* SPDX-License-Identifier: BSD-2-Clause */
/* layout.h - where each member of a generated struct lies; docs/PROTOCOL.md, section 7 */
#ifndef MRPC_GEN_LAYOUT_H
#define MRPC_GEN_LAYOUT_H

#include "arena.h"
#include "schema.h"

/* Fills what schema.h says that layout.c fills, for all messages of the file. Returns 0 or MRPC_ENOMEM. */
int layout_assign(schema_file *file, gen_arena *arena);

#endif /* MRPC_GEN_LAYOUT_H */
