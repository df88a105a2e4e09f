/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shm_forged.h - a client of shared memory that is forged by hand: its ring is ordinary memory to the test, which
 * writes into it what it likes
 */
#ifndef MRPC_TESTS_SHM_FORGED_H
#define MRPC_TESTS_SHM_FORGED_H

#include "transports/frame.h"
#include "transports/shm/layout.h"

/* What the marks of its ring begin with. */
#define FORGED_KEY UINT64_C(0x1234567890abcdef)

enum { FORGED_DATA = SHM_DATA_MIN /* bytes of its ring, which is never begun again */ };

typedef struct shm_forged {
    int socket;
    int wake; /* its own eventfd, until a test puts that of the server there, which may sleep */
    int ring, segment;
    mrpc_shm_control *control;
    char *data;
    uint64_t head;
    uint64_t mark; /* of the next record */
} shm_forged;

/* A memfd with those seals. */
int shm_forged_memfd(size_t size, int seals);
/* A socket that is connected to the server of that name (what follows shm://). */
int shm_forged_dial(const char *name);
/* A proper greeting. */
mrpc_shm_packet shm_forged_hello(void);

/* A peer that has greeted properly; the answer is still to be read. */
void shm_forged_open(shm_forged *peer, const char *name);
void shm_forged_close(shm_forged *peer);

/* Bytes and confirmed bytes as a record's word has them. */
uint64_t shm_forged_word(uint64_t bytes, uint64_t consumed);
/* A record at the place of the next one, which it stays. */
void shm_forged_record(shm_forged *peer, uint64_t mark, uint64_t word, const mrpc_frame *frame, const void *payload,
                       size_t size);
/* A proper record. */
void shm_forged_send(shm_forged *peer, const mrpc_frame *frame, const void *payload, size_t size);

#endif /* MRPC_TESTS_SHM_FORGED_H */
