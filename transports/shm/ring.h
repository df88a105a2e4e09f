/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - records from one process to another through memory that only the sender writes
 *
 * There are no shared indices on the path of a record. A record's mark is a number that both sides can foretell and
 * that nothing else in the ring equals, so the receiver knows by looking at the place where the next record will be
 * whether it is there, and nothing has to be cleared. The sender writes all records of a batch, and the mark of the
 * first one last: that one store publishes the batch. Every record carries how far its sender has read the other ring;
 * only a sender that runs out of room has to look at the peer's control words.
 *
 * Positions count bytes since the beginning and never go back; a position modulo the capacity is an offset. A
 * record does not wrap: a record of SHM_WRAP bytes sends the reader to the start of the next lap. The sender wraps as
 * soon as some bytes are used (`warm`: few at first, more when bursts turn out to be larger) and the beginning is free
 * again, so that a ring that is not filled stays within the caches and takes few pages.
 *
 * The receiver believes nothing: it copies each word once and checks the copy.
 */
#ifndef MRPC_TRANSPORTS_SHM_RING_H
#define MRPC_TRANSPORTS_SHM_RING_H

#include <stdbool.h>

#include <mrpc/visibility.h>

#include "transports/frame.h"
#include "transports/shm/layout.h"

enum {
    SHM_FIRST = 12 << 10, /* bytes of a ring that are committed at first: an idle connection takes little */
    SHM_RECORD_MIN = sizeof(mrpc_shm_record) + sizeof(mrpc_frame)
};

/* The sender's end. */
typedef struct mrpc_shm_out {
    char *data;
    uint64_t capacity;      /* a power of two */
    uint64_t head;          /* position of the next record */
    uint64_t acked;         /* the peer has read up to here */
    mrpc_shm_record *first; /* of the batch that is not published; NULL: none */
    uint64_t first_mark;
    uint64_t mark;                     /* of the next record */
    int fd;                            /* of the memory, which is committed as it is needed */
    uint64_t committed;                /* bytes of data whose pages are there; at least SHM_FIRST */
    uint64_t warm;                     /* bytes of it that are used before it starts over early; grows */
    uint64_t fast;                     /* the lesser of both */
    uint64_t skipped_from, skipped_to; /* positions: the end of a lap that was left out last */
    const _Atomic uint64_t *consumed;  /* where the peer says how far it has read */
    uint64_t refreshed;                /* `head` when that was looked at last */
    bool refused;                      /* the machine has no memory for more of the ring */
    bool lied;                         /* the peer says that it has read what was not sent */
} mrpc_shm_out;

/* The receiver's end. */
typedef struct mrpc_shm_in {
    const char *data;
    uint64_t capacity;
    uint64_t tail; /* position of the next record */
    uint64_t mark; /* that it will have */
} mrpc_shm_in;

static inline uint64_t mrpc_shm_pad(uint64_t bytes)
{
    return (bytes + SHM_LINE - 1) & ~(uint64_t)(SHM_LINE - 1);
}

/* Bytes that may be written at `head` without a wrap and without waiting, from what is known of the peer. */
static inline uint64_t mrpc_shm_out_free(const mrpc_shm_out *out)
{
    return out->capacity - (out->head - out->acked);
}

/* Takes note of how far the peer says that it has read. False: that can't be. */
static inline bool mrpc_shm_out_acknowledge(mrpc_shm_out *out, uint64_t consumed)
{
    if ((int64_t)(consumed - out->acked) <= 0) /* older than one that was seen before */
        return true;
    if (consumed > out->head)
        return false;
    out->acked = consumed;
    return true;
}

/* The same from the word of a record. Values are apart by less than half of what it can hold unless the sender of the
 * record has got 2 TiB since, without having read any. */
static inline bool mrpc_shm_out_acknowledge_word(mrpc_shm_out *out, uint64_t word)
{
    uint64_t units = (word >> SHM_BYTES_BITS) - out->acked / SHM_LINE;
    int64_t more = (int64_t)(units << SHM_BYTES_BITS) >> SHM_BYTES_BITS;
    return mrpc_shm_out_acknowledge(out, out->acked + (uint64_t)more * SHM_LINE);
}

/* Looks how far the peer has read. False: it lies. */
bool mrpc_shm_out_refresh(mrpc_shm_out *out);

/* The slow path of mrpc_shm_out_reserve: wraps, or commits more of the memory. */
mrpc_shm_record *mrpc_shm_out_wrap(mrpc_shm_out *out, uint64_t need);

/* There was no room. If that is because the ring has started over early, it will do so later from now on: bursts are
 * larger than what it uses. */
void mrpc_shm_out_widen(mrpc_shm_out *out);

