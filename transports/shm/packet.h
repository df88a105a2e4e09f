/* SPDX-License-Identifier: BSD-2-Clause */
/* packet.h - packets with descriptors over the socket of a connection */
#ifndef MRPC_TRANSPORTS_SHM_PACKET_H
#define MRPC_TRANSPORTS_SHM_PACKET_H

#include <mrpc/error.h>

#include "transports/shm/layout.h"

enum { SHM_DESCRIPTORS = 2 };

/* Sends one packet; magic and version are filled in. Never blocks. Errors: EAGAIN (the socket is full), ECLOSED, ESYS
 * with errno. */
int mrpc_shm_packet_send(int socket, mrpc_shm_packet *packet, const int *descriptors, uint32_t count);

/* Receives one packet and its descriptors, which the caller closes; unused places are -1. Never blocks. Errors: EAGAIN
 * (none there), ECLOSED (the peer has gone), ENOENT (a single byte, which only wakes), EPROTO (not a packet of this
 * protocol), ELIMIT (not all of its descriptors could be taken), ESYS with errno; descriptors are then all -1. */
#define SHM_NOT_TAKEN                                                                                                  \
    "the descriptors of a packet could not be taken: this process has as many as it may have (ulimit -n), or too "     \
    "many came"
int mrpc_shm_packet_receive(int socket, mrpc_shm_packet *packet, int descriptors[SHM_DESCRIPTORS]);

#endif /* MRPC_TRANSPORTS_SHM_PACKET_H */
