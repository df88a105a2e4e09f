/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock.h - a lock that costs its usual thread nothing, and another one that nobody contends with an atomic exchange
 *
 * Releasing is a plain store. So a thread that begins to wait just then may be missed by the releasing one; it
 * therefore never sleeps longer than LOCK_NAP_NS at a time. The usual futex lock avoids that with a second
 * atomic operation in each release, which every uncontended allocation would pay. The store is also the last that the
 * releasing thread has to do with the lock, so that the next one to have it may free it.
 *
 * A thread that has taken the lock many times in a row gets it biased towards it: from then on it says `inside`, and
 * looks whether the bias is still there. Another one takes `taken`, withdraws the bias, and waits until nobody is
 * inside; the heavy barrier between the two sees to it that one of both notices the other (bias.h; tests/sim/bias.pml
 * models a gate that does so too). How many times in a row that takes doubles with each withdrawal. Only one thread is
 * ever favoured, since one that was interrupted on its way in may say `inside` long after it has lost the bias.
 */
#ifndef MRPC_HEAP_LOCK_H
#define MRPC_HEAP_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <mrpc/visibility.h>

#include "heap/bias.h"

/* Zero-initialised it is free and never biased. */
typedef struct mrpc_lock {
    _Atomic uintptr_t bias;   /* the thread that takes it without an exchange; 0: none */
    _Atomic uint32_t inside;  /* that one has it; only the favoured thread writes it */
    _Atomic uint32_t taken;   /* 0 or 1; waiters sleep on it */
    _Atomic uint32_t waiters; /* how many sleep, or are about to */
    /* Of who has it. */
    bool quick;         /* it was taken by way of the bias */
    uint32_t streak;    /* how many times `last` has taken it in a row */
    uint32_t needed;    /* of them for a bias; 0: never */
    uintptr_t last;     /* who has had it */
    uintptr_t favoured; /* the only thread that it was ever biased to; 0: none yet */
} mrpc_lock;

/* The lock may be biased from now on, if the kernel can do it. Before others know it. */
void mrpc_lock_allow_bias(mrpc_lock *lock);

/* The slow paths of the functions below. */
void mrpc_lock_wait(mrpc_lock *lock);
void mrpc_lock_wake(_Atomic uint32_t *taken);
/* `taken` is ours: withdraws the bias, and counts. */
void mrpc_lock_settle(mrpc_lock *lock);

static inline bool mrpc_lock_enter_biased(mrpc_lock *lock)
{
    uintptr_t self = mrpc_this_thread();
    if (atomic_load_explicit(&lock->bias, memory_order_relaxed) != self)
        return false;
    atomic_store_explicit(&lock->inside, 1, memory_order_relaxed);
    mrpc_bias_light();
    if (MRPC_LIKELY(atomic_load_explicit(&lock->bias, memory_order_relaxed) == self)) {
        lock->quick = true;
        return true;
    }
    atomic_store_explicit(&lock->inside, 0, memory_order_release);
    return false;
}

/* False: somebody else has it. It may wait while another thread, towards which it is biased, has it. */
static inline bool mrpc_lock_try(mrpc_lock *lock)
{
    if (MRPC_LIKELY(mrpc_lock_enter_biased(lock)))
        return true;
    if (atomic_exchange_explicit(&lock->taken, 1, memory_order_acquire) != 0)
        return false;
    mrpc_lock_settle(lock);
    return true;
}

static inline void mrpc_lock_take(mrpc_lock *lock)
{
    if (MRPC_UNLIKELY(!mrpc_lock_try(lock)))
        mrpc_lock_wait(lock);
}

static inline void mrpc_lock_release(mrpc_lock *lock)
{
    if (MRPC_LIKELY(lock->quick)) {
        lock->quick = false;
        atomic_store_explicit(&lock->inside, 0, memory_order_release);
        return;
    }
    uint32_t waiters = atomic_load_explicit(&lock->waiters, memory_order_relaxed);
    _Atomic uint32_t *taken = &lock->taken;
    atomic_store_explicit(taken, 0, memory_order_release);
    if (MRPC_UNLIKELY(waiters != 0))
        mrpc_lock_wake(taken);
}

#endif /* MRPC_HEAP_LOCK_H */
