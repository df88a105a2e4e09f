/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bias.pml - a gate that is biased towards one thread lets one in at a time and loses no operation (runtime/gate.h)
 *
 * The favoured thread enters, sometimes sleeps, and leaves, with plain stores that another thread sees later than its
 * own loads: they pass through a buffer, which an atomic operation of its own empties first, and the heavy barrier of
 * another thread waits for. The others enter or leave an operation. Checked is that two are never inside, that each
 * operation is run, and that nobody waits for ever. With -DNO_BARRIER the heavy barrier is left out, and with
 * -DNO_CHANGING nobody waits for the favoured thread to settle; then something goes wrong.
 *
 *     spin -a bias.pml && cc -DSAFETY -o pan pan.c && ./pan
 */
#define ROUNDS 3 /* of the favoured thread */
#define OTHERS 2
#define TURNS 2 /* of each other thread */

#define FREE 0
#define OWNED 1
#define OWNED_ASLEEP 2
#define BIASED 3
#define WITHDRAWING 4

#define OUT 0
#define CHANGING 1
#define IN 2
#define ASLEEP 3

byte state = BIASED;
byte ops = 0;    /* that were pushed: with the state in one word */
byte inside = OUT;
byte drivers = 0;
byte pushed = 0, ran = 0;
byte done = 0;
bool event = false; /* wakes who sleeps */

chan stores = [3] of { byte };

#ifdef NO_BARRIER
#define HEAVY skip
#else
#define HEAVY (empty(stores))
#endif

#ifdef NO_CHANGING
#define SETTLED true
#else
#define SETTLED (inside != CHANGING)
#endif

/* The store buffer of the favoured thread. */
active proctype memory()
{
    byte value;
end:
    do
    :: atomic { stores?value -> inside = value }
    od
}

inline drive()
{
    atomic { drivers++; assert(drivers == 1) };
    atomic { drivers--; ran = ran + ops; ops = 0 }
}

/* The favoured thread. `biased`: as it found when it looked. */
inline look()
{
    stores!CHANGING;
    if
    :: state == BIASED -> biased = true
    :: else -> biased = false
    fi
}

inline fall_asleep()
{
    slept = false;
    if
    :: state == BIASED || state == WITHDRAWING ->
        look();
        if
        :: biased -> stores!ASLEEP; slept = true
        :: else -> stores!IN; state != WITHDRAWING
        fi
    :: else
    fi;
    if
    :: slept
    :: else ->
        atomic {
            empty(stores);
            if
            :: ops == 0 -> state = OWNED_ASLEEP; slept = true
            :: else
            fi
        }
    fi
}

inline wake_up()
{
    if
    :: state == BIASED || state == WITHDRAWING ->
        look();
        if
        :: biased -> stores!IN
        :: else ->
            stores!ASLEEP;
            state != WITHDRAWING;
            atomic { empty(stores); state = OWNED }
        fi
    :: else -> atomic { empty(stores); state = OWNED }
    fi
}

active proctype favoured()
{
    byte round = 0;
    bool biased, slept;
    do
    :: round == ROUNDS -> break
    :: else ->
        round++;
enter:
        if
        :: state == BIASED ->
            look();
            if
            :: biased -> stores!IN; goto entered
            :: else -> stores!OUT
            fi
        :: else
        fi;
        atomic {
            empty(stores);
            if
            :: state == FREE -> state = OWNED
            :: state == OWNED -> ops++; pushed++; goto next
            :: state == OWNED_ASLEEP -> assert(false) /* nobody else sleeps here */
            :: state == BIASED || state == WITHDRAWING -> goto enter
            fi
        };
entered:
        drive();
        if
        :: skip
        :: fall_asleep();
            if
            :: slept ->
                /* Something else wakes it too once the others are done, but not when they left an operation. */
                if
                :: event -> event = false
                :: done == OTHERS && ops == 0
                fi;
                wake_up()
            :: else
            fi
        fi;
leave:
        drive();
        if
        :: state == BIASED || state == WITHDRAWING ->
            look();
            if
            :: biased -> stores!OUT; goto next
            :: else -> stores!IN; state != WITHDRAWING
            fi
        :: else
        fi;
        if
        :: true -> atomic { empty(stores); if :: ops == 0 -> state = FREE; goto next :: else -> goto leave fi }
        :: true ->
            stores!OUT;
            atomic { empty(stores); if :: ops == 0 -> state = BIASED; goto next :: else -> goto leave fi }
        fi;
next:
    od;
    done++
}

proctype other()
{
    byte turn = 0, seen;
    do
    :: turn == TURNS -> break
    :: else ->
        turn++;
again:
        atomic {
            if
            :: state == FREE -> state = OWNED; goto entered
            :: state == OWNED -> ops++; pushed++; goto next
            :: state == OWNED_ASLEEP -> ops++; pushed++; state = OWNED; event = true; goto next
            :: state == BIASED -> state = WITHDRAWING
            :: state == WITHDRAWING -> goto waiting
            fi
        };
        HEAVY;
        atomic { SETTLED; seen = inside };
        if
        :: seen == OUT -> state = OWNED; goto entered
        :: seen == ASLEEP -> state = OWNED_ASLEEP; goto again
        :: else -> state = OWNED; goto again
        fi;
waiting:
        state != WITHDRAWING;
        goto again;
entered:
        drive();
        do
        :: atomic { ops == 0 -> state = FREE; break }
        :: ops != 0 -> drive()
        od;
next:
    od;
    done++
}

init {
    atomic { run other(); run other() };
    done == OTHERS + 1;
    assert(ops == 0 && pushed == ran)
}
