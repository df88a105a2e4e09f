/* SPDX-License-Identifier: BSD-2-Clause */
/* lock.c - waiting for a lock that is taken, and whom it is biased towards */
#include "config.h"

#include "heap/lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOCK_SPINS 64
#define LOCK_NAP_NS 1000000

enum { FIRST_STREAK = 64, LONGEST_STREAK = 1 << 20 };

void mrpc_lock_allow_bias(mrpc_lock *lock)
{
    if (mrpc_bias_possible())
        lock->needed = FIRST_STREAK;
}

static void withdraw(mrpc_lock *lock)
{
    atomic_store_explicit(&lock->bias, 0, memory_order_relaxed);
    mrpc_bias_heavy();
    for (unsigned n = 0; atomic_load_explicit(&lock->inside, memory_order_acquire) != 0; n++)
        mrpc_bias_pause(n);
    lock->streak = 0;
    if (lock->needed < LONGEST_STREAK)
        lock->needed *= 2;
}

void mrpc_lock_settle(mrpc_lock *lock)
{
    if (lock->needed == 0)
        return;
    if (atomic_load_explicit(&lock->bias, memory_order_relaxed) != 0)
        withdraw(lock);
    uintptr_t self = mrpc_this_thread();
    lock->streak = lock->last == self ? lock->streak + 1 : 0;
    lock->last = self;
    if (lock->streak < lock->needed || (lock->favoured != 0 && lock->favoured != self))
        return;
    lock->favoured = self;
    lock->streak = 0;
    atomic_store_explicit(&lock->bias, self, memory_order_relaxed); /* `taken` is still ours until the release */
}

static bool spin(mrpc_lock *lock)
{
    for (unsigned i = 0; i < LOCK_SPINS; i++) {
        mrpc_bias_pause(i);
        if (atomic_load_explicit(&lock->taken, memory_order_relaxed) == 0 && mrpc_lock_try(lock))
            return true;
    }
    return false;
}

void mrpc_lock_wait(mrpc_lock *lock)
{
    static const struct timespec nap = {.tv_nsec = LOCK_NAP_NS};
    if (spin(lock))
        return;
    atomic_fetch_add(&lock->waiters, 1);
    while (!mrpc_lock_try(lock))
        syscall(SYS_futex, &lock->taken, FUTEX_WAIT_PRIVATE, 1, &nap, NULL, 0);
    atomic_fetch_sub(&lock->waiters, 1);
}

void mrpc_lock_wake(_Atomic uint32_t *taken)
{
    syscall(SYS_futex, taken, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
