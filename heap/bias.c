/* SPDX-License-Identifier: BSD-2-Clause */
/* bias.c - the heavy barrier, and waiting for a thread that is about to look */
#include "config.h"

#include "heap/bias.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SPINS = 64, YIELDS = 64, NAP_NS = 100000, LONGEST_NS = 20000000 };

static int membarrier(int command)
{
    return (int)syscall(SYS_membarrier, command, 0, 0);
}

bool mrpc_bias_possible(void)
{
    return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

void mrpc_bias_heavy(void)
{
#ifdef MRPC_BIAS_SYMMETRIC
    static _Atomic uint32_t barrier;
    atomic_fetch_add(&barrier, 1);
#else
    if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
        return;
    /* A child of fork() may have to register anew. */
    if (mrpc_bias_possible() && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
        return;
    /* A seccomp filter came after the first use. Each processor that runs a thread of ours takes an interrupt of its
     * timer meanwhile, which is a barrier as well. */
    nanosleep(&(struct timespec){.tv_nsec = LONGEST_NS}, NULL);
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

void mrpc_bias_pause(unsigned n)
{
    if (n < SPINS) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    } else if (n < SPINS + YIELDS) {
        (void)sched_yield();
    } else {
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    }
}
