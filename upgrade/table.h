/* SPDX-License-Identifier: BSD-2-Clause */
/* table.h - checks the table that a loaded module exports against the note that was read before it was loaded */
#ifndef MRPC_UPGRADE_TABLE_H
#define MRPC_UPGRADE_TABLE_H

#include <mrpc/error.h>
#include <mrpc/marshal.h>
#include <mrpc/service_module.h>

/* The symbol that a module of the note's type exports. */
const char *mrpc_table_symbol(uint32_t type);

/* Whether this library can use modules with the note's ABI number at all: before anything is loaded. EMISMATCH. */
MRPC_MUST_CHECK int mrpc_note_check_abi(const mrpc_module_note *note, mrpc_error *error);

/* Whether `table`, what the symbol points to, says the same as the note and is complete. Calls nothing in the module.
 * EMODULE. */
MRPC_MUST_CHECK int mrpc_table_check(const void *table, const mrpc_module_note *note, mrpc_error *error);

#endif /* MRPC_UPGRADE_TABLE_H */
