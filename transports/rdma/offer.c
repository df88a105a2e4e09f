/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offer.c - messages whose payloads the peer reads from where they lie
 *
 * An offer is what of a message is small, with the places of what is large. A memory window opens each place to this
 * peer, for reading, by a work request in front of the offer, and is closed by another when the peer has given the
 * offer back: registrations stay, rights do not. Only when the windows are closed is the owner told that the message is
 * his again. Whoever takes it back earlier (his call has ended) does not wait for that: the heap holds the memory.
 *
 *     free ─▶ opening ─(bound, sent)─▶ out ─(RETURN)─▶ closing ─(completed)─▶ free
 */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST = 16384 /* bytes of an extent, on average, from which reading it is cheaper */ };

typedef enum loan_state { LOAN_FREE, LOAN_OPENING, LOAN_OUT, LOAN_CLOSING } loan_state;

/* One place of an offer, with its window. */
typedef struct opening {
    struct ibv_mw *window; /* kept for the next offer of this number */
    struct ibv_mr *region;
    const void *data; /* held in the heap */
    uint32_t size;
    uint32_t key;   /* that the window gets */
    uint32_t bound; /* the key that it was given last; 0: none yet */
} opening;

struct mrpc_rdma_loan {
    mrpc_rdma_loan *next;   /* of those with work requests to be posted */
    mrpc_send_token *token; /* NULL: nobody waits */
    loan_state state;
    uint32_t call;
    uint32_t count;
    uint32_t posted; /* windows that were bound, or closed, so far */
    uint64_t bytes;
    opening places[RDMA_PLACES];
};

/* --- choosing a loan --- */

static mrpc_rdma_loan *find_free(mrpc_rdma_offers *offers, uint32_t *number)
{
    for (uint32_t i = 0; i < offers->most; i++) {
        if (offers->loans[i] == NULL)
            offers->loans[i] = calloc(1, sizeof(mrpc_rdma_loan));
        if (offers->loans[i] == NULL)
            return NULL;
        if (offers->loans[i]->state != LOAN_FREE)
            continue;
        *number = i;
        return offers->loans[i];
    }
    return NULL;
}

/* Whether the peer had better read it: large, in few places, with a head that fits into the frame, and with nothing in
 * front of it that it would overtake. */
static bool is_worth_it(const mrpc_rdma_connection *connection, const mrpc_frame *frame, const mrpc_extent *extents)
{
    if (connection->offers.registry == NULL || frame->extents == 0 || frame->extents > RDMA_PLACES ||
        mrpc_frame_head(frame) > RDMA_OFFER_HEAD)
        return false;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < frame->extents; i++)
        bytes += extents[i].size;
    return bytes >= connection->offers.threshold && bytes >= (uint64_t)LEAST * frame->extents &&
           !mrpc_stream_tx_is_sending(&connection->tx, frame->call);
}

/* --- its places --- */

static void drop_places(const mrpc_rdma_offers *offers, mrpc_rdma_loan *loan)
{
    for (uint32_t i = 0; i < loan->count; i++)
        mrpc_heap_drop(offers->registry->heap, loan->places[i].data);
    loan->count = 0;
    loan->bytes = 0;
}

/* False: there is no window, or no such memory. */
static bool add_place(mrpc_rdma_offers *offers, mrpc_rdma_loan *loan, const char *data, size_t *bytes)
{
    if (loan->count == RDMA_PLACES)
        return false;
    opening *place = &loan->places[loan->count];
    place->region = mrpc_rdma_registry_region(offers->registry, data, bytes, NULL);
    if (place->region == NULL)
        return false;
    if (place->window == NULL)
        place->window = ibv_alloc_mw(offers->registry->pd, IBV_MW_TYPE_2);
    if (place->window == NULL || !mrpc_heap_hold(offers->registry->heap, data))
        return false;
    if (place->bound != 0)
        place->window->rkey = place->bound; /* providers read it when they bind, and do not change it */
    place->data = data;
    place->size = (uint32_t)*bytes;
    place->key = ibv_inc_rkey(place->window->rkey);
    loan->count++;
    loan->bytes += *bytes;
    return true;
}

