/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sanitize.h - tells AddressSanitizer which bytes of a heap are allocated
 *
 * So a build with it finds uses after free and overflows in messages as it does in malloc's memory. Nothing otherwise.
 */
#ifndef MRPC_HEAP_SANITIZE_H
#define MRPC_HEAP_SANITIZE_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MRPC_HEAP_POISONS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define MRPC_HEAP_POISONS 1
#endif

#ifdef MRPC_HEAP_POISONS
#include <sanitizer/asan_interface.h>
#define MRPC_HEAP_POISON(address, bytes) __asan_poison_memory_region((address), (bytes))
#define MRPC_HEAP_UNPOISON(address, bytes) __asan_unpoison_memory_region((address), (bytes))
#else
#define MRPC_HEAP_POISON(address, bytes) ((void)(address), (void)(bytes))
#define MRPC_HEAP_UNPOISON(address, bytes) ((void)(address), (void)(bytes))
#endif

#endif /* MRPC_HEAP_SANITIZE_H */
