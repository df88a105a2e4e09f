/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * receive.c - from completions to frames
 *
 * The bytes of a SEND are parsed where they were received; what belongs to a large message is copied to its place. The
 * buffer is posted again before its credit is given back (hub.c), so a peer that keeps to its credits always finds one.
 */
#include "config.h"

#include "transports/rdma/rdma.h"

#include <stdio.h>
#include <string.h>

static void completion_failed(mrpc_rdma_connection *connection, const struct ibv_wc *completion, const char *what)
{
    if (completion->status == IBV_WC_WR_FLUSH_ERR)
        return; /* a consequence of what is told otherwise: a first failure, or the end of the connection */
    char text[160];
    snprintf(text, sizeof text, "%s failed: work completion status %d (%s), vendor code 0x%x", what,
             (int)completion->status, ibv_wc_status_str(completion->status), completion->vendor_err);
    mrpc_rdma_connection_fail_text(connection, MRPC_ESYS, text);
}

/* --- what comes --- */

static void said_goodbye(mrpc_rdma_connection *connection)
{
    mrpc_rdma_connection_fail_text(connection, MRPC_ECLOSED,
                                   mrpc_stream_rx_at_boundary(&connection->rx)
                                       ? "the peer closed the connection"
                                       : "the peer closed the connection in the middle of a message");
}

static bool take_header(mrpc_rdma_connection *connection, const mrpc_rdma_header *header, size_t bytes)
{
    if (header->credits > connection->peer_window - connection->credits) {
        mrpc_rdma_connection_fail_text(connection, MRPC_EPROTO, "the peer gives more credits than its window has");
        return false;
    }
    connection->credits += header->credits;
    if (bytes == 0)
        return true;
    if (connection->allowed == 0) {
        mrpc_rdma_connection_fail_text(connection, MRPC_EPROTO, "the peer sends without a credit");
        return false;
    }
    connection->allowed--;
    connection->owed++;
    return true;
}

static void take_bytes(mrpc_rdma_connection *connection, char *data, size_t bytes)
{
    int failure = mrpc_stream_rx_feed(&connection->rx, data, bytes);
    if (failure != 0)
        mrpc_rdma_connection_fail_text(connection, connection->reason.code, connection->reason.text);
    mrpc_stream_rx_rest(&connection->rx);
}

static void take_message(mrpc_rdma_connection *connection, char *data, size_t bytes)
{
    mrpc_rdma_header header;
    if (bytes < sizeof header || bytes % 8 != 0) {
        mrpc_rdma_connection_fail_text(connection, MRPC_EPROTO, "a message whose size is not a multiple of 8");
        return;
    }
    memcpy(&header, data, sizeof header);
    bytes -= sizeof header;
    if (!take_header(connection, &header, bytes))
        return;
    if (bytes > 0)
        take_bytes(connection, data + sizeof header, bytes);
    if ((header.flags & RDMA_GOODBYE) && mrpc_rdma_is_open(connection))
        said_goodbye(connection);
}

static bool received(mrpc_rdma_connection *connection, const struct ibv_wc *completion, char *data)
{
    uint64_t frames = connection->rx.frames;
    if (completion->status != IBV_WC_SUCCESS)
        completion_failed(connection, completion, "a receive");
    else if (mrpc_rdma_is_open(connection))
        take_message(connection, data, completion->byte_len);
    if (connection->rx.frames == frames)
        return false;
    connection->base.active = mrpc_loop_now(connection->rdma->loop);
    return true;
}

/* Of a failed one the opcode need not be valid (ibv_poll_cq(3)): then it is what it is most of the time. */
static const char *name_of(enum ibv_wc_opcode opcode)
{
    switch (opcode) {
    case IBV_WC_RDMA_READ:
        return "an RDMA read";
    case IBV_WC_BIND_MW:
        return "binding a memory window";
    case IBV_WC_LOCAL_INV:
        return "closing a memory window";
    default:
        return "a send";
    }
}

static void sent(mrpc_rdma_connection *connection, const struct ibv_wc *completion)
{
    bool goodbye = mrpc_rdma_sends_done(connection, (uint32_t)completion->wr_id, completion->status == IBV_WC_SUCCESS);
    if (completion->status != IBV_WC_SUCCESS)
        completion_failed(connection, completion, name_of(completion->opcode));
    if (connection->state == RDMA_LEAVING && (goodbye || completion->status != IBV_WC_SUCCESS))
        connection->failed = true; /* nothing is left to wait for: leave() frees it */
}

bool mrpc_rdma_complete(mrpc_rdma_hub *hub, const struct ibv_wc *completion)
{
    mrpc_rdma_connection *connection = mrpc_rdma_hub_find(hub, completion->qp_num);
    bool receive = completion->wr_id < hub->slot_count;
    if (connection == NULL || (!receive && completion->wr_id >> 32 != connection->number))
        return false; /* of a queue pair that is gone */
    mrpc_rdma_connection_enter(connection);
    if (connection->state == RDMA_ACCEPTING &&
        completion->status == IBV_WC_SUCCESS) /* the peer was faster than the connection manager */
        mrpc_rdma_listener_accepted(connection);
    bool came = false;
    if (receive)
        came = received(connection, completion, hub->slots[completion->wr_id].data);
    else
        sent(connection, completion);
    mrpc_rdma_hub_touch(connection);
    mrpc_rdma_connection_leave(connection);
    return came;
}

bool mrpc_rdma_settle(mrpc_rdma_connection *connection)
{
    mrpc_rdma_connection_enter(connection);
    bool came = mrpc_rdma_read_deliver(connection);
    if (came)
        connection->base.active = mrpc_loop_now(connection->rdma->loop);
    if (mrpc_rdma_is_open(connection))
        mrpc_rdma_send(connection);
    mrpc_rdma_connection_leave(connection);
    return came;
}
