/* SPDX-License-Identifier: BSD-2-Clause */
/* selftest.h - trying a marshal module before it is used */
#ifndef MRPC_SELFTEST_H
#define MRPC_SELFTEST_H

#include <mrpc/error.h>
#include <mrpc/marshal.h>

/* Whether the table is complete: ABI, codecs, vectors that refer to them. Calls nothing in the module. EMODULE,
 * EMISMATCH (the ABI). */
MRPC_MUST_CHECK int mrpc_module_check(const mrpc_module *module, mrpc_error *error);

/* Runs every vector of a module that mrpc_module_check() has passed, both ways through both encodings, with and without
 * extents, and sees to it that what is cut off is refused. A module may do anything meanwhile: run it where that harms
 * nobody. EMODULE, ENOMEM. */
MRPC_MUST_CHECK int mrpc_module_self_test(const mrpc_module *module, mrpc_error *error);

#endif /* MRPC_SELFTEST_H */
