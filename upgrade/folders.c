/* SPDX-License-Identifier: BSD-2-Clause */
/* folders.c - goes through the folders where shared objects are */
#include "config.h"

#include "upgrade/folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool look_into(mrpc_search *search, const char *folder, size_t length)
{
    char path[PATH_MAX];
    if (length == 0 || snprintf(path, sizeof path, "%.*s/%s", (int)length, folder, search->name) >= (int)sizeof path)
        return false;
    size_t used = strlen(search->folders);
    snprintf(search->folders + used, sizeof search->folders - used, "%s%.*s", used > 0 ? ":" : "", (int)length, folder);
    return search->found(search, path);
}

/* Folders separated by ':'. */
static bool look_along(mrpc_search *search, const char *path)
{
    while (path != NULL) {
        const char *end = strchrnul(path, ':');
        if (look_into(search, path, (size_t)(end - path)))
            return true;
        path = *end == ':' ? end + 1 : NULL;
    }
    return false;
}

static bool look_beside_executable(mrpc_search *search)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    if (length <= 0 || length >= (ssize_t)sizeof path)
        return false;
    const char *slash = memrchr(path, '/', (size_t)length);
    return slash != NULL && look_into(search, path, (size_t)(slash - path));
}

bool mrpc_search_folders(mrpc_search *search, const char *path)
{
    search->folders[0] = '\0';
    if (path == NULL)
        path = secure_getenv("MRPC_MODULE_PATH");
    return look_along(search, path) || look_beside_executable(search) ||
           look_into(search, MRPC_MODULE_DIR, strlen(MRPC_MODULE_DIR));
}
