/* SPDX-License-Identifier: BSD-2-Clause */
/* check.h - what the generator cannot do is refused, with the place, before anything is generated */
#ifndef MRPC_GEN_CHECK_H
#define MRPC_GEN_CHECK_H

#include "diagnostic.h"
#include "schema.h"

/* Adds an error for each thing in the file that cannot be honoured. */
void check_file(const schema_file *file, diagnostics *list);

/* The same for what its marshal module would have; the file must be complete. */
void check_module(const schema_file *file, diagnostics *list);

#endif /* MRPC_GEN_CHECK_H */