/* An extent lies in one place for each segment of the heap that it reaches. */
static bool add_extents(mrpc_rdma_offers *offers, mrpc_rdma_loan *loan, const mrpc_extent *extents, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint64_t done = 0; done < extents[i].size;) {
            size_t bytes = (size_t)(extents[i].size - done);
            if (!add_place(offers, loan, (const char *)extents[i].data + done, &bytes))
                return false;
            done += bytes;
        }
    }
    return true;
}

/* --- the frame --- */

/* Turns the MESSAGE in the space into an OFFER around it. False: no room. */
static bool wrap(mrpc_rdma_connection *connection, mrpc_space *space, const mrpc_rdma_loan *loan, uint64_t number)
{
    const mrpc_frame *message = (const mrpc_frame *)(const void *)space->data;
    size_t inside = sizeof *message + (size_t)mrpc_frame_head(message);
    size_t payload = inside + sizeof number + loan->count * sizeof(mrpc_rdma_place);
    if (mrpc_stream_tx_extend(&connection->tx, space, inside, sizeof(mrpc_frame) + payload) != 0)
        return false;
    memmove(space->data + sizeof(mrpc_frame), space->data, inside);
    mrpc_frame *inner = (mrpc_frame *)(void *)(space->data + sizeof(mrpc_frame));
    inner->size = (uint32_t)(inside - sizeof *inner);
    const mrpc_frame outer = {
        .size = (uint32_t)payload, .type = FRAME_OFFER, .call = inner->call, .block = (uint32_t)payload};
    memcpy(space->data, &outer, sizeof outer);
    char *at = space->data + sizeof outer + inside;
    memcpy(at, &number, sizeof number);
    at += sizeof number;
    for (uint32_t i = 0; i < loan->count; i++, at += sizeof(mrpc_rdma_place)) {
        const opening *place = &loan->places[i];
        memcpy(at, &(mrpc_rdma_place){(uintptr_t)place->data, place->size, place->key}, sizeof(mrpc_rdma_place));
    }
    return true;
}

static void enqueue(mrpc_rdma_offers *offers, mrpc_rdma_loan *loan, loan_state state)
{
    loan->state = state;
    loan->posted = 0;
    loan->next = NULL;
    *offers->last = loan;
    offers->last = &loan->next;
}

bool mrpc_rdma_offer(mrpc_rdma_connection *connection, mrpc_space *space, const mrpc_extent *extents,
                     mrpc_send_token *token)
{
    mrpc_rdma_offers *offers = &connection->offers;
    const mrpc_frame *frame = (const mrpc_frame *)(const void *)space->data;
    uint32_t number = 0;
    mrpc_rdma_loan *loan = is_worth_it(connection, frame, extents) ? find_free(offers, &number) : NULL;
    if (loan == NULL)
        return false;
    loan->call = frame->call;
    if (!add_extents(offers, loan, extents, frame->extents) || !wrap(connection, space, loan, number)) {
        drop_places(offers, loan);
        return false;
    }
    loan->token = token;
    if (token != NULL)
        token->transport = loan;
    enqueue(offers, loan, LOAN_OPENING);
    mrpc_stream_tx_lend(&connection->tx, loan->bytes);
    mrpc_stream_tx_commit(&connection->tx, space, NULL, NULL);
    connection->base.counters->rdma_offers++;
    return true;
}

/* --- work requests --- */

static void bind_window(struct ibv_send_wr *post, opening *place)
{
    post->opcode = IBV_WR_BIND_MW;
    post->bind_mw.mw = place->window;
    post->bind_mw.rkey = place->key;
    post->bind_mw.bind_info = (struct ibv_mw_bind_info){.mr = place->region,
                                                        .addr = (uintptr_t)place->data,
                                                        .length = place->size,
                                                        .mw_access_flags = IBV_ACCESS_REMOTE_READ};
    place->bound = place->key;
}

bool mrpc_rdma_offer_next(mrpc_rdma_connection *connection, struct ibv_send_wr *post, mrpc_rdma_request *request)
{
    mrpc_rdma_offers *offers = &connection->offers;
    mrpc_rdma_loan *loan = offers->first;
    if (loan == NULL)
        return false;
    opening *place = &loan->places[loan->posted++];
    bool last = loan->posted == loan->count;
    if (loan->state == LOAN_OPENING) {
        bind_window(post, place);
    } else {
        post->opcode = IBV_WR_LOCAL_INV;
        post->invalidate_rkey = place->key;
    }
    if (!last)
        return true;
    offers->first = loan->next;
    if (offers->first == NULL)
        offers->last = &offers->first;
    if (loan->state == LOAN_OPENING)
        loan->state = LOAN_OUT;
    else
        request->loan = loan;
    return true;
}

