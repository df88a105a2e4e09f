/* SPDX-License-Identifier: BSD-2-Clause */
/* ring.c - wrapping, committing memory, and what the receiver checks */
#include "config.h"

#include "transports/shm/ring.h"

#include <fcntl.h>

enum { COMMIT_STEP = 64 << 10 };

/* Worth it when so much of the next lap is free that it is not wrapped into a wait. */
static bool early(const mrpc_shm_out *out, uint64_t start, uint64_t need)
{
    return out->acked >= start - out->capacity + need + out->warm / 2;
}

/* Makes sure that data[0 .. end), at most all, can be written: a page that the machine does not have would answer with
 * SIGBUS. */
static bool commit(mrpc_shm_out *out, uint64_t end)
{
    if (end <= out->committed)
        return true;
    uint64_t upto = (end + COMMIT_STEP - 1) & ~(uint64_t)(COMMIT_STEP - 1);
    if (upto > out->capacity)
        upto = out->capacity;
    if (fallocate(out->fd, 0, (off_t)(SHM_CONTROL + out->committed), (off_t)(upto - out->committed)) != 0) {
        out->refused = true;
        return false;
    }
    out->committed = upto;
    out->fast = upto < out->warm ? upto : out->warm;
    return true;
}

static mrpc_shm_record *next_lap(mrpc_shm_out *out, uint64_t offset, uint64_t start, uint64_t need)
{
    if (start + need - out->acked > out->capacity)
        return NULL;
    mrpc_shm_record *record = (mrpc_shm_record *)(void *)(out->data + offset);
    out->skipped_from = out->head;
    out->skipped_to = start;
    mrpc_shm_out_add(out, record, SHM_WRAP, 0, start);
    return (mrpc_shm_record *)(void *)out->data;
}

bool mrpc_shm_out_refresh(mrpc_shm_out *out)
{
    out->refreshed = out->head;
    if (!mrpc_shm_out_acknowledge(out, atomic_load_explicit(out->consumed, memory_order_acquire)))
        out->lied = true;
    return !out->lied;
}

/* Who only sends learns from the peer's words alone; they are not looked at for each record. */
static bool may_wrap_early(mrpc_shm_out *out, uint64_t start, uint64_t need)
{
    if (early(out, start, need))
        return true;
    return out->head - out->refreshed >= out->warm / 4 && mrpc_shm_out_refresh(out) && early(out, start, need);
}

mrpc_shm_record *mrpc_shm_out_wrap(mrpc_shm_out *out, uint64_t need)
{
    uint64_t offset = out->head & (out->capacity - 1);
    uint64_t start = out->head - offset + out->capacity;
    if (MRPC_UNLIKELY(out->lied))
        return NULL;
    if (offset + need > out->warm && offset > 0 && need <= out->committed && may_wrap_early(out, start, need))
        return next_lap(out, offset, start, need);
    if (offset + need > out->capacity)
        return offset > 0 && commit(out, need) ? next_lap(out, offset, start, need) : NULL;
    return need <= mrpc_shm_out_free(out) && commit(out, offset + need)
               ? (mrpc_shm_record *)(void *)(out->data + offset)
               : NULL;
}

void mrpc_shm_out_widen(mrpc_shm_out *out)
{
    if (out->acked > out->skipped_from || out->warm >= out->capacity)
        return;
    out->warm *= 2;
    out->fast = out->committed < out->warm ? out->committed : out->warm;
}

uint64_t mrpc_shm_out_position_for_flight(const mrpc_shm_out *out, uint64_t bytes)
{
    uint64_t lap = out->head - out->skipped_to;
    if (bytes <= lap)
        return out->head - bytes;
    return bytes - lap <= out->skipped_from ? out->skipped_from - (bytes - lap) : 0;
}

uint64_t mrpc_shm_out_position_for_record(const mrpc_shm_out *out, uint64_t bytes)
{
    uint64_t need = mrpc_shm_pad(bytes) + SHM_LINE, offset = out->head & (out->capacity - 1);
    uint64_t end = offset + need <= out->capacity ? out->head + need : out->head - offset + out->capacity + need;
    return end > out->capacity ? end - out->capacity : 0;
}

/* A record that fits, or SHM_WRAP anywhere but at the start, where it would lead nowhere. */
static bool possible(const mrpc_shm_in *in, uint64_t bytes, uint64_t offset)
{
    if (bytes == SHM_WRAP)
        return offset != 0;
    return bytes >= SHM_RECORD_MIN && bytes <= in->capacity - offset;
}

mrpc_shm_look mrpc_shm_in_next(mrpc_shm_in *in, const mrpc_shm_record **record, uint64_t *word)
{
    for (;;) {
        uint64_t offset = in->tail & (in->capacity - 1);
        const mrpc_shm_record *next = (const void *)(in->data + offset);
        if (atomic_load_explicit(&next->mark, memory_order_acquire) != in->mark)
            return SHM_NOTHING;
        *word = *(const volatile uint64_t *)&next->word;
        uint64_t bytes = mrpc_shm_word_bytes(*word);
        if (MRPC_UNLIKELY(!possible(in, bytes, offset)))
            return SHM_BROKEN;
        if (MRPC_LIKELY(bytes != SHM_WRAP)) {
            *record = next;
            return SHM_RECORD;
        }
        in->tail += in->capacity - offset; /* to offset 0, where no wrap is possible: this loop ends */
        in->mark += SHM_STEP;
    }
}
