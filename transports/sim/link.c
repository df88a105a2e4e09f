/* SPDX-License-Identifier: BSD-2-Clause */
/* link.c - bytes on their way in one direction */
#include "config.h"

#include "transports/sim/link.h"

#include <stdlib.h>
#include <string.h>

bool mrpc_sim_link_put(mrpc_sim_link *link, const struct iovec *vectors, size_t bytes, uint64_t at)
{
    mrpc_sim_piece *piece = malloc(sizeof *piece + bytes);
    if (piece == NULL)
        return false;
    *piece = (mrpc_sim_piece){.at = at > link->last_at ? at : link->last_at, .size = bytes};
    for (size_t done = 0; done < bytes; vectors++) {
        size_t part = vectors->iov_len < bytes - done ? vectors->iov_len : bytes - done;
        memcpy(piece->data + done, vectors->iov_base, part);
        done += part;
    }
    if (link->last == NULL)
        link->first = piece;
    else
        link->last->next = piece;
    link->last = piece;
    link->last_at = piece->at;
    link->bytes += bytes;
    return true;
}

static void drop_first(mrpc_sim_link *link)
{
    mrpc_sim_piece *piece = link->first;
    link->first = piece->next;
    if (link->first == NULL)
        link->last = NULL;
    free(piece);
}

size_t mrpc_sim_link_take(mrpc_sim_link *link, const struct iovec *vectors, int count, size_t limit)
{
    mrpc_sim_piece *piece = link->first;
    size_t left = piece->size - piece->taken, done = 0;
    if (limit > left)
        limit = left;
    for (int i = 0; i < count && done < limit; i++) {
        size_t part = vectors[i].iov_len < limit - done ? vectors[i].iov_len : limit - done;
        memcpy(vectors[i].iov_base, piece->data + piece->taken + done, part);
        done += part;
    }
    piece->taken += done;
    link->bytes -= done;
    if (piece->taken == piece->size)
        drop_first(link);
    return done;
}

void mrpc_sim_link_clear(mrpc_sim_link *link)
{
    while (link->first != NULL)
        drop_first(link);
    *link = (mrpc_sim_link){.first = NULL};
}