/* Where the next record goes, when it has `bytes` with its head and there is room for them and for a wrap behind them;
 * else NULL. May be asked for again with another size. */
static inline mrpc_shm_record *mrpc_shm_out_reserve(mrpc_shm_out *out, uint64_t bytes)
{
    uint64_t need = mrpc_shm_pad(bytes) + SHM_LINE, offset = out->head & (out->capacity - 1);
    if (MRPC_UNLIKELY(offset + need > out->fast))
        return mrpc_shm_out_wrap(out, need);
    return need <= mrpc_shm_out_free(out) ? (mrpc_shm_record *)(void *)(out->data + offset) : NULL;
}

/* Has the line ready for writing. Compilers take __builtin_prefetch() for one for reading where not every processor of
 * the family has both, and then the first store still has to take the line from the other side. */
static inline void mrpc_shm_prefetch_write(const char *line)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*line));
#else
    __builtin_prefetch(line, 1);
#endif
}

/* Adds a record of `bytes` (at most what was reserved), which is at `record`, to the batch; `next` is where the one
 * after it will be. */
static inline void mrpc_shm_out_add(mrpc_shm_out *out, mrpc_shm_record *record, uint64_t bytes, uint64_t consumed,
                                    uint64_t next)
{
    uint64_t mark = out->mark;
    out->mark += SHM_STEP;
    record->word = consumed / SHM_LINE << SHM_BYTES_BITS | bytes / 8;
    if (out->first == NULL) {
        out->first = record;
        out->first_mark = mark;
    } else {
        atomic_store_explicit(&record->mark, mark, memory_order_relaxed);
    }
    out->head = next;
    /* What the peer has read lies in its cache: it is fetched while something else is done. */
    const char *ahead = out->data + (next & (out->capacity - 1));
    mrpc_shm_prefetch_write(ahead + SHM_LINE);
    mrpc_shm_prefetch_write(ahead + 2 * SHM_LINE);
}

static inline void mrpc_shm_out_commit(mrpc_shm_out *out, mrpc_shm_record *record, uint64_t bytes, uint64_t consumed)
{
    mrpc_shm_out_add(out, record, bytes, consumed, out->head + mrpc_shm_pad(bytes));
}

/* Makes the batch visible. False: there was none. */
static inline bool mrpc_shm_out_publish(mrpc_shm_out *out)
{
    if (out->first == NULL)
        return false;
    atomic_store_explicit(&out->first->mark, out->first_mark, memory_order_release);
    out->first = NULL;
    return true;
}

/* Bytes of records that the peer has not read yet, as far as is known. At most one wrap lies between. */
static inline uint64_t mrpc_shm_out_in_flight(const mrpc_shm_out *out)
{
    uint64_t skipped = out->acked <= out->skipped_from ? out->skipped_to - out->skipped_from : 0;
    return out->head - out->acked - skipped;
}

/* The least value of `acked` with which so many bytes at most are in flight. */
uint64_t mrpc_shm_out_position_for_flight(const mrpc_shm_out *out, uint64_t bytes);

/* The least value of `acked` with which a record of `bytes` can be reserved. */
uint64_t mrpc_shm_out_position_for_record(const mrpc_shm_out *out, uint64_t bytes);

typedef enum mrpc_shm_look { SHM_NOTHING, SHM_RECORD, SHM_BROKEN } mrpc_shm_look;

/* The next record and a copy of its word, its size checked to lie within the ring. Wraps on its own. */
mrpc_shm_look mrpc_shm_in_next(mrpc_shm_in *in, const mrpc_shm_record **record, uint64_t *word);

static inline uint64_t mrpc_shm_word_bytes(uint64_t word)
{
    return (word & ((UINT64_C(1) << SHM_BYTES_BITS) - 1)) * 8;
}

/* True when mrpc_shm_in_next would not say SHM_NOTHING. */
static inline bool mrpc_shm_in_ready(const mrpc_shm_in *in)
{
    const mrpc_shm_record *record = (const void *)(in->data + (in->tail & (in->capacity - 1)));
    return atomic_load_explicit(&record->mark, memory_order_acquire) == in->mark;
}

static inline void mrpc_shm_in_pop(mrpc_shm_in *in, uint64_t bytes)
{
    in->tail += mrpc_shm_pad(bytes);
    in->mark += SHM_STEP;
    if (!mrpc_shm_in_ready(in))
        return; /* what the sender is about to write is better not in this side's cache */
    const char *ahead = in->data + (in->tail & (in->capacity - 1));
    __builtin_prefetch(ahead + SHM_LINE);
    __builtin_prefetch(ahead + 2 * SHM_LINE);
}

#endif /* MRPC_TRANSPORTS_SHM_RING_H */
