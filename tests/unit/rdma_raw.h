/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rdma_raw.h - a peer over RDMA that is not mrpc: it connects as docs/PROTOCOL.md section 9 has it, and then says what
 * it likes
 */
#ifndef TESTS_UNIT_RDMA_RAW_H
#define TESTS_UNIT_RDMA_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rdma_raw rdma_raw;

/* To an address of IPv4. Returns when the other side has accepted, which somebody else has to drive. NULL: errno says
 * why. */
rdma_raw *rdma_raw_connect(const char *host, uint16_t port);
/* Sends bytes of the stream of frames, a multiple of 8, as one message. False: there is no credit at the moment. */
bool rdma_raw_send(rdma_raw *raw, const void *bytes, size_t size);
/* Says goodbye, or just goes; and frees it. */
void rdma_raw_close(rdma_raw *raw, bool says_goodbye);

#endif /* TESTS_UNIT_RDMA_RAW_H */
