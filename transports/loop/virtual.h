/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual.h - the loop of a simulation: a clock that jumps from timer to timer, and all chance from one seed
 *
 * It has no descriptors. Nothing in it depends on the machine, so the same program with the same seed does the same
 * again.
 */
#ifndef MRPC_TRANSPORTS_LOOP_VIRTUAL_H
#define MRPC_TRANSPORTS_LOOP_VIRTUAL_H

#include <stdint.h>

#include "transports/loop/loop.h"

typedef struct mrpc_virtual {
    uint64_t now; /* ns; begins at one second */
    uint64_t random;
    void *world;              /* of the simulated transport; NULL: none yet */
    void (*end)(void *world); /* called when the loop is freed */
} mrpc_virtual;

/* NULL: the loop is not simulated. */
mrpc_virtual *mrpc_loop_virtual(mrpc_loop *loop);

#endif /* MRPC_TRANSPORTS_LOOP_VIRTUAL_H */
