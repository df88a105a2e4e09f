/* SPDX-License-Identifier: BSD-2-Clause */
/* dispatch.h - what a frame that came means */
#ifndef MRPC_RUNTIME_DISPATCH_H
#define MRPC_RUNTIME_DISPATCH_H

#include "runtime/session.h"

/* mrpc_connection_events.received of every session. */
int mrpc_session_received(mrpc_connection *connection, const mrpc_incoming *incoming);

enum { MRPC_REFUSAL = 128 };

/* Why a message was refused on arrival (mrpc_incoming.refused), and what can be done about it. */
void mrpc_session_refusal(const mrpc_session *session, int refused, char text[MRPC_REFUSAL]);

/* A MESSAGE frame for a call that is open, the OPEN frame of a new one included. As `received`. */
int mrpc_session_message(mrpc_session *session, mrpc_call *call, const mrpc_incoming *incoming);

#endif /* MRPC_RUNTIME_DISPATCH_H */
