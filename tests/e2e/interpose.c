/* SPDX-License-Identifier: BSD-2-Clause */
/* interpose.c - a library to preload that counts allocations, locks and large copies, and passes each on; see
 * interpose.h */
#include "config.h"

#include "tests/e2e/interpose.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE = 4096 };

static interpose_counts counts;

__attribute__((visibility("default"))) const interpose_counts *mrpc_interpose_counts(void)
{
    return &counts;
}

static void add(uint64_t *counter, uint64_t amount)
{
    __atomic_fetch_add(counter, amount, __ATOMIC_RELAXED);
}

/* glibc's own names, so that nothing has to be looked up before the first allocation. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *pointer);

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t size)
{
    add(&counts.allocations, 1);
    return __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    add(&counts.allocations, 1);
    return __libc_calloc(count, size);
}

EXPORT void *realloc(void *pointer, size_t size)
{
    add(&counts.allocations, 1);
    return __libc_realloc(pointer, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    add(&counts.allocations, 1);
    return __libc_memalign(alignment, size);
}

EXPORT int posix_memalign(void **pointer, size_t alignment, size_t size)
{
    add(&counts.allocations, 1);
    *pointer = __libc_memalign(alignment, size);
    return *pointer == NULL ? 12 : 0; /* ENOMEM */
}

EXPORT void free(void *pointer)
{
    if (pointer != NULL)
        add(&counts.frees, 1);
    __libc_free(pointer);
}

/* Copies by a loop, since any call here would come back to this function. */
static void copy_forward(unsigned char *to, const unsigned char *from, size_t size)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

static void count_copy(size_t size)
{
    if (size >= LARGE) {
        add(&counts.large_copies, 1);
        add(&counts.large_bytes, size);
    }
}

EXPORT void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    count_copy(size);
    copy_forward(to, from, size);
    return to;
}

EXPORT void *mempcpy(void *restrict to, const void *restrict from, size_t size)
{
    count_copy(size);
    copy_forward(to, from, size);
    return (char *)to + size;
}

EXPORT void *memmove(void *to, const void *from, size_t size)
{
    count_copy(size);
    if ((uintptr_t)to - (uintptr_t)from >= size) {
        copy_forward(to, from, size);
    } else {
        volatile unsigned char *output = to;
        const unsigned char *input = from;
        while (size-- > 0)
            output[size] = input[size];
    }
    return to;
}

/* A lock function that counts and then calls the next one of its name. */
#define COUNTED_LOCK(name, type)                                                                                       \
    EXPORT int name(type *object)                                                                                      \
    {                                                                                                                  \
        static int (*next)(type *);                                                                                    \
        if (next == NULL)                                                                                              \
            *(void **)&next = dlsym(RTLD_NEXT, #name);                                                                 \
        add(&counts.locks, 1);                                                                                         \
        return next(object);                                                                                           \
    }

COUNTED_LOCK(pthread_mutex_lock, pthread_mutex_t)
COUNTED_LOCK(pthread_mutex_trylock, pthread_mutex_t)
COUNTED_LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
COUNTED_LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
COUNTED_LOCK(pthread_cond_signal, pthread_cond_t)
COUNTED_LOCK(pthread_cond_broadcast, pthread_cond_t)

EXPORT int pthread_spin_lock(pthread_spinlock_t *object)
{
    static int (*next)(pthread_spinlock_t *);
    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "pthread_spin_lock");
    add(&counts.locks, 1);
    return next(object);
}
