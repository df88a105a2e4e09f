/* SPDX-License-Identifier: BSD-2-Clause */
/* gate.c - entering, leaving, and whom the gate is biased towards */
#include "config.h"

#include "runtime/gate.h"

#include <mrpc/visibility.h>

#include "heap/bias.h"

enum { FIRST_STREAK = 64, LONGEST_STREAK = 1 << 20 };

void mrpc_gate_init(mrpc_gate *gate)
{
    gate->needed = mrpc_bias_possible() ? FIRST_STREAK : 0;
}

/* --- the favoured thread --- */

static void settle(mrpc_gate *gate, enum gate_inside inside)
{
    atomic_store_explicit(&gate->inside, inside, memory_order_release);
}

/* Whether the bias is there, once it was said that something changes. Then the caller settles. */
static bool still_biased(mrpc_gate *gate)
{
    atomic_store_explicit(&gate->inside, INSIDE_CHANGING, memory_order_release);
    mrpc_bias_light();
    return MRPC_LIKELY(atomic_load_explicit(&gate->state, memory_order_relaxed) == GATE_BIASED);
}

/* The thread is favoured, is inside, and has seen that the bias was withdrawn: it owns the gate once that is done. */
static void await_withdrawal(mrpc_gate *gate)
{
    for (unsigned n = 0; atomic_load_explicit(&gate->state, memory_order_acquire) == GATE_WITHDRAWING; n++)
        mrpc_bias_pause(n);
}

static bool is_biased(const mrpc_gate *gate)
{
    uintptr_t state = atomic_load_explicit(&gate->state, memory_order_acquire);
    return state == GATE_BIASED || state == GATE_WITHDRAWING;
}

static bool enter_biased(mrpc_gate *gate)
{
    if (atomic_load_explicit(&gate->state, memory_order_relaxed) != GATE_BIASED ||
        atomic_load_explicit(&gate->favoured, memory_order_relaxed) != mrpc_this_thread())
        return false;
    bool entered = still_biased(gate);
    settle(gate, entered ? INSIDE_IN : INSIDE_OUT);
    return entered;
}

static bool leave_biased(mrpc_gate *gate)
{
    bool left = still_biased(gate);
    settle(gate, left ? INSIDE_OUT : INSIDE_IN);
    if (!left)
        await_withdrawal(gate);
    return left;
}

static bool sleep_biased(mrpc_gate *gate)
{
    bool asleep = still_biased(gate);
    settle(gate, asleep ? INSIDE_ASLEEP : INSIDE_IN);
    if (!asleep)
        await_withdrawal(gate);
    return asleep;
}

/* --- the others --- */

/* True: the gate is the caller's. */
static bool withdraw(mrpc_gate *gate)
{
    uintptr_t expected = GATE_BIASED;
    if (!atomic_compare_exchange_strong(&gate->state, &expected, GATE_WITHDRAWING))
        return false;
    mrpc_bias_heavy();
    uint32_t inside = INSIDE_CHANGING;
    for (unsigned n = 0; (inside = atomic_load_explicit(&gate->inside, memory_order_acquire)) == INSIDE_CHANGING; n++)
        mrpc_bias_pause(n);
    gate->streak = 0;
    if (gate->needed < LONGEST_STREAK)
        gate->needed *= 2;
    atomic_store_explicit(&gate->state, inside == INSIDE_ASLEEP ? GATE_OWNED | GATE_ASLEEP : GATE_OWNED,
                          memory_order_release);
    return inside == INSIDE_OUT;
}

bool mrpc_gate_enter(mrpc_gate *gate, uintptr_t *state)
{
    if (enter_biased(gate))
        return true;
    for (unsigned n = 0;; n++) {
        *state = GATE_FREE;
        if (atomic_compare_exchange_strong(&gate->state, state, GATE_OWNED))
            return true;
        if (*state == GATE_BIASED && withdraw(gate))
            return true;
        if (*state == GATE_WITHDRAWING)
            mrpc_bias_pause(n);
        else if (*state != GATE_BIASED)
            return false;
    }
}

bool mrpc_gate_push(mrpc_gate *gate, uintptr_t state, mrpc_op *op, bool *asleep)
{
    op->next = (mrpc_op *)(state & ~(uintptr_t)GATE_FLAGS);
    *asleep = (state & GATE_ASLEEP) != 0;
    return atomic_compare_exchange_strong(&gate->state, &state, (uintptr_t)op | GATE_OWNED);
}

/* --- who has it --- */

mrpc_op *mrpc_gate_take(mrpc_gate *gate)
{
    if (!mrpc_gate_has_ops(gate))
        return NULL;
    uintptr_t state = atomic_exchange(&gate->state, GATE_OWNED);
    mrpc_op *newest = (mrpc_op *)(state & ~(uintptr_t)GATE_FLAGS), *oldest = NULL;
    while (newest != NULL) {
        mrpc_op *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

/* What the gate is to be when this thread leaves it. */
static uintptr_t after_leaving(mrpc_gate *gate)
{
    uintptr_t self = mrpc_this_thread(), favoured = atomic_load_explicit(&gate->favoured, memory_order_relaxed);
    gate->streak = gate->last == self ? gate->streak + 1 : 0;
    gate->last = self;
    if (gate->needed == 0 || gate->streak < gate->needed || (favoured != 0 && favoured != self))
        return GATE_FREE;
    gate->streak = 0;
    atomic_store_explicit(&gate->favoured, self, memory_order_relaxed);
    settle(gate, INSIDE_OUT);
    return GATE_BIASED;
}

bool mrpc_gate_leave(mrpc_gate *gate)
{
    if (is_biased(gate) && leave_biased(gate))
        return true;
    uintptr_t expected = GATE_OWNED;
    return !mrpc_gate_has_ops(gate) && atomic_compare_exchange_strong(&gate->state, &expected, after_leaving(gate));
}

bool mrpc_gate_sleep(mrpc_gate *gate)
{
    if (is_biased(gate) && sleep_biased(gate))
        return true;
    uintptr_t expected = GATE_OWNED;
    return atomic_compare_exchange_strong(&gate->state, &expected, GATE_OWNED | GATE_ASLEEP);
}

/* While it slept, the bias may have been withdrawn from it as from one that sleeps, or that is about to happen. */
bool mrpc_gate_wake(mrpc_gate *gate)
{
    if (is_biased(gate)) {
        bool awake = still_biased(gate);
        settle(gate, awake ? INSIDE_IN : INSIDE_ASLEEP);
        if (awake)
            return true;
        await_withdrawal(gate);
    }
    return atomic_fetch_and(&gate->state, ~(uintptr_t)GATE_ASLEEP) & GATE_ASLEEP;
}
