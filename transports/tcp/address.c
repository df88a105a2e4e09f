/* SPDX-License-Identifier: BSD-2-Clause */
/* address.c - HOST:PORT and socket addresses */
#include "config.h"

#include "transports/tcp/tcp.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int malformed(const char *text, const char *what, mrpc_error *error)
{
    return mrpc_error_set(error, MRPC_EINVAL,
                          "tcp://%s: %s; write tcp://HOST:PORT, e.g. tcp://127.0.0.1:5000, tcp://[::1]:5000 or "
                          "tcp://server.example:5000",
                          text, what);
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

int mrpc_tcp_address_split(const char *text, char host[MRPC_TCP_HOST], uint16_t *port, mrpc_error *error)
{
    const char *begin = text, *end = strrchr(text, ':');
    if (end == NULL)
        return malformed(text, "it has no port", error);
    if (!parse_port(end + 1, port))
        return malformed(text, "the port is not a number from 0 to 65535", error);
    if (*begin == '[') {
        if (end[-1] != ']')
            return malformed(text, "the bracket is not closed before the port", error);
        begin++;
        end--;
    } else if (memchr(begin, ':', (size_t)(end - begin)) != NULL) {
        return malformed(text, "an IPv6 address stands in brackets", error);
    }
    size_t length = (size_t)(end - begin);
    if (length >= MRPC_TCP_HOST)
        return malformed(text, "the host is longer than 255 characters", error);
    memcpy(host, begin, length);
    host[length] = '\0';
    if (strpbrk(host, " /?#@[]*") != NULL)
        return malformed(text, "the host has a character that no host has", error);
    return 0;
}

static void add_v4(mrpc_tcp_addresses *addresses, in_addr_t host, uint16_t port)
{
    addresses->list[addresses->count++].v4 =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(host)}};
}

static void add_v6(mrpc_tcp_addresses *addresses, struct in6_addr host, uint16_t port)
{
    addresses->list[addresses->count++].v6 =
        (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = host};
}

/* Numeric addresses are looked up without asking anybody; getaddrinfo also knows scopes (fe80::1%eth0). */
static int look_up(const char *host, uint16_t port, int flags, mrpc_tcp_addresses *addresses)
{
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV}, *found = NULL;
    addresses->count = 0;
    int failure = getaddrinfo(host, service, &hints, &found);
    if (failure != 0)
        return failure;
    for (const struct addrinfo *at = found; at != NULL && addresses->count < MRPC_TCP_ADDRESSES; at = at->ai_next)
        if (at->ai_addrlen <= sizeof(mrpc_tcp_address))
            memcpy(&addresses->list[addresses->count++], at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
    return addresses->count > 0 ? 0 : EAI_NONAME;
}

bool mrpc_tcp_address_known(const char *host, uint16_t port, mrpc_tcp_addresses *addresses)
{
    if (strcasecmp(host, "localhost") == 0) { /* RFC 6761, 6.3: the loopback addresses, without asking DNS */
        addresses->count = 0;
        add_v4(addresses, INADDR_LOOPBACK, port);
        add_v6(addresses, in6addr_loopback, port);
        return true;
    }
    return look_up(host, port, AI_NUMERICHOST, addresses) == 0;
}

int mrpc_tcp_address_lookup(const char *host, uint16_t port, mrpc_tcp_addresses *addresses)
{
    return look_up(host, port, 0, addresses);
}

socklen_t mrpc_tcp_address_size(const mrpc_tcp_address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

void mrpc_tcp_address_print(const mrpc_tcp_address *address, char text[MRPC_TCP_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        snprintf(text, MRPC_TCP_TEXT, "tcp://[%s]:%u", host, ntohs(address->v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        snprintf(text, MRPC_TCP_TEXT, "tcp://%s:%u", host, ntohs(address->v4.sin_port));
    }
}
