/* SPDX-License-Identifier: BSD-2-Clause */
/* channel.h - the client's way to a server: an address, and a connection that is made and remade as needed */
#ifndef MRPC_CHANNEL_H
#define MRPC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mrpc/error.h>
#include <mrpc/heap.h>
#include <mrpc/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mrpc_channel mrpc_channel;

/* What a connection is allowed and how it behaves; for channels and servers alike. Zero means the default. */
typedef struct mrpc_connection_options {
    size_t size;          /* sizeof(mrpc_connection_options) */
    uint64_t max_message; /* bytes of one received message; default 64 MiB */
    /* Bytes of messages that have begun to come and are not complete, all of a connection's together; default 256 MiB,
     * or max_message where that is more. The peer keeps to it and begins no further message beyond it; if it does not,
     * the message is refused and its call ends. */
    uint64_t max_unfinished;
    /* Server: bytes of a connection's requests and stream messages that the application is not done with, and of
     * replies that the peer does not take, all together; beyond it calls are refused with RESOURCE_EXHAUSTED. At least
     * max_message; default 256 MiB, or max_message where that is more. */
    uint64_t max_held;
    uint32_t max_calls; /* open at once on a connection, as accepted from the peer; those that it cancelled count until
                           their handlers are done; default 4,096 */
    uint64_t window;    /* bytes in flight of each stream direction; default 1 MiB */
    uint32_t chunk;     /* largest frame payload, bytes, 32 KiB to 16 MiB; default 64 KiB */
    const char *congestion;  /* tcp: congestion control, e.g. "cubic"; NULL: the host's default */
    uint32_t send_buffer;    /* tcp: SO_SNDBUF, bytes; 0: the kernel's choice */
    uint32_t receive_buffer; /* tcp: SO_RCVBUF */
    uint32_t unsent; /* tcp: TCP_NOTSENT_LOWAT, bytes that may wait in the socket until the network takes them: a small
                        frame waits behind no more than these and what is under way; 4 KiB to 1 GiB, default 256 KiB */
    uint32_t keepalive_s;    /* tcp: idle seconds before probes, at most 32,767; 0: the kernel's default, no probes */
    uint32_t busy_poll_us;   /* tcp: SO_BUSY_POLL, at most 1,000,000; more than the host's default (sysctl
                                net.core.busy_read) takes CAP_NET_ADMIN */
    const char *source;      /* tcp, rdma; client: numeric source address */
    uint64_t zero_copy;      /* tcp: MSG_ZEROCOPY for payloads from so many bytes on; 0: never */
    uint64_t shm_data;       /* shm: bytes of the ring's data area each way; default 4 MiB */
    uint64_t shm_references; /* shm: bytes that may be out by reference; default 256 MiB */
    bool shm_copy;           /* shm: copy referenced payloads in, so that they can't change under the reader */
    uint32_t rdma_window;    /* rdma: receive buffers for the peer's messages, 1 to 1,024; default 16 */
    uint32_t rdma_buffer;    /* rdma: bytes of each of them, 1 KiB to 32 KiB, a multiple of 8; default 16 KiB */
    uint32_t rdma_segments;  /* rdma: segments of a work request, 2 to 16; default 8; lowered to what the device has */
    uint32_t rdma_retry;     /* rdma: times that a message is sent again before the connection has failed, 1 to 6;
                                default 6 */
    uint32_t rdma_rnr_retry; /* rdma: the same when the peer has no buffer, which does not happen between mrpc's
                                peers */
    uint64_t rdma_read; /* rdma: a message with a payload of so many bytes or more is not sent but read by the peer,
                           from where it lies in the heap; 0, the default: none is (docs/RDMA.md says why) */
    bool rdma_retry_forever; /* rdma: 7 for both, which some devices take for ever: a dead peer may never be noticed */
    bool rdma_no_inline;     /* rdma: do without inline sends, as a device without them does */
    bool rdma_no_srq;        /* rdma: a receive queue for each connection, as on a device that can share none */
    /* rdma: the device to use, "NAME", "NAME/PORT" or "NAME/PORT/GID", e.g. "mlx5_0/1/3": a client goes out by it, with
     * that entry of its GID table; a server takes connections by it alone. NULL: what address and route say. */
    const char *rdma_device;
    uint8_t rdma_traffic_class;   /* rdma: of the packets that are sent; RoCE: its upper 6 bits are the DSCP */
    uint32_t rdma_ack_timeout_us; /* rdma: how long to wait for an acknowledgement before a message is sent again, 8 or
                                     more, rounded up to 4.096 us times a power of two; 0: what the connection manager
                                     takes, about half a second */
} mrpc_connection_options;

/* Options of a channel. Zero means the default. */
typedef struct mrpc_channel_options {
    size_t size;                 /* sizeof(mrpc_channel_options) */
    mrpc_runtime *runtime;       /* NULL: a runtime of its own with default options */
    uint64_t timeout_ms;         /* of calls that name none; 0: none */
    uint32_t connect_timeout_ms; /* of one attempt; default 20,000 */
    uint32_t backoff_min_ms;     /* before the second attempt; default 100; grows by 1.6 with 20 % of jitter */
    uint32_t backoff_max_ms;     /* default 30,000 */
    uint32_t max_pending;        /* calls begun and not ended; default 65,536 */
    mrpc_connection_options connection;
    size_t heap_limit; /* bytes of the heap for requests, mrpc_channel_heap(); default 1 GiB; addresses are reserved for
                          them at once */
} mrpc_channel_options;

/* A channel to `address`: tcp://HOST:PORT, shm://NAME, rdma://HOST:PORT, sim://NAME. `options` may be NULL. Does not
 * connect yet and does not block; calls, or mrpc_channel_connect(), do. The caller closes it with mrpc_channel_close().
 * Errors: EINVAL (address, option), ENOMEM, ESYS, ENOTSUP (no such transport), EFORKED. */
MRPC_API MRPC_MUST_CHECK int mrpc_channel_new(mrpc_channel **channel, const char *address,
                                              const mrpc_channel_options *options, mrpc_error *error);

/* Waits until the channel is connected, or the time is up: ETIMEDOUT, ESYS (with what the last attempt met), EDEADLK.
 * Drives the runtime. */
MRPC_API MRPC_MUST_CHECK int mrpc_channel_connect(mrpc_channel *channel, int timeout_ms, mrpc_error *error);

/* Ends calls that are open with CANCELLED (their callbacks run first), closes the connection, frees the channel. Blocks
 * only for another thread that drives. Not from a handler or callback of the same runtime: there it is deferred until
 * that returns. NULL is allowed. */
MRPC_API void mrpc_channel_close(mrpc_channel *channel);

MRPC_API mrpc_runtime *mrpc_channel_runtime(mrpc_channel *channel);

/* The heap for requests: large fields of messages made in it travel without a copy where the transport can. Owned by
 * the channel. */
MRPC_API mrpc_heap *mrpc_channel_heap(mrpc_channel *channel);

#ifdef __cplusplus
}
#endif

#endif /* MRPC_CHANNEL_H */
