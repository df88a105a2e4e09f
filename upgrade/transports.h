/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transports.h - the transport that an address names, loaded if it has to be
 *
 * A transport that needs libraries which most programs do without is a shared object, mrpc-SCHEME.so, that is looked
 * for as marshal modules are (folders.h), trusted by the same rule (trust.h), loaded when an address first names it,
 * and stays.
 */
#ifndef MRPC_UPGRADE_TRANSPORTS_H
#define MRPC_UPGRADE_TRANSPORTS_H

#include "transports/transport.h"

/* As mrpc_transport_find(), and loads. `path` is the runtime's option module_path, or NULL. Errors: as there; ENOENT
 * (there is no such module; says how to get it), EMODULE (it cannot be loaded, often for want of a library; or it is of
 * another build), EPERM. May block while the file is read. Any thread. */
MRPC_MUST_CHECK int mrpc_transport_get(const char *address, const char *path, const mrpc_transport **transport,
                                       const char **rest, mrpc_error *error);

#endif /* MRPC_UPGRADE_TRANSPORTS_H */
