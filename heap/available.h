/* SPDX-License-Identifier: BSD-2-Clause */
/* available.h - how much memory the machine could still give */
#ifndef MRPC_HEAP_AVAILABLE_H
#define MRPC_HEAP_AVAILABLE_H

#include <stdint.h>

/* Bytes that can be had without the kernel killing somebody, as /proc/meminfo says; UINT64_MAX when it cannot be read.
 * A system call or three; an estimate. */
uint64_t mrpc_memory_available(void);

/* The same from the text of /proc/meminfo. */
uint64_t mrpc_memory_available_in(const char *meminfo);

#endif /* MRPC_HEAP_AVAILABLE_H */
