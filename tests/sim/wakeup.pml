/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wakeup.pml - going to sleep and being woken over shared memory loses no wake-up (transports/shm/connection.h)
 *
 * A sender puts RECORDS records through a ring with room for ROOM; each side sleeps when it can't go on. Stores pass through a buffer, as on a
 * processor with total store order: another process sees them later, unless a fence waits for them. Checked is that no state is
 * reached in which neither goes on. With -DNO_FENCE the fences are left out, and then there is one.
 *
 *     spin -a wakeup.pml && cc -DSAFETY -o pan pan.c && ./pan
 */
#define RECORDS 5
#define ROOM 2

#define SENDER 0
#define RECEIVER 1

/* What a store changes. */
#define PUBLISHED 0 /* records, by the sender */
#define CONSUMED 1  /* records, by the receiver */
#define SLEEPING 2  /* the number of the sleep, 0: awake */

byte published = 0, consumed = 0;
byte sleeping[2];
bool event[2]; /* the eventfd has an edge that was not reported */
byte done = 0;

chan stores[2] = [3] of { byte, byte };

#ifdef NO_FENCE
#define FENCE(me) skip
#else
#define FENCE(me) (empty(stores[me]))
#endif

/* The store buffer of one processor. */
proctype memory(byte me)
{
    byte what, value;
end:
    do
    :: atomic {
        stores[me]?what, value ->
        if
        :: what == PUBLISHED -> published = value
        :: what == CONSUMED -> consumed = value
        :: what == SLEEPING -> sleeping[me] = value
        fi
       }
    od
}

/* Who has news: the fence, then a look whether the other one sleeps, and has not been woken from this sleep. */
inline signal(me, other)
{
    FENCE(me);
    seen = sleeping[other];
    if
    :: seen != 0 && seen != woken -> woken = seen; event[other] = true
    :: else
    fi
}

/* Who can't go on: says so, the fence, then a last look. `epoch` numbers the sleeps. */
inline sleep_unless(me, condition)
{
    epoch++;
    stores[me]!SLEEPING, epoch;
    FENCE(me);
    if
    :: condition
    :: else -> event[me] -> event[me] = false
    fi;
    stores[me]!SLEEPING, 0
}

proctype sender()
{
    byte sent = 0, epoch = 0, woken = 0, seen;
    do
    :: sent == RECORDS -> break
    :: sent < RECORDS && sent - consumed < ROOM ->
        sent++;
        stores[SENDER]!PUBLISHED, sent;
        signal(SENDER, RECEIVER)
    :: sent < RECORDS && sent - consumed >= ROOM ->
        sleep_unless(SENDER, sent - consumed < ROOM)
    od;
    done++
}

proctype receiver()
{
    byte got = 0, epoch = 0, woken = 0, seen;
    do
    :: got == RECORDS -> break
    :: got < RECORDS && published > got ->
        got++;
        stores[RECEIVER]!CONSUMED, got;
        signal(RECEIVER, SENDER)
    :: got < RECORDS && published == got ->
        sleep_unless(RECEIVER, published > got)
    od;
    done++
}

init {
    atomic {
        run memory(SENDER);
        run memory(RECEIVER);
        run sender();
        run receiver()
    }
    done == 2
}
