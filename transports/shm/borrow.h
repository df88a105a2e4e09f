/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * borrow.h - the receiver's side of references: the peer's heap, mapped read-only for as long as messages point into it
 *
 * A message that refers to the peer's heap gives its loan back when its arena goes: on any thread, perhaps long
 * after the connection. So the map has owners of its own: the connection, and each loan. A loan that is given back sets
 * its bit in a set without locks, which the driving thread empties into RETURN frames: before it sends, polls or
 * sleeps. When very much has come together, the one who gave back last wakes the loop.
 */
#ifndef MRPC_TRANSPORTS_SHM_BORROW_H
#define MRPC_TRANSPORTS_SHM_BORROW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <mrpc/heap.h>

#include "transports/loop/loop.h"
#include "transports/shm/layout.h"

enum { SHM_WORDS = SHM_LOANS / 64 };

static_assert(SHM_WORDS == 64, "one word summarises the others");

typedef struct mrpc_shm_borrow mrpc_shm_borrow;

/* What the arena of a message gives back. */
typedef struct mrpc_shm_borrowed {
    mrpc_shm_borrow *owner;
    uint64_t bytes; /* 0: not out. Written by the driving thread alone, while nobody has the loan */
} mrpc_shm_borrowed;

struct mrpc_shm_borrow {
    _Atomic uint32_t owners;
    char *base; /* addresses for the whole of the peer's heap */
    uint64_t reserved;
    uint64_t segment_size;
    bool mapped[SHM_SEGMENTS];
    char *torn; /* a segment's addresses that were lost when it could not be mapped; NULL: none */

    _Atomic uint64_t summary; /* bit i: returned[i] may not be zero */
    _Atomic uint64_t returned[SHM_WORDS];
    _Atomic uint64_t returned_bytes; /* since the set was emptied last */
    pthread_mutex_t lock;            /* of loop */
    mrpc_loop *loop;                 /* NULL: the connection has gone */
    mrpc_shm_borrowed loans[SHM_LOANS];
};

/* The map of a heap that can take `limit` bytes in segments of `segment_size`. Reserves addresses. Errors: EPROTO,
 * ENOMEM. */
int mrpc_shm_borrow_new(mrpc_shm_borrow **borrow, mrpc_loop *loop, uint64_t limit, uint64_t segment_size,
                        mrpc_error *error);

/* The connection's part ends. NULL is allowed. */
void mrpc_shm_borrow_close(mrpc_shm_borrow *borrow);

/* Checks and maps a segment; does not take `fd`. Errors: EPROTO, ESYS. */
int mrpc_shm_borrow_map(mrpc_shm_borrow *borrow, uint32_t segment, int fd, mrpc_error *error);

/* Where [offset, offset + size) of a segment is; it may reach into the following ones. NULL: not all of it is mapped.
 */
const void *mrpc_shm_borrow_locate(const mrpc_shm_borrow *borrow, uint32_t segment, uint64_t offset, uint64_t size);

/* Takes note of a loan, which is given back when `arena` goes. Errors: EPROTO (it is out already, or has no such
 * number), ENOMEM. */
int mrpc_shm_borrow_take(mrpc_shm_borrow *borrow, uint32_t number, uint64_t bytes, mrpc_arena *arena);

/* Gives a loan back that was not taken because what it refers to was copied. Errors: EPROTO, as above. */
int mrpc_shm_borrow_give_back(mrpc_shm_borrow *borrow, uint32_t number, uint64_t bytes);

/* Takes up to `count` (at least 64) numbers of loans out of the set of those given back; returns how many. */
uint32_t mrpc_shm_borrow_collect(mrpc_shm_borrow *borrow, uint64_t *numbers, uint32_t count);

static inline bool mrpc_shm_borrow_has_returns(const mrpc_shm_borrow *borrow)
{
    return borrow != NULL && atomic_load_explicit(&borrow->summary, memory_order_relaxed) != 0;
}

#endif /* MRPC_TRANSPORTS_SHM_BORROW_H */
