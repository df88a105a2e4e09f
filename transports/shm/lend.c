/* SPDX-License-Identifier: BSD-2-Clause */
/* lend.c - the sender's side of references */
#include "config.h"

#include "transports/shm/lend.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "transports/shm/packet.h"

void mrpc_shm_lend_open(mrpc_shm_lend *lend, mrpc_heap *heap, uint64_t limit, uint32_t most)
{
    *lend = (mrpc_shm_lend){.heap = mrpc_heap_ref(heap), .limit = limit, .most = most < SHM_LOANS ? most : SHM_LOANS};
}

static bool make_tables(mrpc_shm_lend *lend)
{
    if (lend->loans != NULL)
        return true;
    lend->sent = calloc(SHM_SEGMENTS, sizeof *lend->sent);
    lend->unused = calloc(SHM_LOANS, sizeof *lend->unused);
    lend->loans = calloc(SHM_LOANS, sizeof *lend->loans);
    if (lend->sent == NULL || lend->unused == NULL || lend->loans == NULL) {
        free(lend->sent);
        free(lend->unused);
        free(lend->loans);
        lend->loans = NULL;
        lend->unused = NULL;
        lend->sent = NULL;
        return false;
    }
    for (uint32_t i = lend->most; i-- > 0;) /* low numbers first, so that few pages are used */
        lend->unused[lend->unused_count++] = (uint16_t)i;
    return true;
}

static void drop(mrpc_shm_lend *lend, mrpc_shm_loan *loan)
{
    for (uint32_t i = 0; i < loan->count; i++)
        mrpc_heap_drop(lend->heap, i == 0 ? loan->first : loan->more[i - 1]);
    lend->bytes -= loan->bytes;
    loan->count = 0;
    loan->bytes = 0;
}

void mrpc_shm_lend_close(mrpc_shm_lend *lend)
{
    for (uint32_t i = 0; lend->loans != NULL && i < lend->most; i++) {
        drop(lend, &lend->loans[i]);
        free(lend->loans[i].more);
    }
    free(lend->loans);
    free(lend->unused);
    free(lend->sent);
    mrpc_heap_unref(lend->heap);
    *lend = (mrpc_shm_lend){.heap = NULL};
}

/* A descriptor that can't be written through: the peer only reads. */
static int read_only(int fd)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static bool send_segment(mrpc_shm_lend *lend, int socket, uint32_t segment)
{
    mrpc_heap_stats stats;
    mrpc_heap_get_stats(lend->heap, &stats);
    mrpc_shm_packet packet = {.kind = SHM_SEGMENT,
                              .segment = segment,
                              .data = mrpc_heap_segment_size(lend->heap),
                              .limit = stats.bytes_limit};
    int fd = read_only(mrpc_heap_segment_fd(lend->heap, segment));
    if (fd < 0)
        return false;
    bool sent = mrpc_shm_packet_send(socket, &packet, &fd, 1) == 0;
    close(fd);
    if (sent)
        lend->sent[segment] = 1;
    return sent;
}

/* All segments that [offset, offset + size) reaches. */
static bool send_segments(mrpc_shm_lend *lend, int socket, uint32_t first, uint64_t offset, uint64_t size)
{
    uint64_t segment_size = mrpc_heap_segment_size(lend->heap), last = first + (offset + size - 1) / segment_size;
    if (last >= SHM_SEGMENTS || (last + 1) * segment_size > SHM_HEAP_MAX)
        return false;
    for (uint32_t i = first; i <= last; i++)
        if (!lend->sent[i] && !send_segment(lend, socket, i))
            return false;
    return true;
}

static bool make_room(mrpc_shm_loan *loan)
{
    if (loan->count == 0 || loan->count - 1 < loan->capacity)
        return true;
    uint32_t capacity = loan->capacity == 0 ? 4 : 2 * loan->capacity;
    const void **more = realloc(loan->more, capacity * sizeof *more);
    if (more == NULL)
        return false;
    loan->more = more;
    loan->capacity = capacity;
    return true;
}

static void record(mrpc_shm_lend *lend, mrpc_shm_loan *loan, const mrpc_extent *extent)
{
    if (loan->count == 0)
        loan->first = extent->data;
    else
        loan->more[loan->count - 1] = extent->data;
    loan->count++;
    loan->bytes += extent->size;
    lend->bytes += extent->size;
}

bool mrpc_shm_lend_add(mrpc_shm_lend *lend, int socket, const mrpc_extent *extent, uint32_t *number,
                       mrpc_shm_place *place)
{
    uint32_t segment;
    uint64_t offset;
    if (lend->heap == NULL || extent->size < SHM_LEND_MIN || extent->size > lend->limit - lend->bytes ||
        !mrpc_heap_locate(lend->heap, extent->data, extent->size, &segment, &offset) || !make_tables(lend))
        return false;
    bool begins = *number == SHM_NO_LOAN;
    if (begins && lend->unused_count == 0)
        return false;
    uint32_t chosen = begins ? lend->unused[lend->unused_count - 1] : *number;
    mrpc_shm_loan *loan = &lend->loans[chosen];
    if (!make_room(loan) || !send_segments(lend, socket, segment, offset, extent->size) ||
        !mrpc_heap_hold(lend->heap, extent->data))
        return false;
    record(lend, loan, extent);
    if (begins)
        lend->unused_count--;
    *number = chosen;
    *place = (mrpc_shm_place){.segment = segment, .loan = chosen, .offset = offset};
    return true;
}

bool mrpc_shm_lend_return(mrpc_shm_lend *lend, uint32_t number)
{
    if (lend->loans == NULL || number >= lend->most || lend->loans[number].count == 0)
        return false;
    drop(lend, &lend->loans[number]);
    lend->unused[lend->unused_count++] = (uint16_t)number;
    return true;
}
