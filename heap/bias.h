/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bias.h - a barrier that costs its frequent side nothing
 *
 * Where two threads each say something and then look what the other one has said, at least one of them sees the other's
 * word if both have a full barrier between (Dekker, 1965). When one side does so at every turn and the other hardly
 * ever, the rare one can pay for both: mrpc_bias_heavy() has the kernel run a full barrier on every running thread of
 * the process (membarrier(2)), so that the frequent one only has to keep the compiler from changing the order. That is
 * what a lock is biased to one thread with (Vasudevan and others, "Simple and fast biased locks", PACT 2010).
 */
#ifndef MRPC_HEAP_BIAS_H
#define MRPC_HEAP_BIAS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Who the calling thread is. Only another thread that has ended may have been called the same. */
static inline uintptr_t mrpc_this_thread(void)
{
    return (uintptr_t)pthread_self();
}

/* Whether the kernel can do it; to be asked before the first use of the barriers. */
bool mrpc_bias_possible(void);

/* The rare side, after what it says and before it looks. Some microseconds. */
void mrpc_bias_heavy(void);

#if defined(__SANITIZE_THREAD__)
#define MRPC_BIAS_SYMMETRIC 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MRPC_BIAS_SYMMETRIC 1
#endif
#endif

/* The frequent side, after what it says and before it looks. */
static inline void mrpc_bias_light(void)
{
#ifdef MRPC_BIAS_SYMMETRIC
    mrpc_bias_heavy(); /* ThreadSanitizer knows nothing of membarrier() */
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* While another thread is between two instructions: the n-th look in vain. */
void mrpc_bias_pause(unsigned n);

#endif /* MRPC_HEAP_BIAS_H */
