/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock.h - a lock that costs one atomic exchange when nobody else wants it
 *
 * Releasing is a plain store. So a thread that begins to wait just then may be missed by the releasing one; it
 * therefore never sleeps longer than LOCK_NAP_NS at a time. The usual futex lock avoids that with a second
 * atomic operation in each release, which every uncontended allocation would pay.
 */
#ifndef MRPC_HEAP_LOCK_H
#define MRPC_HEAP_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <mrpc/visibility.h>

typedef struct mrpc_lock {
    _Atomic uint32_t taken;   /* 0 or 1; waiters sleep on it */
    _Atomic uint32_t waiters; /* how many sleep, or are about to */
} mrpc_lock;

/* Both are the slow paths of the functions below. */
void mrpc_lock_wait(mrpc_lock *lock);
void mrpc_lock_wake(mrpc_lock *lock);

static inline bool mrpc_lock_try(mrpc_lock *lock)
{
    return atomic_exchange_explicit(&lock->taken, 1, memory_order_acquire) == 0;
}

static inline void mrpc_lock_take(mrpc_lock *lock)
{
    if (MRPC_UNLIKELY(!mrpc_lock_try(lock)))
        mrpc_lock_wait(lock);
}

static inline void mrpc_lock_release(mrpc_lock *lock)
{
    atomic_store_explicit(&lock->taken, 0, memory_order_release);
    if (MRPC_UNLIKELY(atomic_load_explicit(&lock->waiters, memory_order_relaxed) != 0))
        mrpc_lock_wake(lock);
}

#endif /* MRPC_HEAP_LOCK_H */
