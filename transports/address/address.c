/* SPDX-License-Identifier: BSD-2-Clause */
/* address.c - HOST:PORT and socket addresses */
#include "config.h"

#include "transports/address/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int malformed(const char *scheme, const char *text, const char *what, mrpc_error *error)
{
    return mrpc_error_set(error, MRPC_EINVAL,
                          "%s://%s: %s; write %s://HOST:PORT, e.g. %s://127.0.0.1:5000, %s://[::1]:5000 or "
                          "%s://server.example:5000",
                          scheme, text, what, scheme, scheme, scheme, scheme);
}

static bool parse_port(const char *text, uint16_t *port)
{
    unsigned value = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at) && value <= 65535; at++)
        value = value * 10 + (unsigned)(*at - '0');
    *port = (uint16_t)value;
    return at > text && *at == '\0' && value <= 65535;
}

int mrpc_address_split(const char *scheme, const char *text, char host[MRPC_ADDRESS_HOST], uint16_t *port,
                       mrpc_error *error)
{
    const char *begin = text, *end = strrchr(text, ':');
    if (end == NULL)
        return malformed(scheme, text, "it has no port", error);
    if (!parse_port(end + 1, port))
        return malformed(scheme, text, "the port is not a number from 0 to 65535", error);
    if (*begin == '[') {
        if (end[-1] != ']')
            return malformed(scheme, text, "the bracket is not closed before the port", error);
        begin++;
        end--;
    } else if (memchr(begin, ':', (size_t)(end - begin)) != NULL) {
        return malformed(scheme, text, "an IPv6 address stands in brackets", error);
    }
    size_t length = (size_t)(end - begin);
    if (length >= MRPC_ADDRESS_HOST)
        return malformed(scheme, text, "the host is longer than 255 characters", error);
    memcpy(host, begin, length);
    host[length] = '\0';
    if (strpbrk(host, " /?#@[]*") != NULL)
        return malformed(scheme, text, "the host has a character that no host has", error);
    return 0;
}

int mrpc_address_split_peer(const char *scheme, const char *text, char host[MRPC_ADDRESS_HOST], uint16_t *port,
                            mrpc_error *error)
{
    int failure = mrpc_address_split(scheme, text, host, port, error);
    if (failure != 0)
        return failure;
    if (host[0] == '\0' || *port == 0)
        return mrpc_error_set(error, MRPC_EINVAL,
                              "%s://%s: to connect takes a host and a port from 1, e.g. %s://127.0.0.1:5000", scheme,
                              text, scheme);
    return 0;
}

static void add_v4(mrpc_addresses *addresses, in_addr_t host, uint16_t port)
{
    addresses->list[addresses->count++].v4 =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(host)}};
}

static void add_v6(mrpc_addresses *addresses, struct in6_addr host, uint16_t port)
{
    addresses->list[addresses->count++].v6 =
        (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = host};
}

/* Numeric addresses are looked up without asking anybody; getaddrinfo also knows scopes (fe80::1%eth0). */
static int look_up(const char *host, uint16_t port, int flags, mrpc_addresses *addresses)
{
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV}, *found = NULL;
    addresses->count = 0;
    int failure = getaddrinfo(host, service, &hints, &found);
    if (failure != 0)
        return failure;
    for (const struct addrinfo *at = found; at != NULL && addresses->count < MRPC_ADDRESSES; at = at->ai_next)
        if (at->ai_addrlen <= sizeof(mrpc_address))
            memcpy(&addresses->list[addresses->count++], at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
    return addresses->count > 0 ? 0 : EAI_NONAME;
}

bool mrpc_address_known(const char *host, uint16_t port, mrpc_addresses *addresses)
{
    if (strcasecmp(host, "localhost") == 0) { /* RFC 6761, 6.3: the loopback addresses, without asking DNS */
        addresses->count = 0;
        add_v4(addresses, INADDR_LOOPBACK, port);
        add_v6(addresses, in6addr_loopback, port);
        return true;
    }
    return look_up(host, port, AI_NUMERICHOST, addresses) == 0;
}

int mrpc_address_lookup(const char *host, uint16_t port, mrpc_addresses *addresses)
{
    return look_up(host, port, 0, addresses);
}

socklen_t mrpc_address_size(const mrpc_address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

void mrpc_address_print(const char *scheme, const mrpc_address *address, char text[MRPC_ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        snprintf(text, MRPC_ADDRESS_TEXT, "%s://[%s]:%u", scheme, host, ntohs(address->v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        snprintf(text, MRPC_ADDRESS_TEXT, "%s://%s:%u", scheme, host, ntohs(address->v4.sin_port));
    }
}

int mrpc_address_find_own(const char *scheme, const char *text, mrpc_addresses *addresses, mrpc_error *error)
{
    char host[MRPC_ADDRESS_HOST];
    uint16_t port;
    int failure = mrpc_address_split(scheme, text, host, &port, error);
    if (failure != 0)
        return failure;
    if (host[0] == '\0')
        return mrpc_error_set(
            error, MRPC_EINVAL,
            "%s://%s: it has no host; %s://0.0.0.0:%u listens at all IPv4 addresses, %s://[::]:%u at all", scheme, text,
            scheme, port, scheme, port);
    if (mrpc_address_known(host, port, addresses))
        return 0;
    failure = mrpc_address_lookup(host, port, addresses);
    if (failure == 0)
        return 0;
    return mrpc_error_set(error, MRPC_ENOENT, "%s://%s: the name cannot be looked up: %s", scheme, text,
                          gai_strerror(failure));
}
