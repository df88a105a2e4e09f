/* SPDX-License-Identifier: BSD-2-Clause */
/* trust.c - opens a file after checking who can write it and the folders on the way to it */
#include "config.h"

#include "upgrade/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

/* Fails for what somebody else could have written. `what` and `path` are for the message. */
static int check_owner_and_mode(const struct stat *status, uid_t own, const char *what, const char *path,
                                mrpc_error *error)
{
    if (status->st_uid != 0 && status->st_uid != own)
        return mrpc_error_set(error, MRPC_EPERM,
                              "%s %s belongs to user %u; only files of root or of user %u are loaded: chown it", what,
                              path, (unsigned)status->st_uid, (unsigned)own);
    bool sticky_folder = S_ISDIR(status->st_mode) && (status->st_mode & S_ISVTX) != 0;
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky_folder)
        return mrpc_error_set(error, MRPC_EPERM,
                              "%s %s has mode %04o: its group or others could change what is loaded; chmod go-w it",
                              what, path, (unsigned)status->st_mode & 07777);
    return 0;
}

static int check_folder(int folder, uid_t own, const char *path, mrpc_error *error)
{
    struct stat status;
    if (fstat(folder, &status) != 0)
        return mrpc_error_system(error, errno, "cannot examine the folder %s", path);
    return check_owner_and_mode(&status, own, "the folder", path, error);
}

/* Opens `name` in `folder`, which is closed, and checks it; returns the descriptor or an error. */
static int enter_folder(int folder, const char *name, uid_t own, const char *path, mrpc_error *error)
{
    int next = openat(folder, name, FOLDER_FLAGS);
    int opened = errno;
    close(folder);
    if (next < 0)
        return mrpc_error_system(error, opened, "cannot open the folder %s", path);
    int result = check_folder(next, own, path, error);
    if (result == 0)
        return next;
    close(next);
    return result;
}

/* Walks from the root to `folder`, an absolute path without links or dots; returns a descriptor of it, or an error. */
static int walk(char *folder, uid_t own, mrpc_error *error)
{
    int current = open("/", FOLDER_FLAGS);
    if (current < 0)
        return mrpc_error_system(error, errno, "cannot open /");
    int result = check_folder(current, own, "/", error);
    if (result != 0) {
        close(current);
        return result;
    }
    for (char *name = folder + 1; current >= 0 && *name != '\0';) {
        char *end = strchrnul(name, '/');
        char separator = *end;
        *end = '\0'; /* so that `folder` is the path up to here */
        current = enter_folder(current, name, own, folder, error);
        *end = separator;
        name = separator == '\0' ? end : end + 1;
    }
    return current;
}

static int check_file(int file, uid_t own, const char *path, mrpc_error *error)
{
    struct stat status;
    if (fstat(file, &status) != 0)
        return mrpc_error_system(error, errno, "cannot examine %s", path);
    if (!S_ISREG(status.st_mode))
        return mrpc_error_set(error, MRPC_EINVAL, "%s is not a regular file", path);
    return check_owner_and_mode(&status, own, "the file", path, error);
}

/* O_NONBLOCK: opening a FIFO or a device that was put there must not block. */
static int open_file(int folder, const char *name, uid_t own, const char *path, mrpc_error *error)
{
    int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0 && errno == ENOENT)
        return mrpc_error_set(error, MRPC_ENOENT, "there is no file %s", path);
    if (file < 0 && errno == ELOOP)
        return mrpc_error_set(error, MRPC_EINVAL, "%s is a symbolic link; name the file itself", path);
    if (file < 0)
        return mrpc_error_system(error, errno, "cannot open %s", path);
    int result = check_file(file, own, path, error);
    if (result == 0)
        return file;
    close(file);
    return result;
}

/* Splits a path into the real path of its folder, in `folder`, and the name in it. */
static int split(const char *path, char folder[PATH_MAX], const char **name, mrpc_error *error)
{
    const char *slash = strrchr(path, '/');
    *name = slash == NULL ? path : slash + 1;
    if (**name == '\0' || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0 || strlen(path) >= PATH_MAX)
        return mrpc_error_set(error, MRPC_EINVAL, "\"%.200s\" is not the path of a file", path);
    char parent[PATH_MAX] = ".";
    if (slash != NULL)
        memcpy(parent, path, (size_t)(slash - path) + 1), parent[slash - path + 1] = '\0';
    if (realpath(parent, folder) != NULL)
        return 0;
    if (errno == ENOENT || errno == ENOTDIR)
        return mrpc_error_set(error, MRPC_ENOENT, "there is no folder %s", parent);
    return mrpc_error_system(error, errno, "cannot resolve the folder %s", parent);
}

int mrpc_trust_open(const char *path, uid_t own, int *fd, mrpc_error *error)
{
    char folder[PATH_MAX];
    const char *name;
    int result = split(path, folder, &name, error);
    if (result != 0)
        return result;
    int parent = walk(folder, own, error);
    if (parent < 0)
        return parent;
    int file = open_file(parent, name, own, path, error);
    close(parent);
    if (file < 0)
        return file;
    *fd = file;
    return 0;
}
