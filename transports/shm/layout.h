/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout.h - what two processes share: the memory of one direction, and the packets of the socket between them
 *
 * Each side makes one sealed memfd: a page of control words, then its outgoing ring. Only its maker writes it, the peer
 * maps it read-only. So nobody has to trust a word that is written by both. docs/PROTOCOL.md section 6 says the same in
 * words.
 */
#ifndef MRPC_TRANSPORTS_SHM_LAYOUT_H
#define MRPC_TRANSPORTS_SHM_LAYOUT_H

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SHM_VERSION = 1,
    SHM_CONTROL = 4096,       /* bytes before the ring */
    SHM_LINE = 64,            /* records begin at multiples of it */
    SHM_DATA_MIN = 256 << 10, /* bytes of a ring */
    SHM_DATA_MAX = 1 << 30,
    SHM_LOANS = 4096,    /* messages with references that may be out each way */
    SHM_SEGMENTS = 4096, /* segments of a heap that can be referred to */
    SHM_TEXT = 256       /* bytes of the reason in a refusal, with its NUL */
};

/* Bytes of a heap, from its beginning, that can be referred to: the peer reserves addresses for them. */
#define SHM_HEAP_MAX (UINT64_C(16) << 30)

#define SHM_MAGIC UINT64_C(0x316d68734350526d) /* "mRPCshm1" */

/* Why its writer sleeps: the low bits of control.sleeping. */
enum { SHM_WANTS_DATA = 1, SHM_WANTS_SPACE = 2, SHM_EPOCH = 4 };

typedef struct mrpc_shm_control {
    alignas(SHM_LINE) _Atomic uint64_t consumed; /* position up to which the writer has read the peer's ring */
    alignas(SHM_LINE) _Atomic uint64_t sleeping; /* 0: awake; else a number that is new for each sleep, times SHM_EPOCH,
                                                    and what the writer wants to be woken for */
    _Atomic uint64_t space_at; /* with SHM_WANTS_SPACE: the value of the peer's `consumed` to wake at */
} mrpc_shm_control;

/* The head of a record in a ring; a frame follows, header first. A record begins at a multiple of SHM_LINE and is
 * contiguous. */
typedef struct mrpc_shm_record {
    _Atomic uint64_t mark; /* the ring's key + SHM_STEP times the number of the record, from 0. Written last: what else
                              stands there is not it, whether an earlier record's mark or payload */
    uint64_t word; /* bytes of the record with this head, / 8; and << SHM_BYTES_BITS: control.consumed of the writer,
                      / SHM_LINE, modulo 2^36; may be older than one seen before. SHM_WRAP bytes: the next record is at
                      the start of the ring */
} mrpc_shm_record;

#define SHM_STEP UINT64_C(0x9E3779B97F4A7C15)

enum { SHM_WRAP = sizeof(mrpc_shm_record), SHM_BYTES_BITS = 28 };

/* Where an extent is; an array of them follows the head of a MESSAGE that has extents. */
typedef struct mrpc_shm_place {
    uint32_t segment; /* SHM_INLINE: its bytes follow, in the order of the extents, each padded to 8 */
    uint32_t loan;    /* the number by which the message's references are given back; the same in all of a message */
    uint64_t offset;  /* in the segment */
} mrpc_shm_place;

#define SHM_INLINE UINT32_MAX

/* --- packets of the socket: SOCK_SEQPACKET, each with descriptors --- */

enum {
    SHM_HELLO = 1,  /* first each way; descriptors: the memfd, an eventfd that wakes the sender of the packet */
    SHM_REFUSE = 2, /* instead of the server's HELLO: why not. No descriptors */
    SHM_SEGMENT = 3 /* before the first reference into a segment; descriptor: its memfd */
};

typedef struct mrpc_shm_packet {
    uint64_t magic;
    uint32_t version;
    uint32_t kind;
    uint64_t data;  /* HELLO: bytes of the ring; SEGMENT: bytes of a segment */
    uint64_t limit; /* HELLO: bytes of unfinished messages that the sender accepts at once; SEGMENT: bytes of addresses
                       that the heap can ever take */
    uint32_t chunk; /* HELLO: most payload of one frame that the sender accepts */
    uint32_t segment;    /* SEGMENT: its number */
    uint32_t loans;      /* HELLO: messages with references that the sender accepts at once; at most SHM_LOANS */
    uint32_t code;       /* REFUSE: an MRPC_E… as a positive number */
    uint64_t key;        /* HELLO: what the marks of the sender's ring begin with; random */
    char text[SHM_TEXT]; /* REFUSE: the reason */
} mrpc_shm_packet;

static_assert(offsetof(mrpc_shm_control, sleeping) == 64 && sizeof(mrpc_shm_control) == 128, "control words");
static_assert(sizeof(mrpc_shm_record) == 16 && sizeof(mrpc_shm_place) == 16, "no holes");
static_assert(sizeof(mrpc_shm_packet) == 56 + SHM_TEXT && offsetof(mrpc_shm_packet, text) == 56, "no holes");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "atomics that are shared by processes must be free of locks");

#endif /* MRPC_TRANSPORTS_SHM_LAYOUT_H */
