/* SPDX-License-Identifier: BSD-2-Clause */
/* address.c - names of shared-memory servers, and who may talk to whom */
#include "config.h"

#include "transports/shm/address.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "mrpc/"

static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@+";

/* One user in [text, end). */
static int add_user(mrpc_shm_address *address, const char *text, const char *end, mrpc_error *error)
{
    if (end - text == 3 && memcmp(text, "any", 3) == 0) {
        address->any_user = true;
        return 0;
    }
    char *stop;
    errno = 0;
    unsigned long number = strtoul(text, &stop, 10);
    if (stop != end || end == text || *text < '0' || *text > '9' || errno != 0 || number > UINT32_MAX)
        return mrpc_error_set(error, MRPC_EINVAL, "shm://%s: uid=%.*s is neither a number nor any", address->name,
                              (int)(end - text), text);
    if (address->user_count == SHM_USERS)
        return mrpc_error_set(error, MRPC_EINVAL, "shm://%s: an address can name at most %d users", address->name,
                              SHM_USERS);
    address->users[address->user_count++] = (uid_t)number;
    return 0;
}

static int parse_options(mrpc_shm_address *address, const char *text, mrpc_error *error)
{
    if (*text == '\0')
        return mrpc_error_set(error, MRPC_EINVAL, "shm://%s?: an option is missing; there is uid=NUMBER and uid=any",
                              address->name);
    while (*text != '\0') {
        const char *end = text + strcspn(text, "&");
        if (strncmp(text, "uid=", 4) != 0)
            return mrpc_error_set(error, MRPC_EINVAL, "shm://%s: unknown option %.*s; there is uid=NUMBER and uid=any",
                                  address->name, (int)(end - text), text);
        int failure = add_user(address, text + 4, end, error);
        if (failure != 0)
            return failure;
        text = *end == '&' ? end + 1 : end;
    }
    return 0;
}

int mrpc_shm_address_parse(mrpc_shm_address *address, const char *text, mrpc_error *error)
{
    memset(address, 0, sizeof *address);
    size_t length = strspn(text, allowed);
    if (length == 0 || length >= SHM_NAME || (text[length] != '\0' && text[length] != '?'))
        return mrpc_error_set(error, MRPC_EINVAL,
                              "shm://%s: a name has 1 to %d letters, digits and characters out of ._-/:@+", text,
                              SHM_NAME - 1);
    memcpy(address->name, text, length);
    return text[length] == '?' ? parse_options(address, text + length + 1, error) : 0;
}

int mrpc_shm_address_check(const char *text, mrpc_error *error)
{
    mrpc_shm_address parsed;
    return mrpc_shm_address_parse(&parsed, text, error);
}

socklen_t mrpc_shm_address_socket(const mrpc_shm_address *address, struct sockaddr_un *socket_address)
{
    size_t length = strlen(address->name);
    memset(socket_address, 0, sizeof *socket_address);
    socket_address->sun_family = AF_UNIX;
    memcpy(socket_address->sun_path + 1, PREFIX, strlen(PREFIX));
    memcpy(socket_address->sun_path + 1 + strlen(PREFIX), address->name, length);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(PREFIX) + length);
}

static bool allows(const mrpc_shm_address *address, uid_t user)
{
    if (address->any_user || user == geteuid() || user == 0)
        return true;
    for (uint32_t i = 0; i < address->user_count; i++)
        if (address->users[i] == user)
            return true;
    return false;
}

int mrpc_shm_address_admit(const mrpc_shm_address *address, int fd, const char *other, struct ucred *who,
                           mrpc_error *error)
{
    socklen_t size = sizeof *who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &size) != 0)
        return mrpc_error_system(error, errno, "shm://%s: who is the %s", address->name, other);
    if (allows(address, who->uid))
        return 0;
    return mrpc_error_set(
        error, MRPC_EPERM,
        "shm://%s: the %s runs as user %u, not as user %u or root; to allow that, add ?uid=%u to the address",
        address->name, other, (unsigned)who->uid, (unsigned)geteuid(), (unsigned)who->uid);
}
