/* SPDX-License-Identifier: BSD-2-Clause */
/* packet.c - packets with descriptors over the socket of a connection */
#include "config.h"

#include "transports/shm/packet.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONTROL_ROOM = 16 }; /* descriptors that there is room for: the kernel drops what a hostile peer sends beyond */

static bool would_block(int reason)
{
    return reason == EAGAIN || reason == EWOULDBLOCK;
}

int mrpc_shm_packet_send(int socket, mrpc_shm_packet *packet, const int *descriptors, uint32_t count)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(SHM_DESCRIPTORS * sizeof(int))];
    } control = {.room = {0}};
    packet->magic = SHM_MAGIC;
    packet->version = SHM_VERSION;
    struct iovec part = {.iov_base = packet, .iov_len = sizeof *packet};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), descriptors, count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return 0;
    if (would_block(errno))
        return MRPC_EAGAIN;
    return errno == EPIPE || errno == ECONNRESET ? MRPC_ECLOSED : MRPC_ESYS;
}

static void close_all(int *descriptors, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (descriptors[i] >= 0)
            close(descriptors[i]);
        descriptors[i] = -1;
    }
}

/* Takes the first ones, closes those that nobody asked for. */
static void take_descriptors(struct msghdr *message, int *descriptors)
{
    uint32_t taken = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (taken < SHM_DESCRIPTORS)
                descriptors[taken++] = fd;
            else
                close(fd);
        }
    }
}

/* A peer that goes away without having read everything leaves ECONNRESET, once, before what it sent. */
static ssize_t receive(int socket, struct msghdr *message)
{
    for (int resets = 0;;) {
        ssize_t got = recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (got >= 0 || (errno != EINTR && (errno != ECONNRESET || ++resets > 1)))
            return got;
    }
}

int mrpc_shm_packet_receive(int socket, mrpc_shm_packet *packet, int descriptors[SHM_DESCRIPTORS])
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(CONTROL_ROOM * sizeof(int))];
    } control;
    for (int i = 0; i < SHM_DESCRIPTORS; i++)
        descriptors[i] = -1;
    struct iovec part = {.iov_base = packet, .iov_len = sizeof *packet};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t got = receive(socket, &message);
    if (got == 0 || (got < 0 && errno == ECONNRESET))
        return MRPC_ECLOSED;
    if (got < 0)
        return would_block(errno) ? MRPC_EAGAIN : MRPC_ESYS;
    take_descriptors(&message, descriptors);
    bool whole = got == sizeof *packet && (message.msg_flags & MSG_TRUNC) == 0 && packet->magic == SHM_MAGIC &&
                 packet->version == SHM_VERSION;
    bool all_taken = (message.msg_flags & MSG_CTRUNC) == 0;
    if (whole && all_taken) {
        packet->text[SHM_TEXT - 1] = '\0';
        return 0;
    }
    close_all(descriptors, SHM_DESCRIPTORS);
    return whole ? MRPC_ELIMIT : got == 1 ? MRPC_ENOENT : MRPC_EPROTO;
}
