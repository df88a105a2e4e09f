/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * address.h - shm://NAME[?uid=NUMBER|any[&uid=…]]
 *
 * NAME is a socket in Linux's abstract namespace: it is gone when its server is, however that ended, and two servers
 * cannot have it at once. It is seen by all users in the network namespace, and so both sides ask the kernel who the
 * other one is (SO_PEERCRED). One's own user and root are let in; `uid` lets in others.
 */
#ifndef MRPC_TRANSPORTS_SHM_ADDRESS_H
#define MRPC_TRANSPORTS_SHM_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <mrpc/error.h>

enum { SHM_NAME = 97, SHM_USERS = 8 };

typedef struct mrpc_shm_address {
    char name[SHM_NAME];
    bool any_user;
    uint32_t user_count;
    uid_t users[SHM_USERS];
} mrpc_shm_address;

/* Reads what follows shm:// . EINVAL says what is wrong with it. */
int mrpc_shm_address_parse(mrpc_shm_address *address, const char *text, mrpc_error *error);

/* As above, for one who does not connect yet. */
int mrpc_shm_address_check(const char *text, mrpc_error *error);

/* The name as a socket address. Returns its length. */
socklen_t mrpc_shm_address_socket(const mrpc_shm_address *address, struct sockaddr_un *socket_address);

/* 0 when the process at the other end of a connected socket may talk to us; EPERM names both users. `other` is "client"
 * or "server". */
int mrpc_shm_address_admit(const mrpc_shm_address *address, int fd, const char *other, struct ucred *who,
                           mrpc_error *error);

#endif /* MRPC_TRANSPORTS_SHM_ADDRESS_H */
