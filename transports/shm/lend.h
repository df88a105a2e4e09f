/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lend.h - the sender's side of references: which messages' payloads the peer may still read in our heap
 *
 * A loan is all that one message refers to. It has a number, under which the peer gives it back; until then the heap
 * holds the memory, whoever frees it. Used by the driving thread alone.
 */
#ifndef MRPC_TRANSPORTS_SHM_LEND_H
#define MRPC_TRANSPORTS_SHM_LEND_H

#include <stdbool.h>

#include <mrpc/heap.h>
#include <mrpc/marshal.h>

#include "transports/shm/layout.h"

enum { SHM_LEND_MIN = 4096 }; /* bytes from which a reference is cheaper than a copy */

#define SHM_NO_LOAN UINT32_MAX

typedef struct mrpc_shm_loan {
    const void *first; /* what is held */
    const void **more; /* count - 1 of them */
    uint32_t count;    /* 0: not out */
    uint32_t capacity; /* of more */
    uint64_t bytes;
} mrpc_shm_loan;

typedef struct mrpc_shm_lend {
    mrpc_heap *heap; /* NULL: nothing can be lent */
    uint8_t *sent;   /* by segment: whether the peer has it. Both made at the first loan */
    mrpc_shm_loan *loans;
    uint16_t *unused; /* numbers of loans that are not out */
    uint32_t unused_count;
    uint32_t most;  /* loans that the peer accepts */
    uint64_t bytes; /* that are out */
    uint64_t limit;
} mrpc_shm_lend;

/* Takes a reference to `heap`, which may be NULL. */
void mrpc_shm_lend_open(mrpc_shm_lend *lend, mrpc_heap *heap, uint64_t limit, uint32_t most);

/* Drops all holds: the peer has gone. */
void mrpc_shm_lend_close(mrpc_shm_lend *lend);

/* Adds an extent to the loan *number (SHM_NO_LOAN: begins one) and says where it lies, after having sent the segment to
 * the peer over `socket` where that is needed. False: it has to be copied (not in the heap, small, a limit is reached).
 */
bool mrpc_shm_lend_add(mrpc_shm_lend *lend, int socket, const mrpc_extent *extent, uint32_t *number,
                       mrpc_shm_place *place);

/* The peer gave a loan back, or it was not sent after all. False: it is not out. */
bool mrpc_shm_lend_return(mrpc_shm_lend *lend, uint32_t number);

#endif /* MRPC_TRANSPORTS_SHM_LEND_H */
