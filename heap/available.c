/* SPDX-License-Identifier: BSD-2-Clause */
/* available.c - reading /proc/meminfo (its format: Documentation/filesystems/proc.rst of Linux) */
#include "config.h"

#include "heap/available.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The value of "NAME: 123 kB" in bytes; false when there is no such line. */
static bool read_line(const char *text, const char *name, uint64_t *bytes)
{
    const char *line = strstr(text, name);
    if (line == NULL)
        return false;
    *bytes = strtoull(line + strlen(name), NULL, 10) * 1024;
    return true;
}

uint64_t mrpc_memory_available_in(const char *meminfo)
{
    uint64_t memory, swap = 0;
    if (!read_line(meminfo, "MemAvailable:", &memory))
        return UINT64_MAX;
    (void)read_line(meminfo, "SwapFree:", &swap);
    return memory + swap;
}

uint64_t mrpc_memory_available(void)
{
    char text[2048];
    int file = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return UINT64_MAX;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    text[size > 0 ? size : 0] = '\0';
    return mrpc_memory_available_in(text);
}
