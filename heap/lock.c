/* SPDX-License-Identifier: BSD-2-Clause */
/* lock.c - waiting for a lock that is taken */
#include "config.h"

#include "heap/lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOCK_SPINS 64
#define LOCK_NAP_NS 1000000

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool spin(mrpc_lock *lock)
{
    for (int i = 0; i < LOCK_SPINS; i++) {
        pause_briefly();
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

void mrpc_lock_wake(mrpc_lock *lock)
{
    syscall(SYS_futex, &lock->taken, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
