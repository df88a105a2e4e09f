/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate.h - one thread at a time has the engine; the others leave it operations
 *
 *     FREE                  nobody has it
 *     OWNED                 somebody has it
 *     OWNED | ASLEEP        and sleeps in the kernel
 *     operation | OWNED     and others left work, the newest first
 *     BIASED                it is set aside for one thread, which may have it or not: see `inside`
 *     WITHDRAWING           another thread is ending that
 *
 * A thread takes the engine by a compare-and-swap from FREE and gives it up by one from OWNED, which fails when there
 * are operations. So none is ever left behind.
 *
 * A thread that has done this many times in a row, with nobody in between, gets the gate biased towards it. From then
 * on it says CHANGING in `inside`, looks whether the gate is still BIASED, and settles: IN or OUT, ASLEEP or IN. It
 * does so to enter, to leave, and around sleeping, without any atomic operation. Another thread that wants the engine,
 * or has something for its owner, puts WITHDRAWING into the gate, runs the heavy barrier (heap/bias.h), and waits while
 * it reads CHANGING, which lasts some instructions. Then either the favoured thread is outside, will find the bias gone
 * when it wants to enter, and the gate is the other's; or it is inside, owns the gate from now on like anybody else,
 * and finds that out when it next looks. tests/sim/bias.pml is the model.
 */
#ifndef MRPC_RUNTIME_GATE_H
#define MRPC_RUNTIME_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct mrpc_engine mrpc_engine;

/* Something to be done by the driver. In place until `run` has begun, which may free or reuse it. */
typedef struct mrpc_op mrpc_op;
struct mrpc_op {
    mrpc_op *next;
    void (*run)(mrpc_engine *engine, mrpc_op *op);
};

/* The state. An operation's address has GATE_OWNED added. */
enum {
    GATE_FREE = 0,
    GATE_OWNED = 1,
    GATE_ASLEEP = 2,
    GATE_BIASED = 4,
    GATE_WITHDRAWING = 6,
    GATE_FLAGS = 7 /* no bits of an address */
};

enum gate_inside { INSIDE_OUT, INSIDE_CHANGING, INSIDE_IN, INSIDE_ASLEEP };

typedef struct mrpc_gate {
    _Atomic uintptr_t state;
    _Atomic uintptr_t favoured; /* the only thread that it is ever biased towards; 0: none yet. A thread that was
                                   interrupted on its way in may write `inside` late, so nobody else ever may */
    _Atomic uint32_t inside;    /* gate_inside, of the favoured thread, while the state is BIASED or WITHDRAWING */
    /* Of who owns it. */
    uintptr_t last;  /* who had it before */
    uint32_t streak; /* how many times in a row */
    uint32_t needed; /* of them for a bias; 0: never */
} mrpc_gate;

/* From zeroed memory. */
void mrpc_gate_init(mrpc_gate *gate);

/* Takes it, unless another thread has it: then false, and what the state was. */
bool mrpc_gate_enter(mrpc_gate *gate, uintptr_t *state);
/* Leaves an operation to who has it, as mrpc_gate_enter() has just found out. False: look again. `asleep`: that one
 * sleeps, and is to be woken by the caller. */
bool mrpc_gate_push(mrpc_gate *gate, uintptr_t state, mrpc_op *op, bool *asleep);

/* The rest is for who has it. */

/* Whether operations were left. */
static inline bool mrpc_gate_has_ops(const mrpc_gate *gate)
{
    return (atomic_load_explicit(&gate->state, memory_order_relaxed) & ~(uintptr_t)GATE_FLAGS) != 0;
}
/* Takes the operations that were left, in the order in which they came; NULL: none. */
mrpc_op *mrpc_gate_take(mrpc_gate *gate);
/* Gives it up. False: operations were left, and it is still the caller's. The gate may be gone after true. */
bool mrpc_gate_leave(mrpc_gate *gate);
/* From now on who pushes wakes. False: operations were left, so don't sleep. */
bool mrpc_gate_sleep(mrpc_gate *gate);
/* Ends that. False: somebody is about to wake the caller, or has done it. */
bool mrpc_gate_wake(mrpc_gate *gate);

#endif /* MRPC_RUNTIME_GATE_H */
