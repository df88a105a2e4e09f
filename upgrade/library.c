/* SPDX-License-Identifier: BSD-2-Clause */
/* library.c - dlopen and dlclose that are sure of what they did */
#include "config.h"

#include "upgrade/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The dynamic linker's last reason, without the path that only this process knows. */
static const char *linker_reason(void)
{
    const char *text = dlerror();
    if (text == NULL)
        return "the dynamic linker gives no reason";
    const char *prefix = "/proc/self/fd/";
    size_t length = 0;
    while (prefix[length] != '\0' && text[length] == prefix[length])
        length++;
    if (prefix[length] != '\0')
        return text;
    while (text[length] >= '0' && text[length] <= '9')
        length++;
    return text[length] == ':' && text[length + 1] == ' ' ? text + length + 2 : text;
}

int mrpc_library_open(mrpc_library *library, int copy, const char *symbol, mrpc_error *error)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", copy);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return mrpc_error_set(error, MRPC_EMODULE, "it cannot be loaded: %s", linker_reason());
    *library = (mrpc_library){.handle = handle, .table = dlsym(handle, symbol), .copy = copy};
    if (library->table != NULL)
        return 0;
    int result = mrpc_library_close(library, error);
    return result != 0 ? result : mrpc_error_set(error, MRPC_EMODULE, "it does not export the symbol %s", symbol);
}

int mrpc_library_close(mrpc_library *library, mrpc_error *error)
{
    if (dlclose(library->handle) != 0)
        return mrpc_error_set(error, MRPC_EMODULE, "it cannot be unloaded: %s", linker_reason());
    bool mapped;
    int result = mrpc_library_is_mapped(library->copy, &mapped, error);
    if (result == 0 && mapped)
        result = mrpc_error_set(error, MRPC_EMODULE,
                                "it was closed but stays mapped: something in it (a unique symbol, a thread's storage, "
                                "another handle) keeps it");
    return result;
}

/* A line: address-address flags offset major:minor inode path (proc_pid_maps(5)). */
static bool line_is_of(const char *line, const struct stat *file)
{
    unsigned device_major, device_minor;
    uint64_t inode;
    if (sscanf(line, "%*x-%*x %*s %*x %x:%x %" SCNu64, &device_major, &device_minor, &inode) != 3)
        return false;
    return device_major == major(file->st_dev) && device_minor == minor(file->st_dev) && inode == file->st_ino;
}

int mrpc_library_is_mapped(int fd, bool *mapped, mrpc_error *error)
{
    struct stat file;
    if (fstat(fd, &file) != 0)
        return mrpc_error_system(error, errno, "cannot examine the private copy");
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL)
        return mrpc_error_system(error, errno, "cannot read /proc/self/maps");
    char line[512];
    bool found = false, begins_line = true;
    while (!found && fgets(line, sizeof line, maps) != NULL) {
        found = begins_line && line_is_of(line, &file);
        size_t length = 0;
        while (line[length] != '\0')
            length++;
        begins_line = length > 0 && line[length - 1] == '\n';
    }
    fclose(maps);
    *mapped = found;
    return 0;
}
