/* SPDX-License-Identifier: BSD-2-Clause */
/* memory.h - the sealed memfds that two processes exchange: making one's own, checking and mapping the peer's */
#ifndef MRPC_TRANSPORTS_SHM_MEMORY_H
#define MRPC_TRANSPORTS_SHM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <mrpc/error.h>

#include "transports/shm/layout.h"

/* Control words and a ring, mapped. */
typedef struct mrpc_shm_memory {
    mrpc_shm_control *control; /* NULL: none */
    char *data;
    uint64_t size; /* of data */
    int fd;        /* -1: none (any more) */
} mrpc_shm_memory;

/* Makes what this side writes: `data` bytes of ring, of which the first SHM_FIRST are committed. The peer cannot map it
 * writable where the kernel has F_SEAL_FUTURE_WRITE (5.1). Errors: ENOMEM, ESYS. */
int mrpc_shm_memory_make(mrpc_shm_memory *memory, uint64_t data, mrpc_error *error);

/* Maps what the peer sent, read-only, once it is known to be sealed and to have the size. Does not take `fd`. Errors:
 * EPROTO, ESYS. */
int mrpc_shm_memory_map(mrpc_shm_memory *memory, int fd, uint64_t data, mrpc_error *error);

/* Unmaps, closes. */
void mrpc_shm_memory_drop(mrpc_shm_memory *memory);

/* 0 when `fd` is a memfd of exactly `size` bytes that can neither shrink nor grow, so that reading a map of it cannot
 * fault. EPROTO. `what` names it in the error. */
int mrpc_shm_memory_check(int fd, uint64_t size, const char *what, mrpc_error *error);

/* 0 when `fd` is an eventfd (writing to it can't have effects elsewhere); makes it non-blocking. EPROTO. */
int mrpc_shm_eventfd_check(int fd, mrpc_error *error);

#endif /* MRPC_TRANSPORTS_SHM_MEMORY_H */
