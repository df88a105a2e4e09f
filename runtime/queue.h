/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue.h - the inside of a completion queue: a ring that the driver fills and any thread empties
 *
 * Each operation reserves its slot when it is begun, so the ring cannot be full when it ends. The driver is the only
 * one who puts; takers agree by a compare-and-swap on the head (a bounded queue as D. Vyukov described it, with one
 * producer).
 */
#ifndef MRPC_RUNTIME_QUEUE_H
#define MRPC_RUNTIME_QUEUE_H

#include <mrpc/call.h>
#include <mrpc/queue.h>

/* Any thread. */
mrpc_runtime *mrpc_queue_runtime(const mrpc_queue *queue);
bool mrpc_queue_reserve(mrpc_queue *queue);
void mrpc_queue_give_back(mrpc_queue *queue);
bool mrpc_queue_has_events(const mrpc_queue *queue);

/* On the driver: the operation has ended. Fills *result, unless the application has freed the queue. */
void mrpc_queue_put(mrpc_queue *queue, void *tag, mrpc_unary_result *result, const mrpc_status *status,
                    const void *reply);

#endif /* MRPC_RUNTIME_QUEUE_H */
