/* SPDX-License-Identifier: BSD-2-Clause */
/* hello.h - the first frame in each direction (docs/PROTOCOL.md section 3) */
#ifndef MRPC_RUNTIME_HELLO_H
#define MRPC_RUNTIME_HELLO_H

#include "runtime/session.h"

/* Says HELLO with the session's limits. */
void mrpc_hello_send(mrpc_session *session);
/* Reads the peer's HELLO into the session. 0, or EPROTO, EMISMATCH, after which the session is broken. */
MRPC_MUST_CHECK int mrpc_hello_receive(mrpc_session *session, const mrpc_incoming *incoming);

#endif /* MRPC_RUNTIME_HELLO_H */