/* --- given back, or taken back --- */

static void release(mrpc_rdma_loan *loan)
{
    mrpc_send_token *token = loan->token;
    loan->token = NULL;
    if (token != NULL)
        token->released(token);
}

bool mrpc_rdma_offer_abandon(mrpc_rdma_connection *connection, const mrpc_send_token *token)
{
    for (uint32_t i = 0; i < connection->offers.most; i++) {
        mrpc_rdma_loan *loan = connection->offers.loans[i];
        if (loan != NULL && loan->token == token) {
            release(loan);
            return true;
        }
    }
    return false;
}

void mrpc_rdma_offer_end_call(mrpc_rdma_connection *connection, uint32_t call)
{
    for (uint32_t i = 0; i < connection->offers.most; i++) {
        mrpc_rdma_loan *loan = connection->offers.loans[i];
        if (loan != NULL && loan->state != LOAN_FREE && loan->call == call)
            release(loan);
    }
}

void mrpc_rdma_offer_detach(mrpc_rdma_connection *connection)
{
    for (uint32_t i = 0; i < connection->offers.most; i++) {
        mrpc_rdma_loan *loan = connection->offers.loans[i];
        if (loan == NULL)
            continue;
        mrpc_stream_tx_lent(&connection->tx, loan->bytes);
        loan->bytes = 0;
        release(loan);
    }
}

void mrpc_rdma_offer_returned(mrpc_rdma_connection *connection, const mrpc_incoming *incoming)
{
    mrpc_rdma_offers *offers = &connection->offers;
    for (uint32_t at = 0; at < incoming->header->block; at += (uint32_t)sizeof(uint64_t)) {
        uint64_t number;
        memcpy(&number, incoming->head + at, sizeof number);
        mrpc_rdma_loan *loan = number < offers->most ? offers->loans[number] : NULL;
        if (loan == NULL || loan->state != LOAN_OUT) {
            mrpc_rdma_connection_fail_text(connection, MRPC_EPROTO, "the peer gives back an offer that is not out");
            return;
        }
        enqueue(offers, loan, LOAN_CLOSING);
    }
}

void mrpc_rdma_offer_closed(mrpc_rdma_connection *connection, mrpc_rdma_loan *loan)
{
    mrpc_stream_tx_lent(&connection->tx, loan->bytes);
    drop_places(&connection->offers, loan);
    loan->state = LOAN_FREE;
    release(loan);
}

bool mrpc_rdma_offer_withdraw(mrpc_rdma_connection *connection)
{
    for (uint32_t i = 0; i < connection->offers.most; i++) {
        mrpc_rdma_loan *loan = connection->offers.loans[i];
        if (loan != NULL && loan->state == LOAN_OPENING)
            return false;
        if (loan != NULL && loan->state == LOAN_OUT)
            enqueue(&connection->offers, loan, LOAN_CLOSING);
    }
    return true;
}

void mrpc_rdma_offer_close_windows(mrpc_rdma_connection *connection)
{
    for (uint32_t i = 0; i < RDMA_OFFERS; i++) {
        mrpc_rdma_loan *loan = connection->offers.loans[i];
        for (uint32_t k = 0; loan != NULL && k < RDMA_PLACES; k++) {
            if (loan->places[k].window != NULL)
                (void)ibv_dealloc_mw(loan->places[k].window);
            loan->places[k].window = NULL;
        }
    }
}

void mrpc_rdma_offer_clear(mrpc_rdma_connection *connection)
{
    mrpc_rdma_offers *offers = &connection->offers;
    for (uint32_t i = 0; i < RDMA_OFFERS; i++) {
        mrpc_rdma_loan *loan = offers->loans[i];
        if (loan == NULL)
            continue;
        release(loan);
        drop_places(offers, loan);
        free(loan);
        offers->loans[i] = NULL;
    }
    offers->first = NULL;
    offers->last = &offers->first;
}
