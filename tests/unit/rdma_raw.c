/* SPDX-License-Identifier: BSD-2-Clause */
/* rdma_raw.c - blocking librdmacm, one message at a time */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include "tests/unit/rdma_raw.h"
#include "transports/rdma/protocol.h"

enum { WINDOW = 4, RECEIVES = WINDOW + RDMA_EXTRA, BUFFER = RDMA_BUFFER_MIN, PATIENCE_MS = 60000 };

struct rdma_raw {
    struct rdma_cm_id *id;
    struct ibv_cq *send_cq, *receive_cq;
    struct ibv_mr *region;
    uint32_t credits;
    uint32_t out; /* messages that are not completed yet */
    char receive[RECEIVES][BUFFER];
    char send[BUFFER];
};

static bool post_receives(rdma_raw *raw)
{
    for (int i = 0; i < RECEIVES; i++) {
        struct ibv_sge place = {.addr = (uintptr_t)raw->receive[i], .length = BUFFER, .lkey = raw->region->lkey};
        struct ibv_recv_wr request = {.wr_id = (uint64_t)i, .sg_list = &place, .num_sge = 1}, *bad;
        if (ibv_post_recv(raw->id->qp, &request, &bad) != 0)
            return false;
    }
    return true;
}

static bool equip(rdma_raw *raw)
{
    raw->send_cq = ibv_create_cq(raw->id->verbs, 16, NULL, NULL, 0);
    raw->receive_cq = ibv_create_cq(raw->id->verbs, 16, NULL, NULL, 0);
    if (raw->send_cq == NULL || raw->receive_cq == NULL)
        return false;
    struct ibv_qp_init_attr attributes = {
        .send_cq = raw->send_cq,
        .recv_cq = raw->receive_cq,
        .cap = {.max_send_wr = 4, .max_send_sge = 1, .max_recv_wr = RECEIVES, .max_recv_sge = 1},
        .qp_type = IBV_QPT_RC,
    };
    if (rdma_create_qp(raw->id, NULL, &attributes) != 0)
        return false;
    raw->region = ibv_reg_mr(raw->id->pd, raw, sizeof *raw, IBV_ACCESS_LOCAL_WRITE);
    return raw->region != NULL && post_receives(raw);
}

static bool greet(rdma_raw *raw)
{
    const mrpc_rdma_greeting own = {
        .magic = RDMA_MAGIC, .version = RDMA_VERSION, .minimum = RDMA_VERSION, .window = WINDOW, .buffer = BUFFER};
    struct rdma_conn_param parameters = {
        .private_data = &own, .private_data_len = sizeof own, .retry_count = 6, .rnr_retry_count = 6};
    mrpc_rdma_greeting peer;
    if (rdma_connect(raw->id, &parameters) != 0)
        return false;
    const struct rdma_cm_event *event = raw->id->event;
    if (event->param.conn.private_data == NULL || event->param.conn.private_data_len < sizeof peer)
        return false;
    memcpy(&peer, event->param.conn.private_data, sizeof peer);
    raw->credits = peer.window;
    return peer.magic == RDMA_MAGIC;
}

rdma_raw *rdma_raw_connect(const char *host, uint16_t port)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port)};
    rdma_raw *raw = calloc(1, sizeof *raw);
    if (raw == NULL || inet_pton(AF_INET, host, &peer.sin_addr) != 1) {
        free(raw);
        return NULL;
    }
    /* An id without an event channel blocks. */
    if (rdma_create_id(NULL, &raw->id, NULL, RDMA_PS_TCP) != 0)
        raw->id = NULL;
    else if (rdma_resolve_addr(raw->id, NULL, (struct sockaddr *)&peer, PATIENCE_MS) == 0 &&
             rdma_resolve_route(raw->id, PATIENCE_MS) == 0 && equip(raw) && greet(raw))
        return raw;
    rdma_raw_close(raw, false);
    return NULL;
}

/* What the peer says matters only for its credits. */
static void take_credits(rdma_raw *raw)
{
    struct ibv_wc done;
    while (ibv_poll_cq(raw->receive_cq, 1, &done) == 1) {
        mrpc_rdma_header header;
        if (done.status != IBV_WC_SUCCESS || done.byte_len < sizeof header)
            continue;
        memcpy(&header, raw->receive[done.wr_id], sizeof header);
        raw->credits += header.credits;
        struct ibv_sge place = {
            .addr = (uintptr_t)raw->receive[done.wr_id], .length = BUFFER, .lkey = raw->region->lkey};
        struct ibv_recv_wr request = {.wr_id = done.wr_id, .sg_list = &place, .num_sge = 1}, *bad;
        (void)ibv_post_recv(raw->id->qp, &request, &bad);
    }
}

static bool post(rdma_raw *raw, uint32_t flags, const void *bytes, size_t size)
{
    const mrpc_rdma_header header = {.flags = flags};
    memcpy(raw->send, &header, sizeof header);
    if (size > 0)
        memcpy(raw->send + sizeof header, bytes, size);
    struct ibv_sge place = {
        .addr = (uintptr_t)raw->send, .length = (uint32_t)(sizeof header + size), .lkey = raw->region->lkey};
    struct ibv_send_wr request = {
        .sg_list = &place, .num_sge = 1, .opcode = IBV_WR_SEND, .send_flags = IBV_SEND_SIGNALED};
    struct ibv_send_wr *bad;
    if (ibv_post_send(raw->id->qp, &request, &bad) != 0)
        return false;
    raw->out++;
    return true;
}

static bool is_sent(rdma_raw *raw)
{
    struct ibv_wc done;
    if (raw->out > 0 && ibv_poll_cq(raw->send_cq, 1, &done) == 1)
        raw->out--;
    return raw->out == 0;
}

bool rdma_raw_send(rdma_raw *raw, const void *bytes, size_t size)
{
    take_credits(raw);
    if (!is_sent(raw) || raw->credits == 0 || size > BUFFER - sizeof(mrpc_rdma_header) || !post(raw, 0, bytes, size))
        return false;
    raw->credits--;
    return true;
}

/* Devices acknowledge by themselves, so this needs nobody to drive the other side. */
static void wait_until_sent(rdma_raw *raw)
{
    for (int i = 0; i < PATIENCE_MS && !is_sent(raw); i++)
        usleep(1000);
}

static void say_goodbye(rdma_raw *raw)
{
    wait_until_sent(raw);
    if (post(raw, RDMA_GOODBYE, NULL, 0))
        wait_until_sent(raw);
}

void rdma_raw_close(rdma_raw *raw, bool says_goodbye)
{
    if (raw->id != NULL) {
        if (says_goodbye)
            say_goodbye(raw);
        if (raw->id->qp != NULL)
            rdma_destroy_qp(raw->id);
        if (raw->region != NULL)
            (void)ibv_dereg_mr(raw->region);
        if (raw->send_cq != NULL)
            (void)ibv_destroy_cq(raw->send_cq);
        if (raw->receive_cq != NULL)
            (void)ibv_destroy_cq(raw->receive_cq);
        (void)rdma_destroy_id(raw->id);
    }
    free(raw);
}
