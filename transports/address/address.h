/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * address.h - SCHEME://HOST:PORT, socket addresses, and looking names up; for the transports that are reached by them
 *
 * `scheme` is the transport's, for addresses in words and for the examples in errors.
 */
#ifndef MRPC_TRANSPORTS_ADDRESS_H
#define MRPC_TRANSPORTS_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <mrpc/error.h>

enum {
    MRPC_ADDRESSES = 16, /* of one name that are tried */
    MRPC_ADDRESS_HOST = 256,
    MRPC_ADDRESS_TEXT = 128 /* an address in words; as mrpc_connection.peer */
};

typedef union mrpc_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} mrpc_address;

typedef struct mrpc_addresses {
    mrpc_address list[MRPC_ADDRESSES];
    uint32_t count;
} mrpc_addresses;

/* --- address.c --- */

/* "HOST:PORT" or "[IPV6]:PORT". EINVAL, with an example. */
MRPC_MUST_CHECK int mrpc_address_split(const char *scheme, const char *text, char host[MRPC_ADDRESS_HOST],
                                       uint16_t *port, mrpc_error *error);
/* The same for an address to connect to: neither is missing. */
MRPC_MUST_CHECK int mrpc_address_split_peer(const char *scheme, const char *text, char host[MRPC_ADDRESS_HOST],
                                            uint16_t *port, mrpc_error *error);
/* Addresses that need no look-up: numeric ones and localhost. False: the host is a name. */
bool mrpc_address_known(const char *host, uint16_t port, mrpc_addresses *addresses);
/* Looks a name up, in files and DNS; blocks. 0, or an EAI_… code of getaddrinfo. */
MRPC_MUST_CHECK int mrpc_address_lookup(const char *host, uint16_t port, mrpc_addresses *addresses);
/* The addresses to listen at. Unlike connecting, this may block: a server that listens at a name waits for DNS before
 * it serves. EINVAL, ENOENT. */
MRPC_MUST_CHECK int mrpc_address_find_own(const char *scheme, const char *text, mrpc_addresses *addresses,
                                          mrpc_error *error);
socklen_t mrpc_address_size(const mrpc_address *address);
/* "tcp://127.0.0.1:5000" */
void mrpc_address_print(const char *scheme, const mrpc_address *address, char text[MRPC_ADDRESS_TEXT]);

/* --- lookup.c: names are looked up by a thread of their own --- */

typedef struct mrpc_lookup mrpc_lookup;

/* Starts one; its descriptor becomes readable when it is done. ENOMEM, ESYS. */
MRPC_MUST_CHECK int mrpc_lookup_start(const char *scheme, mrpc_lookup **lookup, const char *host, uint16_t port,
                                      mrpc_error *error);
int mrpc_lookup_fd(const mrpc_lookup *lookup);
/* True when it is done; then *failure is 0 or an EAI_… code. */
bool mrpc_lookup_done(const mrpc_lookup *lookup, mrpc_addresses *addresses, int *failure);
/* Lets go of it, done or not. NULL is allowed. */
void mrpc_lookup_free(mrpc_lookup *lookup);

#endif /* MRPC_TRANSPORTS_ADDRESS_H */
