/* SPDX-License-Identifier: BSD-2-Clause */
/* queue.h - completion queues: one event per operation, with the caller's tag, and a descriptor for event loops */
#ifndef MRPC_QUEUE_H
#define MRPC_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include <mrpc/error.h>
#include <mrpc/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mrpc_queue mrpc_queue;

/* A queue for operations of `runtime`, which it keeps a reference to, with room for `capacity` operations in flight or
 * not yet taken (1 to 2^20). Errors: EINVAL, ENOMEM, ESYS. */
MRPC_API MRPC_MUST_CHECK int mrpc_queue_new(mrpc_queue **queue, mrpc_runtime *runtime, uint32_t capacity,
                                            mrpc_error *error);

/* Operations still in flight complete first: frees when the last one has. Their events and replies are dropped. */
MRPC_API void mrpc_queue_free(mrpc_queue *queue);

/* Takes the next event: 1 and *tag, 0 when none came within timeout_ms (negative: no limit; 0: do not wait, but do what
 * is ready), or EDEADLK, EFORKED. Drives the runtime while it waits. From any thread. */
MRPC_API MRPC_MUST_CHECK int mrpc_queue_next(mrpc_queue *queue, void **tag, int timeout_ms);

/* Readable, level-triggered, while there are events to take or the runtime has something to do: then call
 * mrpc_queue_next(…, 0) until it answers 0. Fits epoll, libuv and io_uring. Owned by the queue. Negative MRPC_E…: ESYS,
 * ENOTSUP. */
MRPC_API MRPC_MUST_CHECK int mrpc_queue_fd(mrpc_queue *queue);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_QUEUE_H */
