/* SPDX-License-Identifier: BSD-2-Clause */
/* export.h - the descriptor that programs with a loop of their own watch: an epoll over the backend's descriptor and a
 * timerfd */
#ifndef MRPC_TRANSPORTS_LOOP_EXPORT_H
#define MRPC_TRANSPORTS_LOOP_EXPORT_H

#include "transports/loop/backend.h"

/* Makes the timerfd agree with the first timer, if the descriptor is in use. */
void mrpc_loop_export_settle(mrpc_loop *loop);

void mrpc_loop_export_close(mrpc_loop *loop);

/* Goes on with epoll, started on this thread. ESYS, ENOMEM, ENOTSUP (simulated). */
MRPC_MUST_CHECK int mrpc_loop_use_epoll(mrpc_loop *loop);

#endif /* MRPC_TRANSPORTS_LOOP_EXPORT_H */
